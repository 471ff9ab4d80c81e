//! The merged tree for the page's script: every name, size and layer, in as few bytes as will do.
//!
//! Names stand in the order of the tree, joined by slashes, which no name contains. `nodes` has a word for each of
//! them, numbers to the base 36: the size of a file; `L` and the size of a link; `D` and how many names follow that
//! lie right in the directory, then `R`, count, `.` and size of what lies there or below without names. Behind a
//! file's size stands for each layer that it hides `!` and the number, `=` where that is identical, `X` where it
//! was of another kind. A word `~` and a number says whose layer all is from there on.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::json;

use super::Answers;
use crate::cli::printable::printable;
use crate::explain::{Line, Tally, outline};
use crate::stack::{Body, NodeId};

/// So many names make a page of a few megabytes; of a larger tree the smallest things are summed up.
const MOST_NAMES: usize = 150_000;
/// So many hidden layers are told of one file.
const MOST_HIDDEN: usize = 8;

pub(super) const SECTION: &str = "<section id=\"picture\"><h2>What lies where</h2>\n\
    <noscript><p>The picture and the search need JavaScript. All tables are there without it.</p></noscript>\n\
    <div class=\"moving\">\n<div class=\"tools\"><nav id=\"crumbs\" aria-label=\"Directory\"></nav>\
    <span class=\"by\" role=\"group\" aria-label=\"Area stands for\"><button id=\"by-size\">size</button>\
    <button id=\"by-files\">files</button></span>\
    <input id=\"search\" type=\"search\" placeholder=\"Search all paths\" aria-label=\"Search all paths\" autocomplete=\"off\" \
    spellcheck=\"false\"></div>\n\
    <div id=\"map\" role=\"group\" aria-label=\"Treemap: arrow keys move, Enter opens a directory, Backspace goes up\"></div>\n\
    <div id=\"legend\"></div>\n<div id=\"found\" role=\"status\"></div>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n</div></section>\n";

impl Answers<'_> {
    pub(super) fn picture(&self) -> String {
        let stack = self.view.stack();
        let lines = outline(stack, MOST_NAMES);
        let hides = self.hides();
        let (mut names, mut nodes) = (String::new(), String::new());
        let mut layer = None;
        for line in &lines {
            if !nodes.is_empty() {
                names.push('/');
                nodes.push(' ');
            }
            names.push_str(&printable(stack.name(line.node)));
            let provider = stack.provider(line.node).index() + 1;
            if layer != Some(provider) && !stack.is_directory(line.node) {
                layer = Some(provider);
                nodes.push('~');
                number(&mut nodes, provider as u64);
                nodes.push(' ');
            }
            self.word(&mut nodes, line);
            nodes.push_str(hides.get(&line.node).map_or("", |marks| marks));
        }
        let layers: Vec<String> = stack
            .layers_in_order()
            .map(|(layer, _)| self.view.layer_name(layer))
            .collect();
        let seen = self.weight.seen;
        let rest: Tally = lines.iter().map(|line| line.rest).sum();
        json!({
            "layers": layers,
            "names": names,
            "nodes": nodes,
            "of": seen.files + seen.symlinks,
            "unnamed": rest.entries,
        })
        .to_string()
    }

    fn word(&self, nodes: &mut String, line: &Line) {
        match self.view.stack().body(line.node) {
            Body::File(_) => number(nodes, line.bytes),
            Body::Symlink(_) => {
                nodes.push('L');
                number(nodes, line.bytes);
            }
            Body::Directory(_) => {
                nodes.push('D');
                number(nodes, line.named as u64);
                if !line.rest.is_empty() {
                    nodes.push('R');
                    number(nodes, line.rest.entries);
                    nodes.push('.');
                    number(nodes, line.rest.bytes);
                }
            }
        }
    }

    /// What each node hides.
    fn hides(&self) -> HashMap<NodeId, String> {
        let mut hides: HashMap<NodeId, String> = HashMap::new();
        let mut add = |node: NodeId, layer: usize, how: &str| {
            let marks = hides.entry(node).or_default();
            if marks.matches('!').count() < MOST_HIDDEN {
                marks.push('!');
                number(marks, layer as u64 + 1);
                marks.push_str(how);
            }
        };
        for replaced in self.shadows.pairs.iter().flat_map(|pair| &pair.replaced) {
            let how = if replaced.is_identical { "=" } else { "" };
            add(replaced.node, replaced.entry.layer.index(), how);
        }
        for conflict in &self.shadows.conflicts {
            for gave_way in &conflict.gave_way {
                add(conflict.node, gave_way.layer.index(), "X");
            }
        }
        hides
    }
}

/// Writes a number to the base 36.
fn number(text: &mut String, mut number: u64) {
    let mut digits = [0; 13];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
        if number == 0 {
            break;
        }
    }
    for &digit in &digits[first..] {
        // Writing to a string cannot fail.
        let _ = text.write_char(char::from(digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let text = |n| {
            let mut text = String::new();
            number(&mut text, n);
            text
        };
        assert_eq!(
            [0, 35, 36, 262_144_000, u64::MAX].map(text),
            ["0", "z", "10", "4c2nls", "3w5e11264sgsf"]
        );
    }
}
