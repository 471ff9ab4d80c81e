//! The identifiers of Lambda's runtimes, and which family and version each one names.
//!
//! What a family looks for in the layers is in `environment`.

use std::fmt;
use std::str::FromStr;

/// One of AWS's runtime identifiers, such as `python3.12`.
///
/// ```
/// use optfs::launch::runtime::{Family, Runtime};
///
/// let runtime: Runtime = "ruby3.4".parse()?;
/// assert_eq!(runtime.family(), Family::Ruby { version: "3.4" });
/// assert!("ruby34".parse::<Runtime>().unwrap_err().to_string().contains("ruby3.4"));
/// # Ok::<(), optfs::launch::runtime::UnknownRuntime>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    identifier: &'static str,
}

/// What a runtime's language looks for in layers, with the version as its directories spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `nodejsNN.x`
    Node {
        /// `22`; none for plain `nodejs`, which had no number.
        major: Option<&'static str>,
    },
    /// `python3.N`
    Python {
        /// `3.12`
        version: &'static str,
    },
    /// `rubyX.Y`
    Ruby {
        /// `3.4`
        version: &'static str,
    },
    /// `javaNN`, `javaNN.al2`, …
    Java,
    /// `dotnetN`, `dotnetcoreX.Y`
    Dotnet,
    /// `go1.x`
    Go,
    /// `provided…` and `custom`: the layer brings its own runtime.
    Custom,
}

/// The enumeration of the Lambda API, botocore 1.44.5, `lambda/2015-03-31/service-2.json`, shape `Runtime`:
/// every identifier that was ever accepted, since old layers name old runtimes.
#[rustfmt::skip]
const IDENTIFIERS: [&str; 52] = [
    "nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x",
    "nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x",
    "java8", "java8.al2", "java8.al2023", "java11", "java11.al2023", "java17", "java17.al2023", "java21", "java25",
    "python2.7", "python3.6", "python3.7", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12",
    "python3.13", "python3.14", "python3.15",
    "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet6", "dotnet8", "dotnet10",
    "ruby2.5", "ruby2.7", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
    "go1.x", "provided", "provided.al2", "provided.al2023", "custom",
];

/// A text that names no runtime. Its message offers the nearest identifiers and lists the families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownRuntime {
    text: String,
    nearest: Vec<&'static str>,
}

impl Runtime {
    /// Every runtime there is, family by family, oldest first.
    pub fn all() -> impl Iterator<Item = Runtime> {
        IDENTIFIERS.iter().map(|&identifier| Runtime { identifier })
    }

    /// The identifier as AWS writes it.
    pub fn identifier(self) -> &'static str {
        self.identifier
    }

    /// What the runtime looks for in layers.
    pub fn family(self) -> Family {
        let name = self.identifier;
        if let Some(version) = name.strip_prefix("nodejs") {
            Family::Node {
                major: version.split('.').next().filter(|major| !major.is_empty()),
            }
        } else if let Some(version) = name.strip_prefix("python") {
            Family::Python { version }
        } else if let Some(version) = name.strip_prefix("ruby") {
            Family::Ruby { version }
        } else if name.starts_with("java") {
            Family::Java
        } else if name.starts_with("dotnet") {
            Family::Dotnet
        } else if name.starts_with("go") {
            Family::Go
        } else {
            Family::Custom
        }
    }

    /// Major and minor version of the C library of the runtime's system: Amazon Linux, 2 or 2023. None where
    /// the system is not known, as that of a layer's own runtime.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>, older pages of it for what is no
    /// longer supported.
    pub fn glibc(self) -> Option<(u32, u32)> {
        #[rustfmt::skip]
        const AMAZON_LINUX: [&str; 15] = [
            "nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "java8", "python2.7", "python3.6",
            "python3.7", "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "ruby2.5", "go1.x", "provided",
        ];
        #[rustfmt::skip]
        const AMAZON_LINUX_2: [&str; 17] = [
            "nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x", "nodejs18.x", "java8.al2", "java11", "java17",
            "python3.8", "python3.9", "python3.10", "python3.11", "dotnetcore3.1", "dotnet6", "ruby2.7", "ruby3.2",
            "provided.al2",
        ];
        match self.identifier {
            "custom" => None,
            old if AMAZON_LINUX.contains(&old) => Some((2, 17)),
            two if AMAZON_LINUX_2.contains(&two) => Some((2, 26)),
            _ => Some((2, 34)),
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier)
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    /// Takes an identifier exactly as AWS writes it: a near miss would look into directories that no layer has.
    fn from_str(text: &str) -> Result<Runtime, UnknownRuntime> {
        Runtime::all()
            .find(|runtime| runtime.identifier == text)
            .ok_or_else(|| UnknownRuntime {
                text: text.to_owned(),
                nearest: nearest(text),
            })
    }
}

impl fmt::Display for UnknownRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown runtime {:?}", self.text)?;
        if !self.nearest.is_empty() {
            write!(f, "; did you mean {}?", self.nearest.join(" or "))?;
        }
        f.write_str(
            "; runtimes are nodejs22.x, python3.12, ruby3.4, java21, dotnet8, go1.x, provided.al2023 \
             and others of these families",
        )
    }
}

impl std::error::Error for UnknownRuntime {}

/// Up to three identifiers within a few typing mistakes; among equals the newest first.
fn nearest(text: &str) -> Vec<&'static str> {
    const MISTAKES: usize = 3;
    // Longer than any identifier: not a slip of the finger, and not worth the square of its length.
    if text.len() > 32 {
        return Vec::new();
    }
    let text = text.to_lowercase();
    let mut near: Vec<_> = IDENTIFIERS
        .iter()
        .rev()
        .map(|&identifier| (mistakes_between(&text, identifier), identifier))
        .filter(|&(mistakes, _)| mistakes <= MISTAKES)
        .collect();
    near.sort_by_key(|&(mistakes, _)| mistakes);
    near.into_iter()
        .take(3)
        .map(|(_, identifier)| identifier)
        .collect()
}

/// How many characters to insert, delete or replace to make one text of the other (Levenshtein).
fn mistakes_between(typed: &str, meant: &str) -> usize {
    let mut row: Vec<usize> = (0..=meant.len()).collect();
    for (i, typed) in typed.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, meant) in meant.chars().enumerate() {
            let replaced = diagonal + usize::from(typed != meant);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[meant.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_names_itself_and_its_family() {
        for runtime in Runtime::all() {
            assert_eq!(runtime.identifier().parse(), Ok(runtime));
            assert_eq!(runtime.family() == Family::Custom, {
                let name = runtime.identifier();
                name.starts_with("provided") || name == "custom"
            });
        }
        for (identifier, family) in [
            ("nodejs", Family::Node { major: None }),
            ("nodejs4.3-edge", Family::Node { major: Some("4") }),
            ("nodejs8.10", Family::Node { major: Some("8") }),
            ("nodejs22.x", Family::Node { major: Some("22") }),
            ("python3.12", Family::Python { version: "3.12" }),
            ("ruby2.7", Family::Ruby { version: "2.7" }),
            ("java8.al2023", Family::Java),
            ("dotnetcore3.1", Family::Dotnet),
            ("dotnet8", Family::Dotnet),
            ("go1.x", Family::Go),
            ("provided.al2023", Family::Custom),
        ] {
            assert_eq!(
                identifier.parse::<Runtime>().unwrap().family(),
                family,
                "{identifier}"
            );
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_answered_with_the_nearest_names() {
        for (typed, meant) in [
            ("nodejs22", "nodejs22.x"),
            ("Python3.12", "python3.12"),
            ("python312", "python3.12"),
            ("java-21", "java21"),
            ("dotnet8.0", "dotnet8"),
            ("provided.al2032", "provided.al2023"),
            ("ruby3.4.0", "ruby3.4"),
        ] {
            let error = typed.parse::<Runtime>().unwrap_err();
            assert!(error.nearest.contains(&meant), "{typed}: {error}");
        }
        assert_eq!(
            "cobol\u{1b}[2J".parse::<Runtime>().unwrap_err().to_string(),
            "unknown runtime \"cobol\\u{1b}[2J\"; runtimes are nodejs22.x, python3.12, ruby3.4, java21, dotnet8, \
             go1.x, provided.al2023 and others of these families"
        );
    }
}
