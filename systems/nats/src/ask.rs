//! The monitoring pages of a server, asked from inside its own node.

use std::net::SocketAddr;

use seams::{Network, Origin, SystemError};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::CALL_TIMEOUT;

/// A page as JSON. HTTP/1.0: the server ends its answer by closing, and never in chunks.
pub(crate) async fn page(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    path: &str,
) -> Result<Value, SystemError> {
    let doing = format!("read http://{to}{path}");
    let asking = async {
        let mut stream = network.tcp(from, to).await?;
        let ask = format!("GET {path} HTTP/1.0\r\nhost: {to}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).await.map(|_| answer)
    };
    let answer = match timeout(CALL_TIMEOUT, asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return Err(SystemError::Io { doing, source }),
        Err(_) => {
            return Err(SystemError::Answer {
                doing,
                why: format!("no answer within {CALL_TIMEOUT:?}"),
            });
        }
    };
    body(&answer).map_err(|why| SystemError::Answer { doing, why })
}

fn body(answer: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("it is no HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("{status}: {}", body.trim()));
    }
    serde_json::from_str(body).map_err(|error| error.to_string())
}
