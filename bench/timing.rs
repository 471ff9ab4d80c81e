//! How the benches time and print: cases in turns, so that a noisy machine is noisy for all of them, and of each
//! the median and the spread. What is timed is theirs.

use std::time::{Duration, Instant};

pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) per: Per,
    /// Does the work once and returns what it took, without what had to be made ready for it.
    pub(crate) run: Box<dyn FnMut() -> Duration + 'a>,
}

/// What a time is divided by.
#[derive(Clone, Copy)]
pub(crate) enum Per {
    /// So many operations: nanoseconds each.
    Operations(usize),
    /// So many bytes: MB/s.
    Bytes(usize),
}

impl<'a> Case<'a> {
    pub(crate) fn new(name: &'a str, per: Per, run: impl FnMut() -> Duration + 'a) -> Self {
        let run = Box::new(run);
        Case { name, per, run }
    }
}

pub(crate) fn time<R>(work: impl FnOnce() -> R) -> Duration {
    let begin = Instant::now();
    std::hint::black_box(work());
    begin.elapsed()
}

/// The first line of a bench: without it, its numbers mean little.
pub(crate) fn print_machine() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    println!(
        "machine: {} cores, {}, Linux {}, load {}",
        std::thread::available_parallelism().map_or(1, usize::from),
        model
            .unwrap_or("unknown processor")
            .trim_matches([' ', '\t', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    );
}

/// Runs all cases in turns, once unmeasured and then `rounds` times, and prints a line for each.
pub(crate) fn run(rounds: usize, mut cases: Vec<Case<'_>>) {
    println!("{rounds} rounds, all cases in turns: median [min to max]");
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for (case, times) in cases.iter_mut().zip(&mut times) {
            let took = (case.run)();
            if round > 0 {
                times.push(took);
            }
        }
    }
    for (case, times) in cases.iter().zip(&mut times) {
        times.sort();
        let (least, median, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        let name = case.name;
        match case.per {
            Per::Operations(n) => {
                let each = |time: Duration| time.as_nanos() as f64 / n as f64;
                println!(
                    "  {name:44} {:9.0} ns [{:.0} to {:.0}]",
                    each(median),
                    each(least),
                    each(most)
                );
            }
            Per::Bytes(n) => {
                let rate = |time: Duration| n as f64 / 1e6 / time.as_secs_f64();
                println!(
                    "  {name:44} {:7.0} MB/s [{:.0} to {:.0}]",
                    rate(median),
                    rate(most),
                    rate(least)
                );
            }
        }
    }
}
