//! What is answered instead of what was asked for: AWS's codes, with the status, headers and body that AWS's clients expect of
//! each.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde_json::json;

use crate::store::StoreError;

/// The header that names a code.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// AWS's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    AccessDenied,
    StorageExceeded,
    InvalidParameterValue,
    InvalidSignature,
    PolicyLengthExceeded,
    PreconditionFailed,
    RequestEntityTooLarge,
    RequestTimeout,
    ResourceConflict,
    ResourceNotFound,
    Serialization,
    Service,
    UnknownOperation,
    UnsupportedOperation,
    Validation,
}

/// A refusal, or trouble.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
        }
    }

    pub(super) fn parameter(message: impl Into<String>) -> Fault {
        Fault::new(Code::InvalidParameterValue, message)
    }

    pub(super) fn service(message: impl Into<String>) -> Fault {
        Fault::new(Code::Service, message)
    }

    /// One member whose value AWS's model does not allow.
    pub(super) fn validation(member: &str, value: &str, constraint: &str) -> Fault {
        let message = format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        );
        Fault::new(Code::Validation, message)
    }

    /// What is no JSON, or of other types than AWS's model has.
    pub(super) fn serialization(message: impl Into<String>) -> Fault {
        Fault::new(Code::Serialization, message)
    }
}

impl Code {
    pub(super) fn name(self) -> &'static str {
        match self {
            Code::AccessDenied => "AccessDeniedException",
            Code::StorageExceeded => "CodeStorageExceededException",
            Code::InvalidParameterValue => "InvalidParameterValueException",
            Code::InvalidSignature => "InvalidSignatureException",
            Code::PolicyLengthExceeded => "PolicyLengthExceededException",
            Code::PreconditionFailed => "PreconditionFailedException",
            Code::RequestEntityTooLarge => "RequestEntityTooLargeException",
            Code::RequestTimeout => "RequestTimeoutException",
            Code::ResourceConflict => "ResourceConflictException",
            Code::ResourceNotFound => "ResourceNotFoundException",
            Code::Serialization => "SerializationException",
            Code::Service => "ServiceException",
            Code::UnknownOperation => "UnknownOperationException",
            Code::UnsupportedOperation => "UnsupportedOperationException",
            Code::Validation => "ValidationException",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Code::StorageExceeded
            | Code::InvalidParameterValue
            | Code::PolicyLengthExceeded
            | Code::Serialization
            | Code::UnsupportedOperation
            | Code::Validation => StatusCode::BAD_REQUEST,
            Code::AccessDenied | Code::InvalidSignature => StatusCode::FORBIDDEN,
            Code::ResourceNotFound | Code::UnknownOperation => StatusCode::NOT_FOUND,
            Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::ResourceConflict => StatusCode::CONFLICT,
            Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Code::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Service => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        // As recorded: which codes say "Message", and which a type.
        let mut body = match self.code {
            Code::ResourceNotFound | Code::Service | Code::AccessDenied => json!({ "Message": self.message }),
            _ => json!({ "message": self.message }),
        };
        match self.code {
            Code::StorageExceeded
            | Code::InvalidParameterValue
            | Code::PolicyLengthExceeded
            | Code::ResourceNotFound
            | Code::ResourceConflict
            | Code::PreconditionFailed
            | Code::Serialization => body["Type"] = json!("User"),
            _ => {}
        }
        let headers = [
            (CONTENT_TYPE.as_str(), "application/json"),
            (ERROR_TYPE, self.code.name()),
        ];
        (self.code.status(), headers, body.to_string()).into_response()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        let code = match &error {
            StoreError::Invalid(_) => Code::Validation,
            StoreError::Parameter { message, because } => {
                // AWS does not say which entry it is about: the log does.
                if let Some(because) = because {
                    log::warn!("{message} {because}");
                }
                Code::InvalidParameterValue
            }
            StoreError::Unpackable { .. } => Code::InvalidParameterValue,
            StoreError::NotFound(_) => Code::ResourceNotFound,
            StoreError::Conflict(_) => Code::ResourceConflict,
            StoreError::Precondition(_) => Code::PreconditionFailed,
            StoreError::Denied(_) => Code::AccessDenied,
            StoreError::PolicyLength(_) => Code::PolicyLengthExceeded,
            StoreError::CodeStorage(_) => Code::StorageExceeded,
            StoreError::TooLarge(_) => Code::RequestEntityTooLarge,
            // Lambda says these in its own words, before they come here.
            StoreError::Object(_) => Code::InvalidParameterValue,
            StoreError::Io { .. }
            | StoreError::NotAStore(_)
            | StoreError::Format { .. }
            | StoreError::Damaged { .. } => {
                log::warn!("{error}");
                Code::Service
            }
        };
        Fault::new(code, error.to_string())
    }
}
