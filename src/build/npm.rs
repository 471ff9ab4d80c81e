//! `package.json`, by npm: what it depends on, for Linux and the layer's processor, into `nodejs/node_modules`. With a lock file
//! beside it, just what that says.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::error::at;
use super::keeper::{Ended, Kept};
use super::pip::{is_empty, read_list};
use super::settle::{self, absent_is_fine};
use super::{Architecture, BuildError, Built, Progress};
use crate::launch::runtime::{Family, Runtime};

/// What npm takes for a lock file, the first before the second.
const LOCKS: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];
/// Where a package says what it depends on.
const DEPENDENCIES: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];
/// What tells where something lies in the file system.
const FILE: &str = "file:";

pub(super) fn build(
    file: &Path,
    allow_scripts: bool,
    runtime: Runtime,
    architecture: Architecture,
    keeper: Command,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    if !matches!(runtime.family(), Family::Node { .. }) {
        return Err(BuildError::Language {
            path: file.to_owned(),
            list: "a list for npm",
            language: "Node.js",
            runtime,
        });
    }
    let absolute = std::path::absolute(file).map_err(at(file))?;
    let home = absolute.parent().unwrap_or(Path::new("/"));
    let package = package(file, home)?;
    let lock = lock(home)?;
    let npm = find()?;
    let mut kept = Kept::new(keeper)?;
    let work = kept.directory().join("work");
    fs::create_dir(&work).map_err(at(&work))?;
    write(&work.join("package.json"), &package)?;
    if let Some((name, lock)) = &lock {
        write(&work.join(name), lock)?;
    }
    // Which registry, and with which key; it stays outside of the layer.
    let (config, copy) = (home.join(".npmrc"), work.join(".npmrc"));
    absent_is_fine(fs::copy(&config, copy).map(drop)).map_err(at(&config))?;
    let ended = kept.run(
        &work,
        &words(&npm, lock.is_some(), allow_scripts, architecture),
        progress,
    )?;
    if ended.status != 0 {
        return Err(BuildError::Failed {
            path: file.to_owned(),
            tool: "npm",
            status: ended.status,
            said: complaint(&ended),
        });
    }
    let installed = work.join("node_modules");
    // npm's own notes on what it has done, with the paths of this machine.
    let notes = installed.join(".package-lock.json");
    absent_is_fine(fs::remove_file(&notes)).map_err(at(&notes))?;
    if !installed.is_dir() || is_empty(&installed)? {
        return Err(BuildError::Nothing(file.to_owned()));
    }
    settle::modes(&installed)?;
    let top = kept.directory().join("layer");
    // Not nodejs/node20: it is the same for every version, and ES modules, which know no search path, import by it.
    let target = top.join("nodejs/node_modules");
    fs::create_dir_all(top.join("nodejs")).map_err(at(&target))?;
    fs::rename(&installed, &target).map_err(at(&target))?;
    settle::modes(&top)?;
    Ok(Built {
        doubts: Vec::new(),
        top,
        _kept: kept,
    })
}

/// The package as npm is to see it elsewhere: its dependencies alone, their paths whole.
fn package(file: &Path, home: &Path) -> Result<Value, BuildError> {
    let refuse = |why: String| BuildError::List {
        path: file.to_owned(),
        why,
    };
    let parsed = serde_json::from_slice(&read_list(file)?);
    let Value::Object(mut package) = parsed.map_err(|error| refuse(format!("no JSON: {error}")))? else {
        return Err(refuse("no package: a JSON object is expected".to_owned()));
    };
    if package.contains_key("workspaces") {
        let why = "has workspaces, which are no packages that a layer could be built from: name the package.json of one of them";
        return Err(refuse(why.to_owned()));
    }
    // Its own scripts are for its own files, and those are not there.
    package.remove("scripts");
    package.remove("devDependencies");
    make_whole(&mut package, home);
    if DEPENDENCIES
        .iter()
        .all(|kind| package.get(*kind).is_none_or(is_nothing))
    {
        return Err(BuildError::Nothing(file.to_owned()));
    }
    Ok(Value::Object(package))
}

fn is_nothing(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// The lock file of the package and its name, where it has one.
fn lock(home: &Path) -> Result<Option<(&'static str, Value)>, BuildError> {
    for name in LOCKS {
        let path = home.join(name);
        let refuse = |why: String| BuildError::List {
            path: path.clone(),
            why,
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&path)(error)),
        };
        let parsed = serde_json::from_slice(&bytes);
        let mut lock: Value = parsed.map_err(|error| refuse(format!("no JSON: {error}")))?;
        let Some(Value::Object(packages)) = lock.get_mut("packages") else {
            return Err(refuse(
                "of an old npm: lockfileVersion 2 or 3 is expected, which 'npm install' writes today"
                    .to_owned(),
            ));
        };
        for (place, package) in packages {
            let Some(package) = package.as_object_mut() else {
                continue;
            };
            if package.get("link").is_some_and(|link| link == &Value::Bool(true)) {
                let why = format!(
                    "{place} is a link to a directory, which the layer would not hold: 'npm pack' it, and depend on the tarball"
                );
                return Err(refuse(why));
            }
            if let Some(Value::String(resolved)) = package.get_mut("resolved") {
                make_path_whole(resolved, home);
            }
            if place.is_empty() {
                make_whole(package, home);
            }
        }
        return Ok(Some((name, lock)));
    }
    Ok(None)
}

fn make_whole(package: &mut Map<String, Value>, home: &Path) {
    for kind in DEPENDENCIES {
        let Some(Value::Object(wanted)) = package.get_mut(kind) else {
            continue;
        };
        for version in wanted.values_mut() {
            if let Value::String(version) = version {
                make_path_whole(version, home);
            }
        }
    }
}

/// `file:x.tgz` with the whole path, also where npm would know `./x.tgz` for a path without being told.
fn make_path_whole(text: &mut String, home: &Path) {
    let path = match text.strip_prefix(FILE) {
        Some(path) => path,
        None if text.starts_with("./") || text.starts_with("../") => text.as_str(),
        None => return,
    };
    let whole = home.join(path);
    if let Some(whole) = whole.to_str() {
        *text = format!("{FILE}{whole}");
    }
}

fn write(path: &PathBuf, value: &Value) -> Result<(), BuildError> {
    fs::write(path, value.to_string()).map_err(at(path))
}

fn find() -> Result<OsString, BuildError> {
    let asked = Command::new("npm").arg("--version").stdin(Stdio::null()).output();
    let tried = match asked {
        Ok(answer) if answer.status.success() => return Ok("npm".into()),
        Ok(answer) => format!(
            "npm --version ended with {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.stderr).trim()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => "npm is not on the PATH".to_owned(),
        Err(error) => format!("npm: {error}"),
    };
    Err(BuildError::Missing { tool: "npm", tried })
}

fn words(npm: &OsString, locked: bool, allow_scripts: bool, architecture: Architecture) -> Vec<OsString> {
    let processor = match architecture {
        Architecture::X86_64 => "x64",
        Architecture::Arm64 => "arm64",
    };
    let mut words = vec![npm.clone()];
    let chosen = match locked {
        true => &["ci"][..],
        false => &["install", "--no-package-lock"],
    };
    words.extend(chosen.iter().map(OsString::from));
    let fixed = [
        "--omit=dev",
        "--os=linux",
        "--libc=glibc",
        // A directory is copied, where npm would make a link that leads out of the layer.
        "--install-links",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--no-global",
        "--logs-max=0",
        "--loglevel=http",
        "--color=false",
        "--progress=false",
    ];
    words.extend(fixed.map(OsString::from));
    words.push(format!("--cpu={processor}").into());
    words.push(format!("--ignore-scripts={}", !allow_scripts).into());
    words
}

/// npm's own words of what is wrong.
fn complaint(ended: &Ended) -> String {
    let errors = ended.lines.iter().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("npm error ")
            .or_else(|| line.strip_prefix("npm ERR! "))
    });
    let errors: Vec<_> = errors
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("A complete log") && !line.starts_with("Log files")
        })
        .collect();
    match (errors.is_empty(), ended.lines.last()) {
        (false, _) => errors.join("; "),
        (true, Some(last)) => last.trim().to_owned(),
        (true, None) => "it said nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_from_where_the_package_lies() {
        let whole = |text: &str| {
            let mut text = text.to_owned();
            make_path_whole(&mut text, Path::new("/app"));
            text
        };
        assert_eq!(whole("file:x.tgz"), "file:/app/x.tgz");
        assert_eq!(whole("./x.tgz"), "file:/app/./x.tgz");
        assert_eq!(whole("file:/abs/x.tgz"), "file:/abs/x.tgz");
        assert_eq!(whole("^1.2.3"), "^1.2.3");
    }
}
