//! Objects that come in parts.

use axum::response::IntoResponse;
use hyper::StatusCode;
use hyper::header::ETAG;

use super::checksums::etag_of_parts;
use super::fault::S3Fault;
use super::objects::{quoted, receive};
use super::xml::{CompleteUpload, UploadBegun, UploadCompleted};
use super::{Answer, MOST_XML, Question, xml};
use crate::serve::body::Pieces;

impl Question {
    pub(super) async fn begin_upload(self) -> Answer {
        let (bucket, key, kind) = (self.bucket.clone(), self.key.clone(), self.content_type());
        let begun = self
            .desk
            .ask_plainly(move |store| store.begin_upload(&bucket, &key, kind));
        Ok(xml::answer(&UploadBegun {
            upload_id: &begun.await??,
            bucket: &self.bucket,
            key: &self.key,
        }))
    }

    pub(super) async fn put_part(self, body: &mut Pieces) -> Answer {
        let number = self.call.word("partNumber").and_then(|text| text.parse().ok());
        let Some(number) = number else {
            return Err(S3Fault::new(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "Part number must be an integer between 1 and 10000, inclusive",
            ));
        };
        if self.asked.headers.contains_key("x-amz-copy-source") {
            return Err(S3Fault::not_implemented());
        }
        let (intake, etag) = receive(&self.desk, &self.asked.headers, body).await?;
        let (upload, told) = (self.upload(), etag.clone());
        let (bucket, key) = (self.bucket, self.key);
        self.desk
            .ask_plainly(move |store| store.put_part(&bucket, &key, &upload, number, &told, &intake))
            .await??;
        Ok((StatusCode::OK, [(ETAG, quoted(&etag))]).into_response())
    }

    pub(super) async fn complete_upload(self, body: &mut Pieces) -> Answer {
        let asked: CompleteUpload = xml::read(&body.whole(MOST_XML).await?)?;
        let part = |part: xml::Part| (part.number, part.etag.trim_matches('"').to_owned());
        let parts: Vec<_> = asked.parts.into_iter().map(part).collect();
        let etag = etag_of_parts(parts.iter().map(|(_, etag)| etag.as_str()));
        let (upload, told) = (self.upload(), etag.clone());
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        self.desk
            .ask_plainly(move |store| store.complete_upload(&bucket, &key, &upload, &parts, &told))
            .await??;
        Ok(xml::answer(&UploadCompleted {
            location: format!("{}{}", self.call.base, self.asked.uri.path()),
            bucket: &self.bucket,
            key: &self.key,
            etag: quoted(&etag),
        }))
    }

    pub(super) async fn abort_upload(self) -> Answer {
        let upload = self.upload();
        let aborted = self
            .desk
            .ask_plainly(move |store| store.abort_upload(&self.bucket, &self.key, &upload));
        aborted.await??;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    fn upload(&self) -> String {
        self.call.word("uploadId").unwrap_or_default().to_owned()
    }
}
