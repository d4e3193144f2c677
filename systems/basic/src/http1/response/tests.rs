//! Answers whole, in pieces, and such as nobody should send.

use super::*;

fn whole(text: &str) -> Result<Fed, Malformed> {
    Response::default().feed(text.as_bytes())
}

/// Fed byte by byte.
fn in_pieces(text: &str) -> Result<Fed, Malformed> {
    let mut response = Response::default();
    for (at, byte) in text.bytes().enumerate() {
        match response.feed(&[byte])? {
            Fed::Partial => {}
            Fed::Whole { head, used } => return Ok(Fed::Whole { head, used: at + used }),
        }
    }
    Ok(Fed::Partial)
}

fn head(status: u16, position: Option<u64>, keep_alive: bool) -> Head {
    Head { status, position, keep_alive }
}

/// Answers that end before their `|`, where more may follow.
const WHOLE: &[(&str, u16, Option<u64>, bool)] = &[
    ("HTTP/1.1 204 No Content\r\nWetdress-Position: 77\r\n\r\n|", 204, Some(77), true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello|", 200, None, true),
    ("HTTP/1.1 200 OK\r\ncontent-length:  0 \r\n\r\n|", 200, None, true),
    ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n|", 200, None, true),
    ("HTTP/1.1 503 No\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nno|", 503, None, false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok|", 200, None, false),
    ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok|", 200, None, true),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n|",
        200,
        None,
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nx: y\r\n\r\n|",
        200,
        None,
        true,
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n|",
        204,
        None,
        true,
    ),
    ("HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n|", 304, None, true),
];

#[test]
fn answers_end_where_they_end_in_one_piece_and_in_many() {
    for (text, status, position, keep_alive) in WHOLE {
        let text = text.strip_suffix('|').expect("each ends there");
        let expected =
            Ok(Fed::Whole { head: head(*status, *position, *keep_alive), used: text.len() });
        assert_eq!(whole(text), expected, "{text}");
        assert_eq!(whole(&format!("{text}HTTP/1.1")), expected, "{text}");
        assert_eq!(in_pieces(text), expected, "{text}");
        for cut in 0..text.len() {
            assert_eq!(whole(&text[..cut]), Ok(Fed::Partial), "{cut} of {text}");
            let mut response = Response::default();
            assert_eq!(response.feed(&text.as_bytes()[..cut]), Ok(Fed::Partial));
            let Ok(Fed::Whole { used, .. }) = response.feed(&text.as_bytes()[cut..]) else {
                panic!("{cut} of {text}");
            };
            assert_eq!(cut + used, text.len(), "{text}");
        }
    }
}

#[test]
fn an_answer_without_a_length_ends_with_its_connection() {
    let mut response = Response::default();
    assert_eq!(response.end(), None);
    assert_eq!(response.feed(b"HTTP/1.1 200 OK\r\n\r\nsome"), Ok(Fed::Partial));
    assert_eq!(response.feed(b" more"), Ok(Fed::Partial));
    assert_eq!(response.end(), Some(head(200, None, false)));
    let mut cut_short = Response::default();
    assert_eq!(
        cut_short.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome"),
        Ok(Fed::Partial)
    );
    assert_eq!((cut_short.end(), cut_short.head()), (None, Some(head(200, None, true))));
}

#[test]
fn what_is_no_answer_is_malformed_and_never_an_ack() {
    let many = "x: y\r\n".repeat(HEADERS_MAX + 1);
    let long = "y".repeat(HEAD_MAX);
    for text in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ng\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1111111111111111\r\n",
        &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        &format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{long}z\r\n"),
        &format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{long}z\r\n"),
    ] {
        assert!(whole(text).is_err(), "{text:.80}");
        assert!(in_pieces(text).is_err(), "{text:.80}");
    }
    // A head that never ends is kept up to a bound.
    assert!(in_pieces(&format!("HTTP/1.1 200 OK\r\nx: {long}")).is_err());
}
