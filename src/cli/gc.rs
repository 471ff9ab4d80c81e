//! `optfs gc`: what is unused in the store freed.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::json::document;
use super::published::AnswerArgs;
use super::size::{counted, human};
use super::terminal::print;

/// Free the published zips that no layer or function has any more
///
/// Waits until nobody publishes. Takes what killed publishers have left, too. Mounts that are under way keep their bytes.
#[derive(Args)]
pub(super) struct GcArgs {
    #[command(flatten)]
    answer: AnswerArgs,
}

pub(super) fn run(args: &GcArgs) -> Result<ExitCode, Failure> {
    let freed = args.answer.store.open()?.collect()?;
    print(|out| {
        if args.answer.json {
            let body = json!({ "zips": freed.zips, "size": freed.bytes, "unfinished": freed.unfinished });
            writeln!(out, "{}", document("gc", body))?;
        } else {
            write!(
                out,
                "{} freed, {}",
                counted(freed.zips, "zip"),
                human(freed.bytes)
            )?;
            match freed.unfinished {
                0 => writeln!(out)?,
                left => writeln!(out, "; {} of killed publishers", counted(left, "file"))?,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
