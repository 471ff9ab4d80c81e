//! One integration binary, a file per feature.
