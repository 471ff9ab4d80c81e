//! `optfs layer publish --requirements` and `--package-json`: what is built, for which runtime and processor, and the process that
//! keeps the directory of a build.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use log::{info, warn};

use crate::build::keeper::keep;
use crate::build::{Architecture, BuildError, Built, List, Progress, build};
use crate::cli::bar::Spinner;
use crate::cli::failure::{Class, Failure};
use crate::launch::runtime::Runtime;
use crate::launch::this_program;

/// What a layer is built from.
#[derive(Args)]
pub(super) struct BuildArgs {
    /// A list of packages: built with pip, from wheels alone, under python/lib/python3.N/site-packages
    #[arg(long, value_name = "FILE", group = "content", requires = "runtime")]
    requirements: Option<PathBuf>,
    /// A package whose dependencies are meant: built with npm under nodejs/node_modules
    #[arg(long, value_name = "FILE", group = "content", requires = "runtime")]
    package_json: Option<PathBuf>,
    /// The runtime that it is built for, such as python3.12 or nodejs22.x
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Runtime>,
    /// The processor that it is built for, x86_64 or arm64 [default: this machine's]
    #[arg(long, value_name = "ARCH", hide_possible_values = true)]
    architecture: Option<Word>,
    /// Let packages of npm run programs of their own while they are installed
    #[arg(long, requires = "package_json")]
    allow_scripts: bool,
    /// No progress bar [default: one, on a terminal]
    #[arg(long)]
    no_progress: bool,
}

/// The process that keeps the directory of a build
#[derive(Args)]
pub(in crate::cli) struct KeeperArgs {
    parent: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Word {
    #[value(name = "x86_64")]
    X86_64,
    Arm64,
}

/// Something to build.
pub(super) struct Order {
    list: List,
    /// For what.
    pub(super) runtime: Runtime,
    /// For what.
    pub(super) architecture: Architecture,
    no_progress: bool,
}

impl BuildArgs {
    /// What is to be built, where anything is.
    pub(super) fn order(&self) -> Result<Option<Order>, Failure> {
        let list = match (&self.requirements, &self.package_json) {
            (Some(file), _) => List::Requirements(file.clone()),
            (None, Some(file)) => List::Package {
                file: file.clone(),
                allow_scripts: self.allow_scripts,
            },
            (None, None) => return self.refuse_loose_words().map(|()| None),
        };
        let Some(runtime) = self.runtime else {
            return Err(Failure::new(Class::Usage, "no runtime is named")
                .hint("name what it is built for with --runtime, such as python3.12"));
        };
        let architecture = match self.architecture {
            Some(Word::X86_64) => Some(Architecture::X86_64),
            Some(Word::Arm64) => Some(Architecture::Arm64),
            None => Architecture::of_this_machine(),
        };
        let Some(architecture) = architecture else {
            let message = format!(
                "AWS has no processors of this machine's kind, {}",
                std::env::consts::ARCH
            );
            return Err(Failure::new(Class::Usage, message)
                .hint("name what it is built for: --architecture x86_64 or arm64"));
        };
        Ok(Some(Order {
            list,
            runtime,
            architecture,
            no_progress: self.no_progress,
        }))
    }

    /// What says how something is built, where nothing is.
    fn refuse_loose_words(&self) -> Result<(), Failure> {
        let word = match (self.runtime, self.architecture) {
            (Some(_), _) => "--runtime",
            (None, Some(_)) => "--architecture",
            (None, None) => return Ok(()),
        };
        let message = format!("{word} says what is built, and a zip or a directory is not");
        Err(Failure::new(Class::Usage, message)
            .hint("--compatible-runtimes and --compatible-architectures say what a layer is for"))
    }
}

impl Order {
    /// Builds it.
    pub(super) fn build(&self, is_quiet: bool) -> Result<Built, Failure> {
        let tool = match &self.list {
            List::Requirements(_) => "pip",
            List::Package { .. } => "npm",
        };
        let spinner = self.spinner(is_quiet, tool);
        let mut keeper = this_program();
        keeper.arg("build-keeper").arg(std::env::temp_dir());
        let progress = Shown {
            spinner: &spinner,
            tool,
        };
        let built = build(&self.list, self.runtime, self.architecture, keeper, &progress);
        spinner.end();
        let built = built.map_err(|error| failure(&error, &self.list))?;
        for doubt in &built.doubts {
            warn!("{doubt}");
        }
        Ok(built)
    }

    /// What shows that something goes on.
    pub(super) fn spinner(&self, is_quiet: bool, what: &str) -> Spinner {
        let spinner = Spinner::new(self.no_progress || is_quiet);
        spinner.says(what);
        spinner
    }

    /// The file that names the packages.
    pub(super) fn file(&self) -> &Path {
        self.list.file()
    }
}

struct Shown<'a> {
    spinner: &'a Spinner,
    tool: &'static str,
}

impl Progress for Shown<'_> {
    fn says(&self, line: &str) {
        self.spinner.says(&format!("{}: {line}", self.tool));
        info!("{}: {}", self.tool, line.escape_debug());
    }
}

fn failure(error: &BuildError, list: &List) -> Failure {
    let class = match error {
        BuildError::List { .. } | BuildError::Nothing(_) | BuildError::Failed { .. } => Class::Layer,
        BuildError::Language { .. } => Class::Usage,
        BuildError::Missing { .. } | BuildError::Keeper(_) | BuildError::Io { .. } => Class::Trouble,
    };
    let failure = Failure::new(class, error);
    match (error, list) {
        (BuildError::List { .. }, _) => failure.hint("check the path behind --requirements or --package-json"),
        (BuildError::Nothing(_), List::Package { .. }) => {
            failure.hint("its dependencies are what a layer is built from; devDependencies do not count")
        }
        (BuildError::Nothing(_), _) => failure.hint("a line for each package, such as requests==2.32.3"),
        (BuildError::Language { .. }, List::Requirements(_)) => failure.hint("--runtime python3.12, for one"),
        (BuildError::Language { .. }, _) => failure.hint("--runtime nodejs22.x, for one"),
        (BuildError::Missing { .. }, List::Requirements(_)) => {
            failure.hint("install Python's pip, as with 'apt install python3-pip'; or build the directory elsewhere, for --dir")
        }
        (BuildError::Missing { .. }, _) => {
            failure.hint("install Node.js with npm; or build the directory elsewhere, for --dir")
        }
        (BuildError::Failed { said, .. }, List::Requirements(_)) if said.contains("No matching distribution") => failure.hint(
            "only wheels for the runtime and the processor count, as nothing can be compiled for another machine; -v shows all \
             that pip said",
        ),
        (BuildError::Failed { tool, .. }, _) => failure.hint(format_args!("-v shows all that {tool} said")),
        _ => failure,
    }
}

pub(in crate::cli) fn run_keeper(args: &KeeperArgs) -> Result<ExitCode, Failure> {
    keep(&args.parent)?;
    Ok(ExitCode::SUCCESS)
}
