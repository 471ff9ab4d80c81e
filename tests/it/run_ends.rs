//! How a run ends: as its command ended, whoever is killed, and with nothing left behind. Each stage proves the
//! last as it closes: no process, no mount, no temporary file.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use nix::sys::signal::{Signal, kill};

use crate::support::program::{Program, finish, outcome};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{Stage, everybody};
use crate::support::until::until;

fn layer(stage: &Stage) -> PathBuf {
    stage.layer(
        "layer.zip",
        RawZip::new().file("early", "early\n").file("late", "late\n"),
    )
}

#[test]
fn the_exit_status_is_the_commands() {
    for &who in everybody() {
        let stage = &Stage::new(who);
        let layer = &layer(stage);
        thread::scope(|scope| {
            for part in 0..4 {
                scope.spawn(move || {
                    for code in (0..=255).skip(part).step_by(4) {
                        let output = stage.run(&[layer], &["sh", "-c", &format!("exit {code}")]);
                        assert_eq!(outcome(&output), (Some(code), String::new(), String::new()));
                    }
                });
            }
        });
    }
}

/// The parent really dies of the signal, as a loop in a shell needs to know; and leaves no second core file.
#[test]
fn a_death_by_signal_is_the_commands() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        // 34 is the first real-time signal, which has no name and no default in the tables.
        for signal in [1, 2, 3, 6, 9, 11, 13, 14, 15, 34] {
            let output = stage.run(&[&layer], &["sh", "-c", &format!("kill -{signal} $$")]);
            assert_eq!(output.status.signal(), Some(signal), "{:?}", output.status);
            assert!(!output.status.core_dumped());
        }
    }
}

#[test]
fn a_shell_shows_a_death_by_signal_as_128_and_its_number() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for (name, number) in [("INT", 2), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
            let mut bash = stage.command("bash");
            bash.args(["-c", "ulimit -c 0; \"$@\" 2>/dev/null; echo $?", "bash"]);
            bash.arg(stage.program()).arg("run").arg("--layer").arg(&layer);
            bash.args(["--", "sh", "-c", &format!("kill -{name} $$")]);
            // On its standard error bash says the same in words.
            let (_, shown, _) = outcome(&finish(&mut bash));
            assert_eq!(shown, format!("{}\n", 128 + number));
        }
    }
}

#[test]
fn killing_optfs_kills_the_command() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut run = stage.start(&[layer(&stage)], &["sh", "-c", "echo $$; exec sleep 1000"]);
        let command = Path::new("/proc").join(run.screen.line());
        assert!(command.exists());
        run.send(Signal::SIGKILL);
        assert_eq!(run.wait().signal(), Some(9));
        stage.expect_nobody();
    }
}

/// The command gets an error, not a hang; and that it ends is still what ends optfs.
#[test]
fn killing_the_server_leaves_the_command_with_an_error() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "cat /opt/early; echo ready; read line; cat /opt/late; ls /opt/none; exit 9";
        let mut command = stage.run_command(&[layer(&stage)], &[]);
        command.args(["sh", "-c", &format!("{{ {script}; }} 2>&1")]);
        let mut run = Program::start(&mut command);
        run.screen.expect("early\nready\n");
        kill(stage.server(), Signal::SIGKILL).unwrap();
        run.type_in(b"go on\n");
        assert_eq!(run.wait().code(), Some(9));
        let said = String::from_utf8(run.screen.rest()).unwrap();
        let complaints: Vec<_> = said.lines().collect();
        assert_eq!(complaints.len(), 2, "{said}");
        // The first request may still find the connection, and be cut off with it.
        let reasons = [
            "Transport endpoint is not connected",
            "Software caused connection abort",
            // Over io_uring.
            "Operation canceled",
        ];
        assert!(
            complaints
                .iter()
                .all(|line| reasons.iter().any(|reason| line.ends_with(reason))),
            "{said}"
        );
    }
}

/// The same in the middle of a large file, where no page was asked for yet. (What the kernel has already, it goes on
/// showing: nothing in the view can have changed.)
#[test]
fn killing_the_server_ends_a_reader_in_the_middle_of_a_file() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let zip = RawZip::new().file("large", vec![b'x'; 32 << 20]).deflate();
        let layer = stage.layer("large.zip", zip);
        let script = "exec 3<&0 4>&1; { cat /opt/large 2>/dev/null || echo failed >&4; } | \
             { head -c 100000 >/dev/null; echo ready; read line <&3; cat >/dev/null; }; exit 9";
        let mut run = stage.start(&[&layer], &["sh", "-c", script]);
        run.screen.expect("ready\n");
        kill(stage.server(), Signal::SIGKILL).unwrap();
        run.type_in(b"go on\n");
        run.screen.expect("failed\n");
        assert_eq!(run.wait().code(), Some(9));
    }
}

/// optfs ends with the command, and so do the pipes it was given; the view stays for what the command left
/// running, and goes with it.
#[test]
fn a_grandchild_keeps_its_view_until_it_ends() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let [fifo, copy] = ["fifo", "copy"].map(|name| stage.path("notes").join(name));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::set_permissions(&fifo, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let script = "{ read line <\"$0\"; cat /opt/late; } >\"$1\" 2>&1 & exit 3";
        let words = ["sh", "-c", script, fifo.to_str().unwrap(), copy.to_str().unwrap()];
        let output = stage.run(&[layer(&stage)], &words);
        assert_eq!(outcome(&output), (Some(3), String::new(), String::new()));
        assert!(
            stage.processes().iter().any(|process| process.serves()),
            "the view is served"
        );
        fs::write(&fifo, "go on\n").unwrap();
        stage.expect_nobody();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "late\n");
    }
}

/// The same after optfs was killed: what outlives it still reads, and nothing stays when it is over.
#[test]
fn a_grandchild_keeps_its_view_after_optfs_was_killed() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let copy = stage.path("notes").join("copy");
        let script = "{ until [ -e \"$0.go\" ]; do sleep 0.01; done; cat /opt/late; } >\"$0\" 2>&1 & \
             echo ready; exec sleep 1000";
        let mut run = stage.start(&[layer(&stage)], &["sh", "-c", script, copy.to_str().unwrap()]);
        run.screen.expect("ready\n");
        run.send(Signal::SIGKILL);
        run.wait();
        fs::write(copy.with_extension("go"), "").unwrap();
        stage.expect_nobody();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "late\n");
    }
}

/// Killed at any moment of the start: before, while and after it mounts, nothing stays.
#[test]
fn a_run_killed_while_it_starts_leaves_nothing() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            for processes in 1..=3 {
                let mut command = stage.run_command(&[&layer], &[]);
                // A child that finds its parent gone may still say so.
                let run = Program::start(command.args(["sleep", "1000"]).stderr(Stdio::null()));
                until("it is on its way", || stage.processes().len() >= processes);
                run.send(signal);
                drop(run);
                stage.expect_nobody();
            }
        }
    }
}
