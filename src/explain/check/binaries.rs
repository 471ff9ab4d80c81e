//! Programs and libraries: for which processor, which Python and which C library they were made.
//!
//! Names tell some of it, the first bytes of an ELF file its processor; which versions of glibc it needs
//! stands in the file, which is read only when there is something to compare with or all is read anyway.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::FileHeader;

use super::{Findings, Options, Place, Rule, Severity, counted};
use crate::archive::{Entry, EntryId, EntryKind};
use crate::explain::crew::on_all_cores;
use crate::stack::{LayerIdx, Stack};

const OTHER_ARCH: Rule = Rule {
    code: "L020",
    slug: "other-architecture",
    severity: Severity::Error,
    title: "a binary for another processor than the function's (--arch)",
    why: "Lambda attaches the layer all the same; the function fails when it loads the file: \"Exec format error\", \
          \"cannot open shared object file\", \"No module named …\".",
    cure: "Build the layer for the function's architecture: `pip install --platform manylinux2014_aarch64 \
           --only-binary=:all: …`, or in the image of the runtime.",
};
const MIXED_ARCH: Rule = Rule {
    code: "L021",
    slug: "mixed-architectures",
    severity: Severity::Warning,
    title: "binaries for both x86_64 and arm64",
    why: "A function has one architecture; the binaries for the other cannot be loaded.",
    cure: "Name the function's with --arch, then see which layer is wrong; packages that bring both only waste space.",
};
const OTHER_PYTHON: Rule = Rule {
    code: "L022",
    slug: "other-python-abi",
    severity: Severity::Error,
    title: "an extension module of another Python (--runtime)",
    why: "Python imports extension modules of its own version only: \"No module named …\" when the function starts.",
    cure: "Build the layer for this runtime: `pip install --python-version 3.N --only-binary=:all: …`, or in its image.",
};
const MIXED_PYTHON: Rule = Rule {
    code: "L023",
    slug: "mixed-python-abis",
    severity: Severity::Warning,
    title: "extension modules that no single Python can import",
    why: "Python imports extension modules of its own version only; some of these are never found.",
    cure: "Name the function's runtime with --runtime, then see which layer is wrong; build all for one version.",
};
const GLIBC: Rule = Rule {
    code: "L024",
    slug: "glibc-too-new",
    severity: Severity::Error,
    title: "a binary that needs a newer glibc than the runtime has (--runtime or --deep)",
    why: "The system of the older runtimes, Amazon Linux 2, has glibc 2.26, that of the newer ones 2.34: \"version `GLIBC_2.35' \
          not found\" when the file is loaded.",
    cure: "Build on the runtime's own system, or take wheels with a manylinux tag that is old enough.",
};

pub(super) const RULES: &[&Rule] = &[&OTHER_ARCH, &MIXED_ARCH, &OTHER_PYTHON, &MIXED_PYTHON, &GLIBC];

/// The newest C library of any runtime, that of Amazon Linux 2023.
const NEWEST_GLIBC: (u32, u32) = (2, 34);
/// As far as the processor's number.
const HEAD_BYTES: usize = 20;
/// A larger file does not fit into any function.
const MOST_ELF_BYTES: u64 = 256 << 20;

/// A processor that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Arch {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Arm64 => "arm64",
        }
    }
}

impl FromStr for Arch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Arch, &'static str> {
        match text {
            "x86_64" | "amd64" => Ok(Arch::X86_64),
            "arm64" | "aarch64" => Ok(Arch::Arm64),
            _ => Err("architectures are x86_64 and arm64"),
        }
    }
}

/// What the first bytes of a file say.
enum Machine {
    Known(Arch),
    /// ELF's number of some other one.
    Other(u16),
}

/// A file that is an ELF file, or likely one.
struct Binary {
    layer: LayerIdx,
    id: EntryId,
    machine: Option<Machine>,
    /// The newest version of glibc that it asks for, where that was looked for.
    glibc: Option<(u32, u32)>,
}

pub(super) fn check(stack: &Stack, options: &Options, findings: &mut Findings) {
    check_abis(stack, options, findings);
    let mut likely = Vec::new();
    for (layer, archive) in stack.layers_in_order() {
        likely.extend(
            archive
                .entries()
                .filter(|(_, entry)| is_likely(entry))
                .map(|(id, _)| (layer, id)),
        );
    }
    let wants_glibc = options.deep || options.runtime.is_some();
    let binaries = on_all_cores(likely.len(), 0, |i| {
        let (layer, id) = likely[i];
        look_into(stack, layer, id, wants_glibc)
    });
    let glibc = options.runtime.as_ref().and_then(|runtime| runtime.glibc);
    for binary in &binaries {
        let place = place(stack, binary.layer, binary.id);
        if let (Some(needed), limit) = (binary.glibc, glibc.unwrap_or(NEWEST_GLIBC))
            && needed > limit
        {
            let who = options
                .runtime
                .as_ref()
                .map_or("the newest runtime", |runtime| &runtime.name);
            let found = format!(
                "needs GLIBC_{}.{}, {who} has {}.{}",
                needed.0, needed.1, limit.0, limit.1
            );
            findings.add(&GLIBC, place.clone(), found);
        }
        let Some(wanted) = options.arch else { continue };
        match &binary.machine {
            Some(Machine::Known(arch)) if *arch != wanted => {
                findings.add(&OTHER_ARCH, place, format!("made for {}", arch.name()));
            }
            Some(Machine::Other(number)) => {
                findings.add(&OTHER_ARCH, place, format!("made for ELF's machine {number}"));
            }
            Some(Machine::Known(_)) | None => {}
        }
    }
    if options.arch.is_none() && !options.apart {
        check_mix(stack, &binaries, findings);
    }
}

/// Whether it is worth looking whether an entry is an ELF file: libraries by their names, programs by having
/// the bit and no ending.
fn is_likely(entry: &Entry<'_>) -> bool {
    let is_readable = !entry.encrypted && entry.method.is_supported() && entry.declared_size >= 64;
    if entry.kind != EntryKind::File || !is_readable {
        return false;
    }
    let name = file_name(entry.path);
    match name.iter().rposition(|&b| b == b'.') {
        None => entry.permissions & 0o001 != 0,
        Some(dot) => {
            let end = &name[dot..];
            end == b".so" || end == b".node" || end[1..].iter().all(u8::is_ascii_digit) && has_so(name)
        }
    }
}

/// `libx.so.6`, and not `1.0.2`.
fn has_so(name: &[u8]) -> bool {
    name.windows(4).any(|part| part == b".so.")
}

fn file_name(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    &path[start..]
}

fn look_into(stack: &Stack, layer: LayerIdx, id: EntryId, wants_glibc: bool) -> Binary {
    let archive = stack.layer(layer);
    // One that cannot be read is a finding of other rules.
    let machine = archive
        .read_head(id, HEAD_BYTES)
        .ok()
        .and_then(|head| machine(&head));
    let fits = archive.entry(id).declared_size <= MOST_ELF_BYTES;
    let glibc = match machine {
        Some(Machine::Known(_)) if wants_glibc && fits => {
            archive.read_whole(id).ok().and_then(|bytes| newest_glibc(&bytes))
        }
        _ => None,
    };
    Binary {
        layer,
        id,
        machine,
        glibc,
    }
}

/// The processor that an ELF file was made for (System V ABI, chapter 4, "ELF Header").
fn machine(head: &[u8]) -> Option<Machine> {
    let head = head.first_chunk::<HEAD_BYTES>()?;
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let number = match head[5] {
        2 => u16::from_be_bytes([head[18], head[19]]),
        _ => u16::from_le_bytes([head[18], head[19]]),
    };
    Some(match number {
        62 => Machine::Known(Arch::X86_64),
        183 => Machine::Known(Arch::Arm64),
        other => Machine::Other(other),
    })
}

/// The greatest `GLIBC_x.y` among the versions that an ELF file needs.
fn newest_glibc(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let (mut needs, strings) = sections.gnu_verneed(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, strings).ok()?;
    let mut newest = None;
    while let Ok(Some((_, mut versions))) = needs.next() {
        while let Ok(Some(version)) = versions.next() {
            let named = version.name(endian, strings).ok().and_then(glibc_version);
            newest = newest.max(named);
        }
    }
    newest
}

/// `GLIBC_2.34`, but not `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Binaries of more than one architecture, told once, of the layers that have the rarer one.
fn check_mix(stack: &Stack, binaries: &[Binary], findings: &mut Findings) {
    let mut by_arch: BTreeMap<Arch, Vec<&Binary>> = BTreeMap::new();
    for binary in binaries {
        if let Some(Machine::Known(arch)) = binary.machine {
            by_arch.entry(arch).or_default().push(binary);
        }
    }
    let rarer = by_arch.iter().min_by_key(|(_, binaries)| binaries.len());
    if let (2.., Some((rare, binaries))) = (by_arch.len(), rarer) {
        let others: usize = by_arch.values().map(Vec::len).sum::<usize>() - binaries.len();
        for binary in binaries {
            let found = format!(
                "made for {}, unlike {}",
                rare.name(),
                counted(others, "other binary")
            );
            findings.add(&MIXED_ARCH, place(stack, binary.layer, binary.id), found);
        }
    }
}

/// A Python extension module: its path up to the tag, and the version in the tag.
fn python_tag(path: &[u8]) -> Option<(&[u8], String)> {
    const TAG: &[u8] = b".cpython-";
    if !path.ends_with(b".so") {
        return None;
    }
    let at = path.windows(TAG.len()).rposition(|part| part == TAG)?;
    let digits = path[at + TAG.len()..].iter().take_while(|b| b.is_ascii_digit());
    let digits: String = digits.map(|&b| char::from(b)).collect();
    let (major, minor) = digits
        .split_at_checked(1)
        .filter(|(_, minor)| !minor.is_empty())?;
    Some((&path[..at], format!("{major}.{minor}")))
}

fn check_abis(stack: &Stack, options: &Options, findings: &mut Findings) {
    let mut modules: Vec<(LayerIdx, EntryId, &[u8], String)> = Vec::new();
    let mut stable: HashSet<&[u8]> = HashSet::new();
    for (layer, archive) in stack.layers_in_order() {
        for id in archive.entry_ids() {
            let path = archive.entry_path(id);
            if let Some(stem) = path.strip_suffix(b".abi3.so") {
                stable.insert(stem);
            } else if let Some((stem, version)) = python_tag(path) {
                modules.push((layer, id, stem, version));
            }
        }
    }
    let runtime = options.runtime.as_ref();
    if let Some(python) = runtime.and_then(|runtime| runtime.python.as_ref()) {
        let right = modules.iter().filter(|(_, _, _, version)| version == python);
        let right: HashSet<&[u8]> = right.map(|&(_, _, stem, _)| stem).chain(stable).collect();
        for (layer, id, stem, version) in &modules {
            if version != python && !right.contains(stem) {
                let found = format!("made for Python {version}, the runtime is {python}");
                findings.add(&OTHER_PYTHON, place(stack, *layer, *id), found);
            }
        }
        return;
    }
    if runtime.is_some() || options.apart {
        return;
    }
    let mut by_version: BTreeMap<&str, HashSet<&[u8]>> = BTreeMap::new();
    let mut all = HashSet::new();
    for (_, _, stem, version) in &modules {
        by_version.entry(version).or_default().insert(stem);
        all.insert(*stem);
    }
    let covered = by_version.values().map(HashSet::len).max();
    let Some((common, _)) = by_version.iter().max_by_key(|(_, stems)| stems.len()) else {
        return;
    };
    if covered == Some(all.len()) {
        return;
    }
    for (layer, id, stem, version) in &modules {
        if version != common && !by_version[common].contains(stem) {
            let found = format!("made for Python {version}, most others for {common}");
            findings.add(&MIXED_PYTHON, place(stack, *layer, *id), found);
        }
    }
}

fn place(stack: &Stack, layer: LayerIdx, id: EntryId) -> Place {
    Place {
        layer: Some(layer),
        entry: Some(stack.layer(layer).entry_path(id).to_vec()),
        offset: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_which_python_a_module_is_for() {
        for (path, found) in [
            (
                &b"p/x.cpython-311-x86_64-linux-gnu.so"[..],
                Some((&b"p/x"[..], "3.11")),
            ),
            (b"p/x.cpython-38-aarch64-linux-gnu.so", Some((b"p/x", "3.8"))),
            (b"p/x.cpython-311-x86_64-linux-gnu.so.txt", None),
            (b"p/x.cpython-so", None),
            (b"p/x.abi3.so", None),
        ] {
            let tag = python_tag(path);
            let tag = tag.as_ref().map(|(stem, version)| (*stem, version.as_str()));
            assert_eq!(tag, found, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn versions_of_glibc_are_numbers() {
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version(b"GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version(b"GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version(b"GLIBCXX_3.4"), None);
    }
}
