//! Frames and methods of AMQP 0-9-1: only those that are said or heard. Bytes in, frames out, and the other way round.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Class and number of a method.
pub(crate) type Name = (u16, u16);

pub(crate) const START: Name = (10, 10);
pub(crate) const START_OK: Name = (10, 11);
pub(crate) const TUNE: Name = (10, 30);
pub(crate) const TUNE_OK: Name = (10, 31);
pub(crate) const OPEN: Name = (10, 40);
pub(crate) const OPEN_OK: Name = (10, 41);
pub(crate) const CLOSE: Name = (10, 50);
pub(crate) const CHANNEL_OPEN: Name = (20, 10);
pub(crate) const CHANNEL_OPEN_OK: Name = (20, 11);
pub(crate) const CHANNEL_CLOSE: Name = (20, 40);
pub(crate) const QUEUE_DECLARE: Name = (50, 10);
pub(crate) const QUEUE_DECLARE_OK: Name = (50, 11);
pub(crate) const QOS: Name = (60, 10);
pub(crate) const QOS_OK: Name = (60, 11);
pub(crate) const CONSUME: Name = (60, 20);
pub(crate) const CONSUME_OK: Name = (60, 21);
pub(crate) const CANCEL: Name = (60, 30);
const PUBLISH: Name = (60, 40);
pub(crate) const RETURN: Name = (60, 50);
pub(crate) const DELIVER: Name = (60, 60);
pub(crate) const ACK: Name = (60, 80);
pub(crate) const NACK: Name = (60, 120);
pub(crate) const CONFIRM_SELECT: Name = (85, 10);
pub(crate) const CONFIRM_SELECT_OK: Name = (85, 11);

/// What a client says first.
pub(crate) const HELLO: &[u8] = b"AMQP\0\0\x09\x01";
/// A frame with its head and its end, in bytes: no server is to send larger ones, and none larger are sent.
pub(crate) const FRAME_MAX: u32 = 128 << 10;
const AROUND: u32 = 8;
const END: u8 = 0xce;
/// With these bits a header says: here stand the delivery mode and the message id.
const MODE_AND_ID: u16 = 1 << 12 | 1 << 7;
const PERSISTENT: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Method { name: Name, arguments: Bytes },
    Header { length: u64, id: Option<u64> },
    Body(Bytes),
    Heartbeat,
}

/// These bytes are not AMQP 0-9-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

/// Takes the next frame out of what has come; None where it is not all there yet.
pub(crate) fn next(come: &mut BytesMut) -> Result<Option<Frame>, Foreign> {
    let Some(mut head) = come.get(..7) else { return Ok(None) };
    let (kind, _channel, length) = (head.get_u8(), head.get_u16(), head.get_u32());
    if length > FRAME_MAX - AROUND {
        return Err(Foreign);
    }
    let length = length as usize;
    if come.len() < 7 + length + 1 {
        return Ok(None);
    }
    come.advance(7);
    let mut payload = come.split_to(length).freeze();
    if come.get_u8() != END {
        return Err(Foreign);
    }
    Ok(Some(match kind {
        1 => {
            let name = (short(&mut payload)?, short(&mut payload)?);
            Frame::Method { name, arguments: payload }
        }
        2 => {
            let _class_and_weight = long(&mut payload)?;
            let length = payload.try_get_u64().map_err(|_| Foreign)?;
            Frame::Header { length, id: message_id(payload) }
        }
        3 => Frame::Body(payload),
        8 => Frame::Heartbeat,
        _ => return Err(Foreign),
    }))
}

/// Of a message of our own, which has both properties and no other.
fn message_id(mut properties: Bytes) -> Option<u64> {
    if short(&mut properties).ok()? != MODE_AND_ID {
        return None;
    }
    properties.try_get_u8().ok()?;
    std::str::from_utf8(&text(&mut properties).ok()?).ok()?.parse().ok()
}

pub(crate) fn short(from: &mut Bytes) -> Result<u16, Foreign> {
    from.try_get_u16().map_err(|_| Foreign)
}

pub(crate) fn long(from: &mut Bytes) -> Result<u32, Foreign> {
    from.try_get_u32().map_err(|_| Foreign)
}

/// A text of at most 255 bytes, with its length before.
pub(crate) fn text(from: &mut Bytes) -> Result<Bytes, Foreign> {
    let length = usize::from(from.try_get_u8().map_err(|_| Foreign)?);
    if from.len() < length {
        return Err(Foreign);
    }
    Ok(from.split_to(length))
}

/// The number of a delivery or of a publish, and whether all before it are meant too.
pub(crate) fn tag(mut arguments: Bytes) -> Result<(u64, bool), Foreign> {
    let tag = arguments.try_get_u64().map_err(|_| Foreign)?;
    Ok((tag, arguments.try_get_u8().map_err(|_| Foreign)? & 1 != 0))
}

pub(crate) fn heartbeat(out: &mut BytesMut) {
    frame(out, 8, 0, |_| {});
}

/// Says a method, with what `arguments` appends.
pub(crate) fn method(
    out: &mut BytesMut,
    channel: u16,
    name: Name,
    arguments: impl FnOnce(&mut BytesMut),
) {
    frame(out, 1, channel, |out| {
        out.put_u16(name.0);
        out.put_u16(name.1);
        arguments(out);
    });
}

/// A persistent message for a queue, to be returned where there is no such queue.
pub(crate) fn publish(out: &mut BytesMut, channel: u16, queue: &str, id: u64, payload: &[u8]) {
    const MANDATORY: u8 = 1;
    method(out, channel, PUBLISH, |out| {
        out.put_u16(0);
        // The exchange that every queue is bound to by its own name.
        put_text(out, "");
        put_text(out, queue);
        out.put_u8(MANDATORY);
    });
    frame(out, 2, channel, |out| {
        out.put_u16(PUBLISH.0);
        out.put_u16(0);
        out.put_u64(payload.len() as u64);
        out.put_u16(MODE_AND_ID);
        out.put_u8(PERSISTENT);
        put_text(out, &id.to_string());
    });
    for part in payload.chunks((FRAME_MAX - AROUND) as usize) {
        frame(out, 3, channel, |out| out.put_slice(part));
    }
}

fn frame(out: &mut BytesMut, kind: u8, channel: u16, payload: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    out.put_u16(channel);
    let at = out.len();
    out.put_u32(0);
    payload(out);
    let length = u32::try_from(out.len() - at - 4).expect("no frame is larger than FRAME_MAX");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    out.put_u8(END);
}

/// A text of at most 255 bytes; what is longer is cut.
pub(crate) fn put_text(out: &mut BytesMut, text: &str) {
    let text = &text.as_bytes()[..text.len().min(255)];
    out.put_u8(text.len() as u8);
    out.put_slice(text);
}

/// A text of any length.
pub(crate) fn put_long_text(out: &mut BytesMut, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

/// A value of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(i32),
    Yes,
    Table(&'a [(&'a str, Value<'a>)]),
}

pub(crate) fn put_table(out: &mut BytesMut, entries: &[(&str, Value<'_>)]) {
    let at = out.len();
    out.put_u32(0);
    for (key, value) in entries {
        put_text(out, key);
        match value {
            Value::Text(text) => {
                out.put_u8(b'S');
                put_long_text(out, text);
            }
            Value::Number(number) => {
                out.put_u8(b'I');
                out.put_i32(*number);
            }
            Value::Yes => out.put_slice(b"t\x01"),
            Value::Table(entries) => {
                out.put_u8(b'F');
                put_table(out, entries);
            }
        }
    }
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut bytes: BytesMut) -> Result<Vec<Frame>, Foreign> {
        let mut frames = vec![];
        while let Some(frame) = next(&mut bytes)? {
            frames.push(frame);
        }
        assert!(bytes.is_empty(), "{bytes:?}");
        Ok(frames)
    }

    #[test]
    fn a_publish_is_a_method_a_header_and_as_many_bodies_as_it_takes() {
        for (length, bodies) in [(0, 0), (1, 1), (131_064, 1), (131_065, 2)] {
            let mut out = BytesMut::new();
            publish(&mut out, 1, "q0", 42, &vec![7; length]);
            let said = frames(out).expect("it is AMQP");
            assert!(matches!(said[0], Frame::Method { name: PUBLISH, .. }));
            assert_eq!(said[1], Frame::Header { length: length as u64, id: Some(42) });
            assert_eq!(said.len(), 2 + bodies, "{length}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_waited_for_and_a_foreign_one_is_told() {
        let mut out = BytesMut::new();
        method(&mut out, 1, ACK, |out| {
            out.put_u64(7);
            out.put_u8(1);
        });
        for length in 0..out.len() {
            assert_eq!(next(&mut BytesMut::from(&out[..length])), Ok(None));
        }
        let mut broken = out.clone();
        *broken.last_mut().expect("it has an end") = 0;
        assert_eq!(frames(broken), Err(Foreign));
        let Some(Frame::Method { name: ACK, arguments }) = frames(out).expect("it is AMQP").pop()
        else {
            panic!("it is an ack");
        };
        assert_eq!(tag(arguments), Ok((7, true)));
        assert_eq!(next(&mut BytesMut::from(&b"HTTP/1.1 400 Bad Request\r\n"[..])), Err(Foreign));
        assert_eq!(tag(Bytes::from_static(b"short")), Err(Foreign));
    }

    #[test]
    fn a_table_tells_its_length() {
        let mut out = BytesMut::new();
        let inner = [("b", Value::Yes)];
        put_table(&mut out, &[("a", Value::Number(3)), ("t", Value::Table(&inner))]);
        assert_eq!(&out[..], b"\0\0\0\x12\x01aI\0\0\0\x03\x01tF\0\0\0\x04\x01bt\x01");
    }
}
