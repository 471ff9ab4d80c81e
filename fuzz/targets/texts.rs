//! The texts that the command line reads: lock files, thresholds, lists of layers, templates.

#![no_main]

use libfuzzer_sys::fuzz_target;
use optfs::cli::fuzzing;

fuzz_target!(|input: &[u8]| {
    let (&kind, text) = input.split_first().unwrap_or((&0, &[]));
    match kind % 4 {
        0 => {
            if let Some(written) = fuzzing::lock_file(text) {
                let again = fuzzing::lock_file(written.as_bytes());
                assert_eq!(again, Some(written), "a lock that is written is read as it was");
            }
        }
        1 => fuzzing::thresholds(text),
        2 => fuzzing::stack_list(text),
        _ => fuzzing::template(text),
    }
});
