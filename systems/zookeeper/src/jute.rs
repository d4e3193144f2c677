//! ZooKeeper's requests and answers as bytes: packets with their length before, and in them whatever is said, field by field.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// What is asked, by ZooKeeper's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create = 1,
    Exists = 3,
    GetData = 4,
    Sync = 9,
    Ping = 11,
    CloseSession = -11,
}

/// The number that a ping goes by, and its answer.
pub(crate) const PING: i32 = -2;
/// Errors of the protocol: ZooKeeper's own names and numbers.
pub(crate) const OK: i32 = 0;
pub(crate) const NO_NODE: i32 = -101;
pub(crate) const NODE_EXISTS: i32 = -110;

/// An answer is read up to this: what a server of our own sends is far below.
const PACKET_MAX: i32 = 64 << 20;

/// These bytes are not ZooKeeper's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

/// What comes back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Of the request, or negative.
    pub(crate) number: i32,
    pub(crate) error: i32,
    pub(crate) body: Bytes,
}

/// Takes the next packet out of what has come; None where it is not all there yet.
pub(crate) fn packet(come: &mut BytesMut) -> Result<Option<Bytes>, Foreign> {
    let Some(mut head) = come.get(..4) else { return Ok(None) };
    let length = head.get_i32();
    if !(0..=PACKET_MAX).contains(&length) {
        return Err(Foreign);
    }
    let length = length as usize;
    if come.len() < 4 + length {
        return Ok(None);
    }
    come.advance(4);
    Ok(Some(come.split_to(length).freeze()))
}

pub(crate) fn reply(mut packet: Bytes) -> Result<Reply, Foreign> {
    let number = int(&mut packet)?;
    let _transaction = long(&mut packet)?;
    let error = int(&mut packet)?;
    Ok(Reply { number, error, body: packet })
}

/// Appends a packet with what `fields` says.
pub(crate) fn put_packet(out: &mut BytesMut, fields: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    fields(out);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a request.
pub(crate) fn put_request(
    out: &mut BytesMut,
    number: i32,
    op: Op,
    fields: impl FnOnce(&mut BytesMut),
) {
    put_packet(out, |out| {
        out.put_i32(number);
        out.put_i32(op as i32);
        fields(out);
    });
}

/// A new session, to be ended by the server when it has heard nothing for so long.
pub(crate) fn put_connect(out: &mut BytesMut, timeout_ms: i32) {
    put_packet(out, |out| {
        out.put_i32(0);
        // Of a transaction that was seen, and of a session that was had: none.
        out.put_i64(0);
        out.put_i32(timeout_ms);
        out.put_i64(0);
        put_buffer(out, &[0; 16]);
        const READ_ONLY: u8 = 0;
        out.put_u8(READ_ONLY);
    });
}

/// The timeout that the server grants, in milliseconds; 0 where it grants no session.
pub(crate) fn granted(mut packet: Bytes) -> Result<i32, Foreign> {
    let _version = int(&mut packet)?;
    int(&mut packet)
}

/// The fields of a create: a node that stays, for everybody.
pub(crate) fn put_create(out: &mut BytesMut, path: &str, data: &[u8], sequential: bool) {
    const ALL: i32 = 31;
    const SEQUENTIAL: i32 = 2;
    put_buffer(out, path.as_bytes());
    put_buffer(out, data);
    out.put_i32(1);
    out.put_i32(ALL);
    put_buffer(out, b"world");
    put_buffer(out, b"anyone");
    out.put_i32(if sequential { SEQUENTIAL } else { 0 });
}

/// The fields of a question after a node, without a watch.
pub(crate) fn put_question(out: &mut BytesMut, path: &str) {
    put_buffer(out, path.as_bytes());
    out.put_u8(0);
}

pub(crate) fn put_buffer(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(bytes.len() as i32);
    out.put_slice(bytes);
}

/// A text or data; nothing where the length is negative.
pub(crate) fn buffer(from: &mut Bytes) -> Result<Bytes, Foreign> {
    let length = usize::try_from(int(from)?).unwrap_or(0);
    if from.len() < length {
        return Err(Foreign);
    }
    Ok(from.split_to(length))
}

/// How often children of the node came or went, from the answer to a question after it.
pub(crate) fn child_changes(mut body: Bytes) -> Result<u64, Foreign> {
    // Before it: created, changed (transactions), created, changed (times), version.
    const BEFORE: usize = 4 * 8 + 4;
    if body.len() < BEFORE {
        return Err(Foreign);
    }
    body.advance(BEFORE);
    int(&mut body).map(|count| u64::try_from(count).unwrap_or(0))
}

fn int(from: &mut Bytes) -> Result<i32, Foreign> {
    from.try_get_i32().map_err(|_| Foreign)
}

fn long(from: &mut Bytes) -> Result<i64, Foreign> {
    from.try_get_i64().map_err(|_| Foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_is_cut_is_waited_for_and_a_foreign_one_is_told() {
        let mut out = BytesMut::new();
        put_request(&mut out, 7, Op::GetData, |out| put_question(out, "/a"));
        assert_eq!(&out[..], b"\0\0\0\x0f\0\0\0\x07\0\0\0\x04\0\0\0\x02/a\0");
        for length in 0..out.len() {
            assert_eq!(packet(&mut BytesMut::from(&out[..length])), Ok(None));
        }
        assert_eq!(packet(&mut out).map(|packet| packet.map(|packet| packet.len())), Ok(Some(15)));
        assert!(out.is_empty());
        assert_eq!(packet(&mut BytesMut::from(&b"HTTP/1.1 400"[..])), Err(Foreign));
    }

    #[test]
    fn a_reply_has_a_number_an_error_and_the_rest() {
        let bytes = b"\0\0\0\x07\0\0\0\x01\0\0\0\x09\xff\xff\xff\x9bx";
        let read = Reply { number: 7, error: NO_NODE, body: Bytes::from_static(b"x") };
        assert_eq!(reply(Bytes::from_static(bytes)), Ok(read));
        assert_eq!(reply(Bytes::from_static(&bytes[..15])), Err(Foreign));
        assert_eq!(buffer(&mut Bytes::from_static(b"\xff\xff\xff\xff")), Ok(Bytes::new()));
        assert_eq!(buffer(&mut Bytes::from_static(b"\0\0\0\x02x")), Err(Foreign));
    }

    #[test]
    fn children_are_counted_by_their_parents_own_version() {
        let mut stat = BytesMut::new();
        (0..4).for_each(|_| stat.put_i64(9));
        stat.put_i32(0);
        stat.put_i32(41);
        assert_eq!(child_changes(stat.clone().freeze()), Ok(41));
        assert_eq!(child_changes(stat.freeze().slice(..38)), Err(Foreign));
    }
}
