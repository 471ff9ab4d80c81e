//! `optfs function create` and `update`: what a function is to be, from the words of the command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::Named;
use super::settings::{LayerArgs, SettingsArgs, name_and_value};
use crate::cli::failure::{Class, Failure};
use crate::cli::published::{AnswerArgs, not_readable};
use crate::store::Store;
use crate::store::function::{
    CodeUpdate, ConfigurationUpdate, Function, NewCode, NewFunction, Purpose, VersionOfFunction,
};

/// Make a function
#[derive(Args)]
pub(super) struct CreateArgs {
    /// The function
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    layers: LayerArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// What the code is made for: x86_64 or arm64 [default: x86_64]
    #[arg(long, value_name = "ARCH")]
    architectures: Option<Vec<String>>,
    /// Names and values to find it by: KEY=VALUE,KEY=VALUE
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
    /// Publish version 1 at once
    #[arg(long)]
    publish: bool,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Change a function: its configuration, its code, its layers
///
/// What is not named stays as it is. New code is put in before anything else is changed.
#[derive(Args)]
pub(super) struct UpdateArgs {
    /// The function: its name or ARN
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    layers: LayerArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// What new code is made for: x86_64 or arm64
    #[arg(long, value_name = "ARCH")]
    architectures: Option<Vec<String>>,
    /// Publish it as a version afterwards
    #[arg(long)]
    publish: bool,
    /// Only if the function is still of this revision
    #[arg(long, value_name = "ID")]
    revision_id: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Where code comes from.
#[derive(Args)]
#[group(multiple = false)]
struct CodeArgs {
    /// The zip of the code; fileb:// before it is passed over
    #[arg(long, value_name = "FILE", visible_alias = "zip")]
    zip_file: Option<PathBuf>,
    /// The directory of the code, which is zipped
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The URI of an image that has the code
    #[arg(long, value_name = "URI")]
    image_uri: Option<String>,
}

pub(super) fn create(args: &CreateArgs) -> Result<ExitCode, Failure> {
    let named = Named::whole(&args.name, &args.answer.store, Purpose::Create)?;
    let mut new: NewFunction = args.settings.input()?;
    args.settings.apply(&mut new.settings)?;
    new.layers = args.layers.arns(&named.store, &named.place)?.or(new.layers);
    new.architectures = args.architectures.clone().or(new.architectures);
    new.publish |= args.publish;
    for tag in &args.tags {
        let (name, value) = name_and_value(tag)?;
        new.tags.get_or_insert_default().insert(name, value);
    }
    if args.code.image_uri.is_some() {
        new.package_type.get_or_insert_with(|| "Image".to_owned());
    }
    // There are no roles here; AWS insists on one.
    let role = || format!("arn:aws:iam::{}:role/optfs", named.place.account());
    new.settings.role.get_or_insert_with(role);
    let Some(code) = args.code.new_code(&named.store)? else {
        return Err(Failure::from(NewCode::missing())
            .hint("--zip-file FILE or --dir DIR is the code, --image-uri URI an image of it"));
    };
    let (place, organization) = (&named.place, args.layers.organization());
    let name = &named.reference.name;
    let made = named.store.create_function(place, name, organization, new, code);
    named.answer("function create", &named.hinted(made)?, false, args.answer.json)
}

pub(super) fn update(args: &UpdateArgs) -> Result<ExitCode, Failure> {
    let named = Named::whole(&args.name, &args.answer.store, Purpose::Other)?;
    let (store, place, name) = (&named.store, &named.place, &named.reference.name);
    let mut update: ConfigurationUpdate = args.settings.input()?;
    args.settings.apply(&mut update.settings)?;
    update.layers = args.layers.arns(store, place)?.or(update.layers);
    let asks_configuration = args.settings.asks() || update.layers.is_some();
    // Who guards the first step guards those behind it: nobody else may come between.
    let mut revision = args.revision_id.clone().or(update.revision_id.take());
    let is_guarded = revision.is_some();
    let next = |function: &Function| is_guarded.then(|| function.revision_id.clone());
    let mut function = None;
    if let Some(code) = args.code.new_code(store)? {
        let about = CodeUpdate {
            architectures: args.architectures.clone(),
            revision_id: revision.take(),
            ..CodeUpdate::default()
        };
        let changed = named.hinted(store.update_code(place, name, about, code))?;
        revision = next(&changed);
        function = Some(changed);
    } else if args.architectures.is_some() {
        let message = "--architectures says what new code is made for, and there is none";
        return Err(Failure::new(Class::Usage, message).hint("add --zip-file FILE or --dir DIR"));
    }
    if asks_configuration {
        update.revision_id = revision.take();
        let organization = args.layers.organization();
        let changed = named.hinted(store.update_configuration(place, name, organization, update))?;
        revision = next(&changed);
        function = Some(changed);
    }
    if args.publish {
        let about = VersionOfFunction {
            revision_id: revision.take(),
            ..VersionOfFunction::default()
        };
        function = Some(named.hinted(store.publish_version(place, name, about))?);
    }
    match function {
        Some(function) => {
            let is_version = function.version.is_some();
            named.answer("function update", &function, is_version, args.answer.json)
        }
        None => Err(Failure::new(Class::Usage, "nothing is to be changed")
            .hint("'optfs function update --help' lists what can be")),
    }
}

impl CodeArgs {
    fn new_code(&self, store: &Store) -> Result<Option<NewCode>, Failure> {
        let intake = match (&self.zip_file, &self.dir, &self.image_uri) {
            (Some(zip), ..) => store.take_zip(zip.to_str().and_then(without_scheme).unwrap_or(zip.as_path())),
            (None, Some(directory), _) => store.take_directory(directory),
            (None, None, Some(uri)) => return Ok(Some(NewCode::Image(uri.clone()))),
            (None, None, None) => return Ok(None),
        };
        let hints = [
            "check the path behind --zip-file or --dir",
            "--dir DIR takes what is in a directory",
        ];
        Ok(Some(NewCode::Zip(
            intake.map_err(|error| not_readable(error, hints))?,
        )))
    }
}

/// AWS's own command line wants its files written so.
fn without_scheme(path: &str) -> Option<&Path> {
    path.strip_prefix("fileb://").map(Path::new)
}
