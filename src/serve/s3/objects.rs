//! Objects: put, got, deleted.

use std::io::Write;
use std::path::Path;

use axum::response::{IntoResponse, Response};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::{HeaderMap, Method, StatusCode};

use super::checksums::Checksums;
use super::chunked::{Chunked, Found};
use super::fault::S3Fault;
use super::{Answer, Question};
use crate::serve::body::Pieces;
use crate::serve::desk::{Desk, apart};
use crate::serve::snapshots;
use crate::store::Intake;
use crate::store::object::{About, Object};

/// What S3 takes in one request.
const MOST_BYTES: u64 = 5 << 30;
/// What an object is that nobody said anything of.
const PLAIN: &str = "binary/octet-stream";

/// Bytes on their way to the store.
struct Arrival {
    intake: Intake,
    sums: Checksums,
    chunked: Option<Chunked>,
    size: u64,
}

impl Question {
    pub(super) async fn put(self, body: &mut Pieces) -> Answer {
        let conditions = ["x-amz-copy-source", "if-match", "if-none-match"];
        if conditions
            .iter()
            .any(|name| self.asked.headers.contains_key(*name))
        {
            return Err(S3Fault::not_implemented());
        }
        // Before all of it is taken in for nothing.
        let bucket = self.bucket.clone();
        self.desk
            .ask_plainly(move |store| store.bucket(&bucket))
            .await??;
        let (intake, etag) = receive(&self.desk, &self.asked.headers, body).await?;
        let about = About {
            etag: etag.clone(),
            content_type: self.content_type(),
        };
        let (bucket, key) = (self.bucket, self.key);
        let put = self
            .desk
            .ask_plainly(move |store| store.put_object(&bucket, &key, about, intake));
        put.await??;
        Ok((StatusCode::OK, [(ETAG, quoted(&etag))]).into_response())
    }

    pub(super) async fn get(self) -> Answer {
        let (bucket, key) = (self.bucket, self.key);
        let (object, zip) = self
            .desk
            .ask_plainly(move |store| {
                let object = store.object(&bucket, &key)?;
                let bytes = store.object_bytes(&object);
                Ok::<_, crate::store::StoreError>((object, bytes))
            })
            .await??;
        let headers = &self.asked.headers;
        if !allowed(headers, IF_MATCH.as_str(), &object, true) {
            return Err(S3Fault::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ));
        }
        let mut response = match allowed(headers, IF_NONE_MATCH.as_str(), &object, false) {
            true => whole_or_part(&zip, headers, self.asked.method == Method::HEAD).await?,
            false => StatusCode::NOT_MODIFIED.into_response(),
        };
        describe(&mut response, &object);
        Ok(response)
    }

    pub(super) async fn delete(self) -> Answer {
        let (bucket, key) = (self.bucket, self.key);
        let deleted = self
            .desk
            .ask_plainly(move |store| store.delete_object(&bucket, &key));
        deleted.await??;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    pub(super) fn content_type(&self) -> Option<String> {
        let value = self.asked.headers.get(CONTENT_TYPE)?;
        value.to_str().ok().map(str::to_owned)
    }
}

/// Takes in a body, checked against what is claimed of it; gives its MD5 too.
pub(super) async fn receive(
    desk: &Desk,
    headers: &HeaderMap,
    body: &mut Pieces,
) -> Result<(Intake, String), S3Fault> {
    let number = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
    };
    let announced = number("x-amz-decoded-content-length").or_else(|| number(CONTENT_LENGTH.as_str()));
    let too_large = || {
        S3Fault::new(
            StatusCode::BAD_REQUEST,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
        )
    };
    if announced.is_some_and(|size| size > MOST_BYTES) {
        return Err(too_large());
    }
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    let is_chunked = text("x-amz-content-sha256").starts_with("STREAMING-")
        || text(CONTENT_ENCODING.as_str()).contains("aws-chunked");
    let intake = desk.ask(|store| store.intake(Path::new("object"))).await?;
    let mut arrival = Arrival {
        intake,
        sums: Checksums::of(headers),
        chunked: is_chunked.then(Chunked::new),
        size: 0,
    };
    while let Some(piece) = body.next().await? {
        arrival = apart(move || arrival.push(&piece).map(|()| arrival)).await??;
        if arrival.size > MOST_BYTES {
            return Err(too_large());
        }
    }
    let is_whole = arrival.chunked.as_ref().is_none_or(Chunked::is_done);
    if !is_whole || announced.is_some_and(|size| size != arrival.size) {
        return Err(S3Fault::incomplete(
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ));
    }
    Ok((arrival.intake, arrival.sums.end()?))
}

impl Arrival {
    fn push(&mut self, piece: &[u8]) -> Result<(), S3Fault> {
        let (intake, sums, size) = (&mut self.intake, &mut self.sums, &mut self.size);
        let mut keep = |bytes: &[u8], sums: &mut Checksums| {
            *size += bytes.len() as u64;
            sums.update(bytes);
            intake.write_all(bytes).map_err(|error| {
                let message = format!("The object cannot be stored: {error}");
                S3Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
            })
        };
        match &mut self.chunked {
            None => keep(piece, sums),
            Some(chunked) => chunked.push(piece, |found| match found {
                Found::Data(bytes) => keep(bytes, sums),
                Found::Trailer(name, value) => {
                    sums.claim(name, value);
                    Ok(())
                }
            }),
        }
    }
}

async fn whole_or_part(zip: &Path, headers: &HeaderMap, is_head: bool) -> Answer {
    let response = snapshots::file(zip, headers, is_head).await?;
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => Err(S3Fault::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )),
        _ => Ok(response),
    }
}

/// Whether a condition on the ETag lets a request through; it does when there is none.
fn allowed(headers: &HeaderMap, name: &str, object: &Object, when_same: bool) -> bool {
    let Some(wanted) = headers.get(name).and_then(|value| value.to_str().ok()) else {
        return true;
    };
    let is_same = |tag: &str| tag == "*" || tag.trim_matches('"') == object.etag;
    wanted.split(',').any(|tag| is_same(tag.trim())) == when_same
}

fn describe(response: &mut Response, object: &Object) {
    let headers = response.headers_mut();
    let modified = httpdate::fmt_http_date(object.modified);
    let kind = object.content_type.as_deref().unwrap_or(PLAIN);
    let values = [
        (ETAG, quoted(&object.etag)),
        (LAST_MODIFIED, modified),
        (CONTENT_TYPE, kind.to_owned()),
    ];
    for (name, value) in values {
        headers.extend(HeaderValue::try_from(value).map(|value| (name, value)));
    }
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
