//! One integration binary, a file per feature.

mod real_layers;
