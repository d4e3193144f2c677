//! One connection to a broker, with one channel. Both sides send heartbeats; a server of which nothing is heard is given up.
//!
//! Absent on purpose: reconnecting, and anything that is said twice. A link that has ended stays ended.

use std::{io, net::SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use seams::{Network, Origin, SystemError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};

use crate::{
    CALL_TIMEOUT, HEARTBEAT,
    codec::{self, Foreign, Name, Value},
    said::{Parts, Said},
};

/// Why a link is no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the connection broke")]
    Broke(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server refused: {0}")]
    Refused(String),
    #[error("nothing was heard of the server for two heartbeats")]
    Silent,
    #[error("the server takes no bytes")]
    Stuck,
    #[error("the server does not speak AMQP 0-9-1")]
    Foreign,
}

impl Ended {
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Broke(_) => "the connection broke",
            Self::Closed => "the server closed the connection",
            Self::Refused(_) => "the server refused what was asked, and closed the channel",
            Self::Silent => "nothing was heard of the server for two heartbeats",
            Self::Stuck => "the server takes no bytes",
            Self::Foreign => "the server does not speak AMQP 0-9-1",
        }
    }
}

impl From<Foreign> for Ended {
    fn from(_: Foreign) -> Self {
        Self::Foreign
    }
}

/// The one channel that a connection has.
pub(crate) const CHANNEL: u16 = 1;
/// The user that every broker begins with, and its password, which is no secret.
const LOGIN: &str = "\0guest\0guest";

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    come: BytesMut,
    parts: Parts,
    /// When the last bytes were read.
    heard: Instant,
    beats: Interval,
    /// What goes out at the next [`said`](Self::said).
    pub(crate) out: BytesMut,
}

impl Link {
    /// Connects, logs in and opens the channel, each answered by the server. No timeout of its own.
    pub(crate) async fn open(
        network: &dyn Network,
        from: &Origin,
        to: SocketAddr,
    ) -> Result<Self, Ended> {
        let stream = network.tcp(from, to).await?;
        stream.set_nodelay(true)?;
        let mut beats = interval(HEARTBEAT / 2);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut link = Self {
            stream,
            come: BytesMut::with_capacity(64 << 10),
            parts: Parts::default(),
            heard: Instant::now(),
            beats,
            out: BytesMut::from(codec::HELLO),
        };
        link.until(codec::START).await?;
        link.ask(0, codec::START_OK, |out| {
            let can = [
                ("publisher_confirms", Value::Yes),
                ("basic.nack", Value::Yes),
                ("consumer_cancel_notify", Value::Yes),
                ("authentication_failure_close", Value::Yes),
            ];
            let of_us =
                [("product", Value::Text("wetdress")), ("capabilities", Value::Table(&can))];
            codec::put_table(out, &of_us);
            codec::put_text(out, "PLAIN");
            codec::put_long_text(out, LOGIN);
            codec::put_text(out, "en_US");
        });
        link.until(codec::TUNE).await?;
        link.ask(0, codec::TUNE_OK, |out| {
            out.put_u16(CHANNEL);
            out.put_u32(codec::FRAME_MAX);
            out.put_u16(HEARTBEAT.as_secs() as u16);
        });
        link.ask(0, codec::OPEN, |out| {
            codec::put_text(out, "/");
            out.put_slice(b"\0\0");
        });
        link.until(codec::OPEN_OK).await?;
        link.ask(CHANNEL, codec::CHANNEL_OPEN, |out| out.put_u8(0));
        link.until(codec::CHANNEL_OPEN_OK).await?;
        Ok(link)
    }

    /// [`open`](Self::open) with the patience of probes and observers.
    pub(crate) async fn reach(
        network: &dyn Network,
        from: &Origin,
        to: SocketAddr,
    ) -> Result<Self, SystemError> {
        answered("open a channel", to, Self::open(network, from, to)).await
    }

    /// Appends a method to what goes out.
    pub(crate) fn ask(&mut self, channel: u16, name: Name, arguments: impl FnOnce(&mut BytesMut)) {
        codec::method(&mut self.out, channel, name, arguments);
    }

    /// Waits for a method, and passes over whatever else is said.
    pub(crate) async fn until(&mut self, wanted: Name) -> Result<Bytes, Ended> {
        loop {
            match self.said().await? {
                (Said::Other { name, arguments }, _) if name == wanted => return Ok(arguments),
                _ => {}
            }
        }
    }

    /// Sends what is to go out, and waits for what the server says next, with the moment at which it was read. May be dropped and called
    /// again: nothing is lost.
    pub(crate) async fn said(&mut self) -> Result<(Said, Instant), Ended> {
        loop {
            while let Some(frame) = codec::next(&mut self.come)? {
                match self.parts.take(frame)? {
                    Some(Said::Closed { why }) => return Err(Ended::Refused(why)),
                    Some(Said::Other { name: codec::CANCEL, .. }) => {
                        return Err(Ended::Refused("the consumer was cancelled".to_owned()));
                    }
                    Some(said) => return Ok((said, self.heard)),
                    None => {}
                }
            }
            if !self.out.is_empty() {
                let writing = timeout(2 * HEARTBEAT, self.stream.write_all_buf(&mut self.out));
                writing.await.map_err(|_| Ended::Stuck)??;
            }
            tokio::select! {
                read = self.stream.read_buf(&mut self.come) => match read? {
                    0 => return Err(Ended::Closed),
                    _ => self.heard = Instant::now(),
                },
                now = self.beats.tick() => {
                    if now.saturating_duration_since(self.heard) > 2 * HEARTBEAT {
                        return Err(Ended::Silent);
                    }
                    codec::heartbeat(&mut self.out);
                }
            }
        }
    }
}

/// Patience of probes and observers with one answer of a broker.
pub(crate) async fn answered<T>(
    doing: &str,
    of: SocketAddr,
    asked: impl Future<Output = Result<T, Ended>>,
) -> Result<T, SystemError> {
    let doing = format!("{doing} at {of}");
    match timeout(CALL_TIMEOUT, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Ended::Broke(source))) => Err(SystemError::Io { doing, source }),
        Ok(Err(why)) => Err(SystemError::Answer { doing, why: why.to_string() }),
        Err(_) => {
            Err(SystemError::Answer { doing, why: format!("no answer within {CALL_TIMEOUT:?}") })
        }
    }
}
