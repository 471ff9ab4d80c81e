//! P, S and C as a caller of `launch` writes them, with small stand-ins for mounting and serving.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use optfs::launch::environment::environment;
use optfs::launch::handover::ChildEnd;
use optfs::launch::{OWN_FAILURE, child, namespace, parent, server, this_program};

/// Plays the role that the first argument names, if it names one. The others: what to mount or how to fail, the
/// mount point, a directory for notes, and the command.
pub(crate) fn play(arguments: &[OsString]) -> Option<ExitCode> {
    let [role, rest @ ..] = arguments else { return None };
    let result = match role.to_str()? {
        "role:parent" => play_parent(rest),
        "role:server" => play_server(rest),
        "role:child" => play_child(rest),
        _ => return None,
    };
    Some(result.unwrap_or_else(|error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        eprintln!("optfs: {text}");
        ExitCode::from(OWN_FAILURE)
    }))
}

fn play_parent(arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let mut server = this_program();
    server.arg("role:server").args(arguments);
    let mut child = this_program();
    child.arg("role:child").args(arguments);
    Ok(parent::pass_on(parent::run(server, child)?))
}

fn play_server(arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let end = server::begin()?;
    let notes = Path::new(&arguments[2]);
    match arguments[0].to_str() {
        Some("fail") => end.failed("layers/base.zip: not a zip")?,
        Some("die") => {}
        _ => {
            let Some(device) = end.receive()? else {
                return Ok(ExitCode::SUCCESS);
            };
            fs::write(notes.join("server.pid"), std::process::id().to_string())?;
            end.serving()?;
            if arguments[0] == "fuse" {
                let ended = read_until_unmounted(File::from(device));
                fs::write(notes.join("server.ended"), format!("{:?}", ended.raw_os_error()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_until_unmounted(mut device: File) -> std::io::Error {
    let mut request = vec![0; 1 << 16];
    loop {
        if let Err(error) = device.read(&mut request) {
            return error;
        }
    }
}

fn play_child(arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let end = ChildEnd::from_stdin()?;
    child::die_with(end.parent()?)?;
    let stdin = end.receive_stdin()?;
    namespace::enter_private()?;
    let at = Path::new(&arguments[1]);
    let device = if arguments[0] == "fuse" {
        mount_fuse(at)?
    } else {
        mount_tmpfs(at)?
    };
    end.hand_over(device)?;
    // Nobody answers for the FUSE mount: a loader that looked for libraries in it would wait for ever.
    let variables = if arguments[0] == "fuse" {
        Vec::new()
    } else {
        environment(None, at, &|name| std::env::var_os(name), &[])?
    };
    let error = child::exec(&arguments[3], &arguments[4..], &variables, stdin);
    eprintln!("optfs: {error}");
    Ok(ExitCode::from(error.exit_status()))
}

fn mount_tmpfs(at: &Path) -> Result<OwnedFd, Box<dyn Error>> {
    mount(Some("test"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    fs::write(at.join("inside"), "seen\n")?;
    Ok(File::open("/dev/null")?.into())
}

fn mount_fuse(at: &Path) -> Result<OwnedFd, Box<dyn Error>> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let options = format!(
        "fd={},rootmode=40000,user_id={uid},group_id={gid}",
        device.as_raw_fd()
    );
    mount(
        Some("test"),
        at,
        Some("fuse"),
        MsFlags::empty(),
        Some(options.as_str()),
    )?;
    Ok(device.into())
}
