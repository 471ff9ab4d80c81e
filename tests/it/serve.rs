//! The server as a process: what it says when it is ready, how it ends, what survives, and how much memory it takes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::command::{OPTFS, answer, optfs, output};
use crate::support::program::outcome;
use crate::support::raw_zip::RawZip;
use crate::support::server::{Server, reply};
use crate::support::until::until;

const PUBLISH: &str = "/2018-10-31/layers/a/versions";

/// The body of a publication of a zip with one file.
fn publication(content: &str) -> String {
    let zip = RawZip::new().file("python/tool.py", content).build();
    format!(r#"{{"Content":{{"ZipFile":"{}"}}}}"#, STANDARD.encode(zip))
}

fn publish(server: &Server, content: &str) -> Value {
    let reply = server.post(PUBLISH, &publication(content));
    assert_eq!(reply.status, 201, "{reply:?}");
    serde_json::from_slice(&reply.body).unwrap()
}

/// What is published over HTTP is there for the verbs at once, and the other way round; two servers share a store.
#[test]
fn the_server_and_the_verbs_have_one_store() {
    let server = Server::new();
    publish(&server, "x = 1");
    let list = server.optfs(&["layer", "list", "--region", "us-east-1"]);
    assert!(list.starts_with("a:1 "), "{list}");
    let cat = server.optfs(&["cat", "--layer", "a", "--region", "us-east-1", "python/tool.py"]);
    assert_eq!(cat, "x = 1");
    let other = Server::with(&["--store", server.path("store").to_str().unwrap()]);
    assert_eq!(publish(&other, "x = 2")["Version"], 2);
    assert_eq!(publish(&server, "x = 3")["Version"], 3);
}

/// A plain GET gets the zip where an answer says it is, whole or a part, as long as the version lives.
#[test]
fn a_location_downloads_until_its_version_is_deleted() {
    let server = Server::new();
    let zip = RawZip::new().file("python/tool.py", "x = 1").build();
    let version = publish(&server, "x = 1");
    let location = version["Content"]["Location"].as_str().unwrap();
    let path = location.strip_prefix(&server.url()).unwrap();
    let get = |more: &str| server.ask(&format!("GET {path}"), more, b"");
    let whole = get("");
    assert_eq!((whole.status, &whole.body), (200, &zip));
    assert_eq!(whole.header("content-type").as_deref(), Some("application/zip"));
    let part = get("Range: bytes=2-3\r\n");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"\x03\x04"[..]));
    let range = format!("bytes 2-3/{}", zip.len());
    assert_eq!(part.header("content-range"), Some(range));
    assert_eq!(get("Range: bytes=99999-\r\n").status, 416);
    let mut head = server.connect();
    write!(
        head,
        "HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut said = String::new();
    head.read_to_string(&mut said).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 200 OK") && said.ends_with("\r\n\r\n"),
        "{said}"
    );
    assert!(said.contains(&format!("content-length: {}", zip.len())), "{said}");
    // Another digest is another zip, which is not there.
    assert_eq!(
        server
            .ask(&format!("GET {}", path.replace(".zip", "0.zip")), "", b"")
            .status,
        404
    );
    assert_eq!(server.ask(&format!("DELETE {PUBLISH}/1"), "", b"").status, 204);
    assert_eq!(get("").status, 404);
}

#[test]
fn it_says_when_it_is_ready_and_what_it_means_to_listen_elsewhere() {
    let server = Server::new();
    let taken = server.address.to_string();
    let refused = answer(optfs().args(["serve", "--listen", &taken]));
    assert_eq!(refused.code, Some(6));
    assert!(
        refused.stderr.contains("hint: another program listens there"),
        "{refused:?}"
    );
    let scratch = server.path("open");
    // The pipe is the descriptor 9 of the shell and so of optfs, and systemd's socket is there too.
    let socket = server.path("notify");
    let notified = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let script = "exec 9>&1; exec \"$0\" serve --listen 0.0.0.0:0 --ready-fd 9 --store \"$1\"";
    let mut open = Command::new("sh");
    open.args(["-c", script, OPTFS]).arg(scratch);
    open.env("NOTIFY_SOCKET", &socket);
    let child = open
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 32];
    let length = notified.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let done = outcome(&child.wait_with_output().unwrap());
    assert_eq!(done.0, Some(0));
    assert!(
        done.1
            .starts_with("ready: export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:"),
        "{done:?}"
    );
    assert!(done.1.ends_with("\n\n"), "{done:?}");
    assert!(
        done.2
            .contains("whoever can reach that address may read, publish and delete"),
        "{done:?}"
    );
    let help = output(optfs().args(["help", "serve"]));
    assert!(help.contains("Keys and signatures are not checked"), "{help}");
}

/// Told to stop, it takes nothing new, and what is under way finishes.
#[test]
fn an_upload_under_way_finishes_before_it_stops() {
    let mut server = Server::new();
    let body = publication("x = 1");
    let mut upload = server.connect();
    let (begin, end) = body.split_at(body.len() / 2);
    let (host, length) = (server.address, body.len());
    write!(
        upload,
        "POST {PUBLISH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{begin}"
    )
    .unwrap();
    until("the upload has begun", || {
        fs::read_dir(server.path("store/incoming")).is_ok_and(|files| files.count() > 0)
    });
    let idle = server.connect();
    server.program.send(Signal::SIGTERM);
    until("nobody listens any more", || TcpStream::connect(host).is_err());
    upload.write_all(end.as_bytes()).unwrap();
    assert_eq!(reply(&mut upload).status, 201);
    drop(idle);
    assert_eq!(server.program.wait().code(), Some(0));
    // A second signal does not wait.
    let mut server = Server::new();
    let mut upload = server.connect();
    write!(
        upload,
        "POST {PUBLISH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n"
    )
    .unwrap();
    thread::sleep(Duration::from_millis(50));
    let begun = Instant::now();
    server.program.send(Signal::SIGINT);
    until("nobody listens any more", || {
        TcpStream::connect(server.address).is_err()
    });
    server.program.send(Signal::SIGINT);
    assert_eq!(server.program.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8));
}

/// Publishes the same again and again, until nobody answers; the versions that were acknowledged.
fn publish_until_the_end(address: SocketAddr, body: &str) -> Vec<u64> {
    let mut versions = Vec::new();
    while let Ok(mut stream) = TcpStream::connect(address) {
        let head = format!(
            "POST {PUBLISH} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice());
        // An answer that was cut off was no answer.
        let Ok(version) = serde_json::from_slice::<Value>(&reply(&mut stream).body) else {
            break;
        };
        versions.push(version["Version"].as_u64().unwrap());
    }
    versions
}

/// Killed in the middle of it all, again and again: what was acknowledged is there, and numbers have no gaps.
#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let mut server = Server::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let address = server.address;
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let body = publication(&format!("{round} {client}"));
                thread::spawn(move || publish_until_the_end(address, &body))
            })
            .collect();
        thread::sleep(Duration::from_millis(200 + 70 * round));
        server.kill_and_restart();
        let before = acknowledged.len();
        acknowledged.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
        assert!(acknowledged.len() > before);
    }
    let listed = server.optfs(&["layer", "versions", "a", "--region", "us-east-1", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let numbers = listed["LayerVersions"].as_array().unwrap().iter();
    let numbers: BTreeSet<_> = numbers
        .map(|version| version["Version"].as_u64().unwrap())
        .collect();
    let highest = numbers.len() as u64;
    assert_eq!(numbers, (1..=highest).collect());
    assert!(acknowledged.is_subset(&numbers), "{acknowledged:?}");
    assert_eq!(publish(&server, "after")["Version"], highest + 1);
}

/// A zip near the limit comes as 67 MB of JSON, and never lies in memory: neither as text nor as bytes.
#[test]
fn a_large_upload_takes_little_memory() {
    let server = Server::new();
    let content: Vec<u8> = (0..50_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let zip = RawZip::new().file("python/data", content).build();
    let body = format!(r#"{{"Content":{{"ZipFile":"{}"}}}}"#, STANDARD.encode(&zip));
    let answer = server.post(PUBLISH, &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let version: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(version["Content"]["CodeSize"], zip.len());
    let status = fs::read_to_string(format!("/proc/{}/status", server.program.child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 48 << 10, "{peak} KiB");
}

/// A few seconds of what `scripts/load-serve` does for a minute.
#[test]
fn eight_clients_at_once_get_right_answers() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/load-serve");
    let small = ["--seconds", "3", "--large", "30000000", "--optfs", OPTFS];
    let said = output(Command::new(script).args(small));
    assert!(said.contains("none wrong"), "{said}");
    let peak = said.rsplit_once(" KiB after the large layer").unwrap().0;
    let peak: u64 = peak.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(peak < 64 << 10, "{said}");
}
