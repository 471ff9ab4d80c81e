//! Layers and versions as AWS's API writes them: names of fields, and which are absent.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::store::{Layer, LayerVersion, Publication};

/// A version with its content, as PublishLayerVersion and GetLayerVersion answer.
pub(super) fn whole(version: &LayerVersion, zip: &Path) -> Value {
    let mut object = json!({
        "Content": {
            "Location": location(zip),
            "CodeSha256": version.digest.base64(),
            "CodeSize": version.code_size,
        },
        "LayerArn": version.layer_arn(),
        "LayerVersionArn": version.arn(),
        "Description": version.about.description,
        "CreatedDate": version.created_date,
        "Version": version.version,
    });
    put_declared(&mut object, &version.about);
    object
}

/// A version in a list.
pub(super) fn item(version: &LayerVersion) -> Value {
    let mut object = json!({
        "LayerVersionArn": version.arn(),
        "Version": version.version,
        "Description": version.about.description,
        "CreatedDate": version.created_date,
    });
    put_declared(&mut object, &version.about);
    object
}

/// A layer in a list.
pub(super) fn layer(layer: &Layer) -> Value {
    json!({
        "LayerName": layer.name.to_string(),
        "LayerArn": layer.arn,
        "LatestMatchingVersion": item(&layer.latest),
    })
}

/// What was not given is absent, and what was given empty is empty.
fn put_declared(object: &mut Value, about: &Publication) {
    let mut declared = Map::new();
    if let Some(architectures) = &about.compatible_architectures {
        declared.insert("CompatibleArchitectures".to_owned(), json!(architectures));
    }
    if let Some(runtimes) = &about.compatible_runtimes {
        declared.insert("CompatibleRuntimes".to_owned(), json!(runtimes));
    }
    if let Some(license) = &about.license_info {
        declared.insert("LicenseInfo".to_owned(), json!(license));
    }
    if let Value::Object(fields) = object {
        fields.extend(declared);
    }
}

/// A URL that leads to the zip without a server (RFC 8089).
fn location(zip: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in zip.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_url() {
        assert_eq!(
            location(Path::new("/a b/ü:1.zip")),
            "file:///a%20b/%C3%BC%3A1.zip"
        );
    }
}
