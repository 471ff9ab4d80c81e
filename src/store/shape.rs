//! What the store holds as AWS's API writes it: names of members, and which are absent.

use serde_json::{Map, Value, json};

use sha2::{Digest as _, Sha256};

use super::function::{Code, Function, Tags, Usage};
use super::name::partition_of;
use super::{CODE_STORAGE_LIMIT_BYTES, Intake, Layer, LayerVersion, Publication, UNZIPPED_LIMIT_BYTES};

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
    extend(object, Value::Object(declared));
}

/// A function's configuration, as all that answer one function do; `qualified` is whether its version was asked for.
pub fn function(function: &Function, qualified: bool) -> Value {
    let mut object = function_item(function, qualified);
    let mut more = json!({ "State": "Active", "LastUpdateStatus": "Successful" });
    if let Some(runtime) = &function.settings.runtime {
        more["RuntimeVersionConfig"] = json!({ "RuntimeVersionArn": runtime_version(function, runtime) });
    }
    extend(&mut object, more);
    object
}

/// A function in a list: without its state.
pub fn function_item(function: &Function, qualified: bool) -> Value {
    let settings = &function.settings;
    let mut object = json!(settings);
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
        if let Some(config) = fields.remove("ImageConfig") {
            fields.insert("ImageConfigResponse".to_owned(), json!({ "ImageConfig": config }));
        }
    }
    extend(
        &mut object,
        json!({
            "FunctionName": function.name,
            "FunctionArn": if qualified { function.qualified_arn() } else { function.arn() },
            "Version": function.version_word(),
            "LastModified": function.last_modified,
            "RevisionId": function.revision_id,
            "Architectures": function.architectures,
            "CodeSize": function.code.size(),
            "CodeSha256": code_sha256(&function.code),
            "PackageType": match function.code {
                Code::Zip { .. } => "Zip",
                Code::Image(_) => "Image",
            },
        }),
    );
    if let Some(snap_start) = &settings.snap_start {
        let is_on = function.version.is_some() && snap_start.apply_on == "PublishedVersions";
        object["SnapStart"]["OptimizationStatus"] = json!(if is_on { "On" } else { "Off" });
    }
    if settings.vpc_config.is_some() {
        // Which network a subnet lies in is not to be known here.
        object["VpcConfig"]["VpcId"] = json!("");
    }
    if !function.layers.is_empty() {
        let layers = function.layers.iter();
        let layers = layers.map(|layer| json!({ "Arn": layer.arn, "CodeSize": layer.code_size }));
        object["Layers"] = layers.collect();
    }
    object
}

/// What GetFunction answers; `location` is a URL of the code's zip.
pub fn function_with_code(of: &Function, qualified: bool, tags: &Tags, location: &str) -> Value {
    let code = match &of.code {
        Code::Zip { .. } => json!({ "RepositoryType": "S3", "Location": location }),
        Code::Image(uri) => json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri }),
    };
    let mut object = json!({ "Configuration": function(of, qualified), "Code": code });
    if !tags.is_empty() {
        object["Tags"] = json!(tags);
    }
    object
}

/// What GetAccountSettings answers.
pub fn account_settings(usage: &Usage) -> Value {
    json!({
        "AccountLimit": {
            "TotalCodeSize": CODE_STORAGE_LIMIT_BYTES,
            "CodeSizeUnzipped": UNZIPPED_LIMIT_BYTES,
            "CodeSizeZipped": Intake::DIRECT_LIMIT_BYTES,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        },
        "AccountUsage": { "TotalCodeSize": usage.code_bytes, "FunctionCount": usage.functions },
    })
}

/// `CodeSha256` of a function. Of an image it is the digest in its URI, or, where there is none, that of the URI itself.
pub fn code_sha256(code: &Code) -> String {
    match code {
        Code::Zip { sha256, .. } => sha256.base64(),
        Code::Image(uri) => match uri.split_once("@sha256:") {
            Some((_, digest)) => digest.to_owned(),
            None => hex(uri),
        },
    }
}

/// An ARN such as AWS's, which stays the same for a runtime; what is behind it is AWS's secret.
fn runtime_version(function: &Function, runtime: &str) -> String {
    let region = function.place.region();
    format!(
        "arn:{}:lambda:{region}::runtime:{}",
        partition_of(region),
        hex(runtime)
    )
}

fn hex(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (object, more) {
        fields.extend(more);
    }
}
