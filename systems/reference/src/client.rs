//! One HTTP/1.1 connection to a node, over a stream that the caller brought. It never reconnects and never repeats a request.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode, Uri,
    client::conn::http1,
    header::{self, HeaderValue},
    http,
};
use hyper_util::rt::TokioIo;
use seams::{Disconnect, SILENT_KEPT};
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    time::sleep,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("failed to connect: {0}")]
    Connect(#[source] io::Error),
    #[error("failed to exchange a request: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("failed to understand an answer: {0}")]
    Answer(String),
}

/// Status, headers, and the whole body.
pub type Answer = http::Response<Bytes>;

/// The connection ends when this is dropped.
#[derive(Debug)]
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    host: HeaderValue,
    /// How to part; dropped without a word it is a close.
    part: Option<oneshot::Sender<Disconnect>>,
    gone: watch::Receiver<()>,
}

impl Client {
    pub async fn over(stream: TcpStream) -> Result<Self, ClientError> {
        let host =
            stream.peer_addr().and_then(|peer| stream.set_nodelay(true).map(|()| peer.to_string()));
        let host = HeaderValue::try_from(host.map_err(ClientError::Connect)?)
            .map_err(|error| ClientError::Connect(io::Error::other(error)))?;
        let (sender, mut connection) = http1::handshake(TokioIo::new(stream)).await?;
        let (how_to_part, told) = oneshot::channel();
        let (alive, gone) = watch::channel(());
        tokio::spawn(async move {
            let _alive = alive;
            tokio::select! {
                // What goes wrong is told by the request that was under way.
                _ = &mut connection => {}
                how = told => part(connection.into_parts().io.into_inner(), how.unwrap_or(Disconnect::Close)).await,
            }
        });
        Ok(Self { sender, host, part: Some(how_to_part), gone })
    }

    /// A handle that resolves when the connection has ended by itself.
    pub fn gone(&self) -> Gone {
        Gone(self.gone.clone())
    }

    pub fn disconnect(mut self, how: Disconnect) {
        if let Some(part) = self.part.take() {
            // Without a receiver it is gone already.
            let _ = part.send(how);
        }
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        let uri = path.parse().map_err(|error: http::uri::InvalidUri| {
            ClientError::Answer(format!("`{path}`: {error}"))
        })?;
        self.exchange(Method::GET, uri, Bytes::new()).await
    }

    /// `path` is one that is written in a program: it is not read anew for each request.
    ///
    /// # Panics
    /// If `path` is no path.
    pub async fn post(&mut self, path: &'static str, body: Bytes) -> Result<Answer, ClientError> {
        self.exchange(Method::POST, Uri::from_static(path), body).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        uri: Uri,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::HOST, self.host.clone());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Answer::from_parts(head, body.collect().await?.to_bytes()))
    }
}

/// The end of a connection.
#[derive(Clone, Debug)]
pub struct Gone(watch::Receiver<()>);

impl Gone {
    pub async fn wait(mut self) {
        // Nothing is ever sent: it is the sender's end that is waited for.
        while self.0.changed().await.is_ok() {}
    }
}

async fn part(stream: TcpStream, how: Disconnect) {
    match how {
        Disconnect::Close => {}
        // If the kernel refuses, the other side sees a close.
        Disconnect::Reset => drop(stream.set_zero_linger()),
        Disconnect::Silent => sleep(SILENT_KEPT).await,
    }
    drop(stream);
}

/// The JSON of an answer that must be 200.
pub fn json<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, ClientError> {
    if answer.status() != StatusCode::OK {
        return Err(ClientError::Answer(format!(
            "{}: {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
        )));
    }
    serde_json::from_slice(answer.body()).map_err(|error| ClientError::Answer(error.to_string()))
}

/// The frames of an answer that must be 200: positions and payloads.
pub fn readings(answer: &Answer) -> Result<Vec<(u64, Bytes)>, ClientError> {
    if answer.status() != StatusCode::OK {
        return Err(ClientError::Answer(format!(
            "{}: {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
        )));
    }
    let (mut rest, mut found) = (answer.body().clone(), vec![]);
    while let Some((position, after)) = rest.split_first_chunk::<8>()
        && let Some((length, after)) = after.split_first_chunk::<4>()
    {
        let (position, length) =
            (u64::from_le_bytes(*position), u32::from_le_bytes(*length) as usize);
        if after.len() < length {
            break;
        }
        let _ = rest.split_to(12);
        found.push((position, rest.split_to(length)));
    }
    if rest.is_empty() {
        Ok(found)
    } else {
        Err(ClientError::Answer("a list that ends inside a frame".into()))
    }
}

/// A number in a header of an answer, such as `wetdress-end`.
pub fn header_text<'a>(answer: &'a Answer, name: &str) -> Result<&'a str, ClientError> {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| ClientError::Answer(format!("no `{name}` header")))
}
