//! The explorer as plain data: a key comes in, the state changes, nothing is drawn.

mod finding;

use super::details;
use super::facts::{self, Mark};
use super::keys::{Action, HELP, Place};
use super::layout::{Panes, inside, panes};
use super::page::{Line, Page, Tone, line};
use super::pattern::Pattern;
use super::preview::{Preview, short_name};
use super::theme::Theme;
use super::tree::{Only, Shape, Tree};
use crate::archive::Archive;
use crate::cli::printable::printable;
use crate::cli::stack_view::View;
use crate::explain::{self, Weight};
use crate::stack::{Body, EntryRef, LayerIdx, NodeId, Stack};

/// Lines that a page key leaves on the screen.
const KEPT_LINES: usize = 2;
/// Columns that a key moves a page sideways.
const SHIFT_COLUMNS: isize = 8;

/// Everything that the screen shows.
pub(super) struct State<'v> {
    pub(super) view: &'v View,
    pub(super) theme: Theme,
    pub(super) weight: Weight,
    /// Dive's: 1 when nothing is packed twice.
    pub(super) efficiency: f64,
    /// Of the layers, bottom first.
    pub(super) names: Vec<String>,
    /// The merged tree at 0, the layers' own behind it, made when they are first looked at.
    trees: Vec<Option<Tree<'v>>>,
    shown: usize,
    layers_have_keys: bool,
    shape: Shape,
    /// As it was typed.
    pub(super) filter: String,
    pub(super) search: Option<Pattern>,
    pub(super) prompt: Option<Prompt>,
    pub(super) over: Option<Over>,
    pub(super) details: Vec<Line>,
    /// Said once, in place of the footer.
    pub(super) notice: Option<String>,
    size: (u16, u16),
    has_ended: bool,
}

/// What is being typed.
pub(super) struct Prompt {
    pub(super) asked: Asked,
    pub(super) text: String,
    /// What comes back when it is dropped.
    before: (String, Option<NodeId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Filter,
    Search,
}

/// What lies over the panes.
pub(super) enum Over {
    Preview(Box<Preview>),
    Page(Page),
}

impl<'v> State<'v> {
    pub(super) fn new(view: &'v View, theme: Theme, size: (u16, u16)) -> State<'v> {
        let stack: &'v Stack = view.stack();
        let merged = Tree::merged(stack, facts::of_stack(stack));
        let mut trees = vec![Some(merged)];
        trees.extend(stack.layers().iter().map(|_| None));
        let names = stack.layers_in_order().map(|(layer, _)| short_name(view, layer));
        let mut state = State {
            view,
            theme,
            weight: explain::weight(stack, 1),
            efficiency: explain::waste(stack).efficiency(),
            names: names.collect(),
            trees,
            shown: 0,
            layers_have_keys: false,
            shape: Shape::default(),
            filter: String::new(),
            search: None,
            prompt: None,
            over: None,
            details: Vec::new(),
            notice: None,
            size,
            has_ended: false,
        };
        state.settle();
        state
    }

    /// The tree that is shown.
    pub(super) fn tree(&self) -> &Tree<'v> {
        // The merged one is always there, and another is only shown once it is.
        self.trees[self.shown]
            .as_ref()
            .expect("a tree is made before it is shown")
    }

    fn tree_mut(&mut self) -> &mut Tree<'v> {
        self.trees[self.shown]
            .as_mut()
            .expect("a tree is made before it is shown")
    }

    /// The merged tree's place is 0, a layer's its position.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn size(&self) -> (u16, u16) {
        self.size
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Where the keys go.
    pub(super) fn place(&self) -> Place {
        match (&self.prompt, &self.over) {
            (Some(_), _) => Place::Prompt,
            (None, Some(Over::Preview(_))) => Place::Preview,
            (None, Some(Over::Page(_))) => Place::Page,
            (None, None) if self.layers_have_keys => Place::Layers,
            (None, None) => Place::Tree,
        }
    }

    /// The panes of the screen; none where it is too small for them.
    pub(super) fn panes(&self) -> Option<Panes> {
        panes(self.size, self.names.len(), self.layers_have_keys)
    }

    pub(super) fn resize(&mut self, size: (u16, u16)) {
        self.size = size;
        self.settle();
    }

    /// Puts the cursor on a path; says whether it is there.
    pub(super) fn go_to(&mut self, path: &[u8]) -> bool {
        let found = self.tree_mut().select_path(path);
        self.settle();
        found
    }

    /// Does what a key asks for.
    pub(super) fn act(&mut self, action: Action) {
        self.notice = None;
        match action {
            Action::Quit => self.has_ended = true,
            _ if self.prompt.is_some() => self.type_in(action),
            _ if self.over.is_some() => self.turn_page(action),
            _ => self.walk(action),
        }
        self.settle();
    }

    /// Lines of the pane that the keys move in.
    fn lines(&self) -> usize {
        let panes = self.panes().unwrap_or_default();
        let pane = if self.over.is_some() {
            panes.body
        } else {
            panes.tree
        };
        usize::from(inside(pane).height)
    }

    /// After whatever happened: everything within the screen, and what follows from the cursor.
    fn settle(&mut self) {
        let (lines, panes) = (self.lines(), self.panes().unwrap_or_default());
        let columns = usize::from(inside(panes.body).width);
        match &mut self.over {
            None => self.tree_mut().scroll(lines),
            Some(Over::Page(page)) => page.scroll(lines),
            Some(Over::Preview(preview)) => {
                preview.widen(self.view, columns);
                preview.page.scroll(lines);
            }
        }
        self.details = match self.tree().selected() {
            Some(node) if panes.details.height > 0 => {
                let columns = usize::from(inside(panes.details).width);
                details::of(self.view, self.tree(), node, columns)
            }
            _ => Vec::new(),
        };
    }

    fn walk(&mut self, action: Action) {
        let page = self.lines().saturating_sub(KEPT_LINES).max(1) as isize;
        match action {
            Action::Up if self.layers_have_keys => self.show_beside(false),
            Action::Down if self.layers_have_keys => self.show_beside(true),
            Action::First if self.layers_have_keys => self.show(0),
            Action::Last if self.layers_have_keys => self.show(self.names.len()),
            Action::Enter | Action::Right | Action::Left if self.layers_have_keys => {
                self.layers_have_keys = false;
            }
            Action::Back if self.layers_have_keys => self.layers_have_keys = false,
            Action::Up => self.tree_mut().move_by(-1),
            Action::Down => self.tree_mut().move_by(1),
            Action::PageUp => self.tree_mut().move_by(-page),
            Action::PageDown => self.tree_mut().move_by(page),
            Action::First => self.tree_mut().move_to(0),
            Action::Last => self.tree_mut().move_to(usize::MAX),
            Action::Left => self.tree_mut().leave(),
            Action::Right => {
                if !self.tree_mut().enter() {
                    self.look_into(false);
                }
            }
            Action::Enter | Action::Toggle => {
                if !self.tree_mut().toggle() {
                    self.look_into(false);
                }
            }
            Action::OpenAll => self.tree_mut().open_all(),
            Action::CloseAll => self.tree_mut().close_all(),
            Action::OtherPane => self.layers_have_keys = !self.layers_have_keys,
            Action::Show(place) => self.show(place),
            Action::NextLayer(forward) => self.show_beside(forward),
            Action::Filter => self.ask(Asked::Filter),
            Action::Search => self.ask(Asked::Search),
            Action::NextMatch(forward) => self.next_match(forward),
            Action::NextConflict(forward) => {
                self.next_mark(Mark::Differs, forward);
            }
            Action::NextShadowed(forward) => {
                self.next_mark(Mark::Same, forward);
            }
            Action::Only => {
                self.shape.only = match self.shape.only {
                    Only::All => Only::Shadowed,
                    Only::Shadowed => Only::Conflicts,
                    Only::Conflicts => Only::All,
                };
                self.reshape();
            }
            Action::Sort => {
                self.shape.by_size = !self.shape.by_size;
                self.reshape();
            }
            Action::Diff => self.look_into(true),
            Action::Details => self.show_details(),
            Action::Help => self.over = Some(Over::Page(help())),
            Action::Back => self.drop_filter(),
            Action::Version(_) => self.look_into(false),
            // Keys of the prompt, and those that the loop itself answers.
            Action::Quit
            | Action::Suspend
            | Action::Redraw
            | Action::Typed(_)
            | Action::Erase
            | Action::EraseWord
            | Action::EraseAll => {}
        }
    }

    fn turn_page(&mut self, action: Action) {
        let lines = self.lines();
        let step = lines.saturating_sub(KEPT_LINES).max(1) as isize;
        let view = self.view;
        let page = match &mut self.over {
            Some(Over::Page(page)) => page,
            Some(Over::Preview(preview)) => match action {
                Action::Version(forward) => {
                    match preview.count() {
                        1 => self.notice = Some("there is only this version".to_owned()),
                        _ => preview.turn(view, forward),
                    }
                    return;
                }
                Action::Diff => {
                    if !preview.set_diff(view, !preview.is_diff()) {
                        self.notice = Some("there is only this version".to_owned());
                    }
                    return;
                }
                Action::NextMatch(forward) => {
                    match preview.page.next(forward, Tone::Hunk) {
                        Some(line) => preview.page.move_to(line),
                        None if preview.is_diff() => self.notice = Some("no further change".to_owned()),
                        None => self.notice = Some("d shows changes".to_owned()),
                    }
                    return;
                }
                Action::NextConflict(forward) => {
                    let is_diff = preview.is_diff();
                    if self.next_mark(Mark::Differs, forward) {
                        self.look_into(is_diff);
                    }
                    return;
                }
                _ => &mut preview.page,
            },
            None => return,
        };
        match action {
            Action::Up => page.move_by(-1),
            Action::Down => page.move_by(1),
            Action::PageUp => page.move_by(-step),
            Action::PageDown => page.move_by(step),
            Action::First => page.move_to(0),
            Action::Last => page.move_to(usize::MAX),
            Action::Left => page.shift(-SHIFT_COLUMNS),
            Action::Right => page.shift(SHIFT_COLUMNS),
            Action::Back | Action::Enter | Action::Details => self.over = None,
            Action::Help => self.over = Some(Over::Page(help())),
            _ => {}
        }
    }

    fn reshape(&mut self) {
        let shape = self.shape.clone();
        self.tree_mut().shape_to(&shape);
    }

    fn show_beside(&mut self, forward: bool) {
        match forward {
            true if self.shown < self.names.len() => self.show(self.shown + 1),
            false if self.shown > 0 => self.show(self.shown - 1),
            _ => {}
        }
    }

    /// Shows the merged tree or a layer's own, with the cursor on the same path.
    fn show(&mut self, place: usize) {
        let Some(made) = self.trees.get(place) else {
            self.notice = Some(format!("there is no layer {place}"));
            return;
        };
        if made.is_none() {
            match self.open_layer(place - 1) {
                Ok(tree) => self.trees[place] = Some(tree),
                Err(why) => {
                    self.notice = Some(why);
                    return;
                }
            }
        }
        let path = self.selected_path();
        self.shown = place;
        self.reshape();
        if let Some(path) = path {
            self.tree_mut().select_path(&path);
        }
    }

    /// One layer by itself is a stack of one. Its entries have the numbers that they have in the merged one,
    /// for as long as the file is the same.
    fn open_layer(&self, place: usize) -> Result<Tree<'v>, String> {
        let merged: &'v Stack = self.view.stack();
        let Some((layer, archive)) = merged.layers_in_order().nth(place) else {
            return Err("there is no such layer".to_owned());
        };
        let say = |why: &dyn std::fmt::Display| printable(why.to_string().as_bytes()).into_owned();
        let own = Archive::open(archive.path()).map_err(|error| say(&error))?;
        if own.opened() != archive.opened() {
            return Err(format!("{} was changed meanwhile", self.names[place]));
        }
        let own = Stack::merge(vec![own]).map_err(|error| say(&error))?;
        let facts = facts::of_layer(&own, layer, merged);
        Ok(Tree::of_layer(layer, own, facts))
    }

    /// The path under the cursor, without a leading slash.
    pub(super) fn selected_path(&self) -> Option<Vec<u8>> {
        let node = self.tree().selected()?;
        Some(self.tree().stack().path(node))
    }

    /// The entry under the cursor, as the merged stack knows it.
    fn selected_entry(&self) -> Option<EntryRef> {
        let tree = self.tree();
        let layer = |entry: EntryRef| -> LayerIdx { tree.layer().unwrap_or(entry.layer) };
        match tree.stack().body(tree.selected()?) {
            Body::File(entry) | Body::Symlink(entry) => Some(EntryRef {
                layer: layer(entry),
                ..entry
            }),
            Body::Directory(_) => None,
        }
    }

    fn look_into(&mut self, diff: bool) {
        let Some(path) = self.selected_path() else { return };
        let columns = usize::from(inside(self.panes().unwrap_or_default().body).width);
        let Some(mut preview) = Preview::open(self.view, path, self.selected_entry(), columns) else {
            self.notice = Some("a directory has no content".to_owned());
            return;
        };
        if diff && !preview.set_diff(self.view, true) {
            let is_other = self.tree().selected().map(|node| self.tree().fact(node).own);
            let why = match is_other {
                Some(Mark::OtherKind) => "what is hidden is of another kind: nothing to compare",
                _ => "no other version is hidden here",
            };
            self.notice = Some(why.to_owned());
            return;
        }
        self.over = Some(Over::Preview(Box::new(preview)));
    }

    fn show_details(&mut self) {
        let Some(node) = self.tree().selected() else {
            return;
        };
        let columns = usize::from(inside(self.panes().unwrap_or_default().body).width);
        let title = match self.selected_path() {
            Some(path) => format!("/opt/{}", printable(&path)),
            None => "/opt".to_owned(),
        };
        let lines = details::of(self.view, self.tree(), node, columns);
        self.over = Some(Over::Page(Page::new(title, lines)));
    }
}

fn help() -> Page {
    let columns = HELP.iter().filter(|(_, words)| !words.is_empty());
    let width = columns.map(|(keys, _)| keys.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (keys, words) in HELP {
        match words.is_empty() {
            true => {
                if !lines.is_empty() {
                    lines.push(Vec::new());
                }
                lines.push(line(Tone::Bold, *keys));
            }
            false => lines.push(vec![
                (Tone::Hunk, format!("  {keys:<width$}  ")),
                (Tone::Plain, (*words).to_owned()),
            ]),
        }
    }
    Page::new("help".to_owned(), lines)
}
