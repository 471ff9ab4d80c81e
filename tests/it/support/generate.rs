//! Random stacks: names from so small an alphabet that collisions come by themselves, and the runner that
//! prints its seed.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use super::model::legal_parts;
use super::stack::{Item, Layer, Method};

/// Stacks of one to five layers with everything in them: duplicates, implicit parents, directories before
/// and after their children, every conflict of kinds, odd names and files that cannot be read.
pub(crate) fn stacks() -> impl Strategy<Value = Vec<Layer>> {
    vec(layer(), 1..=5)
}

/// Stacks in which a path is of one kind in all layers and every entry can be extracted: where all
/// extractors agree.
pub(crate) fn stacks_of_one_mind() -> impl Strategy<Value = Vec<Layer>> {
    stacks().prop_map(|mut stack| {
        let mut kinds = BTreeMap::new();
        for layer in &mut stack {
            layer
                .entries
                .retain(|(name, item)| is_of_one_mind(&mut kinds, name, item));
        }
        stack
    })
}

/// Whether an entry can join without a conflict of kinds; if so, the kinds it brings are noted.
fn is_of_one_mind(kinds: &mut BTreeMap<Vec<u8>, u8>, name: &[u8], item: &Item) -> bool {
    const DIRECTORY: u8 = b'd';
    let own_kind = match item {
        Item::Dir { .. } => DIRECTORY,
        Item::File {
            method: Method::Unknown,
            ..
        } => return false,
        Item::File { .. } => b'f',
        Item::Symlink { .. } => b'l',
    };
    let Some(parts) = legal_parts(name) else {
        return false;
    };
    let prefixes = (1..=parts.len()).map(|len| parts[..len].join(&b'/'));
    let claims: Vec<_> = prefixes
        .enumerate()
        .map(|(i, path)| (path, if i + 1 == parts.len() { own_kind } else { DIRECTORY }))
        .collect();
    let fits = claims
        .iter()
        .all(|(path, kind)| kinds.get(path).is_none_or(|known| known == kind));
    if fits {
        kinds.extend(claims);
    }
    fits
}

fn layer() -> impl Strategy<Value = Layer> {
    let mtime = 1_000_000_000i64..2_000_000_000;
    (mtime, vec((name(), item()), 0..=10)).prop_map(|(mtime, entries)| Layer { mtime, entries })
}

/// One to four parts of a, b, c, mostly few: a shallow name meets more others.
fn plain_name() -> impl Strategy<Value = String> {
    let depth = prop_oneof![4 => Just(1usize), 4 => Just(2), 2 => Just(3), 1 => Just(4)];
    depth
        .prop_flat_map(|depth| vec(part(), depth))
        .prop_map(|parts| parts.join("/"))
}

fn part() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "c"][..])
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![12 => plain_name(), 1 => odd_name()].prop_map(String::into_bytes)
}

/// Names to fold (the first row), to keep though they look odd (the second), and to leave out (the others).
fn odd_name() -> impl Strategy<Value = String> {
    let odd = (0..13usize, plain_name(), part());
    odd.prop_map(|(which, name, part)| match which {
        0 => format!("./{name}"),
        1 => format!("/{name}"),
        2 => format!("{part}//{name}"),
        3 => format!("{part}/./{name}"),
        4 => format!("{part}/{}", "x".repeat(255)),
        5 => format!("{part}/.wh.{part}"),
        6 => format!("{part}/...{part}"),
        7 => format!("{name}/../{part}"),
        8 => format!("../{name}"),
        9 => format!("{part}/{}", "x".repeat(256)),
        10 => format!("{name}\0"),
        11 => String::new(),
        _ => ".".to_owned(),
    })
}

fn item() -> impl Strategy<Value = Item> {
    let mtime = || 1_000_000_000i32..2_000_000_000;
    prop_oneof![
        3 => (mode(0o700), mtime()).prop_map(|(mode, mtime)| Item::Dir { mode, mtime }),
        5 => (mode(0o600), mtime(), bytes(), method())
            .prop_map(|(mode, mtime, bytes, method)| Item::File { mode, mtime, bytes, method }),
        2 => (mtime(), target()).prop_map(|(mtime, target)| Item::Symlink { mtime, target }),
    ]
}

/// The owner can always get in: the judges also run as an ordinary user, who has to read what was extracted.
fn mode(always: u16) -> impl Strategy<Value = Option<u16>> {
    prop_oneof![8 => (0..0o10000u16).prop_map(move |mode| Some(mode | always)), 1 => Just(None)]
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        4 => Just(Method::Stored),
        6 => Just(Method::Deflate),
        2 => Just(Method::Streamed),
        1 => Just(Method::Unknown),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..24),
        2 => (vec(any::<u8>(), 1..6), 1..60usize).prop_map(|(bytes, times)| bytes.repeat(times)),
    ]
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        plain_name(),
        plain_name().prop_map(|name| format!("../{name}")),
        plain_name().prop_map(|name| format!("/opt/{name}")),
        select(&[".", "..", "/", "/etc/passwd", "no such thing"][..]).prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

/// Runs a property on so many random values and panics with the smallest value that breaks it.
///
/// The seed comes from `OPTFS_TEST_SEED` or from the clock and is printed: the variable repeats the run.
pub(crate) fn holds<S: Strategy>(
    cases: u32,
    values: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let seed = match std::env::var("OPTFS_TEST_SEED") {
        Ok(text) => text.parse().expect("OPTFS_TEST_SEED is a number"),
        Err(_) => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is after 1970")
            .as_nanos() as u64,
    };
    println!("repeat with OPTFS_TEST_SEED={seed}");
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4096,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&values, property) {
        panic!("{failure}\nrepeat with OPTFS_TEST_SEED={seed}");
    }
}
