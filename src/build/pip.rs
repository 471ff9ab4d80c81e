//! `requirements.txt`, by pip: wheels for the runtime's Python, system and processor, into the directory that this Python alone
//! looks into.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::at;
use super::keeper::{Ended, Kept};
use super::settle::{self, absent_is_fine};
use super::{Architecture, BuildError, Built, Progress};
use crate::launch::runtime::{Family, Runtime};

/// The oldest C library that wheels of today name, and those between it and 2.17 that have a name of their own.
const OLDEST_GLIBC: u32 = 17;
const OLDER_GLIBC: [u32; 2] = [12, 5];

/// A pip that answers.
struct Pip {
    words: Vec<OsString>,
    /// The Python it runs in, such as `3.12`.
    python: String,
}

pub(super) fn build(
    file: &Path,
    runtime: Runtime,
    architecture: Architecture,
    mut keeper: Command,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let Family::Python { version } = runtime.family() else {
        return Err(BuildError::Language {
            path: file.to_owned(),
            list: "a list for pip",
            language: "Python",
            runtime,
        });
    };
    read_list(file)?;
    let pip = find(version)?;
    // A variable, as an older pip does not know the option.
    keeper.env("PIP_ROOT_USER_ACTION", "ignore");
    let mut kept = Kept::new(keeper)?;
    let top = kept.directory().join("layer");
    // Before /opt/python on the path of this Python, and on the path of no other: a layer that is attached to a function of
    // another version is not there, instead of being there with extensions that do not load. AWS documents both.
    let site_packages = top.join(format!("python/lib/python{version}/site-packages"));
    fs::create_dir_all(&site_packages).map_err(at(&site_packages))?;
    let words = words(&pip, file, &site_packages, runtime, version, architecture);
    // Paths in the list count from here, as they do for pip.
    let here = std::env::current_dir().map_err(at(Path::new(".")))?;
    let ended = kept.run(&here, &words, progress)?;
    if ended.status != 0 {
        return Err(BuildError::Failed {
            path: file.to_owned(),
            tool: "pip",
            status: ended.status,
            said: complaint(&ended),
        });
    }
    let bin = site_packages.join("bin");
    if bin.is_dir() {
        settle::scripts(&bin)?;
        fs::rename(&bin, top.join("bin")).map_err(at(&bin))?;
    }
    settle::distributions(&site_packages)?;
    settle::without_pyc(&top)?;
    settle::modes(&top)?;
    let lock = site_packages.join(".lock");
    absent_is_fine(fs::remove_file(&lock)).map_err(at(&lock))?;
    if is_empty(&site_packages)? {
        return Err(BuildError::Nothing(file.to_owned()));
    }
    Ok(Built {
        doubts: doubts(&pip, version, architecture),
        top,
        _kept: kept,
    })
}

/// Whether the list is one; pip would say it at length.
pub(super) fn read_list(file: &Path) -> Result<Vec<u8>, BuildError> {
    let bytes = fs::read(file).map_err(|error| BuildError::List {
        path: file.to_owned(),
        why: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "a directory, not a list of packages".to_owned(),
            _ => error.to_string(),
        },
    })?;
    match bytes.contains(&0) {
        false => Ok(bytes),
        true => Err(BuildError::List {
            path: file.to_owned(),
            why: "not a text".to_owned(),
        }),
    }
}

/// The pip of the very Python first, as pip reads the conditions in a list for the Python that it runs in.
fn find(version: &str) -> Result<Pip, BuildError> {
    let python = format!("python{version}");
    let ways: [&[&str]; 4] = [
        &[&python, "-m", "pip"],
        &["python3", "-m", "pip"],
        &["pip3"],
        &["pip"],
    ];
    let mut tried = Vec::new();
    for way in ways {
        let asked = Command::new(way[0])
            .args(&way[1..])
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        let way = way.iter().map(OsString::from).collect::<Vec<_>>();
        let shown = way.join(OsStr::new(" ")).to_string_lossy().into_owned();
        match asked {
            Ok(answer) if answer.status.success() => {
                let said = String::from_utf8_lossy(&answer.stdout);
                let python = said.rsplit_once("(python ").map(|(_, rest)| rest.trim_end());
                let python = python.and_then(|rest| rest.strip_suffix(')'));
                return Ok(Pip {
                    words: way,
                    python: python.unwrap_or("").to_owned(),
                });
            }
            Ok(answer) => {
                let said = String::from_utf8_lossy(&answer.stderr);
                let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("");
                tried.push(format!("{shown} ended with {}: {last}", answer.status));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tried.push(format!("{shown}: {error}")),
        }
    }
    if tried.is_empty() {
        tried.push(format!("neither {python}, python3, pip3 nor pip is on the PATH"));
    }
    Err(BuildError::Missing {
        tool: "pip",
        tried: tried.join("; "),
    })
}

fn words(
    pip: &Pip,
    file: &Path,
    target: &Path,
    runtime: Runtime,
    version: &str,
    architecture: Architecture,
) -> Vec<OsString> {
    let mut words = pip.words.clone();
    let fixed = [
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--no-warn-script-location",
        "--progress-bar=off",
        "--no-color",
        "--no-user",
        // Compiled files are for one version and hold times; Lambda cannot write them, and does without.
        "--no-compile",
        "--only-binary=:all:",
        "--implementation=cp",
    ];
    words.extend(fixed.map(OsString::from));
    words.push(format!("--python-version={version}").into());
    words.extend(
        platforms(runtime, architecture)
            .into_iter()
            .map(|platform| format!("--platform={platform}").into()),
    );
    let joined = |option: &str, path: &Path| {
        let mut word = OsString::from(option);
        word.push(path);
        word
    };
    words.push(joined("--target=", target));
    words.push(joined("--requirement=", file));
    words
}

/// The systems whose wheels run there, the newest first: those of the runtime's own C library and all before it.
fn platforms(runtime: Runtime, architecture: Architecture) -> Vec<String> {
    let (processor, newest) = match (architecture, runtime.glibc()) {
        (Architecture::X86_64, glibc) => ("x86_64", glibc),
        (Architecture::Arm64, glibc) => ("aarch64", glibc),
    };
    let (_, newest) = newest.unwrap_or((2, OLDEST_GLIBC));
    let mut platforms: Vec<_> = (OLDEST_GLIBC..=newest)
        .rev()
        .map(|minor| format!("manylinux_2_{minor}_{processor}"))
        .collect();
    // pip knows that this one takes manylinux2010 and manylinux1 in.
    platforms.push(format!("manylinux2014_{processor}"));
    if architecture == Architecture::X86_64 {
        platforms.extend(OLDER_GLIBC.map(|minor| format!("manylinux_2_{minor}_{processor}")));
    }
    platforms
}

/// pip's own words: its errors, or the last that it said.
fn complaint(ended: &Ended) -> String {
    let errors = ended
        .lines
        .iter()
        .filter_map(|line| line.trim().strip_prefix("ERROR: "));
    let errors: Vec<_> = errors.collect();
    match (errors.is_empty(), ended.lines.last()) {
        (false, _) => errors.join("; "),
        (true, Some(last)) => last.trim().to_owned(),
        (true, None) => "it said nothing".to_owned(),
    }
}

/// What pip decides by itself and not by what it is told.
fn doubts(pip: &Pip, version: &str, architecture: Architecture) -> Vec<String> {
    let mut doubts = Vec::new();
    if pip.python != version && !pip.python.is_empty() {
        doubts.push(format!(
            "pip ran in Python {}, and reads conditions such as python_version for that: with a python{version} on the PATH it \
             reads them for the runtime",
            pip.python
        ));
    }
    if Architecture::of_this_machine() != Some(architecture) {
        doubts.push(format!(
            "pip reads conditions such as platform_machine for this machine, not for {}",
            architecture.word()
        ));
    }
    doubts
}

pub(super) fn is_empty(directory: &Path) -> Result<bool, BuildError> {
    let mut entries = fs::read_dir(directory).map_err(at(directory))?;
    Ok(entries.next().is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wheels_of_older_systems_run_and_of_newer_ones_do_not() {
        let of = |runtime: &str, architecture| platforms(runtime.parse().unwrap(), architecture);
        let newest = of("python3.12", Architecture::Arm64);
        assert_eq!(newest[0], "manylinux_2_34_aarch64");
        assert_eq!(newest[newest.len() - 1], "manylinux2014_aarch64");
        let older = of("python3.11", Architecture::X86_64);
        assert_eq!(older[0], "manylinux_2_26_x86_64");
        assert!(older.contains(&"manylinux_2_5_x86_64".to_owned()));
        assert_eq!(of("python3.7", Architecture::X86_64)[0], "manylinux_2_17_x86_64");
    }
}
