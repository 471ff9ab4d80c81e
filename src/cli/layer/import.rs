//! `optfs layer import`: a layer version of somewhere else, under its own ARN, and who here may use it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::about::AboutArgs;
use super::{answer, not_readable};
use crate::cli::failure::{Class, Failure};
use crate::cli::published::AnswerArgs;
use crate::store::{LayerVersion, Permission, Place, Reference, Store, StoreError};

/// Bring in a layer version of another account, region or machine, under its own ARN
///
/// So that functions can have it, and stacks name it, by the ARN it has on AWS. It is granted to the account that functions
/// here are of (--account), unless --grant says to whom instead.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// Its ARN, with the version
    #[arg(value_name = "ARN:VERSION")]
    arn: String,
    /// The zip, as 'aws lambda get-layer-version' gives its place
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "dir",
        conflicts_with = "dir"
    )]
    zip: Option<PathBuf>,
    /// The directory of what is in /opt
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Who may use it: an account, or '*' for all (can be repeated) [default: the own account]
    #[arg(long, value_name = "PRINCIPAL")]
    grant: Vec<String>,
    #[command(flatten)]
    about: AboutArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

pub(super) fn import(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let about = args.about.publication();
    about.check()?;
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let reference = Reference::check(&args.arn)?;
    let (Some(place), Some(number)) = (&reference.place, reference.version) else {
        let message = format!("{}: not the ARN of a layer version", args.arn);
        let example = here.layer_arn(&reference.name);
        return Err(Failure::new(Class::Usage, message).hint(format_args!(
            "such as {example}:{}; 'optfs layer publish' makes versions of one's own",
            reference.version.unwrap_or(1)
        )));
    };
    let permissions = permissions(&args.grant, &here, place);
    for permission in &permissions {
        permission.check()?;
    }
    let intake = match (&args.zip, &args.dir) {
        (Some(zip), _) => store.take_zip(zip),
        (None, Some(directory)) => store.take_directory(directory),
        (None, None) => return Err(Failure::new(Class::Usage, "neither --zip nor --dir is given")),
    };
    let imported = store.import(
        place,
        &reference.name,
        number,
        about,
        intake.map_err(not_readable)?,
    );
    let version = imported.map_err(|error| match error {
        StoreError::Conflict(_) => Failure::from(error).of_class(Class::Layer).hint(format_args!(
            "if that was a mistake, 'optfs layer delete {}' makes room for it",
            args.arn
        )),
        _ => error.into(),
    })?;
    grant(&store, &version, &permissions)?;
    answer("layer import", &store, &version, args.answer.json)
}

/// Who is to use it: those named, or the own account, where it is another's.
fn permissions(named: &[String], here: &Place, place: &Place) -> Vec<Permission> {
    let own = (named.is_empty() && here.account() != place.account()).then_some(here.account());
    let all = named.iter().map(String::as_str).chain(own);
    all.map(|principal| {
        let who: String = match principal {
            "*" => "all".to_owned(),
            _ => principal.chars().filter(char::is_ascii_digit).collect(),
        };
        Permission::to(principal, &format!("import-{who}"))
    })
    .collect()
}

/// Adds what is not there yet.
fn grant(store: &Store, version: &LayerVersion, permissions: &[Permission]) -> Result<(), Failure> {
    for permission in permissions {
        match store.permit(&version.place, &version.name, version.version, permission, None) {
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
