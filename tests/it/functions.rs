//! Functions in the store: what AWS does with them and what it refuses, word for word, as recorded against AWS.

use std::fs;
use std::path::PathBuf;

use optfs::store::function::{CodeUpdate, ConfigurationUpdate, Function, LATEST, NewCode, NewFunction};
use optfs::store::{Freed, LayerName, Permission, Place, Publication, Store, StoreError, shape};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

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

#[test]
fn the_75_gigabytes_of_an_account_are_counted() {
    let account = Account::new();
    account.layer(&account.here, "huge", "small");
    let file = account
        .scratch
        .path()
        .join("store/accounts/123456789012/us-east-2/layers/huge/1.json");
    let mut version: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    version["CodeSize"] = json!(80_530_636_800u64 - (1 << 20));
    fs::write(&file, version.to_string()).unwrap();
    let publish = |bytes: usize| {
        let zip = account.zip(&"x".repeat(bytes));
        let intake = account.store.take_zip(&zip).unwrap();
        let name = LayerName::check("l").unwrap();
        account
            .store
            .publish(&account.here, &name, Publication::default(), intake)
    };
    assert!(publish(1000).is_ok());
    let refused = publish(1 << 20).unwrap_err();
    assert!(matches!(refused, StoreError::CodeStorage(_)));
    assert_eq!(refused.to_string(), "Code storage limit exceeded.");
}
