//! What is different between two trees: two stacks, two orders of one stack, a stack and a directory.
//!
//! The files of two archives are told apart by size and CRC-32, as their records have them, without being
//! read; a file on disk is read where its size does not say enough already. Owners never count, times when
//! asked for, and the root has nothing but the names below it.

use std::cmp::Ordering;
use std::ops::Range;

use super::crew::{Progress, on_all_cores};
use super::tree::{Facts, Kind, Tree};

/// What counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Times too, in whole seconds.
    pub times: bool,
    /// Permission bits that do not count.
    pub mask: u16,
}

/// All that is different.
#[derive(Debug, Default)]
pub struct Diff {
    /// In the order of the paths' bytes.
    pub changes: Vec<Change>,
    /// Paths of which nothing can be said.
    pub unread: Vec<Unread>,
    /// Paths that are the same in both trees.
    pub same: u64,
    /// What came and went with directories and is only counted there, because its paths would take too much
    /// memory to be listed: directories of ten thousand levels have as many paths of twenty thousand bytes.
    pub unlisted: Unlisted,
}

/// Paths that are counted and not listed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unlisted {
    /// Those that only the second tree has.
    pub added: u64,
    /// Those that only the first tree has.
    pub removed: u64,
}

/// Bytes of the paths that are listed of what came or went together with a directory.
const WITHIN_BYTES: usize = 256 << 20;

/// One path that is different.
#[derive(Debug)]
pub struct Change {
    /// The path from the root.
    pub path: Vec<u8>,
    /// What the first tree has.
    pub before: Option<Side>,
    /// What the second tree has.
    pub after: Option<Side>,
    /// In what both differ, where both have something.
    pub differs: Differs,
    /// Whether it came or went together with a directory above it.
    pub within: bool,
    /// So many came or went together with this directory.
    pub below: u64,
    /// The bytes of their files.
    pub below_bytes: u64,
}

/// What stands at a path in one of the trees.
#[derive(Debug, Clone, Copy)]
pub struct Side {
    /// The number of the node.
    pub at: usize,
    /// What is known of it.
    pub facts: Facts,
}

/// In what two things at one path differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differs {
    /// A file and a directory, say. Then nothing else is compared.
    pub kind: bool,
    /// The bytes of two files.
    pub content: bool,
    /// The targets of two links.
    pub target: bool,
    /// Permission bits, but for links, which have none.
    pub mode: bool,
    /// Last modification.
    pub time: bool,
}

/// A path of which one of the trees cannot tell.
#[derive(Debug)]
pub struct Unread {
    /// The path from the root.
    pub path: Vec<u8>,
    /// The reason.
    pub why: String,
    /// Whether it is the second tree that cannot tell.
    pub in_after: bool,
}

impl Differs {
    /// Whether anything differs.
    pub fn any(self) -> bool {
        self != Differs::default()
    }
}

/// Compares two trees.
pub fn diff(before: &dyn Tree, after: &dyn Tree, options: Options, progress: &dyn Progress) -> Diff {
    let mut walk = Walk {
        before,
        after,
        options,
        path: Vec::new(),
        within_bytes: 0,
        diff: Diff::default(),
        unsettled: Vec::new(),
    };
    walk.all();
    let Walk {
        mut diff, unsettled, ..
    } = walk;
    settle(before, after, &mut diff, &unsettled, progress);
    diff.changes.sort_by(|a, b| a.path.cmp(&b.path));
    diff.unread.sort_by(|a, b| a.path.cmp(&b.path));
    diff
}

struct Walk<'a> {
    before: &'a dyn Tree,
    after: &'a dyn Tree,
    options: Options,
    path: Vec<u8>,
    /// Of paths that came or went together with a directory.
    within_bytes: usize,
    diff: Diff,
    /// Changes, by number, that are some only if the bytes are different.
    unsettled: Vec<usize>,
}

/// What is left to compare of a directory.
struct Level {
    before: Range<usize>,
    after: Range<usize>,
    path_len: usize,
    /// The change, by number, that all this came or went with.
    came_with: Option<usize>,
}

impl Walk<'_> {
    fn all(&mut self) {
        self.cannot_tell(Some(0), Some(0));
        let mut levels = Vec::new();
        levels.extend(self.below(Some(0), Some(0), None));
        while let Some(level) = levels.last_mut() {
            self.path.truncate(level.path_len);
            let (before, after) = match (level.before.is_empty(), level.after.is_empty()) {
                (true, true) => {
                    levels.pop();
                    continue;
                }
                (false, true) => (level.before.next(), None),
                (true, false) => (None, level.after.next()),
                (false, false) => {
                    let (b, a) = (level.before.start, level.after.start);
                    match self.before.name(b).cmp(self.after.name(a)) {
                        Ordering::Less => (level.before.next(), None),
                        Ordering::Greater => (None, level.after.next()),
                        Ordering::Equal => (level.before.next(), level.after.next()),
                    }
                }
            };
            let came_with = level.came_with;
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            match (before, after) {
                (Some(at), _) => self.path.extend_from_slice(self.before.name(at)),
                (None, Some(at)) => self.path.extend_from_slice(self.after.name(at)),
                (None, None) => {}
            }
            let came_with = self.compare(before, after, came_with);
            levels.extend(self.below(before, after, came_with));
        }
    }

    /// Compares one path, and says with which change what is below it came or went.
    fn compare(
        &mut self,
        before: Option<usize>,
        after: Option<usize>,
        came_with: Option<usize>,
    ) -> Option<usize> {
        let side = |tree: &dyn Tree, at: Option<usize>| {
            at.map(|at| Side {
                at,
                facts: tree.facts(at),
            })
        };
        let (before, after) = (side(self.before, before), side(self.after, after));
        let is_unknown = self.cannot_tell(before.map(|side| side.at), after.map(|side| side.at));
        let (differs, is_settled) = match (&before, &after) {
            (Some(_), Some(_)) if is_unknown => return None,
            (Some(before), Some(after)) => {
                let (differs, is_settled) = self.differs(before, after);
                if !differs.any() && is_settled {
                    self.diff.same += 1;
                    return None;
                }
                (differs, is_settled)
            }
            _ => (Differs::default(), true),
        };
        let number = self.diff.changes.len();
        if !is_settled {
            self.unsettled.push(number);
        }
        let is_both = before.is_some() && after.is_some();
        if let Some(top) = came_with {
            let bytes = before.or(after).map_or(0, |side| match side.facts.kind {
                Kind::File => side.facts.size,
                _ => 0,
            });
            let top = &mut self.diff.changes[top];
            top.below += 1;
            top.below_bytes = top.below_bytes.saturating_add(bytes);
            self.within_bytes += self.path.len();
            if self.within_bytes > WITHIN_BYTES && !is_both {
                match before {
                    Some(_) => self.diff.unlisted.removed += 1,
                    None => self.diff.unlisted.added += 1,
                }
                return came_with;
            }
        }
        self.diff.changes.push(Change {
            path: self.path.clone(),
            before,
            after,
            differs,
            within: came_with.is_some(),
            below: 0,
            below_bytes: 0,
        });
        match is_both && !differs.kind {
            true => None,
            false => came_with.or(Some(number)),
        }
    }

    /// In what two nodes differ, and whether that is all that can be said.
    fn differs(&self, before: &Side, after: &Side) -> (Differs, bool) {
        let (b, a) = (&before.facts, &after.facts);
        let mut differs = Differs::default();
        if b.kind != a.kind {
            differs.kind = true;
            return (differs, true);
        }
        let mut is_settled = true;
        match b.kind {
            Kind::File => {
                differs.content = b.size != a.size;
                if !differs.content && b.size > 0 {
                    match (b.crc, a.crc) {
                        (Some(b), Some(a)) => differs.content = b != a,
                        _ => is_settled = false,
                    }
                }
            }
            Kind::Symlink => {
                differs.target = (b.size, b.crc) != (a.size, a.crc) || {
                    // A link that cannot be read is told by its record alone.
                    let targets = (self.before.target(before.at), self.after.target(after.at));
                    matches!(targets, (Ok(before), Ok(after)) if before != after)
                };
            }
            Kind::Directory | Kind::Other(_) => {}
        }
        differs.mode = b.kind != Kind::Symlink && (b.mode ^ a.mode) & !self.options.mask != 0;
        if let (true, Some(b), Some(a)) = (self.options.times, b.mtime, a.mtime) {
            differs.time = b.seconds != a.seconds;
        }
        (differs, is_settled)
    }

    /// Whether one of the trees knows nothing of a node, or not what is in it; that is noted.
    fn cannot_tell(&mut self, before: Option<usize>, after: Option<usize>) -> bool {
        let sides = [(self.before, before, false), (self.after, after, true)];
        let why = sides.map(|(tree, at, in_after)| Some((tree.trouble(at?)?, in_after)));
        for (why, in_after) in why.into_iter().flatten() {
            self.diff.unread.push(Unread {
                path: self.path.clone(),
                why: why.to_owned(),
                in_after,
            });
        }
        why.iter().any(Option::is_some)
    }

    /// What is in a directory of either tree. A directory that cannot be listed says nothing of what the
    /// other one has there.
    fn below(&self, before: Option<usize>, after: Option<usize>, came_with: Option<usize>) -> Option<Level> {
        let is_unknown = |tree: &dyn Tree, at: Option<usize>| at.is_some_and(|at| tree.trouble(at).is_some());
        if is_unknown(self.before, before) || is_unknown(self.after, after) {
            return None;
        }
        let children = |tree: &dyn Tree, at: Option<usize>| at.map_or(0..0, |at| tree.children(at));
        let (before, after) = (children(self.before, before), children(self.after, after));
        let is_empty = before.is_empty() && after.is_empty();
        (!is_empty).then_some(Level {
            before,
            after,
            path_len: self.path.len(),
            came_with,
        })
    }
}

/// Reads what has to be read, on all cores, and drops what turned out to be the same.
fn settle(
    before: &dyn Tree,
    after: &dyn Tree,
    diff: &mut Diff,
    unsettled: &[usize],
    progress: &dyn Progress,
) {
    let changes = &diff.changes;
    let sizes = unsettled
        .iter()
        .filter_map(|&i| changes[i].before.map(|side| side.facts.size));
    progress.begins(sizes.sum());
    let read = on_all_cores(unsettled.len(), 0, |i| {
        let (Some(b), Some(a)) = (&changes[unsettled[i]].before, &changes[unsettled[i]].after) else {
            return Ok(true);
        };
        let old = before.crc(b.at).map_err(|why| (why, false))?;
        let new = after.crc(a.at).map_err(|why| (why, true))?;
        let differs = old != new;
        progress.read(b.facts.size);
        Ok(differs)
    });
    let mut is_dropped = vec![false; diff.changes.len()];
    for (&number, read) in unsettled.iter().zip(read) {
        let change = &mut diff.changes[number];
        match read {
            Ok(differs) => change.differs.content = differs,
            Err((why, in_after)) => {
                let path = change.path.clone();
                diff.unread.push(Unread { path, why, in_after });
                is_dropped[number] = !change.differs.any();
                continue;
            }
        }
        if !change.differs.any() {
            is_dropped[number] = true;
            diff.same += 1;
        }
    }
    let mut dropped = is_dropped.into_iter();
    diff.changes.retain(|_| !dropped.next().unwrap_or(false));
}
