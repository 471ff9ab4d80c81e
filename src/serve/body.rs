//! The body of a request, piece by piece: it must go on, and it must end.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use tokio::time::{Instant, timeout_at};

use super::fault::{Code, Fault};

/// In this time at least so many bytes must come, or the end.
const WAIT: Duration = Duration::from_secs(30);
const WAIT_BYTES: usize = 16 << 10;
/// What is collected before it is handed on.
const PIECE_BYTES: usize = 1 << 20;

/// The body of a request.
pub(super) struct Pieces {
    body: Body,
    deadline: Instant,
    since: usize,
    taken: u64,
}

impl Pieces {
    pub(super) fn of(body: Body) -> Pieces {
        Pieces {
            body,
            deadline: Instant::now() + WAIT,
            since: 0,
            taken: 0,
        }
    }

    /// Bytes so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The next piece, a megabyte or so; None at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES {
            match self.frame().await? {
                Some(data) => piece.extend_from_slice(&data),
                None => break,
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// All of it, at most so many bytes.
    pub(super) async fn whole(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut all = Vec::new();
        while let Some(data) = self.frame().await? {
            if all.len() + data.len() > most {
                return Err(Fault::new(
                    Code::RequestEntityTooLarge,
                    format!("Request must be smaller than {most} bytes"),
                ));
            }
            all.extend_from_slice(&data);
        }
        Ok(all)
    }

    /// Takes what is left and forgets it, up to so many bytes: a client that still writes would not read the answer.
    pub(super) async fn forget(&mut self, most: u64) {
        let until = self.taken.saturating_add(most);
        while self.taken < until {
            match self.frame().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let frame = timeout_at(self.deadline, self.body.frame())
                .await
                .map_err(|_| Fault::new(Code::RequestTimeout, "The body of the request does not go on"))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                Fault::serialization(format!("The body of the request cannot be read: {error}"))
            })?;
            // Trailers say nothing here.
            let Ok(data) = frame.into_data() else { continue };
            self.taken += data.len() as u64;
            self.since += data.len();
            if self.since >= WAIT_BYTES {
                (self.since, self.deadline) = (0, Instant::now() + WAIT);
            }
            return Ok(Some(data));
        }
    }
}
