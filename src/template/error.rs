//! What is wrong with a template, and where it stands: file, line and column, what it is about and which property.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub(super) file: Rc<Path>,
    /// From 1; 0 where it is the file as a whole.
    pub(super) line: usize,
    /// From 1.
    pub(super) column: usize,
    /// `MyFunction: Layers[1]`, or nothing.
    pub(super) subject: String,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    spot: Spot,
    message: String,
    hint: Option<String>,
}

impl Spot {
    /// Something wrong here.
    pub fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError {
            spot: self.clone(),
            message: message.into(),
            hint: None,
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        match self.subject.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.subject),
        }
    }
}

impl TemplateError {
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> TemplateError {
        self.hint = Some(hint.into());
        self
    }

    /// What to do next.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.spot, self.message)
    }
}

impl std::error::Error for TemplateError {}
