//! Real layers, end to end: the built binary is called as a user calls it, on the zips of
//! `scripts/layers`, and what it shows is compared with what `unzip -o` leaves behind.
//!
//! Nothing here is skipped: without the layers, python3, node, unzip or /dev/fuse these tests fail.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use zip::{ExtraField, ZipArchive};

use crate::support::command::{optfs, output};
use crate::support::place::Place;

const PYTHON: [&str; 5] = ["python-1", "python-2", "python-3", "python-4", "python-5"];

/// Imports everything that the five Python layers hold, and prints a version each.
const IMPORT_ALL: &str = "
import numpy, pandas, scipy.linalg, pyarrow.parquet, PIL.Image, boto3, botocore
modules = numpy, pandas, scipy, pyarrow, PIL, boto3, botocore
outside = [module.__file__ for module in modules if not module.__file__.startswith('/opt/python/')]
assert not outside, outside
assert boto3.client('s3', region_name='us-east-2').meta.service_model.service_name == 's3'
assert scipy.linalg.inv(numpy.eye(2) * 2).sum() == 1.0
print(*(f'{module.__name__}={module.__version__}' for module in modules))
";

/// A layer as AWS publishes it works from the mount: a Python program of four thousand files.
#[test]
fn the_aws_cli_of_its_layer_runs() {
    let version = run(
        None,
        &layers(&["awscli"]),
        ["python3", "/opt/awscli/aws", "--version"],
    );
    assert!(version.starts_with("aws-cli/1.46.2 "), "{version}");
}

/// Executables of 60 MB, one deflate stream each, are paged in by the kernel as they run.
#[test]
fn kubectl_and_helm_of_their_layer_run() {
    let layer = layers(&["kubectl"]);
    let kubectl = run(None, &layer, ["/opt/kubectl/kubectl", "version", "--client"]);
    assert!(kubectl.starts_with("Client Version: v1.33.9"), "{kubectl}");
    let helm = run(None, &layer, ["/opt/helm/helm", "version"]);
    assert!(helm.contains(r#"Version:"v4.1.4""#), "{helm}");
}

/// Two versions of one package, stacked in either order: the last layer's is the one that loads.
#[test]
fn node_requires_the_package_of_the_last_layer() {
    let print = "
        const agent = require('proxy-agent');
        const exported = typeof agent === 'function' ? 'function' : Object.keys(agent).sort().join();
        console.log(require('proxy-agent/package.json').version, exported, require.resolve('proxy-agent'));
    ";
    let at = "/opt/nodejs/node_modules/proxy-agent";
    let v6_last = layers(&["proxy-agent-v5", "proxy-agent-v6"]);
    assert_eq!(
        run(Some("nodejs20.x"), &v6_last, ["node", "-e", print]),
        format!("6.4.0 ProxyAgent,proxies {at}/dist/index.js\n")
    );
    let v5_last = layers(&["proxy-agent-v6", "proxy-agent-v5"]);
    assert_eq!(
        run(Some("nodejs20.x"), &v5_last, ["node", "-e", print]),
        format!("5.0.0 function {at}/index.js\n")
    );
}

/// Five layers that share `python/`: every package imports, shared objects included, and of numpy and
/// boto3, which two layers each have, the last layer's version is the one in force.
#[test]
fn python_imports_the_packages_of_the_last_layers() {
    let mut stack = layers(&PYTHON);
    assert_eq!(
        run(Some(&python_runtime()), &stack, ["python3", "-c", IMPORT_ALL]),
        "numpy=2.2.6 pandas=2.2.3 scipy=1.15.3 pyarrow=18.1.0 PIL=11.0.0 boto3=1.40.1 botocore=1.40.1\n"
    );
    stack.reverse();
    assert_eq!(
        run(Some(&python_runtime()), &stack, ["python3", "-c", IMPORT_ALL]),
        "numpy=2.1.3 pandas=2.2.3 scipy=1.15.3 pyarrow=18.1.0 PIL=11.0.0 boto3=1.34.162 botocore=1.34.162\n"
    );
}

/// The whole mounted tree is what extraction in order leaves, and so is what `optfs extract` writes.
#[test]
fn python_layers_show_what_unzip_in_order_leaves() {
    assert_same_as_unzip(&layers(&PYTHON));
}

/// As above, on published layers: with symlinks, local times, and files that change between versions.
#[test]
fn published_layers_show_what_unzip_in_order_leaves() {
    assert_same_as_unzip(&layers(&[
        "awscli",
        "proxy-agent-v5",
        "kubectl",
        "proxy-agent-v6",
    ]));
    assert_same_as_unzip(&layers(&["proxy-agent-v6", "proxy-agent-v5"]));
}

/// The zips of these names, in this order. `scripts/layers` makes all that are missing, once per process.
pub(crate) fn layers(names: &[&str]) -> Vec<PathBuf> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/layers");
        let made = Command::new(&script)
            .output()
            .map_err(|error| format!("{}: {error}", script.display()))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        Ok(PathBuf::from(String::from_utf8_lossy(&made.stdout).trim_end()))
    });
    match home {
        Ok(home) => names
            .iter()
            .map(|name| home.join(format!("{name}.zip")))
            .collect(),
        Err(reason) => panic!("scripts/layers failed:\n{reason}"),
    }
}

/// The name that Lambda has for the machine's own python3, for which `scripts/layers` picks its wheels.
pub(crate) fn python_runtime() -> String {
    let print = "import sys; print('python%d.%d' % sys.version_info[:2])";
    output(Command::new("python3").args(["-c", print]))
        .trim_end()
        .to_owned()
}

/// What a command prints when `optfs run` runs it on a stack.
pub(crate) fn run<const N: usize>(runtime: Option<&str>, stack: &[PathBuf], command: [&str; N]) -> String {
    let mut optfs = optfs();
    optfs.arg("run");
    if let Some(runtime) = runtime {
        optfs.args(["--runtime", runtime]);
    }
    for layer in stack {
        optfs.arg("--layer").arg(layer);
    }
    output(optfs.arg("--").args(command))
}

fn assert_same_as_unzip(stack: &[PathBuf]) {
    let scratch = TempDir::new().expect("the temporary directory is writable");
    let unzipped = scratch.path().join("unzipped");
    let expected = unzip(stack, &unzipped);

    let place = Place::of_layers(stack);
    place.mount([]);
    assert_same_tree(&expected, &unzipped, place.opt());
    place.unmount();

    let extracted = scratch.path().join("extracted");
    output(optfs().arg("extract").args(stack).arg(&extracted));
    assert_same_tree(&expected, &unzipped, &extracted);
}

/// What an object of a tree looks like, but for the bytes of a file.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    mode: u32,
    mtime: i64,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Directory,
    File { size: u64 },
    Symlink { target: PathBuf },
}

type Tree = BTreeMap<PathBuf, Node>;

/// Extracts the stack in order and returns the tree that a mount should show.
///
/// Two kinds of times are taken from the archives, since unzip does not keep them: it gives symlinks the
/// present, and leaves a directory that an earlier layer made with whatever time the last write gave it.
fn unzip(stack: &[PathBuf], into: &Path) -> Tree {
    let mut times = HashMap::new();
    for layer in stack {
        output(Command::new("unzip").arg("-qo").arg(layer).arg("-d").arg(into));
        times.extend(times_in(layer));
    }
    let mut tree = walk(into);
    for (path, node) in &mut tree {
        if !matches!(node.body, Body::File { .. }) {
            node.mtime = times[path];
        }
    }
    tree
}

/// The modification time of each entry of an archive that Info-ZIP, or `scripts/layers`, has made.
fn times_in(layer: &Path) -> Vec<(PathBuf, i64)> {
    let mut archive =
        ZipArchive::new(File::open(layer).expect("the layer is readable")).expect("the layer is a zip");
    (0..archive.len())
        .map(|index| {
            let entry = archive.by_index_raw(index).expect("the entry is readable");
            let seconds = entry.extra_data_fields().find_map(|field| match field {
                ExtraField::ExtendedTimestamp(times) => times.mod_time(),
                _ => None,
            });
            let name = entry.name().expect("the name is UTF-8");
            let path = PathBuf::from(name.trim_end_matches('/'));
            let seconds = seconds.unwrap_or_else(|| panic!("{path:?} has no time"));
            (path, i64::from(seconds))
        })
        .collect()
}

/// Everything below a directory, by its path from there. The directory itself is left out: its mode
/// and time come from no entry.
fn walk(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut unread = vec![root.to_owned()];
    while let Some(directory) = unread.pop() {
        let listing = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
        for item in listing {
            let path = item
                .unwrap_or_else(|error| panic!("{directory:?}: {error}"))
                .path();
            let node = node_at(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            if node.body == Body::Directory {
                unread.push(path.clone());
            }
            let name = path.strip_prefix(root).expect("the walk stays below root");
            let earlier = tree.insert(name.to_owned(), node);
            assert_eq!(earlier, None, "{path:?} is listed twice");
        }
    }
    tree
}

fn node_at(path: &Path) -> std::io::Result<Node> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let body = if kind.is_dir() {
        Body::Directory
    } else if kind.is_symlink() {
        Body::Symlink {
            target: fs::read_link(path)?,
        }
    } else {
        assert!(kind.is_file(), "{path:?} is a {kind:?}");
        Body::File { size: metadata.len() }
    };
    Ok(Node {
        mode: metadata.mode() & 0o7777,
        mtime: metadata.mtime(),
        body,
    })
}

/// Compares names and attributes with the expected ones, and bytes with those in `unzipped`.
fn assert_same_tree(expected: &Tree, unzipped: &Path, found: &Path) {
    let tree = walk(found);
    let mut differences = Vec::new();
    for path in expected
        .keys()
        .chain(tree.keys().filter(|path| !expected.contains_key(*path)))
    {
        let (wanted, got) = (expected.get(path), tree.get(path));
        if wanted != got {
            differences.push(format!("{path:?}: expected {wanted:?}, found {got:?}"));
        } else if matches!(got.map(|node| &node.body), Some(Body::File { .. })) {
            let wanted = fs::read(unzipped.join(path)).expect("what unzip wrote is readable");
            match fs::read(found.join(path)) {
                Ok(got) if got == wanted => {}
                Ok(_) => differences.push(format!("{path:?}: other bytes")),
                Err(error) => differences.push(format!("{path:?}: {error}")),
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} paths differ, the first ones:\n{}",
        differences.len(),
        expected.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}
