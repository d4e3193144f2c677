//! The few calls of etcd that wetdress makes, each once, on one wire.

use std::future::Future;

use prost::bytes::Bytes;
use seams::SystemError;
use tokio::time::timeout;
use tonic::{Request, Status, Streaming, codegen::tokio_stream, metadata::MetadataValue};

use crate::{
    CALL_TIMEOUT, keys,
    proto::etcdserverpb::{
        PutRequest, RangeRequest, RangeResponse, StatusRequest, StatusResponse, WatchCreateRequest,
        WatchRequest, WatchResponse,
        kv_client::KvClient,
        maintenance_client::MaintenanceClient,
        range_request::{SortOrder, SortTarget},
        watch_client::WatchClient,
        watch_request::RequestUnion,
    },
    wire::{Wire, chain},
};

/// Keys of one page of a read-back.
const PAGE: i64 = 1000;

/// Puts a key, and returns the revision at which it was applied. A member without a leader refuses at once (`hasleader`).
pub(crate) async fn put(wire: &Wire, key: Bytes, value: Bytes) -> Result<u64, Status> {
    let mut request = Request::new(PutRequest { key, value });
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    let answer = kv(wire).put(request).await?.into_inner();
    answer
        .header
        .map(|header| revision(header.revision))
        .ok_or_else(|| Status::unknown("a put was answered without a header"))
}

/// What the member knows of itself; it needs no leader for that.
pub(crate) async fn status(wire: &Wire) -> Result<StatusResponse, Status> {
    let mut client = MaintenanceClient::with_origin(wire.clone(), wire.origin.clone());
    Ok(client.status(StatusRequest {}).await?.into_inner())
}

/// The newest key of a run, without its value, by a linearizable read: the member answers from its own store when it has applied
/// everything that a quorum had committed at the time of asking.
pub(crate) async fn newest(wire: &Wire, run: u64) -> Result<RangeResponse, Status> {
    let request = RangeRequest {
        key: keys::prefix(run),
        range_end: keys::end(run),
        limit: 1,
        sort_order: SortOrder::Descend.into(),
        sort_target: SortTarget::Mod.into(),
        keys_only: true,
        ..RangeRequest::default()
    };
    Ok(kv(wire).range(request).await?.into_inner())
}

/// One page of a run as it was at `at_revision`, from the member's own store.
pub(crate) async fn page(
    wire: &Wire,
    run: u64,
    from: Vec<u8>,
    at_revision: i64,
) -> Result<RangeResponse, Status> {
    let request = RangeRequest {
        key: from,
        range_end: keys::end(run),
        limit: PAGE,
        revision: at_revision,
        serializable: true,
        ..RangeRequest::default()
    };
    Ok(kv(wire).range(request).await?.into_inner())
}

/// Everything that is put under a run, from a revision on, that one included.
pub(crate) async fn watch(
    wire: &Wire,
    run: u64,
    start_revision: i64,
) -> Result<Streaming<WatchResponse>, Status> {
    let create = WatchCreateRequest {
        key: keys::prefix(run),
        range_end: keys::end(run),
        start_revision,
        progress_notify: false,
    };
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    // The server ends the watch when our half of the stream ends, so it stays open.
    let asking =
        tokio_stream::StreamExt::chain(tokio_stream::once(create), tokio_stream::pending());
    let client = WatchClient::with_origin(wire.clone(), wire.origin.clone());
    Ok(client.max_decoding_message_size(usize::MAX).watch(asking).await?.into_inner())
}

/// Waits for an answer, for a while: a stopped server accepts connections and says nothing.
pub(crate) async fn answered<T>(
    doing: &str,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, SystemError> {
    let why = match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(status)) => chain(&status),
        Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
    };
    Err(SystemError::Answer { doing: doing.to_owned(), why })
}

/// Revisions count from 1 and never go back.
pub(crate) fn revision(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or(0)
}

fn kv(wire: &Wire) -> KvClient<Wire> {
    KvClient::with_origin(wire.clone(), wire.origin.clone()).max_decoding_message_size(usize::MAX)
}
