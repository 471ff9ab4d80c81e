//! What S3 answers instead: a code, a message, and the XML around them.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use serde::Serialize;

use super::xml;
use crate::serve::fault::{Code, Fault};
use crate::store::StoreError;
use crate::store::object::ObjectError;

/// A refusal of S3, or trouble.
#[derive(Debug)]
pub(super) struct S3Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase", rename = "Error")]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    resource: &'a str,
}

impl S3Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> S3Fault {
        S3Fault {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn not_implemented() -> S3Fault {
        S3Fault::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented: optfs has as much of S3 as layers need",
        )
    }

    pub(super) fn bad_digest(header: &str) -> S3Fault {
        let message = format!("The {header} you specified did not match what we received.");
        S3Fault::new(StatusCode::BAD_REQUEST, "BadDigest", message)
    }

    pub(super) fn incomplete(message: &str) -> S3Fault {
        S3Fault::new(StatusCode::BAD_REQUEST, "IncompleteBody", message)
    }

    /// The trouble that every service may have.
    pub(super) fn of(fault: Fault) -> S3Fault {
        let code = match fault.code {
            Code::RequestTimeout => "RequestTimeout",
            Code::RequestEntityTooLarge => "EntityTooLarge",
            Code::InvalidSignature => "AuthorizationHeaderMalformed",
            Code::Service => "InternalError",
            _ => "InvalidRequest",
        };
        let status = match fault.code {
            Code::Service => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        S3Fault::new(status, code, fault.message)
    }

    /// The answer; without its body where a head was asked for.
    pub(super) fn response(self, resource: &str, is_head: bool) -> Response {
        if is_head {
            return self.status.into_response();
        }
        let body = ErrorBody {
            code: self.code,
            message: &self.message,
            resource,
        };
        let mut response = xml::answer(&body);
        *response.status_mut() = self.status;
        response
    }
}

impl From<StoreError> for S3Fault {
    fn from(error: StoreError) -> S3Fault {
        let StoreError::Object(refusal) = error else {
            return S3Fault::of(error.into());
        };
        let status = match refusal {
            ObjectError::InvalidBucketName
            | ObjectError::InvalidPart
            | ObjectError::InvalidPartOrder
            | ObjectError::KeyTooLong => StatusCode::BAD_REQUEST,
            ObjectError::NoSuchBucket | ObjectError::NoSuchKey | ObjectError::NoSuchUpload => {
                StatusCode::NOT_FOUND
            }
            ObjectError::BucketAlreadyOwnedByYou | ObjectError::BucketNotEmpty => StatusCode::CONFLICT,
        };
        S3Fault::new(status, refusal.code(), refusal.to_string())
    }
}
