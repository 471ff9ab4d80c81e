//! The one socket between the child, which mounts, and the server, which serves.
//!
//! Over it go, in this order: the user's standard input to the child, the mount's descriptor to the server,
//! and the server's one answer, "serving" or an error text of bounded length. Who may say what, and when, is in
//! the types of the ends. Starting the two processes is left to `parent`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Pid, dup2_stdin};

use crate::descriptors;

/// The longest error text that crosses, in bytes; a longer one is cut.
pub const TEXT_LIMIT_BYTES: usize = 4096;

/// The byte that carries a descriptor.
const DESCRIPTOR: u8 = b'd';
const SERVING: u8 = b'+';
const FAILED: u8 = b'-';

/// The child's end: receives the user's standard input, gives the mount away, hears the answer.
#[derive(Debug)]
pub struct ChildEnd(UnixStream);

/// The server's end: receives the mount.
#[derive(Debug)]
pub struct ServerEnd(UnixStream);

/// What the server can do once it has the mount: answer, once.
#[derive(Debug)]
pub struct Answer(UnixStream);

/// P's own copy of the server's end: gives the child its standard input, and with it the leave to go on.
#[derive(Debug)]
pub struct StdinSender(UnixStream);

/// Why the view never came to be served.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The server said why; its text is the whole message.
    #[error("{0}")]
    Refused(String),
    /// The server was killed, or ended without a word.
    #[error("the process that serves the view ended before it was ready")]
    ServerGone,
    /// A hidden subcommand was typed by hand.
    #[error("standard input is not a handover socket: this subcommand is for optfs's own use")]
    NotStartedByOptfs,
    /// The socket itself failed.
    #[error("the handover between optfs's own processes failed")]
    Socket(#[from] io::Error),
}

/// Makes the socket; both ends close on exec, and each is given to its process as standard input.
pub fn pair() -> io::Result<(ChildEnd, ServerEnd)> {
    UnixStream::pair().map(|(child, server)| (ChildEnd(child), ServerEnd(server)))
}

impl ServerEnd {
    /// P's copy, taken before this end is given to the server.
    pub fn stdin_sender(&self) -> io::Result<StdinSender> {
        self.0.try_clone().map(StdinSender)
    }

    /// Takes the server's end out of descriptor 0 and leaves `/dev/null` there.
    pub fn from_stdin() -> Result<ServerEnd, HandoverError> {
        socket_out_of_stdin().map(ServerEnd)
    }

    /// The process that made the socket, P, as this process's namespace numbers it.
    pub fn parent(&self) -> Result<Pid, HandoverError> {
        maker(&self.0)
    }

    /// Waits for the mount's descriptor; none when the child gave up, which is the child's to explain.
    ///
    /// There is no answer before: the child's standard input comes over the same socket, and comes first.
    pub fn receive(self) -> Result<Option<(OwnedFd, Answer)>, HandoverError> {
        let mount = receive_descriptor(&self.0)?;
        Ok(mount.map(|mount| (mount, Answer(self.0))))
    }
}

impl Answer {
    /// Tells the child that it may execute the command.
    pub fn serving(self) -> Result<(), HandoverError> {
        self.answer(SERVING, "")
    }

    /// Tells the child why there will be no view. The child prints the text, the server stays silent.
    pub fn failed(self, text: &str) -> Result<(), HandoverError> {
        self.answer(FAILED, text)
    }

    fn answer(mut self, verdict: u8, text: &str) -> Result<(), HandoverError> {
        let text = &text.as_bytes()[..text.floor_char_boundary(TEXT_LIMIT_BYTES)];
        self.0.write_all(&[&[verdict], text].concat())?;
        // The end of the text is the end of the stream, also when a copy of this end is still open somewhere.
        Ok(self.0.shutdown(Shutdown::Write)?)
    }
}

impl StdinSender {
    /// Lets the child go on. That it is already gone is no error here: its exit status tells.
    pub fn send(self, stdin: BorrowedFd) -> Result<(), HandoverError> {
        match descriptors::send(&self.0, DESCRIPTOR, &[stdin]) {
            Err(error) if !is_hang_up(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl ChildEnd {
    /// Takes the child's end out of descriptor 0 and leaves `/dev/null` there.
    pub fn from_stdin() -> Result<ChildEnd, HandoverError> {
        socket_out_of_stdin().map(ChildEnd)
    }

    /// The process that made the socket, P, as this process's namespace numbers it.
    pub fn parent(&self) -> Result<Pid, HandoverError> {
        maker(&self.0)
    }

    /// Receives the standard input that the command is to have.
    pub fn receive_stdin(&self) -> Result<OwnedFd, HandoverError> {
        receive_descriptor(&self.0)?.ok_or(HandoverError::ServerGone)
    }

    /// Gives the mount away and waits until the server serves it.
    ///
    /// Takes the descriptor by value: a copy kept here would keep the connection alive after the server's
    /// death, and whoever looks at the view would wait for ever instead of getting ENOTCONN.
    pub fn hand_over(mut self, mount: OwnedFd) -> Result<(), HandoverError> {
        // A server that was killed has closed its end.
        let sent = descriptors::send(&self.0, DESCRIPTOR, &[mount.as_fd()]);
        drop(mount);
        let mut answer = Vec::new();
        let heard = (&mut self.0)
            .take(1 + TEXT_LIMIT_BYTES as u64)
            .read_to_end(&mut answer);
        match answer.split_first() {
            Some((&SERVING, _)) => Ok(()),
            Some((&FAILED, text)) => Err(HandoverError::Refused(String::from_utf8_lossy(text).into_owned())),
            _ => match (sent, heard) {
                (Err(error), _) | (_, Err(error)) if !is_hang_up(&error) => Err(error.into()),
                _ => Err(HandoverError::ServerGone),
            },
        }
    }
}

impl From<ChildEnd> for OwnedFd {
    fn from(end: ChildEnd) -> OwnedFd {
        end.0.into()
    }
}

impl From<ServerEnd> for OwnedFd {
    fn from(end: ServerEnd) -> OwnedFd {
        end.0.into()
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn socket_out_of_stdin() -> Result<UnixStream, HandoverError> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if socket.peer_addr().is_err() {
        return Err(HandoverError::NotStartedByOptfs);
    }
    dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
    Ok(socket)
}

fn maker(socket: &UnixStream) -> Result<Pid, HandoverError> {
    let credentials = getsockopt(socket, sockopt::PeerCredentials).map_err(io::Error::from)?;
    Ok(Pid::from_raw(credentials.pid()))
}

/// Receives one descriptor; none when the other end was closed instead.
fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let Some((byte, received)) = descriptors::receive(socket)? else {
        return Ok(None);
    };
    match received.into_iter().next() {
        Some(descriptor) if byte == DESCRIPTOR => Ok(Some(descriptor)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message without its descriptor",
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn anything() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn a_descriptor_arrives_as_the_same_open_file() {
        let (child, server) = pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let served = std::thread::spawn(move || {
            let (mount, answer) = server.receive().unwrap().unwrap();
            File::from(mount).write_all(b"through the mount").unwrap();
            answer.serving().unwrap();
        });
        child.hand_over(writer.into()).unwrap();
        served.join().unwrap();
        let mut seen = String::new();
        reader.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "through the mount");
    }

    #[test]
    fn the_child_gets_the_users_standard_input() {
        let (child, server) = pair().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        server.stdin_sender().unwrap().send(reader.as_fd()).unwrap();
        drop(reader);
        writer.write_all(b"typed").unwrap();
        drop(writer);
        let mut seen = String::new();
        File::from(child.receive_stdin().unwrap())
            .read_to_string(&mut seen)
            .unwrap();
        assert_eq!(seen, "typed");
        assert_eq!(child.parent().unwrap(), Pid::this());
    }

    #[test]
    fn a_child_that_is_gone_needs_no_standard_input() {
        let (child, server) = pair().unwrap();
        drop(child);
        let sender = server.stdin_sender().unwrap();
        sender.send(File::open("/dev/null").unwrap().as_fd()).unwrap();
    }

    /// What the child hears when the server fails with this text.
    fn heard(text: &str) -> String {
        let (child, server) = pair().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (_mount, answer) = server.receive().unwrap().unwrap();
                answer.failed(text).unwrap();
            });
            child.hand_over(anything()).unwrap_err().to_string()
        })
    }

    #[test]
    fn the_servers_reason_is_the_childs_error_cut_at_a_character() {
        assert_eq!(heard("layers/base.zip: not a zip"), "layers/base.zip: not a zip");
        let long = "é".repeat(TEXT_LIMIT_BYTES);
        assert_eq!(heard(&long), "é".repeat(TEXT_LIMIT_BYTES / 2));
    }

    #[test]
    fn a_server_that_ends_without_a_word_is_told_from_one_that_serves() {
        let (child, server) = pair().unwrap();
        drop(server);
        assert!(matches!(
            child.hand_over(anything()),
            Err(HandoverError::ServerGone)
        ));
    }

    #[test]
    fn a_child_that_gave_up_sends_nothing() {
        let (child, server) = pair().unwrap();
        drop(child);
        assert!(server.receive().unwrap().is_none());
    }
}
