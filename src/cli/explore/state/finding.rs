//! Filter, search, and the way to the next conflict: what is typed, and where the cursor goes.

use super::{Asked, Prompt, State};
use crate::cli::explore::facts::Mark;
use crate::cli::explore::keys::Action;
use crate::cli::explore::pattern::Pattern;
use crate::cli::explore::tree::Only;

impl State<'_> {
    /// A key that goes into the prompt.
    pub(super) fn type_in(&mut self, action: Action) {
        let Some(prompt) = &mut self.prompt else { return };
        match action {
            Action::Typed(typed) => prompt.text.push(typed),
            Action::Erase if prompt.text.is_empty() => return self.drop_prompt(),
            Action::Erase => {
                prompt.text.pop();
            }
            Action::EraseWord => {
                let end = prompt.text.trim_end_matches(|c: char| !c.is_alphanumeric());
                let end = end.trim_end_matches(char::is_alphanumeric).len();
                prompt.text.truncate(end);
            }
            Action::EraseAll => prompt.text.clear(),
            Action::Back => return self.drop_prompt(),
            Action::Enter => return self.finish_prompt(),
            Action::Up | Action::Down => {
                let forward = action == Action::Down;
                self.tree_mut().move_by(if forward { 1 } else { -1 });
                return;
            }
            _ => return,
        }
        let (asked, text) = (prompt.asked, prompt.text.clone());
        match asked {
            Asked::Filter => {
                self.filter_by(text);
                self.go_to_match();
            }
            Asked::Search => self.search_from_start(&text),
        }
    }

    /// Begins to ask for a filter or for something to search.
    pub(super) fn ask(&mut self, asked: Asked) {
        self.layers_have_keys = false;
        self.prompt = Some(Prompt {
            asked,
            text: match asked {
                Asked::Filter => self.filter.clone(),
                Asked::Search => String::new(),
            },
            before: (self.filter.clone(), self.tree().selected()),
        });
    }

    fn drop_prompt(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        let (filter, selected) = prompt.before;
        if prompt.asked == Asked::Filter {
            self.filter_by(filter);
        }
        if let Some(node) = selected {
            self.tree_mut().select(node);
        }
    }

    fn finish_prompt(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        if prompt.asked == Asked::Search {
            // Nothing typed goes on with what was searched for before.
            match Pattern::new(&prompt.text) {
                None => self.next_match(true),
                Some(pattern) => {
                    if self.no_match(&pattern) {
                        self.notice = Some(format!("no name fits \"{}\"", prompt.text));
                    }
                    self.search = Some(pattern);
                }
            }
        }
    }

    fn no_match(&self, pattern: &Pattern) -> bool {
        self.tree().next_match(pattern, true).is_none()
    }

    /// While it is typed, the cursor goes to the first match from where it was.
    fn search_from_start(&mut self, text: &str) {
        let start = self.prompt.as_ref().and_then(|prompt| prompt.before.1);
        if let Some(start) = start {
            self.tree_mut().select(start);
        }
        let Some(pattern) = Pattern::new(text) else { return };
        match self.tree().next_match(&pattern, true) {
            Some(node) => self.tree_mut().select(node),
            None => self.notice = Some(format!("no name fits \"{text}\"")),
        }
    }

    /// Goes to the next match of what is searched for.
    pub(super) fn next_match(&mut self, forward: bool) {
        let Some(pattern) = self.search.clone() else {
            self.notice = Some("nothing is searched for: / begins".to_owned());
            return;
        };
        match self.tree().next_match(&pattern, forward) {
            Some(node) => self.tree_mut().select(node),
            None => self.notice = Some("no match".to_owned()),
        }
    }

    /// Goes to the next node that has at least this mark; says whether there is one.
    pub(super) fn next_mark(&mut self, least: Mark, forward: bool) -> bool {
        self.layers_have_keys = false;
        match self
            .tree()
            .next(forward, |tree, node| tree.fact(node).own >= least)
        {
            Some(node) => {
                self.tree_mut().select(node);
                true
            }
            None => {
                let any = self
                    .tree()
                    .next(true, |tree, node| tree.fact(node).own >= Mark::Same);
                self.notice = Some(match (least, any) {
                    (Mark::Differs, Some(_)) => {
                        "no conflict: only the same content is hidden (x goes there)".to_owned()
                    }
                    _ => "nothing is hidden here".to_owned(),
                });
                false
            }
        }
    }

    fn filter_by(&mut self, text: String) {
        self.shape.pattern = Pattern::new(&text);
        self.filter = text;
        self.reshape();
    }

    /// The cursor goes to something that the filter is about.
    fn go_to_match(&mut self) {
        let Some(pattern) = self.shape.pattern.clone() else {
            return;
        };
        let tree = self.tree_mut();
        if !tree.selected_fits(&pattern)
            && let Some(node) = tree.next_match(&pattern, true)
        {
            tree.select(node);
        }
    }

    /// Shows everything again.
    pub(super) fn drop_filter(&mut self) {
        self.filter.clear();
        self.shape.pattern = None;
        self.shape.only = Only::All;
        self.reshape();
    }
}
