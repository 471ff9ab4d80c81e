//! One integration binary, a file per feature.

#[allow(dead_code, reason = "a builder says more than any one test asks for")]
mod support;

mod merge;
mod model_unzip;
mod mount;
mod mount_content;
mod mount_files;
mod mount_life;
mod mount_tools;
mod mount_users;
mod real_layers;
mod tidy;
