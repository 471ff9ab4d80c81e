//! CloudFormation and SAM templates as a source of functions and layers: text in, plain values out. Parameters, conditions,
//! mappings and CloudFormation's functions are computed as far as what is asked for needs them; what AWS alone knows stays
//! unknown, and says so where it is needed.
//!
//! Reads no file by itself, and knows no store. Time and memory are bounded, whatever the template.

mod error;
mod evaluate;
mod function;
mod intrinsic;
mod scope;
mod value;
mod yaml;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use error::{Spot, TemplateError};
pub use function::{Function, LayerSource};

use scope::Scope;

/// What a template is read with.
pub struct World<'a> {
    /// Reads a file: the template, and those it is nested with.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Values of parameters of the template, in the place of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Twelve digits.
    pub account: String,
    /// Such as `us-east-1`.
    pub region: String,
}

/// A template with those that are nested in it.
pub struct Template<'a> {
    root: Rc<Scope<'a>>,
}

impl Drop for Template<'_> {
    fn drop(&mut self) {
        self.root.let_go();
    }
}

impl<'a> Template<'a> {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is not there, or is none, or a parameter is given that it does not have.
    pub fn read(file: &Path, world: &'a World<'a>) -> Result<Template<'a>, TemplateError> {
        Ok(Template {
            root: Scope::root(file, world)?,
        })
    }

    /// The logical ids of all functions, in the order of the template; those of nested templates with the id of the nested
    /// stack and a slash before.
    ///
    /// # Errors
    /// When a nested template cannot be read.
    pub fn functions(&self) -> Result<Vec<String>, TemplateError> {
        let mut ids = Vec::new();
        Scope::functions(&self.root, &mut ids)?;
        Ok(ids.into_iter().map(|(scope, id)| scope.path_of(&id)).collect())
    }

    /// A function by its logical id. One of a nested template need not be named with the stacks it is in, where there is no
    /// other of its name.
    ///
    /// # Errors
    /// When there is none, or what it consists of cannot be known here.
    pub fn function(&self, id: &str) -> Result<Function, TemplateError> {
        let mut all = Vec::new();
        if self.root.is_function(id) {
            return function::read(&self.root, id);
        }
        Scope::functions(&self.root, &mut all)?;
        let named = |whole: bool| {
            let matches = all.iter().filter(move |(scope, last)| match whole {
                true => scope.path_of(last) == id,
                false => last == id,
            });
            matches.collect::<Vec<_>>()
        };
        let found = match named(true) {
            found if found.is_empty() => named(false),
            found => found,
        };
        match &found[..] {
            [(scope, last)] => function::read(scope, last),
            [] => {
                let ids: Vec<_> = all.iter().map(|(scope, id)| scope.path_of(id)).collect();
                let error = self.root.spot().error(format!("has no function {id}"));
                Err(error.hint(match ids.is_empty() {
                    true => "it has no function at all".to_owned(),
                    false => format!("it has {}", listed(&ids)),
                }))
            }
            several => {
                let ids: Vec<_> = several.iter().map(|(scope, id)| scope.path_of(id)).collect();
                let error = self.root.spot().error(format!("has more than one function {id}"));
                Err(error.hint(format!("name one of {}", listed(&ids))))
            }
        }
    }

    /// The one function that has layers.
    ///
    /// # Errors
    /// When none or several have; then they are listed.
    pub fn only_function(&self) -> Result<Function, TemplateError> {
        let mut all = Vec::new();
        Scope::functions(&self.root, &mut all)?;
        let mut with_layers = Vec::new();
        for (scope, id) in &all {
            // One that cannot be read may have some: it counts.
            match function::read(scope, id) {
                Ok(function) if function.layers.is_empty() => {}
                read => with_layers.push((scope.path_of(id), read)),
            }
        }
        let ids: Vec<_> = with_layers.iter().map(|(id, _)| id.clone()).collect();
        let error = |message: &str| self.root.spot().error(message);
        match (with_layers.pop(), with_layers.is_empty()) {
            (Some((_, read)), true) => read,
            (None, _) if all.is_empty() => Err(error("has no function").hint(
                "AWS::Serverless::Function and AWS::Lambda::Function are looked for; a CDK app is made a template by 'cdk synth'",
            )),
            (None, _) => Err(error("no function of it has layers")
                .hint("Layers of a function, or of Globals, is where they are named")),
            (Some(_), false) => Err(error("has several functions with layers")
                .hint(format!("name one with --function: {}", listed(&ids)))),
        }
    }

    /// The template itself and what is nested in it, as far as it was read.
    pub fn files(&self) -> Vec<PathBuf> {
        self.root.files()
    }
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    match names.len() {
        0..=MOST => names.join(", "),
        more => format!("{} and {} more", names[..MOST].join(", "), more - MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::scope::Nested;
    use super::*;

    #[test]
    fn templates_that_hold_each_other_are_freed() {
        let outer = b"{Resources: {Tools: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: a.zip}}, \
            Inner: {Type: 'AWS::Serverless::Application', Properties: {Location: inner.yaml, Parameters: {Layer: !Ref Tools}}}}}";
        let inner =
            b"{Parameters: {Layer: {Type: String}}, Resources: {F: {Type: 'AWS::Serverless::Function', \
            Properties: {CodeUri: src, Layers: [!Ref Layer]}}}}";
        let read = |path: &Path| {
            Ok(match path.ends_with("inner.yaml") {
                true => inner.to_vec(),
                false => outer.to_vec(),
            })
        };
        let world = World {
            read: &read,
            parameters: BTreeMap::new(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let template = Template::read(Path::new("template.yaml"), &world).unwrap();
        assert_eq!(template.function("Inner/F").unwrap().layers.len(), 1);
        let nested = match Scope::nested(&template.root, "Inner").unwrap() {
            Some(Nested::Read(nested)) => Rc::downgrade(&nested),
            _ => panic!("it is nested"),
        };
        assert!(nested.upgrade().is_some());
        drop(template);
        assert!(nested.upgrade().is_none());
    }
}
