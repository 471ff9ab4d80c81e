//! What is torn, and what a check found: by rule, with reasons and cures.

use std::collections::BTreeMap;

use super::{Answers, and_more};
use crate::cli::page::{escaped, name};
use crate::cli::printable::printable;
use crate::cli::size::counted;
use crate::cli::torn::{counts_words, cure, ecosystem_words, how_words};
use crate::explain::check::{Finding, Severity};
use crate::explain::torn::{How, Nature, Torn};

/// Packages that a page has room for.
const MOST: usize = 100;
/// Places of one rule, or files of one package, that are named.
const PLACES: usize = 10;

impl Answers<'_> {
    pub(super) fn torn_packages(&self) -> String {
        let torn = &self.torn.torn;
        let mut html = String::from("<section id=\"torn\"><h2>Torn packages</h2>\n");
        let packages = counted(self.torn.packages as u64, "package");
        html += &match torn.len() {
            0 => format!("<p>No package is torn, of {packages}.</p>\n"),
            _ => format!(
                "<p>{} of {packages}: one version unzipped over another, so that what the upper one does not have shows through \
                 from the lower one.</p>\n",
                torn.len()
            ),
        };
        if !torn.is_empty() {
            let articles: String = torn
                .iter()
                .take(MOST)
                .map(|torn| self.torn_package(torn))
                .collect();
            html += &format!("<div class=\"articles\">\n{articles}</div>\n");
        }
        html += &and_more(torn.len().saturating_sub(MOST), "packages", "optfs torn");
        for unread in &self.torn.unread {
            html += &format!(
                "<p class=\"soft\">Not read: {} <span class=\"path\">{}</span>, {}</p>\n",
                self.badge(unread.entry.layer),
                name(&unread.path),
                name(unread.why.as_bytes())
            );
        }
        html + "</section>\n"
    }

    fn torn_package(&self, torn: &Torn) -> String {
        let mut html = format!(
            "<article><h3>{} <small>{}, in <span class=\"path\">/opt/{}</span></small></h3>\n<ul>",
            name(torn.name.as_bytes()),
            ecosystem_words(torn.ecosystem),
            name(&torn.place)
        );
        for (number, installed) in torn.versions.iter().enumerate() {
            let counts = match number + 1 == torn.versions.len() {
                true => format!(" <small>{}</small>", counts_words(torn)),
                false => String::new(),
            };
            let (version, layer) = (name(installed.version.as_bytes()), self.layer(installed.layer));
            html += &format!("<li>{version} of {layer}{counts}</li>");
        }
        html += "</ul>\n";
        for how in [How::LeftOver, How::OtherContent, How::Missing] {
            let files: Vec<_> = torn.files.iter().filter(|file| file.how == how).collect();
            if files.is_empty() {
                continue;
            }
            let named = files.iter().take(PLACES).map(|file| {
                let (layer, path) = (self.badge(file.layer), name(&file.path));
                format!("<li>{layer} <span class=\"path\">{path}</span></li>")
            });
            html += &format!(
                "<details><summary>{} {}</summary>\n<ul>{}</ul>\n{}</details>\n",
                counted(files.len() as u64, "file"),
                how_words(how),
                named.collect::<String>(),
                and_more(files.len().saturating_sub(PLACES), "files", "optfs torn --all")
            );
        }
        if torn.files.is_empty() && torn.nature == Nature::Mixed {
            html += "<p>No file is left over; only the versions' descriptions contradict.</p>\n";
        }
        let cure = escaped(&cure(self.view, torn));
        html + &format!("<p><b>Cure</b> {cure}</p></article>\n")
    }

    pub(super) fn checked(&self) -> String {
        let mut html = String::from("<section id=\"findings\"><h2>Findings</h2>\n");
        if self.findings.is_empty() {
            return html + "<p>Nothing wrong or doubtful was found.</p></section>\n";
        }
        let mut by_rule: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            let key = (std::cmp::Reverse(finding.rule.severity), finding.rule.code);
            by_rule.entry(key).or_default().push(finding);
        }
        html.extend(by_rule.into_values().map(|findings| self.rule(&findings)));
        html + "<p class=\"soft\"><code>optfs check --deep</code> also verifies every entry's content.</p></section>\n"
    }

    /// What one rule found. There is something of it.
    fn rule(&self, findings: &[&Finding]) -> String {
        let rule = findings[0].rule;
        let places = findings.iter().take(PLACES).map(|finding| {
            let place = &finding.place;
            let layer = place.layer.map_or_else(String::new, |layer| self.badge(layer));
            let at = match (&place.entry, place.offset) {
                (Some(entry), _) => format!("<span class=\"path\">{}</span>: ", name(entry)),
                (None, Some(offset)) => format!("at byte {offset}: "),
                (None, None) => String::new(),
            };
            let found = escaped(&printable(finding.found.as_bytes()));
            format!("<li>{layer} {at}{found}</li>")
        });
        let word = rule.severity.word();
        format!(
            "<details{}><summary><span><b class=\"{word}\">{word}</b> <code>{}</code> {}</span> <span class=\"counts\">{}</span></summary>\n\
             <ul>{}</ul>\n{}<p><b>Why</b> {}</p><p><b>Cure</b> {}</p></details>\n",
            if rule.severity == Severity::Error {
                " open"
            } else {
                ""
            },
            rule.code,
            escaped(rule.title),
            counted(findings.len() as u64, "time"),
            places.collect::<String>(),
            and_more(
                findings.len().saturating_sub(PLACES),
                "places",
                "optfs check --all"
            ),
            escaped(rule.why),
            escaped(rule.cure)
        )
    }

    /// How many findings there are of a severity.
    pub(super) fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.rule.severity == severity;
        self.findings.iter().filter(of_it).count()
    }
}
