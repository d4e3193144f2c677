//! Lanes in memory, and the network of those that are not.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use model::{Micros, NodeId, NodeIndex, Outcome};
use seams::{
    Answer, Attempt, Batch, Clock, ConnId, Connect, ConnectRequest, Disconnect, Driver, Lane,
    Network, Origin, Progress, Session, SessionLane,
};
use tokio::{
    net::{TcpSocket, TcpStream, UdpSocket},
    task::yield_now,
    time::Sleep,
};

/// Lets everybody in, and acks at once.
#[derive(Debug)]
pub(crate) struct Sink;

/// Lets everybody in, takes nothing, and loses every connection at a moment.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) lost_at: Micros,
}

impl Driver for Sink {
    fn policy(&self) -> String {
        "a sink in memory".into()
    }
    fn lane(&self, _: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        Box::new(SinkLane { clock, said: Vec::new() })
    }
}

struct SinkLane {
    clock: Clock,
    said: Vec<Progress>,
}

impl Lane for SinkLane {
    fn connect(&mut self, wanted: &[ConnectRequest]) {
        let up =
            wanted.iter().map(|request| Progress::Up { conn: request.conn, node: NodeIndex(0) });
        self.said.extend(up);
    }
    fn disconnect(&mut self, _: ConnId, _: Disconnect) {}
    fn submit(&mut self, batch: Batch<'_>, _: &mut Vec<u32>) {
        let at = self.clock.now();
        let acks = batch.readings.iter().map(|reading| Progress::Done {
            ticket: reading.ticket,
            outcome: Outcome::Acked,
            at,
            by: Some(NodeIndex(0)),
            position: None,
        });
        self.said.extend(acks);
    }
    fn poll(&mut self, _: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        if self.said.is_empty() {
            return Poll::Pending;
        }
        out.append(&mut self.said);
        Poll::Ready(())
    }
    fn abandon(&mut self, _: u32) {}
}

impl Driver for Outage {
    fn policy(&self) -> String {
        "an outage in memory".into()
    }
    fn lane(&self, _: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let lost = Box::pin(tokio::time::sleep_until(clock.instant(self.lost_at)));
        Box::new(OutageLane { standing: Vec::new(), said: Vec::new(), lost: Some(lost) })
    }
}

struct OutageLane {
    standing: Vec<ConnId>,
    said: Vec<Progress>,
    lost: Option<Pin<Box<Sleep>>>,
}

impl Lane for OutageLane {
    fn connect(&mut self, wanted: &[ConnectRequest]) {
        if self.lost.is_some() {
            for request in wanted {
                self.standing.push(request.conn);
                self.said.push(Progress::Up { conn: request.conn, node: NodeIndex(0) });
            }
        }
    }
    fn disconnect(&mut self, _: ConnId, _: Disconnect) {}
    fn submit(&mut self, batch: Batch<'_>, refused: &mut Vec<u32>) {
        refused.extend(0..batch.readings.len() as u32);
    }
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        if let Some(lost) = &mut self.lost
            && lost.as_mut().poll(cx).is_ready()
        {
            self.lost = None;
            let down = self.standing.drain(..).map(|conn| Progress::Down { conn, why: "lost" });
            self.said.extend(down);
        }
        if self.said.is_empty() {
            return Poll::Pending;
        }
        out.append(&mut self.said);
        Poll::Ready(())
    }
    fn abandon(&mut self, _: u32) {}
}

/// Sessions that let everybody in, and ack when they are polled a second time.
#[derive(Debug)]
pub(crate) struct Sessions;

impl Driver for Sessions {
    fn policy(&self) -> String {
        "sessions in memory".into()
    }
    fn lane(&self, _: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        Box::new(SessionLane::new(Connector(clock.clone()), clock))
    }
}

struct Connector(Clock);

impl Connect for Connector {
    type Session = Acks;
    async fn connect(&self, _: &ConnectRequest) -> Result<Acks, &'static str> {
        Ok(Acks(self.0.clone()))
    }
}

struct Acks(Clock);

impl Session for Acks {
    fn node(&self) -> NodeIndex {
        NodeIndex(0)
    }
    async fn send(&self, _: Attempt) -> Answer {
        yield_now().await;
        let by = Some(NodeIndex(0));
        Answer { outcome: Outcome::Acked, at: self.0.now(), by, position: None }
    }
    async fn closed(&self) -> &'static str {
        std::future::pending().await
    }
    fn disconnect(&self, _: Disconnect) {}
}

/// One server, whoever is asked for.
#[derive(Debug)]
pub(crate) struct Loopback(pub(crate) SocketAddr);

#[async_trait]
impl Network for Loopback {
    fn address(&self, _: &NodeId, _: u16) -> SocketAddr {
        self.0
    }
    async fn tcp(&self, _: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::new_v4()?.connect(to).await
    }
    async fn udp(&self, _: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
