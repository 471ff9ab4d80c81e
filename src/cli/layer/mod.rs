//! `optfs layer`: layers of the store published, listed, shown, copied out, deleted, granted and brought in from elsewhere. The
//! same that AWS's API does with layers, without a server.

mod about;
mod build;
mod import;
mod policy;
mod show;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use about::AboutArgs;
use build::BuildArgs;
use import::ImportArgs;
use policy::{PermitArgs, PolicyArgs, RevokeArgs};

pub(super) use build::{KeeperArgs, run_keeper};

use super::Verbosity;
use super::failure::{Class, Failure};
use super::json::document;
use super::location::location;
use super::published::{self, AnswerArgs, StoreArgs, unknown};
use super::terminal::print;
use crate::store::{Filter, LayerVersion, Place, Reference, Store, StoreError, shape};

/// Publish layers on this machine as AWS does; mount them by name
///
/// Wherever optfs takes a layer, it takes a published one as NAME (its latest version), NAME:3, or its ARN; a file of that
/// very name comes first, and ./NAME is always a file.
#[derive(Args)]
pub(super) struct LayerArgs {
    #[command(subcommand)]
    verb: LayerVerb,
}

#[derive(Subcommand)]
enum LayerVerb {
    Publish(PublishArgs),
    List(ListArgs),
    Versions(VersionsArgs),
    Get(GetArgs),
    Export(ExportArgs),
    Delete(DeleteArgs),
    Permit(PermitArgs),
    Revoke(RevokeArgs),
    Policy(PolicyArgs),
    Import(ImportArgs),
}

/// Publish a zip, a directory, or packages of pip or npm as the next version of a layer
///
/// What AWS would refuse is refused, with AWS's message. A directory is zipped with one time for all files and names in
/// order: the same tree gives the same zip. Packages are built for the runtime and the processor that are named, whatever
/// this machine is.
#[derive(Args)]
#[command(group = ArgGroup::new("content").required(true))]
struct PublishArgs {
    /// The layer; its first version makes it
    #[arg(value_name = "NAME")]
    name: String,
    /// The zip
    #[arg(long, value_name = "FILE", group = "content")]
    zip: Option<PathBuf>,
    /// The directory of what will be in /opt: python, nodejs, bin, lib and so on
    #[arg(long, value_name = "DIR", group = "content")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    about: AboutArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

#[derive(Args)]
struct FilterArgs {
    /// Only versions that declare this runtime
    #[arg(long, value_name = "RUNTIME")]
    compatible_runtime: Option<String>,
    /// Only versions that declare this architecture
    #[arg(long, value_name = "ARCH")]
    compatible_architecture: Option<String>,
}

/// List the layers of an account and region, each with its latest version
#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// List the versions of a layer, the latest first
#[derive(Args)]
struct VersionsArgs {
    /// The layer: its name or ARN
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Show all about a version of a layer
#[derive(Args)]
struct GetArgs {
    /// The version: NAME:3 or its ARN; NAME means the latest
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Write the zip of a version, byte for byte as it was published
#[derive(Args)]
struct ExportArgs {
    /// The version: NAME:3 or its ARN; NAME means the latest
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    /// The file to write, which must not be there yet [default: NAME-VERSION.zip]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Delete a version of a layer
///
/// Its number is never given again. What is mounted goes on; 'optfs gc' frees the zip. Deleting what is not there is
/// no error, as on AWS.
#[derive(Args)]
struct DeleteArgs {
    /// The version: NAME:3 or its ARN
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
}

impl FilterArgs {
    fn filter(&self) -> Filter {
        Filter {
            runtime: self.compatible_runtime.clone(),
            architecture: self.compatible_architecture.clone(),
        }
    }
}

pub(super) fn run(args: &LayerArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    match &args.verb {
        LayerVerb::Publish(args) => publish(args, verbosity),
        LayerVerb::List(args) => list(args),
        LayerVerb::Versions(args) => versions(args),
        LayerVerb::Get(args) => get(args),
        LayerVerb::Export(args) => export(args),
        LayerVerb::Delete(args) => delete(args),
        LayerVerb::Permit(args) => policy::permit(args),
        LayerVerb::Revoke(args) => policy::revoke(args),
        LayerVerb::Policy(args) => policy::policy(args),
        LayerVerb::Import(args) => import::import(args),
    }
}

fn publish(args: &PublishArgs, verbosity: Verbosity) -> Result<ExitCode, Failure> {
    let order = args.build.order()?;
    let mut about = args.about.publication();
    // What it is built for is what it is for, unless somebody says otherwise.
    if let Some(order) = &order {
        let (runtime, architecture) = (order.runtime.to_string(), order.architecture.word().to_owned());
        about.compatible_runtimes.get_or_insert_with(|| vec![runtime]);
        about
            .compatible_architectures
            .get_or_insert_with(|| vec![architecture]);
    }
    // All that can be said without the zip is said before it is read.
    about.check()?;
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let layer = layer_named(&args.name, &here)?;
    let intake = match (&args.zip, &args.dir, &order) {
        (Some(zip), ..) => store.take_zip(zip),
        (None, Some(directory), _) => store.take_directory(directory),
        (None, None, Some(order)) => {
            let built = order.build(verbosity.quiet)?;
            let spinner = order.spinner(verbosity.quiet, "packing");
            let intake = store.take_directory_as(built.top(), order.file());
            spinner.end();
            intake
        }
        (None, None, None) => return Err(Failure::new(Class::Usage, "nothing to publish is named")),
    };
    let place = layer.place.as_ref().unwrap_or(&here);
    let version = store.publish(place, &layer.name, about, intake.map_err(not_readable)?)?;
    answer("layer publish", &store, &version, args.answer.json)
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let layers = store.layers(&here, &args.filter.filter())?;
    print(|out| {
        if args.answer.json {
            let layers: Vec<_> = layers.iter().map(shape::layer).collect();
            writeln!(out, "{}", document("layer list", json!({ "Layers": layers })))?;
        } else {
            show::table(out, layers.iter().map(|layer| &layer.latest))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn versions(args: &VersionsArgs) -> Result<ExitCode, Failure> {
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let layer = layer_named(&args.name, &here)?;
    let place = layer.place.as_ref().unwrap_or(&here);
    let versions = store.versions(place, &layer.name, &args.filter.filter())?;
    print(|out| {
        if args.answer.json {
            let versions: Vec<_> = versions.iter().map(shape::layer_version_item).collect();
            let body = json!({ "LayerVersions": versions });
            writeln!(out, "{}", document("layer versions", body))?;
        } else {
            show::table(out, versions.iter())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn get(args: &GetArgs) -> Result<ExitCode, Failure> {
    let (store, version) = version_named(&args.answer.store, &args.name)?;
    answer("layer get", &store, &version, args.answer.json)
}

fn export(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let (store, version) = version_named(&args.store, &args.name)?;
    let default = || PathBuf::from(format!("{}-{}.zip", version.name, version.version));
    let target = args.file.clone().unwrap_or_else(default);
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::new(Class::Trouble, format_args!("{}: {why}", target.display()))
    };
    let created = fs::OpenOptions::new().write(true).create_new(true).open(&target);
    let mut to = created.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => refuse(&"is there already").hint("name another file behind the version"),
        _ => refuse(&error),
    })?;
    let zip = store.zip_by_digest(&version);
    let copied = fs::File::open(&zip).and_then(|mut from| std::io::copy(&mut from, &mut to));
    if let Err(error) = copied {
        // Half a zip is worse than none.
        let _ = fs::remove_file(&target);
        return Err(refuse(&error));
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(args: &DeleteArgs) -> Result<ExitCode, Failure> {
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let (reference, number) = numbered(&args.name)?;
    let place = reference.place.as_ref().unwrap_or(&here);
    let was_there = store.delete(place, &reference.name, number)?;
    let keepers = store.functions_with(&format!("{}:{number}", place.layer_arn(&reference.name)))?;
    print(|out| {
        match (args.answer.json, was_there) {
            (true, _) => {
                let body = json!({ "Version": number, "deleted": was_there, "kept_by": keepers });
                writeln!(out, "{}", document("layer delete", body))?;
            }
            (false, true) => writeln!(out, "{}:{number} is deleted", reference.name)?,
            (false, false) => writeln!(out, "{}:{number} was not there", reference.name)?,
        }
        if !args.answer.json {
            for keeper in &keepers {
                writeln!(out, "  {keeper} keeps it")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A version, as it was published or is asked for.
fn answer(question: &str, store: &Store, version: &LayerVersion, as_json: bool) -> Result<ExitCode, Failure> {
    let zip = store.zip_by_digest(version);
    print(|out| {
        match as_json {
            true => writeln!(
                out,
                "{}",
                document(question, shape::layer_version(version, &location(&zip)))
            )?,
            false => show::version(out, version, &zip)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A layer that a word names, and no version of it.
fn layer_named(word: &str, here: &Place) -> Result<Reference, Failure> {
    let reference = Reference::check(word)?;
    match reference.version {
        None => Ok(reference),
        Some(_) => {
            let message = format!("{word}: a version is named, where the layer is expected");
            let place = reference.place.as_ref();
            let name = place.map_or_else(|| reference.name.to_string(), |_| here.layer_arn(&reference.name));
            Err(Failure::new(Class::Usage, message).hint(format_args!("leave the number out: {name}")))
        }
    }
}

/// A version that a word names, where the latest is not meant if none is.
fn numbered(word: &str) -> Result<(Reference, u64), Failure> {
    let reference = Reference::check(word)?;
    match reference.version {
        Some(number) => Ok((reference, number)),
        None => {
            let message = format!("{word}: no version is named");
            Err(Failure::new(Class::Usage, message).hint(format_args!("such as {word}:1")))
        }
    }
}

/// A version that a word names.
fn version_named(args: &StoreArgs, word: &str) -> Result<(Store, LayerVersion), Failure> {
    let (store, here) = (args.open()?, args.place()?);
    let reference = Reference::check(word)?;
    match store.find(&here, &reference) {
        Ok(version) => Ok((store, version)),
        Err(StoreError::NotFound(_)) => Err(unknown(&store, &here, &reference)?.of_class(Class::No)),
        Err(error) => Err(error.into()),
    }
}

/// What of a layer cannot be read.
fn not_readable(error: StoreError) -> Failure {
    let hints = [
        "check the path behind --zip or --dir",
        "--dir DIR publishes what is in a directory",
    ];
    published::not_readable(error, hints)
}
