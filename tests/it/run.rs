//! `optfs run`: what the command sees at the mount point, what it is found by, and that nobody else sees it.
//! How runs end, signals, streams, variables, users and refusals have files of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::{Program, finish, outcome, said};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{PATH, Stage, everybody};

/// Two layers that share a directory and a file.
fn low_and_high(stage: &Stage) -> [PathBuf; 2] {
    let low = RawZip::new()
        .file("share/both", "low\n")
        .deflate()
        .file("share/low", "only low\n");
    let high = RawZip::new()
        .file("share/both", "high\n")
        .deflate()
        .file("share/high", "only high\n");
    [stage.layer("low.zip", low), stage.layer("high.zip", high)]
}

/// A layer with one file, `name`, that says what it is.
fn saying(stage: &Stage, name: &str, text: &str) -> PathBuf {
    stage.layer(
        &format!("{text}.zip"),
        RawZip::new().file(name, format!("{text}\n")),
    )
}

/// The stack is merged at /opt for the command; the machine's own /opt (see `Stage`) and its list of mounts stay
/// as they are while the command runs.
#[test]
fn the_command_sees_the_stack_at_opt_and_nobody_else_does() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script =
            "cd /opt; ls . share; cat share/*; grep ' /opt ' /proc/self/mounts; echo ready; read line";
        let mut run = stage.start(&low_and_high(&stage), &["sh", "-c", script]);
        let shown = run.screen.expect("ready\n");
        let (tree, mount) = shown.split_at(shown.find("low.zip:high.zip").expect("a readable source"));
        assert_eq!(
            tree,
            ".:\nshare\n\nshare:\nboth\nhigh\nlow\nhigh\nonly high\nonly low\n"
        );
        assert!(
            mount.starts_with("low.zip:high.zip /opt fuse.optfs ro,nosuid,nodev,"),
            "{mount}"
        );
        assert!(!fs::exists("/opt/share").unwrap());
        let outside = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!outside.contains("low.zip:high.zip"), "{outside}");
        run.end_of_input();
        assert_eq!(run.wait().code(), Some(1), "read(1) at the end of its input");
    }
}

#[test]
fn any_directory_can_show_the_stack() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = saying(&stage, "file", "seen");
        let odd = "a 'quoted' \"place\" $HOME";
        fs::write(stage.directory(odd).join("own"), "").unwrap();
        for (at, directory) in [(stage.text(odd).as_str(), "/"), (odd, stage.text("").as_str())] {
            let mut run = stage.run_command(&[&layer], &["--at", at]);
            let run = run.arg("ls").arg(stage.path(odd)).current_dir(directory);
            assert_eq!(said(&finish(run)), "file\n", "{at} from {directory}");
        }
        assert!(fs::exists(stage.path(odd).join("own")).unwrap());
    }
}

/// A command that starts in or below the mount point would otherwise stand in what the mount covers.
#[test]
fn a_working_directory_below_the_mount_point_is_entered_again() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = saying(&stage, "work/file", "seen");
        let at = stage.text("at");
        fs::create_dir(stage.path("at/work")).unwrap();
        for directory in ["at", "at/work"] {
            let mut run = stage.run_command(&[&layer], &["--at", &at]);
            let run = run
                .args(["sh", "-c", "pwd; ls"])
                .current_dir(stage.path(directory));
            let listed = if directory == "at" { "work" } else { "file" };
            assert_eq!(
                said(&finish(run)),
                format!("{}\n{listed}\n", stage.text(directory))
            );
        }
    }
}

#[test]
fn a_command_is_found_in_the_layers_bin_after_all_others() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let script = "#!/bin/sh\necho \"$0: $*\"\n";
        let layer = stage.layer(
            "tools.zip",
            RawZip::new()
                .file("bin/only-here", script)
                .mode(0o755)
                .deflate()
                .file("bin/cat", script)
                .mode(0o755)
                .file("file", "the system's cat\n"),
        );
        let found = stage.run(&[&layer], &["only-here", "a b", "--layer"]);
        assert_eq!(said(&found), "/opt/bin/only-here: a b --layer\n");
        assert_eq!(
            said(&stage.run(&[&layer], &["cat", "/opt/file"])),
            "the system's cat\n"
        );
        let script = "echo \"$PATH\"; echo \"$LD_LIBRARY_PATH\"";
        let mut run = stage.run_command(&[&layer], &[]);
        let run = run.args(["sh", "-c", script]).env("LD_LIBRARY_PATH", "/own");
        assert_eq!(said(&finish(run)), format!("{PATH}:/opt/bin\n/own:/opt/lib\n"));
    }
}

/// A script whose interpreter is in the layer too: the kernel executes both from the mount.
#[test]
fn a_script_runs_with_the_layers_own_interpreter() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let cat = fs::read("/bin/cat").unwrap();
        let layer = stage.layer(
            "scripts.zip",
            RawZip::new()
                .file("libexec/reader", &cat)
                .mode(0o755)
                .deflate()
                .file("bin/recite", "#!/opt/libexec/reader\nI am read\n")
                .mode(0o755)
                .file("bin/bare", "echo \"no first line: $1\"\n")
                .mode(0o755),
        );
        assert_eq!(
            said(&stage.run(&[&layer], &["recite"])),
            "#!/opt/libexec/reader\nI am read\n"
        );
        // As every shell does it.
        assert_eq!(
            said(&stage.run(&[&layer], &["bare", "word"])),
            "no first line: word\n"
        );
    }
}

/// mmap and exec from the mount, with a library that only LD_LIBRARY_PATH finds.
#[test]
fn a_program_of_the_layer_finds_its_shared_object_in_lib() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let compile = |arguments: &str| {
            let mut gcc = Command::new("gcc");
            gcc.args(arguments.split(' ')).current_dir(stage.path("notes"));
            assert_eq!(said(&finish(&mut gcc)), "");
        };
        let write = |name: &str, code: &str| fs::write(stage.path("notes").join(name), code).unwrap();
        write("answer.c", "int answer(void) { return 42; }\n");
        write("ask.c", "int answer(void); int main(void) { return answer(); }\n");
        compile("-shared -fPIC -o libanswer.so answer.c");
        compile("-o ask ask.c -L. -lanswer");
        let built = |name: &str| fs::read(stage.path("notes").join(name)).unwrap();
        let program = RawZip::new().file("bin/ask", built("ask")).mode(0o755).deflate();
        let library = RawZip::new()
            .file("lib/libanswer.so", built("libanswer.so"))
            .deflate();
        let program = stage.layer("program.zip", program);
        let library = stage.layer("library.zip", library);
        assert_eq!(stage.run(&[&program, &library], &["ask"]).status.code(), Some(42));
        let without = stage.run(&[&program], &["ask"]);
        assert_eq!(
            without.status.code(),
            Some(127),
            "the dynamic loader's own status"
        );
    }
}

#[test]
fn two_runs_at_the_same_place_do_not_see_each_other() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let words = ["sh", "-c", "echo ready; read line; ls /opt; cat /opt/*"];
        let mut one = stage.start(&[saying(&stage, "a", "one")], &words);
        one.screen.expect("ready\n");
        let mut two = stage.start(&[saying(&stage, "b", "two")], &words);
        two.screen.expect("ready\n");
        let finish = |mut run: Program| {
            run.type_in(b"go on\n");
            assert!(run.wait().success());
            String::from_utf8(run.screen.rest()).unwrap()
        };
        assert_eq!(finish(one), "a\none\n");
        assert_eq!(finish(two), "b\ntwo\n");
    }
}

#[test]
fn a_run_inside_a_run_shows_its_own_stack() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let (outer, inner) = (saying(&stage, "file", "outer"), saying(&stage, "file", "inner"));
        let nested = "cat /opt/file; \"$0\" run --layer \"$1\" -- sh -c 'cat /opt/file; echo \"$PATH\"'; cat /opt/file";
        let words = ["sh", "-c", nested, &stage.text("optfs"), inner.to_str().unwrap()];
        assert_eq!(
            said(&stage.run(&[&outer], &words)),
            format!("outer\ninner\n{PATH}:/opt/bin\nouter\n")
        );
    }
}

#[test]
fn the_machines_opt_may_be_a_mount_of_optfs_itself() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let (below, above) = (saying(&stage, "file", "below"), saying(&stage, "file", "above"));
        let mut run = stage.run_command(&[&above], &[]);
        run.args(["cat", "/opt/file"]).env("BELOW", &below);
        let machine =
            "\"$OPTFS\" mount \"$BELOW\" /opt; cat /opt/file; \"$@\"; cat /opt/file; \"$OPTFS\" umount /opt";
        assert_eq!(
            said(&finish(&mut stage.on_another_machine(machine, &run))),
            "below\nabove\nbelow\n"
        );
    }
}

/// What the machine mounts later arrives in a view that is open already; a shell in it can stay open for days.
#[test]
fn a_later_mount_of_the_machine_arrives_in_the_view() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = saying(&stage, "file", "seen");
        let fifo = stage.directory("notes").join("fifo");
        let script = "echo ready >\"$0\"; read line <\"$0\"; cat \"$1\"";
        let mut run = stage.run_command(&[&layer], &[]);
        run.args([
            "sh",
            "-c",
            script,
            fifo.to_str().unwrap(),
            &stage.text("at/arrived"),
        ]);
        run.env("FIFO", &fifo).env("AT", stage.path("at"));
        // In a machine of its own the mounts must be shared for others to follow them.
        let machine = "mount --make-rshared /; mkfifo -m 666 \"$FIFO\"; \"$@\" & read line <\"$FIFO\"; \
             mount -t tmpfs later \"$AT\"; echo later >\"$AT/arrived\"; echo go >\"$FIFO\"; wait $!";
        let output = finish(&mut stage.on_another_machine(machine, &run));
        assert_eq!(outcome(&output), (Some(0), "later\n".to_owned(), String::new()));
    }
}

/// The layers may lie where the view hides them, and be named from there.
#[test]
fn the_layers_may_lie_below_the_mount_point() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = saying(&stage, "at/file", "seen");
        let hidden = stage.path("at").join("layer.zip");
        fs::rename(layer, &hidden).unwrap();
        let mut run = stage.run_command(&[Path::new("layer.zip")], &["--at", "."]);
        let run = run.args(["cat", "at/file"]).current_dir(stage.path("at"));
        assert_eq!(said(&finish(run)), "seen\n");
    }
}
