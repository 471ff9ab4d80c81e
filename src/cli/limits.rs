//! What Lambda limits, and how much of it a stack uses.

use super::size::human;
use crate::explain::{LAYERS_LIMIT, UNZIPPED_LIMIT_BYTES, UPLOAD_LIMIT_BYTES, Weight};

/// One of Lambda's limits.
pub(super) struct Limit {
    /// For scripts.
    pub(super) name: &'static str,
    /// For people.
    pub(super) text: &'static str,
    pub(super) limit: u64,
    pub(super) used: u64,
    in_bytes: bool,
}

/// What Lambda limits, in the order in which it is shown.
pub(super) fn limits(weight: &Weight) -> [Limit; 3] {
    [
        Limit {
            name: "layers",
            text: "layers",
            limit: LAYERS_LIMIT,
            used: weight.layers.len() as u64,
            in_bytes: false,
        },
        Limit {
            name: "unzipped",
            text: "all layers unzipped",
            limit: UNZIPPED_LIMIT_BYTES,
            used: weight.unzipped().bytes,
            in_bytes: true,
        },
        Limit {
            name: "upload",
            text: "largest zip, uploaded",
            limit: UPLOAD_LIMIT_BYTES,
            used: weight.largest_zip().map_or(0, |layer| layer.zipped_bytes),
            in_bytes: true,
        },
    ]
}

impl Limit {
    pub(super) fn amount(&self, number: u64) -> String {
        match self.in_bytes {
            true => human(number),
            false => number.to_string(),
        }
    }

    pub(super) fn left(&self) -> String {
        match self.limit.checked_sub(self.used) {
            Some(left) => self.amount(left),
            None => format!("{} over", self.amount(self.used - self.limit)),
        }
    }
}
