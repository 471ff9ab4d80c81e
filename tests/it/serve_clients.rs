//! The server and AWS's own clients: the AWS CLI with the commands of AWS's documentation, and boto3.

use std::fs;

use serde_json::{Value, json};

use crate::real_layers::layers;
use crate::support::command::Answer;
use crate::support::raw_zip::RawZip;
use crate::support::server::Server;

const BUCKET: &str = "lambda-layers-us-east-2-123456789012";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[track_caller]
fn said(answer: Answer) -> String {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout
}

/// Replaces what is different each time, once it looks as it should.
fn settled(mut answer: Value) -> Value {
    let date = |text: &str| text.len() == 28 && &text[10..11] == "T" && text.ends_with("+0000");
    if let Some(object) = answer.as_object_mut() {
        for (name, value) in object.iter_mut() {
            let text = value.as_str().unwrap_or_default();
            let is_right = match name.as_str() {
                "CreatedDate" | "LastModified" => date(text),
                "Location" => text.starts_with("http://127.0.0.1:") && text.ends_with(".zip"),
                "RevisionId" => text.len() == 36,
                _ => false,
            };
            if is_right {
                *value = json!("…");
            } else {
                *value = settled(value.take());
            }
        }
    } else if let Some(items) = answer.as_array_mut() {
        for item in items {
            *item = settled(item.take());
        }
    }
    answer
}

/// The commands of AWS's documentation of layers, word for word, and its answers, field by field.
#[test]
fn the_documented_commands_answer_as_documented() {
    let server = Server::new();
    let zip = RawZip::new().file("python/tool.py", "x = 1").build();
    fs::write(server.path("layer.zip"), &zip).unwrap();
    said(server.aws(&["s3", "mb", &format!("s3://{BUCKET}")]));
    said(server.aws(&["s3", "cp", "layer.zip", &format!("s3://{BUCKET}/layer.zip")]));

    let publish = format!(
        "lambda publish-layer-version --layer-name my-layer --license-info MIT --content S3Bucket={BUCKET},S3Key=layer.zip \
         --compatible-runtimes python3.6 python3.7 --description"
    );
    let mut publish = words(&publish);
    publish.push("My layer");
    let arn = "arn:aws:lambda:us-east-2:123456789012:layer:my-layer";
    let digest = server.aws_json(&publish)["Content"]["CodeSha256"].clone();
    let content = json!({ "Location": "…", "CodeSha256": digest, "CodeSize": zip.len() });
    assert_eq!(
        settled(server.aws_json(&publish)),
        json!({
            "Content": content,
            "LayerArn": arn,
            "LayerVersionArn": format!("{arn}:2"),
            "Description": "My layer",
            "CreatedDate": "…",
            "Version": 2,
            "LicenseInfo": "MIT",
            "CompatibleRuntimes": ["python3.6", "python3.7"]
        })
    );
    let item = |version: u32| {
        json!({
            "LayerVersionArn": format!("{arn}:{version}"),
            "Version": version,
            "Description": "My layer",
            "CreatedDate": "…",
            "LicenseInfo": "MIT",
            "CompatibleRuntimes": ["python3.6", "python3.7"]
        })
    };
    assert_eq!(
        settled(server.aws_json(&words("lambda list-layers --compatible-runtime python3.7"))),
        json!({ "Layers": [{ "LayerName": "my-layer", "LayerArn": arn, "LatestMatchingVersion": item(2) }] })
    );
    assert_eq!(
        settled(server.aws_json(&words("lambda list-layer-versions --layer-name my-layer"))),
        json!({ "LayerVersions": [item(2), item(1)] })
    );
    let got = settled(server.aws_json(&words(
        "lambda get-layer-version --layer-name my-layer --version-number 2",
    )));
    assert_eq!(
        (&got["Content"], &got["LayerArn"], &got["Version"]),
        (&content, &json!(arn), &json!(2))
    );
    let deleted = server.aws(&words(
        "lambda delete-layer-version --layer-name my-layer --version-number 1",
    ));
    assert_eq!(said(deleted), "");

    fs::write(server.path("xray.zip"), &zip).unwrap();
    let published = "lambda publish-layer-version --layer-name xray-sdk-nodejs --zip-file fileb://xray.zip";
    assert_eq!(server.aws_json(&words(published))["Version"], 1);
    let granted = said(server.aws(&words(
        "lambda add-layer-version-permission --layer-name xray-sdk-nodejs --statement-id xaccount --action \
         lambda:GetLayerVersion --principal 210987654321 --version-number 1 --output text",
    )));
    let (revision, statement) = granted.trim_end().split_once('\t').unwrap();
    assert_eq!(revision.len(), 36);
    assert_eq!(
        statement,
        r#"{"Sid":"xaccount","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":"lambda:GetLayerVersion","Resource":"arn:aws:lambda:us-east-2:123456789012:layer:xray-sdk-nodejs:1"}"#
    );
    // And it mounts by name at once.
    let cat = [
        "cat",
        "--region",
        "us-east-2",
        "--layer",
        "my-layer:2",
        "python/tool.py",
    ];
    assert_eq!(server.optfs(&cat), "x = 1");
    let missing = server.aws(&words(
        "lambda get-layer-version --layer-name my-layer --version-number 1",
    ));
    assert_eq!(missing.code, Some(255));
    assert_eq!(
        missing.stderr.trim(),
        "An error occurred (ResourceNotFoundException) when calling the GetLayerVersion operation: The resource you requested does \
         not exist."
    );
}

/// The commands of AWS's documentation that attach layers, one of them of another account, word for word.
#[test]
fn layers_are_attached_to_a_function_as_documented() {
    let server = Server::new();
    let zip = RawZip::new()
        .file("index.py", "def handler(event, context): pass")
        .build();
    fs::write(server.path("f.zip"), &zip).unwrap();
    let publish = |name: &str, account: &str, times: usize| {
        let zip = server.path("f.zip");
        let zip = zip.to_str().unwrap();
        for _ in 0..times {
            let place = ["--account", account, "--region", "us-east-2"];
            server.optfs(&[&["layer", "publish", name, "--zip", zip][..], &place].concat());
        }
    };
    publish("my-layer", "123456789012", 3);
    publish("their-layer", "210987654321", 2);
    let create = "lambda create-function --function-name my-function --runtime nodejs8.10 --role \
                  arn:aws:iam::123456789012:role/service-role/lambda-role --handler index.handler --timeout 5 \
                  --tracing-config Mode=Active --zip-file fileb://f.zip";
    let made = server.aws_json(&words(create));
    assert_eq!(
        (&made["State"], &made["Version"]),
        (&json!("Active"), &json!("$LATEST"))
    );
    let update = "lambda update-function-configuration --function-name my-function --layers \
                  arn:aws:lambda:us-east-2:123456789012:layer:my-layer:3 \
                  arn:aws:lambda:us-east-2:210987654321:layer:their-layer:2";
    let refused = server.aws(&words(update));
    assert!(
        refused.stderr.contains(
            "An error occurred (AccessDeniedException) when calling the UpdateFunctionConfiguration operation: User: \
             arn:aws:iam::123456789012:user/"
        ),
        "{refused:?}"
    );
    // The other account grants it: with a key of twelve digits.
    let granted = server.ask(
        "POST /2018-10-31/layers/their-layer/versions/2/policy",
        "Authorization: AWS4-HMAC-SHA256 Credential=210987654321/20261120/us-east-2/lambda/aws4_request\r\n",
        br#"{"StatementId":"xaccount","Action":"lambda:GetLayerVersion","Principal":"123456789012"}"#,
    );
    assert_eq!(granted.status, 201, "{granted:?}");
    let mut updated = settled(server.aws_json(&words(update)));
    let documented = json!({
        "FunctionName": "my-function",
        "FunctionArn": "arn:aws:lambda:us-east-2:123456789012:function:my-function",
        "Runtime": "nodejs8.10",
        "Role": "arn:aws:iam::123456789012:role/service-role/lambda-role",
        "Handler": "index.handler",
        "CodeSize": zip.len(),
        "Description": "",
        "Timeout": 5,
        "MemorySize": 128,
        "LastModified": "…",
        "CodeSha256": made["CodeSha256"],
        "Version": "$LATEST",
        "TracingConfig": { "Mode": "Active" },
        "RevisionId": "…",
        "Layers": [
            { "Arn": "arn:aws:lambda:us-east-2:123456789012:layer:my-layer:3", "CodeSize": zip.len() },
            { "Arn": "arn:aws:lambda:us-east-2:210987654321:layer:their-layer:2", "CodeSize": zip.len() }
        ]
    });
    // AWS has more members since.
    let documented = documented.as_object().unwrap();
    let found = updated.as_object_mut().unwrap();
    found.retain(|name, _| documented.contains_key(name));
    assert_eq!(found, documented);
    let none = server.aws_json(&words(
        "lambda update-function-configuration --function-name my-function --layers []",
    ));
    assert_eq!(none.get("Layers"), None);
    let invoked = server.aws(&words("lambda invoke --function-name my-function out.json"));
    assert!(
        invoked
            .stderr
            .contains("'optfs run --function my-function -- COMMAND'"),
        "{invoked:?}"
    );
}

/// `aws s3 cp` sends what is larger than 8 MB in parts, and gets it in ranges.
#[test]
fn a_large_layer_is_uploaded_in_parts_published_and_downloaded() {
    let server = Server::new();
    let layer = layers(&["awscli"]).remove(0);
    let path = layer.to_str().unwrap();
    said(server.aws(&["s3", "mb", "s3://bkt"]));
    said(server.aws(&["s3", "cp", "--no-progress", path, "s3://bkt/dir/awscli.zip"]));
    assert!(said(server.aws(&["s3", "ls", "s3://bkt/dir/"])).contains("22007457 awscli.zip"));
    let version = server.aws_json(&words(
        "lambda publish-layer-version --layer-name awscli --content S3Bucket=bkt,S3Key=dir/awscli.zip",
    ));
    assert_eq!(
        version["Content"]["CodeSha256"],
        "0Earnc70yawsLRYryLUD+m8AIpPbLXHYqpoZUqXombE="
    );
    said(server.aws(&["s3", "cp", "--no-progress", "s3://bkt/dir/awscli.zip", "back.zip"]));
    assert_eq!(
        fs::read(server.path("back.zip")).unwrap(),
        fs::read(&layer).unwrap()
    );
    said(server.aws(&["s3", "rb", "--force", "s3://bkt"]));
    assert_eq!(said(server.aws(&["s3", "ls"])), "");
    let uploads = server.path("store/buckets");
    assert_eq!(fs::read_dir(uploads).unwrap().count(), 0);
}

/// Paginators, exceptions by their class, regions, accounts, names that are ARNs: see the program.
#[test]
fn boto3_finds_what_it_knows_of_aws() {
    let server = Server::with(&["--organization", "o-t194hfs8cz"]);
    let said = server.boto3(include_str!("../clients/boto3_scenes.py"));
    assert_eq!(said, "all well\n");
}
