//! Templates of SAM and CloudFormation of any text, and those that they are nested with.

#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use optfs::template::{Template, World};
use optfs_fuzz::pieces;

fuzz_target!(|input: &[u8]| {
    let texts = pieces(input);
    let read = |path: &Path| {
        // Each name is one of the pieces, always the same.
        let sum = crc32fast::hash(path.as_os_str().as_encoded_bytes()) as usize;
        match path == Path::new("template.yaml") {
            true => Ok(texts[0].to_vec()),
            false if texts.len() > 1 => Ok(texts[1 + sum % (texts.len() - 1)].to_vec()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    };
    let world = World {
        read: &read,
        parameters: BTreeMap::new(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let Ok(template) = Template::read(Path::new("template.yaml"), &world) else {
        return;
    };
    let ids = template.functions().unwrap_or_default();
    for id in ids.iter().take(32) {
        if let Err(error) = template.function(id) {
            let _ = error.to_string();
        }
    }
    if let Err(error) = template.only_function() {
        let _ = error.to_string();
    }
});
