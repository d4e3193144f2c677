//! The few calls of Kafka that wetdress makes, each once, on one wire, each at one version.
//!
//! Versions are the last ones that name topics by name; every broker from 3.0 to 4.x speaks them.

use std::{future::Future, time::SystemTime};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    error::{ParseResponseErrorCode, ResponseError},
    indexmap::IndexMap,
    messages::{
        ApiVersionsRequest, BrokerId, CreateTopicsRequest, DescribeQuorumRequest, FetchRequest,
        ListOffsetsRequest, MetadataRequest, ProduceRequest, TopicName,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        describe_quorum_request,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::StrBytes,
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
        Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    },
};
use seams::SystemError;
use tokio::time::{Instant, timeout};

use crate::{
    CALL_TIMEOUT,
    topic::{Partition, View},
    wire::{Answered, Wire, WireError},
};

/// The log of the cluster's own metadata, which the controllers keep.
const METADATA_LOG: &str = "__cluster_metadata";
/// Bytes of one answer of a fetch, about.
const FETCH_BYTES: i32 = 4 << 20;
/// A consumer, and no replica.
const CONSUMER: BrokerId = BrokerId(-1);

/// Why a call was not answered as hoped.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the broker says {0}")]
    Said(ResponseError),
    #[error("the answer says nothing of what was asked")]
    Silent,
}

/// Records to append to one partition, with their keys.
pub(crate) struct Produce<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) records: Vec<(Bytes, Bytes)>,
    /// -1: every replica in sync; 1: the leader alone.
    pub(crate) acks: i16,
    /// How long the broker waits for the other replicas.
    pub(crate) timeout_ms: i32,
}

/// What a broker said of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// Its offset, or why there is none.
    pub(crate) appended: Result<u64, ResponseError>,
    pub(crate) at: Instant,
}

impl Said {
    /// Of the record at this place of the batch. Its records lie behind each other, or nowhere.
    pub(crate) fn of(self, place: u64) -> Self {
        Self { appended: self.appended.map(|base| base + place), ..self }
    }
}

/// Appends records as one batch, all or none of them; what is said is said of the first one. On its way when this returns.
pub(crate) fn produce(
    wire: &Wire,
    of: Produce<'_>,
) -> impl Future<Output = Result<Said, CallError>> + Send + use<> {
    let partition = PartitionProduceData::default()
        .with_index(of.partition)
        .with_records(Some(batch(of.records, now_ms())));
    let topic = TopicProduceData::default()
        .with_name(topic_name(of.topic))
        .with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_acks(of.acks)
        .with_timeout_ms(of.timeout_ms)
        .with_topic_data(vec![topic]);
    let answer = wire.call(&request, 9);
    async move {
        let Answered { response, at } = answer.await?;
        let said = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let said = said.ok_or(CallError::Silent)?;
        let appended = match said.error_code.err() {
            None => Ok(offset(said.base_offset)),
            Some(error) => Err(error),
        };
        Ok(Said { appended, at })
    }
}

/// A batch as it is written; `timestamp` in milliseconds since 1970.
pub(crate) fn batch(records: Vec<(Bytes, Bytes)>, timestamp: i64) -> Bytes {
    let record = |(offset, (key, value))| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset,
        // The encoder takes records for one batch as long as their sequences grow with their offsets.
        sequence: NO_SEQUENCE.wrapping_add(i32::try_from(offset).unwrap_or(0)),
        timestamp,
        key: Some(key),
        value: Some(value),
        headers: IndexMap::new(),
    };
    let records: Vec<Record> = (0..).zip(records).map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut bytes = BytesMut::with_capacity(512);
    RecordBatchEncoder::encode(&mut bytes, &records, &options)
        .expect("records without compression are a batch");
    bytes.freeze()
}

/// As records carry it. Nothing that is measured comes from it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The broker's own view of a topic. It asks nobody for it.
pub(crate) async fn metadata(wire: &Wire, topic: &str) -> Result<View, CallError> {
    let asked = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked]))
        .with_allow_auto_topic_creation(false);
    let Answered { response, .. } = wire.call(&request, 12).await?;
    let brokers = response.brokers.iter().map(|broker| broker.node_id.0).collect();
    let of_topic = response.topics.first().ok_or(CallError::Silent)?;
    let partitions = match of_topic.error_code.err() {
        None => of_topic.partitions.iter(),
        Some(ResponseError::UnknownTopicOrPartition) => [].iter(),
        Some(error) => return Err(CallError::Said(error)),
    };
    let ids = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
    let partitions = partitions.map(|partition| {
        let known = Partition {
            leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
            epoch: partition.leader_epoch,
            replicas: ids(&partition.replica_nodes),
            in_sync: ids(&partition.isr_nodes),
        };
        (partition.partition_index, known)
    });
    Ok(View { brokers, partitions: partitions.collect() })
}

/// The epoch in which this controller is the active one; None where it is not. Asked on a controller's own listener, which answers for
/// itself; a broker would ask the active controller, and hang without one.
pub(crate) async fn controller_epoch(wire: &Wire) -> Result<Option<u64>, CallError> {
    let partition = describe_quorum_request::PartitionData::default().with_partition_index(0);
    let topic = describe_quorum_request::TopicData::default()
        .with_topic_name(topic_name(METADATA_LOG))
        .with_partitions(vec![partition]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let Answered { response, .. } = wire.call(&request, 0).await?;
    let of_log = response.topics.first().and_then(|topic| topic.partitions.first());
    let error = response.error_code.err().or(of_log.and_then(|of| of.error_code.err()));
    match (error, of_log) {
        (None, Some(of_log)) => Ok(u64::try_from(of_log.leader_epoch).ok()),
        (Some(ResponseError::NotLeaderOrFollower), _) => Ok(None),
        (Some(error), _) => Err(CallError::Said(error)),
        (None, None) => Err(CallError::Silent),
    }
}

/// Features that the cluster has settled on, such as `metadata.version`, each with its level.
pub(crate) async fn features(wire: &Wire) -> Result<Vec<(String, i16)>, CallError> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("wetdress"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let Answered { response, .. } = wire.call(&request, 3).await?;
    if let Some(error) = response.error_code.err() {
        return Err(CallError::Said(error));
    }
    let features = response.finalized_features.into_iter();
    Ok(features.map(|of| (of.name.to_string(), of.max_version_level)).collect())
}

/// Makes a topic whose replicas are where we say, the first of each the preferred leader. The broker hands it to the controller.
pub(crate) async fn create(
    wire: &Wire,
    topic: &str,
    placed: &[Vec<i32>],
    configs: &[(&'static str, String)],
) -> Result<(), CallError> {
    let placed = (0..).zip(placed).map(|(index, replicas)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(replicas.iter().copied().map(BrokerId).collect())
    });
    let configs = configs.iter().map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value.clone())))
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(placed.collect())
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let Answered { response, .. } = wire.call(&request, 7).await?;
    match response.topics.first().ok_or(CallError::Silent)?.error_code.err() {
        None => Ok(()),
        Some(error) => Err(CallError::Said(error)),
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// What the reader knows; a broker that knows a later one, or an earlier one, refuses. -1: whatever it knows.
    pub(crate) epoch: i32,
    /// How long the broker may wait for something to come.
    pub(crate) wait_ms: i32,
}

/// A piece of a log.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Whole batches, the last one perhaps cut off. The first may begin before what was asked for.
    pub(crate) records: Bytes,
    /// The first offset that is still there.
    pub(crate) start: i64,
    pub(crate) at: Instant,
}

/// Reads a piece of a log that this broker holds, as leader or as follower, up to what it knows to be replicated.
pub(crate) async fn fetch(wire: &Wire, at: At<'_>) -> Result<Piece, CallError> {
    let partition = FetchPartition::default()
        .with_partition(at.partition)
        .with_current_leader_epoch(at.epoch)
        .with_fetch_offset(at.offset)
        .with_partition_max_bytes(FETCH_BYTES);
    let topic =
        FetchTopic::default().with_topic(topic_name(at.topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(CONSUMER)
        .with_max_wait_ms(at.wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let Answered { response, at } = wire.call(&request, 12).await?;
    if let Some(error) = response.error_code.err() {
        return Err(CallError::Said(error));
    }
    let of = response.responses.into_iter().next().and_then(|of| of.partitions.into_iter().next());
    let of = of.ok_or(CallError::Silent)?;
    match of.error_code.err() {
        None => {
            Ok(Piece { records: of.records.unwrap_or_default(), start: of.log_start_offset, at })
        }
        Some(error) => Err(CallError::Said(error)),
    }
}

/// For [`bound`]: the first offset of a log, and the one behind the last that consumers see.
pub(crate) const EARLIEST: i64 = -2;
pub(crate) const LATEST: i64 = -1;

/// Where a log begins or ends, by the leader; `at.offset` is [`EARLIEST`] or [`LATEST`].
pub(crate) async fn bound(wire: &Wire, at: At<'_>) -> Result<i64, CallError> {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(at.partition)
        .with_current_leader_epoch(at.epoch)
        .with_timestamp(at.offset);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(at.topic))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(CONSUMER).with_topics(vec![topic]);
    let Answered { response, .. } = wire.call(&request, 7).await?;
    let of = response.topics.first().and_then(|of| of.partitions.first());
    let of = of.ok_or(CallError::Silent)?;
    match of.error_code.err() {
        None => Ok(of.offset),
        Some(error) => Err(CallError::Said(error)),
    }
}

/// Waits for an answer, for a while: a stopped broker accepts connections and says nothing.
pub(crate) async fn answered<T>(
    doing: impl FnOnce() -> String,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, SystemError> {
    let why = match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
    };
    Err(SystemError::Answer { doing: doing(), why })
}

/// Offsets count from 0.
pub(crate) fn offset(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or(0)
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
