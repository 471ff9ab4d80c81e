//! The environment variables of a function, in the order they were given.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::StoreError;
use crate::store::complaint::Complaints;

/// The variables together, as JSON, have at most this many bytes.
const LIMIT_BYTES: usize = 4 << 10;
/// What Lambda sets itself, and functions cannot.
const RESERVED: [&str; 16] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The member `Environment`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    /// Its variables.
    pub variables: Variables,
}

/// Names and values; of one named twice the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn set(&mut self, name: String, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// What AWS's model does not allow of the names.
    pub(super) fn complain(&self, wrong: &mut Complaints) {
        let fits = |name: &str| {
            name.len() >= 2
                && name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !self.iter().all(|(name, _)| fits(name)) {
            // Values are no one's business: AWS does not repeat them here.
            wrong.add_hidden(
                "environment.variables",
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
            );
        }
    }

    /// Whether AWS would set them.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you have provided";
        let reserved: Vec<_> = self
            .iter()
            .map(|(name, _)| name)
            .filter(|name| RESERVED.contains(name))
            .collect();
        if !reserved.is_empty() {
            return Err(StoreError::parameter(format!(
                "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this \
                 request: {}",
                reserved.join(", ")
            )));
        }
        let measured = serde_json::to_string(self).unwrap_or_default();
        match measured.len() <= LIMIT_BYTES {
            true => Ok(()),
            false => Err(StoreError::parameter(format!(
                "{UNABLE} exceeded the 4KB limit. String measured: {measured}"
            ))),
        }
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(all: I) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in all {
            variables.set(name, value);
        }
        variables
    }
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Variables;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("names and values of variables")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
                let mut variables = Variables::default();
                while let Some((name, value)) = map.next_entry()? {
                    variables.set(name, value);
                }
                Ok(variables)
            }

            // A null, as some clients send it.
            fn visit_unit<E>(self) -> Result<Variables, E> {
                Ok(Variables::default())
            }
        }
        deserializer.deserialize_any(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> Variables {
        all.iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Texts recorded against AWS.
    #[test]
    fn more_than_4_kilobytes_are_refused_in_the_order_they_were_given() {
        let large = "x".repeat(4096);
        let text = format!(r#"{{"SMALL_VAR":"ok","LARGE_VAR":"{large}"}}"#);
        let read: Variables = serde_json::from_str(&text).unwrap();
        assert_eq!(read, variables(&[("SMALL_VAR", "ok"), ("LARGE_VAR", &large)]));
        assert_eq!(
            read.check().unwrap_err().to_string(),
            format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided \
                 exceeded the 4KB limit. String measured: {text}"
            )
        );
        let fits = "x".repeat(4096 - r#"{"AA":""}"#.len());
        assert!(variables(&[("AA", &fits)]).check().is_ok());
    }

    #[test]
    fn names_of_lambdas_own_are_refused() {
        assert_eq!(
            variables(&[("AA", "1"), ("AWS_REGION", "x"), ("LAMBDA_TASK_ROOT", "x")])
                .check()
                .unwrap_err()
                .to_string(),
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains \
             reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, \
             LAMBDA_TASK_ROOT"
        );
        for (name, is_good) in [
            ("AA", true),
            ("a_1", true),
            ("A", false),
            ("1A", false),
            ("_A", false),
            ("A-B", false),
        ] {
            let mut wrong = Complaints::default();
            variables(&[(name, "")]).complain(&mut wrong);
            assert_eq!(wrong.is_empty(), is_good, "{name}");
        }
    }
}
