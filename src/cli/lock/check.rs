//! `optfs lock --check`: what has changed since the lock file was written, and where.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::LockArgs;
use crate::cli::failure::{Class, Failure};
use crate::cli::json::{document, put_name, write_line};
use crate::cli::ls::kind_word;
use crate::cli::printable::printable;
use crate::cli::size::{counted, human};
use crate::cli::stack_view::View;
use crate::cli::terminal::{Out, print};
use crate::cli::which::kind_of;
use crate::explain::digest::{Digest, Digests, Record};
use crate::explain::lock::{Extent, LayerChange, Lock, PathChange, Pin, layer_changes, path_changes};

/// So many digits of a digest tell it from others.
const SHORT_DIGITS: usize = 12;

pub(super) struct Check<'a> {
    pub(super) args: &'a LockArgs,
    pub(super) view: &'a View,
    pub(super) digests: &'a Digests,
    pub(super) locked: &'a Lock,
    pub(super) found: &'a Lock,
}

impl Check<'_> {
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        let layers = match self.args.view {
            true => Vec::new(),
            false => layer_changes(&self.locked.layers, &self.found.layers),
        };
        let paths = path_changes(self.locked, self.found, self.view.stack(), self.digests);
        let is_same_view = self.locked.view == self.found.view;
        let is_same = layers.is_empty() && is_same_view;
        print(|out| {
            match self.args.json {
                true => write_line(out, &self.object(is_same, &layers, &paths))?,
                false => self.page(out, is_same, &layers, &paths)?,
            }
            Ok(match is_same {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(Class::No as u8),
            })
        })
    }

    fn page(
        &self,
        out: &mut Out,
        is_same: bool,
        layers: &[LayerChange],
        paths: &[PathChange],
    ) -> Result<(), Failure> {
        if is_same {
            let layers = counted(self.found.layers.len() as u64, "layer");
            let what = if self.args.view {
                "the view".to_owned()
            } else {
                format!("{layers} and the view")
            };
            writeln!(out, "no change in {what}: {}", self.found.view)?;
            return Ok(());
        }
        for &change in layers {
            self.layer(out, change)?;
        }
        if !layers.is_empty() {
            writeln!(out)?;
        }
        if self.locked.view == self.found.view {
            writeln!(out, "the view is the same: {}", self.found.view)?;
            return Ok(());
        }
        for change in paths {
            path(out, change)?;
        }
        let [then, now] = [self.locked.view, self.found.view].map(short);
        writeln!(out, "\nthe view has changed: {then} → {now}")?;
        Ok(())
    }

    fn layer(&self, out: &mut Out, change: LayerChange) -> Result<(), Failure> {
        let (before, after) = (&self.locked.layers, &self.found.layers);
        let (place, name, what) = match change {
            LayerChange::Bytes(then, now) => (Some(now), &after[now].name, bytes(&before[then], &after[now])),
            LayerChange::Renamed(then, now) => (
                Some(now),
                &after[now].name,
                format!("was {}", printable(&before[then].name)),
            ),
            LayerChange::Moved(then, now) => (
                Some(now),
                &after[now].name,
                format!("moved, was layer {}", then + 1),
            ),
            LayerChange::Added(now) => (
                Some(now),
                &after[now].name,
                format!("added, {}", human(after[now].size)),
            ),
            LayerChange::Removed(then) => (
                None,
                &before[then].name,
                format!("removed, was layer {}", then + 1),
            ),
        };
        let place = place.map_or("layer -".to_owned(), |place| format!("layer {}", place + 1));
        out.coloured("33", &format!("{place:<9}"))?;
        out.name(name)?;
        Ok(writeln!(out, "  {what}")?)
    }

    fn object(&self, is_same: bool, layers: &[LayerChange], paths: &[PathChange]) -> Value {
        let layers: Vec<_> = layers.iter().map(|&change| self.layer_object(change)).collect();
        let paths: Vec<_> = paths.iter().map(path_object).collect();
        document(
            "lock",
            json!({
                "same": is_same,
                "view": { "locked": self.locked.view.to_string(), "found": self.found.view.to_string() },
                "layers": layers,
                "paths": paths,
            }),
        )
    }

    fn layer_object(&self, change: LayerChange) -> Value {
        let (word, then, now) = match change {
            LayerChange::Bytes(then, now) => ("changed", Some(then), Some(now)),
            LayerChange::Renamed(then, now) => ("renamed", Some(then), Some(now)),
            LayerChange::Moved(then, now) => ("moved", Some(then), Some(now)),
            LayerChange::Added(now) => ("added", None, Some(now)),
            LayerChange::Removed(then) => ("removed", Some(then), None),
        };
        let pin = |pins: &[Pin], place: usize| {
            let Pin { name, size, sha256 } = &pins[place];
            let mut object = json!({
                "position": place + 1,
                "size": size,
                "sha256": sha256.to_string(),
                "code_sha256": sha256.base64(),
            });
            put_name(&mut object, "name", name);
            object
        };
        json!({
            "change": word,
            "before": then.map(|place| pin(&self.locked.layers, place)),
            "after": now.map(|place| pin(&self.found.layers, place)),
        })
    }
}

fn bytes(before: &Pin, after: &Pin) -> String {
    let sizes = match before.size == after.size {
        true => human(after.size),
        false => format!("{} → {}", human(before.size), human(after.size)),
    };
    format!(
        "other bytes, {sizes}, sha256 {} → {}",
        short(before.sha256),
        short(after.sha256)
    )
}

fn short(digest: Digest) -> String {
    digest.to_string().chars().take(SHORT_DIGITS).collect()
}

fn path(out: &mut Out, change: &PathChange) -> Result<(), Failure> {
    let (word, colour) = match (&change.before, &change.after) {
        (None, _) => ("added", "32"),
        (_, None) => ("removed", "31"),
        _ => ("changed", "33"),
    };
    out.coloured(colour, &format!("{word:<9}"))?;
    out.name(if change.path.is_empty() {
        b"/opt"
    } else {
        &change.path
    })?;
    let is_directory =
        |record: Option<Record>| record.is_none_or(|record| kind_word(kind_of(record.kind)) == "directory");
    if is_directory(change.before) && is_directory(change.after) {
        write!(out, "/")?;
    }
    let detail = match (change.extent, change.before, change.after) {
        (Extent::FilesIn, _, _) => "files in it".to_owned(),
        (Extent::Below, _, _) => "somewhere below".to_owned(),
        (Extent::Itself, Some(before), Some(after)) => itself(&before, &after),
        (Extent::Itself, _, _) => String::new(),
    };
    if !detail.is_empty() {
        out.dim(&format!("  {detail}"))?;
    }
    Ok(writeln!(out)?)
}

fn itself(before: &Record, after: &Record) -> String {
    let kinds = [before, after].map(|record| kind_word(kind_of(record.kind)));
    if before.kind != after.kind {
        return format!("{} → {}", kinds[0], kinds[1]);
    }
    let mut said = Vec::new();
    if before.digest != after.digest && kinds[0] != "directory" {
        said.push(match kinds[0] {
            "symlink" => "other target".to_owned(),
            _ => "other content".to_owned(),
        });
    }
    if before.mode != after.mode {
        said.push(format!("mode {:04o} → {:04o}", before.mode, after.mode));
    }
    said.join(", ")
}

fn path_object(change: &PathChange) -> Value {
    let record = |record: &Record| {
        json!({
            "type": kind_word(kind_of(record.kind)),
            "mode": format!("{:04o}", record.mode),
            "sha256": record.digest.to_string(),
        })
    };
    let mut object = json!({
        "change": match (&change.before, &change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        },
        "extent": match change.extent {
            Extent::Itself => "itself",
            Extent::FilesIn => "files",
            Extent::Below => "below",
        },
        "before": change.before.as_ref().map(record),
        "after": change.after.as_ref().map(record),
    });
    put_name(&mut object, "path", &change.path);
    object
}
