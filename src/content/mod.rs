//! The bytes of a node.
