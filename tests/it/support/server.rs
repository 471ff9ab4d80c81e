//! `optfs serve` on a store of its own, and who talks to it: the AWS CLI and boto3 out of their layers, and plain sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::command::{Answer, answer, optfs, output};
use super::program::Program;
use crate::real_layers::{layers, python_runtime};

/// A server, and a directory to work in beside its store.
pub(crate) struct Server {
    scratch: TempDir,
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
}

/// What a server answered to plain bytes.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) fn new() -> Server {
        Server::with(&[])
    }

    pub(crate) fn with(words: &[&str]) -> Server {
        let scratch = TempDir::new().unwrap();
        let (program, address) = start(&scratch.path().join("store"), words);
        Server {
            scratch,
            program,
            address,
        }
    }

    /// Kills it as the kernel does, and starts it again on the same store, at another port.
    pub(crate) fn kill_and_restart(&mut self) {
        self.program.send(Signal::SIGKILL);
        self.program.wait();
        (self.program, self.address) = start(&self.path("store"), &[]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// optfs on the same store.
    pub(crate) fn optfs(&self, words: &[&str]) -> String {
        output(optfs().env("OPTFS_STORE", self.path("store")).args(words))
    }

    /// The AWS CLI, out of its own layer, which optfs mounts.
    pub(crate) fn aws(&self, words: &[&str]) -> Answer {
        let layer = layers(&["awscli"]).remove(0);
        let mut run = optfs();
        run.args(["run", "--quiet", "--layer"]).arg(layer);
        run.args(["--", "python3", "/opt/awscli/aws"]).args(words);
        answer(self.client(&mut run))
    }

    /// What the AWS CLI answers as JSON.
    #[track_caller]
    pub(crate) fn aws_json(&self, words: &[&str]) -> Value {
        let answer = self.aws(words);
        assert_eq!(answer.code, Some(0), "{words:?}: {answer:?}");
        serde_json::from_str(&answer.stdout).unwrap_or(Value::Null)
    }

    /// A Python program with boto3, out of its layers; it ends well or the test fails.
    pub(crate) fn boto3(&self, program: &str) -> String {
        let mut run = optfs();
        run.args(["run", "--quiet", "--runtime", &python_runtime()]);
        for layer in layers(&["python-4", "python-5"]) {
            run.arg("--layer").arg(layer);
        }
        output(self.client(run.args(["--", "python3", "-c", program])))
    }

    pub(crate) fn client<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for variable in ["LAMBDA", "S3"] {
            command.env(format!("AWS_ENDPOINT_URL_{variable}"), self.url());
        }
        for variable in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_REGION",
            "AWS_ENDPOINT_URL",
        ] {
            command.env_remove(variable);
        }
        command
            .current_dir(self.scratch.path())
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("AWS_DEFAULT_REGION", "us-east-2")
            .env("AWS_PAGER", "")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends bytes as they are and reads the answer.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // A server that refuses may not read all of it.
        let _ = stream.write_all(bytes);
        reply(&mut stream)
    }

    /// A request with these lines more in its head.
    pub(crate) fn ask(&self, line: &str, more: &str, body: &[u8]) -> Reply {
        let (host, length) = (self.address, body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{more}\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// The same with JSON.
    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(
            &format!("POST {path}"),
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        )
    }
}

impl Reply {
    /// AWS's code in the head, and its message in the body.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let code = self.header("x-amzn-errortype").unwrap_or_default();
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = body.get("message").or_else(|| body.get("Message"));
        let message = message.and_then(Value::as_str).unwrap_or_default();
        (self.status, code, message.to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    }
}

fn start(store: &Path, words: &[&str]) -> (Program, SocketAddr) {
    let mut serve = optfs();
    for variable in ["OPTFS_ACCOUNT", "AWS_REGION", "AWS_DEFAULT_REGION"] {
        serve.env_remove(variable);
    }
    serve.args(["serve", "--listen", "127.0.0.1:0"]).args(words);
    let mut program = Program::start(serve.env("OPTFS_STORE", store));
    let line = program.screen.line();
    let (_, rest) = line
        .split_once("ready: export AWS_ENDPOINT_URL_LAMBDA=http://")
        .unwrap_or_else(|| panic!("{line}"));
    let address = rest.split(' ').next().unwrap().parse().unwrap();
    (program, address)
}

/// Reads one answer; its body as long as it says, or up to the end.
pub(crate) fn reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => break,
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut reply = Reply {
        status: head
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0),
        head,
        body: Vec::new(),
    };
    let length = reply.header("content-length").and_then(|text| text.parse().ok());
    let _ = stream.take(length.unwrap_or(0)).read_to_end(&mut reply.body);
    reply
}
