//! `optfs serve`: AWS's API on the local store, for the AWS CLI, SDKs and tools.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::process::ExitCode;

use clap::Args;

use super::failure::{Class, Failure};
use super::published::StoreArgs;
use crate::serve::{Options, ServeError, serve};

/// Serve AWS's API of layers and functions on the local store
///
/// The AWS CLI, SDKs and tools such as SAM work with it once they are told where it is, by two environment variables that the
/// first line names. Buckets are there too, as many as layers need. What is published can be mounted and run at once,
/// by name. Keys and signatures are not checked: whoever can connect may do everything. It ends with Ctrl-C or SIGTERM.
#[derive(Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 means a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8014")]
    listen: SocketAddr,
    /// A name by which clients call this machine, besides localhost and the address (can be repeated)
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// The organization that all accounts are members of, where a layer is granted to one
    #[arg(long, value_name = "o-ID")]
    organization: Option<String>,
    /// Write a newline to this open file descriptor once it listens
    #[arg(long, value_name = "FD")]
    ready_fd: Option<u32>,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, Failure> {
    let store = args.store.open()?;
    let options = Options {
        listen: args.listen,
        names: args.names,
        here: args.store.place()?,
        organization: args.organization,
    };
    if !args.listen.ip().is_loopback() {
        log::warn!(
            "listening on {}: whoever can reach that address may read, publish and delete everything in the store",
            args.listen
        );
    }
    serve(store, options, |address| ready(address, args.ready_fd))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells whoever waits: who reads the output, who has given a descriptor, and systemd (sd_notify(3)).
fn ready(address: SocketAddr, descriptor: Option<u32>) -> io::Result<()> {
    let url = format!("http://{}", reachable(address));
    let mut out = io::stdout();
    writeln!(
        out,
        "ready: export AWS_ENDPOINT_URL_LAMBDA={url} AWS_ENDPOINT_URL_S3={url}"
    )?;
    out.flush()?;
    if let Some(descriptor) = descriptor {
        let path = format!("/proc/self/fd/{descriptor}");
        OpenOptions::new().write(true).open(path)?.write_all(b"\n")?;
    }
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let name = socket.as_encoded_bytes();
        let to = match name.strip_prefix(b"@") {
            Some(name) => net::SocketAddr::from_abstract_name(name)?,
            None => net::SocketAddr::from_pathname(&socket)?,
        };
        UnixDatagram::unbound()?.send_to_addr(b"READY=1", &to)?;
    }
    Ok(())
}

/// The address that clients of this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match (address.ip().is_unspecified(), address) {
        (true, SocketAddr::V4(_)) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        (true, SocketAddr::V6(_)) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], address.port())),
        (false, address) => address,
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        let failure = Failure::new(Class::Trouble, &error);
        match &error {
            ServeError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                failure.hint("another program listens there; --listen 127.0.0.1:0 takes a free port")
            }
            _ => failure,
        }
    }
}
