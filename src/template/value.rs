//! What a part of a template comes to.

use std::rc::Rc;

use super::scope::Scope;

#[derive(Clone)]
pub(super) enum Value<'a> {
    Text(String),
    List(Vec<Value<'a>>),
    Map(Vec<(String, Value<'a>)>),
    /// `AWS::NoValue`: as if it were not there.
    Nothing,
    /// A layer version that the template itself makes.
    Layer(Rc<Scope<'a>>, String),
    /// What cannot be known here, and why.
    Unknown(Unknown),
}

/// Why something cannot be known here, and what helps.
#[derive(Debug, Clone)]
pub(super) struct Unknown {
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

pub(super) enum Truth {
    Known(bool),
    Unknown(Unknown),
}

impl Unknown {
    pub(super) fn new(why: impl Into<String>) -> Unknown {
        Unknown {
            why: why.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Unknown {
        Unknown {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl Value<'_> {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Nothing => "nothing",
            Value::Layer(..) => "a layer",
            Value::Unknown(_) => "not known here",
        }
    }

    /// The text, or why there is none.
    pub(super) fn text(&self) -> Result<&str, Unknown> {
        match self {
            Value::Text(text) => Ok(text),
            Value::Unknown(unknown) => Err(unknown.clone()),
            Value::Layer(_, id) => Err(Unknown::new(format!(
                "the ARN of the layer {id}, which it has when it is deployed"
            ))),
            other => Err(Unknown::new(format!(
                "{}, where a text is expected",
                other.kind()
            ))),
        }
    }
}
