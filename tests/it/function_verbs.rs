//! `optfs function`: functions made, changed, published and deleted without a server, by several processes, and by some that are
//! killed.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::published::Shop;
use crate::support::raw_zip::RawZip;

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
    // Two have it, one in a version.
    let said = shop.say(&["layer", "delete", "numpy:1"]);
    assert_eq!(
        said,
        format!("numpy:1 is deleted\n  {arn} keeps it\n  {arn}:1 keeps it\n")
    );
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
            shop.say(&["gc"]);
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
    shop.say(&["gc"]);
    assert_eq!(shop.unfinished(), 0);
}
