//! The plain case of HTTP/1.1, by hand: a POST of known length to `/readings` or `/null`. A connection that waits costs a task of some hundred
//! bytes; hyper's costs 18 kB, which a hundred thousand of them would be felt by. Whatever is not plain is handed to hyper, with every byte read so far.

use std::{cell::RefCell, io, io::Write, sync::Arc};

use httparse::{EMPTY_HEADER, Status};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::shared::{PAYLOAD_MAX, Shared};

const READ: usize = 64 << 10;
const HEAD_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 32;
const NULL: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const NO_READING: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 53\r\n\r\n\
                            {\"error\":\"no intact envelope within the first 1 MiB\"}";

thread_local! {
    /// Of all connections: none keeps bytes but of half a request.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// What stands at the beginning of the bytes.
#[derive(Debug, PartialEq, Eq)]
enum Next<'a> {
    Reading(&'a [u8]),
    Null,
    /// Half a request.
    Partial,
    NotPlain,
}

/// A connection that is not plain, and what was read of it.
#[derive(Debug)]
pub(super) struct NotPlain {
    pub(super) stream: TcpStream,
    pub(super) read: Vec<u8>,
}

/// Serves a connection to its end, or to the first request that is not plain.
pub(super) async fn serve(
    mut stream: TcpStream,
    shared: &Arc<Shared>,
) -> io::Result<Option<NotPlain>> {
    let mut partial = Vec::new();
    loop {
        stream.readable().await?;
        match read(&stream, &mut partial) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let mut used = 0;
        loop {
            let (next, length) = next(&partial[used..]);
            let mut answer = Vec::new();
            match next {
                Next::Partial => break,
                Next::NotPlain => {
                    partial.drain(..used);
                    return Ok(Some(NotPlain { stream, read: partial }));
                }
                Next::Reading(body) => {
                    shared.unless_stalled().await;
                    match shared.store(body) {
                        Some(position) => write!(
                            answer,
                            "HTTP/1.1 204 No Content\r\nwetdress-position: {position}\r\n\r\n"
                        )?,
                        None => answer.extend_from_slice(NO_READING),
                    }
                }
                Next::Null => {
                    shared.unless_stalled().await;
                    shared.forget();
                    answer.extend_from_slice(NULL);
                }
            }
            used += length;
            shared.state().counts.http1 += 1;
            stream.write_all(&answer).await?;
        }
        if used == partial.len() {
            // A connection that waits holds no memory.
            partial = Vec::new();
        } else {
            partial.drain(..used);
        }
    }
}

/// Appends what has come.
fn read(stream: &TcpStream, partial: &mut Vec<u8>) -> io::Result<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        let read = stream.try_read(scratch)?;
        partial.extend_from_slice(&scratch[..read]);
        Ok(read)
    })
}

/// The first request, and its length.
fn next(bytes: &[u8]) -> (Next<'_>, usize) {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < HEAD_MAX => return (Next::Partial, 0),
        Ok(Status::Partial) | Err(_) => return (Next::NotPlain, 0),
    };
    let mut length = None;
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") && length.is_none() {
            let number =
                std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            length = number.filter(|length: &usize| *length <= PAYLOAD_MAX);
            if length.is_none() {
                return (Next::NotPlain, 0);
            }
        } else if is("connection") && header.value.trim_ascii().eq_ignore_ascii_case(b"keep-alive")
        {
        } else if ["content-length", "connection", "transfer-encoding", "expect", "upgrade"]
            .iter()
            .any(|name| is(name))
        {
            return (Next::NotPlain, 0);
        }
    }
    let whole = |length: usize| bytes.get(head..head + length);
    match (request.version, request.method, request.path, length) {
        (Some(1), Some("POST"), Some("/readings"), Some(length)) => match whole(length) {
            Some(body) => (Next::Reading(body), head + length),
            None => (Next::Partial, 0),
        },
        (Some(1), Some("POST"), Some("/null"), Some(length)) => match whole(length) {
            Some(_) => (Next::Null, head + length),
            None => (Next::Partial, 0),
        },
        (Some(1), Some("GET"), Some("/null"), None) => (Next::Null, head),
        _ => (Next::NotPlain, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_is_taken_and_only_when_it_is_whole() {
        let plain = "POST /readings HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(next(plain.as_bytes()), (Next::Reading(b"body"), plain.len()));
        for cut in 0..plain.len() {
            assert_eq!(next(&plain.as_bytes()[..cut]), (Next::Partial, 0), "{cut}");
        }
        let two = format!("{plain}{plain}");
        assert_eq!(next(two.as_bytes()), (Next::Reading(b"body"), plain.len()));
        let null = "POST /null HTTP/1.1\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(next(null.as_bytes()), (Next::Null, null.len()));
        assert_eq!(next(b"GET /null HTTP/1.1\r\n\r\n"), (Next::Null, 22));
        for other in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET /readings?after=0 HTTP/1.1\r\n\r\n",
            "GET /health HTTP/1.1\r\n\r\n",
            "POST /readings HTTP/1.0\r\ncontent-length: 0\r\n\r\n",
            "POST /readings HTTP/1.1\r\n\r\n",
            "POST /readings HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST /readings HTTP/1.1\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n",
            "POST /readings HTTP/1.1\r\ncontent-length: 4\r\nconnection: close\r\n\r\n",
            "POST /readings HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n",
            "POST /readings HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n",
            "POST /readings HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            "no HTTP at all\r\n\r\n",
        ] {
            assert_eq!(next(other.as_bytes()), (Next::NotPlain, 0), "{other}");
        }
        let long = format!("POST /readings HTTP/1.1\r\nx: {}", "y".repeat(HEAD_MAX));
        assert_eq!(next(long.as_bytes()), (Next::NotPlain, 0));
    }
}
