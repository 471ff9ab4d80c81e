//! The tools of every day on a mount: what they print there is what they print on a native filesystem with the same tree,
//! and that tree is the model's.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::support::command::{answer, output};
use crate::support::generate::{holds, stacks};
use crate::support::model::{extracted, mounted};
use crate::support::on_disk;
use crate::support::place::Place;
use crate::support::raw_zip::RawZip;
use crate::support::stack::{Item, Layer, Method};
use crate::support::tree::{Tree, differences};

/// Run in the mount and in the copy; the answers must be the same to the byte.
///
/// Sizes and link counts of directories are left out: each native filesystem has its own.
const TOOLS: &[&str] = &[
    r"find . \( -type d -printf '%p %y %m %Ts %U %G\n' -o -printf '%p %y %m %s %n %Ts %U %G %l\n' \) | sort",
    // Without a test on anything but the kind no object is asked for its attributes: the kind comes from the listing.
    "find . -type f | sort",
    "find . -type l | sort",
    "find . -type d -empty | sort",
    // Widths of columns depend on the sizes of directories.
    "ls -lR --time-style=+%s | tr -s ' ' | sed -e '/^total/d' -e 's/^\\(d[^ ]*\\) .* \\([0-9]* [^ ]*\\)$/\\1 \\2/'",
    "find . -type f -exec du --apparent-size -b {} + | sort",
    "find . -type f -exec sha256sum {} + | sort",
    "tar --sort=name --format=gnu -cf - . | tar -tvf -",
    "tar --sort=name --format=gnu -cf - . | sha256sum",
];

#[test]
fn a_mount_shows_the_tree_of_the_model() {
    holds(8, stacks(), |stack| {
        let place = Place::of_stack(&stack);
        place.mount([]);
        same_tree("mount", &mounted(&stack), place.opt())
    });
}

/// Found by chance: the model expected EIO where nobody is asked.
#[test]
fn an_empty_file_of_an_unknown_method_reads_as_empty() {
    let place = Place::new(&[RawZip::new().file("a", "").method(77)]);
    place.mount([]);
    assert!(
        fs::read(place.path("a"))
            .expect("nothing is asked for")
            .is_empty()
    );
}

#[test]
fn tools_print_what_they_print_on_a_native_filesystem() {
    holds(4, stacks().prop_map(all_readable), |stack| {
        let place = Place::of_stack(&stack);
        place.mount([]);
        let copy = place.scratch().join("copy");
        fs::create_dir(&copy).expect("a writable directory");
        on_disk::write(&extracted(&stack), &copy);
        for tool in TOOLS {
            let here =
                |directory: &Path| answer(Command::new("sh").args(["-c", tool]).current_dir(directory));
            let (native, mounted) = (here(&copy), here(place.opt()));
            prop_assert_eq!(&mounted.stdout, &native.stdout, "{}", tool);
            prop_assert_eq!(&mounted.stderr, "", "{}", tool);
            prop_assert_eq!(mounted.code, Some(0), "{}", tool);
        }
        Ok(())
    });
}

#[test]
fn copies_of_a_mount_are_the_tree_of_the_model() {
    holds(4, stacks().prop_map(all_readable), |stack| {
        let place = Place::of_stack(&stack);
        place.mount([]);
        let expected = extracted(&stack);
        for (name, script) in [
            ("rsync", r#"rsync -aX "$1/" "$2""#),
            ("cp", r#"cp -a "$1" "$2""#),
            (
                "tar",
                r#"mkdir "$2" && tar -C "$1" -cf - . | tar -C "$2" --warning=no-timestamp -xpf -"#,
            ),
        ] {
            let copy = place.scratch().join(name);
            let said = answer(
                Command::new("sh")
                    .args(["-c", script, "sh"])
                    .arg(place.opt())
                    .arg(&copy),
            );
            prop_assert_eq!((said.code, &said.stderr[..]), (Some(0), ""), "{}", name);
            same_tree(name, &expected, &copy)?;
            let differing = answer(
                Command::new("diff")
                    .args(["-r", "--no-dereference"])
                    .arg(place.opt())
                    .arg(&copy),
            );
            prop_assert_eq!((differing.code, &differing.stdout[..]), (Some(0), ""));
        }
        // And a second time there is nothing to bring.
        let again = output(
            Command::new("rsync")
                .args(["-ac", "--itemize-changes", "--delete"])
                .arg(place.path(""))
                .arg(place.scratch().join("rsync")),
        );
        prop_assert_eq!(again, "");
        Ok(())
    });
}

#[test]
fn df_shows_a_full_filesystem_of_optfs() {
    let place = Place::new(&[RawZip::new().file("f", vec![b'x'; 10_000])]);
    place.mount([]);
    let columns = "--output=source,fstype,size,used,avail,pcent,itotal,iavail,target";
    let said = output(Command::new("df").args(["-B4096", columns]).arg(place.opt()));
    let line: Vec<_> = said.lines().last().expect("a line").split_whitespace().collect();
    let at = place.opt().to_str().expect("a path of words");
    assert_eq!(
        line,
        ["layer0.zip", "fuse.optfs", "3", "3", "0", "100%", "2", "0", at]
    );
}

/// The same stack, with every file packed in a way that can be read.
fn all_readable(mut stack: Vec<Layer>) -> Vec<Layer> {
    for (_, item) in stack.iter_mut().flat_map(|layer| &mut layer.entries) {
        if let Item::File { method, .. } = item
            && *method == Method::Unknown
        {
            *method = Method::Deflate;
        }
    }
    stack
}

fn same_tree(what: &str, expected: &Tree, found: &Path) -> Result<(), TestCaseError> {
    let differences = differences(expected, &on_disk::tree(found));
    prop_assert!(
        differences.is_empty(),
        "{what} and the model differ:\n{}",
        differences.join("\n")
    );
    Ok(())
}
