//! Reads an answer, in however many pieces it comes. Pure. The body is counted, not kept; of the head, what matters is kept.

use httparse::{EMPTY_HEADER, Status};

use crate::reading::POSITION;

/// Longer heads, and longer trailers, are refused.
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// What of an answer has been read so far.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// The beginning of a head whose end has not come; empty otherwise, which takes no memory.
    partial: Vec<u8>,
    head: Option<Head>,
    rest: Rest,
}

/// What matters of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Where the server says that the reading lies.
    pub(super) position: Option<u64>,
    /// Whether the connection can be used again.
    pub(super) keep_alive: bool,
}

/// What follows the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    #[default]
    Nothing,
    Bytes(u64),
    Chunks(Chunks),
    UntilClose,
}

/// Where a chunked body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunks {
    /// In the digits of a size.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind them, up to the end of the line.
    Extension {
        size: u64,
        length: usize,
    },
    Data(u64),
    /// At the line's end that follows data.
    DataEnd,
    /// In a line after the last chunk.
    Trailer {
        line: usize,
        length: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// Everything was taken, and it is not the end.
    Partial,
    /// The answer has ended; so many of the bytes were its.
    Whole { head: Head, used: usize },
}

/// No answer that can be understood; why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

impl Response {
    /// The head, once it has been read.
    pub(super) fn head(&self) -> Option<Head> {
        self.head
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<Fed, Malformed> {
        let all = bytes.len();
        loop {
            if let Some(head) = self.head {
                return Ok(match self.rest.take(bytes)? {
                    None => Fed::Partial,
                    Some(used) => Fed::Whole { head, used: all - bytes.len() + used },
                });
            }
            let Some(used) = self.read_head(bytes)? else { return Ok(Fed::Partial) };
            bytes = &bytes[used..];
        }
    }

    /// The other side has closed: the head of an answer that ends with its connection.
    pub(super) fn end(&self) -> Option<Head> {
        self.head.filter(|_| self.rest == Rest::UntilClose)
    }

    /// How many of the bytes belong to a head that is now read to its end; None if it goes on. An interim one is forgotten.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if self.partial.is_empty() {
            let parsed = parse(bytes)?;
            if parsed.is_none() {
                self.keep(bytes)?;
            }
            return Ok(parsed.map(|parsed| self.begin(parsed)));
        }
        let before = self.partial.len();
        self.keep(bytes)?;
        let Some(parsed) = parse(&self.partial)? else { return Ok(None) };
        self.partial = Vec::new();
        // It did not end within what came before.
        Ok(Some(self.begin(parsed).saturating_sub(before)))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.partial.len() + bytes.len() > HEAD_MAX {
            return Err(Malformed("the head of an answer is longer than 16 KiB"));
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn begin(&mut self, (length, head, rest): (usize, Head, Rest)) -> usize {
        if head.status >= 200 {
            (self.head, self.rest) = (Some(head), rest);
        }
        length
    }
}

/// A whole head at the beginning of the bytes, and its length.
fn parse(bytes: &[u8]) -> Result<Option<(usize, Head, Rest)>, Malformed> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|_| Malformed("no answer of HTTP/1.1"))?;
    let Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or(0);
    if status == 101 {
        return Err(Malformed("the server changes to another protocol"));
    }
    let (mut position, mut bytes, mut chunked) = (None, None, false);
    let mut keep_alive = response.version == Some(1);
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
        if is("content-length") {
            let length = number().ok_or(Malformed("a `content-length` is no number"))?;
            if bytes.replace(length).is_some_and(|other| other != length) {
                return Err(Malformed("two lengths of one body"));
            }
        } else if is("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("a transfer coding other than `chunked`"));
            }
            chunked = true;
        } else if is("connection") {
            let has = |word: &[u8]| {
                value
                    .split(|byte| *byte == b',')
                    .any(|one| one.trim_ascii().eq_ignore_ascii_case(word))
            };
            keep_alive = (keep_alive || has(b"keep-alive")) && !has(b"close");
        } else if is(POSITION) {
            position = number();
        }
    }
    let rest = match (status, bytes) {
        (204 | 304, _) => Rest::Nothing,
        (_, Some(_)) if chunked => return Err(Malformed("a body with a length and in chunks")),
        _ if chunked => Rest::Chunks(Chunks::SIZE),
        (_, Some(length)) => Rest::Bytes(length),
        (_, None) => Rest::UntilClose,
    };
    keep_alive &= rest != Rest::UntilClose;
    Ok(Some((length, Head { status, position, keep_alive }, rest)))
}

impl Rest {
    /// How many bytes belong to the body, where it ends within them; None where it goes on.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match self {
            Self::Nothing => Ok(Some(0)),
            Self::UntilClose => Ok(None),
            Self::Bytes(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                Ok((*left == 0).then_some(taken))
            }
            Self::Chunks(chunks) => chunks.take(bytes),
        }
    }
}

impl Chunks {
    const SIZE: Self = Self::Size { size: 0, digits: 0 };
    const TRAILER: Self = Self::Trailer { line: 0, length: 0 };

    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(left) = self {
                let taken = (bytes.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                at += taken;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                continue;
            }
            at += 1;
            match self.step(*byte)? {
                Some(next) => *self = next,
                None => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    /// One byte outside of data; None is the end of the body.
    fn step(self, byte: u8) -> Result<Option<Self>, Malformed> {
        let wrong = Err(Malformed("a chunk without an end, or without a size"));
        Ok(Some(match (self, byte) {
            (Self::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // Fifteen digits are more than anybody sends, and fit.
                if digits == 15 {
                    return wrong;
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => return wrong,
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\n') => match size {
                0 => Self::TRAILER,
                size => Self::Data(size),
            },
            (Self::Size { size, .. }, b'\r' | b';' | b' ' | b'\t') => {
                Self::Extension { size, length: 0 }
            }
            (Self::Size { .. }, _) => return wrong,
            (Self::Extension { length, .. } | Self::Trailer { length, .. }, _)
                if length >= HEAD_MAX =>
            {
                return Err(Malformed("a line of a chunked body is longer than 16 KiB"));
            }
            (Self::Extension { size, length }, _) => Self::Extension { size, length: length + 1 },
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::SIZE,
            (Self::DataEnd | Self::Data(_), _) => return wrong,
            (Self::Trailer { line: 0, .. }, b'\n') => return Ok(None),
            (Self::Trailer { length, .. }, b'\n') => Self::Trailer { line: 0, length: length + 1 },
            (Self::Trailer { line, length }, b'\r') => Self::Trailer { line, length: length + 1 },
            (Self::Trailer { line, length }, _) => {
                Self::Trailer { line: line + 1, length: length + 1 }
            }
        }))
    }
}

#[cfg(test)]
mod tests;
