//! One integration binary, a file per feature.

#![allow(
    clippy::unwrap_used,
    reason = "a scene that cannot be set up is a failed test"
)]

#[allow(dead_code, reason = "a builder says more than any one test asks for")]
mod support;

mod ahead;
mod at_once;
mod bad_input;
mod bench;
mod built;
mod check;
mod ci;
mod conformance;
mod diff;
mod differential;
mod doctor;
mod explore;
mod extract;
mod faults;
mod function_layers;
mod function_verbs;
mod functions;
mod hash;
mod help;
mod large_files;
mod limits;
mod lock;
mod logging;
mod look;
mod merge;
mod model_unzip;
mod mount;
mod mount_content;
mod mount_files;
mod mount_guide;
mod mount_life;
mod mount_tools;
mod mount_users;
mod odd_attributes;
mod odd_names;
mod odd_zips;
mod order;
mod policies;
mod published;
mod readme;
mod real_layers;
mod report;
mod resolve;
mod run;
mod run_ends;
mod run_environment;
mod run_refusals;
mod run_signals;
mod run_streams;
mod run_users;
mod semantics;
mod serve;
mod serve_clients;
mod serve_hostile;
mod shadowed;
mod shadows;
mod shortage;
mod source_faults;
mod supervised;
mod template;
mod template_model;
mod tidy;
mod torn;
mod transcripts;
mod transports;
mod walk_through;
mod weight;
mod which;
