//! The fuzzer's door to the texts that verbs read and to the names that they print. Not there in an ordinary build.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

pub use super::ci::fuzzing::thresholds;
pub use super::lock::fuzzing::lock_file;
use super::{layers, printable};
use crate::template::{Template, World};

/// A name as a terminal gets it.
pub fn printed(name: &[u8]) -> String {
    printable::printable(name).into_owned()
}

/// Reads a list of layers.
pub fn stack_list(text: &[u8]) {
    with_file(text, |path| drop(layers::read_list(path, &Default::default())));
}

/// Reads a template, which nests itself, and all functions of it.
pub fn template(text: &[u8]) {
    let world = World {
        read: &|_| Ok(text.to_vec()),
        parameters: BTreeMap::new(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let Ok(template) = Template::read(Path::new("template.yaml"), &world) else {
        return;
    };
    for id in template.functions().unwrap_or_default() {
        drop(template.function(&id));
    }
}

/// The texts are read from files.
pub(super) fn with_file(text: &[u8], read: impl FnOnce(&PathBuf)) {
    let path = env::temp_dir().join(format!("optfs-fuzz-{}.txt", process::id()));
    if fs::write(&path, text).is_ok() {
        read(&path);
    }
    let _ = fs::remove_file(&path);
}
