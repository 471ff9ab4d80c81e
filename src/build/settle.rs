//! What differs from one build to the next, settled: modes as Lambda needs them, scripts that name this machine's Python, and
//! notes of where something was installed from.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::BuildError;
use super::error::at;

/// Gives every file 0644 or 0755 and every directory 0755, whatever the umask was: others read them on Lambda.
pub(super) fn modes(top: &Path) -> Result<(), BuildError> {
    each(top, &mut |path, meta| {
        if meta.is_symlink() {
            return Ok(());
        }
        let runs = meta.is_dir() || meta.permissions().mode() & 0o111 != 0;
        fs::set_permissions(path, Permissions::from_mode(if runs { 0o755 } else { 0o644 }))
    })
}

/// Removes compiled Python: it holds the times of its sources, and is for one version alone.
pub(super) fn without_pyc(top: &Path) -> Result<(), BuildError> {
    each(top, &mut |path, meta| match meta.is_dir() {
        true if path.ends_with("__pycache__") => fs::remove_dir_all(path),
        false if path.extension().is_some_and(|extension| extension == "pyc") => fs::remove_file(path),
        _ => Ok(()),
    })
}

/// Takes out of the notes of installed distributions what is of this machine: `direct_url.json`, and the lines of RECORD about
/// it, about compiled files, and about scripts, which do not lie where it says.
pub(super) fn distributions(site_packages: &Path) -> Result<(), BuildError> {
    for entry in fs::read_dir(site_packages).map_err(at(site_packages))? {
        let info = entry.map_err(at(site_packages))?.path();
        if info.extension().is_none_or(|extension| extension != "dist-info") {
            continue;
        }
        let (url, record) = (info.join("direct_url.json"), info.join("RECORD"));
        absent_is_fine(fs::remove_file(&url)).map_err(at(&url))?;
        match fs::read_to_string(&record) {
            Ok(text) => fs::write(&record, settled_record(&text)).map_err(at(&record))?,
            Err(error) => absent_is_fine(Err(error)).map_err(at(&record))?,
        }
    }
    Ok(())
}

fn settled_record(text: &str) -> String {
    let stays = |line: &&str| {
        let path = match line.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => line.split(',').next(),
        };
        let path = path.unwrap_or("");
        !path.starts_with("../") && !path.ends_with("/direct_url.json") && !path.ends_with(".pyc")
    };
    let mut lines: Vec<_> = text.lines().filter(stays).collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Has scripts begin with the Python that is found on the PATH where they run.
pub(super) fn scripts(directory: &Path) -> Result<(), BuildError> {
    each(directory, &mut |path, meta| {
        if !meta.is_file() {
            return Ok(());
        }
        let bytes = fs::read(path)?;
        match settled_script(&bytes) {
            Some(script) => fs::write(path, script),
            None => Ok(()),
        }
    })
}

fn settled_script(bytes: &[u8]) -> Option<Vec<u8>> {
    // What pip writes where the path of the interpreter is too long for a first line.
    let (first, rest) = match bytes.strip_prefix(b"#!/bin/sh\n'''exec' ") {
        Some(long) => split_line(split_line(long)?.1)?,
        None => split_line(bytes)?,
    };
    let is_python = first.windows(6).any(|part| part == b"python");
    let names_it = first.starts_with(b"#!") && is_python || first == b"' '''";
    names_it.then(|| [b"#!/usr/bin/env python3\n", rest].concat())
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Everything below a directory, directories before what is in them; what is removed is not entered.
fn each(top: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata) -> io::Result<()>) -> Result<(), BuildError> {
    let mut waiting = vec![top.to_owned()];
    while let Some(directory) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&directory)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(at(&directory))?;
            let path = entry.path();
            let meta = entry.metadata().map_err(at(&path))?;
            visit(&path, &meta).map_err(at(&path))?;
            if meta.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(())
}

pub(super) fn absent_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_what_the_layer_does() {
        let record = "b.py,sha256=x,1\n../../bin/tool,sha256=y,2\n\"../../bin/a,b\",sha256=y,2\na-1.dist-info/direct_url.json,,\n\
                      __pycache__/b.cpython-312.pyc,,\na.py,sha256=z,3\n";
        assert_eq!(settled_record(record), "a.py,sha256=z,3\nb.py,sha256=x,1\n");
    }

    #[test]
    fn a_script_names_no_interpreter_of_this_machine() {
        let settled = |script: &str| {
            let settled = settled_script(script.as_bytes()).map(String::from_utf8);
            settled.and_then(Result::ok)
        };
        let expected = Some("#!/usr/bin/env python3\nimport x\n".to_owned());
        assert_eq!(settled("#!/root/.venv/bin/python3.11\nimport x\n"), expected);
        let long = "#!/bin/sh\n'''exec' \"/a very/long/python3\" \"$0\" \"$@\"\n' '''\nimport x\n";
        assert_eq!(settled(long), expected);
        assert_eq!(settled("#!/bin/sh\necho python\n"), None);
        assert_eq!(settled("\u{7f}ELF"), None);
    }
}
