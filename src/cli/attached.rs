//! `--template` and `--function`: a function stands for its layers, in order, and brings what it runs with: its runtime, its
//! variables, and those that Lambda sets for it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use log::{info, warn};

use super::failure::{Class, Failure};
use super::index_dir::cache_directory;
use super::published::{StoreArgs, near};
use crate::launch::runtime::Runtime;
use crate::store::function::{Code, Function, FunctionReference, LATEST, Purpose};
use crate::store::{Place, Reference, Store, StoreError, packed};
use crate::template::{self, LayerSource, Spot, Template, TemplateError, World};

/// Where help lists the options.
const HEADING: &str = "Functions";
/// What a function has when nothing is said (AWS's reference of CreateFunction).
const DEFAULT_MEMORY_MB: &str = "128";

/// What names a function.
#[derive(Args, Debug, Clone, Default)]
pub(super) struct AttachedArgs {
    /// A SAM or CloudFormation template, in YAML or JSON: the layers of its function, those that it makes of
    /// directories too
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    template: Option<PathBuf>,
    /// A function, whose layers are meant: of the template by its logical id, else of the store by NAME,
    /// NAME:VERSION or ARN
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    function: Option<String>,
    /// The value of a parameter of the template, in the place of its default (can be repeated)
    #[arg(long = "parameter", value_name = "KEY=VALUE", requires = "template", help_heading = HEADING)]
    parameters: Vec<String>,
}

/// A variable and its value.
pub(super) type Setting = (String, OsString);

/// A function, with all that a command needs that takes its place.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// The zips of its layers, first to last.
    pub(super) layers: Vec<PathBuf>,
    pub(super) runtime: Option<Runtime>,
    /// What it has configured, then what Lambda sets for it.
    pub(super) variables: Vec<Setting>,
    /// What is left out of these, for who runs something with them.
    doubts: Vec<String>,
}

impl Attached {
    fn new(runtime: Option<&str>) -> Attached {
        let (mut doubts, parsed) = (Vec::new(), runtime.map(str::parse));
        let runtime = match parsed {
            Some(Ok(runtime)) => Some(runtime),
            Some(Err(error)) => {
                doubts.push(format!("the function's runtime is left out: {error}"));
                None
            }
            None => None,
        };
        Attached {
            runtime,
            doubts,
            ..Attached::default()
        }
    }

    /// Says what a command that is run will not have.
    pub(super) fn warn(&self) {
        for doubt in &self.doubts {
            warn!("{doubt}");
        }
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.retain(|(before, _)| before != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Sets a variable that the function has configured, where AWS would take it.
    fn configure(&mut self, name: &str, value: &str) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part);
        match is_name && !value.contains('\0') {
            true => self.set(name, value),
            false => self.doubts.push(format!(
                "the variable {} is left out: letters, digits and _ are expected, a letter first, and no NUL in its value",
                name.escape_debug()
            )),
        }
    }

    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>: what is reserved, as far as it says something
    /// here.
    fn reserve(&mut self, reserved: &Reserved<'_>) {
        self.set("AWS_LAMBDA_FUNCTION_NAME", reserved.name);
        self.set("AWS_LAMBDA_FUNCTION_VERSION", reserved.version);
        self.set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", reserved.memory_mb);
        self.set("AWS_REGION", reserved.region);
        self.set("AWS_DEFAULT_REGION", reserved.region);
        if let Some(handler) = reserved.handler {
            self.set("_HANDLER", handler);
        }
    }
}

impl AttachedArgs {
    /// Whether any function is named.
    pub(super) fn is_named(&self) -> bool {
        self.template.is_some() || self.function.is_some()
    }

    /// The function that is named.
    pub(super) fn attached(&self, store: &StoreArgs) -> Result<Option<Attached>, Failure> {
        match (&self.template, &self.function) {
            (Some(file), _) => self.of_template(file, store).map(Some),
            (None, Some(name)) => of_store(name, store).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn of_template(&self, file: &Path, store: &StoreArgs) -> Result<Attached, Failure> {
        let here = store.place()?;
        let world = World {
            read: &|path: &Path| fs::read(path),
            parameters: self.given()?,
            account: here.account().to_owned(),
            region: here.region().to_owned(),
        };
        let template = Template::read(file, &world)?;
        let function = match &self.function {
            Some(id) => template.function(id)?,
            None => template.only_function()?,
        };
        info!("{}: {} layers", function.spot, function.layers.len());
        if function.layers.is_empty() {
            let failure = Failure::new(Class::Usage, format_args!("{}: has no layers", function.spot));
            return Err(failure.hint("name a function that has some; or layers with --layer"));
        }
        let mut attached = settings_of(&function, &here);
        for layer in &function.layers {
            attached.layers.push(match layer {
                LayerSource::Published { arn, spot } => published(arn, spot, store)?,
                LayerSource::Local { id, path, spot } => local(id, path, spot)?,
            });
        }
        Ok(attached)
    }

    fn given(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut given = BTreeMap::new();
        for word in &self.parameters {
            let Some((name, value)) = word.split_once('=') else {
                let message = format!("--parameter {word}: '=' is missing");
                return Err(Failure::new(Class::Usage, message).hint("such as --parameter Stage=dev"));
            };
            given.insert(name.to_owned(), value.to_owned());
        }
        Ok(given)
    }
}

/// The function that a word names where a layer could be named too: by its ARN, or `function:NAME`.
pub(super) fn function_named(word: &Path, store: &StoreArgs) -> Result<Option<Attached>, Failure> {
    match word
        .to_str()
        .filter(|word| word.split(':').any(|part| part == "function"))
    {
        Some(word) => of_store(word, store).map(Some),
        None => Ok(None),
    }
}

/// A function of the store, with the layers it has, also those whose versions were deleted since.
fn of_store(word: &str, store: &StoreArgs) -> Result<Attached, Failure> {
    let (store, here) = (store.open()?, store.place()?);
    let reference = FunctionReference::check(word, None, Purpose::Other)?;
    let place = reference.place(&here);
    let qualifier = reference.qualifier.as_deref();
    let function = match store.function(&place, &reference.name, qualifier) {
        Ok(function) => function,
        Err(StoreError::NotFound(_)) => return Err(unknown_function(word, &reference, &place, &store)?),
        Err(error) => return Err(error.into()),
    };
    let refuse = |why: &str| Failure::new(Class::Usage, format_args!("the function {word} {why}"));
    if matches!(function.code, Code::Image(_)) {
        return Err(refuse("is a container image, which has no layers"));
    }
    if function.layers.is_empty() {
        return Err(refuse("has no layers").hint("name a function that has some; or layers with --layer"));
    }
    let settings = &function.settings;
    let mut attached = Attached::new(settings.runtime.as_deref());
    let environment = settings.environment.iter();
    for (name, value) in environment.flat_map(|environment| environment.variables.iter()) {
        attached.configure(name, value);
    }
    let memory_mb = settings.memory_size.map(|size| size.to_string());
    attached.reserve(&Reserved {
        name: &function.name,
        version: &function.version_word(),
        memory_mb: memory_mb.as_deref().unwrap_or(DEFAULT_MEMORY_MB),
        handler: settings.handler.as_deref(),
        region: place.region(),
    });
    attached.layers = function
        .layers
        .iter()
        .map(|layer| store.layer_zip(layer))
        .collect();
    Ok(attached)
}

/// That there is no such function, or no such version; and what there is.
fn unknown_function(
    word: &str,
    reference: &FunctionReference,
    place: &Place,
    store: &Store,
) -> Result<Failure, Failure> {
    let functions = store.functions(place)?;
    let names: Vec<_> = functions.iter().map(|function| function.name.clone()).collect();
    let root = store.root().display();
    if names.contains(&reference.name) {
        let versions = store.function_versions(place, &reference.name)?;
        let versions: Vec<_> = versions.iter().map(Function::version_word).collect();
        let message = format!("{word}: the function has no such version in the store {root}");
        return Ok(Failure::new(Class::Layer, message).hint(format_args!("it has {}", versions.join(", "))));
    }
    let (account, region) = (place.account(), place.region());
    let message =
        format!("{word}: no such function in the store {root} (account {account}, region {region})");
    let near = near(&reference.name, &names);
    Ok(
        Failure::new(Class::Layer, message).hint(match (near.is_empty(), names.is_empty()) {
            (false, _) => format!("near to it: {}", near.join(", ")),
            (true, false) => "'optfs function list' lists the functions there are".to_owned(),
            (true, true) => {
                "create it first, with 'optfs function create'; one of a template needs --template FILE"
                    .to_owned()
            }
        }),
    )
}

/// The version that an ARN names, in the store.
fn published(arn: &str, spot: &Spot, store: &StoreArgs) -> Result<PathBuf, Failure> {
    let reference = Reference::parse(arn).filter(|it| it.place.is_some() && it.version.is_some());
    let Some(reference) = reference else {
        let error = spot.error(format!("{arn:?} is no ARN of a layer version"));
        return Err(error
            .hint(
                "such as arn:aws:lambda:us-east-1:123456789012:layer:requests:3, with the version at its end",
            )
            .into());
    };
    let (store, here) = (store.open()?, store.place()?);
    match store.find(&here, &reference) {
        Ok(version) => Ok(store.zip(&version)),
        Err(StoreError::NotFound(_)) => Err(not_published(arn, spot, &store).into()),
        Err(error) => Err(error.into()),
    }
}

fn not_published(arn: &str, spot: &Spot, store: &Store) -> TemplateError {
    let error = spot.error(format!("{arn} is not in the store {}", store.root().display()));
    error.hint(format!(
        "bring it in: optfs layer import {arn} --zip FILE; or name another store with --store"
    ))
}

/// The zip of a layer that the template makes: a file as it is, a directory packed and kept.
fn local(id: &str, path: &Path, spot: &Spot) -> Result<PathBuf, Failure> {
    let meta = fs::metadata(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        };
        let error = spot.error(format!("{}: {why}", path.display()));
        error.hint("a path in a template counts from the directory that the template lies in")
    })?;
    if !meta.is_dir() {
        return Ok(path.to_owned());
    }
    let Some(cache) = cache_directory("optfs/packed") else {
        return Err(
            Failure::new(Class::Trouble, "no directory for packed layers is known")
                .hint("set HOME or XDG_CACHE_HOME: the zip of a layer's directory is kept there"),
        );
    };
    packed(path, &cache, id).map_err(|error| {
        let failure = Failure::from(error);
        failure.within(spot)
    })
}

/// What a function of a template runs with.
fn settings_of(function: &template::Function, here: &Place) -> Attached {
    let mut attached = Attached::new(function.runtime.as_deref());
    for (name, why) in &function.unknown {
        let doubt = format!("{}: the variable {name} is left out: {why}", function.spot);
        attached.doubts.push(doubt);
    }
    for (name, value) in &function.environment {
        attached.configure(name, value);
    }
    let id = function.id.rsplit('/').next().unwrap_or(&function.id);
    attached.reserve(&Reserved {
        name: function.name.as_deref().unwrap_or(id),
        version: LATEST,
        memory_mb: function.memory_size.as_deref().unwrap_or(DEFAULT_MEMORY_MB),
        handler: function.handler.as_deref(),
        region: here.region(),
    });
    // /var/task is on Lambda; here the code lies where the template says.
    let code = function.code.as_deref().filter(|code| code.is_dir());
    if let Some(code) = code.and_then(|code| code.canonicalize().ok()) {
        attached.set("LAMBDA_TASK_ROOT", code);
    }
    attached
}

/// What Lambda says to a function of itself.
struct Reserved<'a> {
    name: &'a str,
    version: &'a str,
    memory_mb: &'a str,
    handler: Option<&'a str>,
    region: &'a str,
}
