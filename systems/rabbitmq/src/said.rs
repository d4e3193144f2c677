//! What a server says: methods, and messages put together from their frames.

use bytes::{Bytes, BytesMut};

use crate::codec::{self, Foreign, Frame, Name};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Of publishes, by their number.
    Confirmed {
        tag: u64,
        multiple: bool,
        stored: bool,
    },
    /// No queue took the publish that carried this id.
    Returned {
        id: Option<u64>,
    },
    Delivered(Bytes),
    /// The connection or the channel is closed.
    Closed {
        why: String,
    },
    Other {
        name: Name,
        arguments: Bytes,
    },
}

/// A message whose frames are still coming.
#[derive(Debug, Default)]
pub(crate) struct Parts(Option<Message>);

#[derive(Debug)]
struct Message {
    returned: bool,
    id: Option<u64>,
    /// None before its header has come.
    length: Option<u64>,
    body: BytesMut,
}

impl Parts {
    /// What a frame completes, if anything.
    pub(crate) fn take(&mut self, frame: Frame) -> Result<Option<Said>, Foreign> {
        match frame {
            Frame::Heartbeat => Ok(None),
            Frame::Method { name, arguments } => self.method(name, arguments),
            Frame::Header { length, id } => {
                let message = self.0.as_mut().ok_or(Foreign)?;
                (message.length, message.id) = (Some(length), id);
                Ok(self.whole())
            }
            Frame::Body(part) => {
                self.0.as_mut().ok_or(Foreign)?.body.extend_from_slice(&part);
                Ok(self.whole())
            }
        }
    }

    fn method(&mut self, name: Name, mut arguments: Bytes) -> Result<Option<Said>, Foreign> {
        Ok(Some(match name {
            codec::ACK | codec::NACK => {
                let (tag, multiple) = codec::tag(arguments)?;
                Said::Confirmed { tag, multiple, stored: name == codec::ACK }
            }
            codec::RETURN | codec::DELIVER => {
                let returned = name == codec::RETURN;
                let body = BytesMut::new();
                self.0 = Some(Message { returned, id: None, length: None, body });
                return Ok(None);
            }
            codec::CLOSE | codec::CHANNEL_CLOSE => {
                let code = codec::short(&mut arguments)?;
                let text = codec::text(&mut arguments)?;
                Said::Closed { why: format!("{code} {}", String::from_utf8_lossy(&text)) }
            }
            _ => Said::Other { name, arguments },
        }))
    }

    fn whole(&mut self) -> Option<Said> {
        let whole = |message: &mut Message| message.length == Some(message.body.len() as u64);
        let message = self.0.take_if(whole)?;
        Some(if message.returned {
            Said::Returned { id: message.id }
        } else {
            Said::Delivered(message.body.freeze())
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    fn all(frames: Vec<Frame>) -> Result<Vec<Said>, Foreign> {
        let mut parts = Parts::default();
        let said = frames.into_iter().map(|frame| parts.take(frame));
        Ok(said.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn method(name: Name) -> Frame {
        Frame::Method { name, arguments: Bytes::new() }
    }

    #[test]
    fn a_message_is_said_once_it_is_whole() {
        let header = |length| Frame::Header { length, id: Some(5) };
        let body = |part: &'static str| Frame::Body(Bytes::from_static(part.as_bytes()));
        let delivered =
            |payload: &'static str| Said::Delivered(Bytes::from_static(payload.as_bytes()));
        let deliver = || method(codec::DELIVER);
        assert_eq!(
            all(vec![
                deliver(),
                header(4),
                body("ab"),
                Frame::Heartbeat,
                body("cd"),
                deliver(),
                header(0)
            ]),
            Ok(vec![delivered("abcd"), delivered("")])
        );
        let returned = vec![method(codec::RETURN), header(2), body("ab")];
        assert_eq!(all(returned), Ok(vec![Said::Returned { id: Some(5) }]));
        assert_eq!(all(vec![body("of nothing")]), Err(Foreign));
    }

    #[test]
    fn a_close_tells_why() {
        let mut arguments = BytesMut::new();
        arguments.put_u16(404);
        codec::put_text(&mut arguments, "NOT_FOUND");
        let close = Frame::Method { name: codec::CHANNEL_CLOSE, arguments: arguments.freeze() };
        assert_eq!(all(vec![close]), Ok(vec![Said::Closed { why: "404 NOT_FOUND".to_owned() }]));
    }
}
