//! Torn packages: two versions unzipped over each other, found in real layers as an independent script finds them,
//! and in small scenes one by one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::real_layers::layers;
use crate::support::command::{Answer, answer, optfs, output};
use crate::support::raw_zip::RawZip;

/// The same question answered from Python's own zip reader and hash functions: every file of the stack is hashed.
/// Prints, for each torn package, its versions and the files that disagree.
const JUDGE: &str = r#"
import base64, csv, hashlib, io, json, os.path, sys, zipfile

layers = [zipfile.ZipFile(path) for path in sys.argv[1:]]
seen, had = {}, {}
for number, layer in enumerate(layers):
    for name in layer.namelist():
        if not name.endswith('/'):
            had.setdefault(name, []).append(number)
            seen[name] = number

def read(number, name):
    return layers[number].read(name)

def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()

answer = {}
dists = {}
for name, number in seen.items():
    if name.endswith('.dist-info/RECORD'):
        directory = os.path.dirname(name)
        package, version = os.path.basename(directory)[:-len('.dist-info')].split('-')
        dists.setdefault((os.path.dirname(directory), package.lower()), []).append((number, directory, version))
for (place, package), found in dists.items():
    found.sort()
    def rows(number, directory):
        text = read(number, directory + '/RECORD').decode()
        return [(os.path.normpath(os.path.join(place, row[0])), row[1]) for row in csv.reader(io.StringIO(text)) if row]
    layer, directory, _ = found[-1]
    own = dict(rows(layer, directory))
    files = []
    for path, expected in own.items():
        if expected and path in seen and expected != 'sha256=' + digest(read(seen[path], path)):
            files.append([path, 'other-content'])
    for lower, other, _ in found[:-1]:
        for path, _ in rows(lower, other):
            if path in seen and path not in own and seen[path] <= lower and not path.startswith(other + '/'):
                files.append([path, 'left-over'])
    if files or len(found) > 1:
        answer[package] = [[version for *_, version in found], sorted(files)]

for name, number in seen.items():
    parts = name.split('/')
    if parts[-1] == 'package.json' and 'node_modules' in (parts[-3:-2] + (parts[-4:-3] if parts[-3][:1] == '@' else [])):
        directory = os.path.dirname(name)
        own = json.loads(read(number, name))
        lower = {n: json.loads(read(n, name))['version'] for n in had[name] if n != number}
        lower = {n: version for n, version in lower.items() if version != own['version']}
        files = sorted([path, 'left-over'] for path in seen if path.startswith(directory + '/') and seen[path] in lower)
        if files:
            answer[own['name']] = [[*lower.values(), own['version']], files]
print(json.dumps(answer))
"#;

/// What optfs says, in the judge's shape.
fn found(stack: &[PathBuf], options: &[&str]) -> (Option<i32>, Value) {
    let mut command = optfs();
    command.args(["torn", "--json"]).args(options);
    for layer in stack {
        command.arg("--layer").arg(layer);
    }
    let answer = answer(&mut command);
    assert_eq!(answer.stderr, "");
    let object: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(object["altered"], json!([]));
    let mut packages = serde_json::Map::new();
    for torn in object["torn"].as_array().unwrap() {
        let versions = torn["versions"].as_array().unwrap().iter();
        let versions: Vec<_> = versions.map(|one| &one["package_version"]).collect();
        let files = torn["files"].as_array().unwrap().iter();
        let files: Vec<_> = files.map(|one| json!([one["path"], one["how"]])).collect();
        packages.insert(
            torn["package"].as_str().unwrap().to_owned(),
            json!([versions, files]),
        );
    }
    (answer.code, Value::Object(packages))
}

fn judged(stack: &[PathBuf]) -> Value {
    let judge = output(Command::new("python3").args(["-c", JUDGE]).args(stack));
    serde_json::from_str(&judge).unwrap()
}

#[test]
fn numpy_over_numpy_is_torn() {
    let stack = layers(&["python-1", "python-2"]);
    let expected = judged(&stack);
    assert_eq!(expected["numpy"][0], json!(["2.1.3", "2.2.6"]));
    assert!(!expected["numpy"][1].as_array().unwrap().is_empty());
    assert_eq!(found(&stack, &[]), (Some(1), expected.clone()));
    assert_eq!(found(&stack, &["--deep"]), (Some(1), expected));
    let upside_down = layers(&["python-2", "python-1"]);
    assert_eq!(found(&upside_down, &[]), (Some(1), judged(&upside_down)));
}

#[test]
fn botocore_over_botocore_is_torn() {
    for order in [["python-4", "python-5"], ["python-5", "python-4"]] {
        let stack = layers(&order);
        let expected = judged(&stack);
        assert!(
            expected["botocore"][1].as_array().unwrap().len() > 20,
            "{expected}"
        );
        assert_eq!(found(&stack, &[]), (Some(1), expected));
    }
}

#[test]
fn proxy_agent_over_proxy_agent_is_torn() {
    for order in [
        ["proxy-agent-v5", "proxy-agent-v6"],
        ["proxy-agent-v6", "proxy-agent-v5"],
    ] {
        let stack = layers(&order);
        let expected = judged(&stack);
        assert!(expected.as_object().unwrap().len() > 5, "{expected}");
        assert_eq!(found(&stack, &[]), (Some(1), expected));
    }
}

#[test]
fn one_layer_of_each_package_is_clean() {
    for names in [
        &["python-1"][..],
        &["python-2", "python-3"],
        &["awscli", "proxy-agent-v6"],
    ] {
        let stack = layers(names);
        assert_eq!(found(&stack, &[]), (Some(0), json!({})), "{names:?}");
    }
}

/// `optfs torn` on layers made here.
fn ask(zips: Vec<RawZip>, args: &[&str]) -> Answer {
    let scratch = TempDir::new().unwrap();
    let mut command = optfs();
    command.arg("torn").args(args).current_dir(scratch.path());
    for (number, zip) in zips.into_iter().enumerate() {
        let name = format!("{}.zip", ["bottom", "middle", "top"][number]);
        fs::write(scratch.path().join(&name), zip.build()).unwrap();
        command.args(["--layer", &name]);
    }
    answer(&mut command)
}

fn files(zips: Vec<RawZip>, args: &[&str]) -> (Option<i32>, Value, Value) {
    let answer = ask(zips, &[&["--json"], args].concat());
    let object: Value = serde_json::from_str(&answer.stdout).unwrap();
    let torn = object["torn"].as_array().unwrap();
    let files = torn
        .iter()
        .flat_map(|torn| torn["files"].as_array().unwrap().clone());
    let files = files.map(|file| json!([file["path"], file["how"], file["position"]]));
    (answer.code, files.collect(), object)
}

/// A distribution of one module that says `1` and one that says nothing.
fn distribution(record: &str) -> RawZip {
    RawZip::new()
        .file("python/d.py", "1")
        .file("python/e.py", "")
        .file("python/d-1.0.dist-info/METADATA", "Name: D\nVersion: 1.0\n\n")
        .file("python/d-1.0.dist-info/RECORD", record)
}

const RECORD: &str = "d.py,sha256=a4ayc_80_OGda4BO_1o_V0etpOqiLx1JwB5S3beHW0s,1\n\
    e.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nd-1.0.dist-info/RECORD,,\n\
    never/there.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n";

#[test]
fn a_layer_without_dist_info_over_a_distribution_tears_it() {
    let over =
        |path: &str, content: &str| files(vec![distribution(RECORD), RawZip::new().file(path, content)], &[]);
    // Of the same size, which only the hash tells.
    let (code, files, object) = over("python/d.py", "2");
    assert_eq!(
        (code, files),
        (Some(1), json!([["python/d.py", "other-content", 2]]))
    );
    assert_eq!(object["torn"][0]["package"], json!("D"));
    assert_eq!(
        over("python/d.py", "longer").1,
        json!([["python/d.py", "other-content", 2]])
    );
    // A file in the place of what the RECORD needs as a directory's part: nothing of it is seen.
    assert_eq!(
        over("python/d.py/x", "").1,
        json!([["python/d.py", "missing", 2]])
    );
    // The same bytes, and what is of nobody's concern.
    assert_eq!(over("python/d.py", "1").0, Some(0));
    assert_eq!(over("python/other.py", "2").0, Some(0));
}

/// Stripped or patched before it was zipped: nothing of it is torn, and --deep tells it.
#[test]
fn what_one_layer_altered_itself_is_not_torn() {
    let record = RECORD.replace("a4ayc", "b4ayc");
    assert_eq!(files(vec![distribution(&record)], &[]).0, Some(0));
    let (code, torn, object) = files(vec![distribution(&record)], &["--deep"]);
    assert_eq!((code, torn), (Some(0), json!([])));
    assert_eq!(object["altered"][0]["path"], json!("python/d.py"));
    let said = ask(vec![distribution(&record)], &["--deep"]).stdout;
    assert!(
        said.contains("1 file not as RECORD says") && said.contains("no package is torn"),
        "{said}"
    );
}

#[test]
fn jars_of_two_versions_are_both_on_the_class_path() {
    let lower = RawZip::new()
        .file("java/lib/guava-9.0.jar", "")
        .file("java/lib/epoll-4.1.Final-linux.jar", "");
    let upper = RawZip::new()
        .file("java/lib/guava-31.0.jar", "")
        .file("java/lib/epoll-4.1.Final-osx.jar", "");
    let (code, _, object) = files(vec![lower, upper], &[]);
    assert_eq!((code, object["torn"].as_array().unwrap().len()), (Some(1), 1));
    let torn = &object["torn"][0];
    assert_eq!(
        (&torn["package"], &torn["nature"]),
        (&json!("guava"), &json!("side-by-side"))
    );
    // By name, `guava-31` comes before `guava-9`.
    assert_eq!(
        (
            &torn["versions"][1]["package_version"],
            &torn["versions"][1]["counts"]
        ),
        (&json!("31.0"), &json!(true))
    );
}

#[test]
fn of_two_gems_the_higher_counts_whatever_the_layer() {
    let gem = |version: &str, extra: &str| {
        let home = "ruby/gems/3.3.0";
        RawZip::new()
            .file(
                format!("{home}/specifications/g-{version}.gemspec"),
                format!("# stub: g {version} ruby lib\n{extra}"),
            )
            .file(format!("{home}/gems/g-{version}/lib/g.rb"), extra)
            .file(format!("{home}/gems/g-{version}/lib/{extra}.rb"), "")
    };
    let (code, _, object) = files(vec![gem("10.0", "a"), gem("9.0", "a")], &[]);
    assert_eq!(code, Some(1));
    assert_eq!(object["torn"][0]["versions"][1]["package_version"], json!("10.0"));
    let (_, same_version, _) = files(vec![gem("1.0", "a"), gem("1.0", "b")], &[]);
    assert_eq!(
        same_version,
        json!([["ruby/gems/3.3.0/gems/g-1.0/lib/a.rb", "left-over", 1]])
    );
}

#[test]
fn only_what_has_to_do_with_a_path_is_told() {
    let two = || {
        let module = |name: &str, version: &str| {
            let modules = format!("nodejs/node_modules/{name}");
            (
                format!("{modules}/package.json"),
                format!("{{\"name\":\"{name}\",\"version\":\"{version}\"}}"),
                format!("{modules}/{version}.js"),
            )
        };
        let layer = |version: &str| {
            ["x", "@s/y"].iter().fold(RawZip::new(), |zip, name| {
                let (json, text, file) = module(name, version);
                zip.file(json, text).file(file, "")
            })
        };
        vec![layer("1"), layer("2")]
    };
    let left = |name: &str| json!([format!("nodejs/node_modules/{name}/1.js"), "left-over", 1]);
    assert_eq!(files(two(), &[]).1, json!([left("@s/y"), left("x")]));
    assert_eq!(
        files(two(), &["/opt/nodejs/node_modules/x"]).1,
        json!([left("x")])
    );
    let missing = ask(two(), &["nowhere"]);
    assert_eq!(
        (missing.code, missing.stderr.as_str()),
        (Some(1), "optfs: nowhere: no layer provides it\n")
    );
    let said = ask(two(), &["nodejs/node_modules/x"]).stdout;
    let expected = "\
x  a node package, in /opt/nodejs/node_modules/x
  versions  1  bottom.zip (layer 1)
            2  top.zip (layer 2)  counts: the uppermost layer
  files     1 file left over from a lower version
            /opt/nodejs/node_modules/x/1.js
  cure      keep x in top.zip alone:
            leave it out of bottom.zip

1 package is torn, of 2 packages
";
    assert_eq!(said, expected.replace("top.zip", "middle.zip"));
}

/// Descriptions that are no description, too large, or lead out of the tree.
#[test]
fn hostile_descriptions_are_named_or_passed_over() {
    let records: [Vec<u8>; 6] = [
        b"\"".to_vec(),
        b"../../../../etc/passwd,sha256=x,1\n/etc/passwd,,\n".to_vec(),
        [0, 255, 13, 10].repeat(1000),
        b",,,,,\n".repeat(100_000),
        b"a,\"\"\"".repeat(1000),
        Vec::new(),
    ];
    for record in records {
        let answer = ask(
            vec![
                distribution(&String::from_utf8_lossy(&record)),
                RawZip::new().file("python/d.py", "2"),
            ],
            &["--deep"],
        );
        assert!(
            matches!(answer.code, Some(0 | 1)) && answer.stderr.is_empty(),
            "{answer:?}"
        );
    }
    let large = "d.py,,\n".repeat(3 << 20);
    let lower = distribution(&large).file("nodejs/node_modules/x/package.json", "[".repeat(1 << 20));
    let upper = RawZip::new()
        .file("python/d.py", "2")
        .file("nodejs/node_modules/x/package.json", vec![b' '; 17 << 20]);
    let upper = upper
        .deflate()
        .file("nodejs/node_modules/x-1.0.dist-info/RECORD", "")
        .file("java/lib/-.jar", "");
    let (_, torn, object) = files(vec![lower.file("nodejs/node_modules/x/y.js", ""), upper], &[]);
    assert_eq!(torn, json!([]));
    assert_eq!(object["unread"].as_array().unwrap().len(), 2, "{object}");
}
