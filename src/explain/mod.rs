//! Questions about a stack, answered as data: which layer provides a path and what it hides, and all that
//! follows from it. A file for each question.
//!
//! Leaves to others how answers are printed.

mod chain;
pub mod check;
mod crew;
pub mod diff;
pub mod digest;
mod json;
mod likeness;
pub mod lock;
mod on_disk;
mod opt;
pub mod order;
mod outline;
pub mod resolve;
pub mod schema;
mod shadows;
mod spread;
mod tally;
pub mod torn;
mod tree;
mod version;
mod waste;
mod weight;
mod which;

pub use chain::{Chain, End, Hop, chain};
pub use crew::Progress;
pub use likeness::{Likeness, likeness};
pub use on_disk::OnDisk;
pub use opt::{Opt, Unread};
pub use outline::{Line, outline};
pub use shadows::{Compared, Conflict, GaveWay, Pair, Replaced, Shadows, shadows, shadows_below};
pub use spread::{Row, spread};
pub use tally::Tally;
pub use tree::{Facts, Kind, Merged, Tree, find};
pub use waste::{Waste, waste};
pub use weight::{
    Contents, LAYERS_LIMIT, LayerWeight, UNZIPPED_LIMIT_BYTES, UPLOAD_LIMIT_BYTES, Weight, weight,
};
pub use which::{Buried, Contribution, Hidden, Reason, Seen, Which, Win, root, which};
