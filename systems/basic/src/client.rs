//! How probes and observers ask: one connection to a node, one question at a time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use model::NodeId;
use seams::{Network, Origin, SystemError};
use tokio::{
    task::{AbortHandle, spawn},
    time::timeout,
};

use crate::PORT;

/// Patience with one answer.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// It closes when it is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    send: http1::SendRequest<Empty<Bytes>>,
    host: String,
    driving: AbortHandle,
}

impl Client {
    pub(crate) async fn connect(
        network: &dyn Network,
        from: &Origin,
        node: &NodeId,
    ) -> Result<Self, SystemError> {
        let to = network.address(node, PORT);
        let doing = || format!("connect to {node}");
        let connecting = async {
            let stream = network.tcp(from, to).await;
            let stream = stream.map_err(|source| SystemError::Io { doing: doing(), source })?;
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| answer(&doing(), &error))
        };
        let (send, connection) = within(CALL_TIMEOUT, &doing(), connecting).await?;
        let driving = spawn(async move {
            // What goes wrong is told by the request that was under way.
            let _ = connection.await;
        });
        Ok(Self { send, host: to.to_string(), driving: driving.abort_handle() })
    }

    /// An answer that must be 200, and its whole body.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        patience: Duration,
    ) -> Result<Response<Bytes>, SystemError> {
        let doing = format!("ask {} for {path}", self.host);
        let request = Request::get(path).header(HOST, &self.host).body(Empty::new());
        let request = request.map_err(|error| answer(&doing, &error))?;
        let asking = async {
            self.send.ready().await.map_err(|error| answer(&doing, &error))?;
            let response = self.send.send_request(request).await;
            let (head, body) = response.map_err(|error| answer(&doing, &error))?.into_parts();
            let body = body.collect().await.map_err(|error| answer(&doing, &error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        let response = within(patience, &doing, asking).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            other => Err(SystemError::Answer { doing, why: other.to_string() }),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// One question to a node from inside itself.
pub(crate) async fn probe(
    network: &dyn Network,
    node: &NodeId,
    path: &str,
) -> Result<Response<Bytes>, SystemError> {
    let mut client = Client::connect(network, &Origin::node(node), node).await?;
    client.get(path, CALL_TIMEOUT).await
}

fn answer(doing: &str, why: &dyn std::error::Error) -> SystemError {
    SystemError::Answer { doing: doing.to_owned(), why: why.to_string() }
}

async fn within<T>(
    patience: Duration,
    doing: &str,
    call: impl Future<Output = Result<T, SystemError>>,
) -> Result<T, SystemError> {
    timeout(patience, call).await.unwrap_or_else(|_| {
        let why = format!("no answer within {patience:?}");
        Err(SystemError::Answer { doing: doing.to_owned(), why })
    })
}
