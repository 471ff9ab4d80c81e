//! `optfs torn`: packages whose files come from more than one layer or version, and what to do about them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Class, Failure};
use super::json;
use super::layers::StackArgs;
use super::printable::printable;
use super::size::counted;
use super::stack_view::{View, checked_path};
use super::terminal::{Out, print};
use crate::explain::Opt;
use crate::explain::torn::{Disagreement, Ecosystem, Findings, How, Installed, Nature, Torn, torn};
use crate::stack::LayerIdx;

/// Files of one sort that are named without --all.
const FEW: usize = 3;

/// Find packages torn between layers or versions
///
/// When one layer has a package in another version than a layer below it, the two are unzipped over each other, and
/// what the upper version does not have shows through from the lower one. Looked at are Python distributions, node
/// packages, jars in java/lib and gems. Exit status 1 when a package is torn.
#[derive(Args)]
pub(super) struct TornArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Hash every file of every Python distribution against its RECORD [default: only where layers differ]
    #[arg(long)]
    deep: bool,
    /// Name every file, not only the first ones
    #[arg(short, long)]
    all: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Only what has to do with this path, with or without /opt in front
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

pub(super) fn run(args: &TornArgs) -> Result<ExitCode, Failure> {
    let view = View::open(&args.stack)?;
    let below = args.path.as_deref().map_or(Ok(Vec::new()), checked_path)?;
    if view
        .stack()
        .find(below.split(|&b| b == b'/').filter(|part| !part.is_empty()))
        .is_none()
    {
        let message = format!("{}: no layer provides it", printable(&below));
        return Err(Failure::new(Class::No, message));
    }
    let tree = Opt::new(view.stack(), view.fs.content());
    let findings = torn(&tree, args.deep, &below);
    print(|out| {
        let answer = Answer {
            view: &view,
            all: args.all,
            findings: &findings,
        };
        match args.json {
            true => writeln!(out, "{}", answer.object())?,
            false => answer.print(out)?,
        }
        Ok(match findings.torn.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Class::No as u8),
        })
    })
}

struct Answer<'a> {
    view: &'a View,
    all: bool,
    findings: &'a Findings,
}

impl Answer<'_> {
    fn print(&self, out: &mut Out) -> Result<(), Failure> {
        for torn in &self.findings.torn {
            self.package(out, torn)?;
            writeln!(out)?;
        }
        if !self.findings.altered.is_empty() {
            let count = counted(self.findings.altered.len() as u64, "file");
            writeln!(
                out,
                "{count} not as RECORD says, in the layer of the RECORD itself (not torn)"
            )?;
            for altered in self.few(&self.findings.altered) {
                out.dim("  altered  ")?;
                writeln!(
                    out,
                    "/opt/{}  {}",
                    printable(&altered.path),
                    self.layer(altered.layer)
                )?;
            }
            self.rest(out, self.findings.altered.len())?;
            writeln!(out)?;
        }
        for unread in &self.findings.unread {
            out.dim("not read  ")?;
            let why = printable(unread.why.as_bytes());
            writeln!(
                out,
                "/opt/{}, {}: {why}",
                printable(&unread.path),
                self.layer(unread.entry.layer)
            )?;
        }
        let packages = counted(self.findings.packages as u64, "package");
        match self.findings.torn.len() {
            0 => writeln!(out, "no package is torn, of {packages}")?,
            1 => writeln!(out, "1 package is torn, of {packages}")?,
            count => writeln!(out, "{count} packages are torn, of {packages}")?,
        }
        Ok(())
    }

    fn package(&self, out: &mut Out, torn: &Torn) -> Result<(), Failure> {
        out.bold(&printable(torn.name.as_bytes()))?;
        writeln!(
            out,
            "  {}, in /opt/{}",
            ecosystem_words(torn.ecosystem),
            printable(&torn.place)
        )?;
        let width = torn
            .versions
            .iter()
            .map(|installed| installed.version.chars().count())
            .max()
            .unwrap_or(0);
        for (number, installed) in torn.versions.iter().enumerate() {
            out.dim(if number == 0 {
                "  versions  "
            } else {
                "            "
            })?;
            let version = printable(installed.version.as_bytes());
            let counts = match number + 1 == torn.versions.len() {
                true => format!("  {}", counts_words(torn)),
                false => String::new(),
            };
            writeln!(out, "{version:<width$}  {}{counts}", self.layer(installed.layer))?;
        }
        for how in [How::LeftOver, How::OtherContent, How::Missing] {
            let files: Vec<_> = torn.files.iter().filter(|file| file.how == how).collect();
            if !files.is_empty() {
                self.files(out, how, &files)?;
            }
        }
        if torn.files.is_empty() && torn.nature == Nature::Mixed {
            out.dim("  files     ")?;
            writeln!(
                out,
                "none is left over; only the versions' descriptions contradict"
            )?;
        }
        out.dim("  cure      ")?;
        // The sentence has two halves, and a line would be too long for both.
        Ok(writeln!(
            out,
            "{}",
            cure(self.view, torn).replacen(": ", ":\n            ", 1)
        )?)
    }

    fn files(&self, out: &mut Out, how: How, files: &[&Disagreement]) -> Result<(), Failure> {
        out.dim("  files     ")?;
        writeln!(out, "{} {}", counted(files.len() as u64, "file"), how_words(how))?;
        for file in self.few(files) {
            writeln!(out, "            /opt/{}", printable(&file.path))?;
        }
        self.rest(out, files.len())
    }

    fn few<'f, T>(&self, files: &'f [T]) -> &'f [T] {
        match self.all {
            true => files,
            false => &files[..files.len().min(FEW)],
        }
    }

    fn rest(&self, out: &mut Out, count: usize) -> Result<(), Failure> {
        if !self.all && count > FEW {
            out.dim(&format!(
                "            and {} more (--all names them)\n",
                count - FEW
            ))?;
        }
        Ok(())
    }

    fn layer(&self, layer: LayerIdx) -> String {
        format!("{} (layer {})", self.view.layer_name(layer), layer.index() + 1)
    }

    fn object(&self) -> Value {
        let torn = self.findings.torn.iter().map(|torn| self.torn_object(torn));
        let altered = self.findings.altered.iter().map(|altered| {
            let mut object = json::layer(self.view, altered.layer);
            object["package"] = json!(altered.name);
            json::put_name(&mut object, "path", &altered.path);
            object
        });
        let unread = self.findings.unread.iter().map(|unread| {
            let mut object = json::layer(self.view, unread.entry.layer);
            json::put_name(&mut object, "path", &unread.path);
            object["why"] = json!(unread.why);
            object
        });
        let body = json!({
            "packages": self.findings.packages,
            "torn": torn.collect::<Vec<_>>(),
            "altered": altered.collect::<Vec<_>>(),
            "unread": unread.collect::<Vec<_>>(),
        });
        json::document("torn", body)
    }

    fn torn_object(&self, torn: &Torn) -> Value {
        let versions = torn.versions.iter().enumerate().map(|(number, installed)| {
            let mut object = self.installed_object(installed);
            object["counts"] = json!(number + 1 == torn.versions.len());
            object
        });
        let files = torn.files.iter().map(|file| {
            let mut object = json::layer(self.view, file.layer);
            json::put_name(&mut object, "path", &file.path);
            object["how"] = json!(how_word(file.how));
            object
        });
        let layers = torn.layers();
        let layers = layers.iter().map(|&layer| json::layer(self.view, layer));
        let mut object = json!({
            "ecosystem": ecosystem_word(torn.ecosystem),
            "package": torn.name,
            "nature": match torn.nature {
                Nature::Mixed => "mixed",
                Nature::SideBySide => "side-by-side",
            },
            "layers": layers.collect::<Vec<_>>(),
            "versions": versions.collect::<Vec<_>>(),
            "files": files.collect::<Vec<_>>(),
            "cure": cure(self.view, torn),
        });
        json::put_name(&mut object, "place", &torn.place);
        object
    }

    fn installed_object(&self, installed: &Installed) -> Value {
        let mut object = json::layer(self.view, installed.layer);
        object["package_version"] = json!(installed.version);
        json::put_name(&mut object, "described_by", &installed.described_by);
        object
    }
}

/// What usually helps, with the layers' names.
pub(super) fn cure(view: &View, torn: &Torn) -> String {
    let name = printable(torn.name.as_bytes()).into_owned();
    let Some((counts, lower)) = torn.versions.split_last() else {
        return String::new();
    };
    let others: Vec<_> = torn
        .layers()
        .into_iter()
        .filter(|&layer| layer != counts.layer)
        .map(|layer| view.layer_name(layer))
        .collect();
    let keep = view.layer_name(counts.layer);
    match (torn.nature, others.is_empty()) {
        (_, true) => format!("install {name} once in {keep}, into an empty directory"),
        (Nature::SideBySide, false) => {
            let wanted = lower.last().map_or("", |installed| installed.version.as_str());
            format!(
                "keep one version: take {name} out of {}, or of {keep} if {} is wanted",
                others.join(" and "),
                printable(wanted.as_bytes())
            )
        }
        (Nature::Mixed, false) => format!(
            "keep {name} in {keep} alone: leave it out of {}",
            others.join(" and ")
        ),
    }
}

pub(super) fn ecosystem_words(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Python => "a Python distribution",
        Ecosystem::Node => "a node package",
        Ecosystem::Java => "jars of one artifact",
        Ecosystem::Ruby => "a gem",
    }
}

fn ecosystem_word(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Python => "python",
        Ecosystem::Node => "node",
        Ecosystem::Java => "java",
        Ecosystem::Ruby => "ruby",
    }
}

/// Why the last version is the one that the others are held against.
pub(super) fn counts_words(torn: &Torn) -> &'static str {
    match (torn.nature, torn.ecosystem) {
        (Nature::SideBySide, Ecosystem::Java) => "first on the class path, by name",
        (Nature::SideBySide, _) => "loaded: the highest version",
        (Nature::Mixed, _) => "counts: the uppermost layer",
    }
}

pub(super) fn how_words(how: How) -> &'static str {
    match how {
        How::LeftOver => "left over from a lower version",
        How::OtherContent => "with other content than that version has",
        How::Missing => "missing, hidden by another layer",
    }
}

fn how_word(how: How) -> &'static str {
    match how {
        How::LeftOver => "left-over",
        How::OtherContent => "other-content",
        How::Missing => "missing",
    }
}
