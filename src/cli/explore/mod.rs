//! `optfs explore`: a walk through a stack in the terminal. Its layers, the merged tree with who provides what,
//! and everything that is hidden in it.
//!
//! Keys go into [`state`], pictures come out of [`draw`], and only [`screen`] knows the terminal.

mod details;
mod draw;
mod facts;
mod keys;
mod layout;
mod page;
mod pattern;
mod preview;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod theme;
mod tree;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::failure::{Class, Failure};
use super::layers::{self, StackArgs};
use super::stack_view::View;
use crate::fs::{Fs, Options};
use keys::Action;
use screen::{Happening, Screen};
use state::State;
use theme::Theme;

/// Walk through a stack in the terminal, with all that is hidden
///
/// Moves with the arrow keys; '?' shows all keys. Nothing is mounted or extracted.
#[derive(Args)]
pub(super) struct ExploreArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Layer zips, first to last, behind those of --layer or --stack; and, as the last, a path in the tree to
    /// begin at
    #[arg(value_name = "ZIP|PATH")]
    names: Vec<PathBuf>,
}

pub(super) fn run(args: &ExploreArgs) -> Result<ExitCode, Failure> {
    refuse_without_terminal()?;
    let (zips, path) = divide(args)?;
    let stack = layers::open(&args.stack.paths(zips)?)?;
    let view = View {
        fs: Fs::new(Arc::new(stack), Options::default()),
    };
    let start = match path {
        None => None,
        Some(path) => {
            let ino = view.find(path)?;
            let node = view.fs.node(ino).map_err(|e| Failure::new(Class::Trouble, e))?;
            Some(node)
        }
    };
    let mut state = State::new(&view, Theme::from_environment(), (0, 0));
    if let Some(node) = start {
        state.go_to(&view.stack().path(node));
        if view.stack().is_directory(node) {
            state.act(Action::Right);
        }
    }
    let mut screen = Screen::take()?;
    walk(&mut state, &mut screen)?;
    Ok(ExitCode::SUCCESS)
}

/// Layers, and where to begin: the last name, unless it is a layer, or was meant to be a file.
fn divide(args: &ExploreArgs) -> Result<(&[PathBuf], Option<&PathBuf>), Failure> {
    match args.names.split_last() {
        Some((last, zips))
            if !last.is_file()
                && last.extension().is_none_or(|ext| ext != "zip")
                && args.stack.store.published(last)?.is_none() =>
        {
            Ok((zips, Some(last)))
        }
        _ => Ok((&args.names, None)),
    }
}

fn refuse_without_terminal() -> Result<(), Failure> {
    let refuse = |why| {
        Err(Failure::new(Class::Usage, why)
            .hint("'optfs tree', 'optfs ls' and 'optfs shadows' answer without a terminal"))
    };
    if !io::stdin().is_terminal() {
        return refuse("explore needs a terminal, and standard input is none");
    }
    if !io::stdout().is_terminal() {
        return refuse("explore needs a terminal, and standard output is none");
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return refuse("explore needs a terminal that can move its cursor, and TERM is 'dumb'");
    }
    Ok(())
}

fn walk(state: &mut State<'_>, screen: &mut Screen) -> io::Result<()> {
    while !state.has_ended() {
        state.resize(screen.size()?);
        screen.draw(|buffer| draw::draw(state, buffer))?;
        let mut happening = Some(screen.next()?);
        // What was typed faster than it can be drawn is drawn once.
        while let Some(happened) = happening {
            match happened {
                Happening::Gone => return Ok(()),
                Happening::Redraw => {}
                Happening::Key(key) => match keys::action(key, state.place()) {
                    Some(Action::Suspend) => screen.suspend()?,
                    Some(Action::Redraw) => screen.forget()?,
                    Some(action) => state.act(action),
                    None => {}
                },
            }
            if state.has_ended() {
                break;
            }
            happening = screen.next_at_hand()?;
        }
    }
    Ok(())
}
