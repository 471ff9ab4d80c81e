//! Who the command of `optfs run` is: the user who called, with no power gained, also by what a layer brings.

use std::fs;
use std::path::PathBuf;

use crate::support::program::{finish, said};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{NOBODY, Stage, Who, everybody};

/// A copy of id(1) that asks to run as its owner and group.
fn setuid_layer(stage: &Stage) -> PathBuf {
    let id = fs::read("/usr/bin/id").unwrap();
    let zip = RawZip::new()
        .file("bin/setuid-id", id)
        .mode(0o6755)
        .deflate()
        .dir("sticky/")
        .mode(0o1777);
    stage.layer("setuid.zip", zip)
}

#[test]
fn the_command_keeps_the_users_identity() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = setuid_layer(&stage);
        for option in ["-u", "-g", "-ru", "-rg"] {
            let outside = finish(stage.command("id").arg(option));
            assert_eq!(said(&stage.run(&[&layer], &["id", option])), said(&outside));
        }
        let file = stage.path("notes").join("made");
        said(&stage.run(&[&layer], &["touch", file.to_str().unwrap()]));
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(file).unwrap());
        assert_eq!(format!("{owner}\n"), said(&finish(stage.command("id").arg("-u"))));
    }
}

/// In the user namespace that the mount needs, the process has every power; the command has none of it.
#[test]
fn the_command_gains_no_capability() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let words = ["grep", "^Cap\\(Inh\\|Prm\\|Eff\\|Amb\\)", "/proc/self/status"];
        let outside = finish(stage.command(words[0]).args(&words[1..]));
        let inside = stage.run(&[setuid_layer(&stage)], &words);
        assert_eq!(said(&inside), said(&outside));
        if who == Who::User {
            assert!(said(&inside).contains("CapEff:\t0000000000000000\n"));
        }
    }
}

/// The bits are not shown, and the mount would not heed them.
#[test]
fn a_setuid_program_of_a_layer_has_no_effect() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = setuid_layer(&stage);
        let modes = stage.run(
            &[&layer],
            &["stat", "-c", "%a", "/opt/bin/setuid-id", "/opt/sticky"],
        );
        assert_eq!(said(&modes), "755\n777\n");
        let options = "awk '$2 == \"/opt\" { print $4 }' /proc/self/mounts";
        let options = stage.run(&[&layer], &["sh", "-c", options]);
        for option in ["ro", "nosuid", "nodev"] {
            assert!(said(&options).split(',').any(|one| one == option), "{options:?}");
        }
        let own = finish(stage.command("id").arg("-u"));
        assert_eq!(said(&stage.run(&[&layer], &["setuid-id", "-u"])), said(&own));
    }
}

/// Root's view can be looked into by the user that root becomes, as a function's own user reads /opt; and a program
/// of root's layer does not make root of that user.
#[test]
fn a_lesser_user_in_roots_view_reads_it_and_stays_lesser() {
    let stage = Stage::new(everybody()[0]);
    let layer = setuid_layer(&stage);
    let lesser = [
        "setpriv",
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
        "setuid-id",
        "-u",
    ];
    assert_eq!(said(&stage.run(&[layer], &lesser)), format!("{NOBODY}\n"));
}

/// Files belong to who runs.
#[test]
fn the_files_of_the_view_are_the_users_own() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let owner = stage.run(
            &[setuid_layer(&stage)],
            &["stat", "-c", "%u %g", "/opt", "/opt/sticky"],
        );
        let user = finish(stage.command("sh").args(["-c", "echo $(id -u) $(id -g)"]));
        assert_eq!(said(&owner), said(&user).repeat(2));
    }
}
