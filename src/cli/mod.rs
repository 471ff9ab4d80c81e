//! Words in, words out: arguments, what names a layer, printing, progress and exit codes.

mod attached;
mod bar;
mod bench;
mod cat;
mod check;
mod ci;
mod completions;
mod diff;
mod doctor;
mod explore;
mod extract;
mod failure;
mod function;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gc;
mod guard;
mod hash;
mod index_dir;
mod json;
mod layer;
mod layers;
mod limits;
mod location;
mod lock;
mod logging;
mod ls;
mod mount;
mod mount_options;
mod operand;
mod order;
mod page;
mod printable;
mod published;
mod report;
mod resolve;
mod rows;
mod run;
mod serve;
mod shadows;
mod size;
mod stack_view;
mod stat;
mod supervise;
mod terminal;
mod torn;
mod tree;
mod umount;
mod usage;
mod verbs;
mod which;
mod whole_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use failure::Failure;

/// Mount an ordered stack of AWS Lambda layer zips as one read-only /opt, extracting nothing
#[derive(Parser)]
#[command(
    name = "optfs",
    version,
    max_term_width = 100,
    help_template = verbs::page(),
    after_help = "Layers are given as to Lambda: first to last, the last wins (the reverse of overlayfs's lowerdir).\n\n\
    Exit status: 0 yes; 1 no (not found, differs, fails); 2 wrong usage; 3 a layer cannot be used;\n\
    4 the mount point or directory cannot be used; 5 FUSE or namespaces are not available;\n\
    6 other trouble.\n\
    'run' gives the command's own status; 125 when optfs itself failed, 126 and 127 as a shell does."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Args, Clone, Copy)]
struct Verbosity {
    /// Say more: -v what happens, -vv each request; OPTFS_LOG=debug does the same
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    verbose: u8,
    /// Say only what stops the command, no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 901)]
    quiet: bool,
}

impl Verbosity {
    const EACH_REQUEST: Verbosity = Verbosity {
        verbose: 2,
        quiet: false,
    };
}

/// The verbs that mount, alone: building the whole command line takes as long as opening five layers does, and to mount it
/// is built twice.
#[derive(Parser)]
#[command(name = "optfs")]
struct Quick {
    #[command(subcommand)]
    verb: Mounting,
    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Subcommand)]
enum Mounting {
    Mount(mount::MountArgs),
    #[command(visible_alias = "unmount")]
    Umount(umount::UmountArgs),
    Run(run::RunArgs),
    #[command(hide = true)]
    RunServer(run::ServerArgs),
    #[command(hide = true)]
    RunChild(run::ChildArgs),
    #[command(hide = true)]
    Guard(guard::GuardArgs),
}

#[derive(Subcommand)]
enum Verb {
    #[command(flatten)]
    Mounting(Mounting),
    Env(run::EnvArgs),
    Extract(extract::ExtractArgs),
    Ls(ls::LsArgs),
    Tree(tree::TreeArgs),
    Cat(cat::CatArgs),
    Stat(stat::StatArgs),
    Explore(explore::ExploreArgs),
    Which(which::WhichArgs),
    Shadows(shadows::ShadowsArgs),
    Resolve(resolve::ResolveArgs),
    Torn(torn::TornArgs),
    Report(report::ReportArgs),
    Diff(diff::DiffArgs),
    Order(order::OrderArgs),
    Check(check::CheckArgs),
    Ci(ci::CiArgs),
    Hash(hash::HashArgs),
    Lock(lock::LockArgs),
    Layer(layer::LayerArgs),
    Function(function::FunctionArgs),
    Serve(serve::ServeArgs),
    Gc(gc::GcArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    BenchChild(bench::ChildArgs),
    #[command(hide = true)]
    BuildKeeper(layer::KeeperArgs),
}

impl Cli {
    /// What is said wrongly, and what is asked of the command line itself, only the whole of it answers.
    fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
        match Quick::try_parse_from(args) {
            Ok(Quick { verb, verbosity }) => Ok(Cli {
                verb: Verb::Mounting(verb),
                verbosity,
            }),
            Err(_) => Cli::try_parse_from(args),
        }
    }
}

/// Runs the `optfs` command line and returns its exit status.
pub fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::parse(&args) {
        Ok(cli) => cli,
        Err(error) => return usage::complaint(&error, &Cli::command(), &args).report(),
    };
    let verbosity = match &cli.verb {
        Verb::Mounting(Mounting::Mount(args)) if args.wants_each_request() => Verbosity::EACH_REQUEST,
        _ => cli.verbosity,
    };
    logging::begin(verbosity);
    let result = match cli.verb {
        Verb::Mounting(Mounting::Mount(args)) => mount::run(args),
        Verb::Mounting(Mounting::Umount(args)) => umount::run(&args),
        Verb::Mounting(Mounting::Run(args)) => return run::run(&args),
        Verb::Env(args) => run::print_environment(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Cat(args) => cat::run(&args),
        Verb::Stat(args) => stat::run(&args),
        Verb::Tree(args) => tree::run(&args),
        Verb::Which(args) => which::run(&args),
        Verb::Explore(args) => explore::run(&args),
        Verb::Shadows(args) => shadows::run(&args),
        Verb::Resolve(args) => resolve::run(&args),
        Verb::Torn(args) => torn::run(&args),
        Verb::Report(args) => report::run(&args, cli.verbosity),
        Verb::Check(args) => check::run(&args, cli.verbosity),
        Verb::Ci(args) => ci::run(&args, cli.verbosity),
        Verb::Diff(args) => diff::run(&args, cli.verbosity),
        Verb::Order(args) => order::run(&args),
        Verb::Hash(args) => hash::run(&args, cli.verbosity),
        Verb::Lock(args) => lock::run(&args, cli.verbosity),
        Verb::Layer(args) => layer::run(&args, cli.verbosity),
        Verb::Function(args) => function::run(&args),
        Verb::Serve(args) => serve::run(args),
        Verb::Gc(args) => gc::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Mounting(Mounting::RunServer(args)) => run::run_server(&args),
        Verb::Mounting(Mounting::RunChild(args)) => return run::run_child(&args),
        Verb::Completions(args) => completions::run(&args, &Cli::command()),
        Verb::Extract(args) => extract::run(&args, cli.verbosity),
        Verb::Bench(args) => bench::run(&args, cli.verbosity),
        Verb::BenchChild(args) => bench::run_child(&args),
        Verb::BuildKeeper(args) => layer::run_keeper(&args),
        Verb::Mounting(Mounting::Guard(args)) => guard::run(&args),
    };
    result.unwrap_or_else(Failure::report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        Cli::command().debug_assert();
    }
}
