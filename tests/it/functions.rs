//! Functions in the store: what AWS does with them and what it refuses, word for word, as recorded against AWS.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use optfs::store::function::{CodeUpdate, ConfigurationUpdate, Function, LATEST, NewCode, NewFunction};
use optfs::store::{Freed, LayerName, Permission, Place, Publication, Store, StoreError, shape};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::published::Shop;
use crate::support::raw_zip::RawZip;

const ROLE: &str = "arn:aws:iam::123456789012:role/lambda-role";

/// A store, and what an account does with it.
struct Account {
    scratch: TempDir,
    store: Store,
    here: Place,
}

impl Account {
    fn new() -> Account {
        let scratch = TempDir::new().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let here = place("123456789012", "us-east-2");
        Account { scratch, store, here }
    }

    fn zip(&self, content: &str) -> PathBuf {
        let path = self.scratch.path().join("some.zip");
        // As Python's zipfile writes it: functions may have files that only their owner can read.
        let zip = RawZip::new().file("index.py", content);
        fs::write(&path, zip.build()).unwrap();
        path
    }

    fn code(&self, content: &str) -> NewCode {
        NewCode::Zip(self.store.take_zip(&self.zip(content)).unwrap())
    }

    /// Publishes a version of a layer and gives its ARN.
    fn layer(&self, place: &Place, name: &str, content: &str) -> String {
        let intake = self.store.take_zip(&self.zip(content)).unwrap();
        let name = LayerName::check(name).unwrap();
        let version = self.store.publish(place, &name, Publication::default(), intake);
        version.unwrap().arn()
    }

    fn create(&self, name: &str, more: Value) -> Result<Function, StoreError> {
        let mut new = json!({ "Role": ROLE, "Runtime": "python3.12", "Handler": "index.handler" });
        new.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let code = self.code("code");
        self.store
            .create_function(&self.here, name, None, read(new), code)
    }

    fn update(&self, name: &str, update: Value) -> Result<Function, StoreError> {
        self.store
            .update_configuration(&self.here, name, None, read(update))
    }

    fn update_code(&self, name: &str, content: &str, update: Value) -> Result<Function, StoreError> {
        self.store
            .update_code(&self.here, name, read(update), self.code(content))
    }

    fn publish(&self, name: &str, about: Value) -> Result<Function, StoreError> {
        self.store.publish_version(&self.here, name, read(about))
    }

    fn get(&self, name: &str) -> Value {
        shape::function(&self.store.function(&self.here, name, None).unwrap(), false)
    }

    fn versions(&self, name: &str) -> Vec<String> {
        let versions = self.store.function_versions(&self.here, name).unwrap();
        versions.iter().map(Function::version_word).collect()
    }
}

fn place(account: &str, region: &str) -> Place {
    Place::new(account, region).unwrap()
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    // As a server reads it.
    serde_json::from_str(&value.to_string()).unwrap()
}

#[track_caller]
fn refused<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

/// The members that AWS answered on 2025-11-25 for a function with a layer, but for what differs from day to day.
#[test]
fn a_function_is_shown_as_aws_shows_it() {
    let account = Account::new();
    let arn = account.layer(&account.here, "my-layer", "layer");
    let new = json!({ "Timeout": 30, "Environment": { "Variables": {} }, "Layers": [arn] });
    let made = account.create("my-function", new).unwrap();
    let mut shown = shape::function(&made, false);
    let shown = shown.as_object_mut().unwrap();
    let uuid = shown.remove("RevisionId").unwrap();
    assert_eq!(uuid.as_str().unwrap().len(), 36);
    let modified = shown.remove("LastModified").unwrap();
    assert!(modified.as_str().unwrap().ends_with("+0000"));
    let runtime = shown.remove("RuntimeVersionConfig").unwrap();
    let runtime = runtime["RuntimeVersionArn"].as_str().unwrap();
    assert!(
        runtime.starts_with("arn:aws:lambda:us-east-2::runtime:"),
        "{runtime}"
    );
    let sha256 = shown.remove("CodeSha256").unwrap();
    assert_eq!(sha256.as_str().unwrap().len(), 44);
    let size = fs::metadata(account.zip("code")).unwrap().len();
    let size_of_layer = fs::metadata(account.zip("layer")).unwrap().len();
    assert_eq!(
        Value::Object(shown.clone()),
        json!({
            "Architectures": ["x86_64"], "CodeSize": size, "Description": "", "Environment": { "Variables": {} },
            "EphemeralStorage": { "Size": 512 },
            "FunctionArn": "arn:aws:lambda:us-east-2:123456789012:function:my-function",
            "FunctionName": "my-function", "Handler": "index.handler", "LastUpdateStatus": "Successful",
            "Layers": [{ "Arn": arn, "CodeSize": size_of_layer }],
            "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/my-function" },
            "MemorySize": 128, "PackageType": "Zip", "Role": ROLE, "Runtime": "python3.12",
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" }, "State": "Active", "Timeout": 30,
            "TracingConfig": { "Mode": "PassThrough" }, "Version": "$LATEST"
        })
    );
    let item = shape::function_item(&made, true);
    assert_eq!(
        item["FunctionArn"],
        "arn:aws:lambda:us-east-2:123456789012:function:my-function:$LATEST"
    );
    for absent in ["State", "LastUpdateStatus", "RuntimeVersionConfig"] {
        assert_eq!(item.get(absent), None);
    }
    let code = account.store.function_code(&made).unwrap();
    assert_eq!(fs::read(code).unwrap(), fs::read(account.zip("code")).unwrap());
}

/// Issue and documentation: a version that was deleted stays with the functions that have it.
#[test]
fn a_deleted_layer_stays_with_its_functions_until_they_let_it_go() {
    let account = Account::new();
    let (store, here) = (&account.store, &account.here);
    let first = account.layer(here, "my-layer", "one");
    let second = account.layer(here, "my-layer", "two");
    account.create("f", json!({ "Layers": [first] })).unwrap();
    let name = LayerName::check("my-layer").unwrap();
    store.delete(here, &name, 1).unwrap();
    assert_eq!(store.collect().unwrap().zips, 0);
    // Other settings may change; the list may not name it again.
    account.update("f", json!({ "Timeout": 9 })).unwrap();
    assert_eq!(account.get("f")["Layers"][0]["Arn"], json!(first));
    assert_eq!(
        refused(account.update("f", json!({ "Layers": [first] }))),
        "Layer version arn:aws:lambda:us-east-2:123456789012:layer:my-layer:1 does not exist."
    );
    let function = store.function(here, "f", None).unwrap();
    let zip = store.layer_zip(&function.layers[0]);
    assert!(zip.ends_with("my-layer:1"), "{}", zip.display());
    assert_eq!(fs::read(zip).unwrap(), fs::read(account.zip("one")).unwrap());
    // A published version has it, too.
    account.publish("f", json!({})).unwrap();
    account.update("f", json!({ "Layers": [second] })).unwrap();
    assert_eq!(store.collect().unwrap().zips, 0);
    store.delete_function(here, "f", Some("1")).unwrap();
    assert_eq!(store.collect().unwrap().zips, 1);
    let cleared = account.update("f", json!({ "Layers": [] })).unwrap();
    assert_eq!(shape::function(&cleared, false).get("Layers"), None);
    store.delete(here, &name, 2).unwrap();
    store.delete_function(here, "f", None).unwrap();
    assert_eq!(store.collect().unwrap().zips, 2);
}

#[test]
fn the_list_of_layers_is_checked_in_awss_order() {
    let account = Account::new();
    let here = &account.here;
    let [first, second, third] = ["1", "2", "3"].map(|content| account.layer(here, "l", content));
    account.create("f", json!({})).unwrap();
    let six = vec![first.clone(); 6];
    let attach = |layers: &[&str]| account.update("f", json!({ "Layers": layers }));
    assert_eq!(
        refused(account.update("f", json!({ "Layers": six }))),
        "Cannot reference more than 5 layers."
    );
    let arn = "arn:aws:lambda:us-east-2:123456789012:layer:l";
    for list in [vec![&first, &second], vec![&first, &second, &third]] {
        let list: Vec<_> = list.into_iter().map(String::as_str).collect();
        assert_eq!(
            refused(attach(&list)),
            format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {arn}:1 and {arn}:2 are \
                 versions of the same layer."
            )
        );
    }
    assert_eq!(
        refused(attach(&[&first, &first])),
        format!(
            "Two different versions of the same layer are not allowed to be referenced in the same function. {arn}:1 and {arn}:1 are \
             versions of the same layer."
        )
    );
    for (layer, number) in [("doesnotexist", 1), ("l", 9)] {
        let arn = format!("arn:aws:lambda:us-east-2:123456789012:layer:{layer}:{number}");
        let refused = attach(&[&arn]).unwrap_err();
        assert!(matches!(refused, StoreError::Parameter { .. }));
        assert_eq!(
            refused.to_string(),
            format!("Layer version {arn} does not exist.")
        );
    }
    assert_eq!(
        refused(attach(&[arn])),
        format!(
            r"1 validation error detected: Value '[{arn}]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{{1}}:\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), Member must not be null]"
        )
    );
    let elsewhere = account.layer(&place("123456789012", "eu-west-1"), "l", "1");
    assert_eq!(
        refused(attach(&[&elsewhere])),
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-2."
    );
    assert_eq!(account.get("f").get("Layers"), None);
}

#[test]
fn a_strangers_layer_needs_a_grant() {
    let account = Account::new();
    let owner = place("210987654321", "us-east-2");
    let theirs = account.layer(&owner, "their-layer", "theirs");
    let absent = theirs.replace("layer:1", "layer:9");
    let elsewhere = account.layer(&place("210987654321", "eu-west-1"), "their-layer", "theirs");
    account.create("f", json!({})).unwrap();
    let attach = |arn: &str| account.update("f", json!({ "Layers": [arn] }));
    for arn in [&theirs, &absent, &elsewhere] {
        let refused = attach(arn).unwrap_err();
        assert!(matches!(refused, StoreError::Denied(_)));
        assert_eq!(
            refused.to_string(),
            format!(
                "User: arn:aws:iam::123456789012:user/optfs is not authorized to perform: lambda:GetLayerVersion on resource: {arn} \
                 because no resource-based policy allows the lambda:GetLayerVersion action"
            )
        );
    }
    let name = LayerName::check("their-layer").unwrap();
    let permission = Permission::to("123456789012", "xaccount");
    account.store.permit(&owner, &name, 1, &permission, None).unwrap();
    attach(&theirs).unwrap();
    // What was attached stays so when the grant is gone, and the version.
    account.store.revoke(&owner, &name, 1, "xaccount", None).unwrap();
    account.store.delete(&owner, &name, 1).unwrap();
    account.update("f", json!({ "Timeout": 4 })).unwrap();
    assert_eq!(account.get("f")["Layers"][0]["Arn"], json!(theirs));
    // Of an organization.
    let again = account.layer(&owner, "their-layer", "theirs");
    let permission = Permission {
        organization_id: Some("o-t194hfs8cz".to_owned()),
        ..Permission::to("*", "organization")
    };
    account.store.permit(&owner, &name, 2, &permission, None).unwrap();
    assert!(attach(&again).is_err());
    let update: ConfigurationUpdate = read(json!({ "Layers": [again] }));
    let organization = Some("o-t194hfs8cz");
    let store = &account.store;
    store
        .update_configuration(&account.here, "f", organization, update)
        .unwrap();
}

#[test]
fn what_aws_refuses_of_a_function_is_refused_in_its_words() {
    let account = Account::new();
    account.create("f", json!({})).unwrap();
    let create = |more: Value| refused(account.create("g", more));
    let architectures = create(json!({ "Architectures": ["x86_64", "arm64"] }));
    assert_eq!(
        architectures,
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length \
         less than or equal to 1"
    );
    assert_eq!(
        create(json!({ "Architectures": ["X86_64"] })),
        "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: \
         [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"
    );
    let runtime = create(json!({ "Runtime": "PYTHON3.9" }));
    assert!(
        runtime.starts_with(
            "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
        ) && runtime.ends_with("] or be a valid ARN"),
        "{runtime}"
    );
    assert!(
        create(json!({ "Role": "r1" }))
            .starts_with("1 validation error detected: Value 'r1' at 'role' failed")
    );
    assert_eq!(
        refused(account.create("f", json!({}))),
        "Function already exist: f"
    );
    let not_a_zip = account.scratch.path().join("text");
    fs::write(
        &not_a_zip,
        "no zip at all, only some text that is long enough to be read",
    )
    .unwrap();
    let code = NewCode::Zip(account.store.take_zip(&not_a_zip).unwrap());
    let new: NewFunction = read(json!({ "Role": ROLE, "Runtime": "python3.12", "Handler": "h" }));
    assert_eq!(
        refused(account.store.create_function(&account.here, "g", None, new, code)),
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    );
    let missing = "arn:aws:lambda:us-east-2:123456789012:function:g";
    let (store, here) = (&account.store, &account.here);
    for (qualifier, message) in [
        (None, format!("Function not found: {missing}")),
        (Some(LATEST), format!("Function not found: {missing}:$LATEST")),
        (Some("1221"), format!("Function not found: {missing}:1221")),
    ] {
        assert_eq!(refused(store.function(here, "g", qualifier)), message);
    }
    assert!(refused(store.function(here, "f", Some("01"))).ends_with("function:f:01"));
    assert_eq!(
        refused(account.update("g", json!({}))),
        format!("Function not found: {missing}")
    );
    assert_eq!(
        refused(account.update_code("g", "x", json!({}))),
        format!("Function not found: {missing}")
    );
    assert_eq!(
        refused(store.delete_function(here, "g", Some("1"))),
        format!("Function not found: {missing}")
    );
    assert_eq!(
        refused(store.delete_function(here, "f", Some(LATEST))),
        "$LATEST version cannot be deleted without deleting the function."
    );
    for name in ["..", "a/b", "", "a.b"] {
        assert!(
            matches!(store.function(here, name, None), Err(StoreError::NotFound(_))),
            "{name}"
        );
    }
    assert_eq!(store.functions(here).unwrap().len(), 1);
    assert_eq!(unfinished(&account), 0);
}

#[test]
fn code_has_the_room_that_layers_leave() {
    let account = Account::new();
    let zeros = |name: &str, bytes: u64| {
        let directory = account.scratch.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::File::create(directory.join("zeros"))
            .unwrap()
            .set_len(bytes)
            .unwrap();
        account.store.take_directory(&directory).unwrap()
    };
    let name = LayerName::check("big").unwrap();
    let intake = zeros("layer", 262_000_000);
    let layer = account
        .store
        .publish(&account.here, &name, Publication::default(), intake)
        .unwrap();
    let code = NewCode::Zip(zeros("code", 144_001));
    let new: NewFunction =
        read(json!({ "Role": ROLE, "Runtime": "python3.12", "Handler": "h", "Layers": [layer.arn()] }));
    assert_eq!(
        refused(account.store.create_function(&account.here, "f", None, new, code)),
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 bytes."
    );
    account.create("f", json!({ "Layers": [layer.arn()] })).unwrap();
    let code = NewCode::Zip(zeros("code", 144_000));
    assert_eq!(
        refused(
            account
                .store
                .update_code(&account.here, "f", CodeUpdate::default(), code)
        ),
        "Unzipped size must be smaller than 144000 bytes"
    );
}

#[test]
fn a_revision_guards_what_somebody_has_read() {
    let account = Account::new();
    let first = account.create("f", json!({})).unwrap().revision_id;
    let second = account
        .update("f", json!({ "Timeout": 4, "RevisionId": first }))
        .unwrap()
        .revision_id;
    assert_ne!(first, second);
    let stale = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest \
                 Revision Id";
    let revision = json!({ "RevisionId": first });
    assert_eq!(refused(account.update("f", revision.clone())), stale);
    assert_eq!(refused(account.update_code("f", "x", revision.clone())), stale);
    assert_eq!(refused(account.publish("f", revision)), stale);
    let third = account
        .update_code("f", "other", json!({ "RevisionId": second }))
        .unwrap();
    assert_ne!(third.revision_id, second);
    let dry = account
        .update_code("f", "dry", json!({ "DryRun": true }))
        .unwrap();
    assert_eq!(account.get("f")["RevisionId"], json!(third.revision_id));
    assert_ne!(dry.code, third.code);
}

#[test]
fn versions_are_published_once_for_every_change_and_their_numbers_never_given_again() {
    let account = Account::new();
    let made = account.create("f", json!({ "Publish": true })).unwrap();
    let arn = "arn:aws:lambda:us-east-2:123456789012:function:f";
    assert_eq!(
        (made.version, shape::function(&made, false)["FunctionArn"].clone()),
        (Some(1), json!(arn))
    );
    // Nothing was changed: the answer is the same version.
    assert_eq!(account.publish("f", json!({ "Description": "x" })).unwrap(), made);
    let changed = account.update("f", json!({ "Description": "changed" })).unwrap();
    let sha256 = shape::function(&changed, false)["CodeSha256"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        refused(account.publish("f", json!({ "CodeSha256": "somenonexistentsha256" }))),
        format!(
            "CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST ({sha256}). Please try again with the \
             CodeSHA256 in $LATEST."
        )
    );
    let about = json!({ "Description": "second", "CodeSha256": sha256 });
    let second = account.publish("f", about).unwrap();
    assert_eq!(
        (second.version, second.settings.description.as_deref()),
        (Some(2), Some("second"))
    );
    assert_eq!(shape::function(&second, true)["FunctionArn"], format!("{arn}:2"));
    let third = account
        .update_code("f", "third", json!({ "Publish": true }))
        .unwrap();
    assert_eq!(third.version, Some(3));
    assert_eq!(account.versions("f"), ["$LATEST", "1", "2", "3"]);
    assert_eq!(
        account.store.function(&account.here, "f", Some("2")).unwrap(),
        second
    );
    let delete = |qualifier| {
        account
            .store
            .delete_function(&account.here, "f", qualifier)
            .unwrap()
    };
    delete(Some("3"));
    delete(Some("3"));
    assert_eq!(account.publish("f", json!({})).unwrap().version, Some(4));
    assert_eq!(account.versions("f"), ["$LATEST", "1", "2", "4"]);
    delete(None);
    assert!(account.store.function(&account.here, "f", Some("1")).is_err());
    assert_eq!(
        account.create("f", json!({ "Publish": true })).unwrap().version,
        Some(5)
    );
    assert_eq!(account.versions("f"), ["$LATEST", "5"]);
}

#[test]
fn tags_and_what_is_used_are_counted() {
    let account = Account::new();
    let layer = account.layer(&account.here, "l", "layer");
    account
        .create(
            "f",
            json!({ "Tags": { "team": "a" }, "Layers": [layer], "Publish": true }),
        )
        .unwrap();
    let set = [("stage".to_owned(), "test".to_owned())].into();
    let tags = account
        .store
        .tag(&account.here, "f", set, &["team".to_owned()])
        .unwrap();
    assert_eq!(json!(tags), json!({ "stage": "test" }));
    assert_eq!(account.store.tags(&account.here, "f").unwrap(), tags);
    let size = |content: &str| fs::metadata(account.zip(content)).unwrap().len();
    let usage = account.store.usage(&account.here).unwrap();
    // Once in the layer, once in the function, once in its version.
    assert_eq!(
        (usage.functions, usage.code_bytes),
        (1, size("layer") + 2 * size("code"))
    );
    assert_eq!(
        shape::account_settings(&usage)["AccountLimit"],
        json!({
            "TotalCodeSize": 80_530_636_800u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000
        })
    );
}

#[test]
fn images_are_kept_and_take_no_layers() {
    let account = Account::new();
    let layer = account.layer(&account.here, "l", "layer");
    let image = || NewCode::Image("123456789012.dkr.ecr.us-east-2.amazonaws.com/i:1".to_owned());
    let (store, here) = (&account.store, &account.here);
    let create = |more: Value| {
        let mut new =
            json!({ "Role": ROLE, "PackageType": "Image", "ImageConfig": { "Command": ["app.handler"] } });
        new.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        store.create_function(here, "i", None, read(new), image())
    };
    let no_layers = "Lambda layers are not supported for functions created with container images.";
    assert_eq!(refused(create(json!({ "Layers": [layer] }))), no_layers);
    let made = create(json!({})).unwrap();
    let shown = shape::function(&made, false);
    assert_eq!(
        (&shown["PackageType"], shown.get("Runtime")),
        (&json!("Image"), None)
    );
    assert_eq!(
        shown["ImageConfigResponse"],
        json!({ "ImageConfig": { "Command": ["app.handler"] } })
    );
    assert_eq!(
        refused(account.update("i", json!({ "Layers": [layer] }))),
        no_layers
    );
    assert_eq!(
        refused(account.update_code("i", "zip", json!({}))),
        "Please provide ImageUri when updating a function with packageType Image."
    );
}

#[test]
fn what_is_only_data_is_kept_and_given_back() {
    let account = Account::new();
    let more = json!({
        "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
        "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:us-east-2:123456789012:q" },
        "KMSKeyArn": "arn:aws:kms:us-east-2:123456789012:key/k",
        "FileSystemConfigs": [{ "Arn": "arn:aws:elasticfilesystem:us-east-2:123456789012:access-point/a", "LocalMountPath": "/mnt/a" }],
        "TracingConfig": { "Mode": "Active" },
        "DurableConfig": { "ExecutionTimeout": 60 }
    });
    account.create("f", more.clone()).unwrap();
    let shown = account.get("f");
    for (member, value) in more.as_object().unwrap() {
        match member.as_str() {
            "VpcConfig" => assert_eq!(shown[member]["SubnetIds"], value["SubnetIds"]),
            _ => assert_eq!(&shown[member], value, "{member}"),
        }
    }
    account
        .update(
            "f",
            json!({ "DeadLetterConfig": {}, "FileSystemConfigs": [], "KMSKeyArn": "" }),
        )
        .unwrap();
    let shown = account.get("f");
    for member in ["DeadLetterConfig", "FileSystemConfigs", "KMSKeyArn"] {
        assert_eq!(shown.get(member), None, "{member}");
    }
}

fn unfinished(account: &Account) -> usize {
    let freed = account.store.collect().unwrap();
    assert_eq!(freed.zips, 0);
    let Freed { unfinished, .. } = freed;
    unfinished as usize
}

/// A store on the command line, with version 1 of two layers.
fn shop() -> Shop {
    let shop = Shop::new();
    for layer in ["requests", "numpy"] {
        shop.zip("layer.zip", layer);
        shop.say(&["layer", "publish", layer, "--zip", "layer.zip"]);
    }
    shop.write(
        "code.zip",
        RawZip::new().file("index.py", "def handler(event, context): ..."),
    );
    shop
}

/// Where the zip of a function is.
fn location(shop: &Shop, name: &str) -> PathBuf {
    let got = shop.json(&["function", "get", name, "--json"]);
    let url = got["Code"]["Location"].as_str().unwrap();
    url.strip_prefix("file://").unwrap().into()
}

fn create<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let code: &[&str] = match more.contains(&"--zip-file") {
        true => &[],
        false => &["--zip-file", "code.zip"],
    };
    let words = [
        "function",
        "create",
        name,
        "--runtime",
        "python3.12",
        "--handler",
        "index.handler",
    ];
    [&words[..], code, more].concat()
}

#[test]
fn a_function_is_made_changed_published_and_deleted_without_a_server() {
    let shop = shop();
    let more = [
        "--layers",
        "requests",
        "numpy:1",
        "--env",
        "A1=b",
        "--timeout",
        "9",
        "--tags",
        "team=a,x=",
        "--json",
    ];
    let made = shop.json(&create("my-function", &more));
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:my-function";
    assert_eq!(
        (&made["FunctionArn"], &made["Version"]),
        (&arn.into(), &"$LATEST".into())
    );
    assert_eq!(made["Role"], "arn:aws:iam::123456789012:role/optfs");
    assert_eq!(made["Environment"], json!({ "Variables": { "A1": "b" } }));
    let layer = |name: &str| format!("arn:aws:lambda:us-east-1:123456789012:layer:{name}:1");
    assert_eq!(made["Layers"][0]["Arn"], layer("requests"));
    assert_eq!(made["Layers"][1]["Arn"], layer("numpy"));
    let got = shop.json(&["function", "get", arn, "--json"]);
    assert_eq!(got["Tags"], json!({ "team": "a", "x": "" }));
    let code = fs::read(location(&shop, "my-function")).unwrap();
    assert_eq!(code, fs::read(shop.path("here/code.zip")).unwrap());
    let shown = shop.say(&["function", "get", "my-function"]);
    for line in [
        "my-function\n",
        "  environment    A1=b\n",
        "  timeout        9 s\n",
        &format!("  layers         1  {}  8 B unzipped\n", layer("requests")),
        &format!("                 2  {}  5 B unzipped\n", layer("numpy")),
        "  together       45 B of 250.0 MiB unzipped\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // What is not named stays.
    let updated = shop.json(&[
        "function",
        "update",
        "my-function",
        "--layers",
        "numpy",
        "--publish",
        "--json",
    ]);
    assert_eq!(
        (&updated["Version"], &updated["Timeout"]),
        (&"1".into(), &9.into())
    );
    assert_eq!(updated["Layers"].as_array().unwrap().len(), 1);
    // The seeds' way to take them all away.
    shop.say(&["function", "update", "my-function", "--layers", "[]"]);
    let items = shop.json(&["function", "list", "--function-version", "ALL", "--json"]);
    let listed = |of: &Value| {
        (
            of["Version"].clone(),
            of.get("Layers").is_some(),
            of["FunctionArn"].clone(),
        )
    };
    let items: Vec<_> = items["Functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(listed)
        .collect();
    assert_eq!(
        items,
        [
            ("$LATEST".into(), false, format!("{arn}:$LATEST").into()),
            ("1".into(), true, format!("{arn}:1").into())
        ]
    );
    let table = shop.say(&["function", "versions", "my-function"]);
    assert!(
        table.contains("my-function:1  ") && table.contains("python3.12  numpy:1"),
        "{table}"
    );
    assert_eq!(
        shop.say(&["function", "delete", "my-function:1"]),
        "my-function:1 is deleted\n"
    );
    assert_eq!(
        shop.say(&["function", "delete", "my-function:1"]),
        "my-function:1 was not there\n"
    );
    assert_eq!(
        shop.say(&["function", "delete", "my-function"]),
        "my-function is deleted\n"
    );
    let gone = shop.ask(&["function", "get", "my-function"]);
    assert_eq!(gone.code, Some(1));
    assert!(
        gone.stderr
            .starts_with(&format!("optfs: Function not found: {arn}\n  hint: ")),
        "{gone:?}"
    );
}

/// The seeds' `update-function-configuration`, with the layer of another account brought in before.
#[test]
fn the_documentations_layers_are_attached() {
    let shop = Shop::new();
    shop.zip("layer.zip", "layer");
    shop.write("code.zip", RawZip::new().file("index.py", "code"));
    let here = ["--region", "us-east-2"];
    for _ in 0..3 {
        shop.say(&[&["layer", "publish", "my-layer", "--zip", "layer.zip"], &here[..]].concat());
    }
    let theirs = "arn:aws:lambda:us-east-2:210987654321:layer:their-layer:2";
    let ours = "arn:aws:lambda:us-east-2:123456789012:layer:my-layer:3";
    shop.say(&create("my-function", &here));
    let update = [
        &["function", "update", "my-function", "--layers", ours, theirs],
        &here[..],
    ]
    .concat();
    let denied = shop.ask(&update);
    assert_eq!(denied.code, Some(3));
    assert!(
        denied
            .stderr
            .contains("because no resource-based policy allows the lambda:GetLayerVersion action")
            && denied.stderr.contains("optfs layer import ARN --zip FILE"),
        "{denied:?}"
    );
    shop.say(&[&["layer", "import", theirs, "--zip", "layer.zip"], &here[..]].concat());
    let updated = shop.json(&[&update[..], &["--json"]].concat());
    let arns: Vec<_> = updated["Layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["Arn"].clone())
        .collect();
    assert_eq!(arns, [ours, theirs]);
}

#[test]
fn words_that_make_no_function_get_a_hint() {
    let shop = shop();
    shop.say(&create("my-function", &[]));
    let said = |words: &[&str]| {
        let answer = shop.ask(words);
        (answer.code, answer.stderr)
    };
    for (words, code, part) in [
        (
            create("my-function", &[]),
            1,
            "Function already exist: my-function\n  hint: 'optfs function update my-function'",
        ),
        (create("f:1", &[]), 2, "leave it out: f"),
        (create("f", &["--layers", "reqests"]), 3, "near to it: requests"),
        (create("f", &["--env", "A"]), 2, "A: no NAME=VALUE"),
        (
            create("f", &["--cli-input-json", "{"]),
            2,
            "--cli-input-json: EOF",
        ),
        (
            vec!["function", "create", "f", "--runtime", "python3.12"],
            3,
            "Please provide a source for function code.\n  hint: --zip-file",
        ),
        (
            vec!["function", "create", "f", "--zip-file", "code.zip"],
            3,
            "Runtime and Handler are mandatory",
        ),
        (
            vec!["function", "create", "f", "--zip", "no.zip"],
            3,
            "no.zip: no such file",
        ),
        (
            vec!["function", "update", "my-function"],
            2,
            "nothing is to be changed",
        ),
        (
            vec!["function", "update", "my-functoin", "--timeout", "9"],
            1,
            "near to it: my-function",
        ),
        (vec!["function", "get", "my-function:7"], 1, "lists its versions"),
        (
            vec!["function", "delete", "my-function:$LATEST"],
            3,
            "$LATEST version cannot be deleted",
        ),
    ] {
        let (found, stderr) = said(&words);
        assert_eq!(found, Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(part), "{words:?}: {stderr}");
    }
    let json = r#"{"Timeout": 7, "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}"#;
    let made = shop.json(&create(
        "g",
        &["--cli-input-json", json, "--memory-size", "256", "--json"],
    ));
    assert_eq!((&made["Timeout"], &made["MemorySize"]), (&7.into(), &256.into()));
    assert_eq!(made["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
}

#[test]
fn eight_processes_change_one_function_and_nothing_is_lost() {
    let shop = shop();
    shop.say(&create("f", &[]));
    thread::scope(|scope| {
        for process in 0..8 {
            let shop = &shop;
            scope.spawn(move || {
                for round in 0..5 {
                    let description = format!("{process}-{round}");
                    let words = [
                        "function",
                        "update",
                        "f",
                        "--publish",
                        "--description",
                        &description,
                    ];
                    shop.say(&words);
                    // One that nobody else has, with code that nobody else has, while others collect.
                    let (own, zip) = (format!("own-{process}"), format!("{process}.zip"));
                    match round {
                        0 => {
                            shop.write(&zip, RawZip::new().file("index.py", &own));
                            shop.say(&create(&own, &["--zip-file", &zip]));
                        }
                        4 => {
                            let code = fs::read(location(shop, &own)).unwrap();
                            assert_eq!(code, fs::read(shop.path("here").join(zip)).unwrap());
                            shop.say(&["function", "delete", &own]);
                        }
                        _ => drop(shop.say(&["function", "update", &own, "--timeout", "9"])),
                    }
                }
            });
        }
        for _ in 0..30 {
            shop.say(&["layer", "gc"]);
        }
    });
    let versions = shop.json(&["function", "versions", "f", "--json"]);
    let versions = versions["Versions"].as_array().unwrap();
    let numbers: Vec<_> = versions[1..]
        .iter()
        .map(|one| one["Version"].as_str().unwrap().parse::<usize>().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    // Nobody changes it twice without publishing: at most eight changes are in one version.
    assert!((5..=40).contains(&numbers.len()), "{}", numbers.len());
    assert_eq!(
        shop.json(&["function", "list", "--json"])["Functions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(shop.unfinished(), 0);
}

/// Killed at any moment, a function is there whole, as before or as after; what was acknowledged stays.
#[test]
fn a_killed_change_leaves_a_whole_function() {
    let shop = shop();
    shop.say(&create("f", &["--timeout", "1"]));
    let begun = Instant::now();
    shop.say(&["function", "update", "f", "--timeout", "1", "--publish"]);
    let whole = begun.elapsed();
    let mut acknowledged = 1;
    for round in 2..42u32 {
        let timeout = round.to_string();
        let words = [
            "function",
            "update",
            "f",
            "--zip-file",
            "code.zip",
            "--timeout",
            &timeout,
            "--publish",
        ];
        let mut child = shop.command(&words).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(whole * (round * 37 % 140) / 100);
        let _ = child.kill();
        if child.wait().unwrap().success() {
            acknowledged = round;
        }
        let now = shop.json(&["function", "get", "f", "--json"]);
        let found = now["Configuration"]["Timeout"].as_u64().unwrap();
        assert!(
            (u64::from(acknowledged)..=u64::from(round)).contains(&found),
            "{acknowledged} {found} {round}"
        );
    }
    let versions = shop.json(&["function", "versions", "f", "--json"]);
    let count = versions["Versions"].as_array().unwrap().len();
    let last = versions["Versions"][count - 1]["Version"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(last, (count - 1).to_string());
    shop.say(&["layer", "gc"]);
    assert_eq!(shop.unfinished(), 0);
}
