//! One HTTP/2 connection on one socket of the network, as the service that tonic's generated clients call.
//!
//! Absent on purpose: reconnecting, retrying, balancing, request deadlines. A wire that has ended stays ended, and says of each request
//! whether it can have been written. tonic's own `Channel` reconnects inside a request, which would hide an outage in a latency.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use seams::{
    LastRead, Network, Origin, Site,
    secure::{Access, Credentials},
};
use tokio::{task::JoinHandle, time::Instant};
use tonic::body::Body;

/// Fixed windows, in bytes: an adaptive one measures by pings, which etcd counts against the client.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// HTTP/2 pings: sent after this long without a byte from the server while requests are open; the connection is given up when
/// `timeout` more passes in silence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keepalive {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// A handle on a connection. Clones share it; it closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    send: SendRequest<Body>,
    pub(crate) origin: Uri,
    read: LastRead,
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// Certain: hyper gave the request back, or was never given it.
    #[error("the connection had ended before the request was written")]
    NotSent,
    #[error("the connection broke under the request: {0}")]
    Broken(#[source] hyper::Error),
}

/// What a client of the service shows and believes.
pub(crate) fn access(site: &Site, given: &Credentials) -> Access {
    site.access(given).offering(&["h2"])
}

/// Connects, and drives the connection in a task that resolves with the reason when it has ended. The server has not said a word yet when this returns.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    keepalive: Keepalive,
    access: &Access,
) -> io::Result<(Wire, JoinHandle<&'static str>)> {
    let (stream, read) = access.open(network, from, to).await?;
    let (send, driving) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(keepalive.interval)
        .keep_alive_timeout(keepalive.timeout)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let scheme = if access.tls.is_some() { "https" } else { "http" };
    let origin =
        Uri::builder().scheme(scheme).authority(to.to_string()).path_and_query("/").build();
    let wire = Wire { send, origin: origin.expect("a socket address is an authority"), read };
    let driving = tokio::spawn(async move {
        match driving.await {
            Ok(()) => "the connection was closed",
            Err(error) if error.is_timeout() => "a keep-alive ping was not answered",
            Err(_) => "the connection broke",
        }
    });
    Ok((wire, driving))
}

impl Wire {
    /// Why the member broke off, where it said so.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        self.read.refusal()
    }

    /// When the newest bytes from the server were read: the stamp for an answer that has just been handed out.
    pub(crate) fn last_read(&self) -> Instant {
        self.read.at()
    }
}

/// An error and all its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl tower_service::Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = WireError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, WireError>> + Send>>;

    /// Always ready: tonic drops the cause of a failure here, so that an ended connection is told by `call`.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.send.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|mut refusal| match refusal.take_message() {
                Some(_) => WireError::NotSent,
                None => WireError::Broken(refusal.into_error()),
            })
        })
    }
}
