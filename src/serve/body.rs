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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use hyper::body::Frame;
    use tokio::runtime::Builder;
    use tokio::time::{Sleep, sleep};

    use super::*;

    /// A client that sends so many bytes, waits, and sends them again, as often as it is told.
    struct Slow {
        bytes: usize,
        wait: Duration,
        left: usize,
        pause: Pin<Box<Sleep>>,
    }

    impl hyper::body::Body for Slow {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            if self.pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.left -= 1;
            self.pause = Box::pin(sleep(self.wait));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; self.bytes])))))
        }
    }

    /// What comes of such a client, on a clock that only runs while all wait.
    fn sent(bytes: usize, wait_s: u64, times: usize) -> Result<usize, Code> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(async {
            let wait = Duration::from_secs(wait_s);
            let body = Slow {
                bytes,
                wait,
                left: times,
                pause: Box::pin(sleep(wait)),
            };
            let whole = Pieces::of(Body::new(body)).whole(usize::MAX).await;
            whole.map(|all| all.len()).map_err(|fault| fault.code)
        })
    }

    #[test]
    fn a_body_must_go_on() {
        // Slow, but it goes on; and small ones end before anybody minds.
        assert_eq!(sent(16 << 10, 29, 100), Ok(100 * (16 << 10)));
        assert_eq!(sent(1, 2, 10), Ok(10));
        // Nothing at all, or a byte now and then.
        assert_eq!(sent(1, 31, 1), Err(Code::RequestTimeout));
        assert_eq!(sent(1, 2, 100), Err(Code::RequestTimeout));
    }
}
