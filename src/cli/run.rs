//! `optfs run`: a command with the stack at /opt, in a mount namespace of its own. Three processes of this
//! program, as `launch` plans them: the parent, the server and the child.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use nix::unistd::{getegid, geteuid};

use super::attached::{AttachedArgs, Setting};
use super::failure::{Class, Failure};
use super::index_dir::IndexArgs;
use super::layers::{Named, StackArgs};
use super::published::StoreArgs;
use super::{mount_options, size};
use crate::bench::Served;
use crate::fs::{Fs, Options};
use crate::fuse::{AttachOptions, SessionOptions, Transport, attach, serve};
use crate::guide::{self, Xattrs};
use crate::launch::child::{self, die_with};
use crate::launch::environment::{Variable, environment, layer_jars, shell_exports};
use crate::launch::handover::{ChildEnd, HandoverError};
use crate::launch::namespace::{Entered, enter_private};
use crate::launch::runtime::{Family, Runtime};
use crate::launch::{OWN_FAILURE, parent, server, this_program, this_program_serving};

/// Before the names of variables that the command is to have, in the environment of the process that becomes it.
const FOR_COMMAND: &str = "OPTFS_FOR_COMMAND_";

/// Run a command with the stack at /opt, seen by nobody else
///
/// The stack is mounted in a private mount namespace: the machine's own /opt is untouched, and nothing is
/// left behind, however the command ends. Exit status, signals, standard streams and terminal are the
/// command's own. A function brings its runtime and its variables. Without --runtime, PATH and LD_LIBRARY_PATH gain /opt/bin and /opt/lib at their end, as on
/// Lambda.
#[derive(Args)]
#[command(override_usage = "optfs run --layer ZIP [--layer ZIP]... [OPTIONS] -- COMMAND [ARG]...")]
pub(super) struct RunArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Where the command sees the stack: a directory that exists
    #[arg(long, value_name = "DIR", default_value = "/opt")]
    at: PathBuf,
    /// Set the search paths of a Lambda runtime, such as python3.12 or nodejs22.x [default: the function's]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Runtime>,
    #[command(flatten)]
    serving: ServingArgs,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// What the server needs besides the layers.
#[derive(Args, Clone)]
pub(super) struct ServingArgs {
    /// Most inflated bytes that are kept in memory
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size::parse)]
    cache_size: u64,
    #[command(flatten)]
    index: IndexArgs,
    /// Threads that answer requests [default: one a core, 8 at most]
    #[arg(long, value_name = "N", value_parser = mount_options::threads)]
    threads: Option<usize>,
    /// Which way requests come: auto, fuser or uring; see 'optfs mount --help'
    #[arg(long, value_name = "WAY", env = "OPTFS_TRANSPORT", default_value = "auto", value_parser = mount_options::transport)]
    transport: Transport,
    /// Leave out the directory .optfs, which no listing shows; see 'optfs mount --help'
    #[arg(long)]
    no_special: bool,
    /// Extended attributes user.optfs.layer and others: hidden, listed or off; see 'optfs mount --help'
    #[arg(long, value_name = "WAY", default_value = "hidden", value_parser = mount_options::xattrs)]
    xattrs: Xattrs,
}

/// The process that serves the view of 'optfs run'
#[derive(Args)]
pub(super) struct ServerArgs {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    serving: ServingArgs,
    /// Print what was served when it is over
    #[arg(long)]
    report: bool,
}

/// The process that becomes the command of 'optfs run'
#[derive(Args)]
pub(super) struct ChildArgs {
    #[arg(long)]
    at: PathBuf,
    #[arg(long)]
    runtime: Option<Runtime>,
    #[arg(long)]
    source: String,
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Print the search paths of a Lambda runtime, for a shell
///
/// For a stack that 'optfs mount' mounts: eval "$(optfs env --runtime python3.12 --at DIR)". Of a function, its variables
/// too.
#[derive(Args)]
pub(super) struct EnvArgs {
    /// The runtime, such as python3.12 or nodejs22.x [default: the function's; else only PATH and LD_LIBRARY_PATH]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Runtime>,
    /// Where the stack is mounted
    #[arg(long, value_name = "DIR", default_value = "/opt")]
    at: PathBuf,
    #[command(flatten)]
    function: AttachedArgs,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: &RunArgs) -> ExitCode {
    let started = arrange(args).and_then(|(server, child)| parent::run(server, child).map_err(own_trouble));
    match started {
        Ok(outcome) => parent::pass_on(outcome),
        Err(failure) => failure.report_as(OWN_FAILURE),
    }
}

/// The commands of the two other processes.
fn arrange(args: &RunArgs) -> Result<(std::process::Command, std::process::Command), Failure> {
    let at = std::path::absolute(&args.at)?;
    check_place(&at)?;
    args.serving.transport.check()?;
    let Named { paths, function } = args.stack.named(&[])?;
    if let Some(function) = &function {
        function.warn();
    }
    let server = server(&paths, &args.serving)?;
    let mut child = this_program();
    child.arg("run-child").arg("--at").arg(&at);
    child.arg("--source").arg(super::mount::source_of(&paths));
    if let Some(runtime) = args
        .runtime
        .or(function.as_ref().and_then(|function| function.runtime))
    {
        child.arg(format!("--runtime={runtime}"));
    }
    // By the environment, which only the same user can see, as values may be secrets.
    for (name, value) in function.iter().flat_map(|function| &function.variables) {
        child.env(format!("{FOR_COMMAND}{name}"), value);
    }
    child.arg("--").args(&args.command);
    Ok((server, child))
}

/// The server's command.
pub(super) fn server(paths: &[PathBuf], serving: &ServingArgs) -> Result<std::process::Command, Failure> {
    let mut server = this_program_serving();
    server.arg("run-server");
    for path in paths {
        server.arg("--layer").arg(std::path::absolute(path)?);
    }
    server.arg(format!("--cache-size={}", serving.cache_size));
    server.args(serving.index.words());
    if let Some(threads) = serving.threads {
        server.arg(format!("--threads={threads}"));
    }
    server.arg(format!("--transport={}", serving.transport.word()));
    server.arg(format!("--xattrs={}", serving.xattrs.word()));
    if serving.no_special {
        server.arg("--no-special");
    }
    Ok(server)
}

pub(super) fn check_place(at: &Path) -> Result<(), Failure> {
    let refuse = |why: &str| Failure::new(Class::MountPoint, format_args!("{}: {why}", at.display()));
    match std::fs::metadata(at) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(refuse("not a directory").hint("name one with --at DIR")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(refuse(
            "the directory does not exist, and the stack is to be seen there",
        )
        .hint(format_args!(
            "make it once (mkdir {}), or name another one with --at DIR",
            at.display()
        ))),
        Err(e) => Err(refuse(&e.to_string())),
    }
}

/// S: opens the layers, waits for the mount, serves it until its namespace is gone. Whatever fails here
/// is the child's to print: it has not become the command yet.
pub(super) fn run_server(args: &ServerArgs) -> Result<ExitCode, Failure> {
    let end = server::begin().map_err(own_trouble)?;
    let opened = args.stack.open();
    // The directory it was started in may have to go away.
    env::set_current_dir("/")?;
    let Some((device, answer)) = end.receive().map_err(own_trouble)? else {
        // The child gave up, and has said why.
        return Ok(ExitCode::FAILURE);
    };
    let stack = match opened {
        Ok(stack) => stack,
        Err(failure) => {
            answer.failed(&failure.text()).map_err(own_trouble)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let told = guide::Options {
        directory: !args.serving.no_special,
        xattrs: args.serving.xattrs,
        ..guide::Options::default()
    };
    let fs = Fs::new(Arc::new(stack), view_options(&args.serving));
    let guide = super::mount::guide_to(fs, told);
    let mut session = SessionOptions {
        transport: args.serving.transport,
        ..SessionOptions::default()
    };
    if let Some(threads) = args.serving.threads {
        session.threads = threads;
    }
    let mut answer = Some(answer);
    let mut told = Ok(());
    let served = serve(Arc::clone(&guide), device, session, || {
        if let Some(answer) = answer.take() {
            told = answer.serving();
        }
    });
    match (served, answer) {
        (Err(error), Some(answer)) => {
            answer.failed(&Failure::from(error).text()).map_err(own_trouble)?;
            Ok(ExitCode::FAILURE)
        }
        (served, _) => {
            told.map_err(own_trouble)?;
            served?;
            if args.report {
                println!("{}", Served::by_this_process(guide.served_bytes()).to_line());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn view_options(serving: &ServingArgs) -> Options {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    Options {
        cache_capacity_bytes: serving.cache_size,
        readers_keep: true,
        index_directory: serving.index.directory(),
        uid,
        gid,
        ..Options::default()
    }
}

/// C: enters the namespace, mounts, hands the mount over, and becomes the command.
pub(super) fn run_child(args: &ChildArgs) -> ExitCode {
    match become_ready(args) {
        Err(failure) => failure.report_as(OWN_FAILURE),
        Ok((variables, stdin)) => {
            let (command, arguments) = args
                .command
                .split_first()
                .map_or((OsStr::new(""), &[][..]), |(c, a)| (c, a));
            let hidden: Vec<OsString> = handed_over()
                .into_iter()
                .map(|(name, _)| format!("{FOR_COMMAND}{name}").into())
                .collect();
            let error = child::exec(command, arguments, &variables, &hidden, stdin);
            let status = error.exit_status();
            Failure::new(Class::Trouble, chain(&error)).report_as(status)
        }
    }
}

/// The variables of a function that the parent has put into our environment, for the command's.
fn handed_over() -> Vec<Setting> {
    let variables = env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(FOR_COMMAND)?;
        Some((name.to_owned(), value))
    });
    variables.collect()
}

fn become_ready(args: &ChildArgs) -> Result<(Vec<Setting>, OwnedFd), Failure> {
    let (end, stdin, entered) = enter()?;
    mount_view(end, entered, &args.at, &args.source)?;
    Ok((with_function(args.runtime, &args.at, handed_over())?, stdin))
}

/// C's first steps: its end of the socket, the user's standard input, and a namespace of its own.
pub(super) fn enter() -> Result<(ChildEnd, OwnedFd, Entered), Failure> {
    let end = ChildEnd::from_stdin().map_err(own_trouble)?;
    die_with(end.parent().map_err(own_trouble)?)?;
    let stdin = end.receive_stdin().map_err(own_trouble)?;
    let entered =
        enter_private().map_err(|e| Failure::new(Class::Unavailable, chain(&e)).hint(e.advice()))?;
    Ok((end, stdin, entered))
}

/// Mounts the view and hands it over; when this returns, it is served.
pub(super) fn mount_view(end: ChildEnd, entered: Entered, at: &Path, source: &str) -> Result<(), Failure> {
    let options = AttachOptions {
        source: source.to_owned(),
        allow_other: geteuid().is_root() && entered == Entered::Mount,
        exec: true,
        max_read_bytes: None,
        // The helper mounts for the machine; what is wanted here is a mount of this namespace.
        helper: false,
    };
    let device = attach(at, &options)?;
    end.hand_over(device).map_err(|error| match error {
        HandoverError::Refused(text) => Failure::relayed(text),
        error => own_trouble(error),
    })
}

/// The variables for a stack that answers at a directory.
pub(super) fn variables(runtime: Option<Runtime>, at: &Path) -> Result<Vec<Variable>, Failure> {
    variables_over(runtime, at, &|name| env::var_os(name))
}

/// The same, with those of a function, which come before the developer's own. Of one that is a list of the layers' places,
/// they are what the list begins with.
fn with_function(
    runtime: Option<Runtime>,
    at: &Path,
    function: Vec<Setting>,
) -> Result<Vec<Setting>, Failure> {
    let outer = |name: &str| {
        let set = function.iter().find(|(set, _)| set == name);
        set.map(|(_, value)| value.clone()).or_else(|| env::var_os(name))
    };
    let lists = variables_over(runtime, at, &outer)?;
    let mut all = function;
    all.retain(|(name, _)| lists.iter().all(|(list, _)| list != name));
    all.extend(lists.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(all)
}

fn variables_over(
    runtime: Option<Runtime>,
    at: &Path,
    outer: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Variable>, Failure> {
    let jars = match runtime.map(Runtime::family) {
        Some(Family::Java) => layer_jars(at)?,
        _ => Vec::new(),
    };
    environment(runtime, at, outer, &jars).map_err(|e| Failure::new(Class::Usage, e))
}

pub(super) fn print_environment(args: &EnvArgs) -> Result<ExitCode, Failure> {
    use std::io::Write;
    let at = std::path::absolute(&args.at)?;
    let function = args.function.attached(&args.store)?.unwrap_or_default();
    function.warn();
    let runtime = args.runtime.or(function.runtime);
    let lines = shell_exports(&with_function(runtime, &at, function.variables)?);
    super::terminal::print(|out| {
        out.write_all(&lines)?;
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn own_trouble(error: impl std::error::Error) -> Failure {
    Failure::new(Class::Trouble, chain(&error))
}

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
