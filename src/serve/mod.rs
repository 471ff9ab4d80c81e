//! AWS's REST API on the local store: HTTP to questions of `store` and back, with AWS's routes, shapes and errors, and as much of
//! S3 as layers need.
//!
//! HTTP words live here and nowhere else. What is asked is answered by `store`; its layout on disk, the merge and mounts are not
//! known here.

mod body;
mod call;
mod connections;
mod desk;
mod door;
mod fault;
mod form;
mod functions;
#[cfg(fuzzing)]
pub mod fuzzing;
mod lambda;
mod layers;
mod pages;
mod s3;
mod scan;
mod snapshots;

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::store::{Place, Store};
use desk::{Desk, STORE_CALLS};

/// Threads that talk to clients.
const WORKERS: usize = 2;
/// Threads that write what clients upload. They never wait for a lock, so that uploads end whatever the others wait for.
const WRITERS: usize = 16;

/// What is served, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 means one that is free.
    pub listen: SocketAddr,
    /// Names that clients call this machine by, besides those of the loopback and the address itself.
    pub names: Vec<String>,
    /// Account and region of requests that name none.
    pub here: Place,
    /// The organization of every account that asks.
    pub organization: Option<String>,
}

/// What keeps the server from serving.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("{address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no threads, signals or sockets.
    #[error("the server cannot start: {0}")]
    Start(io::Error),
    /// Whoever is to be told that it is ready cannot be told.
    #[error("nobody can be told that the server is ready: {0}")]
    Ready(io::Error),
}

/// Serves a store until the process is told to stop (SIGTERM, SIGINT). `ready` is called once it listens, with the address.
///
/// # Errors
/// When it cannot listen; what goes wrong later is answered or logged.
pub fn serve(
    store: Store,
    options: Options,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), ServeError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(STORE_CALLS + WRITERS)
        .thread_name("optfs-serve")
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let served = runtime.block_on(async {
        let listen = |source| ServeError::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let stop = connections::Stop::new().map_err(ServeError::Start)?;
        ready(address).map_err(ServeError::Ready)?;
        connections::serve(listener, Desk::new(store, &options, address), stop).await;
        Ok(())
    });
    // What still runs was given its time.
    runtime.shutdown_background();
    served
}
