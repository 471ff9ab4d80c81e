//! Who hides what: pairs of layers with the directories where most of it lies, and conflicts of kind apart.

use super::{Answers, ROWS, and_more, table};
use crate::cli::ls::kind_word;
use crate::cli::page::name;
use crate::cli::size::{counted, human};
use crate::cli::which::kind_of;
use crate::explain::{self, Compared, Conflict, Pair};

/// Pairs of layers, or conflicts, that a page has room for.
const MOST: usize = 100;

impl Answers<'_> {
    pub(super) fn hidden(&self) -> String {
        let mut html = String::from("<section id=\"hidden\"><h2>Who hides what</h2>\n");
        if self.shadows.is_empty() {
            return html + "<p>Nothing is hidden: no layer has a file that another one has.</p></section>\n";
        }
        let replaced = self.shadows.replaced();
        if !self.shadows.pairs.is_empty() {
            html += &format!(
                "<p>{} hidden: {} identical to what is seen, {} with other content; {} unzipped, {} zipped. \
                 Identical costs room and no more; what differs is what another program will find.</p>\n",
                counted(replaced.all().entries, "file"),
                replaced.identical.entries,
                replaced.differing.entries,
                human(replaced.all().bytes),
                human(replaced.all().compressed_bytes),
            );
        }
        let most = self
            .shadows
            .pairs
            .iter()
            .map(|pair| pair.tally.all().entries)
            .max();
        let mut pairs: Vec<&Pair> = self.shadows.pairs.iter().collect();
        // What may change a program comes first.
        pairs.sort_by_key(|pair| {
            std::cmp::Reverse((pair.tally.differing.entries, pair.tally.identical.entries))
        });
        for pair in pairs.iter().take(MOST) {
            html += &self.pair(pair, most.unwrap_or(0));
        }
        html += &and_more(
            pairs.len().saturating_sub(MOST),
            "pairs of layers",
            "optfs shadows",
        );
        html += &self.conflicts();
        html + "</section>\n"
    }

    fn pair(&self, pair: &Pair, most: u64) -> String {
        let stack = self.view.stack();
        let directly = pair
            .replaced
            .iter()
            .map(|replaced| (stack.parent(replaced.node), Compared::of(stack, replaced)));
        let rows = explain::spread(stack, directly, |compared| compared.all().entries, ROWS);
        let shown = if rows.len() > ROWS + 1 { ROWS } else { rows.len() };
        let (heaviest, rest) = rows.split_at(shown);
        let lines = heaviest.iter().map(|row| {
            let itself = if row.is_whole {
                ""
            } else {
                " <small>itself</small>"
            };
            line(&format!("{}{itself}", self.directory(row.directory)), row.tally)
        });
        let more = (!rest.is_empty()).then(|| {
            let sum = rest.iter().fold(Compared::default(), |mut sum, row| {
                sum += row.tally;
                sum
            });
            let words = format!("<span class=\"soft\">{} more directories</span>", rest.len());
            line(&words, sum)
        });
        let who = match pair.hidden == pair.seen {
            true => format!("{} under later entries of its own", self.layer(pair.hidden)),
            false => format!(
                "{} <span class=\"soft\">under</span> {}",
                self.layer(pair.hidden),
                self.layer(pair.seen)
            ),
        };
        let (identical, differing) = (pair.tally.identical.entries, pair.tally.differing.entries);
        let width = |count: u64| count as f64 * 100.0 / most.max(1) as f64;
        format!(
            "<details><summary><span>{who}</span> <span class=\"counts\"><b>{differing}</b> differ, <b>{identical}</b> identical</span>\
             <span class=\"bar\"><i class=\"differs\" style=\"width:{:.1}%\"></i><i class=\"same\" style=\"width:{:.1}%\"></i></span>\
             </summary>\n{}</details>\n",
            width(differing),
            width(identical),
            table(
                &["directory", "#differ", "#identical", "#size"],
                lines.chain(more)
            )
        )
    }

    fn conflicts(&self) -> String {
        let conflicts = &self.shadows.conflicts;
        if conflicts.is_empty() {
            return String::new();
        }
        let lost = self.shadows.lost();
        let rows = conflicts
            .iter()
            .take(MOST)
            .map(|conflict| self.conflict(conflict));
        format!(
            "<h3>Conflicts of kind</h3>\n<p>{}, where layers do not agree whether a file, a link or a directory stands there: \
             {} lost, {}.</p>\n{}{}",
            counted(conflicts.len() as u64, "place"),
            counted(lost.entries, "name"),
            human(lost.bytes),
            table(&["path", "seen", "gave way", "#lost", "#size"], rows),
            and_more(conflicts.len().saturating_sub(MOST), "conflicts", "optfs shadows")
        )
    }

    fn conflict(&self, conflict: &Conflict) -> String {
        let gave_way: Vec<String> = conflict
            .gave_way
            .iter()
            .map(|gave_way| {
                format!(
                    "{} {}",
                    self.badge(gave_way.layer),
                    kind_word(kind_of(gave_way.kind))
                )
            })
            .collect();
        let lost = conflict.gave_way.iter().map(|gave_way| gave_way.lost);
        let lost: explain::Tally = lost.sum();
        format!(
            "<tr><td class=\"path\">{}</td><td>{} {}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            name(&self.view.stack().path(conflict.node)),
            self.badge(conflict.seen),
            kind_word(kind_of(conflict.kind)),
            gave_way.join("<br>"),
            lost.entries,
            human(lost.bytes)
        )
    }
}

fn line(directory: &str, compared: Compared) -> String {
    format!(
        "<tr><td>{directory}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        compared.differing.entries,
        compared.identical.entries,
        human(compared.all().bytes)
    )
}
