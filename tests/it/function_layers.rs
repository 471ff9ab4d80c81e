//! `--function`: a function of the store stands for its layers, wherever a stack is named, and brings what it runs with.

use std::fs;

use optfs::store::function::{Function, NewCode, NewFunction};
use optfs::store::{Place, Store};
use serde_json::json;

use crate::published::Shop;
use crate::support::place::Place as MountPlace;
use crate::support::raw_zip::RawZip;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:layer";

/// Two layers, and a function that has both, the second on top.
fn shop_with_function() -> Shop {
    let shop = Shop::new();
    for (layer, text) in [("base", "base"), ("top", "top"), ("top", "top, second version")] {
        let zip = RawZip::new()
            .file("python/tool.py", format!("WHO = '{text}'\n"))
            .file(format!("{layer}.txt"), text);
        shop.write("layer.zip", zip);
        shop.say(&["layer", "publish", layer, "--zip", "layer.zip"]);
    }
    let layers = [format!("{ARN}:base:1"), format!("{ARN}:top:1")];
    create(&shop, "my-function", json!({ "Layers": layers }));
    shop
}

fn create(shop: &Shop, name: &str, more: serde_json::Value) -> Function {
    let store = Store::open(&shop.path("store")).unwrap();
    let here = Place::new("123456789012", "us-east-1").unwrap();
    shop.write("code.zip", RawZip::new().file("app.py", ""));
    let mut new = json!({
        "Role": "arn:aws:iam::123456789012:role/lambda-role", "Runtime": "python3.11", "Handler": "app.handler", "MemorySize": 512,
        "Environment": { "Variables": { "WORD": "it's a word", "PYTHONPATH": "/of/the/function" } },
    });
    let fields = more.as_object().unwrap().clone();
    new.as_object_mut().unwrap().extend(fields);
    let new: NewFunction = serde_json::from_value(new).unwrap();
    let code = NewCode::Zip(store.take_zip(&shop.path("here/code.zip")).unwrap());
    store.create_function(&here, name, None, new, code).unwrap()
}

#[test]
fn a_function_stands_for_its_layers_wherever_a_stack_is_named() {
    let shop = shop_with_function();
    let named = ["--function", "my-function"];
    let ask = |words: &[&str], more: &[&str]| shop.say(&[words, &named[..], more].concat());
    assert_eq!(ask(&["cat"], &["python/tool.py"]), "WHO = 'top'\n");
    assert_eq!(ask(&["ls"], &[]), "base.txt\npython\ntop.txt\n");
    let which = ask(&["which"], &["python/tool.py"]);
    assert!(
        which.contains("top:1 (layer 2)") && which.contains("base:1 (layer 1)"),
        "{which}"
    );
    assert!(ask(&["shadows"], &[]).contains("base:1 (layer 1) under top:1 (layer 2)"));
    assert!(ask(&["resolve"], &["tool"]).contains("/opt/python/tool.py"));
    ask(&["extract", "--quiet"], &["out"]);
    assert_eq!(
        fs::read_to_string(shop.path("here/out/base.txt")).unwrap(),
        "base"
    );
    assert_eq!(ask(&["diff"], &["out"]), "no difference in 4 paths\n");
    let beside = shop.ask(&[
        "diff",
        "--name-only",
        "function:my-function",
        &format!("{ARN}:base:1"),
    ]);
    assert_eq!(
        (beside.code, beside.stdout.as_str()),
        (Some(1), "python/tool.py\ntop.txt\n")
    );
    let checked = shop.ask(&[&["check"], &named[..]].concat());
    assert!(checked.stdout.contains("top:1"), "{checked:?}");
    for name in [
        "my-function:$LATEST",
        "arn:aws:lambda:us-east-1:123456789012:function:my-function",
        "123456789012:function:my-function",
    ] {
        assert_eq!(shop.say(&["cat", "--function", name, "top.txt"]), "top", "{name}");
    }
    let place = MountPlace::of_layers(&[]);
    let opt = place.opt().to_str().unwrap();
    ask(&["mount"], &[opt]);
    assert_eq!(fs::read_to_string(place.path("top.txt")).unwrap(), "top");
    shop.say(&["umount", opt]);
}

/// The versions are deleted, what is unused is freed, and the function still has them.
#[test]
fn a_deleted_version_is_still_there_for_the_function() {
    let shop = shop_with_function();
    shop.say(&["layer", "delete", "top:1"]);
    shop.say(&["layer", "delete", "base:1"]);
    assert!(shop.say(&["gc"]).starts_with("0 zips freed"));
    assert_eq!(shop.ask(&["ls", "--layer", "base:1"]).code, Some(3));
    assert_eq!(
        shop.say(&["cat", "--function", "my-function", "top.txt", "base.txt"]),
        "topbase"
    );
}

#[test]
fn a_function_brings_what_it_runs_with() {
    let shop = shop_with_function();
    let print = "import os, sys, tool; print(tool.WHO, *[os.environ.get(n) for n in ('WORD', 'AWS_LAMBDA_FUNCTION_NAME', \
                 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', '_HANDLER', 'AWS_REGION', 'AWS_EXECUTION_ENV', \
                 'PYTHONPATH')], sep='|')";
    let said = shop.say(&["run", "--function", "my-function", "--", "python3", "-c", print]);
    assert_eq!(
        said,
        "top|it's a word|my-function|$LATEST|512|app.handler|us-east-1|AWS_Lambda_python3.11|\
         /of/the/function:/opt/python/lib/python3.11/site-packages:/opt/python\n"
    );
    // Another runtime, when somebody says so.
    let other = [
        "run",
        "--function",
        "my-function",
        "--runtime",
        "nodejs20.x",
        "--",
        "printenv",
        "NODE_PATH",
    ];
    assert!(shop.say(&other).starts_with("/opt/nodejs/node20/node_modules:"));
    let env = shop.say(&["env", "--function", "my-function", "--at", "/mnt"]);
    assert!(env.contains("export WORD='it'\\''s a word'\n"), "{env}");
    assert!(
        env.contains("/mnt/python/lib/python3.11/site-packages:/mnt/python'"),
        "{env}"
    );
}

#[test]
fn a_function_that_is_not_there_or_has_no_layers_is_said() {
    let shop = shop_with_function();
    create(&shop, "bare", json!({}));
    for (name, code, said) in [
        ("my-functoin", 3, "near to it: my-function"),
        ("my-function:7", 3, "it has $LATEST"),
        ("bare", 2, "the function bare has no layers"),
        ("no/name", 2, "failed to satisfy constraint"),
    ] {
        let refused = shop.ask(&["ls", "--function", name]);
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    let both = shop.ask(&["ls", "--function", "my-function", "--stack", "x"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
