//! Bodies in AWS's own chunks (`aws-chunked`): a line with the size in hexadecimal digits and perhaps a signature, the bytes, and at the
//! end lines that trail.

use super::fault::S3Fault;

/// A line between chunks has at most so many bytes.
const LONGEST_LINE: usize = 4096;

/// A body, half seen.
pub(super) struct Chunked {
    state: State,
    line: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data {
        left: u64,
    },
    /// Behind the bytes of a chunk.
    End,
    Trailer,
    Done,
}

/// What there is in a body.
pub(super) enum Found<'a> {
    Data(&'a [u8]),
    Trailer(&'a str, &'a str),
}

impl Chunked {
    pub(super) fn new() -> Chunked {
        Chunked {
            state: State::Size,
            line: Vec::new(),
        }
    }

    /// Whether the end has come.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece.
    pub(super) fn push(
        &mut self,
        mut piece: &[u8],
        mut found: impl FnMut(Found) -> Result<(), S3Fault>,
    ) -> Result<(), S3Fault> {
        while !piece.is_empty() {
            if let State::Data { left } = self.state {
                let now = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                found(Found::Data(&piece[..now]))?;
                piece = &piece[now..];
                let left = left - now as u64;
                self.state = if left == 0 {
                    State::End
                } else {
                    State::Data { left }
                };
                continue;
            }
            let end = piece.iter().position(|&byte| byte == b'\n');
            let (now, later) = piece.split_at(end.map_or(piece.len(), |end| end + 1));
            if self.line.len() + now.len() > LONGEST_LINE {
                return Err(malformed());
            }
            self.line.extend_from_slice(now);
            piece = later;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
                self.state = self.behind(line.trim_end_matches(['\r', '\n']), &mut found)?;
            }
        }
        Ok(())
    }

    fn behind(
        &self,
        line: &str,
        found: &mut impl FnMut(Found) -> Result<(), S3Fault>,
    ) -> Result<State, S3Fault> {
        match self.state {
            State::Size => {
                let digits = line.split(';').next().unwrap_or_default();
                let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let size = u64::from_str_radix(digits, 16).ok().filter(|_| is_plain);
                match size.ok_or_else(malformed)? {
                    0 => Ok(State::Trailer),
                    left => Ok(State::Data { left }),
                }
            }
            State::End if line.is_empty() => Ok(State::Size),
            State::Trailer if line.is_empty() => Ok(State::Done),
            State::Trailer => {
                let (name, value) = line.split_once(':').ok_or_else(malformed)?;
                found(Found::Trailer(name, value))?;
                Ok(State::Trailer)
            }
            State::End | State::Data { .. } | State::Done => Err(malformed()),
        }
    }
}

fn malformed() -> S3Fault {
    S3Fault::incomplete("The request body is not in chunks as its headers say")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Result<(String, String, bool), S3Fault> {
        let (mut data, mut trailers) = (String::new(), String::new());
        let mut chunked = Chunked::new();
        for piece in text.as_bytes().chunks(piece) {
            chunked.push(piece, |found| {
                match found {
                    Found::Data(bytes) => data.push_str(std::str::from_utf8(bytes).unwrap()),
                    Found::Trailer(name, value) => trailers.push_str(&format!("{name}={value};")),
                }
                Ok(())
            })?;
        }
        Ok((data, trailers, chunked.is_done()))
    }

    #[test]
    fn chunks_and_trailers_are_read_wherever_they_are_cut() {
        let text = "5;chunk-signature=0123\r\nhello\r\nC\r\n, you\r\nthere\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n";
        for piece in 1..text.len() {
            let (data, trailers, done) = read(text, piece).unwrap();
            assert_eq!(data, "hello, you\r\nthere");
            assert_eq!(
                (trailers.as_str(), done),
                ("x-amz-checksum-crc32=NSRBwg==;", true)
            );
        }
        assert!(!read("5\r\nhello\r\n", 3).unwrap().2);
        assert!(read("0\r\n\r\n", 3).unwrap().2);
        for bad in [
            "x\r\n",
            "+5\r\nhello\r\n",
            "5\r\nhello!\r\n",
            "\r\n",
            "0\r\nnothing\r\n",
            &"1".repeat(5000),
        ] {
            assert!(read(bad, 4).is_err(), "{bad:?}");
        }
        assert!(read("0\r\n\r\nmore\r\n", 4).is_err());
    }
}
