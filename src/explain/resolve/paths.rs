//! Commands on `PATH` and shared objects on `LD_LIBRARY_PATH`: plain names in plain lists of directories.

use super::elf::{Fit, HEADER_BYTES, Machine};
use super::{Candidate, Failure, Kind, Reason, Search, Stage, Verdict};
use crate::explain::opt::below;

/// What a plain name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A command: the first file that may be executed, as `execvp` takes it.
    Command,
    /// A shared object: the first one for this machine, as `dlopen` takes it.
    Library(Machine),
}

/// Looks a name up in each directory.
pub(super) fn stage(search: &mut Search<'_>, sort: Sort, name: &[u8]) -> Stage {
    let (mut candidates, mut failure, mut unread) = (Vec::new(), None, Vec::new());
    for (place, directory) in search.directories() {
        let path = below(directory, name);
        let Some(node) = search.tree.file(&path) else {
            continue;
        };
        let Some(entry) = search.tree.entry_of(node) else {
            continue;
        };
        let verdict = match sort {
            Sort::Command if search.tree.stack().entry(entry).permissions & 0o111 == 0 => {
                Verdict::PassedOver(Reason::NotExecutable)
            }
            Sort::Command => Verdict::Loads,
            Sort::Library(machine) => match search.tree.head(entry, HEADER_BYTES) {
                Ok(header) => match machine.fit(&header) {
                    Fit::Fits => Verdict::Loads,
                    Fit::OtherMachine => Verdict::PassedOver(Reason::OtherMachine),
                    Fit::NoElf => {
                        failure = Some(Failure::NotElf { path });
                        break;
                    }
                },
                Err(why) => {
                    unread.push(why);
                    Verdict::Loads
                }
            },
        };
        candidates.push(Candidate {
            place,
            path,
            node,
            kind: match sort {
                Sort::Command => Kind::Command,
                Sort::Library(_) => Kind::Library,
            },
            version: None,
            verdict,
        });
    }
    search.unread.extend(unread);
    search.decided(name, candidates, failure)
}
