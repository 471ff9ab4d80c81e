//! What `optfs shadows --json` answers: the same sums, with every directory. Written as it is walked
//! through, for there may be a hundred thousand of them.

use std::borrow::Cow;

use serde::Serialize;

use crate::cli::json::{Each, Layer, SCHEMA, Sizes, hex, text};
use crate::cli::ls::kind_word;
use crate::cli::stack_view::View;
use crate::cli::which::kind_of;
use crate::explain::{Compared, Conflict, Pair, Replaced, Shadows};
use crate::stack::{EntryRef, Shadowed};

/// The whole answer; with `all`, each hidden entry too.
pub(super) fn answer<'a>(
    view: &'a View,
    path: &'a [u8],
    shadows: &'a Shadows,
    all: bool,
) -> impl Serialize + use<'a> {
    Answer {
        version: SCHEMA,
        question: "shadows",
        path: text(path),
        path_hex: hex(path),
        totals: Totals {
            compared: shadows.replaced().into(),
            lost: shadows.lost().into(),
            conflicts: shadows.conflicts.len(),
        },
        pairs: Each(move || shadows.pairs.iter().map(move |it| pair(view, it, all))),
        conflicts: Each(move || shadows.conflicts.iter().map(move |it| conflict(view, it, all))),
    }
}

#[derive(Serialize)]
struct Answer<'a, P, C> {
    version: u32,
    question: &'static str,
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    totals: Totals,
    pairs: P,
    conflicts: C,
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    compared: Split,
    lost: Sizes,
    conflicts: usize,
}

#[derive(Serialize)]
struct Split {
    identical: Sizes,
    differing: Sizes,
}

impl From<Compared> for Split {
    fn from(compared: Compared) -> Split {
        Split {
            identical: compared.identical.into(),
            differing: compared.differing.into(),
        }
    }
}

#[derive(Serialize)]
struct PairAnswer<'a, D, E> {
    hidden: Layer<'a>,
    seen: Layer<'a>,
    identical: Sizes,
    differing: Sizes,
    directories: D,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<E>,
}

#[derive(Serialize)]
struct Directory<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    identical: Sizes,
    differing: Sizes,
}

#[derive(Serialize)]
struct Entry<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    identical: bool,
    size: u64,
    compressed_size: u64,
    crc32: String,
    hidden_by: Layer<'a>,
}

#[derive(Serialize)]
struct ConflictAnswer<'a, G, E> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    layer: Layer<'a>,
    gave_way: G,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<E>,
}

#[derive(Serialize)]
struct GaveWay<'a> {
    #[serde(flatten)]
    layer: Layer<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    lost: Sizes,
    hidden_by: Layer<'a>,
}

#[derive(Serialize)]
struct Lost<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    layer: Layer<'a>,
}

fn pair<'a>(view: &'a View, pair: &'a Pair, all: bool) -> impl Serialize + use<'a> {
    PairAnswer {
        hidden: Layer::of(view, pair.hidden),
        seen: Layer::of(view, pair.seen),
        identical: pair.tally.identical.into(),
        differing: pair.tally.differing.into(),
        directories: Each(move || directories(view, pair)),
        entries: all.then_some(Each(move || {
            let by_path = super::by_path(view, &pair.replaced);
            by_path.into_iter().map(move |replaced| entry(view, replaced))
        })),
    }
}

/// The directories that hidden entries lie in, each with what lies right in it, by path.
fn directories<'a>(view: &'a View, pair: &'a Pair) -> impl Iterator<Item = Directory<'a>> + use<'a> {
    let stack = view.stack();
    let parent = |replaced: &Replaced| stack.parent(replaced.node);
    let groups = pair.replaced.chunk_by(|one, other| parent(one) == parent(other));
    let mut sums: Vec<_> = groups
        .map(|group| {
            let mut sum = Compared::default();
            group.iter().for_each(|it| sum += Compared::of(stack, it));
            (directory_of(path_of(view, group[0].entry)), sum)
        })
        .collect();
    sums.sort_unstable_by_key(|&(path, _)| path);
    sums.into_iter().map(|(path, sum)| Directory {
        path: text(path),
        path_hex: hex(path),
        identical: sum.identical.into(),
        differing: sum.differing.into(),
    })
}

fn path_of(view: &View, entry: EntryRef) -> &[u8] {
    view.stack().entry(entry).path
}

fn directory_of(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|&byte| byte == b'/');
    &path[..slash.unwrap_or(0)]
}

fn entry<'a>(view: &'a View, replaced: &Replaced) -> Entry<'a> {
    let entry = view.stack().entry(replaced.entry);
    Entry {
        path: text(entry.path),
        path_hex: hex(entry.path),
        kind: kind_word(kind_of(entry.kind)),
        identical: replaced.is_identical,
        size: entry.declared_size,
        compressed_size: entry.compressed_size,
        crc32: format!("{:08x}", entry.crc),
        hidden_by: Layer::of(view, replaced.by),
    }
}

fn conflict<'a>(view: &'a View, conflict: &'a Conflict, all: bool) -> impl Serialize + use<'a> {
    let path = view.stack().path(conflict.node);
    ConflictAnswer {
        path: text(&path).into_owned(),
        path_hex: hex(&path),
        kind: kind_word(kind_of(conflict.kind)),
        layer: Layer::of(view, conflict.seen),
        gave_way: Each(move || {
            conflict.gave_way.iter().map(move |gave_way| GaveWay {
                layer: Layer::of(view, gave_way.layer),
                kind: kind_word(kind_of(gave_way.kind)),
                lost: gave_way.lost.into(),
                hidden_by: Layer::of(view, gave_way.by),
            })
        }),
        entries: all.then_some(Each(move || conflict.lost.iter().map(move |it| lost(view, it)))),
    }
}

fn lost<'a>(view: &'a View, lost: &Shadowed) -> Lost<'a> {
    let entry = view.stack().entry(lost.entry);
    Lost {
        path: text(entry.path),
        path_hex: hex(entry.path),
        kind: kind_word(kind_of(entry.kind)),
        layer: Layer::of(view, lost.entry.layer),
    }
}
