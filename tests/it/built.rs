//! Layers built from lists of packages: `requirements.txt` by pip, `package.json` by npm. Nothing is fetched: what the lists name is
//! made here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::published::Shop;
use crate::support::command::{OPTFS, answer, output};
use crate::support::raw_zip::RawZip;
use crate::support::until::until;

const SITE: &str = "python/lib/python3.12/site-packages";

/// Writes a wheel with one module and one command.
fn wheel(shop: &Shop, name: &str, tag: &str, says: &str) {
    shop.write(&format!("{name}-2.32.3-{tag}.whl"), wheel_of(name, tag, says));
}

/// A wheel with one module and one command.
pub(crate) fn wheel_of(name: &str, tag: &str, says: &str) -> RawZip {
    let info = format!("{name}-2.32.3.dist-info");
    let wheel = format!("Wheel-Version: 1.0\nGenerator: scene\nRoot-Is-Purelib: true\nTag: {tag}\n");
    let record = format!(
        "{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/entry_points.txt,,\n{info}/RECORD,,\n"
    );
    RawZip::new()
        .file(
            format!("{name}/__init__.py"),
            format!("def main():\n    print('{says}')\n"),
        )
        .file(
            format!("{info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: 2.32.3\n"),
        )
        .file(format!("{info}/WHEEL"), wheel)
        .file(
            format!("{info}/entry_points.txt"),
            format!("[console_scripts]\n{name}-command = {name}:main\n"),
        )
        .file(format!("{info}/RECORD"), record)
}

fn text(shop: &Shop, name: &str, text: &str) {
    fs::write(shop.path("here").join(name), text).unwrap();
}

/// `optfs layer publish`, in a directory for temporary files that must be empty afterwards.
fn publish(shop: &Shop, words: &[&str]) -> Command {
    let mut command = shop.command(&["layer", "publish"]);
    let temp = shop.path("temp");
    fs::create_dir_all(&temp).unwrap();
    command.args(words).env("TMPDIR", temp);
    command
}

#[track_caller]
fn published(shop: &Shop, words: &[&str]) -> Value {
    let said = output(publish(shop, words).arg("--json"));
    assert_eq!(left(shop), Vec::<String>::new());
    serde_json::from_str(&said).unwrap()
}

/// What lies in the directory for temporary files.
fn left(shop: &Shop) -> Vec<String> {
    let entries = fs::read_dir(shop.path("temp")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn digest(version: &Value) -> &str {
    version["Content"]["CodeSha256"].as_str().unwrap()
}

#[test]
fn a_list_for_pip_becomes_a_layer_the_same_each_time() {
    let shop = Shop::new();
    wheel(&shop, "tool", "py3-none-any", "hello from the layer");
    text(&shop, "requirements.txt", "./tool-2.32.3-py3-none-any.whl\n");
    let words = [
        "tool",
        "--requirements",
        "requirements.txt",
        "--runtime",
        "python3.12",
        "--architecture",
        "arm64",
    ];
    let first = published(&shop, &words);
    assert_eq!(first["CompatibleRuntimes"], serde_json::json!(["python3.12"]));
    assert_eq!(first["CompatibleArchitectures"], serde_json::json!(["arm64"]));
    // Another umask, another directory, compiled files asked for.
    let elsewhere = shop.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let again = output(
        Command::new("sh")
            .args(["-c", "umask 077; exec \"$@\"", "sh", OPTFS, "layer", "publish"])
            .args(words)
            .arg("--json")
            .current_dir(shop.path("here"))
            .env("OPTFS_STORE", shop.path("store"))
            .env("TMPDIR", &elsewhere)
            .env("PIP_COMPILE", "1"),
    );
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(digest(&again), digest(&first));

    assert_eq!(
        shop.say(&[
            "run",
            "--layer",
            "tool",
            "--runtime",
            "python3.12",
            "--",
            "tool-command"
        ]),
        "hello from the layer\n"
    );
    let tree = shop.say(&["extract", "--layer", "tool", "--quiet", "out"]);
    assert_eq!(tree, "");
    let out = shop.path("here/out");
    assert!(out.join(SITE).join("tool/__init__.py").is_file());
    assert!(
        !out.join(SITE)
            .join("tool-2.32.3.dist-info/direct_url.json")
            .exists()
    );
    let script = fs::read_to_string(out.join("bin/tool-command")).unwrap();
    assert!(script.starts_with("#!/usr/bin/env python3\n"), "{script}");
    let record = fs::read_to_string(out.join(SITE).join("tool-2.32.3.dist-info/RECORD")).unwrap();
    for line in record.lines() {
        let name = line.split(',').next().unwrap();
        assert!(out.join(SITE).join(name).is_file(), "{line}");
    }
}

/// What is built is for the processor and the Python that are named, whatever this machine has.
#[test]
fn wheels_are_those_of_the_runtime_and_the_processor() {
    let shop = Shop::new();
    let built = [
        ("cp312-cp312-manylinux2014_aarch64", "arm, 3.12"),
        ("cp312-cp312-manylinux_2_34_x86_64", "intel, 3.12"),
        ("cp312-cp312-manylinux_2_39_x86_64", "a newer system"),
        ("cp313-cp313-manylinux2014_x86_64", "intel, 3.13"),
        ("cp311-cp311-manylinux2014_x86_64", "intel, 3.11"),
        ("cp311-cp311-manylinux_2_28_x86_64", "a newer system"),
    ];
    for (tag, says) in built {
        wheel(&shop, "native", tag, says);
    }
    text(&shop, "requirements.txt", "--no-index\n--find-links .\nnative\n");
    for (runtime, architecture, says) in [
        ("python3.12", "arm64", "arm, 3.12"),
        ("python3.12", "x86_64", "intel, 3.12"),
        ("python3.13", "x86_64", "intel, 3.13"),
        // Amazon Linux 2.
        ("python3.11", "x86_64", "intel, 3.11"),
    ] {
        let list = ["native", "--requirements", "requirements.txt"];
        published(
            &shop,
            &[&list[..], &["--runtime", runtime, "--architecture", architecture]].concat(),
        );
        let module = format!("python/lib/{runtime}/site-packages/native/__init__.py");
        let found = shop.say(&["cat", "--layer", "native", &module]);
        assert!(found.contains(says), "{runtime} {architecture}: {found}");
    }
    let none = answer(
        publish(&shop, &["native", "--requirements", "requirements.txt"]).args([
            "--runtime",
            "python3.14",
            "--architecture",
            "arm64",
        ]),
    );
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(
        none.stderr.contains("requirements.txt: pip ended with status 1: Could not find a version that satisfies the requirement native"),
        "{none:?}"
    );
    assert!(none.stderr.contains("only wheels"), "{none:?}");
}

/// A package of npm whose script leaves a file behind.
fn npm_package(shop: &Shop) -> String {
    let package = shop.path("left");
    fs::create_dir(&package).unwrap();
    let trace = shop.path("trace");
    let about = serde_json::json!({
        "name": "left", "version": "1.0.0", "bin": { "left": "cli.js" },
        "scripts": { "postinstall": format!("touch {}", trace.display()) },
    });
    fs::write(package.join("package.json"), about.to_string()).unwrap();
    fs::write(
        package.join("cli.js"),
        "#!/usr/bin/env node\nconsole.log('left')\n",
    )
    .unwrap();
    let here = shop.path("here");
    output(
        Command::new("npm")
            .args(["pack", "--silent", "--pack-destination"])
            .arg(&here)
            .current_dir(&package),
    );
    "left-1.0.0.tgz".to_owned()
}

#[test]
fn a_package_of_npm_becomes_a_layer_and_runs_no_script() {
    let shop = Shop::new();
    let tarball = npm_package(&shop);
    fs::create_dir(shop.path("here/right")).unwrap();
    text(
        &shop,
        "right/package.json",
        r#"{"name":"right","version":"2.0.0"}"#,
    );
    text(&shop, "right/index.js", "module.exports = 'right'");
    text(
        &shop,
        "package.json",
        &serde_json::json!({
            "dependencies": { "left": format!("file:{tarball}"), "right": "./right" },
            "devDependencies": { "not-there": "file:not-there.tgz" },
            "scripts": { "postinstall": "false" },
        })
        .to_string(),
    );
    let words = [
        "left",
        "--package-json",
        "package.json",
        "--runtime",
        "nodejs20.x",
    ];
    let first = published(&shop, &words);
    assert!(!shop.path("trace").exists(), "a stranger's script has run");
    let again = published(&shop, &words);
    assert_eq!(digest(&first), digest(&again));
    let node = [
        "run",
        "--layer",
        "left",
        "--runtime",
        "nodejs20.x",
        "--",
        "node",
        "-p",
    ];
    let right = shop.say(&[&node[..], &["require('right')"]].concat());
    assert_eq!(right, "right\n");
    let link = ["cat", "--layer", "left", "nodejs/node_modules/.bin/left"];
    assert!(shop.say(&link).contains("console.log"));

    published(&shop, &[&words[..], &["--allow-scripts"]].concat());
    assert!(shop.path("trace").exists(), "the script was wanted");
}

#[test]
fn what_a_lock_file_says_is_installed() {
    let shop = Shop::new();
    let tarball = npm_package(&shop);
    let depend = format!("file:{tarball}");
    text(
        &shop,
        "package.json",
        &serde_json::json!({ "dependencies": { "left": &depend } }).to_string(),
    );
    let lock = |integrity: &str| {
        serde_json::json!({
            "lockfileVersion": 3, "requires": true,
            "packages": {
                "": { "dependencies": { "left": &depend } },
                "node_modules/left": { "version": "1.0.0", "resolved": &depend, "integrity": integrity },
            },
        })
        .to_string()
    };
    let words = [
        "left",
        "--package-json",
        "package.json",
        "--runtime",
        "nodejs20.x",
    ];
    // Written with another tarball at hand.
    let other =
        "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
    text(&shop, "package-lock.json", &lock(other));
    let refused = answer(&mut publish(&shop, &words));
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("EINTEGRITY"), "{refused:?}");
    let sum = output(Command::new("sh").current_dir(shop.path("here")).args([
        "-c",
        "python3 -c \"import base64, hashlib, sys; print(base64.b64encode(hashlib.sha512(open(sys.argv[1], 'rb').read()).digest()).decode())\" left-1.0.0.tgz",
    ]));
    text(
        &shop,
        "package-lock.json",
        &lock(&format!("sha512-{}", sum.trim())),
    );
    published(&shop, &words);
    text(
        &shop,
        "package-lock.json",
        r#"{"lockfileVersion":3,"packages":{"node_modules/x":{"resolved":"../x","link":true}}}"#,
    );
    let linked = answer(&mut publish(&shop, &words));
    assert!(
        linked
            .stderr
            .contains("package-lock.json: node_modules/x is a link to a directory"),
        "{linked:?}"
    );
}

#[test]
fn what_cannot_be_built_is_said_and_nothing_is_published() {
    let shop = Shop::new();
    text(&shop, "requirements.txt", "./not-there.whl\n");
    text(&shop, "comments.txt", "# requests\n\n");
    text(&shop, "package.json", "{\"devDependencies\": {\"x\": \"1\"}}");
    text(&shop, "broken.json", "{");
    text(&shop, "workspaces.json", "{\"workspaces\": [\"a\"]}");
    let python = ["--runtime", "python3.12"];
    let node = ["--runtime", "nodejs20.x"];
    for (list, rest, code, said) in [
        (
            ["--requirements", "requirements.txt"],
            &python[..],
            3,
            "not-there.whl",
        ),
        (
            ["--requirements", "comments.txt"],
            &python,
            3,
            "comments.txt: names no package",
        ),
        (
            ["--requirements", "absent.txt"],
            &python,
            3,
            "absent.txt: no such file",
        ),
        (
            ["--requirements", "requirements.txt"],
            &node,
            2,
            "nodejs20.x is no runtime of Python",
        ),
        (["--requirements", "requirements.txt"], &[], 2, "--runtime"),
        (["--package-json", "package.json"], &node, 3, "names no package"),
        (
            ["--package-json", "broken.json"],
            &node,
            3,
            "broken.json: no JSON",
        ),
        (["--package-json", "workspaces.json"], &node, 3, "has workspaces"),
        (
            ["--package-json", "package.json"],
            &python,
            2,
            "python3.12 is no runtime of Node.js",
        ),
        (["--zip", "a.zip"], &python, 2, "--runtime says what is built"),
    ] {
        let refused = answer(publish(&shop, &["x"]).args(list).args(rest));
        assert_eq!(refused.code, Some(code), "{list:?} {rest:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{list:?} {rest:?}: {refused:?}");
        assert_eq!(left(&shop), Vec::<String>::new(), "{list:?}");
    }
    for (list, rest, said) in [
        (
            ["--requirements", "requirements.txt"],
            &python,
            "pip is not to be had",
        ),
        (
            ["--package-json", "workable.json"],
            &node,
            "npm is not to be had: npm is not on the PATH",
        ),
    ] {
        text(&shop, "workable.json", "{\"dependencies\": {\"x\": \"1\"}}");
        let nothing = shop.path("temp");
        let refused = answer(publish(&shop, &["x"]).args(list).args(rest).env("PATH", nothing));
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert_eq!(shop.say(&["layer", "list"]), "");
}

/// A pip that writes into its target, starts a process of its own, and never ends.
const ENDLESS_PIP: &str = r#"#!/bin/sh
case $1 in --version) echo "pip 99 from here (python 3.12)"; exit ;; esac
for word; do case $word in --target=*) target=${word#--target=} ;; esac; done
mkdir -p "$target/half"
echo "Collecting everything"
while :; do date > "$target/half/file"; sleep 0.01; done &
echo $$ $! > "$PIDS.new"
mv "$PIDS.new" "$PIDS"
wait
"#;

#[test]
fn a_build_that_is_killed_leaves_nothing() {
    // Not SIGINT, which tests that run in the background of a shell ignore.
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let shop = Shop::new();
        text(&shop, "requirements.txt", "everything\n");
        let programs = shop.path("programs");
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("pip3"), ENDLESS_PIP).unwrap();
        fs::set_permissions(programs.join("pip3"), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["python3", "python3.12"] {
            fs::write(programs.join(name), "#!/bin/sh\nexit 1\n").unwrap();
            fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let pids = shop.path("pids");
        let mut running = publish(&shop, &["x", "--requirements", "requirements.txt"])
            .args(["--runtime", "python3.12"])
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("PIDS", &pids)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("pip is at work", || pids.exists());
        let at_work = fs::read_to_string(&pids).unwrap();
        assert!(!left(&shop).is_empty());
        kill(Pid::from_raw(running.id() as i32), signal).unwrap();
        running.wait().unwrap();
        until("the directory of the build is gone", || left(&shop).is_empty());
        for pid in at_work.split_whitespace() {
            until("pip and what it started have ended", || is_gone(pid));
        }
        assert!(
            !shop.path("store/accounts").exists(),
            "{signal}: something is published"
        );
    }
}

fn is_gone(pid: &str) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(pid).join("status")).unwrap_or_default();
    status.is_empty() || status.contains("State:\tZ")
}
