//! A broker that follows a script: it says that it leads, and does with what is produced whatever the test wants.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    error::ResponseError,
    messages::{
        BrokerId, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
        RequestHeader, ResponseHeader,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request},
    records::RecordBatchDecoder,
};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{Driver, Network, Origin, Site};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};

use crate::assets::RUN;

/// What becomes of a produce.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    Ack,
    /// Appended, and never answered.
    Swallow,
    /// Appended once, answered twice.
    Repeat,
    /// Answered with an error.
    Refuse(ResponseError),
    /// Appended, and the connection is closed instead of an answer.
    HangUp,
}

#[derive(Debug)]
pub(crate) struct Broker {
    at: SocketAddr,
    script: Mutex<Script>,
    /// Accepts connections and says nothing.
    pub(crate) stands_still: AtomicBool,
    /// Keys of the records that were produced, in order of arrival, by request.
    produced: Mutex<Vec<Vec<String>>>,
}

impl Broker {
    /// Listens on loopback; lives in tasks of its own.
    #[allow(clippy::disallowed_methods, reason = "this is the test's network")]
    pub(crate) async fn start(script: Script) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let broker = Arc::new(Self {
            at: listener.local_addr().expect("it is bound"),
            script: Mutex::new(script),
            stands_still: AtomicBool::default(),
            produced: Mutex::default(),
        });
        let accepting = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        broker
    }

    pub(crate) fn follow(&self, script: Script) {
        *self.script.lock().expect("no test panicked") = script;
    }

    pub(crate) fn produced(&self) -> Vec<String> {
        self.requests().concat()
    }

    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        self.produced.lock().expect("no test panicked").clone()
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let length = stream.read_i32().await?;
            let mut frame = vec![0; usize::try_from(length).expect("lengths are positive")];
            stream.read_exact(&mut frame).await?;
            if self.stands_still.load(Ordering::Relaxed) {
                continue;
            }
            let answers = match (&frame[..2]).get_i16() {
                MetadataRequest::KEY => vec![answer::<MetadataRequest>(frame.into(), |_| leads())],
                ProduceRequest::KEY => match self.produce(frame.into()) {
                    Some(answers) => answers,
                    None => return Ok(()),
                },
                other => panic!("nobody should ask for {other}"),
            };
            for answer in answers {
                stream.write_all(&answer).await?;
            }
        }
    }

    /// The answers to a produce; None to hang up.
    fn produce(&self, frame: Bytes) -> Option<Vec<Bytes>> {
        let script = *self.script.lock().expect("no test panicked");
        let code = match script {
            Script::Refuse(error) => error.code(),
            _ => 0,
        };
        let answer = answer::<ProduceRequest>(frame, |request| {
            let topic = &request.topic_data[0];
            let partition = &topic.partition_data[0];
            let mut records = partition.records.clone().expect("there is a batch");
            let records = RecordBatchDecoder::decode(&mut records).expect("a batch").records;
            let mut produced = self.produced.lock().expect("no test panicked");
            let base = produced.iter().map(Vec::len).sum::<usize>();
            let keys = records.iter().map(|record| record.key.clone().expect("there is a key"));
            let keys = keys.map(|key| String::from_utf8(key.to_vec()).expect("a text"));
            produced.push(keys.collect());
            let partition = PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_error_code(code)
                .with_base_offset(base as i64);
            let topic = TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_partition_responses(vec![partition]);
            ProduceResponse::default().with_responses(vec![topic])
        });
        match script {
            Script::Ack | Script::Refuse(_) => Some(vec![answer]),
            Script::Swallow => Some(vec![]),
            Script::Repeat => Some(vec![answer.clone(), answer]),
            Script::HangUp => None,
        }
    }
}

/// It is the only broker, and leads the only partition.
fn leads() -> MetadataResponse {
    let me = BrokerId(1);
    let partition = MetadataResponsePartition::default()
        .with_leader_id(me)
        .with_leader_epoch(4)
        .with_replica_nodes(vec![me])
        .with_isr_nodes(vec![me]);
    let topic = MetadataResponseTopic::default().with_partitions(vec![partition]);
    MetadataResponse::default()
        .with_brokers(vec![MetadataResponseBroker::default().with_node_id(me)])
        .with_topics(vec![topic])
}

/// Reads a request, and frames the response to it.
fn answer<R: Request>(mut frame: Bytes, to: impl FnOnce(R) -> R::Response) -> Bytes {
    let version = (&frame[2..4]).get_i16();
    let header = RequestHeader::decode(&mut frame, R::header_version(version)).expect("a header");
    let request = R::decode(&mut frame, version).expect("a request");
    let mut bytes = BytesMut::new();
    bytes.put_i32(0);
    ResponseHeader::default()
        .with_correlation_id(header.correlation_id)
        .encode(&mut bytes, R::Response::header_version(version))
        .and_then(|()| to(request).encode(&mut bytes, version))
        .expect("the response can be written");
    let length = i32::try_from(bytes.len() - 4).expect("it is short");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.freeze()
}

#[async_trait]
impl Network for Broker {
    fn address(&self, _node: &NodeId, _port: u16) -> SocketAddr {
        self.at
    }

    #[allow(clippy::disallowed_methods, reason = "this is the test's network")]
    async fn tcp(&self, _from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn udp(&self, _from: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The driver of a service with one broker and one partition.
pub(crate) fn driver(params: Value) -> Arc<dyn Driver> {
    let mut topology = Topology::default();
    let node = topology::Node {
        region: "r1".into(),
        zone: None,
        services: [ServiceId::from("log")].into(),
        address: [127, 0, 0, 1].into(),
    };
    topology.nodes.insert("n1".into(), node);
    let shards = vec!["telemetry-0".into()];
    topology
        .services
        .insert("log".into(), topology::Service { shards, ..topology::Service::default() });
    let site = Site {
        service: "log".into(),
        topology: Arc::new(topology),
        run: RUN,
        seed: 1,
        keyring: Default::default(),
    };
    let kind = wetdress_kafka::SYSTEM.drivers.find("kafka").expect("it is there");
    let mut all =
        json!({"acks": "all", "batch": 1, "connect_timeout": "1s", "broker_timeout": "1500ms"});
    let given = params.as_object().expect("parameters are a mapping").clone();
    all.as_object_mut().expect("a mapping").extend(given);
    (kind.make)(&all, &site).expect("the parameters are right")
}
