//! A report as JSON. A key never changes its meaning within a version; new ones may come.

use serde_json::{Map, Value, json};

use super::About;
use crate::bench::{Measure, Samples};

/// Raised when a key goes or means something else.
const VERSION: u32 = 1;

pub(super) fn document(about: &About) -> Value {
    let report = about.report;
    // Names are bytes; what is no UTF-8 is replaced, as JSON has no words for it.
    let texts = |words: &mut dyn Iterator<Item = &std::ffi::OsStr>| -> Vec<String> {
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    };
    json!({
        "format": "optfs bench",
        "version": VERSION,
        "optfs": env!("CARGO_PKG_VERSION"),
        "machine": {
            "cores": about.machine.cores,
            "processor": about.machine.processor,
            "kernel": about.machine.kernel,
            "load_1min": about.machine.load.parse::<f64>().ok(),
        },
        "rounds": report.rounds,
        "caches_dropped": report.caches_dropped,
        "layers": texts(&mut about.layers.iter().map(|layer| layer.as_os_str())),
        "command": texts(&mut about.command.iter().map(|word| word.as_os_str())),
        "present": {
            "nodes": report.present.nodes,
            "files": report.present.files,
            "bytes": report.present.bytes,
        },
        "extracted": side(&report.extracted),
        "mounted": side(&report.mounted),
    })
}

fn side(samples: &Samples) -> Value {
    let mut object = Map::new();
    for measure in Measure::ALL {
        if let Some(summary) = samples.summary(measure) {
            object.insert(
                measure.key().to_owned(),
                json!({
                    "median": summary.median,
                    "min": summary.min,
                    "max": summary.max,
                    "rounds": samples.of(measure),
                }),
            );
        }
    }
    Value::Object(object)
}
