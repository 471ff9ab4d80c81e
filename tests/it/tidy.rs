//! The arrows of the house: reads src/ and fails when a room names a room it may not know, or a crate it
//! does not own.
//!
//! Only code counts: comments and strings are blanked first, and a test module may name whatever it likes.
//! The tables below are the plan; a line that is missing there is a question for docs/architecture.md
//! before it is a line to add.

use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may name. A room that is not here is new: place it in the house first.
const ARROWS: &[(&str, &[&str])] = &[
    ("path", &[]),
    ("cache", &[]),
    ("template", &[]),
    ("descriptors", &[]),
    ("launch", &["descriptors"]),
    ("supervise", &["descriptors"]),
    ("archive", &["path"]),
    ("stack", &["archive", "path"]),
    ("store", &["archive"]),
    ("content", &["cache", "stack", "archive"]),
    ("fs", &["content", "stack", "path"]),
    ("explain", &["content", "stack", "archive", "path"]),
    ("guide", &["fs", "explain", "stack", "path"]),
    ("fuse", &["fs", "guide", "descriptors"]),
    ("extract", &["fs", "stack"]),
    ("bench", &["launch"]),
    ("serve", &["store"]),
    ("build", &["launch"]),
    (
        "cli",
        &[
            "path",
            "cache",
            "launch",
            "archive",
            "stack",
            "content",
            "fs",
            "explain",
            "guide",
            "fuse",
            "extract",
            "bench",
            "build",
            "store",
            "serve",
            "template",
            "supervise",
        ],
    ),
];

/// Which crates only some rooms may name.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("fuser", &["fuse"]),
    ("io_uring", &["fuse"]),
    ("thread_priority", &["fuse"]),
    ("rustix", &["descriptors"]),
    ("lru", &["cache"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("env_logger", &["cli"]),
    (
        "serde_json",
        &["cli", "bench", "build", "explain", "guide", "store", "serve"],
    ),
    ("ratatui", &["cli"]),
    ("similar", &["cli"]),
    ("sha2", &["content", "explain", "store", "serve", "cli"]),
    ("base64", &["explain", "store", "serve"]),
    ("uuid", &["store", "serve"]),
    ("toml", &["cli"]),
    ("object", &["explain"]),
    ("saphyr_parser", &["template"]),
    ("rawzip", &["archive"]),
    ("libdeflater", &["archive"]),
    ("bzip2", &["archive"]),
    ("lzma_rust2", &["archive"]),
    ("ruzstd", &["archive"]),
    ("deflate64", &["archive"]),
    ("axum", &["serve"]),
    ("hyper", &["serve"]),
    ("hyper_util", &["serve"]),
    ("http_body_util", &["serve"]),
    ("tokio", &["serve"]),
    ("tokio_util", &["serve"]),
    ("tower", &["serve"]),
    ("md5", &["serve"]),
    ("quick_xml", &["serve"]),
    ("form_urlencoded", &["serve"]),
    ("percent_encoding", &["serve"]),
    ("httpdate", &["serve"]),
    // The writer: reading is rawzip's, but for the second reader of the tests.
    ("zip", &["store"]),
];

/// Macros that print, and who may.
const PRINTING: (&[&str], &[&str]) = (&["println", "eprintln", "print", "eprint", "dbg"], &["cli"]);

/// Files that may say `unsafe`.
const UNSAFE_FILES: &[&str] = &["fuse/uring/ring.rs"];

/// The files that every room hangs on; they belong to no room.
const HOUSE: &[&str] = &["lib.rs", "main.rs"];

/// A file is this long at most before its tests.
const MOST_LINES: usize = 500;

/// Files under tests/it/ that are not registered yet. Take the name out when the `mod` line comes in.
const NOT_REGISTERED_YET: &[&str] = &[];

#[test]
fn no_room_names_a_room_it_may_not_know() {
    complain(each_source(|source| {
        let Some(room) = &source.room else {
            return Vec::new();
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == room) else {
            return vec![(1, format!("the room `{room}` has no arrows in tests/it/tidy.rs"))];
        };
        rooms_named(&source.code, source.is_door)
            .into_iter()
            .filter(|(_, named)| named != room && !allowed.contains(&named.as_str()))
            .map(|(line, named)| (line, format!("`{room}` may not know `{named}`")))
            .collect()
    }));
}

#[test]
fn no_room_names_a_crate_it_does_not_own() {
    complain(each_source(|source| {
        let mut faults = Vec::new();
        for (name, owners) in OWNED_CRATES {
            if !source.belongs_to(owners) {
                let lines = crates_named(&source.code, name);
                faults.extend(lines.map(|line| (line, format!("`{name}` belongs to {owners:?}"))));
            }
        }
        faults
    }));
}

#[test]
fn only_the_command_line_prints() {
    complain(each_source(|source| {
        let (macros, owners) = PRINTING;
        if source.belongs_to(owners) {
            return Vec::new();
        }
        let called = |word: &Word| macros.contains(&word.text) && word.rest.starts_with('!');
        let words = words(&source.code).filter(called);
        words
            .map(|word| (word.line, format!("`{}!` belongs to {owners:?}", word.text)))
            .collect()
    }));
}

#[test]
fn no_code_unwraps() {
    complain(each_source(|source| {
        let unwraps = words(&source.code).filter(|word| word.text == "unwrap" && word.rest.starts_with('('));
        unwraps
            .map(|word| {
                (
                    word.line,
                    "`unwrap()` outside tests: say why it cannot fail".to_owned(),
                )
            })
            .collect()
    }));
}

#[test]
fn unsafe_stays_in_its_files() {
    complain(each_source(|source| {
        if UNSAFE_FILES.contains(&source.name.as_str()) {
            return Vec::new();
        }
        let said = words(&source.code).filter(|word| word.text == "unsafe");
        said.map(|word| (word.line, "`unsafe` outside of its files".to_owned()))
            .collect()
    }));
}

#[test]
fn no_file_outgrows_its_noun() {
    complain(each_source(|source| {
        let lines = source.code.lines().count();
        let too_long = lines > MOST_LINES;
        too_long
            .then(|| (lines, format!("{lines} lines before tests: find the second noun")))
            .into_iter()
            .collect()
    }));
}

#[test]
fn a_file_says_what_it_owns() {
    complain(each_source(|source| {
        let silent = !source.text.starts_with("//! ");
        silent
            .then(|| {
                (
                    1,
                    "a file opens with `//!`: what it owns, what it leaves to others".to_owned(),
                )
            })
            .into_iter()
            .collect()
    }));
}

#[test]
fn every_test_file_is_registered() {
    let tests = manifest_directory().join("tests/it");
    let mut faults = Vec::new();
    for (directory, register) in [("", "main.rs"), ("support/", "support/mod.rs")] {
        let register_code = code_of(&read(&tests.join(register)));
        for entry in fs::read_dir(tests.join(directory)).expect("tests/it is there") {
            let file = entry.expect("tests/it is readable").file_name();
            let stem = file
                .to_str()
                .expect("our names are UTF-8")
                .trim_end_matches(".rs");
            if ["main", "mod"].contains(&stem) {
                continue;
            }
            let registered = words(&register_code)
                .any(|word| word.text == "mod" && word.rest.trim_start().starts_with(&format!("{stem};")));
            let waits = NOT_REGISTERED_YET.contains(&format!("{directory}{stem}").as_str());
            match (registered, waits) {
                (false, false) => faults.push(format!("tests/it/{register}: `mod {stem};` is missing")),
                (true, true) => faults.push(format!("tests/it/tidy.rs: `{stem}` no longer waits")),
                (true, false) | (false, true) => {}
            }
        }
    }
    complain(faults);
}

/// A file of src/, ready to be questioned.
struct Source {
    /// Its path under src/.
    name: String,
    /// The room it belongs to; the house's own files belong to none.
    room: Option<String>,
    /// Whether `super` is the house: `room.rs` and `room/mod.rs`.
    is_door: bool,
    text: String,
    /// The text without tests, comments and the inside of strings, line for line.
    code: String,
}

impl Source {
    fn belongs_to(&self, rooms: &[&str]) -> bool {
        self.room
            .as_ref()
            .is_some_and(|room| rooms.contains(&room.as_str()))
    }
}

/// Asks every file of src/ and collects its faults, each with its place.
fn each_source(faults_of: impl Fn(&Source) -> Vec<(usize, String)>) -> Vec<String> {
    let mut all = Vec::new();
    for source in sources() {
        for (line, fault) in faults_of(&source) {
            all.push(format!("src/{}:{line}: {fault}", source.name));
        }
    }
    all
}

fn sources() -> Vec<Source> {
    let root = manifest_directory().join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 2, "src/ holds the rooms");
    let sources = files.iter().filter(|path| !is_test_file(path)).map(|path| {
        let name = path
            .strip_prefix(&root)
            .expect("found below src/")
            .to_str()
            .expect("our names are UTF-8");
        let first = name
            .split('/')
            .next()
            .expect("a path has a first part")
            .trim_end_matches(".rs");
        let text = read(path);
        Source {
            name: name.to_owned(),
            room: (!HOUSE.contains(&name)).then(|| first.to_owned()),
            is_door: !name.contains('/') || name == format!("{first}/mod.rs"),
            code: code_of(&text),
            text,
        }
    });
    sources.collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src/ is readable") {
        let path = entry.expect("src/ is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// A test module in a file of its own: `tests.rs`, or anything below `tests/` inside src/.
fn is_test_file(path: &Path) -> bool {
    path.components()
        .skip(manifest_directory().components().count())
        .any(|part| {
            let part = part.as_os_str();
            part == "tests" || part == "tests.rs"
        })
}

fn manifest_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn complain(faults: Vec<String>) {
    assert!(faults.is_empty(), "the house is not tidy:\n{}", faults.join("\n"));
}

/// The code of a file up to its test module, with comments and the inside of strings blanked.
fn code_of(text: &str) -> String {
    let code = blanked(text);
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        from = start + "#[cfg(test)]".len();
        // Only a module with a body ends the code: `mod tests;` is a file of its own, and anything else is
        // no module.
        let item = code[from..].split_inclusive(['{', ';']).next().unwrap_or("");
        if item.contains("mod ") && item.ends_with('{') {
            return code[..start].to_owned();
        }
    }
    code
}

/// Blanks comments and the inside of strings and chars, so that only code is left at its place.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_len(rest)
        } else if first == '"' {
            string_len(rest)
        } else if !after_word && (first == 'r' || rest.starts_with("br")) {
            raw_string_len(rest).unwrap_or(0)
        } else if first == '\'' {
            char_len(rest)
        } else {
            0
        };
        if len == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(
                rest[..len]
                    .chars()
                    .map(|char| if char == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[len..];
        }
    }
    out
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"`; `None` where the r begins a word.
fn raw_string_len(text: &str) -> Option<usize> {
    let after_prefix = text.trim_start_matches('b').strip_prefix('r')?;
    let hashes = after_prefix.len() - after_prefix.trim_start_matches('#').len();
    let inside = after_prefix[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside_len = inside.find(&end).unwrap_or(inside.len());
    let before_len = text.len() - inside.len();
    Some((before_len + inside_len + end.len()).min(text.len()))
}

/// The length of a char or byte literal; 0 for a lifetime.
fn char_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let Some((_, first)) = chars.next() else { return 0 };
    if first == '\\' {
        let escaped_len = chars.next().map_or(2, |(at, char)| at + char.len_utf8());
        return text[escaped_len..]
            .find('\'')
            .map_or(text.len(), |end| escaped_len + end + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

/// A word of code and what stands around it.
struct Word<'a> {
    text: &'a str,
    line: usize,
    before: &'a str,
    rest: &'a str,
}

fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    let (mut at, mut line) = (0, 1);
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_part)?;
        let end = code[start..]
            .find(|char| !is_part(char))
            .map_or(code.len(), |len| start + len);
        line += code[at..start].matches('\n').count();
        at = end;
        Some(Word {
            text: &code[start..end],
            line,
            before: &code[..start],
            rest: &code[end..],
        })
    })
}

/// The rooms that code names from the root of the crate: `crate::room`, `optfs::room`, `crate::{room,
/// room::…}`, and `super::…` where that is the root.
fn rooms_named(code: &str, is_door: bool) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for word in words(code) {
        let is_root = match word.text {
            "crate" | "optfs" => !word.before.ends_with("::"),
            "super" if is_door => true,
            "super" => word.before.ends_with("super::"),
            _ => false,
        };
        let Some(path) = word.rest.strip_prefix("::") else {
            continue;
        };
        if !is_root {
            continue;
        }
        match path.strip_prefix('{') {
            Some(group) => named.extend(group_heads(group).map(|head| (word.line, head))),
            None => named.extend(words(path).next().map(|head| (word.line, head.text.to_owned()))),
        }
    }
    named.retain(|(_, head)| head != "super" && head != "self");
    named
}

/// The first word of each member of `{a::…, b::{…}, c}`, given what follows the brace.
fn group_heads(group: &str) -> impl Iterator<Item = String> {
    let mut depth = 1;
    let mut members = vec![String::new()];
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (depth, char) {
            (0, _) => break,
            (1, ',') => members.push(String::new()),
            _ => members.last_mut().expect("starts with one").push(char),
        }
    }
    members
        .into_iter()
        .filter_map(|member| words(&member).next().map(|word| word.text.to_owned()))
}

/// The lines where code names an extern crate: `name::…`, `use name;`, `extern crate name`.
fn crates_named<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    words(code)
        .filter(move |word| word.text == name)
        .filter_map(|word| {
            let before = word.before.trim_end();
            let is_member = before.ends_with("::") && !ends_at_root(before) || before.ends_with('.');
            let is_path =
                word.rest.starts_with("::") || before.ends_with("use") || before.ends_with("extern crate");
            (is_path && !is_member).then_some(word.line)
        })
}

/// Whether code ends with a `::` that starts a path, as in `use ::name`.
fn ends_at_root(before: &str) -> bool {
    let path = before.strip_suffix("::").unwrap_or(before);
    !path.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '>')
}

#[test]
fn the_reader_sees_code_and_nothing_else() {
    let code = code_of(
        r##"
//! crate::fuse in a comment
use crate::{path::{Name, crate_like}, stack}; /* crate::cli /* nested */ crate::fs */
let text = "crate::cache \" println!";
let raw = r#"crate::launch " "#; let c = '"'; let quote = '\''; let unicode = '\u{2014}'; fn f<'a>(x: &'a str) {}
use crate::archive::Archive;
use super::content;
fuser::mount(x); self.fuser.x(); use ::lru::LruCache; my::lru::x; zip_like::y; a.zip(b); iter::zip(a, b);
#[cfg(test)]
fn counted() { println!("x").unwrap(); x.unwrap_or(y); }
#[cfg(test)]
mod tests { use crate::cli; }
"##,
    );
    let rooms = |is_door| {
        rooms_named(&code, is_door)
            .into_iter()
            .map(|(_, room)| room)
            .collect::<Vec<_>>()
    };
    assert_eq!(rooms(true), ["path", "stack", "archive", "content"]);
    assert_eq!(rooms(false), ["path", "stack", "archive"]);
    assert_eq!(crates_named(&code, "fuser").collect::<Vec<_>>(), [8]);
    assert_eq!(crates_named(&code, "lru").collect::<Vec<_>>(), [8]);
    assert_eq!(crates_named(&code, "zip").count(), 0);
    let called = |name| words(&code).filter(|word| word.text == name).count();
    assert_eq!(
        (called("println"), called("unwrap"), called("unwrap_or")),
        (1, 1, 1)
    );
}
