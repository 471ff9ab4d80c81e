//! Who may use a layer version: policies as AWS keeps them, the verbs of `optfs layer` for them, and layers brought in from
//! elsewhere. Texts are those recorded against AWS.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::published::Shop;
use crate::support::raw_zip::RawZip;

const ARN: &str = "arn:aws:lambda:us-east-2:123456789012:layer:xray-sdk-nodejs";

/// A store in which version 1 of a layer is.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.zip("layer.zip", "layer");
    for account in ["123456789012", "111111111111"] {
        shop.say(&[
            "layer",
            "publish",
            "xray-sdk-nodejs",
            "--zip",
            "layer.zip",
            "--region",
            "us-east-2",
            "--account",
            account,
        ]);
    }
    shop
}

/// `optfs layer VERB`, in the region of the documentation.
fn words<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["layer", verb], more, &["--region", "us-east-2"]].concat()
}

fn permit<'a>(layer: &'a str, id: &'a str, principal: &'a str) -> Vec<&'a str> {
    words("permit", &[layer, "--statement-id", id, "--principal", principal])
}

/// The example of AWS's documentation, to the letter.
#[test]
fn a_version_is_granted_shown_and_taken_back() {
    let shop = shop();
    let layer = "xray-sdk-nodejs:1";
    let granted = shop.json(&[&permit(layer, "xaccount", "210987654321")[..], &["--json"]].concat());
    assert_eq!(
        granted["Statement"],
        format!(
            r#"{{"Sid":"xaccount","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::210987654321:root"}},"Action":"lambda:GetLayerVersion","Resource":"{ARN}:1"}}"#
        )
    );
    let organization = [
        &permit(layer, "ours", "*")[..],
        &["--organization-id", "o-t194hfs8cz"],
    ]
    .concat();
    assert_eq!(
        shop.say(&organization),
        "every account of organization o-t194hfs8cz may use xray-sdk-nodejs:1\n"
    );
    let policy = shop.json(&words("policy", &[layer, "--json"]));
    let text: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&text["Version"], &text["Id"]),
        (&"2012-10-17".into(), &"default".into())
    );
    assert_eq!(
        text["Statement"][1]["Condition"]["StringEquals"]["aws:PrincipalOrgID"],
        "o-t194hfs8cz"
    );
    let shown = shop.say(&words("policy", &[layer]));
    assert!(
        shown.starts_with(
            "xaccount  account 210987654321\nours      every account of organization o-t194hfs8cz\nrevision "
        ),
        "{shown}"
    );
    // The layer of that name of another account is another layer.
    assert_eq!(
        shop.refusal(&words("policy", &[layer, "--account", "111111111111"])),
        (
            Some(1),
            "No policy is associated with the given resource.".to_owned()
        )
    );
    let revoke = words("revoke", &[layer, "--statement-id", "xaccount"]);
    let revision = policy["RevisionId"].as_str().unwrap();
    let revoked = shop.say(&[&revoke[..], &["--revision-id", revision]].concat());
    assert_eq!(
        revoked,
        "xaccount is taken out of the policy of xray-sdk-nodejs:1\n"
    );
    let after = shop.json(&words("policy", &[layer, "--json"]));
    assert_ne!(after["RevisionId"], policy["RevisionId"]);
    shop.say(&words("revoke", &[layer, "--statement-id", "ours"]));
    assert_eq!(shop.refusal(&words("policy", &[layer])).0, Some(1));
}

#[test]
fn what_aws_refuses_of_policies_is_refused_in_its_words() {
    let shop = shop();
    let layer = "xray-sdk-nodejs:1";
    let said = |words: Vec<&str>| shop.refusal(&words);
    assert_eq!(
        said(words("policy", &[layer])),
        (
            Some(1),
            "No policy is associated with the given resource.".to_owned()
        )
    );
    shop.say(&permit(layer, "s1", "*"));
    assert_eq!(
        said(permit(layer, "s1", "*")),
        (
            Some(1),
            "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.".to_owned()
        )
    );
    assert_eq!(
        said([&permit(layer, "s2", "*")[..], &["--action", "*"]].concat()).1,
        "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: \
         lambda:GetLayerVersion"
    );
    let stale = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest \
                 Revision Id";
    let revision = ["--revision-id", "00000000-0000-4000-8000-000000000000"];
    assert_eq!(said([&permit(layer, "s2", "*")[..], &revision].concat()).1, stale);
    let revoke = words("revoke", &[layer, "--statement-id", "s1"]);
    assert_eq!(said([&revoke[..], &revision].concat()).1, stale);
    assert_eq!(
        said(words("revoke", &[layer, "--statement-id", "doesnotexist"])).1,
        "Statement doesnotexist is not found in resource policy."
    );
    let unknown = shop.ask(&permit("xray-sdk-nodejs:9", "s", "*"));
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("the highest is xray-sdk-nodejs:1"),
        "{unknown:?}"
    );
    assert_eq!(said(permit("xray-sdk-nodejs", "s", "*")).0, Some(2));
}

/// A version that is deleted takes its policy along; one brought in again has none of it.
#[test]
fn a_deleted_version_takes_its_policy_along() {
    let shop = shop();
    shop.say(&permit("xray-sdk-nodejs:1", "s1", "*"));
    shop.say(&words("delete", &["xray-sdk-nodejs:1"]));
    let file = "store/accounts/123456789012/us-east-2/layers/xray-sdk-nodejs/1.policy.json";
    assert!(!shop.path(file).exists());
    // As a deletion that was killed leaves it.
    fs::write(shop.path(file), "{}").unwrap();
    assert_eq!(shop.refusal(&words("policy", &["xray-sdk-nodejs:1"])).0, Some(1));
    shop.say(&words("import", &[&format!("{ARN}:1"), "--zip", "layer.zip"]));
    assert_eq!(
        shop.refusal(&words("policy", &["xray-sdk-nodejs:1"])).1,
        "No policy is associated with the given resource."
    );
}

/// Two accounts of one command line, and the layer of the documentation's third.
#[test]
fn a_layer_of_elsewhere_is_brought_in_under_its_own_arn() {
    let shop = Shop::new();
    shop.zip("their.zip", "theirs");
    shop.zip("other.zip", "other");
    let arn = "arn:aws:lambda:us-east-2:210987654321:layer:their-layer:2";
    let import = words(
        "import",
        &[arn, "--zip", "their.zip", "--compatible-runtimes", "python3.12"],
    );
    let imported = shop.json(&[&import[..], &["--json"]].concat());
    assert_eq!(
        (&imported["LayerVersionArn"], &imported["Version"]),
        (&arn.into(), &2.into())
    );
    assert_eq!(shop.say(&["cat", "--layer", arn, "python/tool.py"]), "theirs");
    let policy = shop.say(&words("policy", &[arn]));
    assert!(
        policy.starts_with("import-123456789012  account 123456789012\n"),
        "{policy}"
    );
    // The same again is the same; other bytes are another layer's.
    assert_eq!(
        shop.json(&[&import[..], &["--json"]].concat())["Content"],
        imported["Content"]
    );
    let (code, message) = shop.refusal(&words("import", &[arn, "--zip", "other.zip"]));
    assert_eq!(code, Some(3));
    assert!(
        message.starts_with(&format!("{arn} is there, with other bytes")),
        "{message}"
    );
    // Numbers go on behind it.
    let publish = words(
        "publish",
        &[
            "their-layer",
            "--zip",
            "other.zip",
            "--account",
            "210987654321",
            "--json",
        ],
    );
    assert_eq!(shop.json(&publish)["Version"], 3);
    shop.say(&words("delete", &[arn]));
    shop.say(&words(
        "import",
        &[
            arn,
            "--zip",
            "other.zip",
            "--grant",
            "*",
            "--grant",
            "111111111111",
        ],
    ));
    let policy = shop.say(&words("policy", &[arn]));
    assert!(
        policy.starts_with("import-all           everybody\nimport-111111111111  account 111111111111\n"),
        "{policy}"
    );
    assert_eq!(
        shop.refusal(&words("import", &["their-layer", "--zip", "other.zip"]))
            .0,
        Some(2)
    );
    let own = "arn:aws:lambda:us-east-2:123456789012:layer:mine:7";
    shop.say(&words("import", &[own, "--zip", "other.zip"]));
    assert_eq!(shop.refusal(&words("policy", &[own])).0, Some(1));
}

#[test]
fn eight_processes_add_statements_and_none_is_lost() {
    let shop = shop();
    thread::scope(|scope| {
        for process in 0..8 {
            let shop = &shop;
            scope.spawn(move || {
                for number in 0..10 {
                    let id = format!("s{process}-{number}");
                    shop.say(&permit("xray-sdk-nodejs:1", &id, "*"));
                    if number % 2 == 1 {
                        shop.say(&words("revoke", &["xray-sdk-nodejs:1", "--statement-id", &id]));
                    }
                }
            });
        }
        for _ in 0..5 {
            shop.say(&["gc"]);
        }
    });
    let mut expected = BTreeSet::new();
    for process in 0..8 {
        expected.extend([0, 2, 4, 6, 8].map(|number| format!("s{process}-{number}")));
    }
    assert_eq!(ids(&shop), expected);
    assert_eq!(shop.unfinished(), 0);
}

/// Killed at any moment: what was acknowledged is there, and the policy is whole.
#[test]
fn a_killed_permit_leaves_the_policy_whole() {
    let shop = shop();
    let begun = Instant::now();
    shop.say(&permit("xray-sdk-nodejs:1", "first", "*"));
    let whole = begun.elapsed();
    let mut acknowledged = BTreeSet::from(["first".to_owned()]);
    for round in 0..40u32 {
        let id = format!("s{round}");
        let mut child = shop
            .command(&permit("xray-sdk-nodejs:1", &id, "*"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(whole * (round * 37 % 130) / 100);
        let _ = child.kill();
        if child.wait().unwrap().success() {
            acknowledged.insert(id);
        }
    }
    assert!(ids(&shop).is_superset(&acknowledged));
    shop.say(&["gc"]);
    assert_eq!(shop.unfinished(), 0);
}

/// The statements of the layer's policy.
fn ids(shop: &Shop) -> BTreeSet<String> {
    let policy = shop.json(&words("policy", &["xray-sdk-nodejs:1", "--json"]));
    let text: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    let statements = text["Statement"].as_array().unwrap();
    statements
        .iter()
        .map(|one| one["Sid"].as_str().unwrap().to_owned())
        .collect()
}

/// Legal on AWS: two layers that happen to have the same bytes.
#[test]
fn two_layers_of_the_same_bytes_are_two_layers() {
    let shop = Shop::new();
    shop.zip("layer.zip", "same");
    shop.write("other.zip", RawZip::new().file("python/other.py", "other"));
    for layer in ["a", "b"] {
        shop.say(&["layer", "publish", layer, "--zip", "layer.zip"]);
    }
    let which = shop.say(&["which", "--layer", "a", "--layer", "b:1", "python/tool.py"]);
    assert!(
        which.contains("b:1 (layer 2)") && which.contains("a:1 (layer 1)"),
        "{which}"
    );
    let twice = shop.ask(&["which", "--layer", "a", "--layer", "a:1", "python/tool.py"]);
    assert_eq!(twice.code, Some(3), "{twice:?}");
    assert!(twice.stderr.contains("named twice"), "{twice:?}");
    let copy = shop.path("here/layer.zip");
    fs::hard_link(&copy, shop.path("here/link.zip")).unwrap();
    let file_twice = shop.ask(&[
        "which",
        "--layer",
        "layer.zip",
        "--layer",
        "link.zip",
        "python/tool.py",
    ]);
    assert_eq!(file_twice.code, Some(3), "{file_twice:?}");
}
