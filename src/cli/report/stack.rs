//! What there is: the numbers at a glance, layers with their shares, Lambda's limits, what is largest.

use super::{Answers, ROWS, table};
use crate::cli::limits::limits;
use crate::cli::page::name;
use crate::cli::size::{counted, human, percent};
use crate::explain::Tally;
use crate::explain::check::Severity;
use crate::stack::{Body, NodeId};

impl Answers<'_> {
    /// The numbers that are looked at first.
    pub(super) fn figures(&self) -> String {
        let seen = self.weight.seen;
        let [_, unzipped, _] = limits(&self.weight);
        let (replaced, lost) = (self.shadows.replaced(), self.shadows.lost());
        let differing = replaced.differing.entries + lost.entries;
        let errors = self.count(Severity::Error);
        let torn = self.torn.torn.len();
        let figures = [
            (
                human(seen.bytes.bytes),
                format!("seen, in {}", counted(seen.files, "file")),
                "",
            ),
            (
                human(unzipped.limit.abs_diff(unzipped.used)),
                format!(
                    "{} Lambda's {} unzipped",
                    if unzipped.used > unzipped.limit {
                        "over"
                    } else {
                        "left of"
                    },
                    human(unzipped.limit)
                ),
                if unzipped.used > unzipped.limit { "bad" } else { "" },
            ),
            (
                (replaced.all().entries + lost.entries).to_string(),
                format!("names hidden, {differing} with other content"),
                if differing > 0 { "doubt" } else { "" },
            ),
            (
                format!("{:.1} %", self.waste.efficiency() * 100.0),
                format!("efficiency; {} wasted", human(self.waste.wasted_bytes)),
                "",
            ),
            (
                torn.to_string(),
                format!("torn, of {}", counted(self.torn.packages as u64, "package")),
                if torn > 0 { "bad" } else { "" },
            ),
            (
                errors.to_string(),
                format!(
                    "{}, {}, {}",
                    if errors == 1 { "error" } else { "errors" },
                    counted(self.count(Severity::Warning) as u64, "warning"),
                    counted(self.count(Severity::Note) as u64, "note")
                ),
                if errors > 0 { "bad" } else { "" },
            ),
        ];
        let figures = figures.map(|(number, words, class)| {
            format!("<li class=\"{class}\"><b>{number}</b> <span>{words}</span></li>\n")
        });
        format!("<ul class=\"figures\">\n{}</ul>\n", figures.concat())
    }

    pub(super) fn layers(&self) -> String {
        let all = self.weight.seen.bytes.bytes;
        let rows = self.weight.layers.iter().map(|its| {
            format!(
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td class=\"bar\">{}</td></tr>\n",
                self.layer(its.layer),
                its.entries,
                human(its.zipped_bytes),
                human(its.unzipped.bytes),
                human(its.seen.bytes),
                percent(its.seen.bytes, all),
                bar(its.seen.bytes, all, &format!("c{}", its.layer.index() % super::COLOURS)),
            )
        });
        let seen = self.weight.seen;
        format!(
            "<section id=\"layers\"><h2>Layers</h2>\n{}<p class=\"soft\">Merged: {}, {}, {}; {}. First to last: the last one wins.</p>\
             </section>\n",
            table(
                &["layer", "#entries", "#zipped", "#unzipped", "#seen", "#share", ""],
                rows
            ),
            counted(seen.files, "file"),
            counted(seen.directories, "directory"),
            counted(seen.symlinks, "symlink"),
            human(all)
        )
    }

    pub(super) fn limits(&self) -> String {
        let rows = limits(&self.weight).map(|limit| {
            let over = limit.used > limit.limit;
            format!(
                "<tr{}><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n left\">{}</td>\
                 <td class=\"bar\">{}</td></tr>\n",
                if over { " class=\"over\"" } else { "" },
                limit.text,
                limit.amount(limit.used),
                limit.amount(limit.limit),
                percent(limit.used, limit.limit),
                limit.left(),
                bar(limit.used, limit.limit, if over { "over" } else { "used" }),
            )
        });
        format!(
            "<section id=\"limits\"><h2>Lambda's limits</h2>\n{}<p class=\"soft\">The function's own code counts towards the second \
             limit, too. A zip above the third one goes through S3.</p></section>\n",
            table(&["", "#used", "#limit", "#share", "#left", ""], rows)
        )
    }

    pub(super) fn largest(&self) -> String {
        let (stack, all) = (self.view.stack(), self.weight.seen.bytes.bytes);
        let line = |path: String, bytes: u64| {
            format!(
                "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"bar\">{}</td><td>{path}</td></tr>\n",
                human(bytes),
                percent(bytes, all),
                bar(bytes, all, "used")
            )
        };
        let rows = &self.weight.directories;
        let shown = if rows.len() > ROWS + 1 { ROWS } else { rows.len() };
        let (heaviest, rest) = rows.split_at(shown);
        let directories = heaviest.iter().map(|row| {
            let itself = if row.is_whole {
                ""
            } else {
                " <small>itself</small>"
            };
            line(
                format!("{}{itself}", self.directory(row.directory)),
                row.tally.bytes,
            )
        });
        let more = (!rest.is_empty()).then(|| {
            let bytes = rest.iter().map(|row| row.tally).sum::<Tally>().bytes;
            line(
                format!("<span class=\"soft\">{} more directories</span>", rest.len()),
                bytes,
            )
        });
        let files = self.weight.files.iter().map(|&file| {
            let bytes = match stack.body(file) {
                Body::File(entry) | Body::Symlink(entry) => stack.entry(entry).declared_size,
                Body::Directory(_) => 0,
            };
            let path = name(&stack.path(file));
            let layer = self.badge(stack.provider(file));
            line(format!("{layer} <span class=\"path\">{path}</span>"), bytes)
        });
        let headings = ["#size", "#share", "", "path"];
        format!(
            "<section id=\"largest\"><h2>What is largest</h2>\n<h3>Directories, adding up to the whole</h3>\n{}<h3>Files</h3>\n{}</section>\n",
            table(&headings, directories.chain(more)),
            table(&headings, files)
        )
    }

    /// A directory's path, linked to its place in the picture.
    pub(super) fn directory(&self, directory: NodeId) -> String {
        match directory {
            NodeId::ROOT => "<span class=\"path\">/opt/</span>".to_owned(),
            _ => format!(
                "<span class=\"path\">{}/</span>",
                name(&self.view.stack().path(directory))
            ),
        }
    }
}

/// A part of a whole as a bar, at most as long as the whole.
pub(super) fn bar(part: u64, whole: u64, class: &str) -> String {
    let share = match whole {
        0 => 0.0,
        _ => (part as f64 * 100.0 / whole as f64).min(100.0),
    };
    format!("<i class=\"{class}\" style=\"width:{share:.1}%\"></i>")
}
