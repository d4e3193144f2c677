//! The lines of the NATS client protocol that a server sends, out of a buffer that may end anywhere.
//!
//! Source: the client protocol and the headers of NATS' documentation ("Client Protocol"): control lines end with CRLF; `MSG` and `HMSG`
//! name the length of what follows them.

use bytes::{Buf, Bytes, BytesMut};

/// A control line of a server is never longer than this (its `max_control_line` is 4 KiB; INFO may be longer).
const LINE_MAX: usize = 64 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Info(Bytes),
    Message(Message),
    Ping,
    Pong,
    /// The server's words; it mostly closes the connection afterwards.
    Error(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: Bytes,
    /// The number that this connection gave to the subscription.
    pub(crate) subscription: u64,
    pub(crate) reply: Option<Bytes>,
    /// Of the headers' first line, such as 503 for "nobody listens"; None without one.
    pub(crate) status: Option<u16>,
    pub(crate) payload: Bytes,
}

/// The connection cannot be understood any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server does not speak the NATS protocol")]
pub(crate) struct Foreign;

/// Takes the next whole thing out of the buffer; None while it has not come whole.
pub(crate) fn next(buffer: &mut BytesMut) -> Result<Option<Said>, Foreign> {
    loop {
        let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") else {
            return if buffer.len() > LINE_MAX { Err(Foreign) } else { Ok(None) };
        };
        let line = &buffer[..end];
        let (word, rest) = match line.iter().position(|byte| *byte == b' ') {
            Some(space) => (&line[..space], line[space + 1..].trim_ascii()),
            None => (line, &[][..]),
        };
        let said = match word.to_ascii_uppercase().as_slice() {
            b"MSG" => return message(buffer, end, false),
            b"HMSG" => return message(buffer, end, true),
            b"INFO" => Said::Info(Bytes::copy_from_slice(rest)),
            b"PING" => Said::Ping,
            b"PONG" => Said::Pong,
            b"-ERR" => Said::Error(String::from_utf8_lossy(rest).trim_matches('\'').to_owned()),
            b"+OK" => {
                buffer.advance(end + 2);
                continue;
            }
            _ => return Err(Foreign),
        };
        buffer.advance(end + 2);
        return Ok(Some(said));
    }
}

/// `MSG subject sid [reply] length` and `HMSG subject sid [reply] length-of-headers length-of-all`.
fn message(buffer: &mut BytesMut, end: usize, has_headers: bool) -> Result<Option<Said>, Foreign> {
    let line = std::str::from_utf8(&buffer[..end]).map_err(|_| Foreign)?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().map_err(|_| Foreign);
    let (head, headers, all) = match (&words[..], has_headers) {
        ([_, head @ .., all], false) => (head, 0, number(all)?),
        ([_, head @ .., headers, all], true) => (head, number(headers)?, number(all)?),
        _ => return Err(Foreign),
    };
    let (subject, subscription, reply) = match head {
        [subject, number] => (subject, number, None),
        [subject, number, reply] => (subject, number, Some(reply)),
        _ => return Err(Foreign),
    };
    let subscription = subscription.parse().map_err(|_| Foreign)?;
    if headers > all {
        return Err(Foreign);
    }
    let bytes = |word: &&str| Bytes::copy_from_slice(word.as_bytes());
    let (subject, reply) = (bytes(subject), reply.map(bytes));
    let whole = end + 2 + all + 2;
    if buffer.len() < whole {
        buffer.reserve(whole - buffer.len());
        return Ok(None);
    }
    buffer.advance(end + 2);
    let headers = buffer.split_to(headers).freeze();
    let payload = buffer.split_to(all - headers.len()).freeze();
    buffer.advance(2);
    let status = status(&headers);
    Ok(Some(Said::Message(Message { subject, subscription, reply, status, payload })))
}

/// `NATS/1.0 503`, with or without words behind.
fn status(headers: &[u8]) -> Option<u16> {
    let rest = headers.strip_prefix(b"NATS/1.0 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<Said> {
        let (mut buffer, mut said) = (BytesMut::new(), vec![]);
        // Byte by byte: it may end anywhere.
        for byte in text {
            buffer.extend_from_slice(&[*byte]);
            while let Some(next) = next(&mut buffer).expect("it is the protocol") {
                said.push(next);
            }
        }
        assert!(buffer.is_empty(), "{buffer:?}");
        said
    }

    fn message(reply: Option<&'static str>, status: Option<u16>, payload: &'static str) -> Said {
        let subject = Bytes::from_static(b"wd.s0.7");
        let reply = reply.map(Bytes::from);
        Said::Message(Message { subject, subscription: 1, reply, status, payload: payload.into() })
    }

    #[test]
    fn what_a_server_says_is_understood_wherever_it_is_cut() {
        let text = b"INFO {\"a\":1} \r\nPING\r\nPONG\r\n+OK\r\n-ERR 'Unknown Protocol Operation'\r\n\
MSG wd.s0.7 1 5\r\nhello\r\nMSG wd.s0.7 1 _INBOX.x 0\r\n\r\nHMSG wd.s0.7 1 12 17\r\nNATS/1.0 503hello\r\n\
HMSG wd.s0.7 2 re 14 14\r\nNATS/1.0\r\na:b!\r\n";
        let said = all(text);
        assert_eq!(
            said,
            [
                Said::Info(Bytes::from_static(b"{\"a\":1}")),
                Said::Ping,
                Said::Pong,
                Said::Error("Unknown Protocol Operation".into()),
                message(None, None, "hello"),
                message(Some("_INBOX.x"), None, ""),
                message(None, Some(503), "hello"),
                Said::Message(Message {
                    subject: "wd.s0.7".into(),
                    subscription: 2,
                    reply: Some("re".into()),
                    status: None,
                    payload: Bytes::new(),
                }),
            ]
        );
    }

    #[test]
    fn another_protocol_is_refused() {
        for text in
            ["HTTP/1.1 400 Bad Request\r\n", "MSG a 1\r\n", "HMSG a 1 9 4\r\n", "MSG a 1 x\r\n"]
        {
            assert_eq!(next(&mut BytesMut::from(text)), Err(Foreign), "{text}");
        }
        assert_eq!(next(&mut BytesMut::from(&[b'x'; LINE_MAX + 1][..])), Err(Foreign));
    }
}
