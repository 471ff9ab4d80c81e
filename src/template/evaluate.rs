//! What a node comes to: values as they stand, references, and conditions. The functions are in `intrinsic`.

use std::rc::Rc;

use super::error::TemplateError;
use super::scope::{Nested, Scope};
use super::value::{Truth, Unknown, Value};
use super::yaml::{Kind, Node};

/// What a value costs, whatever it is.
const VALUE: usize = 16;
/// How deep an evaluation goes: more than any node is nested, and still little of a stack.
const MOST_DEPTH: usize = 120;

impl<'a> Scope<'a> {
    /// What a node comes to.
    pub(super) fn evaluate(self: &Rc<Self>, node: &Node) -> Result<Value<'a>, TemplateError> {
        self.deeper(node, || match &node.kind {
            Kind::Null => Ok(Value::Nothing),
            Kind::Text(text) => {
                self.spend(node.at, 1 + text.len())?;
                // Values that are looked up when the stack is deployed.
                match text.starts_with("{{resolve:") {
                    false => Ok(Value::Text(text.clone())),
                    true => Ok(Value::Unknown(Unknown::new(format!(
                        "{text} is looked up on AWS"
                    )))),
                }
            }
            Kind::List(list) => {
                let mut values = Vec::new();
                for node in list {
                    match self.evaluate(node)? {
                        Value::Nothing => {}
                        value => values.push(value),
                    }
                }
                Ok(Value::List(values))
            }
            Kind::Map(entries) => {
                if let Some((name, given)) = node.function() {
                    return self.call(name, given, node.at);
                }
                let mut values = Vec::new();
                for (key, node) in entries {
                    self.spend(node.at, key.len())?;
                    match self.evaluate(node)? {
                        Value::Nothing => {}
                        value => values.push((key.clone(), value)),
                    }
                }
                Ok(Value::Map(values))
            }
        })
    }

    /// One step deeper, where that is not too deep.
    fn deeper<T>(
        &self,
        node: &Node,
        go: impl FnOnce() -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.spend(node.at, VALUE)?;
        let depth = self.depth();
        if depth.get() >= MOST_DEPTH {
            let error = self
                .spot_at(node.at)
                .error("refers to itself, or is nested too deep");
            return Err(error.hint("look for a reference that leads back here"));
        }
        depth.set(depth.get() + 1);
        let gone = go();
        depth.set(depth.get() - 1);
        gone
    }

    /// `Ref`: a parameter, what AWS says of the stack, or a resource.
    pub(super) fn reference(self: &Rc<Self>, name: &str) -> Result<Value<'a>, TemplateError> {
        if let Some(value) = self.pseudo(name) {
            return Ok(value);
        }
        if let Some(value) = self.parameter(name)? {
            return Ok(value);
        }
        if self.is_layer(name) {
            return match self.exists(name)? {
                true => Ok(Value::Layer(Rc::clone(self), name.to_owned())),
                false => Ok(Value::Unknown(Unknown::new(format!(
                    "the layer {name} is left out by its condition"
                )))),
            };
        }
        Ok(Value::Unknown(match self.resource(name) {
            Some(_) => Unknown::new(format!("what {name} is called when it is deployed")),
            None => Unknown::new(format!(
                "{name} is neither a parameter nor a resource of the template"
            ))
            .hint("check the name; what SAM adds while deploying is not known here"),
        }))
    }

    /// `Fn::GetAtt`: of a nested stack an output, of a layer its ARN; the rest is AWS's.
    pub(super) fn attribute(self: &Rc<Self>, id: &str, name: &str) -> Result<Value<'a>, TemplateError> {
        if self.is_layer(id) && matches!(name, "LayerVersionArn" | "Arn") {
            return self.reference(id);
        }
        let unknown = |why: String| Ok(Value::Unknown(Unknown::new(why)));
        let Some(output) = name.strip_prefix("Outputs.") else {
            return match self.resource(id) {
                Some(_) => unknown(format!("{id}.{name} is known when it is deployed")),
                None => self.reference(id),
            };
        };
        match Scope::nested(self, id)? {
            Some(Nested::Elsewhere(why)) => Ok(Value::Unknown(why)),
            Some(Nested::Read(nested)) => match nested.document.get_below(&["Outputs", output, "Value"]) {
                Some(value) => nested.evaluate(value),
                None => unknown(format!("{} has no output {output}", nested.file.display())),
            },
            None => unknown(format!("{id} is no nested template")),
        }
    }

    /// Whether the condition of a resource, if it has one, lets it be.
    pub(super) fn exists(self: &Rc<Self>, id: &str) -> Result<bool, TemplateError> {
        let Some(resource) = self.resource(id) else {
            return Ok(false);
        };
        match resource.get("Condition").and_then(|condition| condition.text()) {
            None => Ok(true),
            // Who cannot be asked is taken to be there: it is said when it is needed.
            Some(name) => Ok(!matches!(self.condition(name, resource)?, Truth::Known(false))),
        }
    }

    /// A condition by its name.
    pub(super) fn condition(self: &Rc<Self>, name: &str, asked: &Node) -> Result<Truth, TemplateError> {
        match self.document.get_below(&["Conditions", name]) {
            Some(condition) => self.truth(condition),
            None => {
                let error = self
                    .spot_at(asked.at)
                    .error(format!("there is no condition {name}"));
                Err(error.hint("Conditions is where conditions are named"))
            }
        }
    }

    fn truth(self: &Rc<Self>, node: &Node) -> Result<Truth, TemplateError> {
        let wrong = |what: &str| {
            Err(self
                .spot_at(node.at)
                .error(format!("{what}, where a condition is expected")))
        };
        self.deeper(node, || {
            if let Some(text) = node.text() {
                return match text {
                    "true" => Ok(Truth::Known(true)),
                    "false" => Ok(Truth::Known(false)),
                    _ => wrong("a text"),
                };
            }
            let [(name, given)] = node.entries() else {
                return wrong("no condition");
            };
            let list = match &given.kind {
                Kind::List(list) => &list[..],
                _ => &[],
            };
            match (name.as_str(), list) {
                ("Condition", _) => match given.text() {
                    Some(name) => self.condition(name, given),
                    None => wrong("no name"),
                },
                ("Fn::Equals", [left, right]) => {
                    let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                    Ok(equal(&left, &right))
                }
                ("Fn::Not", [one]) => Ok(match self.truth(one)? {
                    Truth::Known(known) => Truth::Known(!known),
                    unknown => unknown,
                }),
                ("Fn::And" | "Fn::Or", [_, ..]) => {
                    // One that decides makes the others unimportant, also those that nobody knows.
                    let decides = name == "Fn::Or";
                    let mut all = Truth::Known(!decides);
                    for one in list {
                        match self.truth(one)? {
                            Truth::Known(known) if known == decides => return Ok(Truth::Known(decides)),
                            Truth::Known(_) => {}
                            unknown => all = unknown,
                        }
                    }
                    Ok(all)
                }
                _ => wrong("no function of conditions"),
            }
        })
    }
}

fn equal(left: &Value<'_>, right: &Value<'_>) -> Truth {
    match (left, right) {
        (Value::Unknown(unknown), _) | (_, Value::Unknown(unknown)) => Truth::Unknown(unknown.clone()),
        (Value::Text(left), Value::Text(right)) => Truth::Known(left == right),
        (Value::Nothing, Value::Nothing) => Truth::Known(true),
        (Value::List(left), Value::List(right)) if left.len() == right.len() => {
            let mut all = Truth::Known(true);
            for (left, right) in left.iter().zip(right) {
                match equal(left, right) {
                    Truth::Known(true) => {}
                    other => all = other,
                }
            }
            all
        }
        (Value::Layer(_, left), Value::Layer(_, right)) => Truth::Known(left == right),
        _ => Truth::Known(false),
    }
}
