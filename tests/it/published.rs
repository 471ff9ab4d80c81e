//! Published layers: the store on disk, the verbs of `optfs layer`, and layers named where zips are.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::real_layers::layers;
use crate::support::command::{Answer, answer, optfs, output};
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;

/// A store, and a directory to work in beside it.
pub(crate) struct Shop {
    scratch: TempDir,
}

impl Shop {
    pub(crate) fn new() -> Shop {
        let shop = Shop {
            scratch: TempDir::new().unwrap(),
        };
        fs::create_dir(shop.path("here")).unwrap();
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A zip with one file in the working directory.
    pub(crate) fn zip(&self, name: &str, content: &str) {
        self.write(name, RawZip::new().file("python/tool.py", content));
    }

    pub(crate) fn write(&self, name: &str, zip: RawZip) {
        fs::write(self.path("here").join(name), zip.build()).unwrap();
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = optfs();
        command.current_dir(self.path("here"));
        for variable in ["OPTFS_ACCOUNT", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            command.env_remove(variable);
        }
        command.env("OPTFS_STORE", self.path("store")).args(words);
        command
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Answer {
        answer(&mut self.command(words))
    }

    #[track_caller]
    pub(crate) fn say(&self, words: &[&str]) -> String {
        output(&mut self.command(words))
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.say(words)).unwrap()
    }

    /// What AWS would say, and the exit status.
    pub(crate) fn refusal(&self, words: &[&str]) -> (Option<i32>, String) {
        let answer = self.ask(words);
        let first = answer.stderr.lines().next().unwrap_or("").to_owned();
        (answer.code, first.trim_start_matches("optfs: ").to_owned())
    }

    pub(crate) fn versions(&self, layer: &str) -> Vec<u64> {
        let answer = self.json(&["layer", "versions", layer, "--json"]);
        let listed = answer["LayerVersions"].as_array().unwrap();
        listed
            .iter()
            .map(|one| one["Version"].as_u64().unwrap())
            .collect()
    }

    pub(crate) fn contents(&self) -> usize {
        fs::read_dir(self.path("store/content")).unwrap().count()
    }

    pub(crate) fn unfinished(&self) -> usize {
        fs::read_dir(self.path("store/incoming")).unwrap().count()
    }
}

/// The walk-through of AWS's documentation: publish, publish again, mount both by name, delete the first.
#[test]
fn a_layer_is_published_mounted_by_name_and_deleted() {
    let shop = Shop::new();
    for version in ["1", "2"] {
        let package = shop.path("here/layer/python/requests");
        fs::create_dir_all(&package).unwrap();
        fs::write(
            package.join("__init__.py"),
            format!("__version__ = '{version}'\n"),
        )
        .unwrap();
        let published = shop.json(&[
            "layer",
            "publish",
            "requests",
            "--dir",
            "layer",
            "--description",
            "My layer",
            "--license-info",
            "MIT",
            "--json",
            "--compatible-runtimes",
            "python3.6",
            "python3.7",
        ]);
        let arn = "arn:aws:lambda:us-east-1:123456789012:layer:requests";
        assert_eq!(published["LayerArn"], arn);
        assert_eq!(published["LayerVersionArn"], format!("{arn}:{version}"));
        assert_eq!(published["Version"].to_string(), version);
        assert_eq!(published["LicenseInfo"], "MIT");
        assert_eq!(
            published["CompatibleRuntimes"],
            serde_json::json!(["python3.6", "python3.7"])
        );
        assert_eq!(published.get("CompatibleArchitectures"), None);
        let got = shop.json(&["layer", "get", &format!("requests:{version}"), "--json"]);
        for field in ["Content", "LayerVersionArn", "Description", "CreatedDate"] {
            assert_eq!(got[field], published[field], "{field}");
        }
    }
    let place = Place::of_layers(&[]);
    for (name, shown) in [
        ("requests", "2"),
        ("requests:1", "1"),
        ("arn:aws:lambda:us-east-1:123456789012:layer:requests:1", "1"),
    ] {
        let opt = place.opt().to_str().unwrap();
        shop.say(&["mount", name, opt]);
        if name == "requests:1" {
            assert_eq!(
                shop.say(&["layer", "delete", "requests:1"]),
                "requests:1 is deleted\n"
            );
            assert_eq!(shop.say(&["gc"]).split(',').next(), Some("1 zip freed"));
        }
        let text = fs::read_to_string(place.path("python/requests/__init__.py")).unwrap();
        assert_eq!(text, format!("__version__ = '{shown}'\n"), "{name}");
        shop.say(&["umount", opt]);
        if name == "requests:1" {
            break;
        }
    }
    assert_eq!(shop.versions("requests"), [2]);
    let gone = shop.ask(&["ls", "--layer", "requests:1"]);
    assert_eq!(gone.code, Some(3), "{gone:?}");
    assert!(
        gone.stderr.contains("no such version") && gone.stderr.contains("requests:2"),
        "{gone:?}"
    );
    // AWS answers 204 to this, however often.
    assert_eq!(
        shop.say(&["layer", "delete", "requests:1"]),
        "requests:1 was not there\n"
    );
}

/// Layers that AWS publishes are taken as they are; a program of one runs out of the store.
#[test]
fn real_layers_are_published_and_run_by_name() {
    let shop = Shop::new();
    for zip in layers(&["proxy-agent-v5", "proxy-agent-v6"]) {
        let zip = zip.to_str().unwrap();
        let published = shop.json(&["layer", "publish", "proxy", "--zip", zip, "--json"]);
        let sum = output(Command::new("python3").args([
            "-c",
            "import base64, hashlib, sys; print(base64.b64encode(hashlib.sha256(open(sys.argv[1], 'rb').read()).digest()).decode())",
            zip,
        ]));
        assert_eq!(published["Content"]["CodeSha256"], sum.trim());
    }
    let print = "require('proxy-agent/package.json').version";
    for (layer, version) in [("proxy:1", "5.0.0\n"), ("proxy", "6.4.0\n")] {
        let said = shop.say(&[
            "run",
            "--layer",
            layer,
            "--runtime",
            "nodejs20.x",
            "--",
            "node",
            "-p",
            print,
        ]);
        assert_eq!(said, version);
    }
    let too_large = layers(&["python-pyc-3"]);
    let refused = shop.refusal(&["layer", "publish", "big", "--zip", too_large[0].to_str().unwrap()]);
    let message = "Unzipped size must be smaller than 262144000 bytes";
    assert_eq!(refused, (Some(3), message.to_owned()));
}

#[test]
fn a_number_is_never_given_again() {
    let shop = Shop::new();
    shop.zip("a.zip", "a");
    let publish = || shop.json(&["layer", "publish", "a", "--zip", "a.zip", "--json"])["Version"].as_u64();
    assert_eq!((publish(), publish()), (Some(1), Some(2)));
    shop.say(&["layer", "delete", "a:2"]);
    shop.say(&["layer", "delete", "a:1"]);
    assert_eq!(shop.say(&["layer", "list"]), "");
    shop.say(&["gc"]);
    assert_eq!(publish(), Some(3));
    assert_eq!(shop.versions("a"), [3]);
}

#[test]
fn equal_content_is_stored_once_and_freed_with_its_last_version() {
    let shop = Shop::new();
    shop.zip("a.zip", "a");
    for layer in ["one", "two", "one"] {
        shop.say(&["layer", "publish", layer, "--zip", "a.zip"]);
    }
    assert_eq!(shop.contents(), 1);
    shop.say(&["layer", "delete", "one:1"]);
    shop.say(&["layer", "delete", "two:1"]);
    assert_eq!(shop.json(&["gc", "--json"])["zips"], 0);
    shop.say(&["layer", "export", "one"]);
    let exported = fs::read(shop.path("here/one-2.zip")).unwrap();
    assert_eq!(exported, fs::read(shop.path("here/a.zip")).unwrap());
    let again = shop.ask(&["layer", "export", "one:2"]);
    assert_eq!(again.code, Some(6), "{again:?}");
    shop.say(&["layer", "delete", "one:2"]);
    let freed = shop.json(&["gc", "--json"]);
    assert_eq!(
        (&freed["zips"], &freed["size"]),
        (&1.into(), &exported.len().into())
    );
    assert_eq!(shop.contents(), 0);
}

/// Same names, modes, links and bytes: the same zip, whatever the times and the order in which they were made.
#[test]
fn the_same_tree_gives_the_same_zip() {
    let shop = Shop::new();
    let make = |name: &str, files: &[&str]| {
        let top = shop.path("here").join(name);
        fs::create_dir_all(top.join("bin/empty")).unwrap();
        for file in files {
            fs::write(top.join(file), format!("this is {file}")).unwrap();
        }
        fs::set_permissions(top.join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("tool", top.join("bin/link")).unwrap();
    };
    make("a", &["bin/tool", "bin-1", "z"]);
    thread::sleep(Duration::from_millis(20));
    make("b", &["z", "bin-1", "bin/tool"]);
    let digest = |name: &str| {
        shop.json(&["layer", "publish", "x", "--dir", name, "--json"])["Content"]["CodeSha256"].clone()
    };
    assert_eq!(digest("a"), digest("b"));
    let tree = shop.say(&["tree", "--layer", "x", "--json"]);
    assert!(
        tree.contains(r#""target":"tool""#) && tree.contains(r#""mode":"0755""#),
        "{tree}"
    );
    assert!(tree.contains(r#""path":"bin/empty""#), "{tree}");
    fs::write(shop.path("here/b/z"), "other").unwrap();
    assert_ne!(digest("a"), digest("b"));
    assert_eq!(shop.contents(), 2);
}

#[test]
fn what_aws_refuses_is_refused_and_nothing_is_stored() {
    let shop = Shop::new();
    shop.zip("good.zip", "a");
    shop.write("empty.zip", RawZip::new());
    shop.write("escapes.zip", RawZip::new().file("../x", "x"));
    shop.write("private.zip", RawZip::new().file("python/x.py", "x").mode(0o600));
    shop.write(
        "closed.zip",
        RawZip::new().dir("python/").mode(0o644).file("python/x.py", "x"),
    );
    fs::write(
        shop.path("here/text.zip"),
        "no zip at all, only some text that is long enough to be read",
    )
    .unwrap();
    let zip = |zip: &str| shop.refusal(&["layer", "publish", "a", "--zip", zip]);
    for (file, message) in [
        ("empty.zip", "Uploaded file must be a non-empty zip"),
        (
            "escapes.zip",
            "Failed to unzip archive: Zip file contains invalid files/folders;",
        ),
        (
            "private.zip",
            "Layer conversion failed: Some files do not have read permissions;",
        ),
        (
            "closed.zip",
            "Layer conversion failed: Some directories do not have execute permissions",
        ),
        (
            "text.zip",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
    ] {
        assert_eq!(zip(file), (Some(3), message.to_owned()), "{file}");
    }
    let with = |name: &str, more: &[&str]| {
        shop.refusal(&[&["layer", "publish", name, "--zip", "good.zip"], more].concat())
    };
    let (code, message) = with("bad/name x:y", &[]);
    assert_eq!(code, Some(2));
    assert!(
        message.starts_with(
            "1 validation error detected: Value 'bad/name x:y' at 'layerName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: (arn:"
        ),
        "{message}"
    );
    assert_eq!(with(&"a".repeat(141), &[]).0, Some(2));
    let (code, message) = with(
        "a",
        &[
            "--description",
            &"d".repeat(257),
            "--compatible-architectures",
            "mips",
        ],
    );
    assert_eq!(code, Some(2));
    assert!(
        message.starts_with("2 validation errors detected: Value 'ddd"),
        "{message}"
    );
    for verb in ["get", "delete"] {
        let (_, message) = shop.refusal(&["layer", verb, "a:0"]);
        assert_eq!(message, "Layer Version Cannot be less than 1", "{verb}");
    }
    assert!(shop.versions("a").is_empty());
    assert_eq!((shop.contents(), shop.unfinished()), (0, 0));
}

/// The limit is on what the zip says it holds; nothing is unzipped to find out.
#[test]
fn a_layer_has_less_than_262144000_bytes() {
    let shop = Shop::new();
    fs::create_dir(shop.path("here/big")).unwrap();
    let file = fs::File::create(shop.path("here/big/zeros")).unwrap();
    file.set_len(262_144_000).unwrap();
    let (code, message) = shop.refusal(&["layer", "publish", "big", "--dir", "big"]);
    assert_eq!(
        (code, message.as_str()),
        (Some(3), "Unzipped size must be smaller than 262144000 bytes")
    );
}

#[test]
fn a_file_comes_before_a_layer_and_a_path_is_never_a_name() {
    let shop = Shop::new();
    shop.zip("published.zip", "published");
    shop.zip("file", "file");
    shop.say(&["layer", "publish", "file", "--zip", "published.zip"]);
    shop.say(&["layer", "publish", "requests", "--zip", "published.zip"]);
    let cat = |layer: &str| shop.ask(&["cat", "--layer", layer, "python/tool.py"]);
    assert_eq!(cat("file").stdout, "file");
    assert_eq!(cat("./file").stdout, "file");
    assert_eq!(cat("file:1").stdout, "published");
    assert_eq!(cat("requests").stdout, "published");
    // A directory is no layer, and does not hide one.
    fs::create_dir(shop.path("here/requests")).unwrap();
    assert_eq!(cat("requests").stdout, "published");
    assert_eq!(cat("./requests").code, Some(3));
    let near = cat("reqests");
    assert_eq!(near.code, Some(3));
    let store = shop.path("store");
    assert_eq!(
        near.stderr,
        format!(
            "optfs: reqests: no such file, and no such layer in the store {} (account 123456789012, region us-east-1)\n  \
             hint: near to it: requests\n",
            store.display()
        )
    );
    // Other places are other layers.
    let elsewhere = shop.ask(&[
        "cat",
        "--layer",
        "requests",
        "--region",
        "eu-west-1",
        "python/tool.py",
    ]);
    assert_eq!(elsewhere.code, Some(3), "{elsewhere:?}");
    fs::write(shop.path("here/stack"), "file\nrequests:1\n").unwrap();
    let which = shop.say(&["which", "--stack", "stack", "python/tool.py"]);
    assert!(
        which.contains("requests:1 (layer 2)") && which.contains("file (layer 1)"),
        "{which}"
    );
    let same = shop.say(&["diff", "file:1", "requests:1"]);
    assert!(!same.contains("python/tool.py"), "{same}");
}

#[test]
fn a_list_shows_the_latest_version_that_matches() {
    let shop = Shop::new();
    shop.zip("a.zip", "a");
    let publish = |name: &str, runtime: &str| {
        shop.say(&[
            "layer",
            "publish",
            name,
            "--zip",
            "a.zip",
            "--compatible-runtimes",
            runtime,
        ]);
    };
    publish("b", "python3.12");
    publish("b", "nodejs22.x");
    shop.say(&["layer", "publish", "a", "--zip", "a.zip"]);
    let listed = |more: &[&str]| {
        let answer = shop.json(&[&["layer", "list", "--json"], more].concat());
        let layers = answer["Layers"].as_array().unwrap();
        let one = |layer: &Value| {
            (
                layer["LayerName"].to_string(),
                layer["LatestMatchingVersion"]["Version"].as_u64(),
            )
        };
        layers.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(
        listed(&[]),
        [("\"a\"".to_owned(), Some(1)), ("\"b\"".to_owned(), Some(2))]
    );
    assert_eq!(
        listed(&["--compatible-runtime", "python3.12"]),
        [("\"b\"".to_owned(), Some(1))]
    );
    let table = shop.say(&["layer", "list"]);
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.starts_with("a:1  20"), "{table}");
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let shop = Shop::new();
    shop.zip("a.zip", "a");
    let words = ["layer", "publish", "a", "--zip", "a.zip", "--store", "."];
    let (code, message) = shop.refusal(&words);
    assert_eq!(code, Some(6));
    assert!(message.contains("no store of layers"), "{message}");
    assert_eq!(fs::read_dir(shop.path("here")).unwrap().count(), 1);
    // Nothing is made by a question.
    assert_eq!(shop.say(&["layer", "list"]), "");
    assert!(!shop.path("store").exists());
}

#[test]
fn eight_processes_publish_two_hundred_consecutive_versions() {
    let shop = Shop::new();
    for process in 0..8 {
        shop.zip(&format!("{process}.zip"), &format!("of process {process}"));
    }
    thread::scope(|scope| {
        for process in 0..8 {
            let shop = &shop;
            scope.spawn(move || {
                for _ in 0..25 {
                    shop.say(&["layer", "publish", "a", "--zip", &format!("{process}.zip")]);
                }
            });
        }
        // Collections between them take nothing that is being published.
        for _ in 0..10 {
            shop.say(&["gc"]);
        }
    });
    assert_eq!(shop.versions("a"), (1..=200).rev().collect::<Vec<_>>());
    assert_eq!((shop.contents(), shop.unfinished()), (8, 0));
}

/// Publishers are killed at any moment: what was acknowledged is there, whole, and nothing else is to be seen.
#[test]
fn a_killed_publisher_leaves_a_whole_version_or_none() {
    let shop = Shop::new();
    let sizes = [10, 5_000_000];
    for (kind, size) in sizes.iter().enumerate() {
        shop.zip(&format!("{kind}.zip"), &"x".repeat(*size));
    }
    let begun = Instant::now();
    shop.say(&["layer", "publish", "a", "--zip", "1.zip"]);
    let whole = begun.elapsed();
    let mut acknowledged = BTreeSet::new();
    for round in 0..60u32 {
        let zip = format!("{}.zip", round % 2);
        let mut command = shop.command(&["layer", "publish", "a", "--json", "--zip", &zip]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // From before it has begun to after it has ended.
        thread::sleep(whole * (round * 37 % 120) / 100);
        child.kill().unwrap();
        let said = child.wait_with_output().unwrap().stdout;
        if let Ok(version) = serde_json::from_slice::<Value>(&said) {
            acknowledged.insert(version["Version"].as_u64().unwrap());
        }
    }
    shop.say(&["layer", "publish", "a", "--zip", "0.zip"]);
    let there = shop.versions("a");
    let highest = there[0];
    assert_eq!(there, (1..=highest).rev().collect::<Vec<_>>());
    assert!(
        acknowledged.iter().all(|version| *version < highest),
        "{acknowledged:?} {highest}"
    );
    for version in there {
        let named = format!("a:{version}");
        let length = shop.say(&["cat", "--layer", &named, "python/tool.py"]).len();
        assert!(sizes.contains(&length), "{named}: {length}");
    }
    shop.say(&["gc"]);
    assert_eq!(shop.unfinished(), 0);
    assert_whole(&shop.path("store/content"));
}

/// Each zip's digest is its directory's name.
fn assert_whole(contents: &Path) {
    for entry in fs::read_dir(contents).unwrap() {
        let directory = entry.unwrap().path();
        let found = output(Command::new("sha256sum").arg(directory.join("layer.zip")));
        assert_eq!(found.split(' ').next(), directory.file_name().unwrap().to_str());
    }
}
