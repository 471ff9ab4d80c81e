//! Where a path leads through links, link by link.
//!
//! What a link's target is, is asked of whoever reads entries.

use crate::stack::{LayerIdx, NodeId, Stack, Stop};

/// The links on the way of a path, and where it ends.
#[derive(Debug)]
pub struct Chain<E> {
    /// The links that are followed, in their order. Of a loop, up to where it begins again.
    pub hops: Vec<Hop>,
    /// Where the way ends.
    pub end: End<E>,
}

/// A link that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The link.
    pub link: NodeId,
    /// Its target, as the archive has it.
    pub target: Vec<u8>,
    /// The layer that the link comes from.
    pub provider: LayerIdx,
}

/// Where a path ends: at a node, or why at none.
pub type End<E> = Result<NodeId, Stop<E>>;

/// Follows a path through the links on its way; one at its end only when `follow_last` is given, or a slash
/// stands behind it. `target` gives the text of a link.
pub fn chain<E>(
    stack: &Stack,
    path: &[u8],
    follow_last: bool,
    target: impl FnMut(NodeId) -> Result<Vec<u8>, E>,
) -> Chain<E> {
    let mut hops: Vec<Hop> = Vec::new();
    let end = stack.follow(path, follow_last, target, |link, target| {
        hops.push(Hop {
            link,
            target: target.to_vec(),
            provider: stack.provider(link),
        });
    });
    if matches!(end, Err(Stop::Loop)) {
        let again = (1..hops.len()).find(|&i| hops[..i].iter().any(|hop| hop.link == hops[i].link));
        hops.truncate(again.unwrap_or(hops.len()));
    }
    Chain { hops, end }
}
