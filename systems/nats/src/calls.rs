//! The few requests of JetStream that are made, each once, on one wire.

use bytes::Bytes;
use seams::SystemError;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    CALL_TIMEOUT,
    wire::{Come, Wire},
};

/// What the leader of a stream says of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StreamInfo {
    pub(crate) state: StreamState,
    #[serde(default)]
    pub(crate) cluster: StreamCluster,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StreamState {
    pub(crate) last_seq: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StreamCluster {
    pub(crate) leader: Option<String>,
    /// All but the leader.
    pub(crate) replicas: Vec<Replica>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Replica {
    pub(crate) current: bool,
    #[serde(default)]
    pub(crate) offline: bool,
}

impl Replica {
    /// By the leader's word. What is under way just now (`lag`) is no copy too few.
    pub(crate) fn is_in_step(&self) -> bool {
        self.current && !self.offline
    }
}

pub(crate) async fn stream_info(wire: &Wire, stream: &str) -> Result<StreamInfo, SystemError> {
    let doing = format!("ask for the stream {stream}");
    let answer = call(wire, &doing, format!("$JS.API.STREAM.INFO.{stream}"), None).await?;
    serde_json::from_value(answer)
        .map_err(|error| SystemError::Answer { doing, why: error.to_string() })
}

/// Makes a stream; one that is there as wanted is left alone.
pub(crate) async fn create_stream(
    wire: &Wire,
    stream: &str,
    subjects: &[String],
    replicas: u32,
) -> Result<(), SystemError> {
    let config = json!({
        "name": stream, "subjects": subjects, "retention": "limits", "storage": "file", "discard": "old",
        "num_replicas": replicas, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0,
    });
    let doing = format!("make the stream {stream}");
    call(wire, &doing, format!("$JS.API.STREAM.CREATE.{stream}"), Some(&config)).await.map(|_| ())
}

/// The names of all streams.
pub(crate) async fn streams(wire: &Wire) -> Result<Vec<String>, SystemError> {
    #[derive(Deserialize)]
    struct Names {
        streams: Option<Vec<String>>,
    }
    let doing = "ask for the streams";
    let answer = call(wire, doing, "$JS.API.STREAM.NAMES".to_owned(), None).await?;
    let failed = |error: serde_json::Error| SystemError::Answer {
        doing: doing.to_owned(),
        why: error.to_string(),
    };
    Ok(serde_json::from_value::<Names>(answer).map_err(failed)?.streams.unwrap_or_default())
}

/// Everything that a stream holds from a sequence on, and what comes to it, in order. The consumer lives in the memory of one server, acks nothing,
/// and is gone some seconds after the connection.
pub(crate) async fn consume(
    wire: &Wire,
    stream: &str,
    from: u64,
) -> Result<mpsc::UnboundedReceiver<Come>, SystemError> {
    const NS_PER_S: u64 = 1_000_000_000;
    let (inbox, come) = wire.subscribe();
    let asked = json!({
        "stream_name": stream,
        "config": {
            "deliver_subject": inbox, "deliver_policy": "by_start_sequence", "opt_start_seq": from.max(1),
            "ack_policy": "none", "replay_policy": "instant", "mem_storage": true, "num_replicas": 1,
            "idle_heartbeat": NS_PER_S, "inactive_threshold": 5 * NS_PER_S,
        },
    });
    let doing = format!("consume the stream {stream}");
    call(wire, &doing, format!("$JS.API.CONSUMER.CREATE.{stream}"), Some(&asked)).await?;
    Ok(come)
}

async fn call(
    wire: &Wire,
    doing: &str,
    subject: String,
    asked: Option<&Value>,
) -> Result<Value, SystemError> {
    let payload = asked.map_or_else(Bytes::new, |asked| asked.to_string().into());
    let failed = |why: String| SystemError::Answer { doing: doing.to_owned(), why };
    let answered = timeout(CALL_TIMEOUT, wire.request(subject, Bytes::new(), payload)).await;
    let (message, _) = answered
        .map_err(|_| failed(format!("no answer within {CALL_TIMEOUT:?}")))?
        .map_err(|error| failed(error.to_string()))?;
    if let Some(status) = message.status {
        return Err(failed(format!("the server answered with the status {status}")));
    }
    let answer: Value =
        serde_json::from_slice(&message.payload).map_err(|error| failed(error.to_string()))?;
    match answer.get("error") {
        Some(error) => {
            let text = error.get("description").and_then(Value::as_str);
            Err(failed(text.map_or_else(|| error.to_string(), str::to_owned)))
        }
        None => Ok(answer),
    }
}
