//! A report as one page that needs nothing else: a table, and a pair of bars for each measure.

use std::fmt::Write;

use super::{About, cell, ratio};
use crate::bench::{Measure, Summary, Unit};
use crate::cli::page::{Page, escaped, name};

/// The longest bar, in the drawing's own units.
const WIDTH: f64 = 300.0;

const STYLE: &str = ".e{fill:#b9b4a7}.m{fill:#2a7f62}.s{stroke:var(--text);stroke-width:1}\n";

pub(super) fn page(about: &About) -> String {
    let mut rows = String::new();
    for measure in Measure::ALL {
        let report = about.report;
        row(
            &mut rows,
            measure,
            report.extracted.summary(measure),
            report.mounted.summary(measure),
        );
    }
    let heading = escaped(&about.heading().join("\n"));
    let layers: String = about
        .layers
        .iter()
        .map(|layer| format!("<li>{}</li>", name(layer.as_os_str().as_encoded_bytes())))
        .collect();
    let notes: String = about
        .notes()
        .iter()
        .map(|note| format!("<li>{}</li>", escaped(note)))
        .collect();
    let body = format!(
        "<h1>Extracted and mounted</h1>\n<pre>{heading}</pre>\n<p>Layers, first to last:</p><ol>{layers}</ol>\n\
         <table><tr><th></th><th>extracted (grey)</th><th>mounted (green)</th><th>mounted is</th><th></th></tr>\n{rows}</table>\n\
         <p>Median [least to most] of {} rounds; the line in a bar spans least to most.</p><ul>{notes}</ul>\n",
        about.report.rounds
    );
    Page {
        title: "optfs bench",
        style: STYLE,
        body,
        program: None,
    }
    .html()
}

fn row(rows: &mut String, measure: Measure, extracted: Option<Summary>, mounted: Option<Summary>) {
    if extracted.is_none() && mounted.is_none() {
        return;
    }
    let unit = measure.unit();
    let better = if unit == Unit::Rate {
        " <small>(more is better)</small>"
    } else {
        ""
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        rows,
        "<tr><td>{}{better}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
        escaped(measure.label()),
        cell(unit, extracted),
        cell(unit, mounted),
        ratio(unit, extracted, mounted).unwrap_or_default(),
        bars(extracted, mounted),
    );
}

/// Both bars on one scale, which ends at the largest number.
fn bars(extracted: Option<Summary>, mounted: Option<Summary>) -> String {
    let most = [extracted, mounted]
        .iter()
        .flatten()
        .fold(0.0, |most: f64, summary| most.max(summary.max));
    let scale = if most > 0.0 { WIDTH / most } else { 0.0 };
    let mut svg = format!("<svg width=\"{WIDTH}\" height=\"30\" viewBox=\"0 0 {WIDTH} 30\" role=\"img\">");
    for (summary, class, top) in [(extracted, "e", 2.0), (mounted, "m", 16.0)] {
        let Some(Summary { median, min, max }) = summary else {
            continue;
        };
        let middle = top + 6.0;
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"0\" y=\"{top}\" width=\"{:.1}\" height=\"12\"/>\
             <line class=\"s\" x1=\"{:.1}\" y1=\"{middle}\" x2=\"{:.1}\" y2=\"{middle}\"/>",
            // Nothing is too small to be seen.
            (median * scale).max(1.0),
            min * scale,
            max * scale,
        );
    }
    svg.push_str("</svg>");
    svg
}
