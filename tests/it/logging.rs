//! Log lines: warnings by default, more with -v and OPTFS_LOG, none with -q.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::command::{OPTFS, answer, optfs};
use crate::support::raw_zip::RawZip;

/// A layer with an entry whose name would leave the tree, and a directory to mount on.
struct Scene {
    _scratch: TempDir,
    layer: PathBuf,
    mountpoint: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let scratch = TempDir::new().expect("a temporary directory");
        let (layer, mountpoint) = (scratch.path().join("odd.zip"), scratch.path().join("m"));
        let zip = RawZip::new().file("../x\x1b[2J", b"evil").file("y", b"good");
        fs::write(&layer, zip.build()).expect("a writable directory");
        fs::create_dir(&mountpoint).expect("a fresh directory");
        Self {
            _scratch: scratch,
            layer,
            mountpoint,
        }
    }

    fn warning(&self) -> String {
        let layer = self.layer.display();
        format!("optfs: warn: {layer}: \"../x\\x1b[2J\" is left out: the name has a '..' part\n")
    }

    fn ls(&self) -> Command {
        let mut ls = optfs();
        ls.args(["ls", "--layer"]).arg(&self.layer);
        ls
    }
}

#[test]
fn a_name_that_is_left_out_is_told_once_by_every_verb() {
    let scene = Scene::new();
    for verb in [&["ls"][..], &["cat", "y"], &["stat"], &["tree"], &["which", "y"]] {
        let mut command = optfs();
        command.args(verb).arg("--layer").arg(&scene.layer);
        let told = answer(&mut command);
        assert_eq!((told.code, told.stderr), (Some(0), scene.warning()), "{verb:?}");
        let quiet = answer(command.arg("-q"));
        assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""), "{verb:?} -q");
    }
}

/// The background process says it, before it lets go of the terminal.
#[test]
fn mount_tells_once_which_names_are_left_out() {
    let scene = Scene::new();
    for (flag, expected) in [("", scene.warning()), ("-q", String::new())] {
        // In a namespace of its own, so that a failure leaves no mount on the machine.
        let script = "\"$0\" mount $3 \"$1\" \"$2\" && umount \"$2\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, OPTFS]);
        command.args([&scene.layer, &scene.mountpoint]).arg(flag);
        let told = answer(&mut command);
        assert_eq!((told.code, told.stderr), (Some(0), expected), "{flag}");
    }
}

#[test]
fn more_is_said_on_request() {
    let scene = Scene::new();
    let entries = format!("optfs: info: {}: 1 entry\n", scene.layer.display());
    for flag in ["-v", "-vv", "--verbose"] {
        let told = answer(scene.ls().arg(flag));
        assert!(told.stderr.contains(&entries), "{flag}: {}", told.stderr);
        assert!(told.stderr.contains(&scene.warning()), "{flag}: {}", told.stderr);
    }
    for (level, says_entries, says_warning) in [
        ("debug", true, true),
        ("info", true, true),
        ("warn", false, true),
        ("error", false, false),
        ("optfs=info", true, true),
    ] {
        let told = answer(scene.ls().env("OPTFS_LOG", level)).stderr;
        assert_eq!(told.contains(&entries), says_entries, "{level}: {told}");
        assert_eq!(told.contains(&scene.warning()), says_warning, "{level}: {told}");
    }
}

#[test]
fn flags_count_more_than_the_environment() {
    let scene = Scene::new();
    let quiet = answer(scene.ls().arg("-q").env("OPTFS_LOG", "debug"));
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("y\n", ""));
    let verbose = answer(scene.ls().arg("-v").env("OPTFS_LOG", "error"));
    assert!(verbose.stderr.contains("optfs: info: "), "{}", verbose.stderr);
}

/// Log lines go where messages go: an answer in a pipe stays an answer.
#[test]
fn nothing_is_logged_to_standard_output() {
    let scene = Scene::new();
    assert_eq!(answer(scene.ls().arg("-vv")).stdout, "y\n");
}
