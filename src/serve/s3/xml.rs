//! S3's XML: what is read of it, and what is written.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::S3Fault;
use crate::store::object::Bucket;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

#[derive(Deserialize, Default)]
pub(super) struct CreateBucket {
    #[serde(rename = "LocationConstraint")]
    pub(super) region: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CompleteUpload {
    #[serde(rename = "Part", default)]
    pub(super) parts: Vec<Part>,
}

#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(rename = "PartNumber")]
    pub(super) number: u32,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Serialize)]
#[serde(rename = "ListAllMyBucketsResult")]
pub(super) struct Buckets {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "Owner")]
    owner: Owner,
    #[serde(rename = "Buckets")]
    buckets: BucketList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Owner {
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Serialize)]
struct BucketList {
    #[serde(rename = "Bucket")]
    buckets: Vec<BucketItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BucketItem {
    name: String,
    creation_date: String,
    bucket_region: String,
}

#[derive(Serialize)]
#[serde(rename = "LocationConstraint")]
pub(super) struct Location {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "$text")]
    region: String,
}

#[derive(Serialize)]
#[serde(rename = "InitiateMultipartUploadResult", rename_all = "PascalCase")]
pub(super) struct UploadBegun<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) upload_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename = "CompleteMultipartUploadResult", rename_all = "PascalCase")]
pub(super) struct UploadCompleted<'a> {
    pub(super) location: String,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

#[derive(Serialize)]
#[serde(rename = "ListBucketResult", rename_all = "PascalCase")]
pub(super) struct Listing {
    #[serde(rename = "@xmlns")]
    pub(super) namespace: &'static str,
    pub(super) name: String,
    pub(super) prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encoding_type: Option<String>,
    pub(super) max_keys: usize,
    pub(super) key_count: usize,
    pub(super) is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_continuation_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_marker: Option<String>,
    pub(super) contents: Vec<Content>,
    pub(super) common_prefixes: Vec<CommonPrefix>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    pub(super) key: String,
    pub(super) last_modified: String,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) storage_class: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CommonPrefix {
    pub(super) prefix: String,
}

impl Buckets {
    pub(super) fn of(account: &str, buckets: &[Bucket]) -> Buckets {
        let item = |bucket: &Bucket| BucketItem {
            name: bucket.name.clone(),
            creation_date: date(&bucket.created_date),
            bucket_region: bucket.region.clone(),
        };
        Buckets {
            namespace: NAMESPACE,
            owner: Owner {
                id: account.to_owned(),
            },
            buckets: BucketList {
                buckets: buckets.iter().map(item).collect(),
            },
        }
    }
}

impl Location {
    /// The oldest region has no name here.
    pub(super) fn of(region: &str) -> Location {
        let region = if region == "us-east-1" { "" } else { region };
        Location {
            namespace: NAMESPACE,
            region: region.to_owned(),
        }
    }
}

/// S3 writes the same dates as Lambda, but for their end.
pub(super) fn date(date: &str) -> String {
    date.replace("+0000", "Z")
}

/// The namespace of S3's answers.
pub(super) fn namespace() -> &'static str {
    NAMESPACE
}

pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, S3Fault> {
    let malformed = || {
        S3Fault::new(
            StatusCode::BAD_REQUEST,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let text = std::str::from_utf8(text).map_err(|_| malformed())?;
    quick_xml::de::from_str(text).map_err(|_| malformed())
}

pub(super) fn answer(body: &impl Serialize) -> Response {
    match quick_xml::se::to_string(body) {
        Ok(text) => {
            let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
            ([(CONTENT_TYPE, "application/xml")], text).into_response()
        }
        // What XML cannot say is in a key that was not asked for in another encoding.
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
