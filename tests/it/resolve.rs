//! What a runtime would load for a name, judged by the runtimes themselves: a real python3 and a real node look
//! for thousands of names in real layers and in random trees, and agree with `optfs resolve`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use optfs::explain::Opt;
use optfs::explain::resolve::{Machine, Place, Version, Wanted, resolve};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipArchive;

use crate::real_layers::{layers, python_runtime, run};
use crate::support::command::{Answer, answer, optfs};
use crate::support::generate::holds;
use crate::support::raw_zip::RawZip;
use crate::support::seen::mounted_values;

/// Finds modules step by step as `import` does, without running any of them; the path finder alone, so that what is
/// built in counts as found by nobody.
const FIND: &str = "
import json, sys, types
from importlib.machinery import PathFinder

def find(name, path):
    parts, known = name.split('.'), dict(sys.modules)
    try:
        for number in range(1, len(parts) + 1):
            whole = '.'.join(parts[:number])
            spec = PathFinder.find_spec(whole, path)
            if spec is None:
                return None
            path = spec.submodule_search_locations
            if path is None and number < len(parts):
                return None
            # A namespace package asks its parent where it is.
            sys.modules[whole] = types.ModuleType(whole)
            sys.modules[whole].__path__ = path = path and list(path)
        return [spec.origin] if spec.loader and spec.origin else path
    finally:
        sys.modules.clear()
        sys.modules.update(known)
";

/// Every module of the five Python layers, and as many names that none of them has, as the interpreter finds them
/// in its own /opt.
#[test]
fn python_finds_every_module_of_real_layers_where_resolve_says() {
    let stack = layers(&["python-1", "python-2", "python-3", "python-4", "python-5"]);
    let names: Vec<_> = stack.iter().flat_map(|layer| names_in(layer)).collect();
    let mut names: BTreeSet<_> = names.iter().filter_map(|name| module_name(name)).collect();
    let tops: Vec<_> = names
        .iter()
        .map(|name| name.split('.').next().unwrap().to_owned())
        .collect();
    names.extend(tops.iter().map(|top| format!("{top}.no_such_module")));
    names.extend(tops);
    assert!(names.len() > 5_000, "{}", names.len());
    let scratch = TempDir::new().unwrap();
    let list = scratch.path().join("names");
    fs::write(&list, names.iter().cloned().collect::<Vec<_>>().join("\n")).unwrap();
    let script = format!(
        "{FIND}\npath = [p for p in sys.path if p.startswith('/opt/')]\n\
         print(json.dumps({{name: find(name, path) for name in open(sys.argv[1]).read().split()}}))"
    );
    let list = list.to_str().unwrap();
    let said = run(Some(&python_runtime()), &stack, ["python3", "-c", &script, list]);
    let expected: Value = serde_json::from_str(&said).unwrap();
    for name in &names {
        // What the interpreter has built in it never looks for; a layer's own file of that name is unreachable.
        assert!(
            !expected[name].is_null() || name.ends_with("no_such_module"),
            "{name}"
        );
    }
    assert_agrees(&stack, &["--runtime", &python_runtime()], &names, &expected);
}

/// Every package of both proxy-agent layers, every file of theirs as a subpath, and names that are not there, in
/// either order of the layers.
#[test]
fn node_requires_every_package_of_real_layers_from_where_resolve_says() {
    for order in [
        ["proxy-agent-v5", "proxy-agent-v6"],
        ["proxy-agent-v6", "proxy-agent-v5"],
    ] {
        let stack = layers(&order);
        let mut names = BTreeSet::new();
        for path in stack.iter().flat_map(|layer| names_in(layer)) {
            let Some(inside) = path.strip_prefix("nodejs/node_modules/") else {
                continue;
            };
            let inside = inside.trim_end_matches('/');
            let depth = if inside.starts_with('@') { 2 } else { 1 };
            names.insert(inside.split('/').take(depth).collect::<Vec<_>>().join("/"));
            names.insert(inside.to_owned());
            names.insert(inside.trim_end_matches(".js").to_owned());
            names.insert(format!("{inside}/nothing"));
        }
        names.retain(|name| !name.is_empty() && !name.starts_with(['.', '/']));
        assert!(names.len() > 1_000, "{}", names.len());
        let scratch = TempDir::new().unwrap();
        let expected = required(&stack, &names, scratch.path());
        assert_agrees(&stack, &["--runtime", "nodejs20.x"], &names, &expected);
    }
}

/// Every form of `main` and `exports` that decides, in two directories of the path, as node itself takes them.
#[test]
fn node_agrees_on_main_and_exports() {
    let (numbered, generic) = ("nodejs/node20/node_modules", "nodejs/node_modules");
    let packages = [
        ("string", r#"{"exports":"./lib/a.js"}"#),
        (
            "conditions",
            r#"{"exports":{"import":"./m.mjs","require":"./lib/a.js","default":"./b.js"}}"#,
        ),
        (
            "default-first",
            r#"{"exports":{"default":"./b.js","require":"./lib/a.js"}}"#,
        ),
        (
            "nested",
            r#"{"exports":{".":{"node":{"import":"./m.mjs","require":"./b.js"},"default":"./lib/a.js"}}}"#,
        ),
        (
            "subpaths",
            r#"{"exports":{".":"./b.js","./x":"./lib/a.js","./p/*":"./lib/*.js","./p/no*":null,"./q/*.js":"./lib/*.js"}}"#,
        ),
        (
            "lists",
            r#"{"exports":{".":["nonsense","./b.js"],"./none":[null]}}"#,
        ),
        ("gone", r#"{"exports":"./gone.js"}"#),
        ("forbidden", r#"{"exports":{"node":null,"default":"./b.js"}}"#),
        ("outside", r#"{"exports":"./../../x.js"}"#),
        ("null", r#"{"exports":null,"main":"b"}"#),
        ("empty", r#"{"exports":{}}"#),
        (
            "addons",
            r#"{"exports":{"node-addons":"./b.js","default":"./lib/a.js"}}"#,
        ),
        (
            "sync",
            r#"{"exports":{"module-sync":"./b.js","default":"./lib/a.js"}}"#,
        ),
        ("main", r#"{"main":"lib/a.js"}"#),
        ("main-short", r#"{"main":"./lib/a"}"#),
        ("main-directory", r#"{"main":"lib"}"#),
        ("main-gone", r#"{"main":"gone"}"#),
        ("main-odd", r#"{"main":["lib/a.js"]}"#),
        ("main-up", r#"{"main":"../main/b.js"}"#),
        ("@scope/name", r#"{"main":"b.js"}"#),
        ("broken", r#"{"main":"#),
    ];
    let mut zip = RawZip::new();
    for (name, json) in packages {
        zip = zip.file(format!("{numbered}/{name}/package.json"), json);
        for file in [
            "lib/a.js",
            "lib/index.json",
            "b.js",
            "m.mjs",
            "node_modules/deep/index.js",
        ] {
            zip = zip.file(format!("{numbered}/{name}/{file}"), "0");
        }
        zip = zip
            .file(format!("{generic}/{name}/index.js"), "")
            .file(format!("{generic}/{name}/only.js"), "");
    }
    zip = zip
        .file(format!("{numbered}/main-gone/index.js"), "")
        .file(format!("{numbered}/both.js"), "")
        .file(format!("{numbered}/both/index.js"), "")
        .file(format!("{numbered}/plain"), "")
        .file(format!("{numbered}/no-index/a.txt"), "")
        .file(format!("{generic}/no-index/index.node"), "")
        .file("shared/real/index.js", "")
        .symlink(format!("{generic}/linked"), "../../shared/real")
        .symlink(format!("{generic}/absolute"), "/opt/shared/real")
        .symlink(format!("{generic}/file.js"), "both/index.js")
        .file(format!("{generic}/fs/index.js"), "");
    let others = [
        "both",
        "both/",
        "both/index",
        "plain",
        "no-index",
        "linked",
        "absolute",
        "file",
        "fs",
        "fs/",
        "node:fs",
        "nothing",
        ".hidden",
        "@scope",
        "both/../plain",
        "subpaths/p/a",
        "subpaths/p/nothing",
        "subpaths/x",
        "subpaths/q/a.js",
        "subpaths/lib/a.js",
        "subpaths/",
        "lists/none",
        "main/lib",
        "main/lib/",
        "main/lib/a",
        "main/b",
        "main/",
        "main/.",
        "main/only",
    ];
    let mut names: BTreeSet<String> = others.map(str::to_owned).into();
    for (name, _) in packages {
        for subpath in ["", "/only", "/package.json", "/lib/a.js", "/deep", "/b"] {
            names.insert(format!("{name}{subpath}"));
        }
    }
    let scratch = TempDir::new().unwrap();
    let layer = scratch.path().join("layer.zip");
    fs::write(&layer, zip.build()).unwrap();
    let stack = [layer];
    let expected = required(&stack, &names, scratch.path());
    let found = expected
        .as_object()
        .unwrap()
        .values()
        .filter(|found| !found.is_null());
    assert!((60..120).contains(&found.count()), "{expected}");
    assert_agrees(&stack, &["--runtime", "nodejs20.x"], &names, &expected);
}

/// Where node finds each name, alone; null where it does not.
fn required(stack: &[PathBuf], names: &BTreeSet<String>, scratch: &Path) -> Value {
    let script = "
        const names = require('fs').readFileSync(process.argv[1], 'utf8').split('\\n');
        const find = name => { try { return [require.resolve(name)] } catch { return null } };
        console.log(JSON.stringify(Object.fromEntries(names.map(name => [name, find(name)]))));
    ";
    let list = scratch.join("names");
    fs::write(&list, names.iter().cloned().collect::<Vec<_>>().join("\n")).unwrap();
    // Warnings about odd packages are node's own.
    let node = ["node", "--no-deprecation", "-e", script, list.to_str().unwrap()];
    let said = run(Some("nodejs20.x"), stack, node);
    let mut found: Value = serde_json::from_str(&said).unwrap();
    // `require('punycode')` is node's own, though there is a package of that name.
    for (name, found) in found.as_object_mut().unwrap() {
        if found[0].as_str().is_some_and(|found| found == name) {
            *found = Value::Null;
        }
    }
    found
}

/// Compares all names at once, and shows the first ones that differ.
fn assert_agrees(stack: &[PathBuf], options: &[&str], names: &BTreeSet<String>, expected: &Value) {
    let mut command = optfs();
    command.args(["resolve", "--json"]).args(options);
    for layer in stack {
        command.arg("--layer").arg(layer);
    }
    let answer = answer(command.args(names));
    let mut differences = Vec::new();
    let mut lines = answer.stdout.lines();
    for name in names {
        let object: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(object["name"], json!(name));
        let found = object["loads"].as_array().unwrap().iter();
        let found: Vec<_> = found
            .map(|one| format!("/opt/{}", one["path"].as_str().unwrap()))
            .collect();
        let found = if found.is_empty() {
            Value::Null
        } else {
            json!(found)
        };
        if found != expected[name] {
            differences.push(format!("{name}: expected {}, found {found}", expected[name]));
        }
    }
    let count = differences.len();
    differences.truncate(20);
    assert!(
        count == 0,
        "{count} of {} differ:\n{}",
        names.len(),
        differences.join("\n")
    );
    assert_eq!(answer.stderr, "");
}

fn names_in(layer: &Path) -> Vec<String> {
    let archive = ZipArchive::new(File::open(layer).unwrap()).unwrap();
    archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect()
}

/// The dotted name of a file below `python/` that can be imported.
fn module_name(path: &str) -> Option<String> {
    let inside = path.strip_prefix("python/")?;
    let stem = inside
        .strip_suffix(".py")
        .or_else(|| inside.strip_suffix(".cpython-311-x86_64-linux-gnu.so"))?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    let parts: Vec<_> = stem.split('/').collect();
    let is_identifier =
        |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !part.is_empty();
    parts.iter().all(is_identifier).then(|| parts.join("."))
}

/// One interpreter for all random trees.
struct Judge {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    fn start() -> Judge {
        let script = format!(
            "{FIND}\nfor line in sys.stdin:\n    path, names = json.loads(line)\n    \
             print(json.dumps([find(name, path) for name in names]), flush=True)"
        );
        let mut child = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Judge {
            ask: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn find(&mut self, path: &[PathBuf], names: &[&str]) -> Vec<Option<Vec<String>>> {
        writeln!(self.ask, "{}", json!([path, names])).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const SITE: [&str; 2] = ["python/lib/python3.11/site-packages", "python"];

/// A file or a link of a random layer: its path, and for a link its target.
type Piece = (String, Option<&'static str>);

/// Modules, packages, pieces of namespaces, odd endings, and links, in two directories and with few names.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let ending = select(vec![
        ".py",
        ".pyc",
        ".so",
        ".abi3.so",
        ".cpython-311-x86_64-linux-gnu.so",
        ".cpython-312-x86_64-linux-gnu.so",
        ".cpython-311-aarch64-linux-gnu.so",
        ".txt",
        ".pth",
    ]);
    let name = || select(vec!["a", "b", "c"]);
    let directories = vec(name(), 0..=2);
    let file = prop_oneof![3 => name(), 2 => Just("__init__")];
    let piece = (select(SITE.to_vec()), directories, file, ending, 0..8u8).prop_map(
        |(site, directories, file, ending, odd)| {
            let directory = [&[site][..], &directories].concat().join("/");
            match odd {
                // Links have names that nothing else has, so that all extractors agree.
                0 => (format!("{directory}/l"), Some("a")),
                1 => (format!("{directory}/l.py"), Some("a.py")),
                // A directory that is called like a module.
                2 => (format!("{directory}/d.py/{file}{ending}"), None),
                _ => (format!("{directory}/{file}{ending}"), None),
            }
        },
    );
    vec(piece, 0..12)
}

#[test]
fn python_agrees_in_random_trees() {
    let judge = RefCell::new(Judge::start());
    let names = [
        "a", "b", "c", "d", "l", "a.a", "a.b", "a.c", "a.l", "b.a", "c.a", "l.a", "l.b", "a.b.c", "a.a.a",
        "b.c.a", "a.d", "x",
    ];
    holds(400, (pieces(), pieces()), |(lower, upper)| {
        let place = TempDir::new().unwrap();
        let mut archives = Vec::new();
        for layer in [&lower, &upper] {
            let mut zip = RawZip::new();
            for (path, target) in layer {
                let on_disk = place.path().join(path);
                fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
                match target {
                    None => {
                        zip = zip.file(path, "");
                        fs::write(on_disk, "").unwrap();
                    }
                    Some(target) => {
                        zip = zip.symlink(path, target);
                        fs::remove_file(&on_disk).ok();
                        symlink(target, on_disk).unwrap();
                    }
                }
            }
            archives.push(zip.build());
        }
        let path: Vec<_> = SITE.iter().map(|site| place.path().join(site)).collect();
        let expected = judge.borrow_mut().find(&path, &names);
        let scene = mounted_values(&archives);
        let tree = Opt::new(scene.stack(), scene.content());
        let wanted = Wanted::Python {
            version: Version { major: 3, minor: 11 },
            machine: Machine::X86_64,
        };
        let places = SITE.map(|site| Place::Layers(site.as_bytes().to_vec()));
        for (name, expected) in names.iter().zip(expected) {
            let resolution = resolve(&tree, wanted, &places, name.as_bytes());
            let winners = resolution.stages.last().unwrap().winners();
            let found: Vec<_> = winners
                .filter(|_| resolution.is_found())
                .map(|winner| place.path().join(std::str::from_utf8(&winner.path).unwrap()))
                .map(|path| path.into_os_string().into_string().unwrap())
                .collect();
            let found = (!found.is_empty()).then_some(found);
            prop_assert_eq!(found, expected, "import {}", name);
        }
        Ok(())
    });
}

/// `optfs` with these arguments on layers made here.
fn ask(zips: Vec<RawZip>, args: &[&str]) -> Answer {
    let scratch = TempDir::new().unwrap();
    let mut command = optfs();
    command.args(args).current_dir(scratch.path());
    for (number, zip) in zips.into_iter().enumerate() {
        let name = format!("{number}.zip");
        fs::write(scratch.path().join(&name), zip.build()).unwrap();
        command.args(["--layer", &name]);
    }
    answer(&mut command)
}

fn object(zips: Vec<RawZip>, args: &[&str]) -> Value {
    let answer = ask(zips, &[&["resolve", "--json"], args].concat());
    assert_eq!(answer.stderr, "");
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Paths and verdicts of all candidates of the last stage.
fn verdicts(object: &Value) -> Vec<(&str, &str)> {
    let candidates = object["stages"].as_array().unwrap().last().unwrap()["candidates"]
        .as_array()
        .unwrap();
    candidates
        .iter()
        .map(|one| {
            let verdict = one["reason"].as_str().or(one["verdict"].as_str());
            (one["path"].as_str().unwrap(), verdict.unwrap())
        })
        .collect()
}

#[test]
fn what_is_passed_over_is_said_with_its_reason() {
    let site = "python/lib/python3.12/site-packages";
    let zip = RawZip::new()
        .file("python/m/x.txt", "")
        .file("python/m.py", "")
        .file("python/m.abi3.so", "")
        .file(format!("{site}/m/__init__.py"), "")
        .file(format!("{site}/m.pyc"), "");
    let object = object(vec![zip], &["--runtime", "python3.12", "m"]);
    let place = |name: &str| format!("{site}/{name}");
    assert_eq!(
        verdicts(&object),
        [
            (place("m/__init__.py").as_str(), "loads"),
            (&place("m.pyc"), "package-first"),
            ("python/m.abi3.so", "later-place"),
            ("python/m.py", "later-place"),
            ("python/m", "namespace-last"),
        ]
    );
    let search = object["stages"][0]["search"].as_array().unwrap();
    let places: Vec<_> = search
        .iter()
        .map(|place| place["place"].as_str().unwrap())
        .collect();
    assert_eq!(places[..3], ["/var/task", &format!("/opt/{site}"), "/opt/python"]);
}

#[test]
fn what_is_not_found_is_looked_for_in_other_places() {
    let zip = || {
        RawZip::new()
            .file("python/lib/python3.9/site-packages/yaml/__init__.py", "")
            .file("python/fast.cpython-39-x86_64-linux-gnu.so", "")
            .file("python/PIL/__init__.py", "")
            .file("requests/__init__.py", "")
            .file("nodejs/node18/node_modules/left/package.json", "{}")
    };
    for (runtime, name, path, why) in [
        (
            "python3.12",
            "yaml",
            "python/lib/python3.9/site-packages/yaml",
            "other-version",
        ),
        (
            "python3.12",
            "fast",
            "python/fast.cpython-39-x86_64-linux-gnu.so",
            "other-abi",
        ),
        ("python3.12", "pil", "python/PIL", "spelling"),
        ("python3.12", "requests", "requests", "other-place"),
        (
            "nodejs22.x",
            "left",
            "nodejs/node18/node_modules/left",
            "other-version",
        ),
    ] {
        let object = object(vec![zip()], &["--runtime", runtime, name]);
        let near = &object["near"];
        assert_eq!(
            (object["found"].clone(), near[0]["path"].clone()),
            (json!(false), json!(path)),
            "{object}"
        );
        assert_eq!(near[0]["why"], json!(why), "{name}");
    }
    let answer = ask(vec![zip()], &["resolve", "--runtime", "python3.12", "yaml"]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer
            .stdout
            .contains("in the directory of another version of the runtime"),
        "{}",
        answer.stdout
    );
}

/// Two layers with two versions of a jar: the first by name is loaded, whichever layer is the last.
#[test]
fn java_takes_jars_by_name_and_not_by_layer() {
    let jar = || RawZip::new().file("com/x/Thing.class", "").build();
    let lower = RawZip::new().file("java/lib/thing-1.0.jar", jar());
    let upper = RawZip::new()
        .file("java/lib/thing-2.0.jar", jar())
        .file("java/lib/broken.jar", "no zip");
    let object = object(vec![lower, upper], &["--runtime", "java21", "com.x.Thing"]);
    assert_eq!(
        verdicts(&object),
        [
            ("java/lib/thing-1.0.jar", "loads"),
            ("java/lib/thing-2.0.jar", "later-place")
        ]
    );
    assert_eq!(object["unread"][0]["path"], json!("java/lib/broken.jar"));
}

#[test]
fn ruby_takes_the_load_path_and_then_the_highest_version() {
    let gem = |zip: RawZip, version: &str| {
        let home = "ruby/gems/3.4.0";
        let stub = format!("# -*- encoding: utf-8 -*-\n# stub: tool {version} ruby lib\n");
        zip.file(format!("{home}/specifications/tool-{version}.gemspec"), stub)
            .file(format!("{home}/gems/tool-{version}/lib/tool.rb"), "")
    };
    let higher = gem(RawZip::new(), "10.0");
    let lower = gem(RawZip::new().file("ruby/lib/plain.rb", ""), "9.1");
    let both = object(vec![higher, lower], &["--runtime", "ruby3.4", "tool"]);
    assert_eq!(
        verdicts(&both),
        [
            ("ruby/gems/3.4.0/gems/tool-10.0/lib/tool.rb", "loads"),
            ("ruby/gems/3.4.0/gems/tool-9.1/lib/tool.rb", "lower-version"),
        ]
    );
    let plain = object(
        vec![RawZip::new().file("ruby/lib/plain.rb", "")],
        &["--runtime", "ruby3.4", "plain"],
    );
    assert_eq!(verdicts(&plain), [("ruby/lib/plain.rb", "loads")]);
}

#[test]
fn commands_may_be_executed_and_libraries_are_of_the_machine() {
    let elf = |machine: u8| {
        let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\0\0".to_vec();
        header[18] = machine;
        header
    };
    let zip = || {
        RawZip::new()
            .file("bin/tool", "#!/bin/sh\n")
            .mode(0o755)
            .file("bin/text", "")
            .file("lib/libx.so.1", elf(62))
            .symlink("lib/libx.so", "libx.so.1")
            .file("lib/script.so", "INPUT(libx.so)")
    };
    let one = |args: &[&str]| {
        let object = object(vec![zip()], args);
        (
            object["found"] == json!(true),
            verdicts(&object).first().map(|one| one.1.to_owned()),
        )
    };
    let loads = (true, Some("loads".to_owned()));
    assert_eq!(one(&["--command", "tool"]), loads);
    assert_eq!(
        one(&["--command", "text"]),
        (false, Some("not-executable".to_owned()))
    );
    assert_eq!(one(&["--library", "libx.so"]), loads);
    assert_eq!(
        one(&["--library", "--arch", "arm64", "libx.so"]),
        (false, Some("other-machine".to_owned()))
    );
    assert_eq!(one(&["--library", "script.so"]), (false, None));
}

/// A loop of links, a package.json that is none, one that is too large, an endless name: each has an answer.
#[test]
fn hostile_files_have_an_answer() {
    let modules = "nodejs/node_modules";
    let zip = || {
        RawZip::new()
            .symlink("python/loop", "loop")
            .symlink("python/out", "/etc")
            .symlink("python/up", "../../../../..")
            .file(format!("{modules}/none/package.json"), "{\"main\":")
            .file(format!("{modules}/deep/package.json"), "[".repeat(1 << 20))
            .file(format!("{modules}/big/package.json"), vec![b' '; 17 << 20])
            .deflate()
            .file(
                format!("{modules}/odd/package.json"),
                "{\"main\": 7, \"exports\": {\"./a*b*c\": 1}}",
            )
            .file(
                format!("{modules}/away/package.json"),
                "{\"main\": \"../../../../../../etc/passwd\"}",
            )
    };
    let long = "a.".repeat(5_000) + "a";
    for (runtime, name) in [
        ("python3.12", "loop"),
        ("python3.12", "out"),
        ("python3.12", "up.up.up"),
        ("python3.12", &long),
        ("nodejs22.x", "none"),
        ("nodejs22.x", "deep"),
        ("nodejs22.x", "big"),
        ("nodejs22.x", "odd/axbxc"),
        ("nodejs22.x", "away"),
        ("nodejs22.x", "@"),
        ("nodejs22.x", "@/"),
    ] {
        let answer = ask(vec![zip()], &["resolve", "--runtime", runtime, name]);
        assert!(
            matches!(answer.code, Some(0 | 1)) && !answer.stderr.contains("panicked"),
            "{name}: {answer:?}"
        );
    }
    let usage = ask(vec![zip()], &["resolve", "--runtime", "python3.12", "a/b"]);
    assert_eq!(usage.code, Some(2), "{usage:?}");
}

/// A package whose `__init__` joins the directories of its name is searched in all of them.
#[test]
fn a_package_that_extends_its_path_is_followed() {
    let init = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
    let zip = RawZip::new()
        .file("python/lib/python3.12/site-packages/co/__init__.py", init)
        .file("python/co/__init__.py", init)
        .file("python/co/part.py", "");
    let object = object(vec![zip], &["--runtime", "python3.12", "co.part"]);
    assert_eq!(verdicts(&object), [("python/co/part.py", "loads")]);
    assert_eq!(object["loads"][0]["kind"], json!("module"));
}
