//! What is measured, the numbers of all rounds, and what is said of them: median, least and most.

use std::collections::BTreeMap;

/// One quantity. Each has its name in the JSON, whose names never change their meaning within a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Seconds until the tree can be used: extracted, or mounted and answering the first stat.
    Ready,
    /// Seconds until the tree can be used and the command has ended once.
    FirstResult,
    /// Seconds of the command on a cold tree.
    CommandCold,
    /// Seconds of the command when it has run before.
    CommandWarm,
    /// Microseconds for each name of the tree: listed, and asked for its attributes.
    WalkCold,
    /// The same again.
    WalkWarm,
    /// Microseconds for each file, all of them opened, read and closed in turn.
    FileCold,
    /// The same again.
    FileWarm,
    /// Millions of bytes a second, all files read in turn.
    RateCold,
    /// The same again.
    RateWarm,
    /// Bytes of files that the kernel asked for until the command had ended.
    BytesTouched,
    /// Most memory, in bytes, of the serving process while the command ran.
    PeakMemory,
    /// Most memory, in bytes, of the serving process while everything was read.
    PeakMemoryAll,
}

/// What a measure counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// 1,000,000 bytes a second: more is better.
    Rate,
    /// Bytes.
    Bytes,
}

impl Measure {
    /// Every measure, in the order in which they are shown.
    pub const ALL: [Measure; 13] = [
        Measure::Ready,
        Measure::FirstResult,
        Measure::CommandCold,
        Measure::CommandWarm,
        Measure::WalkCold,
        Measure::WalkWarm,
        Measure::FileCold,
        Measure::FileWarm,
        Measure::RateCold,
        Measure::RateWarm,
        Measure::BytesTouched,
        Measure::PeakMemory,
        Measure::PeakMemoryAll,
    ];

    /// Its name for scripts, the unit last.
    pub fn key(self) -> &'static str {
        match self {
            Measure::Ready => "ready_s",
            Measure::FirstResult => "first_result_s",
            Measure::CommandCold => "command_cold_s",
            Measure::CommandWarm => "command_warm_s",
            Measure::WalkCold => "walk_cold_us_per_node",
            Measure::WalkWarm => "walk_warm_us_per_node",
            Measure::FileCold => "read_cold_us_per_file",
            Measure::FileWarm => "read_warm_us_per_file",
            Measure::RateCold => "read_cold_mb_per_s",
            Measure::RateWarm => "read_warm_mb_per_s",
            Measure::BytesTouched => "touched_bytes",
            Measure::PeakMemory => "peak_memory_bytes",
            Measure::PeakMemoryAll => "peak_memory_all_read_bytes",
        }
    }

    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Measure::Ready => "until ready (extract; mount)",
            Measure::FirstResult => "until the first result",
            Measure::CommandCold => "command, cold",
            Measure::CommandWarm => "command, again",
            Measure::WalkCold => "walk, cold, each name",
            Measure::WalkWarm => "walk, again, each name",
            Measure::FileCold => "open, read, close, cold, each file",
            Measure::FileWarm => "open, read, close, again, each file",
            Measure::RateCold => "read everything, cold",
            Measure::RateWarm => "read everything, again",
            Measure::BytesTouched => "bytes touched by the command",
            Measure::PeakMemory => "peak memory of the server, command",
            Measure::PeakMemoryAll => "peak memory of the server, all read",
        }
    }

    /// What it counts in.
    pub fn unit(self) -> Unit {
        match self {
            Measure::Ready | Measure::FirstResult | Measure::CommandCold | Measure::CommandWarm => {
                Unit::Seconds
            }
            Measure::WalkCold | Measure::WalkWarm | Measure::FileCold | Measure::FileWarm => {
                Unit::Microseconds
            }
            Measure::RateCold | Measure::RateWarm => Unit::Rate,
            Measure::BytesTouched | Measure::PeakMemory | Measure::PeakMemoryAll => Unit::Bytes,
        }
    }
}

/// The numbers of one way to have the tree, round after round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(BTreeMap<Measure, Vec<f64>>);

/// What is said of a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// As many rounds were better as were worse.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Samples {
    /// Adds the number of one round.
    pub fn add(&mut self, measure: Measure, value: f64) {
        self.0.entry(measure).or_default().push(value);
    }

    /// The numbers of a measure, round after round; none when it was not taken.
    pub fn of(&self, measure: Measure) -> &[f64] {
        self.0.get(&measure).map_or(&[], Vec::as_slice)
    }

    /// What is said of a measure; nothing when it was not taken.
    pub fn summary(&self, measure: Measure) -> Option<Summary> {
        let mut sorted = self.of(measure).to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        // Of an even number the mean of the two in the middle.
        let median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        Some(Summary { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let mut samples = Samples::default();
        assert_eq!(samples.summary(Measure::Ready), None);
        for value in [3.0, 1.0, 10.0] {
            samples.add(Measure::Ready, value);
        }
        let said = |samples: &Samples| {
            let summary = samples.summary(Measure::Ready).unwrap();
            (summary.min, summary.median, summary.max)
        };
        assert_eq!(said(&samples), (1.0, 3.0, 10.0));
        samples.add(Measure::Ready, 2.0);
        assert_eq!(said(&samples), (1.0, 2.5, 10.0));
    }

    #[test]
    fn every_measure_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<_> = Measure::ALL.iter().map(|m| m.key()).collect();
        assert_eq!(keys.len(), Measure::ALL.len());
    }
}
