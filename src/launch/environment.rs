//! The variables through which programs find what is in the layers, as Lambda sets them, with another
//! directory in the place of `/opt` and the developer's own values in the place of Lambda's.
//!
//! One rule for every list: what the developer has set comes first, as function code comes before layers; then the
//! layers' directories in Lambda's order. Nothing is looked up in the view except the names of Java's jars.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::runtime::{Family, Runtime};

/// A variable and its final value.
pub type Variable = (&'static str, OsString);

/// A path that no list of paths can hold.
#[derive(Debug, thiserror::Error)]
#[error("{}: a `:` in this path would cut it in two in PATH and in every other list of paths", .0.display())]
pub struct UnlistablePath(PathBuf);

/// The variables of a command that has layers at `at`, an absolute path.
///
/// `outer` reads the environment that the command would have without optfs; an empty value counts as unset, so that
/// no list gets an empty part, which means the current directory. `jars` are the [`layer_jars`] of `at`.
///
/// Without a runtime: `PATH` and `LD_LIBRARY_PATH`, ending in `at/bin` and `at/lib`, which Lambda has at the end
/// too (<https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html>). One difference remains:
/// on Lambda the system's library directories are in LD_LIBRARY_PATH, before `/opt/lib`; here they are not, so a library
/// of the layers does come before the system's own. Naming them would override the RUNPATH of the
/// developer's other programs, which is worse.
///
/// With one, also what the family's page says (each is cited where its rule is), and `AWS_EXECUTION_ENV`. Not set,
/// because they do not depend on layers and belong to the machine
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>): `LANG` and `TZ`, which Lambda has as
/// `en_US.UTF-8`, perhaps not installed here, and `:UTC`; `LAMBDA_TASK_ROOT` and `LAMBDA_RUNTIME_DIR`, as there is
/// no `/var/task` and no `/var/runtime`; and what describes a deployed function or its credentials.
pub fn environment(
    runtime: Option<Runtime>,
    at: &Path,
    outer: &dyn Fn(&str) -> Option<OsString>,
    jars: &[PathBuf],
) -> Result<Vec<Variable>, UnlistablePath> {
    if let Some(path) = [at]
        .into_iter()
        .chain(jars.iter().map(PathBuf::as_path))
        .find(|path| has_colon(path))
    {
        return Err(UnlistablePath(path.to_owned()));
    }
    let outer = |name: &str| outer(name).filter(|value| !value.is_empty());
    let mut variables = vec![
        // Unset, PATH has a default, and setting it to at/bin alone would take that away.
        (
            "PATH",
            list(
                outer("PATH").or_else(|| Some("/usr/local/bin:/usr/bin:/bin".into())),
                [at.join("bin")],
            ),
        ),
        (
            "LD_LIBRARY_PATH",
            list(outer("LD_LIBRARY_PATH"), [at.join("lib")]),
        ),
    ];
    if let Some(runtime) = runtime {
        variables.extend(of_family(runtime.family(), at, &outer, jars));
        // "Not defined for OS-only runtimes" (the page above).
        if runtime.family() != Family::Custom {
            variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}").into()));
        }
    }
    Ok(variables)
}

/// The `*.jar` of `at/java/lib`, sorted by name, as Lambda's class loader lists them: only this directory, and by
/// name, not by layer (aws-lambda-java-libs, `CustomerClassLoader.java`). None when there is no such directory.
pub fn layer_jars(at: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(at.join("java/lib")) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut jars = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    jars.retain(|path| path.as_os_str().as_bytes().ends_with(b".jar"));
    jars.sort();
    Ok(jars)
}

/// The variables as lines that any POSIX shell evaluates: `export NAME='value'`.
///
/// Bytes and not text, because values are. The shell keeps them as they are.
pub fn shell_exports(variables: &[(impl Display, OsString)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in variables {
        lines.extend_from_slice(format!("export {name}='").as_bytes());
        for &byte in value.as_bytes() {
            match byte {
                b'\'' => lines.extend_from_slice(br"'\''"),
                _ => lines.push(byte),
            }
        }
        lines.extend_from_slice(b"'\n");
    }
    lines
}

fn of_family(
    family: Family,
    at: &Path,
    outer: &dyn Fn(&str) -> Option<OsString>,
    jars: &[PathBuf],
) -> Vec<Variable> {
    match family {
        // https://docs.aws.amazon.com/lambda/latest/dg/nodejs-layers.html: the numbered directory first. On Lambda
        // a NODE_PATH of the function's configuration replaces all this; a developer's is not the function's
        // configuration, so it is kept and the layers follow. ES modules never look here, there or on Lambda.
        Family::Node { major } => {
            let numbered = major.map(|major| at.join(format!("nodejs/node{major}/node_modules")));
            let generic = at.join("nodejs/node_modules");
            vec![(
                "NODE_PATH",
                list(outer("NODE_PATH"), numbered.into_iter().chain([generic])),
            )]
        }
        // https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html: the versioned directory first. On
        // Lambda these are site directories, and are left out when the function sets PYTHONPATH, a well-known trap
        // and no use here. Through PYTHONPATH, .pth files in them have no effect: Python reads those in site
        // directories only, and has no variable that adds one without taking the user's own away (PYTHONUSERBASE)
        // or a module that the developer may have (sitecustomize).
        Family::Python { version } => {
            let versioned = at.join(format!("python/lib/python{version}/site-packages"));
            vec![(
                "PYTHONPATH",
                list(outer("PYTHONPATH"), [versioned, at.join("python")]),
            )]
        }
        // https://docs.aws.amazon.com/lambda/latest/dg/ruby-layers.html: gems by ABI version, X.Y.0.
        Family::Ruby { version } => {
            let gems = at.join(format!("ruby/gems/{version}.0"));
            vec![
                ("GEM_PATH", gem_path(outer("GEM_PATH"), gems)),
                ("RUBYLIB", list(outer("RUBYLIB"), [at.join("ruby/lib")])),
            ]
        }
        // https://docs.aws.amazon.com/lambda/latest/dg/java-layers.html: after the function's own classes and jars.
        // Those are on the developer's CLASSPATH, or in the current directory, which is the class path's default
        // and would be lost if only the jars were named. `java -cp` and `java -jar` read no CLASSPATH.
        Family::Java if jars.is_empty() => Vec::new(),
        Family::Java => {
            let own = outer("CLASSPATH").unwrap_or_else(|| ".".into());
            vec![("CLASSPATH", list(Some(own), jars.iter().cloned()))]
        }
        // https://aws.amazon.com/blogs/developer/aws-lambda-layers-with-net-core: Amazon.Lambda.Tools puts the
        // packages there, and sets the variable when it deploys a function with such a layer.
        Family::Dotnet => {
            vec![(
                "DOTNET_SHARED_STORE",
                list(outer("DOTNET_SHARED_STORE"), [at.join("dotnetcore/store")]),
            )]
        }
        // Nothing but PATH and LD_LIBRARY_PATH:
        // https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
        Family::Go | Family::Custom => Vec::new(),
    }
}

/// The developer's own list with these directories at its end, each only once: evaluating the exports again, or
/// running inside a run, adds nothing.
fn list(own: Option<OsString>, directories: impl IntoIterator<Item = PathBuf>) -> OsString {
    let mut value = own.unwrap_or_default().into_vec();
    for directory in directories {
        let directory = directory.into_os_string().into_vec();
        if value.split(|&byte| byte == b':').any(|part| part == directory) {
            continue;
        }
        if !value.is_empty() {
            value.push(b':');
        }
        value.extend(directory);
    }
    OsString::from_vec(value)
}

/// GEM_PATH has one rule of its own: with a `:` at the end, RubyGems adds its default directories (rubygems,
/// `path_support.rb`). Without it, setting the variable for the first time would hide the user's installed gems.
fn gem_path(own: Option<OsString>, gems: PathBuf) -> OsString {
    let mut own = own.map(OsString::into_vec);
    let with_defaults = own
        .as_mut()
        .is_none_or(|own| own.pop_if(|last| *last == b':').is_some());
    let mut value = list(own.map(OsString::from_vec), [gems]);
    if with_defaults {
        value.push(":");
    }
    value
}

fn has_colon(path: &Path) -> bool {
    path.as_os_str().as_bytes().contains(&b':')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn variables(
        runtime: Option<&str>,
        outer: &[(&str, &str)],
        jars: &[&str],
    ) -> Vec<(&'static str, String)> {
        let runtime = runtime.map(|runtime| runtime.parse().unwrap());
        let jars: Vec<PathBuf> = jars.iter().map(PathBuf::from).collect();
        let outer = |name: &str| {
            outer
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.into())
        };
        environment(runtime, Path::new("/opt"), &outer, &jars)
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name, value.into_string().unwrap()))
            .collect()
    }

    const BASE: [(&str, &str); 2] = [("PATH", "/usr/bin:/opt/bin"), ("LD_LIBRARY_PATH", "/opt/lib")];

    #[test]
    fn every_family_finds_its_layers_where_lambda_has_them() {
        let none: &[&str] = &[];
        for (runtime, jars, expected) in [
            (None, none, &[][..]),
            (
                Some("nodejs22.x"),
                none,
                &[
                    (
                        "NODE_PATH",
                        "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules",
                    ),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x"),
                ],
            ),
            (
                Some("nodejs"),
                none,
                &[
                    ("NODE_PATH", "/opt/nodejs/node_modules"),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs"),
                ],
            ),
            (
                Some("nodejs8.10"),
                none,
                &[
                    (
                        "NODE_PATH",
                        "/opt/nodejs/node8/node_modules:/opt/nodejs/node_modules",
                    ),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs8.10"),
                ],
            ),
            (
                Some("python3.12"),
                none,
                &[
                    (
                        "PYTHONPATH",
                        "/opt/python/lib/python3.12/site-packages:/opt/python",
                    ),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
                ],
            ),
            (
                Some("ruby3.4"),
                none,
                &[
                    ("GEM_PATH", "/opt/ruby/gems/3.4.0:"),
                    ("RUBYLIB", "/opt/ruby/lib"),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_ruby3.4"),
                ],
            ),
            (
                Some("java21"),
                &["/opt/java/lib/a.jar", "/opt/java/lib/b.jar"],
                &[
                    ("CLASSPATH", ".:/opt/java/lib/a.jar:/opt/java/lib/b.jar"),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_java21"),
                ],
            ),
            (
                Some("java8.al2"),
                none,
                &[("AWS_EXECUTION_ENV", "AWS_Lambda_java8.al2")],
            ),
            (
                Some("dotnet8"),
                none,
                &[
                    ("DOTNET_SHARED_STORE", "/opt/dotnetcore/store"),
                    ("AWS_EXECUTION_ENV", "AWS_Lambda_dotnet8"),
                ],
            ),
            (Some("go1.x"), none, &[("AWS_EXECUTION_ENV", "AWS_Lambda_go1.x")]),
            (Some("provided.al2023"), none, &[]),
            (Some("custom"), none, &[]),
        ] {
            let expected: Vec<_> = BASE
                .iter()
                .chain(expected)
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect();
            assert_eq!(
                variables(runtime, &[("PATH", "/usr/bin")], jars),
                expected,
                "{runtime:?}"
            );
        }
    }

    #[test]
    fn what_the_developer_has_set_comes_first() {
        for (runtime, name, own, expected) in [
            ("python3.9", "PATH", "/mine", "/mine:/opt/bin"),
            ("python3.9", "LD_LIBRARY_PATH", "/mine", "/mine:/opt/lib"),
            (
                "python3.9",
                "PYTHONPATH",
                "/mine",
                "/mine:/opt/python/lib/python3.9/site-packages:/opt/python",
            ),
            (
                "nodejs20.x",
                "NODE_PATH",
                "/mine",
                "/mine:/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules",
            ),
            ("ruby3.2", "GEM_PATH", "/mine", "/mine:/opt/ruby/gems/3.2.0"),
            ("ruby3.2", "GEM_PATH", "/mine:", "/mine:/opt/ruby/gems/3.2.0:"),
            ("ruby3.2", "RUBYLIB", "/mine", "/mine:/opt/ruby/lib"),
            (
                "java17",
                "CLASSPATH",
                "/mine/classes",
                "/mine/classes:/opt/java/lib/a.jar",
            ),
            (
                "dotnet6",
                "DOTNET_SHARED_STORE",
                "/mine",
                "/mine:/opt/dotnetcore/store",
            ),
        ] {
            let variables = variables(Some(runtime), &[(name, own)], &["/opt/java/lib/a.jar"]);
            let value = variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.as_str());
            assert_eq!(value, Some(expected), "{runtime} {name}={own}");
        }
    }

    #[test]
    fn an_empty_value_adds_no_empty_part() {
        let variables = variables(
            Some("python3.12"),
            &[("PATH", ""), ("LD_LIBRARY_PATH", ""), ("PYTHONPATH", "")],
            &[],
        );
        assert_eq!(variables[0].1, "/usr/local/bin:/usr/bin:/bin:/opt/bin");
        assert_eq!(variables[1].1, "/opt/lib");
        assert_eq!(
            variables[2].1,
            "/opt/python/lib/python3.12/site-packages:/opt/python"
        );
    }

    #[test]
    fn a_run_inside_a_run_changes_nothing() {
        for runtime in Runtime::all() {
            let jars = ["/opt/java/lib/a.jar"];
            let once = variables(Some(runtime.identifier()), &[("PATH", "/bin")], &jars);
            let outer: Vec<_> = once.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(variables(Some(runtime.identifier()), &outer, &jars), once);
        }
    }

    #[test]
    fn a_path_that_no_list_can_hold_is_refused() {
        let error = environment(None, Path::new("/a:b"), &|_| None, &[]).unwrap_err();
        assert!(error.to_string().starts_with("/a:b: a `:` in this path"));
    }

    #[test]
    fn jars_are_listed_by_name_and_only_from_one_directory() {
        let at = tempfile::tempdir().unwrap();
        assert_eq!(layer_jars(at.path()).unwrap(), Vec::<PathBuf>::new());
        let lib = at.path().join("java/lib");
        fs::create_dir_all(lib.join("deeper")).unwrap();
        for name in [
            "b.jar",
            "a-2.0.jar",
            "a-1.12.jar",
            "a-1.0.jar",
            "a.jar.txt",
            "A.JAR",
            "deeper/c.jar",
        ] {
            fs::write(lib.join(name), "").unwrap();
        }
        let names: Vec<_> = layer_jars(at.path()).unwrap();
        let expected = ["a-1.0.jar", "a-1.12.jar", "a-2.0.jar", "b.jar"].map(|name| lib.join(name));
        assert_eq!(names, expected);
    }

    #[test]
    fn a_shell_reads_back_every_value() {
        let value = OsString::from_vec(b"it's \"$HOME\" `x` \\ \n\xff*".to_vec());
        let mut script = shell_exports(&[("PATH", "/bin:/usr/bin".into()), ("PYTHONPATH", value.clone())]);
        assert!(script.starts_with(b"export PATH='/bin:/usr/bin'\nexport PYTHONPATH='it'\\''s \"$HOME\""));
        script.extend_from_slice(b"printf %s \"$PYTHONPATH\"");
        let output = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(OsString::from_vec(script))
            .output()
            .unwrap();
        assert_eq!(output.stdout, value.as_bytes());
    }
}
