//! The files that questions look into, by whatever they hold: descriptions of packages, lists of files, links,
//! binaries.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use optfs::content::{Content, Keeping};
use optfs::explain::check::{Options, RuntimeFacts, check};
use optfs::explain::digest::digests;
use optfs::explain::resolve::{Machine, Place, Sort, Version, Wanted, resolve};
use optfs::explain::torn::torn;
use optfs::explain::{Opt, chain};
use optfs::stack::{NodeId, Stack};
use optfs_fuzz::{Choices, FILE, LINK, archive, pieces, zip};

/// What a piece of the input becomes, by its first byte; `@` at the end makes it a link.
const FILES: [&[u8]; 26] = [
    b"python/a-1.0.dist-info/RECORD",
    b"python/a-1.0.dist-info/METADATA",
    b"python/a-2.0.dist-info/RECORD",
    b"python/a-2.0.dist-info/METADATA",
    b"python/a/__init__.py",
    b"python/a/b.py",
    b"python/a.pth",
    b"python/lib/python3.12/site-packages/a.py",
    b"nodejs/node_modules/a/package.json",
    b"nodejs/node_modules/a/index.js",
    b"nodejs/node_modules/a/lib/b.js",
    b"nodejs/node_modules/@s/a/package.json",
    b"nodejs/node_modules/a/node_modules/c/package.json",
    b"nodejs/node20/node_modules/a.js",
    b"java/lib/a-1.0.jar",
    b"java/lib/a-1.10.jar",
    b"ruby/gems/3.3.0/specifications/a-1.0.gemspec",
    b"ruby/gems/3.3.0/specifications/a-2.0.gemspec",
    b"ruby/gems/3.3.0/gems/a-1.0/lib/a.rb",
    b"ruby/lib/a.rb",
    b"bin/a",
    b"lib/liba.so",
    b"python/a.cpython-312-x86_64-linux-gnu.so",
    b"python/a@",
    b"nodejs/node_modules/a@",
    b"lib/liba.so@",
];

fuzz_target!(|input: &[u8]| {
    let mut layers: [Vec<(&[u8], u32, &[u8])>; 3] = Default::default();
    for piece in pieces(input).into_iter().take(24) {
        let mut choices = Choices(piece);
        let what = usize::from(choices.byte());
        let name = FILES[what % FILES.len()];
        let (name, mode) = name.strip_suffix(b"@").map_or((name, FILE), |name| (name, LINK));
        layers[what / FILES.len() % 3].push((name, mode, choices.0));
    }
    let archives = layers.iter().filter_map(|files| archive(&zip(files)));
    let stack = Arc::new(Stack::merge(archives.collect()).expect("three layers"));
    let keeping = Keeping {
        capacity_bytes: 1 << 20,
        ..Keeping::default()
    };
    let content = Content::new(Arc::clone(&stack), &keeping);
    let tree = Opt::new(&stack, &content);
    for deep in [false, true] {
        let _ = torn(&tree, deep, b"");
    }
    resolve_all(&tree);
    let options = Options {
        deep: true,
        runtime: Some(RuntimeFacts {
            name: "python3.12".to_owned(),
            python: Some("3.12".to_owned()),
            node: Some("20".to_owned()),
            glibc: Some((2, 34)),
        }),
        ..Options::default()
    };
    let _ = check(&stack, &options, &());
    let _ = digests(&content, &stack, &[NodeId::ROOT], &());
    for path in [
        &b"python/a/b.py"[..],
        b"lib/liba.so/../x",
        b"nodejs/node_modules/a/",
    ] {
        let target = |_| content_of_link(input);
        let _ = chain(&stack, path, true, target);
    }
});

fn content_of_link(input: &[u8]) -> Result<Vec<u8>, ()> {
    Ok(input[..input.len().min(100)].to_vec())
}

fn resolve_all(tree: &Opt<'_>) {
    let places =
        |paths: &[&[u8]]| -> Vec<_> { paths.iter().map(|path| Place::Layers(path.to_vec())).collect() };
    let version = Version { major: 3, minor: 12 };
    let machine = Machine::X86_64;
    let python = places(&[b"python", b"python/lib/python3.12/site-packages"]);
    let node = places(&[b"nodejs/node_modules", b"nodejs/node20/node_modules"]);
    for name in [&b"a"[..], b"a.b", b"b"] {
        let _ = resolve(tree, Wanted::Python { version, machine }, &python, name);
    }
    for name in [&b"a"[..], b"a/lib/b", b"@s/a", b"a/b.js", b"c"] {
        let _ = resolve(tree, Wanted::Node { major: Some(20) }, &node, name);
    }
    for name in [&b"a"[..], b"a.B", b"a/b.xml", b"a-1.0.jar"] {
        let _ = resolve(tree, Wanted::Java, &places(&[b"java/lib"]), name);
    }
    let ruby = places(&[b"ruby/gems/3.3.0", b"ruby/lib"]);
    let _ = resolve(tree, Wanted::Ruby, &ruby, b"a");
    let _ = resolve(tree, Wanted::File(Sort::Command), &places(&[b"bin"]), b"a");
    let _ = resolve(
        tree,
        Wanted::File(Sort::Library(machine)),
        &places(&[b"lib"]),
        b"liba.so",
    );
}
