//! Explores the schedules of the cache and of the readers of one large entry: the files of `src` themselves, over locks
//! whose order [shuttle](https://docs.rs/shuttle) decides.
//!
//! Small scenes are gone through to the end, larger ones at random from a printed seed. A lost wake-up is a deadlock,
//! which shuttle names; what must not be seen is asserted. `scripts/schedules` runs it.

#![allow(dead_code, unused_imports, unreachable_pub)]

#[path = "../src/archive/mod.rs"]
mod archive;
#[path = "../src/cache.rs"]
mod cache;
#[path = "../src/path.rs"]
mod path;

#[path = "../src/content"]
mod content {
    mod coverage;
    mod decoder;
    mod index;
    mod large;
    mod places;
    #[path = "../../schedules/readers.rs"]
    pub(crate) mod readers;
}

mod loaders;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// Beyond this many a scene is too large to be gone through.
const MOST_SCHEDULES: usize = 3_000_000;

fn main() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed: u64 = number("OPTFS_SEED").unwrap_or(now.as_nanos() as u64);
    let turns = number("OPTFS_SCHEDULES").unwrap_or(2000) as usize;
    println!("OPTFS_SEED={seed} OPTFS_SCHEDULES={turns}");
    let every = || DfsScheduler::new(Some(MOST_SCHEDULES), false);
    let pressing = || PctScheduler::new_from_seed(seed, 4, turns);
    let random = || RandomScheduler::new_from_seed(seed, turns);

    explore("two ask for one key", every(), loaders::ask_for_one_key::<2>);
    explore("a loader panics", every(), loaders::a_loader_panics);
    explore("a loader fails", every(), loaders::a_loader_fails);
    explore(
        "a key is forgotten meanwhile",
        every(),
        loaders::a_key_is_forgotten,
    );
    explore("room for one of two", every(), loaders::room_for_one);
    explore("four ask for one key", pressing(), loaders::ask_for_one_key::<4>);
    explore("four ask for one key", random(), loaders::ask_for_one_key::<4>);
    explore("readers of one entry", pressing(), content::readers::right_bytes);
    explore("readers of one entry", random(), content::readers::right_bytes);
    explore(
        "readers of a wrong sum",
        pressing(),
        content::readers::a_wrong_sum,
    );
    explore("readers of a wrong sum", random(), content::readers::a_wrong_sum);
}

fn explore(what: &str, scheduler: impl Scheduler + 'static, scene: fn()) {
    let begun = Instant::now();
    let count = Runner::new(scheduler, Config::default()).run(scene);
    let end = if count == MOST_SCHEDULES {
        ", not to the end"
    } else {
        ""
    };
    println!(
        "{what:32} {count:>9} schedules {:6.1} s{end}",
        begun.elapsed().as_secs_f64()
    );
}
