//! What names a function: its name, its ARN, and what lies between; with a qualifier, one of its versions.

use crate::store::complaint::Complaints;
use crate::store::name::{is_region, is_word, partition_of};
use crate::store::{Place, StoreError};

/// The longest name of a function.
const LONGEST_NAME: usize = 64;
const LONGEST_QUALIFIER: usize = 128;
/// What AWS's messages say a function's name has to be.
const PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";

/// The version that is always there.
pub const LATEST: &str = "$LATEST";

/// A function's name: 1 to 64 letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct FunctionName(String);

/// What a word names: a function, perhaps of another account or region, perhaps one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionReference {
    /// Of an ARN.
    pub region: Option<String>,
    /// Of an ARN, or of the front part of one.
    pub account: Option<String>,
    /// The function.
    pub name: String,
    /// `$LATEST`, the number of a version, or some other word.
    pub qualifier: Option<String>,
}

/// What is about to be done with the function: AWS's limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A name may have 64 characters, an ARN 140.
    Create,
    /// 140.
    Delete,
    /// 170.
    Other,
}

impl FunctionName {
    /// The name, where it is one: what is not has no file.
    pub(in crate::store) fn check(text: &str) -> Option<FunctionName> {
        (text.len() <= LONGEST_NAME && is_word(text)).then(|| FunctionName(text.to_owned()))
    }

    pub(in crate::store) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FunctionReference {
    /// Reads `name`, `name:3`, `123456789012:function:name`, and ARNs.
    pub fn parse(text: &str) -> Option<FunctionReference> {
        // What may stand before the name may also be the name: the longest front part that leaves one is meant.
        let arn = text.strip_prefix("arn:").and_then(|rest| {
            let (partition, rest) = rest.split_once(":lambda:")?;
            let is_partition = partition.is_empty()
                || partition.starts_with("aws")
                    && partition.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
            is_partition.then_some(rest)
        });
        [arn, Some(text)].into_iter().flatten().find_map(|rest| {
            let region = rest.split_once(':').filter(|(region, _)| is_region(region));
            let mut ways = vec![(None, rest)];
            if let Some((region, rest)) = region {
                ways.insert(0, (Some(region), rest));
            }
            ways.into_iter()
                .find_map(|(region, rest)| in_account(region, rest))
        })
    }

    /// The same, or AWS's words of what is wrong with it; `qualifier` is what was named beside it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], or [`StoreError::Parameter`] where a bare name is too long to create, or two versions are named.
    pub fn check(
        text: &str,
        qualifier: Option<&str>,
        purpose: Purpose,
    ) -> Result<FunctionReference, StoreError> {
        let found = FunctionReference::parse(text);
        let is_bare = found.as_ref().is_some_and(|found| found.name == text);
        let longest = match purpose {
            Purpose::Create if is_bare => LONGEST_NAME,
            Purpose::Create | Purpose::Delete => 140,
            Purpose::Other => 170,
        };
        let mut wrong = Complaints::default();
        if text.is_empty() {
            wrong.add(
                "functionName",
                text,
                "Member must have length greater than or equal to 1",
            );
        }
        wrong.longest("functionName", text, longest);
        wrong.pattern("functionName", text, found.is_some(), PATTERN);
        if let Some(qualifier) = qualifier {
            let is_part = |b: u8| b.is_ascii_alphanumeric() || b"$_-".contains(&b);
            let fits = qualifier.bytes().all(is_part);
            wrong.longest("qualifier", qualifier, LONGEST_QUALIFIER);
            wrong.pattern("qualifier", qualifier, fits, "(|[a-zA-Z0-9$_-]+)");
        }
        if purpose == Purpose::Create && is_bare && !wrong.is_empty() {
            return Err(StoreError::parameter(wrong.message()));
        }
        let (Some(mut found), true) = (found, wrong.is_empty()) else {
            return Err(StoreError::Invalid(wrong.message()));
        };
        if purpose == Purpose::Create && found.name.len() > LONGEST_NAME {
            let mut wrong = Complaints::default();
            wrong.longest("functionName", &found.name, LONGEST_NAME);
            return Err(StoreError::parameter(wrong.message()));
        }
        let qualifier = qualifier.filter(|qualifier| !qualifier.is_empty());
        match (&found.qualifier, qualifier) {
            (Some(derived), Some(named)) if derived != named => Err(StoreError::parameter(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (None, Some(named)) => {
                found.qualifier = Some(named.to_owned());
                Ok(found)
            }
            _ => Ok(found),
        }
    }

    /// Where the function is; `here` where nothing is said.
    pub fn place(&self, here: &Place) -> Place {
        let account = self.account.as_deref().unwrap_or(here.account());
        let region = self.region.as_deref().unwrap_or(here.region());
        // Both were looked at when the word was read.
        Place::new(account, region).unwrap_or_else(|_| here.clone())
    }

    /// That the function is one of `here`, as AWS asks of all that is done with functions; `action` is such as
    /// `lambda:GetFunction`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for another region, [`StoreError::Denied`] for another account.
    pub fn within(&self, here: &Place, action: &str) -> Result<(), StoreError> {
        let place = self.place(here);
        if place.region() != here.region() {
            return Err(StoreError::NotFound(format!(
                "Functions from '{}' are not reachable in this region ('{}')",
                place.region(),
                here.region()
            )));
        }
        if place.account() != here.account() {
            let (partition, account) = (partition_of(here.region()), here.account());
            return Err(StoreError::Denied(format!(
                "User: arn:{partition}:iam::{account}:user/optfs is not authorized to perform: {action} on resource: {} because no \
                 resource-based policy allows the {action} action",
                place.function_arn(&self.name)
            )));
        }
        Ok(())
    }
}

/// `(\d{12}:)?(function:)?name(:qualifier)?`
fn in_account(region: Option<&str>, rest: &str) -> Option<FunctionReference> {
    let account = rest
        .split_once(':')
        .filter(|(account, _)| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
    let mut ways = vec![(None, rest)];
    if let Some((account, rest)) = account {
        ways.insert(0, (Some(account), rest));
    }
    ways.into_iter().find_map(|(account, rest)| {
        let named = rest.strip_prefix("function:").and_then(name_and_qualifier);
        let (name, qualifier) = named.or_else(|| name_and_qualifier(rest))?;
        Some(FunctionReference {
            region: region.map(str::to_owned),
            account: account.map(str::to_owned),
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    })
}

fn name_and_qualifier(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, qualifier) = match text.split_once(':') {
        None => (text, None),
        Some((name, qualifier)) => (name, Some(qualifier)),
    };
    let fits = is_word(name) && qualifier.is_none_or(|text| text == LATEST || is_word(text));
    fits.then_some((name, qualifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Place {
        Place::new("123456789012", "us-east-2").unwrap()
    }

    #[test]
    fn functions_are_named_in_every_form_of_aws() {
        for (text, name, qualifier, account, region) in [
            ("f", "f", None, None, None),
            ("f:1", "f", Some("1"), None, None),
            ("f:$LATEST", "f", Some("$LATEST"), None, None),
            ("function", "function", None, None, None),
            ("function:f", "f", None, None, None),
            ("210987654321:function:f", "f", None, Some("210987654321"), None),
            ("210987654321", "210987654321", None, None, None),
            (
                "us-east-2:210987654321:function:f:2",
                "f",
                Some("2"),
                Some("210987654321"),
                Some("us-east-2"),
            ),
            (
                "arn:aws:lambda:us-east-2:210987654321:function:f",
                "f",
                None,
                Some("210987654321"),
                Some("us-east-2"),
            ),
            (
                "arn:aws:lambda:us-east-2:210987654321:function:f:live",
                "f",
                Some("live"),
                Some("210987654321"),
                Some("us-east-2"),
            ),
        ] {
            let found = FunctionReference::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (
                    found.name.as_str(),
                    found.qualifier.as_deref(),
                    found.account.as_deref(),
                    found.region.as_deref()
                ),
                (name, qualifier, account, region),
                "{text}"
            );
        }
        for no in [
            "",
            "a b",
            "a/b",
            "..",
            "a:",
            "a:b:c",
            "invalid:function:name",
            "arn:aws:s3:us-east-2:210987654321:function:f",
        ] {
            assert_eq!(FunctionReference::parse(no), None, "{no}");
        }
    }

    /// Texts recorded against AWS.
    #[test]
    fn what_names_no_function_is_refused_in_awss_words() {
        let refused =
            |text: &str, qualifier, purpose| FunctionReference::check(text, qualifier, purpose).unwrap_err();
        assert_eq!(
            refused("invalid:function:name", None, Purpose::Other).to_string(),
            r"1 validation error detected: Value 'invalid:function:name' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
        );
        let long = "a".repeat(65);
        let too_long = refused(&long, None, Purpose::Create);
        assert!(matches!(too_long, StoreError::Parameter { .. }));
        assert_eq!(
            too_long.to_string(),
            format!(
                "1 validation error detected: Value '{long}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"
            )
        );
        let arn = format!(
            "arn:aws:lambda:us-east-2:123456789012:function:{}",
            "a".repeat(100)
        );
        let too_long = refused(&arn, None, Purpose::Create);
        assert!(matches!(too_long, StoreError::Invalid(_)));
        assert_eq!(
            too_long.to_string(),
            format!(
                "1 validation error detected: Value '{arn}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 140"
            )
        );
        assert_eq!(
            refused("f:1", Some("2"), Purpose::Other).to_string(),
            "The derived qualifier from the function name does not match the specified qualifier."
        );
        assert!(FunctionReference::check("f:1", Some("1"), Purpose::Other).is_ok());
    }

    #[test]
    fn functions_of_other_places_are_out_of_reach() {
        let within = |text: &str| {
            let found = FunctionReference::parse(text).unwrap();
            found
                .within(&here(), "lambda:GetFunction")
                .map_err(|error| error.to_string())
        };
        assert_eq!(within("arn:aws:lambda:us-east-2:123456789012:function:f"), Ok(()));
        assert_eq!(
            within("arn:aws:lambda:ap-southeast-1:123456789012:function:f"),
            Err("Functions from 'ap-southeast-1' are not reachable in this region ('us-east-2')".to_owned())
        );
        assert!(
            within("210987654321:function:f")
                .unwrap_err()
                .starts_with("User: arn:aws:iam::123456789012:user/optfs is not")
        );
    }
}
