//! What the order of layers decides, judged by merging every order.

use std::collections::{BTreeMap, BTreeSet};

use optfs::explain::order::{Count, MOST_LAYERS, Order};
use optfs::stack::LayerIdx;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::diff::{differing, readable_stacks};
use crate::real_layers::layers;
use crate::support::command::{answer, optfs};
use crate::support::model::extracted;
use crate::support::raw_zip::RawZip;
use crate::support::seen::{UNLIMITED, mounted_stack};
use crate::support::stack::{Layer, write_archive};
use crate::support::tree::Tree;

fn count(now: &Tree, then: &Tree) -> Count {
    let mut count = Count::default();
    for path in differing(now, then) {
        match (now.contains_key(&path), then.contains_key(&path)) {
            (false, _) => count.added += 1,
            (_, false) => count.removed += 1,
            _ => count.changed += 1,
        }
    }
    count
}

/// Every claim about the order is what the merges of all orders show, one by one.
#[test]
fn every_order_shows_what_its_own_merge_shows() {
    holds_for_stacks(96, |layers| {
        let scene = mounted_stack(layers, UNLIMITED);
        let order = Order::of(scene.stack()).unwrap();
        let permutations = order.permutations().unwrap();
        let merged: BTreeMap<Vec<usize>, Tree> = permutations
            .iter()
            .map(|one| {
                let places: Vec<_> = one.order.iter().map(|layer| layer.index()).collect();
                let stack: Vec<_> = places.iter().map(|&place| layers[place].clone()).collect();
                (places, extracted(&stack))
            })
            .collect();
        prop_assert_eq!(merged.len(), (1..=layers.len()).product::<usize>());
        let places = |order: &[LayerIdx]| order.iter().map(|layer| layer.index()).collect::<Vec<_>>();
        let present: Vec<usize> = (0..layers.len()).collect();
        let now = &merged[&present];
        for one in &permutations {
            let then = &merged[&places(&one.order)];
            prop_assert_eq!(one.count, count(now, then), "{:?}", one.order);
            prop_assert_eq!(order.reordered(&one.order), one.count);
            for other in &permutations {
                let is_same = differing(then, &merged[&places(&other.order)]).is_empty();
                prop_assert_eq!(
                    one.view == other.view,
                    is_same,
                    "{:?} {:?}",
                    one.order,
                    other.order
                );
            }
        }
        let pairs = order.pairs();
        prop_assert_eq!(pairs.len(), layers.len() * (layers.len() - 1) / 2);
        for pair in &pairs {
            let (lower, upper) = (pair.lower.index(), pair.upper.index());
            let mut swapped = present.clone();
            swapped.swap(lower, upper);
            let then = &merged[&swapped];
            prop_assert_eq!(pair.swapped, count(now, then));
            let disputed = disputed(&merged, lower, upper);
            prop_assert_eq!(pair.disputed as usize, disputed.len());
            let from = if pair.swapped.any() {
                differing(now, then)
            } else {
                disputed
            };
            let first: Vec<_> = from.into_iter().take(3).collect();
            prop_assert_eq!(&pair.examples, &first);
        }
        in_groups_alone_the_order_matters(&order.groups(), &pairs_of(&pairs), &merged)
    });
}

fn holds_for_stacks(cases: u32, property: impl Fn(&[Layer]) -> Result<(), TestCaseError>) {
    crate::support::generate::holds(cases, readable_stacks(), |layers| property(&layers));
}

/// Paths that differ between two orders which are the same but for two neighbours.
fn disputed(merged: &BTreeMap<Vec<usize>, Tree>, one: usize, other: usize) -> BTreeSet<Vec<u8>> {
    let mut paths = BTreeSet::new();
    for (order, tree) in merged {
        if let Some(at) = order.windows(2).position(|two| two == [one, other]) {
            let mut exchanged = order.clone();
            exchanged.swap(at, at + 1);
            paths.extend(differing(tree, &merged[&exchanged]));
        }
    }
    paths
}

fn pairs_of(pairs: &[optfs::explain::order::Pair]) -> Vec<(usize, usize)> {
    let disputed = pairs.iter().filter(|pair| pair.disputed > 0);
    disputed
        .map(|pair| (pair.lower.index(), pair.upper.index()))
        .collect()
}

/// Two orders in which the layers of each group stand alike show the same tree.
fn in_groups_alone_the_order_matters(
    groups: &[Vec<LayerIdx>],
    disputed: &[(usize, usize)],
    merged: &BTreeMap<Vec<usize>, Tree>,
) -> Result<(), TestCaseError> {
    let groups: Vec<Vec<usize>> = groups
        .iter()
        .map(|group| group.iter().map(|layer| layer.index()).collect())
        .collect();
    for (a, b) in disputed {
        prop_assert!(groups.iter().any(|group| group.contains(a) && group.contains(b)));
    }
    let inside = |order: &Vec<usize>| -> Vec<Vec<usize>> {
        let of = |group: &Vec<usize>| {
            order
                .iter()
                .copied()
                .filter(|place| group.contains(place))
                .collect()
        };
        groups.iter().map(of).collect()
    };
    let mut shown: BTreeMap<Vec<Vec<usize>>, &Tree> = BTreeMap::new();
    for (order, tree) in merged {
        let first = shown.entry(inside(order)).or_insert(tree);
        prop_assert!(differing(first, tree).is_empty());
    }
    Ok(())
}

#[test]
fn the_order_is_explained() {
    let scratch = TempDir::new().unwrap();
    let zips = [
        (
            "base.zip",
            RawZip::new().file("bin/tool", "one").file("etc/conf", "c"),
        ),
        ("other.zip", RawZip::new().file("lib/x", "x")),
        (
            "top.zip",
            RawZip::new().file("bin/tool", "two").file("etc", "a file"),
        ),
        ("same.zip", RawZip::new().file("lib/x", "x").dir("bin/")),
    ];
    let mut ask = optfs();
    ask.arg("order").current_dir(scratch.path());
    for (name, zip) in zips {
        write_archive(&scratch.path().join(name), &zip.build(), 1_600_000_000);
        ask.args(["--layer", name]);
    }
    let said = answer(&mut ask);
    let expected = "  1  base.zip\n  2  other.zip\n  3  top.zip\n  4  same.zip\n
if two change places
  1 ↔ 3   2 changed, 1 added  bin/tool
the other 5 pairs dispute no path

the order matters among 1, 3; 2, 4 can stand anywhere
";
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), expected));
    let all = answer(ask.arg("--all")).stdout;
    assert!(all.contains("   1 2 3 4    1  nothing changes\n"), "{all}");
    assert!(all.contains("   3 4 2 1    2  2 changed, 1 added\n"), "{all}");
    assert!(all.ends_with("24 orders, 2 trees\n"), "{all}");
    let json: Value = serde_json::from_str(&answer(ask.arg("--json")).stdout).unwrap();
    assert_eq!(json["groups"], serde_json::json!([[1, 3], [2], [4]]));
    assert_eq!(json["orders"].as_array().unwrap().len(), 24);
    assert_eq!(
        json["pairs"][1]["swapped"],
        serde_json::json!({"changed": 2, "added": 1, "removed": 0})
    );
    assert_eq!(json["pairs"][1]["examples"][0]["path"], "bin/tool");

    let alone = answer(
        optfs()
            .args(["order", "--layer", "base.zip"])
            .current_dir(scratch.path()),
    );
    assert_eq!(alone.code, Some(0));
    assert!(
        alone.stdout.ends_with("the order does not matter\n"),
        "{}",
        alone.stdout
    );
}

#[test]
fn too_many_layers_are_refused() {
    let scratch = TempDir::new().unwrap();
    let mut ask = optfs();
    ask.arg("order").current_dir(scratch.path());
    for number in 0..=MOST_LAYERS {
        let name = format!("{number}.zip");
        write_archive(
            &scratch.path().join(&name),
            &RawZip::new().file("f", &name).build(),
            1,
        );
        ask.args(["--layer", &name]);
        if number == 7 {
            let said = answer(ask.arg("--all"));
            assert!(
                said.code == Some(2) && said.stderr.contains("6 layers at most"),
                "{said:?}"
            );
            ask = {
                let mut again = optfs();
                again.arg("order").current_dir(scratch.path());
                for n in 0..=7 {
                    again.args(["--layer", &format!("{n}.zip")]);
                }
                again
            };
        }
    }
    let said = answer(&mut ask);
    assert!(
        said.code == Some(2) && said.stderr.contains("33 layers are too many"),
        "{said:?}"
    );
}

/// As many paths as `optfs diff` of the two orders names.
#[test]
fn real_layers_swapped_change_as_many_paths_as_diff_finds() {
    for names in [["python-4", "python-5"], ["proxy-agent-v5", "proxy-agent-v6"]] {
        let layers = layers(&names);
        let mut ask = optfs();
        ask.args(["order", "--json"]);
        for layer in &layers {
            ask.arg("--layer").arg(layer);
        }
        let order: Value = serde_json::from_str(&answer(&mut ask).stdout).unwrap();
        let words = [(0, 1), (1, 0)].map(|(a, b)| format!("{}:{}", layers[a].display(), layers[b].display()));
        let diff = answer(optfs().args(["diff", "--json"]).args(words)).stdout;
        let diff: Value = serde_json::from_str(&diff).unwrap();
        for word in ["changed", "added", "removed"] {
            let changes = diff["changes"].as_array().unwrap().iter();
            let found = changes.filter(|change| change["change"] == word).count();
            assert_eq!(order["pairs"][0]["swapped"][word], found, "{names:?} {word}");
        }
    }
}
