//! `optfs resolve`: what a runtime would really load for a name, and what it passes over.

mod search_path;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::printable::printable;
use super::stack_view::View;
use super::terminal::{Out, each, print};
use crate::explain::resolve::{
    Candidate, Failure as Unfound, Machine, Note, Place, Resolution, Stage, Verdict, resolve,
};
use crate::explain::{Opt, Unread};
use crate::launch::runtime::Runtime;
use crate::stack::NodeId;
use search_path::SearchPath;

/// Say what a runtime would load for a name, and what it passes over
///
/// A module to import, a package to require, a class, a gem's file; or with --command and --library what is found
/// on PATH and LD_LIBRARY_PATH. The order is that of Lambda, where the function's own code comes first; steps
/// outside the layers are named, not searched.
///
/// Exit status 1 when the layers do not provide one of the names.
#[derive(Args)]
pub(super) struct ResolveArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// The runtime, such as python3.12 or nodejs22.x [default: the function's]
    #[arg(long, required_unless_present_any = ["command", "library", "template", "function"])]
    runtime: Option<Runtime>,
    /// Look for a command, in /opt/bin
    #[arg(long, conflicts_with = "library")]
    command: bool,
    /// Look for a shared object, in /opt/lib
    #[arg(long)]
    library: bool,
    /// What shared objects and Python's extension modules are compiled for
    #[arg(long, value_enum, default_value = "x86_64")]
    arch: Arch,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// What is imported, required or called (can be repeated)
    #[arg(required = true, value_name = "NAME")]
    names: Vec<OsString>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "arm64")]
    Arm64,
}

impl Arch {
    fn machine(self) -> Machine {
        match self {
            Arch::X86_64 => Machine::X86_64,
            Arch::Arm64 => Machine::Arm64,
        }
    }
}

pub(super) fn run(args: &ResolveArgs) -> Result<ExitCode, Failure> {
    let machine = args.arch.machine();
    let (view, function) = View::open_with_function(&args.stack)?;
    let runtime = args.runtime.or(function.and_then(|function| function.runtime));
    let search = match runtime {
        _ if args.command => search_path::of_commands(),
        _ if args.library => search_path::of_libraries(machine),
        Some(runtime) => search_path::of_runtime(runtime, machine)?,
        None => {
            return Err(
                Failure::new(Class::Usage, "no runtime is named").hint("name one: --runtime python3.12")
            );
        }
    };
    let tree = Opt::new(view.stack(), view.fs.content());
    print(|out| {
        each(out, args.names.iter().enumerate(), |out, (number, name)| {
            let name = name.as_bytes();
            check(&search, name)?;
            let resolution = resolve(&tree, search.wanted, &search.places, name);
            let answer = Answer {
                view: &view,
                runtime,
                name,
                resolution: &resolution,
            };
            match args.json {
                true => writeln!(out, "{}", answer.object())?,
                false => {
                    if number > 0 {
                        writeln!(out)?;
                    }
                    answer.print(out)?;
                }
            }
            Ok(match resolution.is_found() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(Class::No as u8),
            })
        })
    })
}

/// What cannot be a name is a slip, not a name that is not found.
fn check(search: &SearchPath, name: &[u8]) -> Result<(), Failure> {
    use crate::explain::resolve::Wanted;
    let refuse = |why: &str| {
        let message = format!("{}: {why}", printable(name));
        Err(Failure::new(Class::Usage, message))
    };
    match search.wanted {
        _ if name.is_empty() || name.contains(&0) => refuse("no name"),
        Wanted::Python { .. } if name.contains(&b'/') => {
            refuse("not a module's name: its parts are joined by dots, as in 'import a.b'")
        }
        Wanted::Python { .. } if name.split(|&b| b == b'.').any(<[u8]>::is_empty) => {
            refuse("not a module's whole name: a part of it is empty")
        }
        Wanted::Node { .. }
            if name.starts_with(b"/") || name.starts_with(b"./") || name.starts_with(b"../") =>
        {
            refuse("a path is not looked for on NODE_PATH; name a package")
        }
        Wanted::File(_) if name.contains(&b'/') => {
            refuse("a path is not looked for on a search path; name the file alone")
        }
        Wanted::Python { .. } | Wanted::Node { .. } | Wanted::Java | Wanted::Ruby | Wanted::File(_) => Ok(()),
    }
}

struct Answer<'a> {
    view: &'a View,
    runtime: Option<Runtime>,
    name: &'a [u8],
    resolution: &'a Resolution,
}

impl Answer<'_> {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        out.name(self.name)?;
        writeln!(out)?;
        let Some((last, before)) = self.resolution.stages.split_last() else {
            return Ok(());
        };
        for stage in before {
            let found: Vec<_> = stage
                .winners()
                .map(|winner| self.place_of(&winner.path))
                .collect();
            out.dim("  in      ")?;
            writeln!(out, "{}", found.join(", "))?;
        }
        for winner in last.winners() {
            out.bold("  loads   ")?;
            writeln!(out, "{}", self.place_of(&winner.path))?;
            writeln!(out, "          {}", self.describe(winner))?;
        }
        if let Some(failure) = &last.failure {
            out.bold("  no      ")?;
            writeln!(out, "{}", words::failure(failure))?;
        }
        self.search(out, last)?;
        for near in &self.resolution.near {
            out.dim("  near    ")?;
            writeln!(out, "{}", self.place_of(&near.path))?;
            writeln!(
                out,
                "          {}: {}",
                self.layer(near.node),
                words::why(near.why)
            )?;
        }
        for note in &self.resolution.notes {
            out.dim("  note    ")?;
            writeln!(out, "{}", words::note(note))?;
        }
        for Unread { path, why, .. } in &self.resolution.unread {
            out.dim("  unread  ")?;
            writeln!(out, "{}: {}", self.place_of(path), printable(why.as_bytes()))?;
        }
        Ok(())
    }

    /// The whole search path, what was found below each place of it.
    fn search(&self, out: &mut Out, stage: &Stage) -> Result<(), Failure> {
        let winner = stage.winners().map(|winner| winner.place).min();
        let width = stage
            .places
            .iter()
            .map(|place| shown(place).chars().count())
            .max();
        let width = width.unwrap_or(0);
        for (number, place) in stage.places.iter().enumerate() {
            out.dim(if number == 0 { "  search  " } else { "          " })?;
            let mut here = stage
                .candidates
                .iter()
                .filter(|candidate| candidate.place == number);
            let remark = match place {
                Place::Outside { holds, .. } => words::outside(holds, winner.map(|winner| number < winner)),
                Place::Layers(_) => match here.next() {
                    None => "nothing".to_owned(),
                    Some(first) => words::verdict(first.verdict).to_owned(),
                },
            };
            writeln!(out, "{:<width$}  {remark}", shown(place))?;
        }
        let passed = stage.candidates.iter().filter(|candidate| !is_winner(candidate));
        for candidate in passed {
            out.dim("  passed  ")?;
            writeln!(out, "{}", self.place_of(&candidate.path))?;
            let why = words::verdict(candidate.verdict);
            writeln!(out, "          {}: {why}", self.layer(candidate.node))?;
        }
        Ok(())
    }

    fn describe(&self, candidate: &Candidate) -> String {
        let mut text = format!("{}  {}", self.layer(candidate.node), words::kind(candidate.kind));
        if let Some(version) = &candidate.version {
            text.push_str(&format!(", version {}", printable(version.as_bytes())));
        }
        text
    }

    fn layer(&self, node: NodeId) -> String {
        let layer = self.view.stack().provider(node);
        format!("{} (layer {})", self.view.layer_name(layer), layer.index() + 1)
    }

    fn place_of(&self, path: &[u8]) -> String {
        format!("/opt/{}", printable(path))
    }

    fn object(&self) -> Value {
        let stages: Vec<_> = self
            .resolution
            .stages
            .iter()
            .map(|stage| self.stage(stage))
            .collect();
        let loads: Vec<_> = match (self.resolution.is_found(), self.resolution.stages.last()) {
            (true, Some(last)) => last
                .winners()
                .map(|winner| self.candidate(winner, last))
                .collect(),
            _ => Vec::new(),
        };
        let near = self.resolution.near.iter().map(|near| {
            let mut object = self.node(near.node, &near.path);
            object["why"] = json!(words::why_word(near.why));
            object
        });
        let unread = self.resolution.unread.iter().map(|unread| {
            let mut object = json::layer(self.view, unread.entry.layer);
            json::put_name(&mut object, "path", &unread.path);
            object["why"] = json!(unread.why);
            object
        });
        let mut answer = json!({
            "runtime": self.runtime.map(Runtime::identifier),
            "found": self.resolution.is_found(),
            "loads": loads,
            "stages": stages,
            "near": near.collect::<Vec<_>>(),
            "notes": self.resolution.notes.iter().map(note_object).collect::<Vec<_>>(),
            "unread": unread.collect::<Vec<_>>(),
        });
        json::put_name(&mut answer, "name", self.name);
        json::document("resolve", answer)
    }

    fn stage(&self, stage: &Stage) -> Value {
        let places = stage.places.iter().map(|place| match place {
            Place::Layers(_) => json!({ "place": shown(place), "outside": false }),
            Place::Outside { holds, .. } => {
                json!({ "place": shown(place), "outside": true, "holds": holds })
            }
        });
        let candidates = stage
            .candidates
            .iter()
            .map(|candidate| self.candidate(candidate, stage));
        let mut object = json!({
            "search": places.collect::<Vec<_>>(),
            "candidates": candidates.collect::<Vec<_>>(),
            "failure": stage.failure.as_ref().map(failure_object),
        });
        json::put_name(&mut object, "name", &stage.name);
        object
    }

    fn candidate(&self, candidate: &Candidate, stage: &Stage) -> Value {
        let mut object = self.node(candidate.node, &candidate.path);
        object["kind"] = json!(words::kind_word(candidate.kind));
        object["place"] = json!(stage.places.get(candidate.place).map(shown));
        object["package_version"] = json!(candidate.version);
        let (verdict, reason) = match candidate.verdict {
            Verdict::Loads => ("loads", None),
            Verdict::Portion => ("portion", None),
            Verdict::PassedOver(reason) => ("passed-over", Some(words::reason_word(reason))),
        };
        object["verdict"] = json!(verdict);
        object["reason"] = json!(reason);
        object
    }

    fn node(&self, node: NodeId, path: &[u8]) -> Value {
        let mut object = json::layer(self.view, self.view.stack().provider(node));
        json::put_name(&mut object, "path", path);
        object
    }
}

fn is_winner(candidate: &Candidate) -> bool {
    !matches!(candidate.verdict, Verdict::PassedOver(_))
}

/// A place as Lambda has it.
fn shown(place: &Place) -> String {
    match place {
        Place::Layers(directory) => format!("/opt/{}", printable(directory)),
        Place::Outside { path, .. } => path.clone(),
    }
}

fn failure_object(failure: &Unfound) -> Value {
    let mut object = json!({ "why": words::failure_word(failure) });
    match failure {
        Unfound::NotFound | Unfound::BuiltIn => {}
        Unfound::NotAPackage { path } | Unfound::BadPackageJson { path } | Unfound::NotElf { path } => {
            json::put_name(&mut object, "path", path);
        }
        Unfound::NotExported { path, subpath } => {
            json::put_name(&mut object, "path", path);
            object["subpath"] = json!(subpath);
        }
        Unfound::NamedFileMissing { path, target } => {
            json::put_name(&mut object, "path", path);
            object["target"] = json!(target);
        }
    }
    object
}

fn note_object(note: &Note) -> Value {
    let (about, paths) = match note {
        Note::SeveralVersions(versions) => {
            return json!({ "about": "several-versions", "versions": versions });
        }
        Note::PthFiles(paths) => ("pth-files", paths.as_slice()),
        Note::ExtendsPath(path) => ("extends-path", std::slice::from_ref(path)),
        Note::EsModule(path) => ("es-module", std::slice::from_ref(path)),
    };
    let paths = paths.iter().map(|path| {
        let mut object = json!({});
        json::put_name(&mut object, "path", path);
        object
    });
    json!({ "about": about, "paths": paths.collect::<Vec<_>>() })
}
