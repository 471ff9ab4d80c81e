//! Where each of Lambda's runtimes looks for a name, in its order: which places are the layers', and what lies in
//! the others. docs/loading.md has the same as a table, with its sources.

use crate::cli::failure::{Class, Failure};
use crate::explain::resolve::{Machine, Place, Sort, Version, Wanted};
use crate::launch::runtime::{Family, Runtime};

/// What a runtime searches for, and where.
pub(super) struct SearchPath {
    pub(super) wanted: Wanted,
    pub(super) places: Vec<Place>,
}

const FUNCTION: &str = "function code";

/// `PATH` of every zip runtime, and of the base images.
pub(super) fn of_commands() -> SearchPath {
    let system = ["/var/lang/bin", "/usr/local/bin", "/usr/bin", "/bin"];
    let holds = ["the runtime", "the system", "the system", "the system"];
    let outside = system
        .into_iter()
        .zip(holds)
        .map(|(path, holds)| outside(path, holds));
    SearchPath {
        wanted: Wanted::File(Sort::Command),
        places: outside.chain([layers("bin")]).collect(),
    }
}

/// `LD_LIBRARY_PATH` of every zip runtime, and of the base images.
pub(super) fn of_libraries(machine: Machine) -> SearchPath {
    SearchPath {
        wanted: Wanted::File(Sort::Library(machine)),
        places: vec![
            outside("/var/lang/lib", "the runtime"),
            outside("/lib64", "the system"),
            outside("/usr/lib64", "the system"),
            outside("/var/runtime", "the runtime"),
            outside("/var/runtime/lib", "the runtime"),
            outside("/var/task", FUNCTION),
            outside("/var/task/lib", FUNCTION),
            layers("lib"),
        ],
    }
}

/// What a runtime's language searches for modules, packages, gems or classes.
pub(super) fn of_runtime(runtime: Runtime, machine: Machine) -> Result<SearchPath, Failure> {
    Ok(match runtime.family() {
        Family::Python { version } => of_python(version, machine),
        Family::Node { major } => of_node(major),
        Family::Ruby { version } => of_ruby(version),
        Family::Java => SearchPath {
            wanted: Wanted::Java,
            places: vec![
                outside("JDK", "Java's own classes"),
                outside("/var/task", FUNCTION),
                outside("/var/task/lib/*.jar", "function jars"),
                layers("java/lib"),
            ],
        },
        Family::Dotnet | Family::Go | Family::Custom => {
            let message =
                format_args!("{runtime} looks for no modules in layers, only for commands and libraries");
            return Err(Failure::new(Class::Usage, message)
                .hint("ask for a command in /opt/bin with --command, for a shared object in /opt/lib with --library"));
        }
    })
}

/// `/var/runtime/bootstrap.py`: the function, the layers' directory for this version, the one for all, then the
/// runtime's own. Since 3.11 its packages are in a site directory of their own.
fn of_python(version: &str, machine: Machine) -> SearchPath {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let version_number = Version {
        major: major.parse().unwrap_or(3),
        minor: minor.parse().unwrap_or(0),
    };
    let mut places = vec![
        outside("/var/task", FUNCTION),
        layers(&format!("python/lib/python{version}/site-packages")),
        layers("python"),
    ];
    let own = "own packages";
    if version_number >= (Version { major: 3, minor: 11 }) {
        places.push(outside(
            &format!("/var/lang/lib/python{version}/site-packages"),
            own,
        ));
        places.push(outside("/var/runtime", "the runtime"));
    } else {
        places.push(outside("/var/runtime", own));
    }
    places.push(outside(
        &format!("/var/lang/lib/python{version}"),
        "standard library",
    ));
    SearchPath {
        wanted: Wanted::Python {
            version: version_number,
            machine,
        },
        places,
    }
}

/// Node walks up from the requiring file before `NODE_PATH`, which the runtime's bootstrap sets.
fn of_node(major: Option<&str>) -> SearchPath {
    let mut places = vec![outside("/var/task/node_modules", "function packages")];
    if let Some(major) = major {
        places.push(layers(&format!("nodejs/node{major}/node_modules")));
    }
    places.extend([
        layers("nodejs/node_modules"),
        outside("/var/runtime/node_modules", "own packages"),
        outside("/var/runtime", "the runtime"),
        outside("/var/task", FUNCTION),
    ]);
    SearchPath {
        wanted: Wanted::Node {
            major: major.and_then(|major| major.parse().ok()),
        },
        places,
    }
}

/// `RUBYLIB`, then Ruby's own library, then `GEM_PATH`.
fn of_ruby(version: &str) -> SearchPath {
    SearchPath {
        wanted: Wanted::Ruby,
        places: vec![
            outside("/var/task", FUNCTION),
            outside("/var/runtime/lib", "the runtime"),
            layers("ruby/lib"),
            outside("/var/lang/lib/ruby", "standard library"),
            outside(
                &format!("/var/task/vendor/bundle/ruby/{version}.0"),
                "function gems",
            ),
            layers(&format!("ruby/gems/{version}.0")),
            outside("/var/runtime", "own gems"),
        ],
    }
}

fn layers(directory: &str) -> Place {
    Place::Layers(directory.as_bytes().to_vec())
}

fn outside(path: &str, holds: &'static str) -> Place {
    Place::Outside {
        path: path.to_owned(),
        holds,
    }
}
