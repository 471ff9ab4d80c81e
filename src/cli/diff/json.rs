//! The differences for scripts; docs/json.md is the schema. Written one by one: there may be a hundred thousand.

use std::borrow::Cow;

use serde::Serialize;

use super::{Compared, Status, kind, status};
use crate::cli::json::{Each, Layer, SCHEMA, hex, text};
use crate::explain::Kind;
use crate::explain::diff::{Change, Diff, Side, Unlisted, Unread};

/// The whole answer.
pub(super) fn answer<'a>(sides: &'a [Compared<'a>; 2], diff: &'a Diff) -> impl Serialize + use<'a> {
    Answer {
        version: SCHEMA,
        question: "diff",
        same: diff.changes.is_empty() && diff.unread.is_empty(),
        same_paths: diff.same,
        unlisted: (diff.unlisted != Unlisted::default()).then_some(NotListed {
            added: diff.unlisted.added,
            removed: diff.unlisted.removed,
        }),
        unread: diff.unread.iter().map(of_unread).collect(),
        changes: Each(|| diff.changes.iter().map(|change| of_change(sides, change))),
    }
}

#[derive(Serialize)]
struct Answer<'a, C> {
    version: u32,
    question: &'static str,
    same: bool,
    same_paths: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<NotListed>,
    unread: Vec<NotRead<'a>>,
    changes: C,
}

#[derive(Serialize)]
struct NotListed {
    added: u64,
    removed: u64,
}

#[derive(Serialize)]
struct NotRead<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    side: &'static str,
    why: &'a str,
}

#[derive(Serialize)]
struct Told<'a> {
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    change: &'static str,
    differs: Vec<&'static str>,
    within: bool,
    before: Option<At<'a>>,
    after: Option<At<'a>>,
}

/// What one side has at a path.
#[derive(Serialize)]
struct At<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    mode: String,
    mtime: Option<i64>,
    #[serde(flatten)]
    layer: Option<Layer<'a>>,
    #[serde(flatten)]
    file: Option<File>,
    #[serde(flatten)]
    link: Option<Link>,
}

#[derive(Serialize)]
struct File {
    size: u64,
    crc32: Option<String>,
}

#[derive(Serialize)]
struct Link {
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
}

fn of_unread(unread: &Unread) -> NotRead<'_> {
    NotRead {
        path: text(&unread.path),
        path_hex: hex(&unread.path),
        side: if unread.in_after { "after" } else { "before" },
        why: &unread.why,
    }
}

fn of_change<'a>(sides: &'a [Compared<'a>; 2], change: &'a Change) -> Told<'a> {
    let differs = change.differs;
    let all = [
        ("type", differs.kind),
        ("content", differs.content),
        ("target", differs.target),
        ("mode", differs.mode),
        ("mtime", differs.time),
    ];
    let differs = all.into_iter().filter(|(_, is_other)| *is_other);
    Told {
        path: text(&change.path),
        path_hex: hex(&change.path),
        change: match status(change) {
            Status::Added => "added",
            Status::Removed => "removed",
            Status::Changed => "changed",
        },
        differs: differs.map(|(name, _)| name).collect(),
        within: change.within,
        before: change.before.map(|side| of_side(&sides[0], &side)),
        after: change.after.map(|side| of_side(&sides[1], &side)),
    }
}

fn of_side<'a>(compared: &'a Compared<'a>, side: &Side) -> At<'a> {
    let facts = &side.facts;
    let provider = compared.view().zip(compared.tree().layer(side.at));
    At {
        kind: kind(facts.kind),
        mode: format!("{:04o}", facts.mode),
        mtime: facts.mtime.map(|mtime| mtime.seconds),
        layer: provider.map(|(view, provider)| Layer::of(view, provider)),
        file: (facts.kind == Kind::File).then(|| File {
            size: facts.size,
            crc32: facts.crc.map(|crc| format!("{crc:08x}")),
        }),
        link: (facts.kind == Kind::Symlink).then(|| {
            let target = compared.tree().target(side.at).ok();
            Link {
                target_hex: target.as_deref().and_then(hex),
                target: target.map(|target| text(&target).into_owned()),
            }
        }),
    }
}
