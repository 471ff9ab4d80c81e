//! A request as far as it says who asks for what: account and region, the parts of the path, the query.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{HeaderMap, Uri};

use super::desk::Desk;
use super::fault::{Code, Fault};
use crate::store::Place;

/// Who asks, where, and with which words.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The account and region that ask.
    pub(super) place: Place,
    /// This server, as the client calls it: `http://127.0.0.1:8014`.
    pub(super) base: String,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

/// What a signature says of the signer: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`. Nobody verifies it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    key: String,
    region: String,
    pub(super) service: String,
}

impl Scope {
    /// Of the header, or of a signed URL; None of what is not signed.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Option<Scope> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = match header {
            Some(header) => header
                .split([' ', ','])
                .find_map(|part| part.strip_prefix("Credential="))?
                .to_owned(),
            None => {
                query_of(uri)
                    .into_iter()
                    .find(|(name, _)| name == "X-Amz-Credential")?
                    .1
            }
        };
        // A key may have slashes, the rest has none.
        let mut parts = credential.rsplit('/').skip(1);
        let (service, region, _date) = (parts.next()?, parts.next()?, parts.next()?);
        let key = parts.next().unwrap_or_default();
        Some(Scope {
            key: key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

impl Call {
    pub(super) fn of(desk: &Desk, parts: &Parts) -> Result<Call, Fault> {
        let here = desk.here();
        let scope = Scope::of(&parts.headers, &parts.uri).unwrap_or_default();
        let is_account = scope.key.len() == 12 && scope.key.bytes().all(|byte| byte.is_ascii_digit());
        let account = if is_account { &scope.key } else { here.account() };
        let region = match scope.region.as_str() {
            "" => here.region(),
            region => region,
        };
        let place = Place::new(account, region).map_err(|_| {
            let message = format!("Credential should be scoped to a valid region, not '{region}'.");
            Fault::new(Code::InvalidSignature, message)
        })?;
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        Ok(Call {
            place,
            base: format!("http://{}", host.unwrap_or_default()),
            path: Vec::new(),
            query: query_of(&parts.uri),
        })
    }

    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A word of the query.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A word of the query that may stand there several times.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let found = self.query.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).collect()
    }
}

impl FromRequestParts<Desk> for Call {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Call, Fault> {
        let mut call = Call::of(desk, parts)?;
        let path = RawPathParams::from_request_parts(parts, desk).await;
        let path = path.map_err(|error| Fault::serialization(error.to_string()))?;
        call.path = path
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(call)
    }
}

fn query_of(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(authorization: &str, uri: &str) -> Option<Scope> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        }
        Scope::of(&headers, &uri.parse().unwrap())
    }

    #[test]
    fn a_signature_says_key_region_and_service() {
        let found = Scope {
            key: "210987654321".to_owned(),
            region: "us-east-2".to_owned(),
            service: "lambda".to_owned(),
        };
        let header = "AWS4-HMAC-SHA256 Credential=210987654321/20261120/us-east-2/lambda/aws4_request, SignedHeaders=host, Signature=00";
        assert_eq!(scope(header, "/"), Some(found));
        let signed = "/b/k?X-Amz-Credential=AKID%2F20261120%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Expires=60";
        assert_eq!(scope("", signed).unwrap().region, "eu-west-1");
        for nothing in ["", "Basic eDp5", "AWS4-HMAC-SHA256 Credential=x"] {
            assert_eq!(scope(nothing, "/"), None, "{nothing}");
        }
    }
}
