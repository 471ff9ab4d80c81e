//! `optfs function`: functions of the store made, changed, listed, shown, published, deleted. The same that AWS's API does with
//! functions, without a server; nothing is run here.

mod change;
mod settings;
mod show;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Class, Failure};
use super::json::document;
use super::location::location;
use super::published::{AnswerArgs, StoreArgs};
use super::terminal::print;
use crate::store::function::{Function, FunctionReference, Purpose, VersionOfFunction};
use crate::store::{Place, Store, StoreError, shape};
use change::{CreateArgs, UpdateArgs};

/// Keep functions on this machine as AWS does, with their layers
///
/// What AWS would refuse is refused, with AWS's message. Nothing is run here; a function keeps the layers that it has, also
/// when their versions are deleted.
#[derive(Args)]
pub(super) struct FunctionArgs {
    #[command(subcommand)]
    verb: FunctionVerb,
}

#[derive(Subcommand)]
enum FunctionVerb {
    Create(CreateArgs),
    Update(UpdateArgs),
    List(ListArgs),
    Versions(VersionsArgs),
    Get(GetArgs),
    Publish(PublishArgs),
    Delete(DeleteArgs),
}

/// List the functions of an account and region
#[derive(Args)]
struct ListArgs {
    /// ALL: the published versions too
    #[arg(long, value_name = "ALL", value_parser = ["ALL"])]
    function_version: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// List a function and its published versions
#[derive(Args)]
struct VersionsArgs {
    /// The function: its name or ARN
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Show all about a function or a version of it
#[derive(Args)]
struct GetArgs {
    /// The function: NAME, NAME:3 or an ARN
    #[arg(value_name = "NAME")]
    name: String,
    /// The version, where the name does not say it
    #[arg(long, value_name = "VERSION")]
    qualifier: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Publish what a function is now as its next version
///
/// Where nothing was changed since the last version, that one is the answer.
#[derive(Args)]
struct PublishArgs {
    /// The function: its name or ARN
    #[arg(value_name = "NAME")]
    name: String,
    /// What the version is, in the place of the function's own description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Only if the code has this digest, in base64
    #[arg(long, value_name = "DIGEST")]
    code_sha256: Option<String>,
    /// Only if the function is still of this revision
    #[arg(long, value_name = "ID")]
    revision_id: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// Delete a function, or one version of it
///
/// The numbers of its versions are never given again. 'optfs gc' frees what only it had.
#[derive(Args)]
struct DeleteArgs {
    /// The function with all its versions; or NAME:3, that one
    #[arg(value_name = "NAME")]
    name: String,
    /// The version, where the name does not say it
    #[arg(long, value_name = "VERSION")]
    qualifier: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// A function that a word names, and where.
struct Named {
    store: Store,
    here: Place,
    place: Place,
    reference: FunctionReference,
}

pub(super) fn run(args: &FunctionArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        FunctionVerb::Create(args) => change::create(args),
        FunctionVerb::Update(args) => change::update(args),
        FunctionVerb::List(args) => list(args),
        FunctionVerb::Versions(args) => versions(args),
        FunctionVerb::Get(args) => get(args),
        FunctionVerb::Publish(args) => publish(args),
        FunctionVerb::Delete(args) => delete(args),
    }
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let (store, here) = (args.answer.store.open()?, args.answer.store.place()?);
    let mut functions = store.functions(&here)?;
    let with_versions = args.function_version.is_some();
    if with_versions {
        let versions = functions
            .iter()
            .map(|one| store.function_versions(&here, &one.name));
        // One that was deleted meanwhile is left out.
        functions = versions.filter_map(Result::ok).flatten().collect();
    }
    many(
        "function list",
        "Functions",
        &functions,
        with_versions,
        args.answer.json,
    )
}

fn versions(args: &VersionsArgs) -> Result<ExitCode, Failure> {
    let named = Named::whole(&args.name, &args.answer.store, Purpose::Other)?;
    let versions = named.store.function_versions(&named.place, &named.reference.name);
    many(
        "function versions",
        "Versions",
        &named.hinted(versions)?,
        true,
        args.answer.json,
    )
}

fn many(
    question: &str,
    field: &str,
    functions: &[Function],
    with_versions: bool,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    print(|out| {
        if as_json {
            let items = functions
                .iter()
                .map(|one| shape::function_item(one, with_versions));
            let items: Vec<_> = items.collect();
            writeln!(out, "{}", document(question, json!({ field: items })))?;
        } else {
            show::table(out, functions, with_versions)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn get(args: &GetArgs) -> Result<ExitCode, Failure> {
    let named = Named::of(
        &args.name,
        args.qualifier.as_deref(),
        &args.answer.store,
        Purpose::Other,
    )?;
    let (store, place, name) = (&named.store, &named.place, &named.reference.name);
    let qualifier = named.reference.qualifier.as_deref();
    let function = named.hinted(store.function(place, name, qualifier))?;
    let tags = named.hinted(store.tags(place, name))?;
    let zip = store.function_code(&function);
    print(|out| {
        if args.answer.json {
            let url = zip.as_deref().map(location).unwrap_or_default();
            let body = shape::function_with_code(&function, qualifier.is_some(), &tags, &url);
            writeln!(out, "{}", document("function get", body))?;
        } else {
            show::function(out, &function, &tags, zip.as_deref())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn publish(args: &PublishArgs) -> Result<ExitCode, Failure> {
    let named = Named::whole(&args.name, &args.answer.store, Purpose::Other)?;
    let about = VersionOfFunction {
        code_sha256: args.code_sha256.clone(),
        description: args.description.clone(),
        revision_id: args.revision_id.clone(),
    };
    let published = named
        .store
        .publish_version(&named.place, &named.reference.name, about);
    named.answer(
        "function publish",
        &named.hinted(published)?,
        true,
        args.answer.json,
    )
}

fn delete(args: &DeleteArgs) -> Result<ExitCode, Failure> {
    let named = Named::of(
        &args.name,
        args.qualifier.as_deref(),
        &args.answer.store,
        Purpose::Delete,
    )?;
    let (store, place, name) = (&named.store, &named.place, &named.reference.name);
    let qualifier = named.reference.qualifier.as_deref();
    let was_there = match store.function(place, name, qualifier) {
        Ok(_) => true,
        Err(StoreError::NotFound(_)) => false,
        Err(error) => return Err(error.into()),
    };
    named.hinted(store.delete_function(place, name, qualifier))?;
    let word = qualifier.map_or_else(|| name.clone(), |qualifier| format!("{name}:{qualifier}"));
    print(|out| {
        match (args.answer.json, was_there) {
            (true, _) => {
                let body = json!({ "FunctionName": name, "Version": qualifier, "deleted": was_there });
                writeln!(out, "{}", document("function delete", body))?;
            }
            (false, true) => writeln!(out, "{word} is deleted")?,
            (false, false) => writeln!(out, "{word} was not there")?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

impl Named {
    fn of(word: &str, qualifier: Option<&str>, args: &StoreArgs, purpose: Purpose) -> Result<Named, Failure> {
        let (store, here) = (args.open()?, args.place()?);
        let reference = FunctionReference::check(word, qualifier, purpose)?;
        Ok(Named {
            place: reference.place(&here),
            store,
            here,
            reference,
        })
    }

    /// The same, where no version of it can be meant.
    fn whole(word: &str, args: &StoreArgs, purpose: Purpose) -> Result<Named, Failure> {
        let named = Named::of(word, None, args, purpose)?;
        match &named.reference.qualifier {
            None => Ok(named),
            Some(_) => {
                let message = format!("{word}: a version is named, where the function is expected");
                let name = &named.reference.name;
                Err(Failure::new(Class::Usage, message).hint(format_args!("leave it out: {name}")))
            }
        }
    }

    /// A function, as it was made or changed; `qualified` is whether its ARN says which version it is: where a function is made AWS's does
    /// not, even if a version was published at once.
    fn answer(
        &self,
        question: &str,
        function: &Function,
        qualified: bool,
        as_json: bool,
    ) -> Result<ExitCode, Failure> {
        print(|out| {
            match as_json {
                true => {
                    let body = shape::function(function, qualified);
                    writeln!(out, "{}", document(question, body))?;
                }
                false => {
                    let zip = self.store.function_code(function);
                    show::function(out, function, &Default::default(), zip.as_deref())?;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    /// What can be done about a refusal.
    fn hinted<T>(&self, answer: Result<T, StoreError>) -> Result<T, Failure> {
        answer.or_else(|error| {
            let name = &self.reference.name;
            let hint = match &error {
                StoreError::NotFound(_) => Some(self.nearby()?),
                StoreError::Conflict(_) => Some(format!("'optfs function update {name}' changes it")),
                StoreError::Precondition(_) => Some(format!(
                    "somebody has changed it since; 'optfs function get --json {name}' shows its revision"
                )),
                StoreError::Denied(_) => Some(format!(
                    "its owner grants it: optfs layer permit ARN --principal {} --statement-id ID; \
                     one that is not in this store is brought in: optfs layer import ARN --zip FILE",
                    self.place.account()
                )),
                _ => None,
            };
            let failure = Failure::from(error);
            Err(match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        })
    }

    /// What is here instead of what was not found.
    fn nearby(&self) -> Result<String, Failure> {
        let functions = self.store.functions(&self.place)?;
        let names: Vec<_> = functions.into_iter().map(|one| one.name).collect();
        let wanted = &self.reference.name;
        let near = super::published::near(wanted, &names);
        Ok(
            match (names.contains(wanted), near.is_empty(), names.is_empty()) {
                (true, ..) => format!("'optfs function versions {wanted}' lists its versions"),
                (false, false, _) => format!("near to it: {}", near.join(", ")),
                (false, true, false) => "'optfs function list' lists the functions there are".to_owned(),
                (false, true, true) => {
                    let (account, region) = (self.here.account(), self.here.region());
                    format!(
                        "account {account} has no functions in {region}; 'optfs function create' makes one"
                    )
                }
            },
        )
    }
}
