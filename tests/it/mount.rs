//! How a mount appears: its line in the mount table, its owner and modes, its sizes, and how its layers are named.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use tempfile::TempDir;

use crate::support::command::{OPTFS, answer, optfs, output};
use crate::support::place::{Place, unmount_with};
use crate::support::raw_zip::RawZip;

#[test]
fn the_mount_table_names_optfs_and_the_layers() {
    let place = Place::new(&[one_file("bottom"), one_file("top")]);
    place.mount([]);
    let mounts = place.mounts();
    assert_eq!(mounts.len(), 1);
    let [source, _, filesystem, options] = &mounts[0];
    assert_eq!(
        (&source[..], &filesystem[..]),
        ("layer0.zip:layer1.zip", "fuse.optfs")
    );
    let options: Vec<_> = options.split(',').collect();
    for expected in ["ro", "nosuid", "nodev", "noatime", "default_permissions"] {
        assert!(options.contains(&expected), "{expected} is not in {options:?}");
    }
    assert!(!options.contains(&"noexec"), "{options:?}");
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "top");
}

#[test]
fn fsname_changes_what_the_mount_table_shows() {
    let place = Place::new(&[one_file("x")]);
    place.mount(["-o", r"fsname=my\,stack,noexec"]);
    let [source, _, _, options] = &place.mounts()[0];
    assert_eq!(source, "my,stack");
    assert!(options.split(',').any(|option| option == "noexec"), "{options}");
}

#[test]
fn layers_come_from_a_list_from_options_or_from_plain_arguments() {
    let place = Place::new(&[one_file("bottom"), one_file("top")]);
    let list = place.scratch().join("stack");
    fs::write(&list, "# bottom first\nlayer0.zip\n\nlayer1.zip\n").unwrap();
    let [bottom, top] = place.layers() else {
        unreachable!()
    };
    let option = format!("layers={}:{}", bottom.display(), top.display());
    let in_reverse = format!("layers={}:{}", top.display(), bottom.display());

    for (named, expected) in [
        (vec!["--stack", list.to_str().unwrap()], "top"),
        (vec!["-o", &option], "top"),
        (vec!["-o", &in_reverse], "bottom"),
        (
            vec!["--layer", top.to_str().unwrap(), bottom.to_str().unwrap()],
            "bottom",
        ),
    ] {
        output(optfs().arg("mount").args(&named).arg(place.opt()));
        assert_eq!(
            fs::read_to_string(place.path("name")).unwrap(),
            expected,
            "{named:?}"
        );
        place.unmount();
    }
}

#[test]
fn everything_may_be_named_relative_to_the_working_directory() {
    let place = Place::new(&[one_file("x")]);
    output(
        optfs()
            .args(["mount", "layer0.zip", "opt"])
            .current_dir(place.scratch()),
    );
    assert_eq!(fs::read_to_string(place.path("name")).unwrap(), "x");
    unmount_with(optfs().args(["umount", "opt"]).current_dir(place.scratch()));
    assert!(!place.is_mounted());
}

#[test]
fn who_mounts_owns_everything_unless_told_otherwise() {
    let place = Place::new(&[RawZip::new().file("d/f", "x").symlink("l", "d").owner(7, 7)]);
    let owners = |place: &Place| {
        ["", "d", "d/f", "l"].map(|name| {
            let metadata = fs::symlink_metadata(place.path(name)).unwrap();
            (metadata.uid(), metadata.gid())
        })
    };
    let own = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    for (options, owner) in [
        (vec![], own),
        (vec!["--uid", "993", "--gid", "990"], (993, 990)),
        (vec!["-o", "uid=12,gid=34"], (12, 34)),
        (vec!["-o", "uid=12", "--uid", "13"], (13, own.1)),
    ] {
        output(
            optfs()
                .arg("mount")
                .args(&options)
                .args(place.layers())
                .arg(place.opt()),
        );
        assert_eq!(owners(&place), [owner; 4], "{options:?}");
        place.unmount();
    }
}

#[test]
fn masks_take_bits_away_from_files_and_directories() {
    let archive = RawZip::new()
        .dir("d/")
        .mode(0o777)
        .file("d/f", "x")
        .mode(0o776)
        .symlink("l", "d");
    let place = Place::new(&[archive]);
    for (masks, directory, file) in [
        ("ro", 0o777, 0o776),
        ("umask=027", 0o750, 0o750),
        ("fmask=133,dmask=022", 0o755, 0o644),
    ] {
        place.mount(["-o", masks]);
        let mode = |name| {
            fs::symlink_metadata(place.path(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!(
            (mode("d"), mode("d/f"), mode("l")),
            (directory, file, 0o777),
            "{masks}"
        );
        place.unmount();
    }
}

#[test]
fn noexec_keeps_programs_from_running() {
    let place = Place::new(&[RawZip::new().file("hello", "#!/bin/sh\necho hello\n").mode(0o755)]);
    place.mount(["-o", "noexec"]);
    let refused = Command::new(place.path("hello")).output().unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(Errno::EACCES as i32));
    place.unmount();
    place.mount([]);
    assert_eq!(output(&mut Command::new(place.path("hello"))), "hello\n");
}

#[test]
fn statfs_counts_blocks_and_inodes_and_has_none_to_give() {
    let archive = RawZip::new()
        .file("d/one", vec![b'x'; 5000])
        .file("d/two", "y")
        .symlink("l", "d");
    let place = Place::new(&[archive]);
    place.mount([]);
    let all = statvfs(place.opt()).unwrap();
    assert_eq!((all.fragment_size(), all.blocks()), (4096, 2 + 1));
    assert_eq!((all.blocks_free(), all.blocks_available()), (0, 0));
    // The root, d, one, two and l.
    assert_eq!((all.files(), all.files_free()), (5, 0));
    assert_eq!(all.name_max(), 255);
    assert!(all.flags().contains(FsFlags::ST_RDONLY | FsFlags::ST_NOSUID));
}

/// What cannot be mounted on is refused with the status of a bad mount point, and what to do.
#[test]
fn a_bad_mount_point_is_named_with_what_to_do() {
    let place = Place::new(&[one_file("x")]);
    let layer = &place.layers()[0];
    let elsewhere = TempDir::new().unwrap();
    let missing = elsewhere.path().join("missing");
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(layer, &link).unwrap();
    for (mountpoint, word, hint) in [
        (&missing, "does not exist", "mkdir -p"),
        (layer, "a file", "the directory comes last"),
        (&link, "a file", "the directory comes last"),
    ] {
        let said = answer(optfs().arg("mount").arg(layer).arg(mountpoint));
        assert_eq!(said.code, Some(4), "{said:?}");
        assert!(said.stderr.contains(mountpoint.to_str().unwrap()), "{said:?}");
        assert!(
            said.stderr.contains(word) && said.stderr.contains(hint),
            "{said:?}"
        );
    }
    assert!(!place.is_mounted());
}

/// The failure of the background process is the failure of the command, and nothing is mounted.
#[test]
fn a_bad_layer_fails_the_command_that_mounts() {
    let place = Place::new(&[one_file("x")]);
    let bad = place.scratch().join("bad.zip");
    fs::write(&bad, "not a zip").unwrap();
    let said = answer(
        optfs()
            .arg("mount")
            .arg(&place.layers()[0])
            .arg(&bad)
            .arg(place.opt()),
    );
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("bad.zip"), "{said:?}");
    assert_eq!(said.stderr.matches("optfs:").count(), 1, "one message: {said:?}");
    assert!(!place.is_mounted());
}

/// In a mount namespace of its own, whose /dev has no fuse.
#[test]
fn a_missing_device_is_named_with_what_to_do() {
    let place = Place::new(&[one_file("x")]);
    let script = r#"mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec "$0" mount "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, OPTFS]);
    let said = answer(command.args(place.layers()).arg(place.opt()));
    assert_eq!(said.code, Some(5), "{said:?}");
    for word in [
        "/dev/fuse does not exist",
        "hint: load it with 'modprobe fuse'",
        "--device /dev/fuse",
    ] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
}

fn one_file(content: &str) -> RawZip {
    RawZip::new().file("name", content)
}
