//! What the store holds as AWS's API writes it: names of members, and which are absent.

use serde_json::{Map, Value, json};

use super::{Layer, LayerVersion, Publication};

/// A layer version with its content, as PublishLayerVersion and GetLayerVersion answer; `location` is a URL of its zip.
pub fn layer_version(version: &LayerVersion, location: &str) -> Value {
    let mut object = json!({
        "Content": {
            "Location": location,
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

/// A layer version in a list.
pub fn layer_version_item(version: &LayerVersion) -> Value {
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
pub fn layer(layer: &Layer) -> Value {
    json!({
        "LayerName": layer.name.to_string(),
        "LayerArn": layer.arn,
        "LatestMatchingVersion": layer_version_item(&layer.latest),
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
