//! One GET of Patroni's REST interface, from inside the asked node.

use std::io;

use model::NodeId;
use seams::{Network, Origin, SystemError};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{REST_PORT, link::answered};

/// The status and the body, as JSON where it is some.
pub(crate) async fn get(
    network: &dyn Network,
    node: &NodeId,
    path: &str,
) -> Result<(u16, Value), SystemError> {
    let asked = async {
        let mut stream = network.tcp(&Origin::node(node), network.address(node, REST_PORT)).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {node}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).await?;
        read(&answer).ok_or_else(|| io::Error::other("the answer is no HTTP"))
    };
    answered(&format!("ask {node} for {path}"), asked).await
}

fn read(answer: &[u8]) -> Option<(u16, Value)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_told_apart() {
        let answer =
            b"HTTP/1.0 503 Service Unavailable\r\nServer: x\r\n\r\n{\"state\": \"running\"}";
        assert_eq!(read(answer), Some((503, serde_json::json!({"state": "running"}))));
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n\r\n"), Some((200, Value::Null)));
        assert_eq!(read(b"SSH-2.0"), None);
    }
}
