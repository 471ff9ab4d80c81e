//! `optfs report`: all that is known of a stack as one page, which needs nothing else to be shown.
//!
//! Owns what is asked and where the page goes. Its parts: `stack` what there is, `hidden` who hides what, `faults`
//! what is torn or doubtful, `picture` the tree for the treemap and the search.

mod faults;
mod hidden;
mod picture;
mod stack;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::layers::StackArgs;
use super::page::{Page, Program, escaped, name};
use super::printable::printable;
use super::size::human;
use super::stack_view::View;
use super::terminal::print;
use super::{Verbosity, whole_file};
use crate::explain::check::{self, Finding};
use crate::explain::{self, Opt, Shadows, Waste, Weight, torn};
use crate::stack::LayerIdx;

/// Rows of a table before the rest is summed up.
const ROWS: usize = 10;
/// Layers that have colours of their own; from then on the colours come again, and the numbers tell.
const COLOURS: usize = 8;

const STYLE: &str = include_str!("report/report.css");
const SCRIPT: &str = include_str!("report/report.js");

/// Write all that is known of a stack as one page for a browser
///
/// A treemap coloured by layer, with search; the layers and Lambda's limits; who hides what; torn packages; findings.
/// The page is one file that loads nothing from elsewhere: send it, archive it, print it. What is asked for in the
/// part of its address behind '#' is shown at once: #search=numpy, #at=python/numpy.
#[derive(Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// The page to write; '-' is standard output
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
    /// The page's title
    #[arg(long, value_name = "TEXT", default_value = "The layers at /opt")]
    title: String,
}

pub(super) fn run(args: &ReportArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    let page = Answers::of(&view)?.page(&args.title);
    if args.html == Path::new("-") {
        return print(|out| {
            out.write_all(page.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        });
    }
    whole_file::write(&args.html, page.as_bytes())?;
    if !verbosity.quiet {
        let size = human(page.len() as u64);
        let file = printable(args.html.as_os_str().as_encoded_bytes());
        eprintln!("optfs: {file}: {size} written");
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked about the stack.
struct Answers<'a> {
    view: &'a View,
    weight: Weight,
    waste: Waste,
    shadows: Shadows,
    torn: torn::Findings,
    findings: Vec<Finding>,
}

impl<'a> Answers<'a> {
    fn of(view: &'a View) -> Result<Answers<'a>, Failure> {
        let stack = view.stack();
        let opt = Opt::new(stack, view.fs.content());
        Ok(Answers {
            view,
            weight: explain::weight(stack, ROWS),
            waste: explain::waste(stack),
            shadows: explain::shadows(stack),
            torn: torn::torn(&opt, false, b""),
            findings: check::check(stack, &check::Options::default(), &())?,
        })
    }

    fn page(&self, title: &str) -> String {
        let parts = [
            self.figures(),
            self.layers(),
            picture::SECTION.to_owned(),
            self.limits(),
            self.hidden(),
            self.torn_packages(),
            self.checked(),
            self.largest(),
        ];
        let body = format!(
            "<header><h1>{}</h1></header>\n<main>\n{}</main>\n<footer class=\"soft\">Written by optfs {}. Layers are numbered \
             first to last: the last one wins.</footer>\n",
            escaped(title),
            parts.concat(),
            env!("CARGO_PKG_VERSION")
        );
        Page {
            title,
            style: STYLE,
            body,
            program: Some(Program {
                script: SCRIPT,
                data: self.picture(),
            }),
        }
        .html()
    }

    /// A layer's number in its colour.
    fn badge(&self, layer: LayerIdx) -> String {
        let path = self.view.stack().layer(layer).path();
        format!(
            "<b class=\"layer c{}\" title=\"{}\">{}</b>",
            layer.index() % COLOURS,
            name(path.as_os_str().as_encoded_bytes()),
            layer.index() + 1
        )
    }

    /// A layer's number in its colour, and its name.
    fn layer(&self, layer: LayerIdx) -> String {
        format!("{} {}", self.badge(layer), escaped(&self.view.layer_name(layer)))
    }
}

/// A table of rows that are HTML already; a heading that begins with '#' stands above numbers.
fn table(headings: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let mut html = String::from("<div class=\"wide\"><table><thead><tr>");
    for heading in headings {
        html += &match heading.strip_prefix('#') {
            Some(heading) => format!("<th class=\"n\" scope=\"col\">{heading}</th>"),
            None => format!("<th scope=\"col\">{heading}</th>"),
        };
    }
    html += "</tr></thead><tbody>\n";
    html.extend(rows);
    html + "</tbody></table></div>\n"
}

/// What stands for the items that a page has no room for.
fn and_more(count: usize, what: &str, verb: &str) -> String {
    match count {
        0 => String::new(),
        _ => format!("<p class=\"soft\">and {count} more {what}: <code>{verb}</code> names all</p>\n"),
    }
}
