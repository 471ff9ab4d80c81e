//! The ordered layers and their one merge: an immutable tree with the provider and the shadowed entries of each node.
