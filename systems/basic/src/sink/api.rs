//! Requests.
//!
//! | request | answer |
//! |---|---|
//! | `POST /readings`, an intact envelope first | 204 with `wetdress-position`, once it is stored; 400 for anything else |
//! | `GET /readings?after=P&limit=N&wait=MS&format=binary` | readings after a position, oldest first, with `wetdress-passed` and `wetdress-forgotten`; `format=json` for a line of JSON each |
//! | `POST /null`, `GET /null` | 204: read and forgotten, for tools that send no readings |
//! | `GET /health` | 200 with JSON: version and counts |
//!
//! A binary reading is that of `reading`.
//! `wetdress-passed` is what to ask after next: everything up to there was shown. Up to `wetdress-forgotten` readings are missing: they are no longer kept.

use std::{fmt::Write, str::FromStr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use model::Identity;
use seams::monotonic_ns;
use serde_json::json;
use tokio::time::timeout;

use super::shared::{PAYLOAD_MAX, Shared};
use crate::reading::{FORGOTTEN, PASSED, POSITION, Reading};

const LIMIT: usize = 10_000;
const LIMIT_MAX: usize = 100_000;
const WAIT_MAX: Duration = Duration::from_secs(30);

type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(shared: &Shared, request: Request<Incoming>) -> Answer {
    let version = request.version();
    let answer = match (request.uri().path(), request.method()) {
        ("/readings", &Method::POST) => post(shared, request).await,
        ("/readings", &Method::GET) => read(shared, request.uri().query().unwrap_or("")).await,
        ("/null", &Method::POST | &Method::GET) => null(shared, request).await,
        ("/health", &Method::GET) => health(shared),
        ("/readings" | "/null" | "/health", _) => {
            failure(StatusCode::METHOD_NOT_ALLOWED, "no such method here")
        }
        _ => failure(StatusCode::NOT_FOUND, "no such thing"),
    };
    let counts = &mut shared.state().counts;
    match version {
        Version::HTTP_2 => counts.http2 += 1,
        _ => counts.http1 += 1,
    }
    answer
}

/// The whole body; None where it is too long, or does not come.
async fn body(request: Request<Incoming>) -> Option<Bytes> {
    let body = Limited::new(request.into_body(), PAYLOAD_MAX).collect().await;
    body.ok().map(http_body_util::Collected::to_bytes)
}

async fn post(shared: &Shared, request: Request<Incoming>) -> Answer {
    let body = body(request).await;
    shared.unless_stalled().await;
    match shared.store(&body.unwrap_or_default()) {
        Some(position) => with(empty(), POSITION, position),
        None => failure(StatusCode::BAD_REQUEST, "no intact envelope within the first 1 MiB"),
    }
}

async fn null(shared: &Shared, request: Request<Incoming>) -> Answer {
    let _forgotten = body(request).await;
    shared.unless_stalled().await;
    shared.forget();
    empty()
}

async fn read(shared: &Shared, query: &str) -> Answer {
    shared.unless_stalled().await;
    let text =
        |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let after = number(text("after")).unwrap_or(0);
    let limit = number(text("limit")).unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let wait = Duration::from_millis(number(text("wait")).unwrap_or(0)).min(WAIT_MAX);
    let something = async {
        loop {
            let stored = shared.stored.notified();
            if shared.state().kept.has_after(after) {
                return;
            }
            stored.await;
        }
    };
    // Nothing new in time is an answer too: an empty one.
    let _ = timeout(wait, something).await;
    let mut state = shared.state();
    let page = state.kept.after(after, limit, monotonic_ns() / 1000);
    let forgotten = state.kept.forgotten();
    drop(state);
    let answer = match text("format") {
        Some("json") => typed("application/x-ndjson", lines(&page.readings)),
        _ => typed("application/octet-stream", Reading::write_all(&page.readings).into()),
    };
    with(with(answer, PASSED, page.passed), FORGOTTEN, forgotten)
}

fn health(shared: &Shared) -> Answer {
    let state = shared.state();
    let text = json!({
        "name": "wetdress-sink",
        "version": env!("CARGO_PKG_VERSION"),
        "kept": state.kept.count(),
        "counts": state.counts,
    });
    typed("application/json", text.to_string().into())
}

fn number<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

fn lines(readings: &[Reading]) -> Bytes {
    let mut body = String::new();
    for Reading { position, run, identity, attempt } in readings {
        let Identity { asset, stream, boot, seq } = identity;
        let line = json!({
            "position": position, "run": run, "asset": asset, "stream": stream, "boot": boot, "seq": seq, "attempt": attempt
        });
        let _a_string_takes_everything = writeln!(body, "{line}");
    }
    body.into()
}

fn empty() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn typed(what: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(what));
    answer
}

fn failure(code: StatusCode, why: &str) -> Answer {
    let mut answer = typed("application/json", json!({"error": why}).to_string().into());
    *answer.status_mut() = code;
    answer
}

fn with(mut answer: Answer, name: &'static str, value: u64) -> Answer {
    answer.headers_mut().insert(name, value.into());
    answer
}
