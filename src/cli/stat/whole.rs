//! The numbers of a whole stack: layers, what is seen of them, what is packed for nothing, Lambda's limits.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::limits::limits;
use crate::cli::size::{counted, human, percent};
use crate::cli::stack_view::View;
use crate::cli::terminal::Out;
use crate::explain::{self, Row, Shadows, Tally, Waste, Weight};
use crate::stack::{Body, NodeId};

/// Rows of a table of directories.
const ROWS: usize = 10;

struct Numbers {
    weight: Weight,
    shadows: Shadows,
    waste: Waste,
}

impl Numbers {
    fn of(view: &View) -> Numbers {
        let stack = view.stack();
        Numbers {
            weight: explain::weight(stack, ROWS),
            shadows: explain::shadows(stack),
            waste: explain::waste(stack),
        }
    }

    fn hidden(&self) -> Tally {
        [self.shadows.replaced().all(), self.shadows.lost()]
            .into_iter()
            .sum()
    }
}

pub(super) fn print(view: &View, out: &mut Out) -> Result<(), Failure> {
    let numbers = Numbers::of(view);
    let Numbers { weight, waste, .. } = &numbers;
    let seen_bytes = weight.seen.bytes.bytes;
    let heading = format!(
        "{:>5}  {:>7}  {:>10}  {:>10}  {:>10}  {:>5}  name",
        "layer", "entries", "zipped", "unzipped", "seen", "share"
    );
    out.dim(&heading)?;
    writeln!(out)?;
    for its in &weight.layers {
        writeln!(
            out,
            "{:>5}  {:>7}  {:>10}  {:>10}  {:>10}  {:>5}  {}",
            its.layer.index() + 1,
            its.entries,
            human(its.zipped_bytes),
            human(its.unzipped.bytes),
            human(its.seen.bytes),
            percent(its.seen.bytes, seen_bytes),
            view.layer_name(its.layer)
        )?;
    }
    let counts = [
        counted(weight.seen.files, "file"),
        counted(weight.seen.directories, "directory"),
        counted(weight.seen.symlinks, "symlink"),
    ];
    let hidden = numbers.hidden();
    writeln!(out, "\nmerged      {}; {}", counts.join(", "), human(seen_bytes))?;
    writeln!(
        out,
        "hidden      {}; {} unzipped, {} zipped",
        counted(hidden.entries, "name"),
        human(hidden.bytes),
        human(hidden.compressed_bytes)
    )?;
    writeln!(out, "efficiency  {:.1} %", waste.efficiency() * 100.0)?;
    writeln!(
        out,
        "wasted      {}, of {} packed more than once or buried",
        human(waste.wasted_bytes),
        counted(waste.paths, "path")
    )?;
    print_limits(out, &numbers)?;
    print_largest(view, out, weight)
}

fn print_limits(out: &mut Out, numbers: &Numbers) -> Result<(), Failure> {
    writeln!(out)?;
    let heading = format!("{:<21}  {:>10}  {:>10}  left", "Lambda's limits", "used", "limit");
    out.dim(&heading)?;
    writeln!(out)?;
    for limit in limits(&numbers.weight) {
        let (used, most, left) = (limit.amount(limit.used), limit.amount(limit.limit), limit.left());
        writeln!(out, "{:<21}  {used:>10}  {most:>10}  {left}", limit.text)?;
    }
    Ok(())
}

fn print_largest(view: &View, out: &mut Out, weight: &Weight) -> Result<(), Failure> {
    let stack = view.stack();
    let all = weight.seen.bytes.bytes;
    let heading = |out: &mut Out, what: &str| -> Result<(), Failure> {
        writeln!(out)?;
        out.dim(&format!("{:>10}  {:>5}  {what}", "size", "share"))?;
        Ok(writeln!(out)?)
    };
    if !weight.directories.is_empty() {
        heading(out, "largest directories")?;
    }
    let shown = if weight.directories.len() > ROWS + 1 {
        ROWS
    } else {
        weight.directories.len()
    };
    let (heaviest, rest) = weight.directories.split_at(shown);
    for row in heaviest {
        let (size, share) = (row.tally.bytes, percent(row.tally.bytes, all));
        write!(out, "{:>10}  {share:>5}  ", human(size))?;
        match row.directory == NodeId::ROOT {
            true => write!(out, "/opt")?,
            false => out.name(&stack.path(row.directory))?,
        }
        writeln!(out, "/{}", if row.is_whole { "" } else { "  (itself)" })?;
    }
    if !rest.is_empty() {
        let bytes = rest.iter().map(|row| row.tally).sum::<Tally>().bytes;
        let (size, share) = (human(bytes), percent(bytes, all));
        writeln!(out, "{size:>10}  {share:>5}  {} more directories", rest.len())?;
    }
    if !weight.files.is_empty() {
        heading(out, "largest files")?;
    }
    for &file in &weight.files {
        let size = size(view, file);
        write!(out, "{:>10}  {:>5}  ", human(size), percent(size, all))?;
        out.name(&stack.path(file))?;
        out.dim(&format!("  [{}]", view.layer_name(stack.provider(file))))?;
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn object(view: &View) -> Value {
    let numbers = Numbers::of(view);
    let Numbers {
        weight,
        waste,
        shadows,
    } = &numbers;
    let layers = weight.layers.iter().map(|its| {
        let mut object = json::layer(view, its.layer);
        object["entries"] = json!(its.entries);
        object["zipped_size"] = json!(its.zipped_bytes);
        object["unzipped"] = json::tally(its.unzipped);
        object["seen"] = json::tally(its.seen);
        object
    });
    let directories = weight.directories.iter().map(|row: &Row<Tally>| {
        let mut object = json::tally(row.tally);
        json::put_name(&mut object, "path", &view.stack().path(row.directory));
        object["is_whole"] = json!(row.is_whole);
        object
    });
    let files = weight.files.iter().map(|&file| {
        let mut object = json::layer(view, view.stack().provider(file));
        json::put_name(&mut object, "path", &view.stack().path(file));
        object["size"] = json!(size(view, file));
        object
    });
    let limits = limits(&numbers.weight).map(|limit| {
        let left = i128::from(limit.limit) - i128::from(limit.used);
        let left = left.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        json!({ "name": limit.name, "limit": limit.limit, "used": limit.used, "left": left })
    });
    json::document(
        "stat",
        json!({
            "layers": layers.collect::<Value>(),
            "merged": {
                "files": weight.seen.files,
                "directories": weight.seen.directories,
                "symlinks": weight.seen.symlinks,
                "size": weight.seen.bytes.bytes,
                "compressed_size": weight.seen.bytes.compressed_bytes,
            },
            "hidden": {
                "identical": json::tally(shadows.replaced().identical),
                "differing": json::tally(shadows.replaced().differing),
                "lost": json::tally(shadows.lost()),
            },
            "efficiency": waste.efficiency(),
            "wasted": json::Wasted::from(waste),
            "limits": limits.into_iter().collect::<Value>(),
            "directories": directories.collect::<Value>(),
            "files": files.collect::<Value>(),
        }),
    )
}

fn size(view: &View, file: NodeId) -> u64 {
    match view.stack().body(file) {
        Body::File(entry) | Body::Symlink(entry) => view.stack().entry(entry).declared_size,
        Body::Directory(_) => 0,
    }
}
