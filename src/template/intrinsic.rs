//! CloudFormation's functions, as far as they can be computed without AWS.

use std::rc::Rc;

use super::error::TemplateError;
use super::scope::Scope;
use super::value::{Truth, Unknown, Value};
use super::yaml::{At, Kind, Node};

impl<'a> Scope<'a> {
    /// `Ref` or `Fn::…` of what is given.
    pub(super) fn call(
        self: &Rc<Self>,
        name: &str,
        given: &Node,
        at: At,
    ) -> Result<Value<'a>, TemplateError> {
        let list = match &given.kind {
            Kind::List(list) => &list[..],
            _ => &[],
        };
        let wrong = |expected: &str| {
            let error = self
                .spot_at(at)
                .error(format!("{name} is not written as it should be"));
            Err(error.hint(format!("expected: {expected}")))
        };
        match (name, list) {
            ("Ref", _) => match given.text() {
                Some(name) => self.reference(name),
                None => wrong("!Ref Name"),
            },
            ("Fn::GetAtt", [id, attribute]) => match (id.text(), self.evaluate(attribute)?) {
                (Some(id), Value::Text(attribute)) => self.attribute(id, &attribute),
                _ => wrong("!GetAtt Name.Attribute"),
            },
            ("Fn::GetAtt", _) => match given.text().and_then(|text| text.split_once('.')) {
                Some((id, attribute)) => self.attribute(id, attribute),
                None => wrong("!GetAtt Name.Attribute"),
            },
            ("Fn::Sub", [text, more]) => match text.text() {
                Some(text) => self.substitute(text, Some(more), at),
                None => wrong("!Sub [text, {Name: value}]"),
            },
            ("Fn::Sub", _) => match given.text() {
                Some(text) => self.substitute(text, None, at),
                None => wrong("!Sub text, or !Sub [text, {Name: value}]"),
            },
            ("Fn::Join", [between, parts]) => match (between.text(), self.evaluate(parts)?) {
                (Some(between), Value::List(parts)) => self.join(between, &parts, at),
                (_, Value::Unknown(unknown)) => Ok(Value::Unknown(unknown)),
                _ => wrong("!Join [between, [part, part]]"),
            },
            ("Fn::Split", [between, text]) => match (between.text(), self.evaluate(text)?) {
                (Some(between), Value::Text(text)) if !between.is_empty() => {
                    self.spend(at, text.len())?;
                    let parts = text.split(between).map(|part| Value::Text(part.to_owned()));
                    Ok(Value::List(parts.collect()))
                }
                (_, Value::Unknown(unknown)) => Ok(Value::Unknown(unknown)),
                _ => wrong("!Split [between, text]"),
            },
            ("Fn::Select", [number, from]) => {
                let (number, from) = (self.evaluate(number)?, self.evaluate(from)?);
                if let (Value::Unknown(unknown), _) | (_, Value::Unknown(unknown)) = (&number, &from) {
                    return Ok(Value::Unknown(unknown.clone()));
                }
                let number = number.text().ok().and_then(|number| number.parse::<usize>().ok());
                match (number, from) {
                    (Some(number), Value::List(mut list)) if number < list.len() => {
                        Ok(list.swap_remove(number))
                    }
                    (Some(number), Value::List(list)) => {
                        let message = format!("{number} of a list of {}, counted from 0", list.len());
                        Err(self.spot_at(at).error(message))
                    }
                    _ => wrong("!Select [number, list]"),
                }
            }
            ("Fn::If", [condition, yes, no]) => {
                let Some(name) = condition.text() else {
                    return wrong("!If [Condition, value, value]");
                };
                match self.condition(name, condition)? {
                    Truth::Known(true) => self.evaluate(yes),
                    Truth::Known(false) => self.evaluate(no),
                    Truth::Unknown(unknown) => Ok(Value::Unknown(unknown)),
                }
            }
            ("Fn::FindInMap", [map, first, second, more @ ..]) => {
                let keys = [self.evaluate(map)?, self.evaluate(first)?, self.evaluate(second)?];
                self.find_in_map(&keys, more.first().map(Rc::as_ref), at)
            }
            // One of these that is given too much or too little.
            ("Fn::Join" | "Fn::Split" | "Fn::Select" | "Fn::If" | "Fn::FindInMap", _) => {
                wrong("a list of two or three, as CloudFormation's reference has it")
            }
            _ => Ok(Value::Unknown(Unknown::new(format!(
                "{name} is computed by AWS, when the stack is deployed"
            )))),
        }
    }

    fn find_in_map(
        self: &Rc<Self>,
        keys: &[Value<'a>; 3],
        more: Option<&Node>,
        at: At,
    ) -> Result<Value<'a>, TemplateError> {
        let mut texts = Vec::new();
        for key in keys {
            match key.text() {
                Ok(text) => texts.push(text),
                Err(unknown) => return Ok(Value::Unknown(unknown)),
            }
        }
        let found = self
            .document
            .get("Mappings")
            .and_then(|mappings| mappings.get_below(&texts));
        let default = more.and_then(|more| more.get("DefaultValue"));
        match found.or(default) {
            Some(value) => self.evaluate(value),
            None => {
                let message = format!("Mappings has no {}", texts.join(", "));
                Err(self.spot_at(at).error(message))
            }
        }
    }

    fn join(&self, between: &str, parts: &[Value<'a>], at: At) -> Result<Value<'a>, TemplateError> {
        let mut joined = String::new();
        for (number, part) in parts.iter().enumerate() {
            let text = match part.text() {
                Ok(text) => text,
                Err(unknown) => return Ok(Value::Unknown(unknown)),
            };
            self.spend(at, between.len() + text.len())?;
            if number > 0 {
                joined.push_str(between);
            }
            joined.push_str(text);
        }
        Ok(Value::Text(joined))
    }

    /// `${Name}` and `${Name.Attribute}` in a text; `${!Name}` is `${Name}` itself.
    fn substitute(
        self: &Rc<Self>,
        text: &str,
        more: Option<&Rc<Node>>,
        at: At,
    ) -> Result<Value<'a>, TemplateError> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, behind)) = rest.split_once("${") {
            let Some((name, after)) = behind.split_once('}') else {
                return Err(self
                    .spot_at(at)
                    .error(format!("a '}}' is missing behind \"${{{behind}\"")));
            };
            out.push_str(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
                continue;
            }
            let name = name.trim();
            let value = match (more.and_then(|more| more.get(name)), name.split_once('.')) {
                (Some(node), _) => self.evaluate(node)?,
                (None, Some((id, attribute))) => self.attribute(id, attribute)?,
                (None, None) => self.reference(name)?,
            };
            // A layer's ARN and nothing beside it is the layer.
            if matches!(value, Value::Layer(..)) && out.is_empty() && rest.is_empty() {
                return Ok(value);
            }
            match value.text() {
                Ok(text) => {
                    self.spend(at, text.len())?;
                    out.push_str(text);
                }
                Err(unknown) => return Ok(Value::Unknown(unknown)),
            }
        }
        out.push_str(rest);
        self.spend(at, text.len())?;
        Ok(Value::Text(out))
    }
}
