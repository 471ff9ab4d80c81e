//! The page docs/walk-through.md, run as it stands: with optfs, then with the AWS CLI out of its own layer, against a server on
//! the same store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::built::wheel_of;
use crate::readme::{path_with_optfs, says_what_it_says};
use crate::real_layers::layers;
use crate::support::command::OPTFS;
use crate::support::server::Server;

#[test]
fn the_walk_through_says_what_it_says() {
    let server = Server::new();
    // A stand-in, so that nothing is fetched.
    let wheels = server.path("wheels");
    fs::create_dir(&wheels).unwrap();
    let wheel = wheel_of("requests", "py3-none-any", "hello");
    fs::write(wheels.join("requests-2.32.3-py3-none-any.whl"), wheel.build()).unwrap();
    let programs = server.path("programs");
    fs::create_dir(&programs).unwrap();
    let aws = programs.join("aws");
    let layer = layers(&["awscli"]).remove(0);
    let script = format!(
        "#!/bin/sh\nexec {OPTFS} run --quiet --layer {} -- python3 /opt/awscli/aws \"$@\"\n",
        layer.display()
    );
    fs::write(&aws, script).unwrap();
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
    let here = server.path("here");
    fs::create_dir(&here).unwrap();
    let shell = |command: &str| {
        let mut bash = Command::new("bash");
        server
            .client(bash.args(["-c", command]))
            .current_dir(&here)
            .env("PATH", format!("{}:{}", programs.display(), path_with_optfs()))
            .env("OPTFS_STORE", server.path("store"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", &wheels)
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        let output = bash.output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    says_what_it_says(include_str!("../../docs/walk-through.md"), 8, &shell);
}
