//! `optfs check`: what is wrong or doubtful with zips and the stack they make.
//!
//! Owns what is asked and what the answer means for the exit status; what `optfs ci` needs of that is here
//! too. How findings look is in `report`, `json` and `sarif`.

pub(super) mod json;
mod report;
mod sarif;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Verbosity;
use super::bar::Bar;
use super::failure::{Class, Failure};
use super::json::write_line;
use super::layers::{self, StackArgs};
use super::terminal::{Out, print};
use crate::archive::ArchiveError;
use crate::explain::check::{
    self, Arch, Finding, Limits, Options, Policy, Rule, RuntimeFacts, Selector, Severity, Verdict,
};
use crate::launch::runtime::{Family, Runtime};
use crate::stack::{LayerIdx, Stack};

/// Look for what is wrong with layers, each by itself and together
///
/// Every finding has a code that never changes, a severity, a place, and a cure; docs/findings.md lists them
/// all. Without --deep no content is read but the targets of links and the first bytes of binaries.
///
/// Exit status 1 when something denied is found: errors, unless --deny and --allow say otherwise. 3 when an
/// archive cannot be opened; the others are checked all the same.
#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Layer zips, first to last, behind those of --layer or --stack
    #[arg(value_name = "ZIP")]
    zips: Vec<PathBuf>,
    #[command(flatten)]
    measure: Measure,
    /// Check each zip by itself, not as layers of one stack
    #[arg(long)]
    each: bool,
    /// Show every finding; else what is found often is folded
    #[arg(long)]
    all: bool,
    /// One JSON object
    #[arg(long, conflicts_with = "all")]
    json: bool,
    /// A SARIF 2.1.0 log for code scanning: instead of the text, or in a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "json")]
    sarif: Option<Option<PathBuf>>,
    /// List all codes
    #[arg(long, conflicts_with_all = ["layers", "stack", "zips"])]
    list_codes: bool,
    /// Explain a code or slug (can be repeated)
    #[arg(long, value_name = "CODE", conflicts_with_all = ["layers", "stack", "zips"])]
    explain: Vec<String>,
}

/// What is looked at and what fails, alike for `check` and `ci`.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct Measure {
    /// Fail on this code, or on this severity and all above: note, warning, error (can be repeated)
    #[arg(long, value_name = "CODE", value_parser = selector)]
    pub(super) deny: Vec<Selector>,
    /// Hear nothing of this code or severity (can be repeated)
    #[arg(long, value_name = "CODE", value_parser = selector)]
    pub(super) allow: Vec<Selector>,
    /// Read every entry and verify its size and CRC-32
    #[arg(long)]
    pub(super) deep: bool,
    /// The function's architecture: x86_64 or arm64
    #[arg(long, value_name = "ARCH", value_parser = arch)]
    pub(super) arch: Option<Arch>,
    /// The function's runtime, such as python3.12: binaries are read for what they need
    #[arg(long, value_name = "RUNTIME")]
    pub(super) runtime: Option<Runtime>,
    /// No progress bar [default: one, on a terminal, with --deep]
    #[arg(long)]
    pub(super) no_progress: bool,
}

/// Layers that were looked at, and what was found.
pub(super) struct Checked {
    pub(super) stack: Stack,
    /// Of each layer of the stack its place among those that were named, from 1.
    positions: Vec<usize>,
    /// Archives that cannot be opened, with their places.
    pub(super) unusable: Vec<(usize, ArchiveError)>,
    /// What was found and is not allowed, with whether it is denied.
    pub(super) findings: Vec<(Finding, bool)>,
    /// How many findings were allowed.
    pub(super) allowed: usize,
}

fn selector(text: &str) -> Result<Selector, String> {
    text.parse().map_err(|e: check::UnknownSelector| e.to_string())
}

fn arch(text: &str) -> Result<Arch, String> {
    text.parse().map_err(|e: &'static str| e.to_owned())
}

pub(super) fn run(args: &CheckArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    if args.list_codes || !args.explain.is_empty() {
        return print(|out| catalogue(args, out));
    }
    let paths = args.stack.paths(&args.zips)?;
    let checked = look(&paths, &args.measure, Limits::default(), args.each, verbosity)?;
    if let Some(Some(file)) = &args.sarif {
        let log = format!("{}\n", sarif::log(&checked));
        fs::write(file, log).map_err(|e| {
            Failure::new(Class::Trouble, format_args!("{}: {e}", file.display()))
                .hint("name a file that can be written")
        })?;
    }
    print(|out| {
        match (&args.sarif, args.json) {
            (Some(None), _) => writeln!(out, "{}", sarif::log(&checked))?,
            (_, true) => write_line(out, &json::answer("check", &checked, checked.passed(), ()))?,
            _ => report::print(&checked, args.all, out)?,
        }
        out.flush()?;
        Ok(checked.exit())
    })
}

/// Opens and checks layers.
pub(super) fn look(
    paths: &[PathBuf],
    measure: &Measure,
    limits: Limits,
    apart: bool,
    verbosity: Verbosity,
) -> Result<Checked, Failure> {
    let policy = Policy::new(measure.deny.clone(), measure.allow.clone())
        .map_err(|both| Failure::new(Class::Usage, format_args!("{both} is both denied and allowed")))?;
    let (mut archives, mut positions, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
    for (position, opened) in (1..).zip(layers::open_each(paths)?) {
        match opened {
            Ok(archive) => {
                archives.push(archive);
                positions.push(position);
            }
            Err(error) => unusable.push((position, error)),
        }
    }
    let stack = Stack::merge(archives)?;
    let options = Options {
        deep: measure.deep,
        arch: measure.arch,
        runtime: measure.runtime.map(facts),
        limits,
        apart,
    };
    let bar = Bar::new(!measure.deep || measure.no_progress, verbosity);
    let found = check::check(&stack, &options, &bar);
    bar.0.finish_and_clear();
    let mut findings = Vec::new();
    let mut allowed = 0;
    for finding in found? {
        match policy.verdict(finding.rule) {
            Verdict::Allowed => allowed += 1,
            Verdict::Told => findings.push((finding, false)),
            Verdict::Denied => findings.push((finding, true)),
        }
    }
    Ok(Checked {
        stack,
        positions,
        unusable,
        findings,
        allowed,
    })
}

/// What of a runtime decides whether a layer can work there.
fn facts(runtime: Runtime) -> RuntimeFacts {
    let (mut python, mut node) = (None, None);
    match runtime.family() {
        Family::Python { version } => python = Some(version.to_owned()),
        Family::Node { major } => node = major.map(str::to_owned),
        Family::Ruby { .. } | Family::Java | Family::Dotnet | Family::Go | Family::Custom => {}
    }
    RuntimeFacts {
        name: runtime.identifier().to_owned(),
        python,
        node,
        glibc: runtime.glibc(),
    }
}

impl Checked {
    /// How many findings there are of a severity.
    pub(super) fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|(finding, _)| finding.rule.severity == severity)
            .count()
    }

    pub(super) fn denied(&self) -> usize {
        self.findings.iter().filter(|(_, denied)| *denied).count()
    }

    /// Whether everything could be looked at and nothing is denied.
    pub(super) fn passed(&self) -> bool {
        self.denied() == 0 && self.unusable.is_empty()
    }

    /// A layer's place among those that were named, from 1.
    fn position(&self, layer: LayerIdx) -> usize {
        self.positions[layer.index()]
    }

    /// Says which archives cannot be opened; gives the exit status of the check.
    fn exit(&self) -> ExitCode {
        match (self.complain(), self.denied()) {
            (Some(status), _) => status,
            (None, 0) => ExitCode::SUCCESS,
            (None, _) => ExitCode::from(Class::No as u8),
        }
    }

    /// Says on standard error which archives cannot be opened; the exit status for that, if there are any.
    pub(super) fn complain(&self) -> Option<ExitCode> {
        let mut status = None;
        for (_, error) in &self.unusable {
            status = Some(Failure::of_archive(error).report());
        }
        status
    }
}

fn catalogue(args: &CheckArgs, out: &mut Out) -> Result<ExitCode, Failure> {
    let chosen: Vec<&'static Rule> = match args.explain.as_slice() {
        [] => check::rules().collect(),
        names => names
            .iter()
            .map(|name| {
                check::rule(name).ok_or_else(|| {
                    Failure::new(Class::Usage, format_args!("{name}: no code of a finding"))
                        .hint("'optfs check --list-codes' lists them")
                })
            })
            .collect::<Result<_, _>>()?,
    };
    if args.json {
        write_line(out, &json::rules(&chosen))?;
    } else if args.explain.is_empty() {
        report::list(&chosen, out)?;
    } else {
        for (place, rule) in chosen.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            report::explain(rule, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
