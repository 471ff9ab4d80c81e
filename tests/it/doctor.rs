//! `optfs doctor`: what it says of a system that has everything, and of one that lacks something.

use std::process::Command;

use serde_json::Value;

use crate::support::command::{Answer, OPTFS, answer, optfs, output};
use crate::support::switch::Switch;

#[test]
fn a_system_that_can_mount_is_well() {
    let text = output(optfs().arg("doctor"));
    for word in [
        "kernel",
        "/dev/fuse",
        "fusermount3",
        "private mounts",
        "io_uring",
        "transport",
    ] {
        assert!(text.lines().any(|line| line.starts_with(word)), "{word}: {text}");
    }
    let json = output(optfs().args(["doctor", "--json"]));
    let all: Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(all["ok"], true, "{json}");
    let names: Vec<_> = all["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["name"])
        .collect();
    assert_eq!(names, ["device", "helper", "namespace", "io_uring"]);
}

#[test]
fn the_transport_is_the_one_that_a_mount_would_have() {
    let Some(_switch) = Switch::on() else { return };
    let said = |command: &mut Command| {
        let json: Value = serde_json::from_str(&output(command.args(["doctor", "--json"]))).unwrap();
        json["transport"].as_str().unwrap().to_owned()
    };
    assert_eq!(said(optfs().env_remove("OPTFS_TRANSPORT")), "uring");
    assert_eq!(said(optfs().env("OPTFS_TRANSPORT", "fuser")), "fuser");
}

#[test]
fn a_switch_that_is_off_is_named_with_how_to_switch_it_on() {
    let said = in_a_namespace(
        "mount -t tmpfs none /sys/module/fuse/parameters && echo N >/sys/module/fuse/parameters/enable_uring",
    );
    assert_eq!(said.code, Some(0), "it works without: {said:?}");
    for word in [
        "switched off",
        "echo Y > /sys/module/fuse/parameters/enable_uring",
        "fuser: over /dev/fuse",
    ] {
        assert!(said.stdout.contains(word), "{word}: {said:?}");
    }
}

#[test]
fn a_missing_device_makes_it_no() {
    let said = in_a_namespace("mount -t tmpfs none /dev && mknod /dev/null c 1 3");
    assert_eq!(said.code, Some(1), "{said:?}");
    for word in ["no: /dev/fuse does not exist", "modprobe fuse"] {
        assert!(said.stdout.contains(word), "{word}: {said:?}");
    }
}

fn in_a_namespace(arrange: &str) -> Answer {
    let script = format!("{arrange} && exec \"$0\" doctor");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, OPTFS]);
    answer(command.env_remove("OPTFS_TRANSPORT"))
}
