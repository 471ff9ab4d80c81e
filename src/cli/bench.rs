//! `optfs bench`: extract-and-run against mount-and-run on the user's own stack, as a table, as JSON or as a page.

mod html;
mod json;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use indicatif::ProgressBar;
use log::info;

use super::failure::{Class, Failure};
use super::layers::{self, StackArgs};
use super::printable::printable;
use super::run::{self, ServingArgs, own_trouble};
use super::size::{counted, human};
use super::terminal::print;
use super::{Verbosity, mount};
use crate::bench::{
    self, BenchError, Measure, Plan, Present, Report, Roles, Summary, Task, Timed, Unit, View,
};
use crate::launch::namespace::bind;
use crate::launch::runtime::Runtime;
use crate::launch::this_program;
use crate::stack::{Body, Stack};

/// Compare mounting your layers with extracting them
///
/// Extracts the stack and runs the command, mounts the stack and runs the command, both with the tree at /opt
/// in a private mount namespace, several times in turns; walks and reads the whole tree; and says what each took: the median, and
/// the least and the most. Without a command, a walk and a read of every file stand for it. Nothing is left
/// behind.
#[derive(Args)]
#[command(
    override_usage = "optfs bench --layer ZIP [--layer ZIP]... [OPTIONS] [-- COMMAND [ARG]...]\n       \
                            optfs bench --stack FILE [OPTIONS] [-- COMMAND [ARG]...]"
)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Where the command sees the tree: a directory that exists
    #[arg(long, value_name = "DIR", default_value = "/opt")]
    at: PathBuf,
    /// Set the search paths of a Lambda runtime, such as python3.12 or nodejs22.x
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Runtime>,
    /// Rounds: in each, everything is measured once in both ways
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Extract into a directory made in DIR [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the kernel's caches alone, also as root, who may drop them: "cold" is then as for anybody else
    #[arg(long)]
    keep_caches: bool,
    /// Print JSON, with every number of every round
    #[arg(long)]
    json: bool,
    /// Also write a page with bars, which needs nothing else to be shown
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    serving: ServingArgs,
    /// The command and its arguments [default: walk, and read every file]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The process that sees the tree and times what is done with it
#[derive(Args)]
pub(super) struct ChildArgs {
    #[arg(long)]
    at: PathBuf,
    #[arg(long)]
    runtime: Option<Runtime>,
    #[arg(long)]
    source: String,
    #[arg(long)]
    extracted: Option<PathBuf>,
    #[arg(long)]
    task: Task,
    #[arg(long)]
    said: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// A report and what it is about.
struct About<'a> {
    report: &'a Report,
    layers: &'a [PathBuf],
    command: &'a [OsString],
    machine: Machine,
}

/// What a number means little without.
struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    /// Of the last minute, before the first round.
    load: String,
}

pub(super) fn run(args: &BenchArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let machine = Machine::this();
    let at = std::path::absolute(&args.at)?;
    run::check_place(&at)?;
    let paths = args.stack.paths(&[])?;
    let plan = Plan {
        rounds: args.runs,
        keep_caches: args.keep_caches,
        directory: args.dir.clone().unwrap_or_else(cache_directory),
        present: present(&layers::open(&paths)?),
        archives: paths,
    };
    let roles = Words {
        args,
        at: &at,
        layers: &plan.archives,
        server: run::server(&plan.archives, &args.serving)?,
    };
    let is_shown = !verbosity.quiet && io::stderr().is_terminal();
    let bar = if is_shown {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let rounds = args.runs;
    let measured = bench::run(&plan, &roles, &|round| {
        info!("round {round} of {rounds}");
        bar.set_message(format!("round {round} of {rounds}"));
    });
    bar.finish_and_clear();
    let report = match measured {
        Ok(report) => report,
        // Whoever failed has said why.
        Err(BenchError::Child(status)) => return Ok(ExitCode::from(status)),
        Err(BenchError::Interrupted(signal)) => {
            eprintln!("optfs: interrupted; everything is cleaned up");
            return Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)));
        }
        Err(error) => return Err(explain(&error)),
    };
    let about = About {
        report: &report,
        layers: &plan.archives,
        command: &args.command,
        machine,
    };
    if let Some(file) = &args.html {
        std::fs::write(file, html::page(&about))
            .map_err(|e| Failure::new(Class::Trouble, format_args!("{}: {e}", file.display())))?;
    }
    print(|out| {
        match args.json {
            true => writeln!(out, "{:#}", json::document(&about))?,
            false => table(out, &about)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// C: sees the tree, through a mount or where it was extracted, and does its task.
pub(super) fn run_child(args: &ChildArgs) -> Result<ExitCode, Failure> {
    let (end, _, entered) = run::enter()?;
    match &args.extracted {
        None => run::mount_view(end, entered, &args.at, &args.source)?,
        Some(tree) => bind(tree, &args.at).map_err(|e| {
            Failure::new(
                Class::MountPoint,
                format_args!("binding to {}: {e}", args.at.display()),
            )
        })?,
    }
    let timed = Timed {
        words: &args.command,
        variables: &run::variables(args.runtime, &args.at)?,
        said: &args.said,
    };
    bench::perform(args.task, &args.at, &timed, &mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// The words that start each process.
struct Words<'a> {
    args: &'a BenchArgs,
    at: &'a Path,
    layers: &'a [PathBuf],
    server: Command,
}

impl Roles for Words<'_> {
    fn extract(&self, into: &Path) -> Command {
        let mut extract = this_program();
        extract
            .args(["--quiet", "extract", "--no-progress", "--"])
            .args(self.layers)
            .arg(into);
        extract
    }

    fn server(&self) -> Command {
        let mut server = this_program();
        server.args(self.server.get_args()).arg("--report");
        server
    }

    fn child(&self, view: View<'_>, task: Task, said: &Path) -> Command {
        let mut child = this_program();
        child.arg("bench-child").arg("--at").arg(self.at);
        child.arg("--source").arg(mount::source_of(self.layers));
        child.arg(format!("--task={task}")).arg("--said").arg(said);
        if let View::Extracted(tree) = view {
            child.arg("--extracted").arg(tree);
        }
        if let Some(runtime) = self.args.runtime {
            child.arg(format!("--runtime={runtime}"));
        }
        child.arg("--").args(&self.args.command);
        child
    }
}

impl Machine {
    fn this() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let unknown = "unknown processor";
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: model
                .map_or(unknown, |model| model.trim_matches([':', ' ', '\t']))
                .to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// On disk, and the user's own: /tmp may be in memory, which would flatter extracting.
fn cache_directory() -> PathBuf {
    let named = |variable| {
        env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
}

fn present(stack: &Stack) -> Present {
    let sizes = stack.nodes().filter_map(|node| match stack.body(node) {
        Body::File(entry) => Some(stack.entry(entry).declared_size),
        Body::Directory(_) | Body::Symlink(_) => None,
    });
    let (files, bytes) = sizes.fold((0, 0u64), |(files, bytes), size| {
        (files + 1, bytes.saturating_add(size))
    });
    Present {
        nodes: stack.node_count() as u64,
        files,
        bytes,
    }
}

fn explain(error: &BenchError) -> Failure {
    match error {
        BenchError::Command { said, .. } if !said.trim().is_empty() => {
            Failure::new(Class::Trouble, error).hint(format_args!("it said: {}", said.trim()))
        }
        BenchError::Run(error) => own_trouble(error),
        BenchError::Directory { .. } => {
            Failure::new(Class::MountPoint, error).hint("name another directory with --dir DIR")
        }
        BenchError::Extract(said) => Failure::new(
            Class::Trouble,
            format_args!("extracting the stack: {}", said.trim_start_matches("optfs: ")),
        ),
        other => Failure::new(Class::Trouble, other),
    }
}

/// The table for people: the two ways side by side, and how many times the one is the other.
fn table(out: &mut impl Write, about: &About) -> io::Result<()> {
    for line in about.heading() {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    writeln!(out, "{:36} {:>26} {:>26}  mounted is", "", "extracted", "mounted")?;
    let Report {
        extracted, mounted, ..
    } = about.report;
    for measure in Measure::ALL {
        let (extracted, mounted) = (extracted.summary(measure), mounted.summary(measure));
        if extracted.is_none() && mounted.is_none() {
            continue;
        }
        let said = |summary| cell(measure.unit(), summary);
        let ratio = ratio(measure.unit(), extracted, mounted).unwrap_or_default();
        let (label, extracted, mounted) = (measure.label(), said(extracted), said(mounted));
        writeln!(out, "{label:36} {extracted:>26} {mounted:>26}  {ratio}")?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "median [least to most] of {}",
        counted(about.report.rounds.into(), "round")
    )?;
    for line in about.notes() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

impl About<'_> {
    /// What is compared, and on which machine.
    fn heading(&self) -> Vec<String> {
        let Present { nodes, files, bytes } = self.report.present;
        let Machine {
            cores,
            processor,
            kernel,
            load,
        } = &self.machine;
        let layers = counted(self.layers.len() as u64, "layer");
        vec![
            format!(
                "stack    {layers}, {}, {}, {}",
                counted(nodes, "name"),
                counted(files, "file"),
                human(bytes)
            ),
            format!("command  {}", self.command()),
            format!(
                "machine  {}, {processor}, Linux {kernel}, load {load}",
                counted(*cores as u64, "core")
            ),
        ]
    }

    fn command(&self) -> String {
        if self.command.is_empty() {
            return "none: a walk, and a read of every file".to_owned();
        }
        let words: Vec<_> = self
            .command
            .iter()
            .map(|word| printable(word.as_encoded_bytes()))
            .collect();
        words.join(" ")
    }

    /// What has to be known to read the numbers right.
    fn notes(&self) -> Vec<&'static str> {
        let mut notes = vec![
            "until ready, first result: the archives are in memory, as after a download; extracted by optfs, on all cores",
        ];
        notes.push(match self.report.caches_dropped {
            true => "cold: the kernel's caches were dropped, so programs and archives come from the disk too",
            false => {
                "cold: the kernel's caches were not dropped (only root may). The extracted tree is in memory as it was \
                 written, and cold there is warm; the mount is fresh, and its archives are in memory"
            }
        });
        notes
    }
}

fn cell(unit: Unit, summary: Option<Summary>) -> String {
    summary.map_or_else(
        || "-".to_owned(),
        |Summary { median, min, max }| {
            let (scale, name, digits) = scale(unit, median);
            let number = |value: f64| format!("{:.digits$}", value / scale);
            format!("{} {name} [{} to {}]", number(median), number(min), number(max))
        },
    )
}

/// How a number of a unit is shown: divided by this, under this name, with so many decimals.
fn scale(unit: Unit, median: f64) -> (f64, &'static str, usize) {
    match unit {
        Unit::Seconds if median < 0.1 => (1e-3, "ms", 1),
        Unit::Seconds => (1.0, "s", 2),
        Unit::Microseconds => (1.0, "µs", 1),
        Unit::Rate => (1.0, "MB/s", 0),
        Unit::Bytes if median < 1e6 => (1024.0, "KiB", 0),
        Unit::Bytes => (1024.0 * 1024.0, "MiB", 1),
    }
}

/// How the mount's median compares, in words; nothing where there is nothing to compare.
fn ratio(unit: Unit, extracted: Option<Summary>, mounted: Option<Summary>) -> Option<String> {
    let (extracted, mounted) = (extracted?.median, mounted?.median);
    if extracted <= 0.0 || (mounted <= 0.0 && unit != Unit::Bytes) {
        return None;
    }
    let words = match unit {
        Unit::Bytes => return Some(format!("{:.1} %", mounted / extracted * 100.0)),
        Unit::Rate => mounted / extracted,
        Unit::Seconds | Unit::Microseconds => extracted / mounted,
    };
    Some(match words >= 1.0 {
        true => format!("{words:.1} × as fast"),
        false => format!("{:.1} × as slow", 1.0 / words),
    })
}
