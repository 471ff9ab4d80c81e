//! Opening, listing and merging archives, and all that is asked of a stack without reading contents.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use optfs::archive::Archive;
use optfs::content::{Content, Keeping};
use optfs::explain::check::{self, check};
use optfs::explain::diff::{Options, diff};
use optfs::explain::order::Order;
use optfs::explain::{Merged, root, shadows, waste, weight, which};
use optfs::path::RelPath;
use optfs::stack::{Body, NodeId, Stack};
use optfs_fuzz::{archive, mutate, pieces, stack};
use std::sync::Arc;

fuzz_target!(|input: &[u8]| {
    for bytes in pieces(input).into_iter().take(8) {
        if let Some(archive) = archive(bytes) {
            look_at(&archive, bytes.len());
        }
    }
    if let Some(stack) = stack(input) {
        walk(&stack);
        ask(Arc::new(stack));
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});

fn look_at(archive: &Archive, len: usize) {
    // An entry takes 46 bytes of the file at least: what is declared buys no memory.
    let index_bytes = archive.memory_bytes() + archive.path_bytes();
    assert!(
        index_bytes <= 64 * len + (64 << 10),
        "{index_bytes} bytes for {len}"
    );
    assert!(archive.len() <= len / 46);
    for (id, entry) in archive.entries() {
        let checked = RelPath::check(entry.path).expect("what is listed passed the door");
        assert_eq!(checked.as_bytes(), entry.path);
        assert!(entry.permissions < 0o1000);
        let _ = archive.local_name(id);
    }
    if let Ok(survey) = archive.survey() {
        for listed in &survey.listed {
            let name = archive.raw_name(listed);
            assert!(archive.has_raw_name(listed, &name));
        }
        archive.local_headers(&survey, |place, _| assert!(place < survey.listed.len()));
    }
}

fn walk(stack: &Stack) {
    let mut seen = 0;
    for node in stack.nodes() {
        let path = stack.path(node);
        let parts = path.split(|&b| b == b'/').filter(|part| !part.is_empty());
        assert_eq!(stack.find(parts), Some(node));
        assert!(node == NodeId::ROOT || stack.parent(node) < node);
        let names: Vec<_> = stack.children(node).map(|child| stack.name(child)).collect();
        assert!(
            names.is_sorted_by(|a, b| a < b),
            "names are sorted and stand once"
        );
        let entry = match stack.body(node) {
            Body::Directory(entry) => entry,
            Body::File(entry) | Body::Symlink(entry) => Some(entry),
        };
        seen += usize::from(entry.is_some());
        seen += stack.shadowed(node).len();
    }
    // Nothing is lost: each entry is seen, or hidden by one that is.
    let entries: usize = stack.layers().iter().map(Archive::len).sum();
    assert_eq!(seen, entries);
}

fn ask(stack: Arc<Stack>) {
    let _ = (root(&stack), shadows(&stack), waste(&stack), weight(&stack, 5));
    for node in stack.nodes().take(16) {
        if let Ok(path) = RelPath::check(&stack.path(node)) {
            let answer = which(&stack, &path);
            assert_eq!(answer.seen.map(|seen| seen.node), Some(node));
        }
    }
    if let Ok(order) = Order::of(&stack) {
        let present: Vec<_> = stack.layers_in_order().map(|(layer, _)| layer).collect();
        assert!(
            !order.reordered(&present).any(),
            "the present order changes nothing"
        );
        let _ = (order.pairs(), order.groups(), order.permutations());
    }
    let _ = check(&stack, &check::Options::default(), &());
    let content = Content::new(Arc::clone(&stack), &Keeping::default());
    let tree = Merged(&stack, &content);
    let options = Options {
        times: true,
        mask: 0o777,
    };
    let found = diff(&tree, &tree, options, &());
    assert!(found.changes.is_empty(), "{:?}", found.changes);
}
