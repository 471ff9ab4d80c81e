//! What `optfs run` cannot do: one message that says what is wrong and what to do next, 125 for its own trouble and a
//! shell's 126 and 127 for the command's, and the command not started.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::{finish, outcome};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{Stage, Who, everybody};

fn layer(stage: &Stage) -> PathBuf {
    let tools = RawZip::new()
        .file("bin/plain", "text\n")
        .file("bin/lambdas", "#!/var/lang/bin/no-python -s\n")
        .mode(0o755)
        .dir("bin/directory/");
    stage.layer("layer.zip", tools)
}

/// The run fails by itself, with this message alone, and what it was to run did not run.
fn refused(command: &mut Command, message: &str) {
    let output = finish(command.args(["echo", "started"]));
    assert_eq!(
        outcome(&output),
        (Some(125), String::new(), format!("optfs: {message}\n"))
    );
}

#[test]
fn a_command_that_is_not_there_is_127() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for name in [
            "no-such-command",
            "./no-such-command",
            "/opt/bin/none",
            "/dev/null/none",
            "",
        ] {
            let output = stage.run(&[&layer], &[name]);
            let complaint = format!("optfs: {name}: command not found\n");
            assert_eq!(outcome(&output), (Some(127), String::new(), complaint));
        }
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for (name, why) in [
            ("plain", "plain: cannot be executed: Permission denied"),
            (
                "/opt/bin/directory",
                "/opt/bin/directory: cannot be executed: Permission denied",
            ),
            (
                "lambdas",
                "/opt/bin/lambdas: cannot be executed: its interpreter /var/lang/bin/no-python is not on this machine",
            ),
        ] {
            let output = stage.run(&[&layer], &[name]);
            assert_eq!(
                outcome(&output),
                (Some(126), String::new(), format!("optfs: {why}\n"))
            );
        }
    }
}

/// The run is refused in the words of every other verb, which name this and end with a hint.
fn refused_as_by_ls(stage: &Stage, stack: &[&Path], named: &str) {
    let mut ls = stage.command(stage.program());
    ls.arg("ls");
    for layer in stack {
        ls.arg("--layer").arg(layer);
    }
    let (_, _, complaint) = outcome(&finish(&mut ls));
    let [what, hint] = complaint.lines().collect::<Vec<_>>()[..] else {
        panic!("not two lines: {complaint:?}");
    };
    assert!(
        what.contains(named) && hint.starts_with("  hint: "),
        "{complaint}"
    );
    let output = finish(stage.run_command(stack, &[]).args(["echo", "started"]));
    assert_eq!(outcome(&output), (Some(125), String::new(), complaint));
}

#[test]
fn a_file_that_is_no_layer_is_named() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let good = layer(&stage);
        let file = |name: &str, bytes: &[u8]| fs::write(stage.path(name), bytes).unwrap();
        file("text.zip", b"hello world");
        file("empty.zip", b"");
        file("cut.zip", &fs::read(&good).unwrap()[..100]);
        stage.directory("directory.zip");
        for name in ["missing.zip", "text.zip", "empty.zip", "cut.zip", "directory.zip"] {
            let path = stage.text(name);
            refused_as_by_ls(&stage, &[&good, Path::new(&path)], &path);
        }
    }
}

#[test]
fn a_layer_that_may_not_be_read_is_named() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        fs::set_permissions(&layer, Permissions::from_mode(0o000)).unwrap();
        match who {
            Who::Root => assert!(
                stage.run(&[&layer], &["true"]).status.success(),
                "root may read all"
            ),
            Who::User => refused_as_by_ls(&stage, &[&layer], layer.to_str().unwrap()),
        }
    }
}

#[test]
fn a_layer_named_twice_is_a_slip() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        refused_as_by_ls(&stage, &[&layer, &layer], "layer.zip: named twice");
        let link = stage.path("link.zip");
        fs::hard_link(&layer, &link).unwrap();
        refused_as_by_ls(&stage, &[&layer, &link], "link.zip are the same file");
    }
}

#[test]
fn a_stack_without_layers_is_refused() {
    for &who in everybody() {
        refused_as_by_ls(&Stage::new(who), &[], "no layer is named");
    }
}

#[test]
fn a_place_that_cannot_show_the_stack_is_refused() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        let [missing, file] = ["missing", "layer.zip"].map(|name| stage.text(name));
        refused(
            &mut stage.run_command(&[&layer], &["--at", &missing]),
            &format!(
                "{missing}: the directory does not exist, and the stack is to be seen there\n  \
                 hint: make it once (mkdir {missing}), or name another one with --at DIR"
            ),
        );
        refused(
            &mut stage.run_command(&[&layer], &["--at", &file]),
            &format!("{file}: not a directory\n  hint: name one with --at DIR"),
        );
    }
}

#[test]
fn a_machine_without_fuse_is_told_apart() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut run = stage.run_command(&[layer(&stage)], &[]);
        run.args(["echo", "started"]);
        let without = "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; exec \"$@\"";
        let output = finish(&mut stage.on_another_machine(without, &run));
        let complaint = "optfs: /dev/fuse does not exist: the kernel has no FUSE here\n  \
             hint: load it with 'modprobe fuse', or start the container with '--device /dev/fuse'\n";
        assert_eq!(outcome(&output), (Some(125), String::new(), complaint.to_owned()));
    }
}

/// A container without `--device`: the node is there, and opening it is refused.
#[test]
fn a_forbidden_fuse_is_told_apart() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut run = stage.run_command(&[layer(&stage)], &[]);
        run.args(["echo", "started"]);
        // A mount without devices: root may not open one there either.
        let forbidden = "mount -t tmpfs -o nodev none \"$NODES\"; mknod -m 666 \"$NODES/fuse\" c 10 229; \
             mount --bind \"$NODES/fuse\" /dev/fuse; exec \"$@\"";
        let mut machine = stage.on_another_machine(forbidden, &run);
        let output = finish(machine.env("NODES", stage.path("at")));
        let complaint = "optfs: /dev/fuse cannot be opened: Permission denied\n  \
             hint: as root: chmod 666 /dev/fuse, or run optfs as root; in a container: --device /dev/fuse\n";
        assert_eq!(outcome(&output), (Some(125), String::new(), complaint.to_owned()));
    }
}

/// The switch belongs to a user namespace, and so do the capabilities: in one of its own the scene turns it off
/// and gives all power away, as an ordinary user would find it on a hardened machine.
#[test]
fn switched_off_user_namespaces_are_told_apart() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let switched_off =
            "echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all \"$@\"";
        let mut run = stage.command("unshare");
        run.args(["--user", "--map-root-user", "sh", "-euc", switched_off, "sh"]);
        run.arg(stage.program())
            .args(["run", "--layer"])
            .arg(layer(&stage))
            .arg("--");
        refused(
            &mut run,
            "cannot make a private mount namespace: user namespaces are switched off \
             (user.max_user_namespaces = 0)\n  \
             hint: run optfs as root, or allow user namespaces: sysctl -w user.max_user_namespaces=15000",
        );
    }
}

#[test]
fn the_inner_steps_cannot_be_typed_by_hand() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = layer(&stage);
        for words in [
            vec!["run-server", "--layer", layer.to_str().unwrap()],
            vec![
                "run-child",
                "--at",
                "/opt",
                "--source",
                "x",
                "--",
                "echo",
                "started",
            ],
        ] {
            let (status, said, complaint) = outcome(&finish(stage.command(stage.program()).args(words)));
            assert!(matches!(status, Some(6 | 125)), "{status:?}");
            assert_eq!(said, "");
            assert_eq!(
                complaint,
                "optfs: standard input is not a handover socket: this subcommand is for optfs's own use\n"
            );
        }
    }
}
