//! What a publisher says of a version, checked as AWS checks it, with AWS's messages (recorded against AWS itself).

use super::StoreError;
use super::complaint::{Complaints, shown};

/// Runtimes that AWS's model knows, old ones too: AWS accepts more than its message lists.
const RUNTIMES: &str = "nodejs nodejs4.3 nodejs6.10 nodejs8.10 nodejs10.x nodejs12.x nodejs14.x nodejs16.x nodejs18.x \
    nodejs20.x nodejs22.x nodejs24.x java8 java8.al2 java11 java17 java21 java25 python2.7 python3.6 python3.7 python3.8 \
    python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 dotnetcore1.0 dotnetcore2.0 dotnetcore2.1 \
    dotnetcore3.1 dotnet6 dotnet8 dotnet10 nodejs4.3-edge go1.x ruby2.5 ruby2.7 ruby3.2 ruby3.3 ruby3.4 ruby4.0 provided \
    provided.al2 provided.al2023 nodejs26.x python3.15 java8.al2023 java11.al2023 java17.al2023 custom";
/// What the message lists.
pub(super) const LISTED_RUNTIMES: &str = "nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, \
    java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, \
    dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2";
const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

const LONGEST_DESCRIPTION: usize = 256;
const LONGEST_LICENSE: usize = 512;
const MOST_RUNTIMES: usize = 15;
const MOST_ARCHITECTURES: usize = 2;

/// What a publisher says of a version. A list that was not given is not the same as an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    /// At most 256 characters.
    pub description: String,
    /// At most 512 characters.
    pub license_info: Option<String>,
    /// At most 15, in the order given.
    pub compatible_runtimes: Option<Vec<String>>,
    /// At most 2, in the order given.
    pub compatible_architectures: Option<Vec<String>>,
}

/// What is asked of the versions that are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that declare it.
    pub runtime: Option<String>,
    /// Only those that declare it.
    pub architecture: Option<String>,
}

impl Publication {
    /// Whether AWS would take it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], with a sentence for each member that is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut wrong = Complaints::default();
        wrong.longest("description", &self.description, LONGEST_DESCRIPTION);
        let license = self.license_info.as_deref().unwrap_or("");
        wrong.longest("licenseInfo", license, LONGEST_LICENSE);
        if let Some(runtimes) = &self.compatible_runtimes {
            let member = "compatibleRuntimes";
            wrong.most(member, runtimes, MOST_RUNTIMES);
            if !runtimes.iter().all(|runtime| is_runtime(runtime)) {
                let constraint = format_args!("Member must satisfy enum value set: [{LISTED_RUNTIMES}]");
                wrong.add(member, shown(runtimes), constraint);
            }
        }
        if let Some(architectures) = &self.compatible_architectures {
            check_architectures(
                &mut wrong,
                "compatibleArchitectures",
                architectures,
                MOST_ARCHITECTURES,
            );
        }
        wrong.end()
    }
}

/// What AWS says of a list of architectures.
pub(super) fn check_architectures(
    wrong: &mut Complaints,
    member: &str,
    architectures: &[String],
    most: usize,
) {
    wrong.most(member, architectures, most);
    if !architectures
        .iter()
        .all(|one| ARCHITECTURES.contains(&one.as_str()))
    {
        let constraint = "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]";
        wrong.add(member, shown(architectures), constraint);
    }
}

impl Filter {
    /// Whether AWS would take it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`].
    pub fn check(&self) -> Result<(), StoreError> {
        let mut wrong = Complaints::default();
        if let Some(runtime) = self.runtime.as_deref().filter(|runtime| !is_runtime(runtime)) {
            let constraint = format_args!("Member must satisfy enum value set: [{LISTED_RUNTIMES}]");
            wrong.add("compatibleRuntime", runtime, constraint);
        }
        if let Some(architecture) = &self.architecture {
            wrong.one_of("compatibleArchitecture", architecture, &ARCHITECTURES);
        }
        wrong.end()
    }

    /// Whether a version declares what is asked. One that declares nothing matches no filter.
    pub(super) fn takes(&self, about: &Publication) -> bool {
        let declares = |asked: &Option<String>, declared: &Option<Vec<String>>| match asked {
            None => true,
            Some(asked) => declared.iter().flatten().any(|one| one == asked),
        };
        declares(&self.runtime, &about.compatible_runtimes)
            && declares(&self.architecture, &about.compatible_architectures)
    }
}

/// Whether AWS's model knows a runtime.
pub(super) fn is_runtime(text: &str) -> bool {
    RUNTIMES.split_whitespace().any(|known| known == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(publication: &Publication) -> String {
        publication.check().unwrap_err().to_string()
    }

    #[test]
    fn what_aws_refuses_is_refused_in_its_words() {
        let words = |words: &str| Some(words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let both = Publication {
            compatible_runtimes: words("invalidruntime invalidruntime2 nodejs20.x"),
            compatible_architectures: words("invalidarch x86_64"),
            ..Publication::default()
        };
        // Recorded against AWS, 2026-01-12.
        assert_eq!(
            refused(&both),
            "2 validation errors detected: Value '[invalidruntime, invalidruntime2, nodejs20.x]' at 'compatibleRuntimes' failed to \
             satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, \
             nodejs24.x, nodejs22.x, java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, \
             nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2]; Value '[invalidarch, x86_64]' at \
             'compatibleArchitectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value \
             set: [x86_64, arm64], Member must not be null]"
        );
        let sixteen = Publication {
            compatible_runtimes: Some(vec!["python3.12".to_owned(); 16]),
            ..Publication::default()
        };
        assert!(refused(&sixteen).ends_with("Member must have length less than or equal to 15"));
        let three = Publication {
            compatible_architectures: words("arm64 x86_64 arm64"),
            ..Publication::default()
        };
        assert!(refused(&three).ends_with(
            "Value '[arm64, x86_64, arm64]' at 'compatibleArchitectures' failed to satisfy \
            constraint: Member must have length less than or equal to 2"
        ));
    }

    #[test]
    fn texts_have_their_lengths() {
        let of = |description: usize, license: usize| Publication {
            description: "é".repeat(description),
            license_info: Some("x".repeat(license)),
            ..Publication::default()
        };
        assert!(of(256, 512).check().is_ok());
        let message = refused(&of(257, 513));
        assert!(
            message.starts_with("2 validation errors detected: Value 'é"),
            "{message}"
        );
        assert!(message.contains("at 'description' failed to satisfy constraint: Member must have length less than or equal to 256;"));
        assert!(message.ends_with(
            "at 'licenseInfo' failed to satisfy constraint: Member must have length less than or equal to 512"
        ));
    }

    #[test]
    fn a_filter_finds_what_is_declared() {
        let about = Publication {
            compatible_runtimes: Some(vec!["python3.6".to_owned()]),
            ..Publication::default()
        };
        about.check().unwrap();
        let filter = |runtime: &str| Filter {
            runtime: Some(runtime.to_owned()),
            architecture: None,
        };
        assert!(filter("python3.6").takes(&about) && !filter("python3.7").takes(&about));
        assert!(!filter("python3.6").takes(&Publication::default()));
        assert!(filter("runtimedoesnotexist").check().is_err());
    }
}
