//! What a runtime would really load for a name: the search path walked in its order, who wins, what is passed
//! over and why. A file for each ecosystem.
//!
//! The search path is given as data; which runtime has which is not known here.

mod elf;
mod java;
mod near;
mod node;
mod paths;
mod python;
mod ruby;

use super::opt::{Opt, Unread};
use crate::stack::NodeId;

pub use elf::Machine;
pub(super) use java::{jars, version_of};
pub use near::{Near, Why};
pub use paths::Sort;
pub use python::Version;
pub(super) use ruby::{Gem, gems};

/// One place of a search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory of the layers, from the root of the tree; or, for Java, where jars lie.
    Layers(Vec<u8>),
    /// Somewhere that no layer can provide.
    Outside {
        /// Where it is on Lambda.
        path: String,
        /// What lies there, in words.
        holds: &'static str,
    },
}

/// What is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `import NAME`.
    Python {
        /// The interpreter's version.
        version: Version,
        /// What its extension modules are compiled for.
        machine: Machine,
    },
    /// `require('NAME')`.
    Node {
        /// The major version, where the runtime has a number.
        major: Option<u32>,
    },
    /// A class, a resource or a jar.
    Java,
    /// `require 'NAME'`.
    Ruby,
    /// A command or a shared object.
    File(Sort),
}

/// The whole answer. Of `a.b.c` there are three stages, of everything else one.
#[derive(Debug)]
pub struct Resolution {
    /// What has to be found, one after the other; the last is what was asked for, unless one before it fails.
    pub stages: Vec<Stage>,
    /// Where something like it lies instead, when it is not found.
    pub near: Vec<Near>,
    /// What else decides.
    pub notes: Vec<Note>,
    /// What was needed for the answer and could not be read.
    pub unread: Vec<Unread>,
}

/// The search for one name.
#[derive(Debug)]
pub struct Stage {
    /// The name, whole.
    pub name: Vec<u8>,
    /// The places that are searched, in order.
    pub places: Vec<Place>,
    /// What is there, in the order in which it is considered, the winner among them.
    pub candidates: Vec<Candidate>,
    /// Why nothing of the layers is loaded.
    pub failure: Option<Failure>,
}

/// Something that bears the name, or part of what is loaded.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The place it was found in: an index into [`Stage::places`].
    pub place: usize,
    /// Its path in the tree, as the runtime would say it.
    pub path: Vec<u8>,
    /// What stands there, links followed.
    pub node: NodeId,
    /// What it is to the runtime.
    pub kind: Kind,
    /// The package's own version, where it is cheap to know.
    pub version: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What a candidate is to the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory with an `__init__`.
    Package,
    /// A Python source or bytecode file.
    Module,
    /// A compiled extension module.
    Extension,
    /// A directory without an `__init__`: a part of a namespace package.
    NamespacePortion,
    /// A file.
    File,
    /// What `exports` of a package.json names.
    Exported,
    /// What `main` of a package.json names, or the index file.
    Main,
    /// A jar that holds it.
    Jar,
    /// A file of a gem.
    Gem,
    /// A command.
    Command,
    /// A shared object.
    Library,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is loaded.
    Loads,
    /// It is one of the directories of a namespace package.
    Portion,
    /// Something on the way to it is found first.
    PassedOver(Reason),
}

/// Why a candidate is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its place is later on the search path.
    LaterPlace,
    /// A package comes before a module in one directory.
    PackageFirst,
    /// Of two endings in one directory the other is tried first.
    SuffixOrder,
    /// A directory without an `__init__` gives way to any module or package on the whole path.
    NamespaceLast,
    /// A file comes before a directory of its name.
    FileFirst,
    /// Of one gem the highest version counts, wherever it lies.
    LowerVersion,
    /// It has no permission to be executed.
    NotExecutable,
    /// It is compiled for another machine.
    OtherMachine,
    /// The runtime has it built in and never searches for it.
    BuiltIn,
}

/// Why nothing of the layers is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No directory of the layers has it.
    NotFound,
    /// The runtime has it built in.
    BuiltIn,
    /// A part of a dotted name is a module, so nothing can be below it.
    NotAPackage {
        /// The module.
        path: Vec<u8>,
    },
    /// A package's `exports` does not name it: `require` fails and looks no further.
    NotExported {
        /// The package.json.
        path: Vec<u8>,
        /// The key that would have to be there.
        subpath: String,
    },
    /// What a package.json names is not there.
    NamedFileMissing {
        /// The package.json.
        path: Vec<u8>,
        /// What it names.
        target: String,
    },
    /// A package.json that is no JSON.
    BadPackageJson {
        /// The package.json.
        path: Vec<u8>,
    },
    /// A file of that name is no ELF object, and the loader gives up at it.
    NotElf {
        /// The file.
        path: Vec<u8>,
    },
}

/// What else decides, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Lines of these files add directories to the search path, on Lambda alone.
    PthFiles(Vec<Vec<u8>>),
    /// The package's `__init__` joins directories of its name from the whole search path.
    ExtendsPath(Vec<u8>),
    /// Several versions of the distribution are described in one directory: `torn` says more.
    SeveralVersions(Vec<String>),
    /// The package is an ES module: `require` of it depends on the version of Node.
    EsModule(Vec<u8>),
}

impl Stage {
    /// What is loaded: one candidate, or the portions of a namespace package.
    pub fn winners(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .filter(|candidate| matches!(candidate.verdict, Verdict::Loads | Verdict::Portion))
    }
}

impl Resolution {
    /// Whether the layers provide what was asked for.
    pub fn is_found(&self) -> bool {
        self.stages
            .last()
            .is_some_and(|stage| stage.failure.is_none() && stage.winners().next().is_some())
    }
}

/// Says what a name is loaded from.
pub fn resolve(tree: &Opt<'_>, wanted: Wanted, places: &[Place], name: &[u8]) -> Resolution {
    let mut search = Search {
        tree: *tree,
        places,
        notes: Vec::new(),
        unread: Vec::new(),
    };
    let stages = match wanted {
        Wanted::Python { version, machine } => python::stages(&mut search, version, machine, name),
        Wanted::Node { major } => vec![node::stage(&mut search, major, name)],
        Wanted::Java => vec![java::stage(&mut search, name)],
        Wanted::Ruby => vec![ruby::stage(&mut search, name)],
        Wanted::File(sort) => vec![paths::stage(&mut search, sort, name)],
    };
    let mut resolution = Resolution {
        stages,
        near: Vec::new(),
        notes: search.notes,
        unread: search.unread,
    };
    if !resolution.is_found() {
        resolution.near = near::near(tree, wanted, &resolution, name);
    }
    resolution
}

/// One question while it is answered.
struct Search<'a> {
    tree: Opt<'a>,
    places: &'a [Place],
    notes: Vec<Note>,
    unread: Vec<Unread>,
}

impl Search<'_> {
    /// The directories of the layers on the search path, with their places.
    fn directories(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, what)| match what {
            Place::Layers(path) => Some((place, path.as_slice())),
            Place::Outside { .. } => None,
        })
    }

    /// A stage of the whole search path, whose first candidate that is not passed over yet is loaded.
    fn decided(&self, name: &[u8], mut candidates: Vec<Candidate>, failure: Option<Failure>) -> Stage {
        let mut winner: Option<usize> = None;
        for candidate in &mut candidates {
            if candidate.verdict != Verdict::Loads {
                continue;
            }
            match winner {
                None => winner = Some(candidate.place),
                Some(place) => {
                    let reason = match place == candidate.place {
                        true => Reason::FileFirst,
                        false => Reason::LaterPlace,
                    };
                    candidate.verdict = Verdict::PassedOver(reason);
                }
            }
        }
        Stage {
            name: name.to_vec(),
            places: self.places.to_vec(),
            failure: failure.or(winner.is_none().then_some(Failure::NotFound)),
            candidates,
        }
    }
}
