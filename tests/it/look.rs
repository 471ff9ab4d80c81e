//! Looking into a stack without mounting it: ls, cat, stat and tree, to a pipe and on a terminal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Answer, OPTFS, answer, optfs};
use crate::support::raw_zip::RawZip;
use crate::support::seen::ARCHIVE_MTIME;
use crate::support::stack::write_archive;

/// 2024-05-06 07:08:09 UTC.
pub(crate) const MTIME: i32 = 1_714_979_289;
/// More than one read, and more than one checkpoint of a large entry.
const LARGE_BYTES: usize = 3_000_000;

/// Three layers in which everything happens that the verbs tell about.
pub(crate) struct Scene {
    pub(crate) scratch: TempDir,
    layers: Vec<&'static str>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let base = RawZip::new()
            .dir("bin/")
            .mtime(MTIME)
            .file("bin/tool", b"one\n")
            .mode(0o755)
            .mtime(MTIME)
            .file("etc/deep/conf", b"buried")
            .mtime(MTIME)
            .file("lib/same.txt", b"same")
            .mtime(MTIME)
            .file("large", large())
            .deflate()
            .mtime(MTIME);
        let middle = RawZip::new()
            .file("bin/tool", b"two and more\n")
            .mtime(MTIME)
            .file("lib/same.txt", b"same")
            .mtime(MTIME)
            .symlink("absolute", "/opt/lib/same.txt")
            .mtime(MTIME)
            .symlink("lib64", "lib")
            .mtime(MTIME)
            .symlink("loop", "loop")
            .mtime(MTIME)
            .symlink("outside", "/etc/passwd")
            .mtime(MTIME);
        let top = RawZip::new()
            .file("bin/tool", b"three\n")
            .mode(0o750)
            .mtime(MTIME)
            .file("lib/same.txt", b"same")
            .mtime(MTIME)
            .file("etc", b"a file now")
            .mtime(MTIME);
        Self::of(&[("base.zip", base), ("middle.zip", middle), ("top.zip", top)])
    }

    pub(crate) fn of(layers: &[(&'static str, RawZip)]) -> Self {
        let scratch = TempDir::new().expect("a temporary directory");
        for (name, zip) in layers {
            write_archive(&scratch.path().join(name), &zip.build(), ARCHIVE_MTIME);
        }
        Self {
            scratch,
            layers: layers.iter().map(|(name, _)| *name).collect(),
        }
    }

    /// `optfs` with these arguments and the layers of the scene, run where they lie.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = optfs();
        command.args(args).current_dir(self.scratch.path());
        for layer in &self.layers {
            command.args(["--layer", layer]);
        }
        command
    }

    pub(crate) fn ask(&self, args: &[&str]) -> Answer {
        answer(&mut self.command(args))
    }

    /// The answer to a question that has one, and nothing to complain about.
    pub(crate) fn says(&self, args: &[&str]) -> String {
        let answer = self.ask(args);
        assert_eq!(
            (answer.code, answer.stderr.as_str()),
            (Some(0), ""),
            "{args:?}: {answer:?}"
        );
        answer.stdout
    }

    pub(crate) fn objects(&self, args: &[&str]) -> Vec<Value> {
        let text = self.ask(args).stdout;
        let parsed = text.lines().map(serde_json::from_str);
        parsed
            .map(|line| line.expect("a line is one JSON object"))
            .collect()
    }

    /// What a terminal shows, of a width that nothing here fills.
    pub(crate) fn on_a_terminal(&self, args: &str, environment: &[(&str, &str)]) -> String {
        let layers = self.layers.iter().map(|layer| format!(" --layer {layer}"));
        let line = format!("'{OPTFS}' {args}{}", layers.collect::<String>());
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .current_dir(self.scratch.path());
        script.env_remove("NO_COLOR").env_remove("OPTFS_LOG");
        script.envs(environment.iter().copied()).stdin(Stdio::null());
        answer(&mut script).stdout.replace("\r\n", "\n")
    }
}

fn large() -> Vec<u8> {
    (0..LARGE_BYTES).map(|i| (i * i % 251) as u8).collect()
}

#[test]
fn ls_lists_names_in_order() {
    let scene = Scene::new();
    let root = "absolute\nbin\netc\nlarge\nlib\nlib64\nloop\noutside\n";
    for path in [&[][..], &["/"], &["."], &["/opt"], &["/opt/"]] {
        assert_eq!(scene.says(&[&["ls"], path].concat()), root, "{path:?}");
    }
    for path in ["bin", "/bin/", "/opt/bin", "bin/../bin"] {
        assert_eq!(scene.says(&["ls", path]), "tool\n", "{path}");
    }
    assert_eq!(scene.says(&["ls", "etc"]), "etc\n");
    assert_eq!(scene.says(&["ls", "/opt/bin/tool"]), "bin/tool\n");
}

#[test]
fn ls_goes_through_a_link_to_a_directory_and_names_the_others() {
    let scene = Scene::new();
    assert_eq!(scene.says(&["ls", "lib64"]), "same.txt\n");
    assert_eq!(scene.says(&["ls", "absolute"]), "absolute\n");
    assert_eq!(scene.says(&["ls", "loop", "outside"]), "loop\noutside\n");
    let link = "lrwxrwxrwx           3 2024-05-06 07:08:09  middle.zip  lib64 -> lib\n";
    assert_eq!(scene.says(&["ls", "-l", "lib64"]), link);
}

#[test]
fn ls_long_says_mode_size_time_and_layer() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["ls", "-l"]),
        "\
lrwxrwxrwx          17 2024-05-06 07:08:09  middle.zip  absolute -> /opt/lib/same.txt
drwxr-xr-x        4096 2024-05-06 07:08:09  base.zip    bin
-rw-r--r--          10 2024-05-06 07:08:09  top.zip     etc
-rw-r--r--     3000000 2024-05-06 07:08:09  base.zip    large
drwxr-xr-x        4096 2020-09-13 12:26:40  base.zip    lib
lrwxrwxrwx           3 2024-05-06 07:08:09  middle.zip  lib64 -> lib
lrwxrwxrwx           4 2024-05-06 07:08:09  middle.zip  loop -> loop
lrwxrwxrwx          11 2024-05-06 07:08:09  middle.zip  outside -> /etc/passwd
"
    );
    let tool = "-rwxr-x---           6 2024-05-06 07:08:09  top.zip     bin/tool\n";
    assert_eq!(scene.says(&["ls", "-l", "bin/tool"]), tool);
}

#[test]
fn ls_recursive_shows_everything_below() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["ls", "-R"]),
        ".:\nabsolute\nbin\netc\nlarge\nlib\nlib64\nloop\noutside\n\n./bin:\ntool\n\n./lib:\nsame.txt\n"
    );
}

#[test]
fn ls_lists_what_is_there_beside_what_is_missing() {
    let scene = Scene::new();
    let answer = scene.ask(&["ls", "bin", "nope", "large", "etc/deep", "lib"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert_eq!(answer.stdout, "bin:\ntool\nlarge\n\nlib:\nsame.txt\n");
    assert_eq!(
        answer.stderr,
        "optfs: nope: no such file or directory\noptfs: etc/deep: not a directory\n"
    );
}

#[test]
fn ls_json_is_one_object_a_line() {
    let scene = Scene::new();
    let objects = scene.objects(&["ls", "--json", "-R"]);
    let paths: Vec<_> = objects
        .iter()
        .map(|o| o["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(
        paths,
        [
            "absolute",
            "bin",
            "etc",
            "large",
            "lib",
            "lib64",
            "loop",
            "outside",
            "bin/tool",
            "lib/same.txt"
        ]
    );
    assert_eq!(
        objects[8],
        serde_json::json!({
            "path": "bin/tool", "type": "file", "mode": "0750", "size": 6, "mtime": MTIME, "layer": "top.zip",
            "position": 3,
        })
    );
    assert_eq!(
        (&objects[0]["type"], &objects[0]["target"]),
        (&Value::from("symlink"), &Value::from("/opt/lib/same.txt"))
    );
}

#[test]
fn cat_gives_the_exact_bytes() {
    let scene = Scene::new();
    for path in ["large", "/opt/large", "/large", "bin/../large"] {
        let output = scene.command(&["cat", path]).output().expect("optfs starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{path}");
        assert!(output.stdout == large(), "{path}: other bytes");
    }
    assert_eq!(scene.says(&["cat", "bin/tool", "etc"]), "three\na file now");
}

#[test]
fn cat_follows_links_as_long_as_they_stay_in_the_tree() {
    let scene = Scene::new();
    for path in ["absolute", "lib64/same.txt", "/opt/lib64/../lib/same.txt"] {
        assert_eq!(scene.says(&["cat", path]), "same", "{path}");
    }
    let links = scene.ask(&["cat", "loop", "outside", "absolute"]);
    assert_eq!((links.code, links.stdout.as_str()), (Some(6), "same"));
    assert_eq!(
        links.stderr,
        "optfs: loop: too many levels of symbolic links\n\
         optfs: outside: a link leads out of the tree, to /etc/passwd\n"
    );
}

#[test]
fn cat_refuses_what_has_no_bytes() {
    let scene = Scene::new();
    for (path, word) in [
        ("bin", "is a directory"),
        ("/", "is a directory"),
        ("nope", "no such file or directory"),
        ("bin/tool/x", "not a directory"),
        ("etc/deep/conf", "not a directory"),
    ] {
        let answer = scene.ask(&["cat", path]);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""), "{path}");
        assert_eq!(answer.stderr, format!("optfs: {path}: {word}\n"));
    }
}

#[test]
fn cat_of_damaged_bytes_names_archive_entry_and_reason() {
    let scene = Scene::of(&[(
        "bad.zip",
        RawZip::new()
            .file("data/x", b"bytes")
            .crc(0x1234_5678)
            .file("y", b"good"),
    )]);
    let answer = scene.ask(&["cat", "data/x", "y"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(6), "good"));
    for word in ["bad.zip", "data/x", "crc", "expected 12345678"] {
        assert!(answer.stderr.contains(word), "{word}: {}", answer.stderr);
    }
}

#[test]
fn stat_says_all_that_is_known_of_a_path() {
    let scene = Scene::new();
    let text = scene.says(&["stat", "/opt/bin/tool", "lib", "lib64"]);
    let crc = crc32fast::hash(b"three\n");
    assert_eq!(
        text,
        format!(
            "        path  /opt/bin/tool
        type  file
        mode  0750 -rwxr-x---
        size  6 (6 B)
    modified  2024-05-06 07:08:09 UTC
       inode  10, 1 link
       layer  top.zip (layer 3)
      method  stored
  compressed  6 (6 B)
       crc32  {crc:08x}

        path  /opt/lib
        type  directory
        mode  0755 drwxr-xr-x
        size  4096 (4.0 KiB)
    modified  2020-09-13 12:26:40 UTC
       inode  6, 2 links
       layer  base.zip (layer 1)
       entry  none: an implicit directory

        path  /opt/lib64
        type  symlink
      target  lib
        mode  0777 lrwxrwxrwx
        size  3 (3 B)
    modified  2024-05-06 07:08:09 UTC
       inode  7, 1 link
       layer  middle.zip (layer 2)
      method  stored
  compressed  3 (3 B)
       crc32  {:08x}
",
            crc32fast::hash(b"lib")
        )
    );
    assert_eq!(scene.ask(&["stat", "nope"]).code, Some(1));
}

#[test]
fn tree_draws_the_stack() {
    let scene = Scene::new();
    assert_eq!(
        scene.says(&["tree"]),
        "\
/opt
├── absolute -> /opt/lib/same.txt  [middle.zip]
├── bin
│   └── tool  [top.zip]
├── etc  [top.zip]
├── large  [base.zip]
├── lib
│   └── same.txt  [top.zip]
├── lib64 -> lib  [middle.zip]
├── loop -> loop  [middle.zip]
└── outside -> /etc/passwd  [middle.zip]

2 directories, 8 files
"
    );
    assert_eq!(
        scene.says(&["tree", "bin"]),
        "bin\n└── tool  [top.zip]\n\n0 directories, 1 file\n"
    );
    let deep = Scene::of(&[("deep.zip", RawZip::new().file("a/b/c/d", b"").file("a/e", b""))]);
    assert_eq!(
        deep.says(&["tree", "-L", "2", "/"]),
        "/\n└── a\n    ├── b\n    └── e  [deep.zip]\n\n2 directories, 1 file\n"
    );
    assert_eq!(
        deep.says(&["tree", "a"]),
        "a\n├── b\n│   └── c\n│       └── d  [deep.zip]\n└── e  [deep.zip]\n\n2 directories, 2 files\n"
    );
}

/// The same objects as of ls, in the order of the drawing, however deep it goes.
#[test]
fn tree_json_is_one_object_a_line() {
    let scene = Scene::new();
    let drawn = scene.objects(&["tree", "--json"]);
    let mut listed = scene.objects(&["ls", "--json", "-R"]);
    listed.sort_by_key(|o| o["path"].as_str().map(str::to_owned));
    assert_eq!(drawn, listed);
    let below = scene.objects(&["tree", "--json", "bin"]);
    assert_eq!((below.len(), &below[0]["path"]), (1, &"bin/tool".into()));
    assert_eq!(scene.objects(&["tree", "--json", "-L", "1"]).len(), 8);
}

#[test]
fn tree_needs_a_directory() {
    let scene = Scene::new();
    let answer = scene.ask(&["tree", "bin/tool"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""));
    assert!(
        answer.stderr.starts_with("optfs: bin/tool: not a directory\n"),
        "{answer:?}"
    );
}

/// Whoever has seen enough closes the pipe: no message, no trouble.
#[test]
fn a_closed_pipe_is_a_quiet_end() {
    // More lines than the pipe and our own buffer hold.
    let mut zip = RawZip::new();
    for number in 0..8_000 {
        zip = zip.file(
            format!("python/a-rather-long-directory-name/module{number:05}.py"),
            b"",
        );
    }
    let scene = Scene::of(&[("many.zip", zip)]);
    for args in [&["ls", "-R"][..], &["ls", "--json", "-R"], &["tree"]] {
        let mut child = scene
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("optfs starts");
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a first line");
        drop(stdout);
        let status = child.wait().expect("our own child");
        let mut stderr = String::new();
        let mut pipe = child.stderr.take().expect("it is piped");
        pipe.read_to_string(&mut stderr).expect("text");
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

/// Names that would move the cursor, hide, or reorder what stands beside them.
#[test]
fn odd_names_are_raw_in_a_pipe_and_escaped_on_a_terminal() {
    let zip = RawZip::new()
        .file(b"clear\x1b[2Jscreen", b"")
        .file(b"latin-\xe9", b"")
        .file(b"two\nlines", b"")
        .symlink("zlink", b"to\x07bell")
        .file("caf\u{e9}", b"")
        .file("x\u{202e}gpj.exe", b"");
    let scene = Scene::of(&[("odd.zip", zip)]);
    let piped = scene.command(&["ls"]).output().expect("optfs starts").stdout;
    assert_eq!(
        piped,
        b"caf\xc3\xa9\nclear\x1b[2Jscreen\nlatin-\xe9\ntwo\nlines\nx\xe2\x80\xaegpj.exe\nzlink\n"
    );
    let shown = scene.on_a_terminal("ls", &[]);
    let expected = "caf\u{e9}\nclear\\u{1b}[2Jscreen\nlatin-\\xe9\ntwo\\nlines\nx\\u{202e}gpj.exe\nzlink\n";
    assert_eq!(shown, expected);
    for args in [
        "ls -l",
        "ls -R",
        "tree",
        "stat zlink",
        "which zlink",
        "cat nope$(printf '\\033')[2J",
    ] {
        let shown = scene.on_a_terminal(args, &[("NO_COLOR", "1")]);
        assert!(!shown.contains(['\x1b', '\x07', '\u{202e}']), "{args}: {shown:?}");
        assert!(
            shown.contains('\\') || args.starts_with("which"),
            "{args}: {shown:?}"
        );
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let scene = Scene::new();
    for args in ["tree", "ls -l", "which bin/tool"] {
        let coloured = |environment: &[_]| scene.on_a_terminal(args, environment).contains("\x1b[");
        assert!(coloured(&[]), "{args}");
        // https://no-color.org: only when it is not empty.
        assert!(coloured(&[("NO_COLOR", "")]), "{args}");
        assert!(!coloured(&[("NO_COLOR", "1")]), "{args}");
        let words: Vec<_> = args.split(' ').collect();
        let piped = scene.says(&words);
        assert!(!piped.contains('\x1b'), "{args}");
        assert_eq!(scene.on_a_terminal(args, &[("NO_COLOR", "1")]), piped, "{args}");
    }
}

/// A path as a function's log has it is understood by every verb.
#[test]
fn a_path_with_opt_in_front_means_the_same() {
    let scene = Scene::new();
    for verb in [
        &["ls"][..],
        &["ls", "-l"],
        &["cat"],
        &["stat"],
        &["which"],
        &["which", "--json"],
    ] {
        let with = |path| scene.says(&[verb, &[path]].concat());
        assert_eq!(with("/opt/bin/tool"), with("bin/tool"), "{verb:?}");
        assert_eq!(with("/bin/tool"), with("bin/tool"), "{verb:?}");
    }
    // A layer may have a directory of that name, too.
    let scene = Scene::of(&[("opt.zip", RawZip::new().file("opt/x", b"inner"))]);
    for path in ["opt/x", "/opt/opt/x"] {
        assert_eq!(scene.says(&["cat", path]), "inner");
    }
}
