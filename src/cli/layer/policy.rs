//! `optfs layer permit`, `revoke` and `policy`: which other accounts may use a layer version.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::numbered;
use crate::cli::failure::{Class, Failure};
use crate::cli::json::document;
use crate::cli::published::{AnswerArgs, StoreArgs, unknown};
use crate::cli::terminal::print;
use crate::store::{LayerName, Permission, Place, Reference, Store, StoreError};

/// Let another account use a version of a layer
///
/// It can then have the version in its functions, and read it from 'optfs serve'. Stacks on this machine may name any version
/// of the store, granted or not.
#[derive(Args)]
pub(super) struct PermitArgs {
    /// The version: NAME:3 or its ARN
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    /// What the statement is called, to revoke it by
    #[arg(long, value_name = "ID")]
    statement_id: String,
    /// Who: an account of twelve digits, its ARN, or '*' for everybody
    #[arg(long, value_name = "ACCOUNT")]
    principal: String,
    /// With --principal '*': only accounts of this organization
    #[arg(long, value_name = "ID")]
    organization_id: Option<String>,
    /// What it allows: this alone, as on AWS
    #[arg(
        long,
        value_name = "ACTION",
        default_value = "lambda:GetLayerVersion",
        hide = true
    )]
    action: String,
    #[command(flatten)]
    guard: GuardArgs,
}

/// Take a statement out of the policy of a layer version
#[derive(Args)]
pub(super) struct RevokeArgs {
    /// The version: NAME:3 or its ARN
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    /// The statement
    #[arg(long, value_name = "ID")]
    statement_id: String,
    #[command(flatten)]
    guard: GuardArgs,
}

/// Show who may use a version of a layer
#[derive(Args)]
pub(super) struct PolicyArgs {
    /// The version: NAME:3 or its ARN
    #[arg(value_name = "NAME:VERSION")]
    name: String,
    #[command(flatten)]
    answer: AnswerArgs,
}

#[derive(Args)]
struct GuardArgs {
    /// Only if the policy is still of this revision
    #[arg(long, value_name = "ID")]
    revision_id: Option<String>,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// A version that a word names, and where.
struct Named {
    store: Store,
    here: Place,
    reference: Reference,
    place: Place,
    number: u64,
}

pub(super) fn permit(args: &PermitArgs) -> Result<ExitCode, Failure> {
    let permission = Permission {
        statement_id: args.statement_id.clone(),
        action: args.action.clone(),
        principal: args.principal.clone(),
        organization_id: args.organization_id.clone(),
    };
    permission.check()?;
    let named = Named::of(&args.name, &args.guard.answer.store)?;
    let revision = args.guard.revision_id.as_deref();
    let granted =
        named.ask(|store, place, name, number| store.permit(place, name, number, &permission, revision))?;
    print(|out| {
        match args.guard.answer.json {
            true => {
                let body = json!({ "Statement": granted.statement, "RevisionId": granted.revision_id });
                writeln!(out, "{}", document("layer permit", body))?;
            }
            false => writeln!(
                out,
                "{} may use {}:{}",
                who(&permission),
                named.reference.name,
                named.number
            )?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn revoke(args: &RevokeArgs) -> Result<ExitCode, Failure> {
    let named = Named::of(&args.name, &args.guard.answer.store)?;
    let (id, revision) = (&args.statement_id, args.guard.revision_id.as_deref());
    named.ask(|store, place, name, number| store.revoke(place, name, number, id, revision))?;
    print(|out| {
        match args.guard.answer.json {
            true => writeln!(out, "{}", document("layer revoke", json!({ "StatementId": id })))?,
            false => writeln!(
                out,
                "{id} is taken out of the policy of {}:{}",
                named.reference.name, named.number
            )?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn policy(args: &PolicyArgs) -> Result<ExitCode, Failure> {
    let named = Named::of(&args.name, &args.answer.store)?;
    let policy = named.ask(Store::policy)?;
    print(|out| {
        if args.answer.json {
            let body = json!({ "Policy": policy.text, "RevisionId": policy.revision_id });
            writeln!(out, "{}", document("layer policy", body))?;
            return Ok(ExitCode::SUCCESS);
        }
        let ids = policy.permissions.iter().map(|one| one.statement_id.len());
        let width = ids.max().unwrap_or(0);
        for permission in &policy.permissions {
            out.bold(&format!("{:<width$}", permission.statement_id))?;
            writeln!(out, "  {}", who(permission))?;
        }
        out.dim(&format!("revision {}", policy.revision_id))?;
        writeln!(out)?;
        Ok(ExitCode::SUCCESS)
    })
}

impl Named {
    fn of(word: &str, args: &StoreArgs) -> Result<Named, Failure> {
        let (store, here) = (args.open()?, args.place()?);
        let (reference, number) = numbered(word)?;
        let place = reference.place.clone().unwrap_or_else(|| here.clone());
        Ok(Named {
            store,
            here,
            reference,
            place,
            number,
        })
    }

    /// Asks the store, and says what there is instead of a version that is not there.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&Store, &Place, &LayerName, u64) -> Result<T, StoreError>,
    ) -> Result<T, Failure> {
        let (store, name) = (&self.store, &self.reference.name);
        ask(store, &self.place, name, self.number).or_else(|error| {
            let is_missing = matches!(error, StoreError::NotFound(_))
                && matches!(
                    store.version(&self.place, name, self.number),
                    Err(StoreError::NotFound(_))
                );
            if is_missing {
                return Err(unknown(store, &self.here, &self.reference)?.of_class(Class::No));
            }
            let short = format!("{name}:{}", self.number);
            Err(match error {
                StoreError::Precondition(_) => {
                    Failure::from(error).hint(format_args!("'optfs layer policy {short}' shows the revision"))
                }
                StoreError::NotFound(_) | StoreError::Conflict(_) => Failure::from(error).hint(format_args!(
                    "'optfs layer permit {short}' adds statements, 'revoke' removes them, 'policy' lists them"
                )),
                _ => error.into(),
            })
        })
    }
}

/// Whom a statement means.
fn who(permission: &Permission) -> String {
    match (permission.principal.as_str(), &permission.organization_id) {
        ("*", None) => "everybody".to_owned(),
        ("*", Some(organization)) => format!("every account of organization {organization}"),
        (account, None) => format!("account {account}"),
        (account, Some(organization)) => format!("account {account}, if of organization {organization},"),
    }
}
