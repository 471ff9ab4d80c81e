//! The scenes: given a command in a private view, what does the shell, the user or the machine notice.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// Who runs the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// May mount: enters a mount namespace only.
    Root,
    /// May not: enters a user namespace too.
    User,
}

/// The number of an ordinary user, when the tests themselves run as root.
const NOBODY: &str = "65534";

type Scene = fn(Who);

/// Every scene by its name.
pub(crate) const ALL: &[(&str, Scene)] = &[
    (
        "the_command_sees_the_mount_and_nobody_else_does",
        the_command_sees_the_mount_and_nobody_else_does,
    ),
    ("the_command_keeps_its_identity", the_command_keeps_its_identity),
    (
        "the_command_has_the_users_streams_and_no_other_descriptor",
        the_command_has_the_users_streams,
    ),
    (
        "a_working_directory_below_the_mount_point_shows_the_view",
        a_working_directory_below_the_mount_point,
    ),
    (
        "the_environment_reaches_the_command_and_finds_it",
        the_environment_reaches_the_command,
    ),
    ("the_exit_status_is_the_commands", the_exit_status_is_the_commands),
    (
        "a_death_by_signal_is_the_commands",
        a_death_by_signal_is_the_commands,
    ),
    (
        "a_command_that_cannot_run_is_127_or_126",
        a_command_that_cannot_run_is_127_or_126,
    ),
    (
        "a_server_that_fails_is_reported_once",
        a_server_that_fails_is_reported_once,
    ),
    (
        "a_signal_sent_to_the_parent_reaches_the_command",
        a_signal_sent_to_the_parent_reaches_the_command,
    ),
    ("an_ignored_signal_stays_ignored", an_ignored_signal_stays_ignored),
    ("ctrl_c_reaches_the_command_once", ctrl_c_reaches_the_command_once),
    ("ctrl_z_stops_and_fg_continues", ctrl_z_stops_and_fg_continues),
    (
        "killing_the_parent_kills_the_command",
        killing_the_parent_kills_the_command,
    ),
    (
        "the_server_lives_as_long_as_the_last_process",
        the_server_lives_as_long_as_the_last_process,
    ),
    (
        "killing_the_server_is_enotconn_for_the_command",
        killing_the_server_is_enotconn_for_the_command,
    ),
];

/// Root as well when these tests may; an ordinary user wherever the machine lets one.
pub(crate) fn everybody() -> Vec<Who> {
    let mut everybody = Vec::new();
    if geteuid().is_root() {
        everybody.push(Who::Root);
    }
    let attempt = Stage::new().run(Who::User, &["true"]);
    if attempt.status.success() {
        everybody.push(Who::User);
    } else {
        println!(
            "skipping the ordinary user's scenes: {}",
            stderr(&attempt).trim_end()
        );
    }
    everybody
}

fn the_command_sees_the_mount_and_nobody_else_does(who: Who) {
    let stage = Stage::new();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut run = stage.start(
        who,
        "tmpfs",
        &["sh", "-c", "cat \"$0/inside\"; read line", stage.at()],
    );
    assert_eq!(run.line(), "seen");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    assert_eq!(fs::read_dir(stage.at()).unwrap().count(), 0);
    run.stdin.take();
    assert_eq!(
        run.parent.wait().unwrap().code(),
        Some(1),
        "read at the end of its input"
    );
}

fn the_command_keeps_its_identity(who: Who) {
    let outside = stdout(&as_user(who, "id").args(["-ur"]).output().unwrap());
    assert_eq!(stdout(&Stage::new().run(who, &["id", "-ur"])), outside);
    if who == Who::User && geteuid().is_root() {
        assert_eq!(outside, "65534\n");
    }
}

fn the_command_has_the_users_streams(who: Who) {
    let stage = Stage::new();
    let mut run = stage.start(who, "tmpfs", &["cat"]);
    run.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    assert_eq!(run.line(), "typed");
    assert!(run.parent.wait().unwrap().success());
    // What whoever runs these tests left open is in both lists.
    let without = stdout(&as_user(who, "ls").arg("/proc/self/fd").output().unwrap());
    assert_eq!(stdout(&stage.run(who, &["ls", "/proc/self/fd"])), without);
    // The reader sees the end when the command closes its output, though the parent still waits for it.
    let mut run = stage.start(who, "tmpfs", &["sh", "-c", "exec >/dev/null; read line"]);
    let mut rest = String::new();
    run.stdout.read_to_string(&mut rest).unwrap();
    assert!(run.parent.try_wait().unwrap().is_none());
    run.stdin.take();
    run.parent.wait().unwrap();
}

fn a_working_directory_below_the_mount_point(who: Who) {
    let stage = Stage::new();
    let output = stage
        .command(who, "tmpfs", &["ls"])
        .current_dir(stage.at())
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "inside\n");
}

fn the_environment_reaches_the_command(who: Who) {
    let stage = Stage::new();
    let script = "mkdir \"$0/bin\"; cp /bin/echo \"$0/bin/only-here\"; only-here found; echo \"$PATH:$LD_LIBRARY_PATH\"";
    let output = stage
        .command(who, "tmpfs", &["sh", "-c", script, stage.at()])
        .env("PATH", "/usr/bin:/bin")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    assert_eq!(
        stdout(&output),
        format!("found\n/usr/bin:/bin:{at}/bin:{at}/lib\n", at = stage.at())
    );
}

fn the_exit_status_is_the_commands(who: Who) {
    let stage = Stage::new();
    for code in [0, 1, 42, 125, 127, 255] {
        let output = stage.run(who, &["sh", "-c", &format!("exit {code}")]);
        assert_eq!(
            (output.status.code(), stderr(&output)),
            (Some(code), String::new())
        );
    }
}

fn a_death_by_signal_is_the_commands(who: Who) {
    let stage = Stage::new();
    // 34 is the first real-time signal, which has no name and no default in the tables.
    for signal in [1, 2, 3, 6, 9, 11, 14, 15, 34] {
        let output = stage.run(who, &["sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(output.status.signal(), Some(signal), "{:?}", output.status);
        assert!(!output.status.core_dumped());
    }
}

fn a_command_that_cannot_run_is_127_or_126(who: Who) {
    let stage = Stage::new();
    let script = stage.notes.join("script");
    fs::write(&script, "#!/var/lang/bin/no-python\n").unwrap();
    let plain = stage.notes.join("plain");
    fs::write(&plain, "text").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for (command, code, text) in [
        (
            "no-such-command",
            127,
            "optfs: no-such-command: command not found\n".to_owned(),
        ),
        (
            plain.to_str().unwrap(),
            126,
            format!("optfs: {}: cannot be executed\n", plain.display()),
        ),
        (
            script.to_str().unwrap(),
            126,
            format!(
                "optfs: {}: cannot be executed: its interpreter /var/lang/bin/no-python is not on this machine\n",
                script.display()
            ),
        ),
    ] {
        let output = stage.run(who, &[command]);
        assert_eq!((output.status.code(), stderr(&output)), (Some(code), text));
    }
}

fn a_server_that_fails_is_reported_once(who: Who) {
    let stage = Stage::new();
    for (how, text) in [
        ("fail", "optfs: layers/base.zip: not a zip\n"),
        (
            "die",
            "optfs: the process that serves the view ended before it was ready\n",
        ),
    ] {
        let output = stage.command(who, how, &["echo", "never"]).output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(125), text)
        );
        assert_eq!(stdout(&output), "");
    }
}

fn a_signal_sent_to_the_parent_reaches_the_command(who: Who) {
    let stage = Stage::new();
    let script = "trap 'echo got; exit 7' $0; echo ready; while :; do sleep 0.02; done";
    for name in [
        "HUP", "INT", "QUIT", "ALRM", "TERM", "USR1", "USR2", "WINCH", "CONT",
    ] {
        let mut run = stage.start(who, "tmpfs", &["sh", "-c", script, name]);
        assert_eq!(run.line(), "ready");
        kill(run.pid(), format!("SIG{name}").parse::<Signal>().unwrap()).unwrap();
        assert_eq!(run.line(), "got", "{name}");
        assert_eq!(run.parent.wait().unwrap().code(), Some(7));
    }
    // Nobody asked to survive it: the command dies of it, and so does the parent.
    let mut run = stage.start(who, "tmpfs", &["sh", "-c", "echo ready; exec sleep 1000"]);
    assert_eq!(run.line(), "ready");
    kill(run.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(run.parent.wait().unwrap().signal(), Some(15));
}

fn an_ignored_signal_stays_ignored(who: Who) {
    let stage = Stage::new();
    let inner = stage.command(
        who,
        "tmpfs",
        &["sh", "-c", "kill -HUP $PPID; kill -HUP $$; echo alive"],
    );
    let mut nohup = Command::new("sh");
    nohup
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args());
    assert_eq!(stdout(&nohup.output().unwrap()), "alive\n");
}

fn ctrl_c_reaches_the_command_once(who: Who) {
    let stage = Stage::new();
    let script =
        "trap 'echo int' INT; trap 'echo end; exit 3' USR1; echo ready; while :; do sleep 0.02; done";
    let mut terminal = Terminal::start(&stage.command(who, "tmpfs", &["sh", "-c", script]));
    terminal.expect("ready");
    terminal.press(b"\x03");
    terminal.expect("int");
    // Comes after whatever the parent might have passed on.
    kill(Pid::from_raw(terminal.leader.id().cast_signed()), Signal::SIGUSR1).unwrap();
    let since = terminal.expect("end");
    assert!(!since.contains("int"), "a second one: {since:?}");
    assert_eq!(terminal.leader.wait().unwrap().code(), Some(3));
}

fn ctrl_z_stops_and_fg_continues(who: Who) {
    let stage = Stage::new();
    let run = stage.command(who, "tmpfs", &["sh", "-c", "echo ready; exec cat"]);
    let mut shell = Command::new("bash");
    shell.args([
        "-mc",
        "\"$0\" \"$@\"; echo stopped=$?; fg >/dev/null; echo over=$?",
    ]);
    shell.arg(run.get_program()).args(run.get_args());
    let mut terminal = Terminal::start(&shell);
    terminal.expect("ready");
    terminal.press(b"\x1a");
    terminal.expect("stopped=148");
    terminal.press(b"hello\r");
    // Once from the terminal's echo, once from cat.
    terminal.expect("hello");
    terminal.expect("hello");
    terminal.press(b"\x04");
    terminal.expect("over=0");
    terminal.leader.wait().unwrap();
}

fn killing_the_parent_kills_the_command(who: Who) {
    let stage = Stage::new();
    let mode = if may_use_fuse(who) { "fuse" } else { "tmpfs" };
    let mut run = stage.start(who, mode, &["sh", "-c", "echo $$; exec sleep 1000"]);
    let command = PathBuf::from("/proc").join(run.line());
    assert!(command.exists());
    run.parent.kill().unwrap();
    run.parent.wait().unwrap();
    eventually("the command is gone", || !command.exists());
    if mode == "fuse" {
        eventually("the server has ended", || stage.note("server.ended").is_some());
    }
}

fn the_server_lives_as_long_as_the_last_process(who: Who) {
    if !may_use_fuse(who) {
        return println!("  (skipped: no access to /dev/fuse)");
    }
    let stage = Stage::new();
    let fifo = stage.notes.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    fs::set_permissions(&fifo, fs::Permissions::from_mode(0o666)).unwrap();
    let script = "cat <\"$0\" >/dev/null 2>&1 & exit 3";
    let mut run = stage.start(who, "fuse", &["sh", "-c", script, fifo.to_str().unwrap()]);
    assert_eq!(run.parent.wait().unwrap().code(), Some(3));
    // The grandchild still waits for a writer.
    let server = PathBuf::from("/proc").join(stage.note("server.pid").unwrap());
    assert!(server.exists());
    assert_eq!(stage.note("server.ended"), None);
    drop(File::options().write(true).open(&fifo).unwrap());
    eventually("the server has ended", || stage.note("server.ended").is_some());
    assert_eq!(stage.note("server.ended").unwrap(), "Some(19)", "ENODEV");
}

fn killing_the_server_is_enotconn_for_the_command(who: Who) {
    if !may_use_fuse(who) {
        return println!("  (skipped: no access to /dev/fuse)");
    }
    let stage = Stage::new();
    let script = "kill -9 $(cat \"$0/server.pid\"); ls \"$1\"";
    let notes = stage.notes.to_str().unwrap();
    let output = stage
        .command(who, "fuse", &["sh", "-c", script, notes, stage.at()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("Transport endpoint is not connected"),
        "{}",
        stderr(&output)
    );
}

/// A mount point and a directory for notes.
struct Stage {
    directory: TempDir,
    notes: PathBuf,
}

impl Stage {
    fn new() -> Stage {
        let directory = tempfile::tempdir().unwrap();
        let notes = directory.path().join("notes");
        for (path, mode) in [
            (directory.path(), 0o755),
            (&directory.path().join("at"), 0o755),
            (&notes, 0o777),
        ] {
            fs::create_dir_all(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Stage { directory, notes }
    }

    fn at(&self) -> &'static str {
        // Leaked: commands of a test borrow it in any order.
        self.directory
            .path()
            .join("at")
            .into_os_string()
            .into_string()
            .unwrap()
            .leak()
    }

    fn note(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.notes.join(name))
            .ok()
            .filter(|text| !text.is_empty())
    }

    fn command(&self, who: Who, mode: &str, command: &[&str]) -> Command {
        let mut parent = as_user(who, std::env::current_exe().unwrap());
        parent
            .args(["role:parent", mode, self.at()])
            .arg(&self.notes)
            .args(command);
        parent
    }

    fn run(&self, who: Who, command: &[&str]) -> Output {
        self.command(who, "tmpfs", command).output().unwrap()
    }

    fn start(&self, who: Who, mode: &str, command: &[&str]) -> Run {
        let mut parent = self
            .command(who, mode, command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Run {
            stdin: parent.stdin.take(),
            stdout: parent.stdout.take().unwrap(),
            parent,
        }
    }
}

/// A run under way, with its streams.
struct Run {
    parent: Child,
    stdin: Option<std::process::ChildStdin>,
    stdout: std::process::ChildStdout,
}

impl Run {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.parent.id().cast_signed())
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.stdout.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.parent.kill().ok();
        self.parent.wait().ok();
    }
}

/// A terminal, and a command that has it as its own.
struct Terminal {
    leader: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(command: &Command) -> Terminal {
        let pty = nix::pty::openpty(None, None).unwrap();
        let copy = |end: &OwnedFd| Stdio::from(end.try_clone().unwrap());
        // Executes the command itself, so the process started here is the command.
        let leader = Command::new("setsid")
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(copy(&pty.slave))
            .stdout(copy(&pty.slave))
            .stderr(copy(&pty.slave))
            .spawn()
            .unwrap();
        let keyboard = File::from(pty.master);
        let mut master = keyboard.try_clone().unwrap();
        let (show, screen) = channel();
        std::thread::spawn(move || {
            let mut text = [0; 1024];
            while let Ok(length @ 1..) = master.read(&mut text) {
                if show.send(text[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            leader,
            keyboard,
            screen,
            seen: String::new(),
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until this text is on the screen; returns what came up to it, and forgets that.
    fn expect(&mut self, text: &str) -> String {
        loop {
            if let Some(start) = self.seen.find(text) {
                let rest = self.seen.split_off(start + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let Ok(more) = self.screen.recv_timeout(Duration::from_secs(10)) else {
                panic!("{text:?} never came; on the screen: {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leader.kill().ok();
        self.leader.wait().ok();
    }
}

fn as_user(who: Who, program: impl AsRef<std::ffi::OsStr>) -> Command {
    if who == Who::User && geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn may_use_fuse(who: Who) -> bool {
    as_user(who, "sh")
        .args(["-c", "exec 3<>/dev/fuse"])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
        && Path::new("/sys/fs/fuse").exists()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn stdout(output: &Output) -> String {
    assert!(
        output.stderr.is_empty() || !output.status.success(),
        "{}",
        stderr(output)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
