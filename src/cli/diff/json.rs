//! The differences for scripts; docs/json.md is the schema.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Compared, Status, kind, status};
use crate::cli::json::{document, layer, put_name};
use crate::explain::Kind;
use crate::explain::diff::{Change, Diff, Side, Unlisted};

/// The whole answer. Its changes become JSON one by one, as they are written: they may be many.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    #[serde(flatten)]
    head: Value,
    changes: Changes<'a>,
}

struct Changes<'a> {
    sides: &'a [Compared<'a>; 2],
    diff: &'a Diff,
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes = self.diff.changes.iter();
        serializer.collect_seq(changes.map(|change| of_change(self.sides, change)))
    }
}

pub(super) fn answer<'a>(sides: &'a [Compared<'a>; 2], diff: &'a Diff) -> Answer<'a> {
    let unread = diff.unread.iter().map(|unread| {
        let side = if unread.in_after { "after" } else { "before" };
        let mut object = json!({ "error": unread.why, "side": side });
        put_name(&mut object, "path", &unread.path);
        object
    });
    let unread: Vec<_> = unread.collect();
    let is_same = diff.changes.is_empty() && unread.is_empty();
    let mut body = json!({ "same": is_same, "same_paths": diff.same, "unread": unread });
    if diff.unlisted != Unlisted::default() {
        body["unlisted"] = json!({ "added": diff.unlisted.added, "removed": diff.unlisted.removed });
    }
    Answer {
        head: document("diff", body),
        changes: Changes { sides, diff },
    }
}

fn of_change(sides: &[Compared<'_>; 2], change: &Change) -> Value {
    let word = match status(change) {
        Status::Added => "added",
        Status::Removed => "removed",
        Status::Changed => "changed",
    };
    let differs = change.differs;
    let all = [
        ("type", differs.kind),
        ("content", differs.content),
        ("target", differs.target),
        ("mode", differs.mode),
        ("mtime", differs.time),
    ];
    let differs: Vec<_> = all
        .into_iter()
        .filter(|(_, is_other)| *is_other)
        .map(|(name, _)| name)
        .collect();
    let mut object = json!({
        "change": word,
        "differs": differs,
        "within": change.within,
        "before": change.before.map(|side| of_side(&sides[0], &side)),
        "after": change.after.map(|side| of_side(&sides[1], &side)),
    });
    put_name(&mut object, "path", &change.path);
    object
}

fn of_side(compared: &Compared<'_>, side: &Side) -> Value {
    let facts = &side.facts;
    let mut object = match (compared.view(), compared.tree().layer(side.at)) {
        (Some(view), Some(provider)) => layer(view, provider),
        _ => json!({}),
    };
    object["type"] = json!(kind(facts.kind));
    object["mode"] = json!(format!("{:04o}", facts.mode));
    object["mtime"] = json!(facts.mtime.map(|mtime| mtime.seconds));
    match facts.kind {
        Kind::File => {
            object["size"] = json!(facts.size);
            object["crc32"] = json!(facts.crc.map(|crc| format!("{crc:08x}")));
        }
        Kind::Symlink => match compared.tree().target(side.at) {
            Ok(target) => put_name(&mut object, "target", &target),
            Err(_) => object["target"] = Value::Null,
        },
        Kind::Directory | Kind::Other(_) => {}
    }
    object
}
