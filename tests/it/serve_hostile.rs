//! Requests that no client of AWS sends, byte by byte: AWS's error or a closed connection, nothing stored, and a server that lives.

use std::fs;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::raw_zip::RawZip;
use crate::support::server::{Reply, Server, reply};

const PUBLISH: &str = "/2018-10-31/layers/a/versions";

#[track_caller]
fn assert_nothing_stored(server: &Server) {
    let reply = server.ask("GET /2018-10-31/layers", "", b"");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        String::from_utf8_lossy(&reply.body),
        r#"{"Layers":[],"NextMarker":null}"#
    );
    let buckets = server.ask("GET /", "", b"");
    assert!(
        !String::from_utf8_lossy(&buckets.body).contains("<Bucket>"),
        "{buckets:?}"
    );
    for part in ["content", "incoming"] {
        let there = fs::read_dir(server.path("store").join(part)).map_or(0, Iterator::count);
        assert_eq!(there, 0, "{part}");
    }
}

fn zip() -> String {
    STANDARD.encode(RawZip::new().file("python/tool.py", "x = 1").build())
}

#[test]
fn bodies_that_are_no_publication_are_refused() {
    let server = Server::new();
    let good = zip();
    let text = STANDARD.encode("no zip at all, only some text that is long enough to be read");
    let long = "d".repeat(257);
    for (body, code, message) in [
        ("", "ValidationException", "Value null at 'content' failed"),
        (
            "{",
            "SerializationException",
            "Could not parse request body into json: ",
        ),
        (
            "[]",
            "SerializationException",
            "Could not parse request body into json: ",
        ),
        (
            "null",
            "SerializationException",
            "Could not parse request body into json: ",
        ),
        ("{}", "ValidationException", "Value null at 'content' failed"),
        (
            r#"{"Content":5}"#,
            "SerializationException",
            "invalid type: integer `5`",
        ),
        (
            r#"{"Content":{"ZipFile":5}}"#,
            "SerializationException",
            "invalid type: integer `5`",
        ),
        (
            r#"{"Content":{}}"#,
            "InvalidParameterValueException",
            "Please provide a source",
        ),
        (
            r#"{"Content":{"ZipFile":"?"}}"#,
            "SerializationException",
            "ZipFile is not base64",
        ),
        (
            r#"{"Content":{"ZipFile":""}}"#,
            "InvalidParameterValueException",
            "Could not unzip uploaded file",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{text}"}}}}"#),
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}","ZipFile":"{good}"}}}}"#),
            "SerializationException",
            "ZipFile is given twice",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}","S3Bucket":"bkt","S3Key":"k"}}}}"#),
            "InvalidParameterValueException",
            "Please do not provide other Content parameters",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}"}}"#),
            "SerializationException",
            "EOF",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}"}},"Description":"{long}"}}"#),
            "ValidationException",
            "at 'description' failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}"}},"CompatibleRuntimes":"python3.12"}}"#),
            "SerializationException",
            "expected a sequence",
        ),
        (
            &format!(r#"{{"Content":{{"ZipFile":"{good}"}},"CompatibleArchitectures":["mips"]}}"#),
            "ValidationException",
            "Value '[mips]' at 'compatibleArchitectures' failed to satisfy constraint",
        ),
        (
            r#"{"Content":{"S3Bucket":"../..","S3Key":"../../../etc/passwd"}}"#,
            "InvalidParameterValueException",
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket.",
        ),
        (
            &format!(r#"{{"x":{}"#, "[".repeat(100_000)),
            "SerializationException",
            "Could not parse request body into json: ",
        ),
        (
            &format!(r#"["x",{{"ZipFile":"{good}"}},null,null,null]"#),
            "SerializationException",
            "an object is expected",
        ),
        (
            &format!(r#"{{"x":"{}"}}"#, "x".repeat(2 << 20)),
            "RequestEntityTooLargeException",
            "without ZipFile",
        ),
    ] {
        let (status, found, said) = server.post(PUBLISH, body).refusal();
        let shown: String = body.chars().take(60).collect();
        assert_eq!((found.as_str(), status / 100), (code, 4), "{shown}: {said}");
        assert!(said.contains(message), "{shown}: {said}");
    }
    assert_nothing_stored(&server);
}

#[test]
fn zips_and_requests_have_awss_sizes() {
    let server = Server::new();
    // 50 MB and a byte, in a request that is not too large itself.
    let zip = STANDARD.encode(vec![b'P'; 52_428_801]);
    let refused = server.post(PUBLISH, &format!(r#"{{"Content":{{"ZipFile":"{zip}"}}}}"#));
    assert_eq!(
        refused.refusal(),
        (
            413,
            "RequestEntityTooLargeException".to_owned(),
            "Zipped size must be smaller than 52428800 bytes".to_owned()
        )
    );
    let zip = STANDARD.encode(vec![b'P'; 53_000_000]);
    let refused = server.post(PUBLISH, &format!(r#"{{"Content":{{"ZipFile":"{zip}"}}}}"#));
    assert_eq!(
        refused.refusal().2,
        "Request must be smaller than 70167211 bytes for the PublishLayerVersion operation"
    );
    assert_nothing_stored(&server);
}

#[test]
fn paths_are_names_and_nothing_else() {
    let server = Server::new();
    let body = format!(r#"{{"Content":{{"ZipFile":"{}"}}}}"#, zip());
    for name in [
        "..%2F..%2Fx",
        "..",
        ".",
        "a%00b",
        "%2Fetc%2Fpasswd",
        "a%20b",
        "%E2%82%AC",
        "a:1",
        "a%3A1",
    ] {
        let (status, code, said) = server
            .post(&format!("/2018-10-31/layers/{name}/versions"), &body)
            .refusal();
        assert_eq!(
            (status, code.as_str()),
            (400, "ValidationException"),
            "{name}: {said}"
        );
        assert!(
            said.starts_with("1 validation error detected: Value '"),
            "{name}: {said}"
        );
    }
    let refusal = |line: &str| server.ask(line, "", b"").refusal();
    assert_eq!(
        refusal("GET /2018-10-31/layers/%FF/versions/1").1,
        "SerializationException"
    );
    assert_eq!(
        refusal("GET /2018-10-31/layers/a/versions/x").1,
        "SerializationException"
    );
    assert_eq!(
        refusal("GET /2018-10-31/layers/a/versions/-1"),
        (
            400,
            "InvalidParameterValueException".to_owned(),
            "Layer Version Cannot be less than 1".to_owned()
        )
    );
    let huge = "9".repeat(40);
    assert_eq!(
        refusal(&format!("GET /2018-10-31/layers/a/versions/{huge}")).0,
        400
    );
    for most in ["0", "51", "-1"] {
        let (status, code, said) = refusal(&format!("GET /2018-10-31/layers?MaxItems={most}"));
        assert_eq!((status, code.as_str()), (400, "ValidationException"), "{most}");
        assert!(said.contains(&format!("Value '{most}' at 'maxItems'")), "{said}");
    }
    assert_eq!(
        refusal("GET /2018-10-31/layers?MaxItems=x").1,
        "SerializationException"
    );
    assert_eq!(
        refusal("GET /2018-10-31/layers?Marker=%21").1,
        "InvalidParameterValueException"
    );
    // The marker of another list.
    assert_eq!(
        refusal("GET /2018-10-31/layers/a/versions?Marker=bmFtZQ").1,
        "InvalidParameterValueException"
    );
    for unknown in [
        "GET /2018-10-31/nothing",
        "PATCH /2018-10-31/layers",
        "GET /2018-10-31/layers/a/versions/1/policy/s/t",
    ] {
        let (status, code, _) = refusal(unknown);
        assert_eq!(
            (status, code.as_str()),
            (404, "UnknownOperationException"),
            "{unknown}"
        );
    }
    for path in [
        "/~/layers/../../format",
        "/~/layers/1/2/3/4/5",
        "/~/../../etc/passwd",
        "/~",
    ] {
        assert_eq!(server.ask(&format!("GET {path}"), "", b"").status, 404, "{path}");
    }
    // S3's side: names of buckets are checked, keys may be anything and are no paths.
    for bucket in ["..", "%2E%2E", "a", "%2Fabc", "UPPER"] {
        let refused = server.ask(&format!("PUT /{bucket}"), "", b"");
        assert!(
            String::from_utf8_lossy(&refused.body).contains("<Code>InvalidBucketName</Code>"),
            "{refused:?}"
        );
    }
    assert_nothing_stored(&server);
    assert_eq!(server.ask("PUT /bkt", "", b"").status, 200);
    let before = names(&server);
    assert_eq!(server.ask("PUT /bkt/../../../x", "", b"x").status, 200);
    assert_eq!(server.ask("PUT /bkt/..%2F..%2Fy", "", b"y").status, 200);
    assert_eq!(names(&server), before);
    assert_eq!(server.ask("GET /bkt/../../../x", "", b"").body, b"x");
    let list = server.ask("GET /bkt?list-type=2", "", b"");
    let list = String::from_utf8_lossy(&list.body).into_owned();
    assert!(
        list.contains("<Key>../../../x</Key>") && list.contains("<Key>../../y</Key>"),
        "{list}"
    );
}

/// What lies beside the store.
fn names(server: &Server) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(server.path("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn a_page_of_another_site_cannot_drive_it() {
    let server = Server::with(&["--name", "build-box"]);
    let with = |host: &str, more: &str| {
        let request =
            format!("DELETE {PUBLISH}/1 HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: 0\r\n\r\n");
        server.raw(request.as_bytes()).refusal()
    };
    for host in ["localhost:1", "127.0.0.1", "[::1]:80", "build-box"] {
        assert_eq!(with(host, "").0, 204, "{host}");
    }
    for (host, more) in [
        ("evil.example", ""),
        ("evil.example:80", "Origin: http://evil.example:80\r\n"),
        ("localhost", "Origin: https://evil.example\r\n"),
        ("localhost", "Origin: null\r\n"),
        ("localhost", "Sec-Fetch-Site: cross-site\r\n"),
    ] {
        let (status, code, said) = with(host, more);
        assert_eq!(
            (status, code.as_str()),
            (403, "AccessDeniedException"),
            "{host} {more}"
        );
        assert!(said.starts_with("optfs does not answer "), "{said}");
    }
    assert_eq!(
        with(
            "localhost",
            "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n"
        )
        .0,
        204
    );
    let twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert_eq!(server.raw(twice).status, 403);
    assert_eq!(server.raw(b"GET /2018-10-31/layers HTTP/1.0\r\n\r\n").status, 403);
}

#[test]
fn what_is_no_http_is_refused_and_the_server_lives() {
    let server = Server::new();
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(500)
    );
    for (bytes, statuses) in [
        (huge.as_bytes(), &[431][..]),
        (many.as_bytes(), &[431]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[400]),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            &[400],
        ),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            &[400, 501, 0],
        ),
        (b"\r\n\r\n\r\n\r\nnothing at all\r\n\r\n", &[400]),
    ] {
        let reply = server.raw(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(statuses.contains(&reply.status), "{shown}: {reply:?}");
    }
    // Bodies that end too early, and one that goes on behind what was announced.
    for announced in [1000, 5] {
        let mut stream = server.connect();
        write!(
            stream,
            "POST {PUBLISH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {announced}\r\n\r\n{{\"Content\":"
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let Reply { status, .. } = reply(&mut stream);
        assert!([0, 400].contains(&status), "{status}");
    }
    assert_nothing_stored(&server);
}

/// What clients say of the bytes they send is checked, and nothing of an object that is not what they said is kept.
#[test]
fn an_object_is_what_its_sender_says_or_is_not_there() {
    let server = Server::new();
    assert_eq!(server.ask("PUT /bkt", "", b"").status, 200);
    let put = |more: &str, body: &[u8]| {
        let reply = server.ask("PUT /bkt/key", more, body);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let code = text
            .split("<Code>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        (reply.status, code.unwrap_or_default().to_owned())
    };
    let chunked = "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nx-amz-decoded-content-length: 3\r\n\
                   x-amz-trailer: x-amz-checksum-crc32\r\nContent-Encoding: aws-chunked\r\n";
    for (more, body, code) in [
        ("Content-MD5: AAAA\r\n", &b"abc"[..], "BadDigest"),
        ("x-amz-checksum-crc32: AAAAAA==\r\n", b"abc", "BadDigest"),
        (
            chunked,
            b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            "BadDigest",
        ),
        (chunked, b"3\r\nabc\r\n", "IncompleteBody"),
        (chunked, b"4\r\nabcd\r\n0\r\n\r\n", "IncompleteBody"),
        (chunked, b"nonsense", "IncompleteBody"),
        ("If-None-Match: *\r\n", b"abc", "NotImplemented"),
    ] {
        assert_eq!(put(more, body).1, code, "{more}");
    }
    assert_eq!(server.ask("GET /bkt/key", "", b"").status, 404);
    let sent = put(
        chunked,
        b"3;chunk-signature=0\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n",
    );
    assert_eq!(sent, (200, String::new()));
    let got = server.ask("GET /bkt/key", "", b"");
    assert_eq!(got.body, b"abc");
    assert_eq!(
        got.header("etag").as_deref(),
        Some("\"900150983cd24fb0d6963f7d28e17f72\"")
    );
    assert_eq!(fs::read_dir(server.path("store/incoming")).unwrap().count(), 0);
    // Questions that are not answered are said to be so.
    assert_eq!(server.ask("GET /bkt?versioning", "", b"").status, 501);
    assert_eq!(server.ask("PUT /bkt/key?tagging", "", b"").status, 501);
}
