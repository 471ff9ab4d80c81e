//! A template with the values of its parameters: what names mean in it, and the templates that are nested in it, each read when
//! something of it is asked for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::{Spot, TemplateError};
use super::value::{Unknown, Value};
use super::yaml::{self, At, Kind, Node};
use super::{World, listed};

/// How deep templates are nested at most, and how many there are at most.
const MOST_NESTED: usize = 16;
const MOST_TEMPLATES: u64 = 500;
/// What all evaluations of a template may cost together: a unit for each byte of a text, and some for every value.
const MOST_WORK: u64 = 16 << 20;
/// What SAM calls a stack that is run on the developer's machine.
const STACK_NAME: &str = "local";

const FUNCTIONS: [&str; 2] = ["AWS::Serverless::Function", "AWS::Lambda::Function"];
const LAYERS: [&str; 2] = ["AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion"];
/// Types of nested templates, and where they say which.
const NESTED: [(&str, &str); 2] = [
    ("AWS::Serverless::Application", "Location"),
    ("AWS::CloudFormation::Stack", "TemplateURL"),
];

pub(super) struct Scope<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) file: Rc<Path>,
    pub(super) document: Rc<Node>,
    /// The ids of the stacks it is in, each with a slash behind.
    prefix: String,
    given: BTreeMap<String, Value<'a>>,
    /// The files it is in, itself last.
    chain: Vec<PathBuf>,
    nested: RefCell<HashMap<String, Nested<'a>>>,
    left: Rc<Left>,
}

/// What may still be spent.
struct Left {
    work: Cell<u64>,
    templates: Cell<u64>,
    /// How deep the evaluation under way is.
    depth: Cell<usize>,
}

/// A nested template, or why there is none to be read.
#[derive(Clone)]
pub(super) enum Nested<'a> {
    Read(Rc<Scope<'a>>),
    Elsewhere(Unknown),
}

/// Where the bytes of code, content or a nested template are.
pub(super) enum Location {
    Local(PathBuf),
    Elsewhere(Unknown),
}

impl<'a> Scope<'a> {
    pub(super) fn root(file: &Path, world: &'a World<'a>) -> Result<Rc<Scope<'a>>, TemplateError> {
        let given = world
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::Text(value.clone())))
            .collect();
        let left = Rc::new(Left {
            work: Cell::new(MOST_WORK),
            templates: Cell::new(MOST_TEMPLATES),
            depth: Cell::new(0),
        });
        Scope::read(file, world, String::new(), given, &[], left, None)
    }

    fn read(
        file: &Path,
        world: &'a World<'a>,
        prefix: String,
        given: BTreeMap<String, Value<'a>>,
        chain: &[PathBuf],
        left: Rc<Left>,
        asked: Option<Spot>,
    ) -> Result<Rc<Scope<'a>>, TemplateError> {
        let shared: Rc<Path> = Rc::from(file);
        let whole = yaml::spot(&shared, At::default());
        let bytes = (world.read)(file).map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "no such file".to_owned(),
                std::io::ErrorKind::IsADirectory => "a directory, not a template".to_owned(),
                _ => error.to_string(),
            };
            match &asked {
                Some(asked) => asked.error(format!("{}: {why}", file.display())),
                None => whole.error(why).hint("check the path behind --template"),
            }
        })?;
        let document = yaml::read(&shared, &bytes)?;
        if document
            .get("Resources")
            .is_none_or(|resources| !matches!(resources.kind, Kind::Map(_)))
        {
            return Err(whole
                .error("no CloudFormation template: Resources is missing")
                .hint("name a CloudFormation or SAM template, in YAML or JSON"));
        }
        let mut chain = chain.to_vec();
        chain.push(file.to_owned());
        let scope = Scope {
            world,
            file: shared,
            document,
            prefix,
            given,
            chain,
            nested: RefCell::default(),
            left,
        };
        scope.check_given()?;
        Ok(Rc::new(scope))
    }

    /// Parameters that the template does not have are slips of the keyboard.
    fn check_given(&self) -> Result<(), TemplateError> {
        let declared = self
            .document
            .get("Parameters")
            .map_or(&[][..], |declared| declared.entries());
        for (name, value) in &self.given {
            let Some((_, parameter)) = declared.iter().find(|(declared, _)| declared == name) else {
                let names: Vec<_> = declared.iter().map(|(name, _)| name.clone()).collect();
                let error = self.spot().error(format!("has no parameter {name}"));
                return Err(error.hint(match names.is_empty() {
                    true => "it has none at all".to_owned(),
                    false => format!("it has {}", listed(&names)),
                }));
            };
            let Some(Kind::List(allowed)) = parameter.get("AllowedValues").map(|allowed| &allowed.kind)
            else {
                continue;
            };
            let allowed: Vec<_> = allowed
                .iter()
                .filter_map(|one| one.text().map(str::to_owned))
                .collect();
            if let Value::Text(value) = value
                && !allowed.contains(value)
            {
                let message = format!("the parameter {name} cannot be {value:?}");
                return Err(self
                    .spot_at(parameter.at)
                    .error(message)
                    .hint(format!("it can be {}", listed(&allowed))));
            }
        }
        Ok(())
    }

    /// Takes work from what may be done at most.
    pub(super) fn spend(&self, at: At, work: usize) -> Result<(), TemplateError> {
        match self.left.work.get().checked_sub(work as u64) {
            Some(left) => {
                self.left.work.set(left);
                Ok(())
            }
            None => Err(self
                .spot_at(at)
                .error("comes to more values than any template of AWS's limits has")),
        }
    }

    /// How deep the evaluation under way is, here and in every other template.
    pub(super) fn depth(&self) -> &Cell<usize> {
        &self.left.depth
    }

    /// The template as a whole.
    pub(super) fn spot(&self) -> Spot {
        self.spot_at(At::default())
    }

    pub(super) fn spot_at(&self, at: At) -> Spot {
        yaml::spot(&self.file, at)
    }

    /// The place of a property of a resource.
    pub(super) fn spot_of(&self, at: At, id: &str, property: &str) -> Spot {
        let path = self.path_of(id);
        Spot {
            subject: match property.is_empty() {
                true => path,
                false => format!("{path}: {property}"),
            },
            ..self.spot_at(at)
        }
    }

    /// A logical id with the stacks it is in.
    pub(super) fn path_of(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    pub(super) fn resources(&self) -> &[(String, Rc<Node>)] {
        self.document
            .get("Resources")
            .map_or(&[], |resources| resources.entries())
    }

    pub(super) fn resource(&self, id: &str) -> Option<&Rc<Node>> {
        let found = self.resources().iter().find(|(name, _)| name == id);
        found.map(|(_, resource)| resource)
    }

    pub(super) fn is_function(&self, id: &str) -> bool {
        self.resource(id)
            .is_some_and(|resource| is_one_of(resource, &FUNCTIONS))
    }

    pub(super) fn is_layer(&self, id: &str) -> bool {
        self.resource(id)
            .is_some_and(|resource| is_one_of(resource, &LAYERS))
    }

    /// All functions, here and in what is nested, that no condition leaves out.
    pub(super) fn functions(
        scope: &Rc<Scope<'a>>,
        found: &mut Vec<(Rc<Scope<'a>>, String)>,
    ) -> Result<(), TemplateError> {
        for (id, _) in scope.resources() {
            if scope.is_function(id) && scope.exists(id)? {
                found.push((Rc::clone(scope), id.clone()));
            } else if let Some(Nested::Read(nested)) = Scope::nested(scope, id)? {
                Scope::functions(&nested, found)?;
            }
        }
        Ok(())
    }

    /// The files read so far.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.file.to_path_buf()];
        for nested in self.nested.borrow().values() {
            if let Nested::Read(nested) = nested {
                files.extend(nested.files());
            }
        }
        files
    }

    /// Lets go of what is nested: what a template is given may be a resource of the one that it is nested in, and then
    /// each would keep the other for ever.
    pub(super) fn let_go(&self) {
        for nested in self.nested.take().into_values() {
            if let Nested::Read(nested) = nested {
                nested.let_go();
            }
        }
    }

    /// The template that a resource nests; none where it is something else.
    pub(super) fn nested(scope: &Rc<Scope<'a>>, id: &str) -> Result<Option<Nested<'a>>, TemplateError> {
        let Some(resource) = scope.resource(id) else {
            return Ok(None);
        };
        let Some((_, property)) = NESTED.iter().find(|(kind, _)| is_one_of(resource, &[kind])) else {
            return Ok(None);
        };
        if let Some(read) = scope.nested.borrow().get(id) {
            return Ok(Some(read.clone()));
        }
        if !scope.exists(id)? {
            return Ok(None);
        }
        let spot = scope.spot_of(resource.at, id, property);
        let nested = match scope.location(id, property)? {
            Location::Elsewhere(unknown) => Nested::Elsewhere(unknown),
            Location::Local(file) => {
                let twice = scope.chain.contains(&file);
                let left = scope.left.templates.get();
                if twice || scope.chain.len() >= MOST_NESTED || left == 0 {
                    let why = match twice {
                        true => "a template that contains itself".to_owned(),
                        false => format!(
                            "templates nested more than {MOST_NESTED} deep, or more than {MOST_TEMPLATES} of them"
                        ),
                    };
                    return Err(spot.error(format!("{}: {why}", file.display())));
                }
                scope.left.templates.set(left - 1);
                let mut given = BTreeMap::new();
                if let Some(parameters) = resource.get_below(&["Properties", "Parameters"]) {
                    for (name, value) in parameters.entries() {
                        given.insert(name.clone(), scope.evaluate(value)?);
                    }
                }
                let prefix = format!("{}/", scope.path_of(id));
                let left = Rc::clone(&scope.left);
                Nested::Read(Scope::read(
                    &file,
                    scope.world,
                    prefix,
                    given,
                    &scope.chain,
                    left,
                    Some(spot),
                )?)
            }
        };
        scope.nested.borrow_mut().insert(id.to_owned(), nested.clone());
        Ok(Some(nested))
    }

    /// Where a property says that bytes are: code, content, a nested template.
    pub(super) fn location(self: &Rc<Self>, id: &str, property: &str) -> Result<Location, TemplateError> {
        let home = self.file.parent().unwrap_or(Path::new(""));
        let Some(resource) = self.resource(id) else {
            return Ok(Location::Elsewhere(Unknown::new(format!("{id} is not there"))));
        };
        // What CDK writes beside the places in S3 that its assets will have.
        let asset = resource
            .get_below(&["Metadata", "aws:asset:path"])
            .and_then(|path| path.text());
        if let Some(asset) = asset {
            return Ok(Location::Local(home.join(asset)));
        }
        let Some(node) = resource.get_below(&["Properties", property]) else {
            return Ok(Location::Elsewhere(Unknown::new(format!(
                "{property} is missing"
            ))));
        };
        let remote = |what: String| {
            Location::Elsewhere(Unknown::new(format!("lies in {what}, not on this machine")).hint(
                "name the template as it was before it was packaged or deployed; or publish the zip: optfs layer publish",
            ))
        };
        Ok(match self.evaluate(node)? {
            Value::Text(text) if text.contains("://") => remote(text),
            Value::Text(text) => Location::Local(home.join(text)),
            Value::Unknown(unknown) => Location::Elsewhere(unknown),
            Value::Map(entries) => {
                let of = |names: [&str; 2]| {
                    let found = entries.iter().find(|(name, _)| names.contains(&name.as_str()));
                    found
                        .and_then(|(_, value)| value.text().ok())
                        .unwrap_or("?")
                        .to_owned()
                };
                match entries
                    .iter()
                    .any(|(name, _)| name == "ZipFile" || name == "ApplicationId")
                {
                    true => {
                        Location::Elsewhere(Unknown::new(format!("{property} is no file of this machine")))
                    }
                    false => remote(format!(
                        "s3://{}/{}",
                        of(["Bucket", "S3Bucket"]),
                        of(["Key", "S3Key"])
                    )),
                }
            }
            other => Location::Elsewhere(Unknown::new(format!("{property} is {}", other.kind()))),
        })
    }

    /// What a parameter has been given, or has by default; none where there is no such parameter.
    pub(super) fn parameter(self: &Rc<Self>, name: &str) -> Result<Option<Value<'a>>, TemplateError> {
        let Some(declared) = self.document.get_below(&["Parameters", name]) else {
            return Ok(None);
        };
        let kind = declared
            .get("Type")
            .and_then(|kind| kind.text())
            .unwrap_or("String");
        let give = format!("give its value: --parameter {name}=VALUE");
        let unknown = |why: &str| {
            Value::Unknown(Unknown::new(format!("the parameter {name} {why}")).hint(give.clone()))
        };
        let value = match (self.given.get(name), declared.get("Default")) {
            (Some(given), _) => given.clone(),
            // The default names the value and is not it.
            (None, Some(_)) if kind.starts_with("AWS::SSM::Parameter::") => {
                unknown("is kept by Systems Manager, on AWS")
            }
            (None, Some(default)) => self.evaluate(default)?,
            (None, None) => unknown("has no default"),
        };
        let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<") || kind.contains("<List<");
        Ok(Some(match value {
            Value::Text(text) if is_list => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::List(parts.map(|part| Value::Text(part.to_owned())).collect())
            }
            Value::Nothing => Value::Text(String::new()),
            value => value,
        }))
    }

    /// What AWS says of the stack itself.
    pub(super) fn pseudo(&self, name: &str) -> Option<Value<'a>> {
        let region = &self.world.region;
        let partition = match region {
            china if china.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
            gov if gov.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
            _ => ("aws", "amazonaws.com"),
        };
        let text = match name {
            "AWS::Region" => region.as_str(),
            "AWS::AccountId" => &self.world.account,
            "AWS::Partition" => partition.0,
            "AWS::URLSuffix" => partition.1,
            "AWS::StackName" => STACK_NAME,
            "AWS::NoValue" => return Some(Value::Nothing),
            "AWS::NotificationARNs" => return Some(Value::List(Vec::new())),
            name if name.starts_with("AWS::") => {
                return Some(Value::Unknown(Unknown::new(format!(
                    "{name} is known to AWS alone"
                ))));
            }
            _ => return None,
        };
        Some(Value::Text(text.to_owned()))
    }
}

fn is_one_of(resource: &Node, kinds: &[&str]) -> bool {
    let kind = resource.get("Type").and_then(|kind| kind.text());
    kind.is_some_and(|kind| kinds.contains(&kind))
}
