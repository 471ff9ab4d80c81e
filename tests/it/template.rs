//! SAM and CloudFormation templates as a source of functions and layers: which layers a function has, in which order, and what is
//! said where that cannot be known.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use optfs::template::{Function, LayerSource, Template, TemplateError, World};
use serde_json::Value;

use crate::published::Shop;
use crate::support::command::answer;
use crate::support::raw_zip::RawZip;

/// Templates in memory, the first being the one that is asked about.
struct Scene {
    files: BTreeMap<PathBuf, String>,
    first: PathBuf,
    parameters: BTreeMap<String, String>,
}

impl Scene {
    fn new(text: &str) -> Scene {
        Scene {
            files: BTreeMap::new(),
            first: PathBuf::from("template.yaml"),
            parameters: BTreeMap::new(),
        }
        .with("template.yaml", text)
    }

    fn with(mut self, file: &str, text: &str) -> Scene {
        self.files.insert(file.into(), text.to_owned());
        self
    }

    fn given(mut self, name: &str, value: &str) -> Scene {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    fn ask<T>(
        &self,
        question: impl Fn(&Template<'_>) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let read = |path: &Path| {
            let found = self.files.get(path).map(|text| text.as_bytes().to_vec());
            found.ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let world = World {
            read: &read,
            parameters: self.parameters.clone(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        question(&Template::read(&self.first, &world)?)
    }

    #[track_caller]
    fn function(&self, id: &str) -> Function {
        self.ask(|template| template.function(id))
            .unwrap_or_else(|error| panic!("{error} ({:?})", error.advice()))
    }

    /// The layers of F: ARNs, and paths of local ones.
    #[track_caller]
    fn layers(&self) -> Vec<String> {
        names(&self.function("F"))
    }

    /// What is said, hint and all, where F cannot be had.
    #[track_caller]
    fn refused(&self) -> String {
        let error = self.ask(|template| template.function("F")).unwrap_err();
        format!("{error}\n{}", error.advice().unwrap_or(""))
    }
}

fn names(function: &Function) -> Vec<String> {
    let names = function.layers.iter().map(|layer| match layer {
        LayerSource::Published { arn, .. } => arn.clone(),
        LayerSource::Local { path, .. } => path.to_str().unwrap().to_owned(),
    });
    names.collect()
}

/// A template with one function, whose layers are these.
fn with_layers(layers: &str) -> Scene {
    Scene::new(&format!(
        "Resources:\n  L:\n    Type: AWS::Lambda::LayerVersion\n    Properties: {{Content: layer}}\n  F:\n    \
         Type: AWS::Lambda::Function\n    Properties:\n      Layers: {layers}\n"
    ))
}

#[test]
fn layers_of_globals_come_before_those_of_the_function() {
    let scene = Scene::new(
        "Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.12
    Layers: [arn:one, !Ref Common]
    Environment: {Variables: {STAGE: dev, SHARED: 'yes'}}
Resources:
  Common:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/common}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      MemorySize: 512
      FunctionName: !Sub '${AWS::StackName}-f'
      Layers:
        - !Ref Own
        - arn:two
      Environment: {Variables: {STAGE: prod, ACCOUNT: !Ref AWS::AccountId, TABLE: !Ref Table}}
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Runtime: nodejs22.x, Layers: [arn:three]}
  Own:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: ./own.zip}
  Table:
    Type: AWS::DynamoDB::Table
",
    );
    assert_eq!(
        scene.layers(),
        ["arn:one", "layers/common", "./own.zip", "arn:two"]
    );
    let function = scene.function("F");
    assert_eq!(function.runtime.as_deref(), Some("python3.12"));
    assert_eq!(function.name.as_deref(), Some("local-f"));
    assert_eq!(function.code.as_deref(), Some(Path::new("src")));
    let variable = |name: &str| {
        let found = function.environment.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(
        [variable("STAGE"), variable("SHARED"), variable("ACCOUNT")],
        [Some("prod"), Some("yes"), Some("123456789012")]
    );
    assert_eq!(function.unknown[0].0, "TABLE");
    // Globals are SAM's: a function of CloudFormation has its own alone.
    assert_eq!(names(&scene.function("Plain")), ["arn:three"]);
    let two = scene.ask(|template| template.only_function()).unwrap_err();
    assert!(
        two.advice().unwrap().contains("F, Plain"),
        "{two}: {:?}",
        two.advice()
    );
}

#[test]
fn functions_of_cloudformation_are_computed() {
    let header = "
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Arns: {Type: CommaDelimitedList, Default: 'arn:p1, arn:p2'}
  Number: {Type: Number, Default: 7}
Mappings:
  Layers: {eu-west-1: {base: arn:mapped}, us-east-1: {base: arn:elsewhere}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [Condition: IsProd]
  Both: !And [!Condition IsDev, !Equals [a, a]]
  Either: {'Fn::Or': [{Condition: IsProd}, {Condition: Both}]}
";
    for (layers, expected) in [
        (
            "[!Sub 'arn:${Stage}:${AWS::Region}:${!Stage}']",
            &["arn:dev:eu-west-1:${Stage}"][..],
        ),
        ("[{'Fn::Sub': ['${A}-${B}', {A: x, B: !Ref Number}]}]", &["x-7"]),
        (
            "[!Join [':', [arn, !Ref AWS::Partition, lambda]]]",
            &["arn:aws:lambda"],
        ),
        ("[!FindInMap [Layers, !Ref AWS::Region, base]]", &["arn:mapped"]),
        (
            "[!FindInMap [Layers, ap-south-1, base, {DefaultValue: arn:default}]]",
            &["arn:default"],
        ),
        ("[!If [IsProd, arn:prod, arn:dev]]", &["arn:dev"]),
        (
            "[!If [Either, arn:yes, !Ref AWS::NoValue], !If [IsProd, arn:no, !Ref AWS::NoValue], arn:last]",
            &["arn:yes", "arn:last"],
        ),
        ("!If [IsDev, [arn:a, !Ref L], []]", &["arn:a", "layer"]),
        ("!Ref Arns", &["arn:p1", "arn:p2"]),
        ("[!Select [1, !Ref Arns]]", &["arn:p2"]),
        ("!Split ['|', 'arn:s1|arn:s2']", &["arn:s1", "arn:s2"]),
        ("[!Select [0, !Split ['|', 'arn:s1|arn:s2']]]", &["arn:s1"]),
        (
            "[!Ref L, !GetAtt L.LayerVersionArn, {'Fn::GetAtt': [L, Arn]}, !Sub '${L}']",
            &["layer"; 4],
        ),
        ("[{Ref: L}]", &["layer"]),
        ("!Ref AWS::NoValue", &[]),
    ] {
        let mut scene = with_layers(layers);
        let text = format!("{header}{}", scene.files[Path::new("template.yaml")]);
        scene = scene.with("template.yaml", &text);
        assert_eq!(scene.layers(), expected, "{layers}");
    }
    let text = format!(
        "{header}{}",
        with_layers("[!If [IsProd, arn:prod, arn:dev]]").files[Path::new("template.yaml")]
    );
    let scene = Scene::new(&text);
    assert_eq!(scene.given("Stage", "prod").layers(), ["arn:prod"]);
    let refused = Scene::new(&text).given("Stage", "test").refused();
    assert!(
        refused.contains("the parameter Stage cannot be \"test\"\nit can be dev, prod"),
        "{refused}"
    );
    let refused = Scene::new(&text).given("Satge", "dev").refused();
    assert!(
        refused.contains("has no parameter Satge\nit has Stage, Arns, Number"),
        "{refused}"
    );
}

/// What Python's JSON writer makes of a template is the same template.
#[test]
fn a_template_in_json_is_read_too() {
    let json = serde_json::json!({
        "Resources": {
            "L": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Bucket": "b", "S3Key": "k"}},
                  "Metadata": {"aws:asset:path": "asset.1234", "aws:asset:property": "Content"}},
            "F": {"Type": "AWS::Lambda::Function", "Properties": {"Layers": [{"Ref": "L"}, {"Fn::Sub": "arn:${AWS::Region}"}]}},
        }
    });
    let written = serde_json::to_string_pretty(&json).unwrap();
    for text in [json.to_string(), written.clone(), written.replace("  ", "\t")] {
        // What CDK writes lies beside the template.
        assert_eq!(Scene::new(&text).layers(), ["asset.1234", "arn:eu-west-1"]);
    }
}

#[test]
fn nested_templates_are_read_with_their_parameters_and_outputs() {
    let scene = Scene::new(
        "Resources:
  Layers:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./layers/template.yaml}
  App:
    Type: AWS::Serverless::Application
    Properties:
      Location: app/template.json
      Parameters: {LayerArn: !GetAtt Layers.Outputs.Arn, Stage: prod}
",
    )
    .with(
        "./layers/template.yaml",
        "Resources:\n  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: files}}\nOutputs:\n  Arn: {Value: !Ref L}\n",
    )
    .with(
        "app/template.json",
        r#"{"Parameters": {"LayerArn": {"Type": "String"}, "Stage": {"Type": "String"}},
            "Resources": {"F": {"Type": "AWS::Serverless::Function",
                                "Properties": {"Layers": [{"Ref": "LayerArn"}, {"Fn::Sub": "arn:${Stage}"}]}}}}"#,
    );
    assert_eq!(scene.ask(|template| template.functions()).unwrap(), ["App/F"]);
    for id in ["App/F", "F"] {
        assert_eq!(names(&scene.function(id)), ["./layers/files", "arn:prod"]);
    }
    assert_eq!(
        scene.ask(|template| template.only_function()).unwrap().id,
        "App/F"
    );
}

#[test]
fn what_cannot_be_known_is_said_with_its_place() {
    for (layers, place, message) in [
        (
            "[arn:a, !ImportValue shared]",
            "8:23: F: Layers[1]",
            "Fn::ImportValue is computed by AWS",
        ),
        (
            "[!Ref Nothing]",
            "8:16: F: Layers[0]",
            "Nothing is neither a parameter nor a resource",
        ),
        (
            "['{{resolve:ssm:/layer}}']",
            "F: Layers[0]",
            "is looked up on AWS",
        ),
        (
            "[[arn:a]]",
            "F: Layers[0]",
            "a list, where the ARN of a layer version is expected",
        ),
        ("{a: b}", "F: Layers", "a map, where a list of layers is expected"),
        ("[!If [Nope, a, b]]", "", "there is no condition Nope"),
        ("[!Select [5, [a]]]", "", "5 of a list of 1, counted from 0"),
        ("[!Sub '${L']", "", "a '}' is missing"),
        ("[!Join [a]]", "", "Fn::Join is not written as it should be"),
        ("[!FindInMap [No, a, b]]", "", "Mappings has no No, a, b"),
    ] {
        let refused = with_layers(layers).refused();
        assert!(refused.starts_with("template.yaml:"), "{layers}: {refused}");
        assert!(
            refused.contains(place) && refused.contains(message),
            "{layers}: {refused}"
        );
    }
    for (layer, message) in [
        (
            "{Content: {S3Bucket: b, S3Key: k.zip}}",
            "L: Content: cannot be had here: lies in s3://b/k.zip",
        ),
        ("{Content: 's3://b/k'}", "lies in s3://b/k"),
        ("{}", "Content is missing"),
        (
            "{Content: x}\n    Metadata: {BuildMethod: python3.12}",
            "made by SAM (python3.12), and this template is not built\nrun 'sam build'",
        ),
        (
            "{Content: x}\n    Condition: No",
            "the layer L is left out by its condition",
        ),
    ] {
        let text = format!(
            "Conditions: {{No: !Equals [a, b]}}\nResources:\n  F: {{Type: AWS::Lambda::Function, Properties: {{Layers: [!Ref L]}}}}\n  \
             L:\n    Type: AWS::Lambda::LayerVersion\n    Properties: {layer}\n"
        );
        let refused = Scene::new(&text).refused();
        assert!(refused.contains(message), "{layer}: {refused}");
    }
    let built = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Layers: [!Ref L]}}\n  L:\n    Type: \
                 AWS::Serverless::LayerVersion\n    Properties: {ContentUri: L}\n    Metadata: {BuildMethod: python3.12, SamResourceId: L}\n";
    assert_eq!(Scene::new(built).layers(), ["L"]);
    let image = "Resources:\n  F: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}\n";
    assert!(
        Scene::new(image)
            .refused()
            .contains("a container image, which has no layers")
    );
    let parameter = "Parameters: {A: {Type: String}}\nResources:\n  F: {Type: AWS::Lambda::Function, Properties: {Layers: [!Ref A]}}\n";
    assert!(
        Scene::new(parameter)
            .refused()
            .contains("the parameter A has no default\ngive its value: --parameter A=VALUE")
    );
}

/// Whatever the text: an answer, soon, and little memory.
#[test]
fn hostile_templates_come_to_an_end() {
    let anchors = |value: &str| {
        let mut text = format!("x0: &x0 {value}\n");
        for level in 1..60 {
            let below = format!("*x{}", level - 1);
            let list = vec![below; 9].join(", ");
            text.push_str(&format!("x{level}: &x{level} !Join ['', [{list}]]\n"));
        }
        text + "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Layers: [*x59]}}\n"
    };
    let merges: String = (1..3000)
        .map(|level| {
            format!(
                "m{level}: &m{level} {{<<: [*m{0}, *m{0}], k{level}: 1}}\n",
                level - 1
            )
        })
        .collect();
    let references = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources:\n  F: {Type: AWS::Lambda::Function, \
                      Properties: {Layers: [!If [A, a, b]]}}\n";
    let parameters = "Parameters: {A: {Default: !Ref B}, B: {Default: !Ref A}}\nResources:\n  F: {Type: AWS::Lambda::Function, \
                      Properties: {Layers: [!Ref A]}}\n";
    let itself =
        "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}\n";
    let path =
        "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./template.yaml}}\n";
    let wide: String = (0..2000)
        .map(|n| {
            format!("  N{n}: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: leaf.yaml}}}}\n")
        })
        .collect();
    for (what, text, message) in [
        ("anchors", anchors("aaaaaaaaaa"), "more values than"),
        ("empty anchors", anchors("''"), "more values than"),
        (
            "an anchor in itself",
            "a: &a [*a]\n".to_owned(),
            "an anchor that is not complete",
        ),
        (
            "merges",
            format!("m0: &m0 {{a: 1}}\n{merges}Resources: {{}}\n"),
            "",
        ),
        ("depth in flow", "[".repeat(100_000), ""),
        (
            "depth in blocks",
            (0..1500).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
            "nested more than 100 deep",
        ),
        ("dashes", "- ".repeat(300_000), "nested more than 100 deep"),
        ("braces", "{a: ".repeat(50_000), ""),
        (
            "size",
            format!("a: {}\n", "x".repeat(3 << 20)),
            "AWS takes no template of more than 1 MB",
        ),
        ("many", "- a\n".repeat(400_000), "more than 200000 values"),
        ("quotes", format!("\"{}", "\\".repeat(1_000_000)), ""),
        ("conditions", references.to_owned(), "refers to itself"),
        ("parameters", parameters.to_owned(), "refers to itself"),
        ("itself", itself.to_owned(), "a template that contains itself"),
        (
            "itself by another path",
            path.to_owned(),
            "a template that contains itself",
        ),
        ("wide", format!("Resources:\n{wide}"), "more than 500 of them"),
        (
            "twice",
            "Resources: {}\nResources: {}\n".to_owned(),
            "the key Resources is there twice",
        ),
        (
            "two documents",
            "Resources: {}\n---\nResources: {}\n".to_owned(),
            "a second document",
        ),
        ("nothing", String::new(), "is empty"),
        ("a list", "- a\n".to_owned(), "Resources is missing"),
        (
            "no yaml",
            "Resources: {a: [}\n".to_owned(),
            "template.yaml:1:17: no YAML",
        ),
        ("a zip", "PK\u{3}\u{4}\0\0".to_owned(), ""),
        ("keys", "? [a]\n: b\n".to_owned(), "a key that is no text"),
    ] {
        let begun = Instant::now();
        let scene = Scene::new(&text)
            .with("./template.yaml", &text)
            .with("leaf.yaml", "Resources: {}\n");
        let refused = scene.refused();

        assert!(refused.contains(message), "{what}: {refused:.300}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{what}: {:?}",
            begun.elapsed()
        );
    }
}

/// A project with a template, a layer of files, a layer of the store, and code.
fn project(shop: &Shop) {
    shop.write(
        "base.zip",
        RawZip::new()
            .file("python/tool.py", "WHO = 'the store'\n")
            .file("base", "1"),
    );
    shop.say(&["layer", "publish", "base", "--zip", "base.zip"]);
    let here = shop.path("here");
    fs::create_dir_all(here.join("layers/common/python")).unwrap();
    fs::create_dir_all(here.join("src")).unwrap();
    fs::write(
        here.join("layers/common/python/tool.py"),
        "WHO = 'the template'\n",
    )
    .unwrap();
    fs::write(
        here.join("template.yaml"),
        "Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {Type: String, Default: hello}
Globals:
  Function:
    Runtime: python3.11
    Layers: [!Sub 'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:layer:base:1']
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Layers: [!Ref Common]
      Environment:
        Variables: {WORD: !Ref Word, SECRET: \"it's $HOME\", BUCKET: !Ref Bucket, PATH: /of/the/function:/usr/bin:/bin}
  Common:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/common}
  Bucket: {Type: AWS::S3::Bucket}
",
    )
    .unwrap();
}

/// optfs in the project, with caches of its own.
fn optfs_in(shop: &Shop, words: &[&str]) -> Command {
    let mut command = shop.command(words);
    command.env("XDG_CACHE_HOME", shop.path("cache"));
    command
}

#[track_caller]
fn say(shop: &Shop, words: &[&str]) -> String {
    let said = answer(&mut optfs_in(shop, words));
    assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
    said.stdout
}

#[test]
fn a_function_of_a_template_is_looked_into_and_run() {
    let shop = Shop::new();
    project(&shop);
    let named = ["--template", "template.yaml", "--function", "Greeter"];
    let which: Value = serde_json::from_str(&say(
        &shop,
        &[&["which"], &named[..], &["--json", "python/tool.py"]].concat(),
    ))
    .unwrap();
    assert!(which.to_string().contains("Common.zip"), "{which}");
    let print = "import os, tool; print(tool.WHO, *[os.environ.get(n) for n in ('WORD', 'SECRET', 'BUCKET', 'AWS_LAMBDA_FUNCTION_NAME', \
                 '_HANDLER', 'AWS_REGION', 'AWS_EXECUTION_ENV')], os.environ['PATH'], os.path.basename(os.environ['LAMBDA_TASK_ROOT']), \
                 [n for n in os.environ if n.startswith('OPTFS_FOR')], sep='|')";
    let run = ["--parameter", "Word=good day", "--", "python3", "-c", print];
    let said = answer(&mut optfs_in(&shop, &[&["run"], &named[..], &run].concat()));
    assert_eq!(
        said.stdout,
        "the template|good day|it's $HOME|None|Greeter|app.handler|us-east-1|AWS_Lambda_python3.11|/of/the/function:/usr/bin:/bin:/opt/bin|src|[]\n",
        "{said:?}"
    );
    assert!(
        said.stderr.contains("the variable BUCKET is left out"),
        "{said:?}"
    );
    // A layer named beside it is tried on top; one function with layers need not be named.
    shop.write(
        "top.zip",
        RawZip::new().file("python/tool.py", "WHO = 'on top'\n"),
    );
    let cat = [
        "cat",
        "--template",
        "template.yaml",
        "--layer",
        "top.zip",
        "python/tool.py",
    ];
    let said = answer(&mut optfs_in(&shop, &cat));
    assert_eq!(
        (said.stdout.as_str(), said.stderr.as_str()),
        ("WHO = 'on top'\n", "")
    );
    let env = say(&shop, &[&["env"], &named[..]].concat());
    assert!(
        env.contains("export SECRET='it'\\''s $HOME'\n") && env.contains("/opt/python"),
        "{env}"
    );
    let resolved = say(&shop, &[&["resolve"], &named[..], &["tool"]].concat());
    assert!(resolved.contains("/opt/python/tool.py"), "{resolved}");
}

/// The zip of a layer's directory is kept, and made again when anything in it changes.
#[test]
fn a_layer_of_files_is_packed_again_when_it_changes() {
    let shop = Shop::new();
    project(&shop);
    let cat = ["cat", "--template", "template.yaml", "python/tool.py"];
    let tool = shop.path("here/layers/common/python/tool.py");
    for round in 0..5 {
        let text = format!("WHO = {round}\n");
        fs::write(&tool, &text).unwrap();
        // Twice: the second may have been kept.
        assert_eq!(say(&shop, &cat), text);
        assert_eq!(say(&shop, &cat), text);
    }
    fs::write(tool.with_file_name("more.py"), "").unwrap();
    assert!(say(&shop, &["ls", "--template", "template.yaml", "python"]).contains("more.py"));
    fs::remove_file(&tool).unwrap();
    assert_eq!(say(&shop, &cat), "WHO = 'the store'\n");
}

#[test]
fn what_a_template_names_and_is_not_there_is_said() {
    let shop = Shop::new();
    project(&shop);
    let refused = |words: &[&str]| {
        let said = answer(&mut optfs_in(&shop, words));
        assert_eq!(said.stdout, "");
        (said.code, said.stderr)
    };
    let (code, said) = refused(&["ls", "--template", "template.yaml", "--region", "eu-west-1"]);
    assert_eq!(code, Some(3), "{said}");
    let arn = "arn:aws:lambda:eu-west-1:123456789012:layer:base:1";
    assert!(
        said.contains(&format!(
            "template.yaml:7:14: Greeter: Layers[0]: {arn} is not in the store"
        )),
        "{said}"
    );
    assert!(said.contains(&format!("optfs layer import {arn}")), "{said}");
    fs::rename(shop.path("here/layers"), shop.path("here/moved")).unwrap();
    let (code, said) = refused(&["ls", "--template", "template.yaml"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("template.yaml:19:30: Common: ContentUri: layers/common: no such file"),
        "{said}"
    );
    let (code, said) = refused(&["ls", "--template", "template.yaml", "--function", "Greter"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("has no function Greter\n  hint: it has Greeter"),
        "{said}"
    );
    let (code, _) = refused(&["ls", "--template", "template.yaml", "--stack", "x"]);
    assert_eq!(code, Some(2));
    let (code, said) = refused(&["ls", "--template", "absent.yaml"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("absent.yaml: no such file"), "{said}");
}
