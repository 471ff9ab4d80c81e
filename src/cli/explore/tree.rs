//! A tree as it is walked on the screen: which directories are open, what the filter leaves, the order, the
//! rows that follow from them, and the cursor.
//!
//! A row is a node and its depth; what stands in it is read from the stack when it is drawn.

use super::facts::{Fact, Mark};
use super::pattern::Pattern;
use crate::stack::{LayerIdx, NodeId, Stack};

/// The merged stack, or one layer by itself.
pub(super) struct Tree<'v> {
    source: Source<'v>,
    facts: Vec<Fact>,
    /// By node: whether what lies below is shown.
    open: Vec<bool>,
    /// What was open before a filter opened more.
    open_unfiltered: Option<Vec<bool>>,
    /// By node: whether the filter leaves it, when there is one.
    kept: Option<Vec<bool>>,
    shape: Shape,
    rows: Vec<Row>,
    cursor: usize,
    top: usize,
}

enum Source<'v> {
    Merged(&'v Stack),
    Layer(LayerIdx, Box<Stack>),
}

/// What is shown of a tree, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) pattern: Option<Pattern>,
    pub(super) only: Only,
    pub(super) by_size: bool,
}

/// Which paths are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Only {
    #[default]
    All,
    /// Those where something is hidden.
    Shadowed,
    /// Those where something else is hidden than is seen.
    Conflicts,
}

/// One line of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) node: NodeId,
    pub(super) depth: u32,
}

impl Only {
    fn lets_pass(self, mark: Mark) -> bool {
        match self {
            Only::All => true,
            Only::Shadowed => mark >= Mark::Same,
            Only::Conflicts => mark >= Mark::Differs,
        }
    }
}

impl<'v> Tree<'v> {
    pub(super) fn merged(stack: &'v Stack, facts: Vec<Fact>) -> Tree<'v> {
        Tree::new(Source::Merged(stack), facts)
    }

    pub(super) fn of_layer(layer: LayerIdx, stack: Stack, facts: Vec<Fact>) -> Tree<'v> {
        Tree::new(Source::Layer(layer, Box::new(stack)), facts)
    }

    /// With the directories open that are alone in theirs: nobody wants to open `python/lib/` by hand.
    fn new(source: Source<'v>, facts: Vec<Fact>) -> Tree<'v> {
        let mut tree = Tree {
            open: vec![false; facts.len()],
            source,
            facts,
            open_unfiltered: None,
            kept: None,
            shape: Shape::default(),
            rows: Vec::new(),
            cursor: 0,
            top: 0,
        };
        let mut at = NodeId::ROOT;
        loop {
            tree.open[at.index()] = true;
            let mut children = tree.stack().children(at);
            match (children.next(), children.next()) {
                (Some(only), None) if tree.stack().is_directory(only) => at = only,
                _ => break,
            }
        }
        tree.rebuild();
        tree
    }

    pub(super) fn stack(&self) -> &Stack {
        match &self.source {
            Source::Merged(stack) => stack,
            Source::Layer(_, stack) => stack,
        }
    }

    /// The layer whose own tree this is; none for the merged one.
    pub(super) fn layer(&self) -> Option<LayerIdx> {
        match self.source {
            Source::Merged(_) => None,
            Source::Layer(layer, _) => Some(layer),
        }
    }

    pub(super) fn fact(&self, node: NodeId) -> &Fact {
        &self.facts[node.index()]
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The first row on the screen.
    pub(super) fn top(&self) -> usize {
        self.top
    }

    pub(super) fn is_open(&self, node: NodeId) -> bool {
        self.open[node.index()]
    }

    /// The node under the cursor, if there is any row.
    pub(super) fn selected(&self) -> Option<NodeId> {
        self.rows.get(self.cursor).map(|row| row.node)
    }

    /// How many nodes the filter leaves.
    pub(super) fn kept_count(&self) -> usize {
        // The root is where the tree hangs.
        let kept = match &self.kept {
            None => self.facts.len(),
            Some(kept) => kept.iter().filter(|kept| **kept).count(),
        };
        kept.saturating_sub(1)
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(rows).min(last);
    }

    pub(super) fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
    }

    /// Opens a closed directory; from an open one goes to the first name in it. Says whether there was
    /// anything to open.
    pub(super) fn enter(&mut self) -> bool {
        let Some(node) = self.selected().filter(|&node| self.stack().is_directory(node)) else {
            return false;
        };
        match self.is_open(node) {
            false => self.set_open(node, true),
            true if self
                .rows
                .get(self.cursor + 1)
                .is_some_and(|row| self.stack().parent(row.node) == node) =>
            {
                self.cursor += 1;
            }
            true => {}
        }
        true
    }

    /// Closes an open directory; from anything else goes to the directory it lies in.
    pub(super) fn leave(&mut self) {
        let Some(node) = self.selected() else { return };
        if self.stack().is_directory(node) && self.is_open(node) {
            self.set_open(node, false);
        } else {
            let parent = self.stack().parent(node);
            if let Some(row) = self.rows[..self.cursor]
                .iter()
                .rposition(|row| row.node == parent)
            {
                self.cursor = row;
            }
        }
    }

    /// Opens a directory, or closes it; says whether it is one.
    pub(super) fn toggle(&mut self) -> bool {
        match self.selected().filter(|&node| self.stack().is_directory(node)) {
            Some(node) => {
                self.set_open(node, !self.is_open(node));
                true
            }
            None => false,
        }
    }

    pub(super) fn open_all(&mut self) {
        self.open.fill(true);
        self.rebuild();
    }

    pub(super) fn close_all(&mut self) {
        self.open.fill(false);
        self.open[NodeId::ROOT.index()] = true;
        self.rebuild();
    }

    fn set_open(&mut self, node: NodeId, open: bool) {
        self.open[node.index()] = open;
        self.rebuild();
    }

    /// Shows what a shape leaves, in its order. A filter opens the way to what it finds, and once it is gone
    /// everything is as it was, but for the way to the cursor.
    pub(super) fn shape_to(&mut self, shape: &Shape) {
        if self.shape == *shape {
            return;
        }
        let filters = |shape: &Shape| (shape.pattern.clone(), shape.only);
        let is_sorted_only = filters(&self.shape) == filters(shape);
        self.shape = shape.clone();
        if !is_sorted_only {
            match shape.pattern.is_none() && shape.only == Only::All {
                true => {
                    self.kept = None;
                    if let Some(open) = self.open_unfiltered.take() {
                        self.open = open;
                    }
                    if let Some(selected) = self.selected() {
                        self.open_above(selected);
                    }
                }
                false => self.filter(),
            }
        }
        self.rebuild();
    }

    fn filter(&mut self) {
        let count = self.facts.len();
        let (mut below_match, mut kept, mut open) =
            (vec![false; count], vec![false; count], vec![false; count]);
        let mut path = Vec::new();
        // Downwards: what fits, and what lies below a directory that does.
        for node in self.stack().nodes().skip(1) {
            let i = node.index();
            let fits = match &self.shape.pattern {
                None => true,
                Some(pattern) => self.fits(pattern, node, &mut path),
            };
            let passes = self.shape.only.lets_pass(self.facts[i].own);
            below_match[i] = fits || below_match[self.stack().parent(node).index()];
            kept[i] = below_match[i] && passes;
            open[i] = kept[i] && (fits || self.shape.only != Only::All);
        }
        // Upwards: the way to it.
        let mut way = vec![false; count];
        for node in (1..count).rev().filter_map(|index| self.stack().node_at(index)) {
            let (i, parent) = (node.index(), self.stack().parent(node).index());
            kept[parent] |= kept[i];
            way[parent] |= open[i] || way[i];
        }
        way[NodeId::ROOT.index()] = true;
        let before = std::mem::replace(&mut self.open, way);
        self.open_unfiltered.get_or_insert(before);
        self.kept = Some(kept);
    }

    /// Whether a node fits a pattern; `path` is room to write in.
    fn fits(&self, pattern: &Pattern, node: NodeId, path: &mut Vec<u8>) -> bool {
        if !pattern.of_path() {
            return pattern.matches(self.stack().name(node));
        }
        path.clear();
        let mut at = node;
        while at != NodeId::ROOT {
            // Backwards, and turned round at the end.
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(self.stack().name(at).iter().rev());
            at = self.stack().parent(at);
        }
        path.reverse();
        pattern.matches(path)
    }

    /// The next node behind the cursor that fits, or before it, round the end; in the order of the screen,
    /// whether its directory is open or not.
    pub(super) fn next(
        &self,
        forward: bool,
        mut fits: impl FnMut(&Tree<'v>, NodeId) -> bool,
    ) -> Option<NodeId> {
        let all = self.in_order(|_| true);
        let from = self
            .selected()
            .and_then(|node| all.iter().position(|row| row.node == node));
        let (before, behind) = all.split_at(from.unwrap_or(0));
        let mut fitting = |row: &&Row| fits(self, row.node);
        let found = match forward {
            true => behind
                .iter()
                .skip(1)
                .chain(before)
                .chain(behind.first())
                .find(&mut fitting),
            false => before.iter().rev().chain(behind.iter().rev()).find(&mut fitting),
        };
        found.map(|row| row.node)
    }

    /// The next node that fits a pattern.
    pub(super) fn next_match(&self, pattern: &Pattern, forward: bool) -> Option<NodeId> {
        let mut path = Vec::new();
        self.next(forward, |tree, node| tree.fits(pattern, node, &mut path))
    }

    /// Whether the node under the cursor fits a pattern.
    pub(super) fn selected_fits(&self, pattern: &Pattern) -> bool {
        let selected = self.selected();
        selected.is_some_and(|node| self.fits(pattern, node, &mut Vec::new()))
    }

    /// Puts the cursor on a node, opening the way to it.
    pub(super) fn select(&mut self, node: NodeId) {
        self.open_above(node);
        self.rebuild();
        if let Some(row) = self.rows.iter().position(|row| row.node == node) {
            self.cursor = row;
        }
    }

    /// Puts the cursor on a path, or as far along it as there is something.
    pub(super) fn select_path(&mut self, path: &[u8]) -> bool {
        let mut at = NodeId::ROOT;
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let Some(child) = self.stack().child(at, part) else {
                self.select(at);
                return false;
            };
            at = child;
        }
        self.select(at);
        true
    }

    fn open_above(&mut self, node: NodeId) {
        let mut at = node;
        while at != NodeId::ROOT {
            at = self.stack().parent(at);
            self.open[at.index()] = true;
        }
    }

    /// Has the cursor among the rows of a screen of so many.
    pub(super) fn scroll(&mut self, height: usize) {
        let height = height.max(1);
        self.top = self.top.min(self.rows.len().saturating_sub(height));
        if self.cursor < self.top {
            self.top = self.cursor;
        } else if self.cursor >= self.top + height {
            self.top = self.cursor + 1 - height;
        }
    }

    /// Lists the rows again. The cursor stays on its node, or goes to the directory that hides it now.
    fn rebuild(&mut self) {
        let mut way = Vec::new();
        let mut at = self.selected().unwrap_or(NodeId::ROOT);
        while at != NodeId::ROOT {
            way.push(at);
            at = self.stack().parent(at);
        }
        way.reverse();
        self.rows = self.in_order(|node| self.open[node.index()]);
        let on_the_way = |row: &Row| way.get(row.depth as usize) == Some(&row.node);
        self.cursor = self.rows.iter().rposition(on_the_way).unwrap_or(0);
    }

    /// Every node that the filter leaves, each below its directory, of those that are open.
    fn in_order(&self, is_open: impl Fn(NodeId) -> bool) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut waiting = Vec::new();
        self.push_children(NodeId::ROOT, 0, &mut waiting);
        while let Some(row) = waiting.pop() {
            rows.push(row);
            if is_open(row.node) {
                self.push_children(row.node, row.depth + 1, &mut waiting);
            }
        }
        rows
    }

    /// Puts the children of a directory on a pile, the first on top.
    fn push_children(&self, node: NodeId, depth: u32, pile: &mut Vec<Row>) {
        let from = pile.len();
        let kept = |node: &NodeId| self.kept.as_ref().is_none_or(|kept| kept[node.index()]);
        let children = self.stack().children(node).rev().filter(kept);
        pile.extend(children.map(|node| Row { node, depth }));
        if self.shape.by_size {
            pile[from..].sort_by_key(|row| self.facts[row.node.index()].bytes);
        }
    }
}
