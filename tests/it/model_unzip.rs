//! The model, judged by Info-ZIP: on stacks without conflicts of kind, `unzip -o` in order leaves what the
//! model says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use crate::support::generate::{holds, stacks_of_one_mind};
use crate::support::model::{extracted, legal_parts};
use crate::support::on_disk;
use crate::support::stack::{self, Item, Layer};
use crate::support::tree::{Body, Tree, differences};

#[test]
fn the_model_says_what_unzip_leaves() {
    holds(48, stacks_of_one_mind().prop_map(in_unzips_words), |stack| {
        let scratch = TempDir::new().expect("a temporary directory");
        let target = scratch.path().join("opt");
        std::fs::create_dir(&target).expect("a fresh directory");
        for archive in stack::write(&stack, scratch.path()) {
            unzip(&archive, &target)?;
        }
        let mut expected = extracted(&stack);
        let mut found = on_disk::tree(&target);
        forget_times_that_unzip_loses(&stack, &mut expected, &mut found);
        let differences = differences(&expected, &found);
        prop_assert!(
            differences.is_empty(),
            "model and unzip differ:\n{}",
            differences.join("\n")
        );
        Ok(())
    });
}

/// A directory's second entry is where optfs and Info-ZIP part: unzip 6.00 gives mode and time to
/// directories it makes, and never to one that is there, in the same archive or from an earlier one. Ours
/// has those of the last entry (promise 1), as files have, and as overlayfs shows it.
#[test]
fn unzip_keeps_the_first_attributes_of_a_directory_and_the_model_the_last() {
    let directory = |mode| {
        vec![(
            b"d".to_vec(),
            Item::Dir {
                mode: Some(mode),
                mtime: 1_500_000_000,
            },
        )]
    };
    let layer = |mode| Layer {
        mtime: 1_600_000_000,
        entries: directory(mode),
    };
    let stack = [layer(0o700), layer(0o711)];
    let scratch = TempDir::new().expect("a temporary directory");
    let target = scratch.path().join("opt");
    for archive in stack::write(&stack, scratch.path()) {
        unzip(&archive, &target).expect("unzip extracts a directory");
    }
    assert_eq!(on_disk::tree(&target)[&b"d"[..]].mode, 0o700);
    assert_eq!(extracted(&stack)[&b"d"[..]].mode, 0o711);
}

/// Changes what Info-ZIP does otherwise than optfs on purpose.
fn in_unzips_words(mut stack: Vec<Layer>) -> Vec<Layer> {
    let mut known_directories = BTreeSet::new();
    for layer in &mut stack {
        layer.entries.retain_mut(|(name, item)| {
            // A writer without modes: unzip leaves mode 000, which helps nobody. Ours is 0644 or 0755
            // (promise 5).
            match item {
                Item::Dir { mode, .. } => *mode = mode.or(Some(0o755)),
                Item::File { mode, .. } => *mode = mode.or(Some(0o644)),
                Item::Symlink { .. } => {}
            }
            // An entry for a directory that is there: see the test above. What stays is the entry that
            // makes it.
            let parts = legal_parts(name).expect("a stack of one mind has legal names");
            known_directories.extend((1..parts.len()).map(|len| parts[..len].join(&b'/')));
            !matches!(item, Item::Dir { .. }) || known_directories.insert(parts.join(&b'/'))
        });
    }
    stack
}

/// Extracts one archive over what is there, as Lambda's documentation describes the layers' order.
fn unzip(archive: &Path, target: &Path) -> Result<(), TestCaseError> {
    // The shell sets the umask, so that the modes of implicit directories are not those of whoever runs the
    // tests.
    let script = "umask 022 && exec unzip -o -q \"$1\" -d \"$2\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .arg(archive)
        .arg(target)
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8");
    let output = command.output().expect("every unix has a shell");
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    // 1 is a warning: a leading slash was stripped. An empty archive warns too.
    match output.status.code() {
        Some(0 | 1) => Ok(()),
        Some(127) => {
            panic!("unzip is missing, and the model is judged by it: apt-get install unzip ({said})")
        }
        code => Err(TestCaseError::fail(format!("unzip ended with {code:?}: {said}"))),
    }
}

/// Sets the times that unzip cannot keep to 0 on both sides.
fn forget_times_that_unzip_loses(stack: &[Layer], expected: &mut Tree, found: &mut Tree) {
    let own_entry_came_last = own_entry_came_last(stack);
    for tree in [expected, found] {
        // The root is the directory that the test made.
        tree.remove(&b""[..]);
        for (path, node) in tree {
            let kept = match node.body {
                // What a later archive writes into a directory touches it, and an implicit one is as old as
                // the extraction. Ours keep the time of their last entry (promise 1) or of their layer's
                // file (promise 5).
                Body::Directory => own_entry_came_last.get(path) == Some(&true),
                // unzip 6.00 sets no times on symlinks.
                Body::Symlink(_) => false,
                Body::File(_) | Body::Unreadable { .. } => true,
            };
            if !kept {
                node.mtime = 0;
            }
        }
    }
}

/// For each directory: whether the last layer that touches it has an entry for it.
fn own_entry_came_last(stack: &[Layer]) -> BTreeMap<Vec<u8>, bool> {
    let mut own_entry_came_last = BTreeMap::new();
    for layer in stack {
        let mut in_this_layer = BTreeMap::new();
        for (name, item) in &layer.entries {
            let parts = legal_parts(name).expect("a stack of one mind has legal names");
            for len in 1..parts.len() {
                in_this_layer.entry(parts[..len].join(&b'/')).or_insert(false);
            }
            if matches!(item, Item::Dir { .. }) {
                in_this_layer.insert(parts.join(&b'/'), true);
            }
        }
        own_entry_came_last.extend(in_this_layer);
    }
    own_entry_came_last
}
