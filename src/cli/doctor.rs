//! `optfs doctor`: what works on this system, which transport a mount would have, and what to do about the
//! rest.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use nix::sys::utsname::uname;
use nix::unistd::geteuid;
use serde_json::json;

use super::failure::{Class, Failure};
use super::json::{document, write_line};
use super::terminal::{Out, print};
use crate::fuse::{AttachError, Transport, check_device, rings};
use crate::launch::namespace::{Entered, enter_private};

/// Say what works on this system, and what to do about the rest
///
/// Checks the device of FUSE, the helper that mounts for ordinary users, private mount namespaces, and
/// whether the kernel passes requests over io_uring. The exit status is 0 when 'optfs mount' and 'optfs
/// run' both work for who asks, else 1.
#[derive(Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Only try to enter a private mount namespace
    #[arg(long, hide = true)]
    try_namespace: bool,
}

/// One thing that was looked at.
struct Finding {
    /// What a script calls it.
    name: &'static str,
    /// What it is to a person.
    title: &'static str,
    health: Health,
    says: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// Not there, and nothing that is asked for here needs it.
    Spare,
    Bad,
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Health::Good => "yes",
            Health::Spare => "off",
            Health::Bad => "no",
        }
    }
}

pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    if args.try_namespace {
        return try_namespace();
    }
    let system = uname().map_err(std::io::Error::from)?;
    let kernel = system.release().to_string_lossy().into_owned();
    let findings = [device(), helper(), namespace()?, over_io_uring()];
    let transport = match env::var("OPTFS_TRANSPORT").map(|word| word.parse()) {
        Ok(Ok(Transport::Fuser)) => Transport::Fuser,
        _ if rings().is_ok() => Transport::Uring,
        _ => Transport::Fuser,
    };
    let is_well = findings.iter().all(|finding| finding.health != Health::Bad);
    print(|out| {
        match args.json {
            true => print_json(out, &kernel, transport, &findings, is_well)?,
            false => print_text(out, &kernel, transport, &findings)?,
        }
        Ok(match is_well {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Class::No as u8),
        })
    })
}

fn print_text(
    out: &mut Out,
    kernel: &str,
    transport: Transport,
    findings: &[Finding],
) -> Result<(), Failure> {
    writeln!(out, "{:<16} Linux {kernel}", "kernel")?;
    for finding in findings {
        let Finding { title, says, .. } = finding;
        writeln!(out, "{title:<16} {}: {says}", finding.health.word())?;
        if let Some(hint) = &finding.hint {
            writeln!(out, "{:<16} hint: {hint}", "")?;
        }
    }
    let why = match transport {
        Transport::Uring => "over io_uring: requests are answered on the core that asked",
        Transport::Auto | Transport::Fuser => "over /dev/fuse: works everywhere",
    };
    writeln!(out, "{:<16} {}: {why}", "transport", transport.word())?;
    Ok(())
}

fn print_json(
    out: &mut Out,
    kernel: &str,
    transport: Transport,
    findings: &[Finding],
    is_well: bool,
) -> Result<(), Failure> {
    let checks = findings.iter().map(|finding| {
        json!({
            "name": finding.name,
            "state": finding.health.word(),
            "says": finding.says,
            "hint": finding.hint,
        })
    });
    let body = json!({
        "ok": is_well,
        "kernel": kernel,
        "transport": transport.word(),
        "checks": checks.collect::<Vec<_>>(),
    });
    write_line(out, &document("doctor", body))
}

fn device() -> Finding {
    let checked = check_device();
    Finding {
        name: "device",
        title: "/dev/fuse",
        health: if checked.is_ok() {
            Health::Good
        } else {
            Health::Bad
        },
        says: match &checked {
            Ok(()) => "the device can be opened".to_owned(),
            Err(error) => error.to_string(),
        },
        hint: checked
            .err()
            .as_ref()
            .and_then(AttachError::hint)
            .map(str::to_owned),
    }
}

/// Only who may not mount needs it.
fn helper() -> Finding {
    let (health, says) = match find_helper() {
        Some(path) if is_set_user_id_root(&path) => (
            Health::Good,
            format!("{} mounts for ordinary users", path.display()),
        ),
        Some(path) => (
            Health::Bad,
            format!("{} is not set-user-ID root, and cannot mount", path.display()),
        ),
        None => (
            Health::Bad,
            "not installed; ordinary users cannot 'optfs mount' without".to_owned(),
        ),
    };
    let (health, hint) = match health {
        Health::Bad if geteuid().is_root() => (Health::Spare, None),
        Health::Bad => (
            Health::Bad,
            Some("install the package fuse3, or run optfs as root".to_owned()),
        ),
        good => (good, None),
    };
    Finding {
        name: "helper",
        title: "fusermount3",
        health,
        says,
        hint,
    }
}

fn find_helper() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places = env::split_paths(&path).map(|directory| directory.join("fusermount3"));
    places.into_iter().find(|place| place.is_file())
}

fn is_set_user_id_root(path: &Path) -> bool {
    const SET_USER_ID: u32 = 0o4000;
    fs::metadata(path).is_ok_and(|meta| meta.uid() == 0 && meta.mode() & SET_USER_ID != 0)
}

/// Tried by a process of its own: this one stays where it is.
fn namespace() -> Result<Finding, Failure> {
    let tried = Command::new("/proc/self/exe")
        .args(["doctor", "--try-namespace"])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&tried.stdout);
    let mut lines = said.lines().map(str::to_owned);
    let says = lines
        .next()
        .unwrap_or_else(|| format!("the process that tried ended with {}", tried.status));
    Ok(Finding {
        name: "namespace",
        title: "private mounts",
        health: if tried.status.success() {
            Health::Good
        } else {
            Health::Bad
        },
        says,
        hint: lines.next(),
    })
}

/// What became of it in the first line, what to do in the second.
fn try_namespace() -> Result<ExitCode, Failure> {
    let entered = enter_private();
    print(|out| match entered {
        Ok(Entered::Mount) => {
            writeln!(out, "'optfs run' gets a mount namespace")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Entered::UserAndMount) => {
            writeln!(
                out,
                "'optfs run' gets a user and a mount namespace, without any rights"
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(out, "{error}\n{}", error.advice())?;
            Ok(ExitCode::from(Class::No as u8))
        }
    })
}

/// Faster where it is, and missed by nothing where it is not.
fn over_io_uring() -> Finding {
    let (health, says, hint) = match rings() {
        Ok(()) => (Health::Good, "new mounts can use it".to_owned(), None),
        Err(why) => (Health::Spare, why.to_string(), Some(why.hint().to_owned())),
    };
    Finding {
        name: "io_uring",
        title: "io_uring",
        health,
        says,
        hint,
    }
}
