//! The list of layers that a function is to have, checked in AWS's order and with AWS's messages; and what is kept of each.

use serde::{Deserialize, Serialize};

use super::{LayerName, Store, StoreError};
use crate::store::complaint::{Complaints, shown};
use crate::store::content::Digest;
use crate::store::examine::UNZIPPED_LIMIT_BYTES;
use crate::store::policy::{denied, missing};
use crate::store::{Caller, Place, Reference};

const MOST_LAYERS: usize = 5;
const CONSTRAINT: &str = r"Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), Member must not be null]";

/// A layer that a function has, whatever becomes of its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerRef {
    /// Of the layer version.
    pub arn: String,
    /// Of the zip.
    pub sha256: Digest,
    /// Bytes of the zip.
    pub code_size: u64,
    /// Bytes of its files, unzipped.
    pub unzipped_size: u64,
}

impl LayerRef {
    /// `name:3`, as it is named on a command line.
    pub fn short(&self) -> String {
        let mut parts = self.arn.rsplitn(3, ':');
        let (number, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        format!("{name}:{number}")
    }
}

/// A layer version that a list names.
struct Named {
    place: Place,
    name: LayerName,
    number: u64,
}

impl Store {
    /// Looks up the layers of a list for functions of a place, whose account is a member of an organization or of none.
    pub(super) fn attach(
        &self,
        here: &Place,
        organization: Option<&str>,
        arns: &[String],
    ) -> Result<Vec<LayerRef>, StoreError> {
        if arns.len() > MOST_LAYERS {
            let message = format!("Cannot reference more than {MOST_LAYERS} layers.");
            return Err(StoreError::parameter(message));
        }
        let caller = Caller {
            account: here.account(),
            organization,
        };
        let (mut layers, mut seen): (Vec<LayerRef>, Vec<String>) = Default::default();
        for arn in arns {
            let named = named(arn).ok_or_else(|| {
                let mut wrong = Complaints::default();
                wrong.add("layers", shown(arns), CONSTRAINT);
                StoreError::Invalid(wrong.message())
            })?;
            layers.push(self.attach_one(here, &caller, &named)?);
            let layer = named.place.layer_arn(&named.name);
            if let Some(first) = seen.iter().position(|other| *other == layer) {
                return Err(StoreError::parameter(format!(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. {} and {arn} are \
                     versions of the same layer.",
                    arns[first]
                )));
            }
            seen.push(layer);
        }
        Ok(layers)
    }

    fn attach_one(&self, here: &Place, caller: &Caller, named: &Named) -> Result<LayerRef, StoreError> {
        let Named { place, name, number } = named;
        let (is_own, is_near) = (place.account() == here.account(), place.region() == here.region());
        if is_own && !is_near {
            return Err(StoreError::parameter(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                here.region()
            )));
        }
        // A stranger is not told what there is elsewhere.
        if !is_near {
            return Err(denied(caller, place, name, *number));
        }
        match self.version_for(caller, place, name, *number) {
            Ok(version) => Ok(LayerRef {
                arn: version.arn(),
                sha256: version.digest,
                code_size: version.code_size,
                unzipped_size: version.unzipped_size,
            }),
            Err(StoreError::NotFound(_)) => Err(StoreError::parameter(missing(place, name, *number))),
            Err(error) => Err(error),
        }
    }
}

fn named(arn: &str) -> Option<Named> {
    let reference = Reference::parse(arn)?;
    Some(Named {
        place: reference.place?,
        name: reference.name,
        number: reference.version?,
    })
}

/// Whether code and layers fit together into a function.
pub(super) fn check_total(code_bytes: u64, layers: &[LayerRef]) -> Result<(), StoreError> {
    let of_layers = unzipped(layers);
    let actual = of_layers.saturating_add(code_bytes);
    if of_layers > UNZIPPED_LIMIT_BYTES {
        return Err(StoreError::parameter(format!(
            "Layers consume more than the available size of {UNZIPPED_LIMIT_BYTES} bytes"
        )));
    }
    match actual <= UNZIPPED_LIMIT_BYTES {
        true => Ok(()),
        false => Err(StoreError::parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_LIMIT_BYTES} bytes. The actual size is \
             {actual} bytes."
        ))),
    }
}

/// Whether new code fits beside the layers that a function has.
pub(super) fn check_code(code_bytes: u64, layers: &[LayerRef]) -> Result<(), StoreError> {
    let left = UNZIPPED_LIMIT_BYTES.saturating_sub(unzipped(layers));
    match code_bytes < left {
        true => Ok(()),
        false => Err(StoreError::parameter(format!(
            "Unzipped size must be smaller than {left} bytes"
        ))),
    }
}

fn unzipped(layers: &[LayerRef]) -> u64 {
    layers
        .iter()
        .map(|layer| layer.unzipped_size)
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(unzipped_size: u64) -> LayerRef {
        LayerRef {
            arn: "arn:aws:lambda:us-east-2:123456789012:layer:my-layer:3".to_owned(),
            sha256: serde_json::from_str(&format!("\"{:064}\"", 0)).unwrap(),
            code_size: 1,
            unzipped_size,
        }
    }

    /// The message of the sum is one that a user was given by AWS.
    #[test]
    fn code_and_layers_have_262144000_bytes_together() {
        let said = |result: Result<(), StoreError>| result.map_err(|error| error.to_string());
        assert_eq!(said(check_total(262_144_000, &[])), Ok(()));
        assert_eq!(said(check_total(1, &[layer(262_143_999)])), Ok(()));
        assert_eq!(
            said(check_total(1_043_264, &[layer(162_144_000), layer(100_000_000)])),
            Err("Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 263187264 bytes.".to_owned())
        );
        assert_eq!(
            said(check_total(1, &[layer(262_144_001)])),
            Err("Layers consume more than the available size of 262144000 bytes".to_owned())
        );
        assert_eq!(said(check_code(255_174_946, &[layer(6_969_053)])), Ok(()));
        assert_eq!(
            said(check_code(255_174_947, &[layer(6_969_053)])),
            Err("Unzipped size must be smaller than 255174947 bytes".to_owned())
        );
        assert_eq!(layer(1).short(), "my-layer:3");
    }
}
