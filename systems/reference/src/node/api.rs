//! The HTTP/1.1 front door.
//!
//! `POST /v1/readings` takes a payload, envelope first, and answers when it is committed. `GET /v1/log/{shard}?from&max&wait&read`
//! gives readings in log order, `GET /v1/current/{asset}/{stream}?read` the newest of a stream, `GET /v1/current?shard&since&observer`
//! all that changed since the cursor of the answer before. Lists are frames of `position u64, length u32, payload`, little endian.
//! `GET /v1/status`, `/v1/ready`, `/v1/version` are JSON. `read` is `local` (the default) or `linearizable`.

use std::{convert::Infallible, fmt::Display, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use model::envelope::Envelope;
use serde_json::json;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use super::{
    args::OnFollower, server::Node, shard::Shard, status, submit::Accepted, types::shard_of,
    wire::Refusal,
};

const PAYLOAD_MAX: usize = 1 << 20;
/// Of one answer with readings.
const ANSWER_BYTES: usize = 1 << 20;
const ANSWER_READINGS: usize = 2_000;
const WAIT_MAX: Duration = Duration::from_secs(30);
pub(crate) const END: &str = "wetdress-end";
pub(crate) const CURSOR: &str = "wetdress-cursor";
pub(crate) const POSITION: &str = "wetdress-position";

type Answer = Response<Full<Bytes>>;

pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: let some go first.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let node = node.clone();
        tokio::spawn(async move {
            // Without it answers could wait for the client's acknowledgement; a socket that refuses it is already gone.
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |request| {
                let node = node.clone();
                async move { Ok::<_, Infallible>(answer(&node, request).await) }
            });
            // The client's trouble is the client's to see.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(node: &Node, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let query = Query(request.uri().query().unwrap_or_default().to_owned());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::POST, ["v1", "readings"]) => post(node, request).await,
        (&Method::GET, ["v1", "log", shard]) => log(node, shard, &query).await,
        (&Method::GET, ["v1", "current"]) => changed(node, &query).await,
        (&Method::GET, ["v1", "current", asset, stream]) => {
            current(node, asset, stream, &query).await
        }
        (&Method::GET, ["v1", "status"]) => json(StatusCode::OK, &status::of(node).await),
        (&Method::GET, ["v1", "ready"]) => ready(node),
        (&Method::GET, ["v1", "version"]) => json(
            StatusCode::OK,
            &json!({"name": "wetdress-reference", "version": env!("CARGO_PKG_VERSION")}),
        ),
        _ => failure(StatusCode::NOT_FOUND, "refused", "no such thing"),
    }
}

async fn post(node: &Node, request: Request<Incoming>) -> Answer {
    let Ok(body) = Limited::new(request.into_body(), PAYLOAD_MAX).collect().await else {
        return failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "refused",
            "failed to read a payload of at most 1 MiB",
        );
    };
    let payload = body.to_bytes();
    let Ok(envelope) = Envelope::read(&payload) else {
        return failure(
            StatusCode::BAD_REQUEST,
            "refused",
            "failed to find an intact envelope at the start of the payload",
        );
    };
    let number = shard_of(envelope.identity.asset, node.args.shards);
    let shard = node.shard(number).expect("the hash stays below the number of shards");
    node.defects.unless_dead(number).await;
    node.defects.unless_stalled(Some(envelope.identity)).await;
    let forward = node.args.on_follower == OnFollower::Forward;
    match node.accept(shard, &envelope, payload, forward).await {
        Ok(Accepted::Written { position, by }) => json(
            StatusCode::OK,
            &json!({"shard": number, "position": position, "node": node.members.name(by)}),
        ),
        Ok(Accepted::Elsewhere { leader }) => elsewhere(node, leader),
        Err(refusal) => refused(refusal),
    }
}

fn elsewhere(node: &Node, leader: u64) -> Answer {
    let Some(address) = node.links.get(&leader).and_then(|link| link.serves()) else {
        return refused(Refusal::NoLeader);
    };
    let mut answer = failure(StatusCode::TEMPORARY_REDIRECT, "refused", "another node leads");
    let location = header::HeaderValue::try_from(format!("http://{address}/v1/readings"));
    answer
        .headers_mut()
        .insert(header::LOCATION, location.expect("an address has no odd characters"));
    answer
}

async fn log(node: &Node, shard: &str, query: &Query) -> Answer {
    let Some(shard) = shard.parse().ok().and_then(|number| node.shard(number)) else {
        return failure(StatusCode::NOT_FOUND, "refused", "no such shard");
    };
    if let Err(refusal) = may_read(node, shard, query).await {
        return refused(refusal);
    }
    let from: u64 = query.number("from").unwrap_or(0);
    let count = query.number("max").unwrap_or(ANSWER_READINGS).min(ANSWER_READINGS);
    let wait = Duration::from_millis(query.number("wait").unwrap_or(0)).min(WAIT_MAX);
    // Nothing new in time is an answer too: an empty one.
    let _ = timeout(wait, shard.view.watch_length().wait_for(|length| *length > from)).await;
    let end = shard.view.length();
    let readings = shard.view.from(from, count, ANSWER_BYTES);
    with(list(readings.iter().zip(from..).map(|(payload, position)| (position, payload))), END, end)
}

async fn current(node: &Node, asset: &str, stream: &str, query: &Query) -> Answer {
    let (Ok(asset), Ok(stream)) = (asset.parse(), stream.parse()) else {
        return failure(
            StatusCode::BAD_REQUEST,
            "refused",
            "failed to read the numbers of an asset and a stream",
        );
    };
    let shard = node
        .shard(shard_of(asset, node.args.shards))
        .expect("the hash stays below the number of shards");
    if let Err(refusal) = may_read(node, shard, query).await {
        return refused(refusal);
    }
    match shard.view.current(asset, stream) {
        Some(value) => with(bytes(value.payload), POSITION, value.position),
        None => failure(StatusCode::NOT_FOUND, "refused", "nothing was written yet"),
    }
}

/// The cursor holds where the last answer ended and its number, so that the node knows what has been seen.
async fn changed(node: &Node, query: &Query) -> Answer {
    let Some(shard) = query.number("shard").and_then(|number| node.shard(number)) else {
        return failure(StatusCode::NOT_FOUND, "refused", "no such shard");
    };
    if let Err(refusal) = may_read(node, shard, query).await {
        return refused(refusal);
    }
    let cursor = query.text("since").and_then(|cursor| cursor.split_once('.'));
    let (since, seen) = cursor
        .and_then(|(since, seen)| Some((since.parse().ok()?, seen.parse().ok()?)))
        .unwrap_or((0, 0));
    let observer = query.text("observer").unwrap_or_default();
    let shown = {
        let mut watchers = node.watchers.lock().expect("no holder panics");
        let watcher = watchers.entry((observer.to_owned(), shard.number)).or_default();
        watcher.show(&shard.view, &node.defects, observer, since, seen)
    };
    with(
        list(shown.values.iter().map(|(position, payload)| (*position, payload))),
        CURSOR,
        format!("{}.{}", shown.since, shown.number),
    )
}

async fn may_read(node: &Node, shard: &Shard, query: &Query) -> Result<(), Refusal> {
    node.defects.unless_stalled(None).await;
    if query.text("read") != Some("linearizable") {
        return Ok(());
    }
    node.caught_up(shard, node.args.request_timeout()).await
}

fn ready(node: &Node) -> Answer {
    let waiting: Vec<u16> = node
        .shards
        .iter()
        .filter(|shard| shard.leader().is_none())
        .map(|shard| shard.number)
        .collect();
    let code = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(code, &json!({"without_leader": waiting}))
}

/// `key=value` pairs; values here need no escaping.
struct Query(String);

impl Query {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
    }

    fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }
}

fn list<'a>(readings: impl Iterator<Item = (u64, &'a Bytes)>) -> Answer {
    let mut body = vec![];
    for (position, payload) in readings {
        body.extend(position.to_le_bytes());
        body.extend(
            u32::try_from(payload.len()).expect("payloads are at most 1 MiB").to_le_bytes(),
        );
        body.extend_from_slice(payload);
    }
    bytes(body.into())
}

fn bytes(body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/octet-stream"));
    answer
}

fn json(code: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = code;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

fn with(mut answer: Answer, name: &'static str, value: impl Display) -> Answer {
    let value = header::HeaderValue::try_from(value.to_string()).expect("numbers and dots");
    answer.headers_mut().insert(name, value);
    answer
}

/// `outcome` is what the client may believe: `refused` is definite.
fn failure(code: StatusCode, outcome: &str, why: &str) -> Answer {
    json(code, &json!({"outcome": outcome, "error": why}))
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::NotLeader | Refusal::NoLeader => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "refused",
            "nobody leads the shard, or the leader cannot be reached",
        ),
        Refusal::Full => failure(
            StatusCode::INSUFFICIENT_STORAGE,
            "refused",
            "the node keeps as many bytes as it may",
        ),
        Refusal::Unknown => {
            failure(StatusCode::GATEWAY_TIMEOUT, "unknown", "the reading may have been written")
        }
    }
}
