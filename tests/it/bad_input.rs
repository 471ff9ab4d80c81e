//! Bad input: each kind gets one clear message that names the file, its documented exit status, and no mount.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::{Uid, mkfifo};
use tempfile::TempDir;

use crate::support::command::{Answer, OPTFS, answer, optfs, output};
use crate::support::raw_zip::RawZip;

/// The documented exit statuses: usage, a layer, the mount point, FUSE.
const USAGE: i32 = 2;
const LAYER: i32 = 3;
const MOUNT_POINT: i32 = 4;
const UNAVAILABLE: i32 = 5;

/// A directory with two good layers, `a.zip` and `b.zip`, and `m` to mount on. Commands run there.
struct Scene {
    scratch: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            scratch: TempDir::new().expect("a temporary directory"),
        };
        scene.write("a.zip", &RawZip::new().file("x", b"from a").build());
        scene.write("b.zip", &RawZip::new().file("x", b"from b").build());
        fs::create_dir(scene.path("m")).expect("a fresh directory");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a writable directory");
    }

    /// Whether something is mounted below the scene; what other tests mount is theirs.
    fn has_mounts(&self) -> bool {
        let here = self.scratch.path().canonicalize().expect("the scene is there");
        let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
        mounts.contains(here.to_str().expect("our names are UTF-8"))
    }

    /// `optfs` with these arguments, separated by spaces, says no with this status and these words.
    fn refused(&self, args: &str, code: i32, words: &[&str]) {
        self.refuses(optfs().args(args.split_whitespace()), args, code, words);
    }

    fn refuses(&self, command: &mut Command, what: &str, code: i32, words: &[&str]) {
        let answer = answer(command.current_dir(self.scratch.path()));
        assert_eq!(answer.code, Some(code), "{what}: {answer:?}");
        assert_eq!(answer.stdout, "", "{what}: {answer:?}");
        assert_one_message(&answer, what);
        for word in words {
            assert!(
                answer.stderr.contains(word),
                "{what}: '{word}' is not in\n{}",
                answer.stderr
            );
        }
        assert!(!self.has_mounts(), "{what}: a mount is left behind");
    }

    /// Every verb that opens layers refuses this one.
    fn layer_is_refused(&self, layer: &str, words: &[&str]) {
        for args in verbs(layer) {
            self.refused(&args, LAYER, words);
        }
    }
}

/// Each verb, with one layer.
fn verbs(layer: &str) -> Vec<String> {
    vec![
        format!("mount {layer} m"),
        format!("mount a.zip {layer} m"),
        format!("mount -f {layer} m"),
        format!("ls --layer {layer}"),
        format!("cat --layer {layer} x"),
        format!("stat --layer {layer}"),
        format!("tree --layer {layer}"),
        format!("which --layer {layer} x"),
    ]
}

/// One line that begins with our name, and below it one hint: nothing twice, nothing of the insides.
fn assert_one_message(answer: &Answer, what: &str) {
    let lines: Vec<_> = answer.stderr.lines().collect();
    let (message, hint) = (lines.first().copied().unwrap_or(""), lines.get(1).copied());
    assert!(message.starts_with("optfs: "), "{what}: {answer:?}");
    assert!(
        (!message.ends_with('.') || message.ends_with("...")) && !message.contains("os error"),
        "{what}: {answer:?}"
    );
    assert!(
        hint.is_some_and(|hint| hint.starts_with("  hint: ")),
        "{what}: no hint: {answer:?}"
    );
    assert_eq!(lines.len(), 2, "{what}: {answer:?}");
}

/// A process in a mount namespace of its own, where a shell has prepared things first.
fn in_a_private_namespace(prepare: &str, args: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg(if Uid::effective().is_root() { "-m" } else { "-rm" });
    command.args(["sh", "-ec", &format!("{prepare}\nexec \"$0\" {args}"), OPTFS]);
    command
}

#[test]
fn what_is_no_zip_is_called_what_it_is() {
    let scene = Scene::new();
    let mut gzip = vec![0x1f, 0x8b, 8, 0];
    gzip.extend([0; 60]);
    for (name, bytes, word) in [
        ("l.tar.gz", gzip.as_slice(), "gzip"),
        ("page.zip", b"<!doctype html><html><body>404".as_slice(), "HTML"),
        ("error.zip", b"{\"message\":\"Forbidden\"}", "JSON"),
        ("tool", b"\x7fELF\x02\x01\x01\0", "ELF"),
        ("notes.txt", b"dear diary\n", "begins with \"dear dia\""),
        ("image.xz", b"\xfd7zXZ\0\0\0", "xz"),
        ("odd\x1b[2J", b"?", "odd\\u{1b}[2J"),
    ] {
        scene.write(name, bytes);
        let printed = name.replace('\x1b', "\\u{1b}");
        scene.layer_is_refused(name, &[&printed, "not a zip", word, "a layer is a .zip"]);
    }
}

#[test]
fn an_empty_file_is_no_layer() {
    let scene = Scene::new();
    scene.write("none.zip", b"");
    scene.layer_is_refused(
        "none.zip",
        &["none.zip: the file is empty", "expected a zip", "fetch or build"],
    );
}

#[test]
fn a_truncated_zip_is_told_from_another_file() {
    let scene = Scene::new();
    let whole = RawZip::new().file("x", [7; 5000]).build();
    for kept in [whole.len() - 1, whole.len() / 2, 40] {
        scene.write("cut.zip", &whole[..kept]);
        let bytes = format!("{kept} bytes");
        scene.layer_is_refused("cut.zip", &["cut.zip: the zip's end is missing", &bytes, "fetch"]);
    }
}

#[test]
fn a_zip_whose_directory_is_damaged_names_the_place() {
    let scene = Scene::new();
    let zip = RawZip::new().file("x", b"1").file("y", b"2");
    let bent = zip.bend_central(|record| record.signature = 0).build();
    scene.write("bent.zip", &bent);
    scene.layer_is_refused("bent.zip", &["bent.zip: ", "damaged", "unzip -t"]);
}

#[test]
fn a_directory_is_no_layer() {
    let scene = Scene::new();
    fs::create_dir(scene.path("layer")).expect("a fresh directory");
    scene.layer_is_refused("layer", &["layer: a directory, not a layer zip", "zip -qry"]);
}

#[test]
fn a_missing_layer_is_named() {
    let scene = Scene::new();
    scene.layer_is_refused("gone.zip", &["gone.zip: no such file", "check the path"]);
}

/// Opening a pipe would wait for whoever writes to it.
#[test]
fn a_pipe_a_device_and_a_socket_are_refused_at_once() {
    let scene = Scene::new();
    mkfifo(&scene.path("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    let _listener = UnixListener::bind(scene.path("socket")).expect("a socket can be made");
    scene.layer_is_refused("pipe", &["pipe: a pipe, expected a zip file", "to a file first"]);
    scene.layer_is_refused("socket", &["socket: a socket, expected a zip file"]);
    scene.layer_is_refused("/dev/zero", &["/dev/zero: a device, expected a zip file"]);
}

#[test]
fn a_layer_that_this_user_may_not_read_is_named() {
    let scene = Scene::new();
    fs::set_permissions(scene.scratch.path(), PermissionsExt::from_mode(0o777)).expect("our own directory");
    fs::set_permissions(scene.path("b.zip"), PermissionsExt::from_mode(0o000)).expect("our own file");
    // Copied by another process: one of ours that is just being started could hold the copy open for
    // writing, and then nobody may run it.
    output(Command::new("cp").arg(OPTFS).arg(scene.path("optfs")));
    for args in verbs("b.zip") {
        let mut command = Command::new("setpriv");
        if Uid::effective().is_root() {
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        }
        command.arg(scene.path("optfs")).args(args.split_whitespace());
        scene.refuses(
            &mut command,
            &args,
            LAYER,
            &["b.zip: permission denied", "chmod +r"],
        );
    }
}

#[test]
fn one_file_cannot_be_two_layers() {
    let scene = Scene::new();
    symlink("a.zip", scene.path("link.zip")).expect("a fresh name");
    fs::hard_link(scene.path("a.zip"), scene.path("hard.zip")).expect("a fresh name");
    for (second, words) in [
        ("a.zip", &["a.zip: named twice"][..]),
        ("./a.zip", &["a.zip", "./a.zip", "same file"]),
        ("link.zip", &["a.zip and link.zip are the same file"]),
        ("hard.zip", &["a.zip and hard.zip are the same file"]),
    ] {
        for args in [
            format!("mount a.zip b.zip {second} m"),
            format!("ls --layer a.zip --layer {second}"),
        ] {
            scene.refused(&args, LAYER, words);
            scene.refused(&args, LAYER, &["leave one of the two out"]);
        }
    }
}

#[test]
fn a_stack_needs_a_layer() {
    let scene = Scene::new();
    for args in ["mount m", "ls", "cat x", "stat", "tree", "which x"] {
        scene.refused(args, USAGE, &["no layer is named", "--layer ZIP", "--stack FILE"]);
    }
}

#[test]
fn a_mount_needs_a_directory_to_mount_on() {
    let scene = Scene::new();
    scene.write("notes.txt", b"not a directory");
    let last = "LAYER.zip... MOUNTPOINT";
    let file = "a file, expected a directory to mount on";
    scene.refused("mount", USAGE, &["no mount point is named", last]);
    scene.refused("mount --layer a.zip", USAGE, &["no mount point is named", last]);
    scene.refused(
        "mount a.zip gone",
        MOUNT_POINT,
        &["gone: the mount point does not exist", "mkdir -p gone"],
    );
    scene.refused("mount a.zip notes.txt", MOUNT_POINT, &["notes.txt: ", file, last]);
    // Not named at all, so that the last layer stands in its place; or named first.
    scene.refused("mount a.zip b.zip", MOUNT_POINT, &["b.zip: ", file, last]);
    scene.refused("mount m a.zip", MOUNT_POINT, &["a.zip: ", file, last]);
    scene.refused(
        "mount a.zip /dev/null",
        MOUNT_POINT,
        &["/dev/null: not a directory"],
    );
    scene.refused(
        "mount a.zip m/x",
        MOUNT_POINT,
        &["m/x: the mount point does not exist"],
    );
}

#[test]
fn where_nothing_is_mounted_nothing_can_be_unmounted() {
    let scene = Scene::new();
    let words = ["nothing is mounted there", "findmnt -t fuse.optfs"];
    scene.refused("umount m", MOUNT_POINT, &words);
    scene.refused("umount gone", MOUNT_POINT, &words);
    scene.refused(
        "umount /proc",
        MOUNT_POINT,
        &["/proc: a mount of type proc", "umount"],
    );
}

#[test]
fn unknown_words_are_named_and_the_meant_one_suggested() {
    let scene = Scene::new();
    for (args, words) in [
        ("lss", &["'lss'", "did you mean 'ls'?"][..]),
        ("frobnicate", &["'frobnicate'", "'optfs --help'"]),
        (
            "a.zip b.zip m",
            &["'a.zip'", "a command comes first: optfs mount"],
        ),
        ("ls --recursve", &["'--recursve'", "did you mean '--recursive'?"]),
        (
            "mount --frobnicate a.zip m",
            &["'--frobnicate'", "'optfs mount --help'"],
        ),
        ("cat --layer a.zip", &["<PATH>", "'optfs cat --help'"]),
        ("ls --layer", &["--layer", "'optfs ls --help'"]),
        ("ls --layer a.zip --stack s", &["--layer", "--stack"]),
        ("tree --layer a.zip -L 0", &["'0'", "--depth", "from 1 up"]),
        ("umount", &["<MOUNTPOINT>", "'optfs umount --help'"]),
        ("completions tcsh", &["'tcsh'", "bash", "fish", "zsh"]),
    ] {
        scene.refused(args, USAGE, words);
    }
}

#[test]
fn sizes_and_numbers_are_checked_before_anything_is_mounted() {
    let scene = Scene::new();
    for size in ["M", "12x", "-1", "1.5M", "99999999999999T"] {
        let args = format!("mount --cache-size={size} a.zip m");
        scene.refused(&args, USAGE, &["--cache-size", &format!("'{size}'")]);
    }
    for threads in ["0", "257", "many"] {
        let args = format!("mount --threads {threads} a.zip m");
        scene.refused(&args, USAGE, &["--threads", "expected a number from 1 to 256"]);
    }
    for id in ["uid", "gid"] {
        let args = format!("mount --{id} me a.zip m");
        scene.refused(&args, USAGE, &[id, "'me'", "expected a number"]);
    }
}

#[test]
fn mount_options_are_refused_by_name() {
    let scene = Scene::new();
    for (options, words) in [
        ("bogus", &["-o bogus: unknown option"][..]),
        ("ro,rw", &["-o rw: ", "read-only"]),
        ("suid", &["-o suid: ", "nosuid"]),
        ("allow_root", &["-o allow_root: ", "use allow_other"]),
        ("uid=me", &["-o uid=me: expected a number"]),
        ("umask=9", &["-o umask=9: ", "octal"]),
        ("threads=0", &["-o threads=0: ", "from 1 to 256"]),
        ("cachesize=12x", &["-o cachesize=12x: ", "256M"]),
        ("max_read=lots", &["-o max_read=lots: ", "number"]),
        ("allow_other=1", &["-o allow_other=1: "]),
    ] {
        let args = format!("mount -o {options} a.zip m");
        scene.refused(&args, USAGE, words);
        scene.refused(&args, USAGE, &["optfs mount --help"]);
    }
}

#[test]
fn a_stack_file_that_lists_no_layers_is_refused() {
    let scene = Scene::new();
    scene.write("empty.txt", b"\n# nothing yet\n\n");
    scene.write("binary", b"a.zip\n\0\0\x01");
    scene.write("gone.txt", b"# base first\na.zip\n\nlayers/gone.zip\n");
    scene.write("bad.txt", b"empty.txt\n");
    fs::create_dir(scene.path("dir")).expect("a fresh directory");
    for (list, code, words) in [
        (
            "a.zip",
            USAGE,
            &["a.zip: a zip, not a list of layers", "--layer"][..],
        ),
        ("empty.txt", USAGE, &["empty.txt: lists no layer", "one a line"]),
        ("binary", USAGE, &["binary: not a text", "one a line"]),
        ("dir", LAYER, &["dir: a directory, not a list", "one a line"]),
        ("nowhere", LAYER, &["nowhere: no such file", "--stack"]),
        (
            "gone.txt",
            LAYER,
            &[
                "gone.txt: line 4: layers/gone.zip: no such file",
                "directory that the list lies in",
            ],
        ),
        ("bad.txt", LAYER, &["empty.txt: not a zip"]),
    ] {
        for verb in ["ls", "stat", "tree", "cat x", "which x", "mount m"] {
            scene.refused(&format!("{verb} --stack {list}"), code, words);
        }
    }
}

/// So that the list can move together with its layers.
#[test]
fn a_stack_file_names_layers_from_its_own_directory() {
    let scene = Scene::new();
    fs::create_dir(scene.path("lists")).expect("a fresh directory");
    // Comments, spaces around, the line ends of Windows, no line end at the end; a name that begins like a zip.
    scene.write("lists/PK.zip", &RawZip::new().file("y", b"").build());
    let list = format!(
        "PK.zip\n# first to last\r\n  ../b.zip \r\n\n{}",
        scene.path("a.zip").display()
    );
    scene.write("lists/stack.txt", list.as_bytes());
    for directory in [scene.path("."), scene.path("lists"), "/".into()] {
        let mut cat = optfs();
        cat.args(["cat", "x", "--stack"])
            .arg(scene.path("lists/stack.txt"));
        assert_eq!(output(cat.current_dir(&directory)), "from a", "{directory:?}");
    }
    let beside = output(
        optfs()
            .args(["ls", "--stack", "stack.txt"])
            .current_dir(scene.path("lists")),
    );
    assert_eq!(beside, "x\ny\n");
}

#[test]
fn a_missing_fuse_device_is_no_secret() {
    let scene = Scene::new();
    fs::create_dir(scene.path("dev")).expect("a fresh directory");
    let hide =
        "mount -t tmpfs tmpfs dev; : > dev/null; mount --bind /dev/null dev/null; mount --rbind dev /dev";
    for args in ["mount a.zip m", "mount -f a.zip m"] {
        let mut command = in_a_private_namespace(hide, args);
        let words = ["/dev/fuse does not exist", "modprobe fuse", "--device /dev/fuse"];
        scene.refuses(&mut command, args, UNAVAILABLE, &words);
    }
}

#[test]
fn a_forbidden_fuse_device_is_no_secret() {
    let scene = Scene::new();
    // A device that lies on a filesystem without devices is forbidden to root, too.
    let forbid = "mount --bind /dev/fuse /dev/fuse; mount -o remount,bind,nodev /dev/fuse";
    for args in ["mount a.zip m", "mount -f a.zip m"] {
        let mut command = in_a_private_namespace(forbid, args);
        let words = [
            "/dev/fuse cannot be opened: Permission denied",
            "--device /dev/fuse",
        ];
        scene.refuses(&mut command, args, UNAVAILABLE, &words);
    }
}

#[test]
fn another_device_in_the_place_of_fuse_is_told_from_it() {
    let scene = Scene::new();
    for args in ["mount a.zip m", "mount -f a.zip m"] {
        let mut command = in_a_private_namespace("mount --bind /dev/null /dev/fuse", args);
        let words = ["/dev/fuse is not the device of FUSE", "10:229", "modprobe fuse"];
        scene.refuses(&mut command, args, UNAVAILABLE, &words);
    }
}

/// Scripts that only look at the status must see that the answer did not arrive.
#[test]
fn a_full_disk_behind_standard_output_is_reported() {
    let scene = Scene::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let mut ls = optfs();
    ls.args(["ls", "--layer"]).arg(scene.path("a.zip"));
    ls.stdout(full.expect("/dev/full is there"));
    let answer = answer(&mut ls);
    assert_eq!(answer.code, Some(6), "{answer:?}");
    assert_eq!(answer.stderr, "optfs: standard output: No space left on device\n");
}
