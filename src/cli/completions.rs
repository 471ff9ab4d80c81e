//! `optfs completions`: the script that teaches a shell to complete optfs's words.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::failure::Failure;
use super::terminal::print;

/// Print the completion script of a shell
///
/// For bash: optfs completions bash > ~/.local/share/bash-completion/completions/optfs
#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, command: &Command) -> Result<ExitCode, Failure> {
    // clap_complete ends the process on a closed pipe, so it writes to memory.
    let mut script = Vec::new();
    generate(args.shell, &mut shown(command), "optfs", &mut script);
    print(|out| {
        out.write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The command without the verbs that optfs keeps for its own processes: the scripts would offer them.
fn shown(command: &Command) -> Command {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    Command::new("optfs")
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments().cloned())
        .subcommands(verbs.cloned())
}
