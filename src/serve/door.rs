//! The door: whom to let in, which of the services is asked, the headers that every answer has, and the log of it all.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::{HeaderMap, Request};
use log::info;
use uuid::Uuid;

use super::call::Scope;
use super::desk::Desk;
use super::fault::{Code, Fault};
use super::{lambda, s3, snapshots};

const REQUEST_ID: &str = "x-amzn-requestid";
/// What browsers say of where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";

/// The names by which clients may call this server. A page of another site can make a browser send requests here, and can have
/// its own name point here (DNS rebinding); but then the name is its own.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    address: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    pub(super) fn new(address: SocketAddr, names: &[String]) -> Hosts {
        Hosts {
            address: address.ip(),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// Whether a `Host` is this server. Any port will do: clients come through tunnels and containers.
    fn know(&self, host: &str) -> bool {
        let host = without_port(host).to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return ip.is_loopback() || ip == self.address || self.address.is_unspecified();
        }
        host == "localhost" || host.ends_with(".localhost") || self.names.contains(&host)
    }

    /// Whether a request may be answered at all.
    fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let Some(host) = text(HOST.as_str()) else {
            return Err(refused("a request without Host"));
        };
        if headers.get_all(HOST).iter().count() != 1 || !self.know(host) {
            return Err(refused(&format!(
                "Host {host}, which is not a name of this server; 'optfs serve --name NAME' allows one"
            )));
        }
        // A browser names the page behind a request, or at least that there is another site.
        match text(ORIGIN.as_str()) {
            Some(origin) if origin != format!("http://{host}") => {
                return Err(refused(&format!("a page of {origin}")));
            }
            _ => {}
        }
        match text(FETCH_SITE) {
            Some("cross-site" | "same-site") => Err(refused("a page of another site")),
            _ => Ok(()),
        }
    }
}

fn refused(from: &str) -> Fault {
    Fault::new(Code::AccessDenied, format!("optfs does not answer {from}"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// Answers a request.
pub(super) async fn admit(desk: Desk, request: Request<Body>) -> Response {
    let (id, begun) = (Uuid::new_v4().to_string(), Instant::now());
    let what = format!("{} {}", request.method(), request.uri());
    let mut response = match desk.hosts().check(request.headers()) {
        Ok(()) => answer(desk, request).await,
        Err(fault) => fault.into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    info!(
        "{what} {} {} ms {id}",
        response.status().as_u16(),
        begun.elapsed().as_millis()
    );
    response
}

/// The service that is meant: Lambda's paths begin with a date, which is no name of a bucket that anybody has.
async fn answer(desk: Desk, request: Request<Body>) -> Response {
    let path = request.uri().path();
    let first = path.trim_start_matches('/').split('/').next().unwrap_or("");
    let scope = Scope::of(request.headers(), request.uri());
    let is_s3 = scope.is_some_and(|scope| scope.service == "s3");
    match first {
        snapshots::FIRST_PART => snapshots::answer(desk, request).await,
        _ if is_date(first) && !is_s3 => lambda::answer(desk, request).await,
        _ => s3::answer(desk, request).await,
    }
}

/// `2018-10-31`
fn is_date(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_loopback_name_or_the_address_listened_on() {
        let hosts = |address: &str| Hosts::new(address.parse().unwrap(), &["Build-Box".to_owned()]);
        let here = hosts("127.0.0.1:8014");
        for known in [
            "127.0.0.1:8014",
            "127.0.0.1",
            "localhost:1",
            "LOCALHOST",
            "[::1]:8014",
            "bucket.localhost:8014",
            "build-box:8014",
        ] {
            assert!(here.know(known), "{known}");
        }
        for unknown in [
            "evil.example:8014",
            "localhost.evil.example",
            "10.0.0.1:8014",
            "",
            "::1:x",
        ] {
            assert!(!here.know(unknown), "{unknown}");
        }
        assert!(hosts("10.0.0.1:8014").know("10.0.0.1:8014"));
        assert!(hosts("0.0.0.0:8014").know("192.168.1.2:8014"));
        assert!(!hosts("0.0.0.0:8014").know("evil.example"));
    }
}
