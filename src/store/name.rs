//! What names a layer: accounts and regions, layer names, ARNs. Checked here, once; whoever has one of these types need
//! not ask again, and may make a file name of it.

use std::fmt;

use super::StoreError;
use super::complaint::Complaints;

/// The longest name of a layer.
const LONGEST_NAME: usize = 140;
/// What AWS's messages say a layer's name has to be.
const NAME_PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})";

/// An account in a region: where layers live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    account: String,
    region: String,
}

/// A layer's name: 1 to 140 letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerName(String);

/// What a word names: a layer, perhaps of another place, perhaps one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Of an ARN alone.
    pub place: Option<Place>,
    /// The layer.
    pub name: LayerName,
    /// None means the latest.
    pub version: Option<u64>,
}

impl Place {
    /// The account that examples of AWS's documentation use.
    pub const DEFAULT_ACCOUNT: &'static str = "123456789012";
    /// The region that tools take when none is named.
    pub const DEFAULT_REGION: &'static str = "us-east-1";

    /// Checks account and region.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the account has not twelve digits, or the region is not written as AWS's are.
    pub fn new(account: &str, region: &str) -> Result<Place, StoreError> {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("{account:?} is no account: twelve digits are expected");
            return Err(StoreError::Invalid(message));
        }
        if !is_region(region) {
            let message = format!("{region:?} is no region: expected one such as us-east-1");
            return Err(StoreError::Invalid(message));
        }
        Ok(Place {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }

    /// Twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Such as `us-east-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The ARN of a layer here.
    pub fn layer_arn(&self, name: &LayerName) -> String {
        self.arn("layer", &name.0)
    }

    /// The ARN of a function here.
    pub fn function_arn(&self, name: &str) -> String {
        self.arn("function", name)
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        let Place { account, region } = self;
        format!(
            "arn:{}:lambda:{region}:{account}:{kind}:{name}",
            partition_of(region)
        )
    }
}

impl LayerName {
    /// The name, where it is one.
    pub fn check(text: &str) -> Option<LayerName> {
        let is_name = text.len() <= LONGEST_NAME && is_word(text);
        is_name.then(|| LayerName(text.to_owned()))
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reference {
    /// Reads `name`, `name:3`, and the ARNs of a layer and of a version.
    pub fn parse(text: &str) -> Option<Reference> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let (place, rest) = match text.starts_with("arn:") {
            false => (None, text),
            true => {
                let parts: Vec<_> = text.splitn(7, ':').collect();
                let &[_, partition, "lambda", region, account, "layer", rest] = &parts[..] else {
                    return None;
                };
                let is_partition = partition.starts_with("aws")
                    && partition.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
                if !is_partition {
                    return None;
                }
                (Some(Place::new(account, region).ok()?), rest)
            }
        };
        let (name, version) = match rest.split_once(':') {
            None => (rest, None),
            Some((name, version)) => (name, Some(number(version)?)),
        };
        let name = LayerName::check(name)?;
        Some(Reference { place, name, version })
    }

    /// The same, or AWS's words of what is wrong with a layer's name.
    pub fn check(text: &str) -> Result<Reference, StoreError> {
        Reference::parse(text).ok_or_else(|| no_layer_name(text))
    }

    /// A layer and no version of it, or AWS's words.
    pub fn check_layer(text: &str) -> Result<Reference, StoreError> {
        let reference = Reference::check(text)?;
        match reference.version {
            None => Ok(reference),
            Some(_) => Err(no_layer_name(text)),
        }
    }
}

fn no_layer_name(text: &str) -> StoreError {
    let mut wrong = Complaints::default();
    if text.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        wrong.add("layerName", text, constraint);
    }
    wrong.pattern("layerName", text, false, NAME_PATTERN);
    StoreError::Invalid(wrong.message())
}

/// `[a-zA-Z0-9-_]+`
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`
pub(super) fn is_region(text: &str) -> bool {
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let parts: Vec<_> = text.strip_prefix("eusc-").unwrap_or(text).split('-').collect();
    let (country, kind, direction, digit) = match parts[..] {
        [country, direction, digit] => (country, "gov", direction, digit),
        [country, kind, direction, digit] => (country, kind, direction, digit),
        _ => return false,
    };
    let is_kind = kind == "gov" || (kind.starts_with("iso") && kind.len() <= 4);
    country.len() == 2
        && letters(country)
        && is_kind
        && letters(kind)
        && letters(direction)
        && digit.len() == 1
        && digit.bytes().all(|b| b.is_ascii_digit())
}

/// The partition of AWS that a region belongs to.
pub(super) fn partition_of(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = partitions.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |&(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_told_from_paths() {
        let plain = |name, version| {
            Some(Reference {
                place: None,
                name: LayerName::check(name).unwrap(),
                version,
            })
        };
        assert_eq!(Reference::parse("my-layer"), plain("my-layer", None));
        assert_eq!(Reference::parse("my_layer:12"), plain("my_layer", Some(12)));
        let arn = "arn:aws:lambda:us-east-2:123456789012:layer:my-layer";
        let there = Place::new("123456789012", "us-east-2").unwrap();
        let found = Reference::parse(&format!("{arn}:3")).unwrap();
        assert_eq!((found.place.as_ref(), found.version), (Some(&there), Some(3)));
        assert_eq!(there.layer_arn(&found.name), arn);
        assert_eq!(Reference::parse(arn).unwrap().version, None);
        for no in [
            "",
            "a.zip",
            "./a",
            "a/b",
            "a:",
            "a:x",
            "a:-1",
            "a:+1",
            "a:1:2",
            "arn:aws:lambda:us-east-2:1:layer:a",
            "arn:aws:s3:us-east-2:123456789012:layer:a",
            "arn:gcp:lambda:us-east-2:123456789012:layer:a",
        ] {
            assert_eq!(Reference::parse(no), None, "{no}");
        }
        assert!(LayerName::check(&"a".repeat(140)).is_some());
        assert!(LayerName::check(&"a".repeat(141)).is_none());
    }

    #[test]
    fn regions_are_those_of_the_model() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
            "ap-southeast-7",
        ] {
            assert!(is_region(region), "{region}");
        }
        for region in [
            "",
            "us",
            "us-east",
            "us-east-10",
            "../..",
            "US-east-1",
            "us-isobb-east-1",
            "us-east-1/x",
        ] {
            assert!(!is_region(region), "{region}");
        }
    }
}
