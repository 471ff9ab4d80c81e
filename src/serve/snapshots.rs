//! Where the zips behind answers are to be had: URLs that a plain GET downloads, as AWS gives them out. They name a version and its
//! digest, which only those know who have the zip or may ask for it.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Request, StatusCode};
use tokio_util::io::ReaderStream;

use super::desk::{Desk, apart};
use super::fault::{Code as FaultCode, Fault};
use crate::store::function::{Code, Function};
use crate::store::{Digest, LayerName, LayerVersion, Place, Store, StoreError};

/// What the paths begin with: no name of a bucket.
pub(super) const FIRST_PART: &str = "~";
/// What is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// Where a version's zip can be downloaded.
pub(super) fn location(base: &str, version: &LayerVersion) -> String {
    let (account, region) = (version.place.account(), version.place.region());
    let (name, number, digest) = (&version.name, version.version, version.digest);
    format!("{base}/{FIRST_PART}/layers/{account}/{region}/{name}/{number}/{digest}.zip")
}

/// Where the zip of a function's code can be downloaded; of an image there is none.
pub(super) fn code_location(base: &str, function: &Function) -> String {
    let Some(digest) = digest_of(function) else {
        return String::new();
    };
    let (account, region) = (function.place.account(), function.place.region());
    let (name, version) = (&function.name, function.version_word());
    format!("{base}/{FIRST_PART}/functions/{account}/{region}/{name}/{version}/{digest}.zip")
}

/// Answers a request for a zip.
pub(super) async fn answer(desk: Desk, request: Request<Body>) -> Response {
    let (asked, _) = request.into_parts();
    let sent = download(&desk, &asked).await;
    sent.unwrap_or_else(IntoResponse::into_response)
}

async fn download(desk: &Desk, asked: &Parts) -> Result<Response, Fault> {
    let unknown = || Fault::new(FaultCode::ResourceNotFound, "There is no such zip, or no more.");
    if asked.method != Method::GET && asked.method != Method::HEAD {
        return Err(Fault::new(
            FaultCode::UnknownOperation,
            "a zip can be read, and nothing else",
        ));
    }
    let parts: Vec<_> = asked.uri.path().split('/').skip(2).collect();
    let [kind, account, region, name, version, wanted] = parts[..] else {
        return Err(unknown());
    };
    let place = Place::new(account, region).map_err(|_| unknown())?;
    let (wanted, name, version) = (wanted.to_owned(), name.to_owned(), version.to_owned());
    let found = match kind {
        "layers" => {
            desk.ask(move |store| layer_zip(store, &place, &name, &version))
                .await?
        }
        "functions" => {
            let qualifier = Some(version);
            let found = desk.ask(move |store| {
                let function = store.function(&place, &name, qualifier.as_deref())?;
                let zip = store.function_code(&function);
                Ok(digest_of(&function).zip(zip))
            });
            found.await?
        }
        _ => None,
    };
    let (digest, zip) = found.ok_or_else(unknown)?;
    if format!("{digest}.zip") != wanted {
        return Err(unknown());
    }
    let mut response = file(&zip, &asked.headers, asked.method == Method::HEAD).await?;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    Ok(response)
}

fn layer_zip(
    store: &Store,
    place: &Place,
    name: &str,
    number: &str,
) -> Result<Option<(Digest, PathBuf)>, StoreError> {
    let (Some(name), Ok(number)) = (LayerName::check(name), number.parse()) else {
        return Ok(None);
    };
    let version = store.version(place, &name, number)?;
    Ok(Some((version.digest, store.zip_by_digest(&version))))
}

fn digest_of(function: &Function) -> Option<Digest> {
    match function.code {
        Code::Zip { sha256, .. } => Some(sha256),
        Code::Image(_) => None,
    }
}

/// A file, or the part of it that is asked for; only what would be said of it, where the body is not wanted.
pub(super) async fn file(path: &Path, headers: &HeaderMap, head_only: bool) -> Result<Response, Fault> {
    let path = path.to_owned();
    let opened = apart(move || -> std::io::Result<_> {
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    });
    let trouble = |error: std::io::Error| Fault::service(format!("The content cannot be read: {error}"));
    let (mut file, size) = opened.await?.map_err(trouble)?;
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let (status, start, length) = match range.and_then(|range| parse_range(range, size)) {
        None => (StatusCode::OK, 0, size),
        Some(Some((start, length))) => (StatusCode::PARTIAL_CONTENT, start, length),
        Some(None) => {
            let whole = [(CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response());
        }
    };
    file.seek(SeekFrom::Start(start)).map_err(trouble)?;
    let body = match head_only {
        true => Body::empty(),
        false => {
            let part = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), length);
            Body::from_stream(ReaderStream::with_capacity(part, PIECE_BYTES))
        }
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", start + length - 1);
        headers.extend(HeaderValue::try_from(range).map(|range| (CONTENT_RANGE, range)));
    }
    Ok(response)
}

/// Start and length of one range: None where the header says nothing that is understood, and all is to be sent; `Some(None)` where there
/// is no such part.
fn parse_range(range: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (start, end) = match (first.trim().is_empty(), last.trim().is_empty()) {
        (true, true) => return None,
        (true, false) => (size.saturating_sub(number(last)?), size),
        (false, true) => (number(first)?, size),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some((start < end).then(|| (start, end - start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        for (range, found) in [
            ("bytes=0-", Some(Some((0, 10)))),
            ("bytes=2-4", Some(Some((2, 3)))),
            ("bytes=8-99", Some(Some((8, 2)))),
            ("bytes=-3", Some(Some((7, 3)))),
            ("bytes=-99", Some(Some((0, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=4-2", None),
            ("bytes=1-2,4-5", None),
            ("lines=1-2", None),
            ("bytes=-", None),
        ] {
            assert_eq!(parse_range(range, 10), found, "{range}");
        }
    }
}
