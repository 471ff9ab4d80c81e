//! As much of S3 as it takes to publish from a bucket: what `aws s3 mb`, `cp`, `ls`, `rm` and `rb` ask, path by path
//! (`/bucket/key`).

mod checksums;
mod chunked;
mod fault;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod listing;
mod objects;
mod uploads;
mod xml;

use axum::body::Body;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;

use super::body::Pieces;
use super::call::Call;
use super::desk::Desk;
use super::fault::Fault;
use crate::store::Place;
use fault::S3Fault;

/// What a body in XML may have.
const MOST_XML: usize = 2 << 20;
/// Words of a query that mean another question than the path alone, and that nobody here can answer.
const OTHER_QUESTIONS: [&str; 16] = [
    "accelerate",
    "acl",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "lifecycle",
    "logging",
    "notification",
    "policy",
    "replication",
    "restore",
    "tagging",
    "versioning",
    "versions",
    "website",
];

type Answer = Result<Response, S3Fault>;

/// A question to S3.
struct Question {
    desk: Desk,
    call: Call,
    asked: Parts,
    bucket: String,
    key: String,
}

/// Answers a request to S3.
pub(super) async fn answer(desk: Desk, request: Request<Body>) -> Response {
    let (asked, body) = request.into_parts();
    let (path, is_head) = (asked.uri.path().to_owned(), asked.method == Method::HEAD);
    let mut body = Pieces::of(body);
    match answered(desk, asked, &mut body).await {
        Ok(response) => response,
        Err(fault) => {
            // Who is still writing does not read.
            body.forget(1 << 30).await;
            fault.response(&path, is_head)
        }
    }
}

async fn answered(desk: Desk, asked: Parts, body: &mut Pieces) -> Answer {
    let call = Call::of(&desk, &asked)?;
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map(|text| text.into_owned());
        decoded.map_err(|_| {
            S3Fault::new(
                StatusCode::BAD_REQUEST,
                "InvalidURI",
                "Couldn't parse the specified URI.",
            )
        })
    };
    let path = asked.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, key) = (decoded(bucket)?, decoded(key)?);
    let question = Question {
        desk,
        call,
        asked,
        bucket,
        key,
    };
    question.answer(body).await
}

impl Question {
    async fn answer(self, body: &mut Pieces) -> Answer {
        let word = |name: &str| self.call.word(name).is_some();
        if OTHER_QUESTIONS.iter().any(|name| word(name)) {
            return Err(S3Fault::not_implemented());
        }
        let (upload, uploads) = (word("uploadId"), word("uploads"));
        let place = (self.bucket.is_empty(), self.key.is_empty());
        match (self.asked.method.as_str(), place) {
            ("GET", (true, _)) => self.list_buckets().await,
            ("PUT", (false, true)) => self.create_bucket(body).await,
            ("HEAD", (false, true)) => self.head_bucket().await,
            ("DELETE", (false, true)) => self.delete_bucket().await,
            ("GET", (false, true)) if word("location") => self.locate_bucket().await,
            ("GET", (false, true)) if !uploads => self.list_objects().await,
            ("PUT", (false, false)) if upload => self.put_part(body).await,
            ("PUT", (false, false)) => self.put(body).await,
            ("GET" | "HEAD", (false, false)) if !upload => self.get().await,
            ("DELETE", (false, false)) if upload => self.abort_upload().await,
            ("DELETE", (false, false)) => self.delete().await,
            ("POST", (false, false)) if uploads => self.begin_upload().await,
            ("POST", (false, false)) if upload => self.complete_upload(body).await,
            _ => Err(S3Fault::not_implemented()),
        }
    }

    async fn list_buckets(self) -> Answer {
        let buckets = self.desk.ask_plainly(|store| store.list_buckets()).await??;
        Ok(xml::answer(&xml::Buckets::of(
            self.call.place.account(),
            &buckets,
        )))
    }

    async fn create_bucket(self, body: &mut Pieces) -> Answer {
        let text = body.whole(MOST_XML).await?;
        let wanted: xml::CreateBucket = match text.is_empty() {
            true => xml::CreateBucket::default(),
            false => xml::read(&text)?,
        };
        let region = match wanted.region.as_deref() {
            None | Some("") => self.call.place.region().to_owned(),
            Some("EU") => "eu-west-1".to_owned(),
            Some(region) => region.to_owned(),
        };
        let place = Place::new(self.call.place.account(), &region).map_err(|_| {
            S3Fault::new(
                StatusCode::BAD_REQUEST,
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            )
        })?;
        let name = self.bucket.clone();
        self.desk
            .ask_plainly(move |store| store.create_bucket(&place, &name))
            .await??;
        Ok((StatusCode::OK, [("location", format!("/{}", self.bucket))]).into_response())
    }

    async fn head_bucket(self) -> Answer {
        let bucket = self.find_bucket().await?;
        Ok((StatusCode::OK, [("x-amz-bucket-region", bucket.region)]).into_response())
    }

    async fn locate_bucket(self) -> Answer {
        let bucket = self.find_bucket().await?;
        Ok(xml::answer(&xml::Location::of(&bucket.region)))
    }

    async fn find_bucket(self) -> Result<crate::store::object::Bucket, S3Fault> {
        let found = self.desk.ask_plainly(move |store| store.bucket(&self.bucket));
        Ok(found.await??)
    }

    async fn delete_bucket(self) -> Answer {
        let deleted = self
            .desk
            .ask_plainly(move |store| store.delete_bucket(&self.bucket));
        deleted.await??;
        Ok(StatusCode::NO_CONTENT.into_response())
    }
}

impl From<Fault> for S3Fault {
    fn from(fault: Fault) -> S3Fault {
        S3Fault::of(fault)
    }
}
