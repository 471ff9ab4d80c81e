//! YAML, and with it JSON, as a tree of nodes that know where they stand. Short forms (`!Sub x`) become long ones
//! (`Fn::Sub: x`), so that nobody else need know them.
//!
//! Whatever the text is, reading it is bounded: an alias shares what it names, and depth, size and number of nodes have limits.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::error::{Spot, TemplateError};

/// AWS takes templates of up to 1 MB.
const MOST_BYTES: usize = 2 << 20;
const MOST_NODES: usize = 200_000;
const MOST_DEPTH: usize = 100;
/// The handle of tags that are no part of YAML itself.
const OWN_TAGS: &str = "!";

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing, or `null`.
    Null,
    /// Numbers and truths too, as they are written: CloudFormation makes texts of them.
    Text(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

/// A list or a map whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    tag: Option<String>,
    items: Items,
}

enum Items {
    List(Vec<Rc<Node>>),
    /// The key waits for its value.
    Map(Vec<(String, Rc<Node>)>, Option<(String, At)>),
}

impl Node {
    /// What stands under a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        let found = self.entries().iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// The same, keys one below the other.
    pub(super) fn get_below(&self, keys: &[&str]) -> Option<&Rc<Node>> {
        let (first, rest) = keys.split_first()?;
        let found = self.get(first)?;
        match rest.is_empty() {
            true => Some(found),
            false => found.get_below(rest),
        }
    }

    /// The entries of a map, in order; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Rc<Node>)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The function of CloudFormation that this is, and what it is given.
    pub(super) fn function(&self) -> Option<(&str, &Rc<Node>)> {
        match self.entries() {
            [(name, given)] if name == "Ref" || name.starts_with("Fn::") => Some((name, given)),
            _ => None,
        }
    }
}

/// Reads a text.
pub(super) fn read(file: &Rc<Path>, bytes: &[u8]) -> Result<Rc<Node>, TemplateError> {
    let refuse = |at: At, message: String| spot(file, at).error(message);
    if bytes.len() > MOST_BYTES {
        let message = format!(
            "{} bytes, and AWS takes no template of more than 1 MB",
            bytes.len()
        );
        return Err(
            refuse(At::default(), message).hint("name a CloudFormation or SAM template, in YAML or JSON")
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        refuse(At { line, column: 1 }, "not a text in UTF-8".to_owned())
            .hint("name a CloudFormation or SAM template, in YAML or JSON")
    })?;
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| {
            let at = At {
                line: error.marker().line(),
                column: error.marker().col() + 1,
            };
            refuse(at, format!("no YAML: {}", error.info()))
        })?;
        reader
            .take(event, at(&span))
            .map_err(|(at, message)| refuse(at, message))?;
    }
    let nothing = || refuse(At::default(), "is empty".to_owned());
    reader.root.ok_or_else(nothing)
}

pub(super) fn spot(file: &Rc<Path>, at: At) -> Spot {
    Spot {
        file: Rc::clone(file),
        line: at.line,
        column: at.column,
        subject: String::new(),
    }
}

fn at(span: &Span) -> At {
    At {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
    root: Option<Rc<Node>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, at: At) -> Result<(), (At, String)> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let kind = match is_plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL")
                    && tag.is_none()
                {
                    true => Kind::Null,
                    false => Kind::Text(text.into_owned()),
                };
                self.close(at, kind, tag_name(tag.as_deref()), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Items::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let kind = match open.items {
                    Items::List(list) => Kind::List(list),
                    Items::Map(entries, _) => Kind::Map(merged(entries, &mut self.nodes)),
                };
                self.close(open.at, kind, open.tag, open.anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = Rc::clone(node);
                    self.put(at, node)
                }
                None => Err((at, "names an anchor that is not complete before it".to_owned())),
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                Err((at, "a second document, where a template is one".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: At, anchor: usize, tag: Option<&Tag>, items: Items) -> Result<(), (At, String)> {
        if self.open.len() >= MOST_DEPTH {
            return Err((at, format!("nested more than {MOST_DEPTH} deep")));
        }
        let tag = tag_name(tag);
        self.open.push(Open {
            at,
            anchor,
            tag,
            items,
        });
        Ok(())
    }

    fn close(&mut self, at: At, kind: Kind, tag: Option<String>, anchor: usize) -> Result<(), (At, String)> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err((at, format!("more than {MOST_NODES} values")));
        }
        let mut node = Rc::new(Node { at, kind });
        if let Some(tag) = tag {
            let kind = Kind::Map(vec![(tag, node)]);
            node = Rc::new(Node { at, kind });
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(at, node)
    }

    /// Puts a node where it belongs: under the key that waits, into the list, or at the top.
    fn put(&mut self, at: At, node: Rc<Node>) -> Result<(), (At, String)> {
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(list)) => list.push(node),
            Some(Items::Map(entries, waiting)) => match waiting.take() {
                Some((key, _)) => entries.push((key, node)),
                None => {
                    let key = match &node.kind {
                        Kind::Text(text) => text.clone(),
                        Kind::Null => "null".to_owned(),
                        Kind::List(_) | Kind::Map(_) => return Err((at, "a key that is no text".to_owned())),
                    };
                    if key != MERGE && entries.iter().any(|(name, _)| *name == key) {
                        return Err((at, format!("the key {key} is there twice")));
                    }
                    *waiting = Some((key, at));
                }
            },
        }
        Ok(())
    }
}

/// A key whose value's entries are meant to stand in its place, where they are not there yet.
const MERGE: &str = "<<";

fn merged(entries: Vec<(String, Rc<Node>)>, nodes: &mut usize) -> Vec<(String, Rc<Node>)> {
    if entries.iter().all(|(key, _)| key != MERGE) {
        return entries;
    }
    let (merges, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key == MERGE);
    for (_, from) in merges {
        let from = match &from.kind {
            Kind::List(maps) => maps.clone(),
            _ => vec![from],
        };
        for (key, value) in from.iter().flat_map(|map| map.entries()) {
            *nodes += 1;
            if *nodes <= MOST_NODES && entries.iter().all(|(name, _)| name != key) {
                entries.push((key.clone(), Rc::clone(value)));
            }
        }
    }
    entries
}

/// The long name of a short form; none for what belongs to YAML.
fn tag_name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| tag.handle == OWN_TAGS)?;
    match tag.suffix.as_str() {
        "" => None,
        name @ ("Ref" | "Condition") => Some(name.to_owned()),
        name => Some(format!("Fn::{name}")),
    }
}
