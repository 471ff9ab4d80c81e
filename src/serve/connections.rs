//! Connections: how many at once, how long their headers may take, and how all of it ends.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use log::{debug, info, warn};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::desk::Desk;
use super::door;

/// Connections at once; others wait until one ends.
const MOST_CONNECTIONS: usize = 256;
/// How long the head of a request may take, and how long a connection may rest between two.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// Bytes and lines of a request's head.
const HEAD_BYTES: usize = 64 << 10;
const HEAD_LINES: usize = 128;
/// What is read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// How long requests that are under way may go on when the server is told to stop.
const LAST_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when the system has no descriptors left.
const SHORTAGE_WAIT: Duration = Duration::from_millis(50);

/// The signals that end the server.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Signals count from here on.
    pub(super) fn new() -> io::Result<Stop> {
        Ok(Stop {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn told(&mut self) {
        select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves until told to stop; then lets what is under way finish, for a while, or until told again.
pub(super) async fn serve(listener: TcpListener, desk: Desk, mut stop: Stop) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = select! {
            next = next => next,
            () = stop.told() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = graceful.watch(connection(stream, desk.clone()));
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        debug!("a connection ended: {error}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!("no connection can be taken: {error}");
                sleep(SHORTAGE_WAIT).await;
            }
        }
    }
    drop(listener);
    info!("stopping: what is under way may finish");
    select! {
        () = graceful.shutdown() => {}
        () = stop.told() => info!("stopping at once"),
        () = sleep(LAST_WAIT) => warn!("stopped with requests under way"),
    }
}

fn connection(
    stream: TcpStream,
    desk: Desk,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::Service<
        Request<Incoming>,
        Response = axum::response::Response,
        Error = Infallible,
        Future: Send,
    >,
> {
    // Answers are small, and written whole.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let desk = desk.clone();
        async move { Ok(door::admit(desk, request.map(Body::new)).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEAD_LINES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}
