//! One connection to a broker: requests in, responses out, matched by their correlation ids.
//!
//! Absent on purpose: reconnecting, retrying, deadlines, negotiation of versions. A wire that has ended stays ended, and says of each
//! request whether it can have been written. A broker handles the requests of one connection one after the other, so that whatever it
//! forwards, or holds until it is replicated, holds up what was written behind it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};
use seams::{
    Network, Origin,
    secure::{Access, Stream, cause},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

/// Brokers name it in their logs.
const CLIENT_ID: &str = "wetdress";
/// Requests that are written in one go, when so many wait.
const AT_ONCE: usize = 64;
/// Bytes of a response, at the most: a longer one is no response.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// A handle on a connection. Clones share it; it closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    asked: mpsc::UnboundedSender<Asked>,
    next: Arc<AtomicI32>,
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Certain: not a byte of it left.
    #[error("the connection had ended before the request was written")]
    NotSent,
    #[error("the connection broke under the request")]
    Broken,
    #[error("the answer cannot be read")]
    Garbled,
}

/// A response and the moment at which its last byte was read.
#[derive(Debug)]
pub(crate) struct Answered<R> {
    pub(crate) response: R,
    pub(crate) at: Instant,
}

/// What a response is told with: its frame behind the length, and when that was read.
type Tell = oneshot::Sender<Result<(Bytes, Instant), WireError>>;

#[derive(Debug)]
struct Asked {
    correlation: i32,
    frame: Bytes,
    tell: Tell,
}

/// Requests that may have been written, by their correlation ids.
#[derive(Debug, Default)]
struct Waiting(Mutex<BTreeMap<i32, Tell>>);

impl Waiting {
    fn all(&self) -> MutexGuard<'_, BTreeMap<i32, Tell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects, and drives the connection in a task that resolves with the reason when it has ended. The broker has not said a word yet
/// when this returns.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    access: &Access,
) -> io::Result<(Wire, JoinHandle<&'static str>)> {
    let (stream, _) = access.open(network, from, to).await?;
    let (asked, asking) = mpsc::unbounded_channel();
    let driving = tokio::spawn(drive(stream, asking));
    Ok((Wire { asked, next: Arc::default() }, driving))
}

impl Wire {
    /// Writes one request, once: it is on its way when this returns, behind those before it. Resolves with its response, for as long as
    /// anybody holds the connection and it stands.
    pub(crate) fn call<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> impl Future<Output = Result<Answered<R::Response>, WireError>> + Send + use<R> {
        let correlation = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = frame(request, version, correlation);
        let (tell, told) = oneshot::channel();
        let taken = self.asked.send(Asked { correlation, frame, tell });
        async move {
            taken.map_err(|_| WireError::NotSent)?;
            let (mut frame, at) = told.await.unwrap_or(Err(WireError::Broken))?;
            let header = R::Response::header_version(version);
            let response = ResponseHeader::decode(&mut frame, header)
                .and_then(|_| R::Response::decode(&mut frame, version))
                .map_err(|_| WireError::Garbled)?;
            Ok(Answered { response, at })
        }
    }
}

/// A request as it is written: length, header, body.
fn frame<R: Request>(request: &R, version: i16, correlation: i32) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
    let mut bytes = BytesMut::with_capacity(512);
    bytes.put_i32(0);
    header
        .encode(&mut bytes, R::header_version(version))
        .and_then(|()| request.encode(&mut bytes, version))
        .expect("a request holds only what its version has");
    let length = i32::try_from(bytes.len() - 4).expect("no request comes near 2 GiB");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.freeze()
}

async fn drive(stream: Stream, mut asking: mpsc::UnboundedReceiver<Asked>) -> &'static str {
    let (mut reader, mut writer) = split(stream);
    let waiting = Waiting::default();
    let why = tokio::select! {
        why = write(&mut writer, &mut asking, &waiting) => why,
        why = read(&mut reader, &waiting) => why,
    };
    asking.close();
    while let Ok(unsent) = asking.try_recv() {
        let _gone = unsent.tell.send(Err(WireError::NotSent));
    }
    why
}

async fn write(
    writer: &mut WriteHalf<Stream>,
    asking: &mut mpsc::UnboundedReceiver<Asked>,
    waiting: &Waiting,
) -> &'static str {
    let mut some = Vec::with_capacity(AT_ONCE);
    let mut bytes = BytesMut::new();
    loop {
        if asking.recv_many(&mut some, AT_ONCE).await == 0 {
            return "the connection was closed";
        }
        // From here on each of them may have been written.
        for Asked { correlation, frame, tell } in some.drain(..) {
            bytes.extend_from_slice(&frame);
            waiting.all().insert(correlation, tell);
        }
        let written = writer.write_all_buf(&mut bytes).await;
        if written.is_err() || writer.flush().await.is_err() {
            return "the connection broke";
        }
    }
}

async fn read(reader: &mut ReadHalf<Stream>, waiting: &Waiting) -> &'static str {
    let mut bytes = BytesMut::with_capacity(16 << 10);
    loop {
        match reader.read_buf(&mut bytes).await {
            Ok(0) => return "the broker closed the connection",
            Ok(_) => {}
            Err(error) => return cause(&error).unwrap_or("the connection broke"),
        }
        let at = Instant::now();
        loop {
            match response(&mut bytes) {
                Ok(None) => break,
                Ok(Some((correlation, frame))) => {
                    let Some(tell) = waiting.all().remove(&correlation) else {
                        return "the broker answered what was not asked";
                    };
                    let _gone = tell.send(Ok((frame, at)));
                }
                Err(why) => return why,
            }
        }
    }
}

/// Takes a whole response from the front, if one is there. Every header begins with the correlation id.
fn response(bytes: &mut BytesMut) -> Result<Option<(i32, Bytes)>, &'static str> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if !(4..=RESPONSE_BYTES_MAX).contains(&length) {
        return Err("the broker does not speak Kafka's protocol");
    }
    if bytes.len() < 4 + length {
        bytes.reserve(4 + length - bytes.len());
        return Ok(None);
    }
    bytes.advance(4);
    let frame = bytes.split_to(length).freeze();
    Ok(Some(((&frame[..4]).get_i32(), frame)))
}
