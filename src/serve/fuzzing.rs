//! The fuzzer's door to the server: the bytes of a connection, as they come from anybody. Not there in an ordinary build.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

use super::desk::Desk;
use super::scan::Scan;
use super::{Options, door};
use crate::store::{Place, Store};

pub use super::s3::fuzzing::chunked;

/// A server without a socket.
pub struct Door {
    desk: Desk,
    runtime: Runtime,
}

impl Door {
    /// A door to a store.
    pub fn new(store: Store, here: Place) -> Door {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8014));
        let options = Options {
            listen: address,
            names: Vec::new(),
            here,
            organization: None,
        };
        Door {
            desk: Desk::new(store, &options, address),
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }

    /// What a connection is answered that sends these bytes and then no more, and the status of each answer in it.
    pub fn answer(&self, bytes: &[u8]) -> (Vec<u8>, Vec<u16>) {
        let statuses = Mutex::new(Vec::new());
        let answer = self.runtime.block_on(async {
            let (client, server) = duplex(64 << 10);
            let service = service_fn(|request: Request<Incoming>| async {
                let answer = door::admit(self.desk.clone(), request.map(Body::new)).await;
                statuses.lock().push(answer.status().as_u16());
                Ok::<_, Infallible>(answer)
            });
            let served = http1::Builder::new()
                .half_close(true)
                .serve_connection(TokioIo::new(server), service);
            let (mut reader, mut writer) = split(client);
            let asked = async {
                let _ = writer.write_all(bytes).await;
                let _ = writer.shutdown().await;
            };
            let mut answer = Vec::new();
            let _ = tokio::join!(served, asked, reader.read_to_end(&mut answer));
            answer
        });
        (answer, statuses.into_inner())
    }
}

/// What is left of a JSON text, what its `ZipFile` is, and whether there is one; None of what is refused.
pub fn scan(pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>, bool)> {
    let mut scan = Scan::new(Vec::new(), 1 << 20);
    for piece in pieces {
        scan.push(piece).ok()?;
    }
    Some(scan.end())
}
