//! The target of a symlink, for answers that need it: as a mount gives it, or why it gives none.

use crate::content::Content;
use crate::stack::EntryRef;

/// The longest target that a symlink may have, in bytes: `PATH_MAX` less the NUL.
const MAX_TARGET_BYTES: u64 = 4095;

/// Reads a target; the rule is promise 13 of docs/semantics.md.
pub(super) fn target(content: &Content, entry: EntryRef) -> Result<Vec<u8>, String> {
    let read = content.read_small(entry, MAX_TARGET_BYTES);
    match read.map_err(|error| error.to_string())? {
        None => Err("the link's target is longer than 4095 bytes".to_owned()),
        Some(target) if target.is_empty() => Err("the link's target is empty".to_owned()),
        Some(target) if target.contains(&0) => Err("the link's target contains a NUL byte".to_owned()),
        Some(target) => Ok(target),
    }
}
