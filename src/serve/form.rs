//! What a client sends as JSON: small members parsed, and the zip among them on disk, where the store wants it.

use std::fmt::Display;
use std::path::Path;

use axum::body::Body;
use hyper::HeaderMap;
use hyper::header::CONTENT_LENGTH;
use serde::de::DeserializeOwned;

use super::body::Pieces;
use super::desk::{Desk, apart};
use super::fault::{Code, Fault};
use super::scan::{Scan, ScanError};
use crate::store::Intake;

/// AWS takes no larger request.
const MOST_BYTES: u64 = 70_167_211;
/// All members but the zip.
const MOST_MEMBERS: usize = 1 << 20;
/// How much of a body that is refused is read before the answer.
const FORGIVEN_BYTES: u64 = 1 << 30;

/// A request's members, and the zip that was among them.
pub(super) struct Form<T> {
    pub(super) members: T,
    pub(super) zip: Option<Intake>,
}

/// Reads the members of a request that has no zip.
pub(super) async fn members<T: DeserializeOwned>(body: Body) -> Result<T, Fault> {
    let mut pieces = Pieces::of(body);
    match pieces.whole(MOST_MEMBERS).await {
        Ok(text) => parsed(&text),
        Err(fault) => {
            pieces.forget(FORGIVEN_BYTES).await;
            Err(fault)
        }
    }
}

/// Reads the members of a request whose `ZipFile` goes to the store as it comes.
pub(super) async fn with_zip<T: DeserializeOwned>(
    desk: &Desk,
    operation: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Form<T>, Fault> {
    let mut pieces = Pieces::of(body);
    let received = receive(desk, operation, headers, &mut pieces).await;
    if received.is_err() {
        // Who is still writing does not read.
        pieces.forget(FORGIVEN_BYTES).await;
    }
    let (text, zip) = received?;
    Ok(Form {
        members: parsed(&text)?,
        zip,
    })
}

async fn receive(
    desk: &Desk,
    operation: &str,
    headers: &HeaderMap,
    pieces: &mut Pieces,
) -> Result<(Vec<u8>, Option<Intake>), Fault> {
    let too_large = || {
        let message =
            format!("Request must be smaller than {MOST_BYTES} bytes for the {operation} operation");
        Fault::new(Code::RequestEntityTooLarge, message)
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: Option<u64> = announced.and_then(|text| text.parse().ok());
    if announced.is_some_and(|bytes| bytes >= MOST_BYTES) {
        return Err(too_large());
    }
    let zip = desk.ask(|store| store.intake(Path::new("ZipFile"))).await?;
    let mut scan = Scan::new(zip, MOST_MEMBERS);
    while let Some(piece) = pieces.next().await? {
        if pieces.taken() >= MOST_BYTES {
            return Err(too_large());
        }
        scan = apart(move || scan.push(&piece).map(|()| scan)).await??;
        if scan.decoded() > Intake::DIRECT_LIMIT_BYTES {
            scan.zip().check_direct()?;
        }
    }
    let (text, zip, is_given) = scan.end();
    Ok((text, is_given.then_some(zip)))
}

fn parsed<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    // No body is as good as no members.
    let text = if text.is_empty() { b"{}" } else { text };
    let refused =
        |why: &dyn Display| Fault::serialization(format!("Could not parse request body into json: {why}"));
    // A list would do for serde.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(refused(&"an object is expected"));
    }
    serde_json::from_slice(text).map_err(|error| refused(&error))
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Fault {
        match error {
            ScanError::TooLong => {
                let message = format!("Request must be smaller than {MOST_MEMBERS} bytes without ZipFile");
                Fault::new(Code::RequestEntityTooLarge, message)
            }
            ScanError::Twice => Fault::serialization("ZipFile is given twice"),
            ScanError::NotBase64 => Fault::serialization("ZipFile is not base64"),
            ScanError::Io(error) => Fault::service(format!("The zip cannot be stored: {error}")),
        }
    }
}
