//! The variables of a Lambda runtime, as the command of `optfs run --runtime` has them and as `optfs env` prints
//! them for a shell: the same ones, with the developer's own values first.

use std::collections::BTreeMap;

use crate::support::program::{finish, outcome, said};
use crate::support::raw_zip::RawZip;
use crate::support::stage::{PATH, Stage, everybody};

type Variables = BTreeMap<String, String>;

/// What a shell would cut, expand or end if it were not quoted right.
const NASTY: &str = "/it's \"mine\"/$HOME `id`\\ *";

/// Two jars, out of order, and what is no jar.
fn jars() -> RawZip {
    RawZip::new()
        .file("java/lib/b.jar", "")
        .file("java/lib/a-1.21.jar", "")
        .file("java/lib/a-1.0.jar", "")
        .file("java/lib/notes.txt", "")
        .file("java/lib/deeper/c.jar", "")
}

/// A runtime of each family, and what it adds to PATH and LD_LIBRARY_PATH: a variable, and its value behind the
/// developer's own. `@` is the mount point.
const FAMILIES: [(&str, &[(&str, &str)]); 12] = [
    (
        "nodejs22.x",
        &[("NODE_PATH", ":@/nodejs/node22/node_modules:@/nodejs/node_modules")],
    ),
    (
        "nodejs8.10",
        &[("NODE_PATH", ":@/nodejs/node8/node_modules:@/nodejs/node_modules")],
    ),
    ("nodejs", &[("NODE_PATH", ":@/nodejs/node_modules")]),
    (
        "python3.12",
        &[("PYTHONPATH", ":@/python/lib/python3.12/site-packages:@/python")],
    ),
    (
        "python2.7",
        &[("PYTHONPATH", ":@/python/lib/python2.7/site-packages:@/python")],
    ),
    (
        "ruby3.4",
        &[("GEM_PATH", ":@/ruby/gems/3.4.0"), ("RUBYLIB", ":@/ruby/lib")],
    ),
    (
        "java21",
        &[(
            "CLASSPATH",
            ":@/java/lib/a-1.0.jar:@/java/lib/a-1.21.jar:@/java/lib/b.jar",
        )],
    ),
    (
        "java8.al2",
        &[(
            "CLASSPATH",
            ":@/java/lib/a-1.0.jar:@/java/lib/a-1.21.jar:@/java/lib/b.jar",
        )],
    ),
    ("dotnet8", &[("DOTNET_SHARED_STORE", ":@/dotnetcore/store")]),
    ("go1.x", &[]),
    ("provided.al2023", &[]),
    ("custom", &[]),
];

/// The same developer, who has set every list already, under `optfs run` and with the lines of `optfs env`
/// evaluated by each of the shells: the same environment, and it is the one that is written down here.
#[test]
fn each_family_gets_its_variables_by_run_and_by_env_alike() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = stage.layer("jars.zip", jars());
        let at = stage.text("a 'quoted' \"place\"");
        // `optfs env` looks for jars where it is told that the stack is: here an extracted copy.
        let lib = stage.directory("a 'quoted' \"place\"").join("java/lib");
        std::fs::create_dir_all(&lib).unwrap();
        for jar in ["a-1.0.jar", "a-1.21.jar", "b.jar"] {
            std::fs::write(lib.join(jar), "").unwrap();
        }
        let lists = FAMILIES.iter().flat_map(|(_, added)| *added);
        let own: Vec<_> = lists.map(|(name, _)| (*name, NASTY)).collect();
        for (runtime, added) in FAMILIES {
            let options = ["--runtime", runtime, "--at", &at];
            let mut run = stage.run_command(&[&layer], &options);
            let by_run = variables(said(&finish(run.args(["env", "-0"]).envs(own.clone()))));
            for (name, value) in added {
                let expected = format!("{NASTY}{}", value.replace('@', &at));
                assert_eq!(by_run[*name], expected, "{runtime}: {name}");
            }
            assert_eq!(by_run["PATH"], format!("{PATH}:{at}/bin"));
            assert_eq!(by_run["LD_LIBRARY_PATH"], format!("{at}/lib"));
            let execution = by_run.get("AWS_EXECUTION_ENV").map(String::as_str);
            match runtime {
                "provided.al2023" | "custom" => assert_eq!(execution, None),
                _ => assert_eq!(execution, Some(format!("AWS_Lambda_{runtime}").as_str())),
            }
            for shell in ["sh", "dash", "bash"] {
                let mut shell = stage.command(shell);
                shell.args(["-euc", "eval \"$(\"$0\" env \"$@\")\"; exec env -0"]);
                shell.arg(stage.program()).args(options).envs(own.clone());
                assert_eq!(variables(said(&finish(&mut shell))), by_run, "{runtime}");
            }
        }
    }
}

/// Nothing set before: no list begins with an empty part, which would mean the current directory.
#[test]
fn unset_variables_get_the_layers_directories_alone() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = stage.layer("jars.zip", jars());
        for (runtime, added) in FAMILIES {
            let mut run = stage.run_command(&[&layer], &["--runtime", runtime]);
            let shown = variables(said(&finish(run.args(["env", "-0"]))));
            for (name, value) in added {
                let value = value.replace('@', "/opt");
                let expected = match *name {
                    // Java's own default is lost when the variable is set; RubyGems adds its at a `:`.
                    "CLASSPATH" => format!(".{value}"),
                    "GEM_PATH" => format!("{}:", &value[1..]),
                    _ => value[1..].to_owned(),
                };
                assert_eq!(shown[*name], expected, "{runtime}: {name}");
            }
        }
    }
}

#[test]
fn python_imports_from_its_versions_directory_first() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let module = |zip: RawZip, directory: &str, name: &str| {
            zip.file(
                format!("python/{directory}{name}.py"),
                format!("says = {directory:?}\n"),
            )
            .deflate()
        };
        let mut zip = module(RawZip::new(), "", "both");
        zip = module(zip, "", "generic");
        for directory in ["lib/python3.12/site-packages/", "lib/python3.13/site-packages/"] {
            zip = module(zip, directory, "both");
        }
        let layer = stage.layer("python.zip", zip);
        let mut run = stage.run_command(&[layer], &["--runtime", "python3.12"]);
        let import = "import both, generic; print(both.says, generic.__file__, both.__file__)";
        let expected = "lib/python3.12/site-packages/ /opt/python/generic.py \
             /opt/python/lib/python3.12/site-packages/both.py\n";
        assert_eq!(said(&finish(run.args(["python3", "-c", import]))), expected);
    }
}

#[test]
fn node_requires_from_its_versions_directory_first() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let mut zip = RawZip::new();
        for (directory, name) in [
            ("", "both"),
            ("", "generic"),
            ("node22/", "both"),
            ("node20/", "both"),
        ] {
            let path = format!("nodejs/{directory}node_modules/{name}/index.js");
            zip = zip.file(path, "module.exports = __filename\n").deflate();
        }
        let layer = stage.layer("node.zip", zip);
        let mut run = stage.run_command(&[layer], &["--runtime", "nodejs22.x"]);
        let require = "console.log(require('both'), require('generic'))";
        assert_eq!(
            said(&finish(run.args(["node", "-e", require]))),
            "/opt/nodejs/node22/node_modules/both/index.js /opt/nodejs/node_modules/generic/index.js\n"
        );
    }
}

#[test]
fn an_unknown_runtime_is_answered_with_the_nearest_names() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = stage.layer("layer.zip", RawZip::new().file("file", ""));
        let mut run = stage.run_command(&[layer], &["--runtime", "python312"]);
        let mut env = stage.command(stage.program());
        for command in [
            run.args(["echo", "started"]),
            env.args(["env", "--runtime", "python312"]),
        ] {
            let (status, said, complaint) = outcome(&finish(command));
            assert_eq!((status, said.as_str()), (Some(2), ""));
            let expected = "invalid value 'python312' for '--runtime <RUNTIME>': unknown runtime \"python312\"; \
                 did you mean python3.12 or ";
            assert!(complaint.contains(expected), "{complaint}");
        }
    }
}

/// A `:` separates the parts of every list, and nothing can quote it.
#[test]
fn a_mount_point_with_a_colon_is_refused() {
    for &who in everybody() {
        let stage = Stage::new(who);
        let layer = stage.layer("layer.zip", RawZip::new().file("file", ""));
        stage.directory("a:b");
        let at = stage.text("a:b");
        let complaint = format!(
            "optfs: {at}: a `:` in this path would cut it in two in PATH and in every other list of paths\n"
        );
        let mut run = stage.run_command(&[layer], &["--at", &at]);
        let output = finish(run.args(["echo", "started"]));
        assert_eq!(outcome(&output), (Some(125), String::new(), complaint.clone()));
        let mut env = stage.command(stage.program());
        let output = finish(env.args(["env", "--at", &at]));
        assert_eq!(outcome(&output), (Some(2), String::new(), complaint));
    }
}

/// Without what a shell adds by itself.
fn variables(text: &str) -> Variables {
    let lines = text.split_terminator('\0');
    let variables = lines.map(|line| line.split_once('=').expect("NAME=value"));
    variables
        .filter(|(name, _)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
