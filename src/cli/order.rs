//! `optfs order`: what the order of the layers decides.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::json::{document, layer, put_name, write_line};
use super::layers::StackArgs;
use super::printable::printable;
use super::size::counted;
use super::stack_view::View;
use super::terminal::{Out, print};
use crate::explain::order::{Count, MOST_LAYERS, MOST_PERMUTED, Order, Pair, Permutation};
use crate::stack::LayerIdx;

/// Say whose order matters, and what exchanging layers would change
///
/// Kind, mode, target and content of the paths count; times do not, and nothing is read but the zips' tables
/// of contents. 'optfs diff a.zip:b.zip b.zip:a.zip' lists all paths of one such change. Exit status 1 when
/// the order matters.
#[derive(Args)]
pub(super) struct OrderArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Every order of all layers, of 6 at most, and which of them show the same
    #[arg(long)]
    all: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &OrderArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    let order = Order::of(view.stack()).map_err(|many| {
        let message = format!("{} layers are too many, {MOST_LAYERS} is the limit", many.0);
        Failure::new(Class::Usage, message).hint("ask for some of them; Lambda takes five")
    })?;
    let permutations = match args.all {
        false => None,
        true => Some(order.permutations().ok_or_else(|| {
            let message = format!("--all takes {MOST_PERMUTED} layers at most");
            Failure::new(Class::Usage, message).hint("without --all every two layers are compared")
        })?),
    };
    let answer = Answer {
        view: &view,
        pairs: order.pairs(),
        groups: order.groups(),
        permutations,
    };
    print(|out| {
        match args.json {
            true => write_line(out, &answer.object())?,
            false => answer.print(out)?,
        }
        Ok(match answer.pairs.iter().any(|pair| pair.disputed > 0) {
            true => ExitCode::from(Class::No as u8),
            false => ExitCode::SUCCESS,
        })
    })
}

struct Answer<'a> {
    view: &'a View,
    pairs: Vec<Pair>,
    groups: Vec<Vec<LayerIdx>>,
    permutations: Option<Vec<Permutation>>,
}

impl Answer<'_> {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        for (layer, _) in self.view.stack().layers_in_order() {
            writeln!(out, "{:>3}  {}", place(layer), self.view.layer_name(layer))?;
        }
        let told: Vec<_> = self.pairs.iter().filter(|pair| pair.disputed > 0).collect();
        if !self.pairs.is_empty() {
            writeln!(out)?;
        }
        if !told.is_empty() {
            out.bold("if two change places")?;
            writeln!(out)?;
        }
        let what: Vec<_> = told.iter().map(|pair| effect(pair)).collect();
        let columns = what.iter().map(String::len).max().unwrap_or(0);
        for (pair, what) in told.iter().zip(what) {
            let (lower, upper) = (place(pair.lower), place(pair.upper));
            write!(out, "{lower:>3} ↔ {upper:<3} {what:columns$}")?;
            if let Some(example) = pair.examples.first() {
                out.dim(&format!("  {}", printable(example)))?;
            }
            writeln!(out)?;
        }
        let silent = (self.pairs.len() - told.len()) as u64;
        match (silent, told.is_empty()) {
            (0, _) => {}
            (_, true) => writeln!(out, "no two layers dispute a path")?,
            (1, false) => writeln!(out, "the other pair disputes no path")?,
            (silent, false) => writeln!(out, "the other {silent} pairs dispute no path")?,
        }
        writeln!(out, "\n{}", self.conclusion())?;
        self.permutations(out)
    }

    fn conclusion(&self) -> String {
        let list = |group: &[LayerIdx]| {
            group
                .iter()
                .map(|&layer| place(layer).to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (free, bound): (Vec<_>, Vec<_>) = self.groups.iter().partition(|group| group.len() == 1);
        if bound.is_empty() {
            return "the order does not matter".to_owned();
        }
        let bound: Vec<_> = bound.iter().map(|group| list(group)).collect();
        let mut text = format!("the order matters among {}", bound.join(" and among "));
        let free: Vec<_> = free.into_iter().flatten().copied().collect();
        if !free.is_empty() {
            text += &format!("; {} can stand anywhere", list(&free));
        }
        text
    }

    fn permutations(&self, out: &mut Out) -> Result<(), Failure> {
        let Some(all) = &self.permutations else {
            return Ok(());
        };
        writeln!(out)?;
        out.bold("every order, and which tree it shows")?;
        writeln!(out)?;
        for one in all {
            let order: Vec<_> = one.order.iter().map(|&layer| place(layer).to_string()).collect();
            let what = match one.count.any() {
                true => words(one.count),
                false => "nothing changes".to_owned(),
            };
            writeln!(out, "{:>3}{}  {:>3}  {what}", "", order.join(" "), one.view + 1)?;
        }
        let trees = all.iter().map(|one| one.view + 1).max().unwrap_or(0);
        let (orders, trees) = (counted(all.len() as u64, "order"), counted(trees as u64, "tree"));
        Ok(writeln!(out, "{orders}, {trees}")?)
    }

    fn object(&self) -> Value {
        let layers: Vec<_> = self
            .view
            .stack()
            .layers_in_order()
            .map(|(at, _)| layer(self.view, at))
            .collect();
        let pairs = self.pairs.iter().map(|pair| {
            let examples = pair.examples.iter().map(|path| {
                let mut object = json!({});
                put_name(&mut object, "path", path);
                object
            });
            json!({
                "lower": place(pair.lower),
                "upper": place(pair.upper),
                "disputed": pair.disputed,
                "swapped": count(pair.swapped),
                "examples": examples.collect::<Vec<_>>(),
            })
        });
        let places = |layers: &[LayerIdx]| layers.iter().map(|&layer| place(layer)).collect::<Vec<_>>();
        let mut answer = json!({
            "layers": layers,
            "pairs": pairs.collect::<Vec<_>>(),
            "groups": self.groups.iter().map(|group| places(group)).collect::<Vec<_>>(),
        });
        if let Some(all) = &self.permutations {
            let all = all.iter().map(|one| {
                let mut object = count(one.count);
                object["order"] = json!(places(&one.order));
                object["tree"] = json!(one.view + 1);
                object
            });
            answer["orders"] = all.collect();
        }
        document("order", answer)
    }
}

fn effect(pair: &Pair) -> String {
    match pair.swapped.any() {
        true => words(pair.swapped),
        false => format!("nothing: {} hidden above", counted(pair.disputed, "path")),
    }
}

fn place(layer: LayerIdx) -> usize {
    layer.index() + 1
}

fn words(count: Count) -> String {
    let all = [
        (count.changed, "changed"),
        (count.added, "added"),
        (count.removed, "removed"),
    ];
    let said = all.into_iter().filter(|&(count, _)| count > 0);
    said.map(|(count, word)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn count(count: Count) -> Value {
    json!({ "changed": count.changed, "added": count.added, "removed": count.removed })
}
