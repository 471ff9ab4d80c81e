//! `optfs ci`: whether a stack is good enough to be shipped, by thresholds of a file or of flags.
//!
//! What is found is `check`'s, what is wasted `explain`'s; here they are measured.

mod config;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Verbosity;
use super::check::{self, Checked, Measure};
use super::failure::{Class, Failure};
use super::json::{Wasted, write_line};
use super::layers::StackArgs;
use super::printable::printable;
use super::size::{self, counted, human};
use super::terminal::{Out, print};
use crate::explain::check::{Finding, Limits};
use crate::explain::{Waste, waste};
use config::Config;

/// Where thresholds are looked for when no file is named.
const DEFAULT_FILE: &str = ".optfs-ci.toml";

/// Fail when a stack is wasteful, too large or faulty
///
/// Thresholds come from .optfs-ci.toml in the working directory, when there is one, and from flags, which
/// count before the file. Without any only what `optfs check` denies fails: errors.
///
/// Exit status 0 with a short summary, or 1 with the reasons.
#[derive(Args)]
#[command(after_help = "A file may hold, each with the same meaning as the flag:\n\n  \
    lowest-efficiency = 0.95\n  highest-wasted-bytes = \"20M\"\n  highest-wasted-percent = 10\n  \
    deny = [\"warning\"]\n  allow = [\"upload-too-large\"]\n  max-layers = 5\n  max-unzipped = \"200M\"\n  \
    max-zipped = \"50M\"\n  deep = true\n  arch = \"arm64\"\n  runtime = \"python3.12\"")]
pub(super) struct CiArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Layer zips, first to last, behind those of --layer or --stack
    #[arg(value_name = "ZIP")]
    zips: Vec<PathBuf>,
    /// The file with thresholds [default: .optfs-ci.toml, where it is]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    thresholds: Thresholds,
    #[command(flatten)]
    measure: Measure,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What a stack may be at worst.
#[derive(Args, Debug, Clone, Default)]
struct Thresholds {
    /// Lowest efficiency, from 0 to 1: 1 when no layer has a path of another
    #[arg(long, value_name = "NUMBER", value_parser = efficiency)]
    lowest_efficiency: Option<f64>,
    /// Most bytes in paths that are there more than once, such as 20M
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    highest_wasted_bytes: Option<u64>,
    /// Highest share of all bytes that they may have, in percent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    highest_wasted_percent: Option<f64>,
    /// Most layers [default: 5, Lambda's limit]
    #[arg(long, value_name = "COUNT")]
    max_layers: Option<u64>,
    /// Most unzipped bytes of all layers [default: 262144000, Lambda's limit]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_unzipped: Option<u64>,
    /// From so many bytes on a zip is too large [default: 52428800, Lambda's limit for uploads]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_zipped: Option<u64>,
}

fn efficiency(text: &str) -> Result<f64, String> {
    number(text, 1.0)
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, 100.0)
}

fn number(text: &str, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from 0 to {most}")),
    }
}

/// A threshold that was compared.
#[derive(Serialize)]
struct Compared {
    #[serde(rename = "name")]
    what: &'static str,
    found: f64,
    limit: f64,
    passed: bool,
    /// Both as people read them.
    #[serde(skip)]
    text: String,
}

pub(super) fn run(args: &CiArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let config = Config::load(args.config.as_deref(), DEFAULT_FILE)?;
    let (thresholds, measure) = (config.thresholds(&args.thresholds), config.measure(&args.measure));
    let lambda = Limits::default();
    let limits = Limits {
        layers: thresholds.max_layers.unwrap_or(lambda.layers),
        unzipped_bytes: thresholds.max_unzipped.unwrap_or(lambda.unzipped_bytes),
        zipped_bytes: thresholds.max_zipped.unwrap_or(lambda.zipped_bytes),
    };
    let paths = args.stack.paths(&args.zips)?;
    let checked = check::look(&paths, &measure, limits, false, verbosity)?;
    let waste = waste(&checked.stack);
    let compared = compare(&waste, &thresholds);
    let passed = compared.iter().all(|one| one.passed) && checked.passed();
    print(|out| {
        match args.json {
            true => {
                let judged = judged(&waste, &compared);
                write_line(out, &check::json::answer("ci", &checked, passed, judged))?;
            }
            false if passed => pass(&checked, &waste, &compared, out)?,
            false => fail(&checked, &compared, out)?,
        }
        out.flush()?;
        Ok(match (checked.complain(), passed) {
            (Some(status), _) => status,
            (None, true) => ExitCode::SUCCESS,
            (None, false) => ExitCode::from(Class::No as u8),
        })
    })
}

fn compare(waste: &Waste, thresholds: &Thresholds) -> Vec<Compared> {
    let mut compared = Vec::new();
    if let Some(limit) = thresholds.lowest_efficiency {
        let found = waste.efficiency();
        compared.push(Compared {
            what: "lowest-efficiency",
            found,
            limit,
            passed: found >= limit,
            text: format!("efficiency {found:.4}, at least {limit} is asked for"),
        });
    }
    if let Some(limit) = thresholds.highest_wasted_bytes {
        let found = waste.wasted_bytes;
        compared.push(Compared {
            what: "highest-wasted-bytes",
            found: found as f64,
            limit: limit as f64,
            passed: found <= limit,
            text: format!("{} wasted, at most {} are allowed", human(found), human(limit)),
        });
    }
    if let Some(limit) = thresholds.highest_wasted_percent {
        let found = waste.percent();
        compared.push(Compared {
            what: "highest-wasted-percent",
            found,
            limit,
            passed: found <= limit,
            text: format!("{found:.2} % wasted, at most {limit} % is allowed"),
        });
    }
    compared
}

/// What passed, in a few lines.
fn pass(checked: &Checked, waste: &Waste, compared: &[Compared], out: &mut Out) -> Result<(), Failure> {
    out.green("passed")?;
    let layers = counted(checked.stack.layers().len() as u64, "layer");
    write!(
        out,
        "  {layers}; efficiency {:.1} %, {} wasted; {}, none denied",
        waste.efficiency() * 100.0,
        human(waste.wasted_bytes),
        counted(checked.findings.len() as u64, "finding")
    )?;
    if checked.allowed > 0 {
        write!(out, ", {} allowed", checked.allowed)?;
    }
    writeln!(out)?;
    for one in compared {
        writeln!(out, "        {}", one.text)?;
    }
    Ok(())
}

/// Why it failed, a line for each threshold and each denied rule in an archive.
fn fail(checked: &Checked, compared: &[Compared], out: &mut Out) -> Result<(), Failure> {
    for one in compared.iter().filter(|one| !one.passed) {
        out.red("failed")?;
        writeln!(out, "  {}: {}", one.what, one.text)?;
    }
    if !checked.unusable.is_empty() {
        out.red("failed")?;
        let layers = counted(checked.unusable.len() as u64, "layer");
        writeln!(out, "  {layers} cannot be opened")?;
    }
    let denied: Vec<&Finding> = checked
        .findings
        .iter()
        .filter(|(_, denied)| *denied)
        .map(|(finding, _)| finding)
        .collect();
    let same = |a: &&Finding, b: &&Finding| a.place.layer == b.place.layer && a.rule.code == b.rule.code;
    for group in denied.chunk_by(same) {
        let first = group[0];
        out.red("failed")?;
        write!(out, "  {} {}: ", first.rule.code, first.rule.slug)?;
        if let Some(layer) = first.place.layer {
            let path = checked.stack.layer(layer).path().as_os_str();
            write!(out, "{}: ", printable(path.as_encoded_bytes()))?;
        }
        if let Some(entry) = &first.place.entry {
            write!(out, "{}: ", printable(entry))?;
        }
        write!(out, "{}", printable(first.found.as_bytes()))?;
        if group.len() > 1 {
            write!(out, ", and {} more", group.len() - 1)?;
        }
        writeln!(out)?;
    }
    if !denied.is_empty() {
        out.dim("        'optfs check' with the same layers explains the codes\n")?;
    }
    Ok(())
}

/// What `ci` tells beside all that `check` does.
#[derive(Serialize)]
struct Judged<'a> {
    efficiency: f64,
    wasted: Wasted,
    thresholds: &'a [Compared],
}

fn judged<'a>(waste: &Waste, compared: &'a [Compared]) -> Judged<'a> {
    Judged {
        efficiency: waste.efficiency(),
        wasted: waste.into(),
        thresholds: compared,
    }
}

/// The fuzzer's door to the file of thresholds.
#[cfg(fuzzing)]
pub(super) mod fuzzing {
    use super::Config;
    use crate::cli::fuzzing::with_file;

    /// Reads thresholds.
    pub fn thresholds(text: &[u8]) {
        with_file(text, |path| drop(Config::load(Some(path), "")));
    }
}
