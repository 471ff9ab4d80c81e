//! Jars of one artifact in two versions: Lambda puts every jar of `java/lib` on the class path, in the order of
//! their names, so that both are there and the layers' order says nothing.

use std::collections::BTreeMap;

use super::{Ecosystem, Findings, Installed, Nature, Torn};
use crate::explain::opt::{Opt, below};
use crate::explain::resolve::{jars, version_of};

const PLACE: &[u8] = b"java/lib";

pub(super) fn find(tree: &Opt<'_>, findings: &mut Findings) {
    let mut artifacts: BTreeMap<String, Vec<Installed>> = BTreeMap::new();
    for jar in jars(tree, PLACE) {
        findings.packages += 1;
        if let Some((artifact, version)) = version_of(&jar.name) {
            artifacts.entry(artifact).or_default().push(Installed {
                version,
                described_by: below(PLACE, &jar.name),
                layer: jar.entry.layer,
            });
        }
    }
    for (name, mut versions) in artifacts {
        let Some(first) = versions
            .first()
            .map(|installed| number(&installed.version).to_owned())
        else {
            continue;
        };
        if versions
            .iter()
            .all(|installed| number(&installed.version) == first)
        {
            continue;
        }
        // The first on the class path counts, and is told last.
        versions.reverse();
        findings.torn.push(Torn {
            ecosystem: Ecosystem::Java,
            name,
            place: PLACE.to_vec(),
            nature: Nature::SideBySide,
            versions,
            files: Vec::new(),
        });
    }
}

/// A version without its classifier: `4.1.100.Final` of `4.1.100.Final-linux-x86_64`. Jars of one version for
/// several machines belong together.
fn number(version: &str) -> &str {
    version.split('-').next().unwrap_or(version)
}
