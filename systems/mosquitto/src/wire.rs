//! One connection to a broker: publishes whose acks are waited for, and what comes to its subscription.
//!
//! Absent on purpose: reconnecting, resending, buffering for later. A wire that has ended stays ended.

use std::{collections::HashMap, convert::Infallible, io, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{
    Error, QoS,
    v4::{Connect, ConnectReturnCode, Packet, PubAck, Publish, Subscribe, SubscribeReasonCode},
};
use seams::{Network, Origin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::PING_EVERY;

/// Of one packet; more than any reading has.
const PACKET_MAX: usize = 64 << 20;

/// Who connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// A session that outlives the connection has a name. None: a fresh session that ends with it.
    pub(crate) session: Option<String>,
    /// Whether what comes is acked. What is not stays with its session.
    pub(crate) acks: bool,
}

/// A handle on a connection. Clones share it; the connection closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    orders: mpsc::UnboundedSender<Order>,
}

/// A message that came, and when its bytes were read.
#[derive(Debug)]
pub(crate) struct Come {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) at: Instant,
}

/// What a connection is to whoever opened it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) wire: Wire,
    /// What comes to its subscriptions, those of its session too.
    pub(crate) come: mpsc::UnboundedReceiver<Come>,
    /// Whether the broker had the session already.
    pub(crate) known: bool,
    /// Tells the reason when the connection has ended, and ends it when dropped.
    pub(crate) task: JoinSet<&'static str>,
}

#[derive(Debug)]
enum Order {
    Publish { topic: String, payload: Bytes, answer: oneshot::Sender<Instant> },
    Subscribe { filter: String, answer: oneshot::Sender<Instant> },
}

/// Why something was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Certain: the connection had ended before it was handed over.
    #[error("the connection had ended before")]
    NotSent,
    #[error("the connection ended before the answer")]
    Ended,
}

/// Connects, introduces itself, and waits for the broker's word.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    client: Client,
) -> io::Result<Opened> {
    let mut stream = network.tcp(from, to).await?;
    stream.set_nodelay(true)?;
    let mut connect = Connect::new(client.session.clone().unwrap_or_default());
    connect.clean_session = client.session.is_none();
    let (mut out, mut buffer) = (BytesMut::new(), BytesMut::with_capacity(64 << 10));
    connect.write(&mut out).map_err(io::Error::other)?;
    stream.write_all_buf(&mut out).await?;
    let known = loop {
        match next(&mut buffer)? {
            Some(Packet::ConnAck(word)) if word.code == ConnectReturnCode::Success => {
                break word.session_present;
            }
            Some(Packet::ConnAck(word)) => {
                return Err(io::Error::other(format!("the broker said {:?}", word.code)));
            }
            Some(_) => return Err(io::Error::other("the broker does not speak MQTT 3.1.1")),
            None if stream.read_buf(&mut buffer).await? == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            None => {}
        }
    };
    let (orders, taken) = mpsc::unbounded_channel();
    let (to, come) = mpsc::unbounded_channel();
    let connection = Connection { acks: client.acks, asked: HashMap::new(), last: 0, out, to };
    let mut task = JoinSet::new();
    task.spawn(connection.drive(stream, buffer, taken));
    Ok(Opened { wire: Wire { orders }, come, known, task })
}

/// The first packet of what was read; None while it is not whole.
fn next(buffer: &mut BytesMut) -> io::Result<Option<Packet>> {
    match Packet::read(buffer, PACKET_MAX) {
        Ok(packet) => Ok(Some(packet)),
        Err(Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

impl Wire {
    /// Publishes with QoS 1, and waits for the ack for as long as the connection stands; when the ack was read.
    pub(crate) async fn publish(
        &self,
        topic: String,
        payload: Bytes,
    ) -> Result<Instant, WireError> {
        self.ask(|answer| Order::Publish { topic, payload, answer }).await
    }

    /// Subscribes with QoS 1.
    pub(crate) async fn subscribe(&self, filter: String) -> Result<Instant, WireError> {
        self.ask(|answer| Order::Subscribe { filter, answer }).await
    }

    async fn ask(
        &self,
        order: impl FnOnce(oneshot::Sender<Instant>) -> Order,
    ) -> Result<Instant, WireError> {
        let (answer, come) = oneshot::channel();
        self.orders.send(order(answer)).map_err(|_| WireError::NotSent)?;
        come.await.map_err(|_| WireError::Ended)
    }
}

struct Connection {
    acks: bool,
    /// By packet id.
    asked: HashMap<u16, oneshot::Sender<Instant>>,
    last: u16,
    out: BytesMut,
    to: mpsc::UnboundedSender<Come>,
}

impl Connection {
    /// Until the connection ends or nobody holds the wire any more.
    async fn drive(
        mut self,
        stream: TcpStream,
        buffer: BytesMut,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> &'static str {
        match self.run(stream, buffer, orders).await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn run(
        &mut self,
        mut stream: TcpStream,
        mut buffer: BytesMut,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> Result<Infallible, &'static str> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            self.take_in(&mut buffer, heard)?;
            if !self.out.is_empty() {
                match timeout(2 * PING_EVERY, stream.write_all_buf(&mut self.out)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Err("the connection broke"),
                    Err(_) => return Err("the broker takes no bytes"),
                }
            }
            tokio::select! {
                read = stream.read_buf(&mut buffer) => match read {
                    Ok(0) => return Err("the broker closed the connection"),
                    Ok(_) => heard = Instant::now(),
                    Err(_) => return Err("the connection broke"),
                },
                order = orders.recv() => {
                    let Some(order) = order else { return Err("the connection was given up") };
                    self.obey(order)?;
                    while let Ok(order) = orders.try_recv() {
                        self.obey(order)?;
                    }
                }
                now = pings.tick() => {
                    if now.saturating_duration_since(heard) > 2 * PING_EVERY {
                        return Err("a ping was not answered");
                    }
                    self.write(&Packet::PingReq)?;
                }
            }
        }
    }

    fn obey(&mut self, order: Order) -> Result<(), &'static str> {
        let id = self.free().ok_or("every packet id is under way")?;
        let (packet, answer) = match order {
            Order::Publish { topic, payload, answer } => {
                let mut publish = Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
                publish.pkid = id;
                (Packet::Publish(publish), answer)
            }
            Order::Subscribe { filter, answer } => {
                let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
                subscribe.pkid = id;
                (Packet::Subscribe(subscribe), answer)
            }
        };
        self.asked.insert(id, answer);
        self.write(&packet)
    }

    /// The next packet id that is not under way; 0 is none.
    fn free(&mut self) -> Option<u16> {
        let after = (1..=u16::MAX).map(|step| self.last.wrapping_add(step));
        let free = after.into_iter().find(|id| *id != 0 && !self.asked.contains_key(id))?;
        self.last = free;
        Some(free)
    }

    fn write(&mut self, packet: &Packet) -> Result<(), &'static str> {
        packet.write(&mut self.out, PACKET_MAX).map(|_| ()).map_err(|_| "a packet is too large")
    }

    fn take_in(&mut self, buffer: &mut BytesMut, at: Instant) -> Result<(), &'static str> {
        while let Some(packet) = next(buffer).map_err(|_| "the broker does not speak MQTT 3.1.1")? {
            match packet {
                Packet::PubAck(PubAck { pkid }) => self.answer(pkid, at),
                Packet::SubAck(word) => {
                    if word.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Err("the broker refused the subscription");
                    }
                    self.answer(word.pkid, at);
                }
                Packet::Publish(Publish { topic, payload, qos, pkid, .. }) => {
                    if self.acks && qos == QoS::AtLeastOnce {
                        self.write(&Packet::PubAck(PubAck { pkid }))?;
                    }
                    // Nobody may listen any more.
                    let _gone = self.to.send(Come { topic, payload, at });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An answer that comes twice meets nobody.
    fn answer(&mut self, id: u16, at: Instant) {
        if let Some(answer) = self.asked.remove(&id) {
            let _gone = answer.send(at);
        }
    }
}
