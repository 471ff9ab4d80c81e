//! Words in, words out: arguments, what names a layer, printing, progress and exit codes.

mod cat;
mod failure;
mod guard;
mod layers;
mod logging;
mod ls;
mod mount;
mod mount_options;
mod size;
mod stack_view;
mod stat;
mod terminal;
mod tree;
mod umount;
mod which;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use failure::Failure;

/// Mount an ordered stack of AWS Lambda layer zips as one read-only /opt, extracting nothing
#[derive(Parser)]
#[command(
    name = "optfs",
    version,
    max_term_width = 100,
    after_help = "Layers are given as to Lambda: first to last, the last wins (the reverse of overlayfs's lowerdir).\n\n\
    Exit status: 0 yes; 1 no (nothing found, differences); 2 wrong usage; 3 a layer cannot be used;\n\
    4 the mount point cannot be used; 5 FUSE or namespaces are not available; 6 other trouble.\n\
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
    /// Say more: -v what happens, -vv each request (can be repeated; also OPTFS_LOG=debug)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say only what is wrong enough to stop for
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

impl Verbosity {
    const EACH_REQUEST: Verbosity = Verbosity {
        verbose: 2,
        quiet: false,
    };
}

#[derive(Subcommand)]
enum Verb {
    Mount(mount::MountArgs),
    #[command(visible_alias = "unmount")]
    Umount(umount::UmountArgs),
    Ls(ls::LsArgs),
    Cat(cat::CatArgs),
    Stat(stat::StatArgs),
    Tree(tree::TreeArgs),
    Which(which::WhichArgs),
    #[command(hide = true)]
    Guard(guard::GuardArgs),
}

/// Runs the `optfs` command line and returns its exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let verbosity = match &cli.verb {
        Verb::Mount(args) if args.wants_each_request() => Verbosity::EACH_REQUEST,
        _ => cli.verbosity,
    };
    logging::begin(verbosity);
    let result = match cli.verb {
        Verb::Mount(args) => mount::run(args),
        Verb::Umount(args) => umount::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Cat(args) => cat::run(&args),
        Verb::Stat(args) => stat::run(&args),
        Verb::Tree(args) => tree::run(&args),
        Verb::Which(args) => which::run(&args),
        Verb::Guard(args) => guard::run(&args),
    };
    result.unwrap_or_else(Failure::report)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        super::Cli::command().debug_assert();
    }
}
