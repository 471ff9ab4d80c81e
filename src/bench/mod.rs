//! Extract-and-run against mount-and-run, on the user's own stack: the rounds, what is timed in each, and the
//! report as data.
//!
//! Which words start which process of this program is the caller's to know, and how a report is shown. Both
//! ways see the tree at the same place, in a private mount namespace each: the one through a mount, the other
//! through a bind mount of what was extracted.

mod caches;
mod interrupt;
mod measure;
mod passes;
mod session;
mod task;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use crate::launch::parent::RunError;
use crate::launch::scratch::{Scratch, remove};
use interrupt::Interrupts;
pub use measure::{Measure, Samples, Summary, Unit};
pub use session::Served;
use session::{Lived, live};
use task::Passes;
pub use task::{Task, Timed, perform};

/// The processes that a bench is made of.
pub trait Roles {
    /// Writes the merged tree into a directory and ends.
    fn extract(&self, into: &Path) -> Command;
    /// Serves the tree to a child, and prints [`Served::to_line`] at its end.
    fn server(&self) -> Command;
    /// Sees the tree, and [performs](perform) a task on it.
    fn child(&self, view: View<'_>, task: Task, said: &Path) -> Command;
}

/// Where a child's tree comes from.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// A mount, served by a server.
    Mounted,
    /// This directory.
    Extracted(&'a Path),
}

/// What is measured, how often and where.
#[derive(Debug)]
pub struct Plan {
    /// Rounds: in each, everything is measured once in both ways.
    pub rounds: u32,
    /// Whether the kernel's caches are left alone also where they may be dropped.
    pub keep_caches: bool,
    /// Whose filesystem is extracted to.
    pub directory: PathBuf,
    /// The archives: read through before what is to find them in memory.
    pub archives: Vec<PathBuf>,
    /// How much there is: what a walk and a read of everything have to come to.
    pub present: Present,
}

/// The size of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Names, the root among them.
    pub nodes: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl std::fmt::Display for Present {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Present { nodes, files, bytes } = self;
        write!(f, "{nodes} names, {files} files and {bytes} bytes")
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Rounds.
    pub rounds: u32,
    /// Whether "cold" is cold: the kernel's caches were dropped.
    pub caches_dropped: bool,
    /// How much there is.
    pub present: Present,
    /// The tree extracted.
    pub extracted: Samples,
    /// The tree mounted.
    pub mounted: Samples,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum BenchError {
    /// Extracting failed. The text is what it said.
    #[error("extracting: {0}")]
    Extract(String),
    /// The command failed.
    #[error("the command {how}, with the layers {view}")]
    Command {
        /// "mounted" or "extracted"
        view: &'static str,
        /// How it ended.
        how: String,
        /// The end of what it said on standard error.
        said: String,
    },
    /// A child failed, with this status. It has said why.
    #[error("one of optfs's own processes ended with status {0}")]
    Child(u8),
    /// The two ways do not show the same: times would compare different work.
    #[error("{view}, the tree has {found}; the archives say {expected}")]
    Different {
        /// "mounted" or "extracted"
        view: &'static str,
        /// What was found.
        found: Present,
        /// What the stack says.
        expected: Present,
    },
    /// A signal came.
    #[error("interrupted")]
    Interrupted(i32),
    /// No process of this program could be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The directory that is extracted to.
    #[error("{}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Measures. `round` is told the number of each round that begins, from 1.
///
/// Nothing stays behind, neither on disk nor mounted, also when a signal ends it. Must be called from the main thread:
/// the processes die with the thread that started them.
pub fn run(plan: &Plan, roles: &dyn Roles, round: &dyn Fn(u32)) -> Result<Report, BenchError> {
    let interrupts = Interrupts::listen()?;
    let scratch = Scratch::new(&plan.directory, "bench").map_err(|source| BenchError::Directory {
        path: plan.directory.clone(),
        source,
    })?;
    let mut bench = Bench {
        plan,
        roles,
        interrupts,
        tree: scratch.join("tree"),
        said: scratch.join("said"),
        report: Report {
            rounds: plan.rounds,
            caches_dropped: !plan.keep_caches && caches::may_drop_caches(),
            present: plan.present,
            extracted: Samples::default(),
            mounted: Samples::default(),
        },
    };
    for number in 1..=plan.rounds {
        round(number);
        // They take turns in going first, so that what one leaves behind is not always the other's.
        if number % 2 == 1 {
            bench.extracted()?;
            bench.mounted()?;
        } else {
            bench.mounted()?;
            bench.extracted()?;
        }
    }
    Ok(bench.report)
}

struct Bench<'a> {
    plan: &'a Plan,
    roles: &'a dyn Roles,
    interrupts: Interrupts,
    tree: PathBuf,
    said: PathBuf,
    report: Report,
}

impl Bench<'_> {
    /// A round of extract-and-run. The tree of the first result is used for all that follows.
    fn extracted(&mut self) -> Result<(), BenchError> {
        if self.tree.exists() {
            remove(&self.tree)?;
        }
        self.warm_archives()?;
        let ready = session::run(self.roles.extract(&self.tree), &self.interrupts)?;
        let first = self.see_extracted(Task::Command(1))?;
        self.make_cold()?;
        let command = self.see_extracted(Task::Command(2))?;
        self.make_cold()?;
        let passes = self.see_extracted(Task::Passes(2))?;
        self.check("extracted", &passes.told.passes)?;
        let samples = &mut self.report.extracted;
        samples.add(Measure::Ready, ready.as_secs_f64());
        add_commands(samples, ready.as_secs_f64(), &first, &command);
        add_passes(samples, &passes.told.passes);
        // Extracting has written every byte there is.
        samples.add(Measure::BytesTouched, self.plan.present.bytes as f64);
        Ok(())
    }

    /// A round of mount-and-run, each of its parts on a mount of its own.
    fn mounted(&mut self) -> Result<(), BenchError> {
        self.warm_archives()?;
        let first = self.see_mounted(Task::Command(1))?;
        self.make_cold()?;
        let command = self.see_mounted(Task::Command(2))?;
        self.make_cold()?;
        let passes = self.see_mounted(Task::Passes(2))?;
        self.check("mounted", &passes.told.passes)?;
        let samples = &mut self.report.mounted;
        samples.add(Measure::Ready, first.ready.as_secs_f64());
        add_commands(samples, first.ready.as_secs_f64(), &first, &command);
        add_passes(samples, &passes.told.passes);
        let mut add_served = |measure, value: Option<u64>| {
            if let Some(value) = value {
                samples.add(measure, value as f64);
            }
        };
        add_served(Measure::BytesTouched, first.served.map(|served| served.bytes));
        let peak = |lived: &Lived| lived.served.and_then(|served| served.peak_memory_bytes);
        add_served(Measure::PeakMemory, peak(&command));
        add_served(Measure::PeakMemoryAll, peak(&passes));
        Ok(())
    }

    fn see_extracted(&self, task: Task) -> Result<Lived, BenchError> {
        let child = self.roles.child(View::Extracted(&self.tree), task, &self.said);
        command_well(live(None, child, &self.interrupts)?, "extracted")
    }

    fn see_mounted(&self, task: Task) -> Result<Lived, BenchError> {
        let child = self.roles.child(View::Mounted, task, &self.said);
        let server = Some(self.roles.server());
        command_well(live(server, child, &self.interrupts)?, "mounted")
    }

    /// As after a download: the archives are in memory.
    fn warm_archives(&self) -> Result<(), BenchError> {
        for archive in &self.plan.archives {
            io::copy(&mut fs::File::open(archive)?, &mut io::sink())?;
        }
        Ok(())
    }

    fn make_cold(&self) -> Result<(), BenchError> {
        if self.report.caches_dropped {
            caches::drop_caches()?;
        }
        Ok(())
    }

    /// Times are worth comparing only where both ways did the same work.
    fn check(&self, view: &'static str, passes: &[Passes]) -> Result<(), BenchError> {
        for pass in passes {
            let found = Present {
                nodes: pass.nodes,
                files: pass.files,
                bytes: pass.bytes,
            };
            if found != self.plan.present {
                return Err(BenchError::Different {
                    view,
                    found,
                    expected: self.plan.present,
                });
            }
        }
        Ok(())
    }
}

fn command_well(lived: Lived, view: &'static str) -> Result<Lived, BenchError> {
    match lived.told.failed {
        Some((how, said)) => Err(BenchError::Command { view, how, said }),
        None => Ok(lived),
    }
}

fn add_commands(samples: &mut Samples, ready_s: f64, first: &Lived, command: &Lived) {
    if let [first] = first.told.commands[..] {
        samples.add(Measure::FirstResult, ready_s + first.as_secs_f64());
    }
    if let [cold, warm] = command.told.commands[..] {
        samples.add(Measure::CommandCold, cold.as_secs_f64());
        samples.add(Measure::CommandWarm, warm.as_secs_f64());
    }
}

fn add_passes(samples: &mut Samples, passes: &[Passes]) {
    let measures = [
        (Measure::WalkCold, Measure::FileCold, Measure::RateCold),
        (Measure::WalkWarm, Measure::FileWarm, Measure::RateWarm),
    ];
    for (pass, (walk, file, rate)) in passes.iter().zip(measures) {
        samples.add(walk, pass.walk.as_secs_f64() * 1e6 / pass.nodes as f64);
        // A stack may hold no files, or only empty ones.
        if pass.files > 0 {
            samples.add(file, pass.read.as_secs_f64() * 1e6 / pass.files as f64);
        }
        if pass.bytes > 0 {
            samples.add(rate, pass.bytes as f64 / 1e6 / pass.read.as_secs_f64());
        }
    }
}
