//! One connection to a server, with a session of its own: requests, and their answers in the same order.
//!
//! Absent on purpose: reconnecting, taking the session along to another server, and anything that is said twice. A session that has ended
//! stays ended, and the ensemble forgets it when its timeout has passed.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use seams::{Network, Origin, SystemError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    CALL_TIMEOUT,
    jute::{self, Foreign, Op, Reply},
};

/// A handle on a session. Clones share it; it is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    orders: mpsc::UnboundedSender<Order>,
}

/// What came, and when its bytes were read.
pub(crate) type Come = (Reply, Instant);

#[derive(Debug)]
struct Order {
    op: Op,
    fields: BytesMut,
    answer: oneshot::Sender<Come>,
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Certain: the connection had ended before the request was handed to it.
    #[error("the connection had ended before")]
    NotSent,
    #[error("the connection ended under the request")]
    Ended,
}

/// Connects, and waits for the ensemble to grant a session, which a quorum agrees on; then drives the connection in a task that resolves with
/// the reason when it has ended. The server is given up when it was silent for two thirds of the granted timeout.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    wanted: Duration,
) -> io::Result<(Session, JoinHandle<&'static str>)> {
    let mut stream = network.tcp(from, to).await?;
    stream.set_nodelay(true)?;
    let mut out = BytesMut::new();
    jute::put_connect(&mut out, i32::try_from(wanted.as_millis()).unwrap_or(i32::MAX));
    stream.write_all(&out).await?;
    let mut come = BytesMut::with_capacity(64 << 10);
    let foreign = |Foreign| io::Error::other("the server does not speak ZooKeeper's protocol");
    let packet = loop {
        if let Some(packet) = jute::packet(&mut come).map_err(foreign)? {
            break packet;
        }
        if stream.read_buf(&mut come).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let granted = u64::try_from(jute::granted(packet).map_err(foreign)?).unwrap_or(0);
    if granted == 0 {
        return Err(io::Error::other("the ensemble grants no session"));
    }
    let (orders, taken) = mpsc::unbounded_channel();
    let driving = Driving {
        third: Duration::from_millis(granted.max(3)) / 3,
        number: 0,
        asked: VecDeque::new(),
        out: BytesMut::new(),
    };
    Ok((Session { orders }, tokio::spawn(driving.drive(stream, come, taken))))
}

/// [`open`] with the patience of probes and observers.
pub(crate) async fn reach(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
) -> Result<Session, SystemError> {
    let doing = format!("open a session at {to}");
    match timeout(CALL_TIMEOUT, open(network, from, to, 2 * CALL_TIMEOUT)).await {
        Ok(Ok((session, _driving))) => Ok(session),
        Ok(Err(source)) => Err(SystemError::Io { doing, source }),
        Err(_) => {
            Err(SystemError::Answer { doing, why: format!("no answer within {CALL_TIMEOUT:?}") })
        }
    }
}

impl Session {
    /// Asks, and waits for the answer for as long as the connection stands.
    pub(crate) fn ask<F: FnOnce(&mut BytesMut)>(
        &self,
        op: Op,
        fields: F,
    ) -> impl Future<Output = Result<Come, Unanswered>> + use<F> {
        let mut said = BytesMut::new();
        fields(&mut said);
        let (answer, come) = oneshot::channel();
        let sent = self.orders.send(Order { op, fields: said, answer });
        async move {
            sent.map_err(|_| Unanswered::NotSent)?;
            come.await.map_err(|_| Unanswered::Ended)
        }
    }

    /// [`ask`](Self::ask) with the patience of probes and observers; the answer may be an error of the protocol.
    pub(crate) async fn answered(
        &self,
        doing: &str,
        op: Op,
        fields: impl FnOnce(&mut BytesMut),
    ) -> Result<Come, SystemError> {
        let failed = |why: String| SystemError::Answer { doing: doing.to_owned(), why };
        timeout(CALL_TIMEOUT, self.ask(op, fields))
            .await
            .map_err(|_| failed(format!("no answer within {CALL_TIMEOUT:?}")))?
            .map_err(|why| failed(why.to_string()))
    }

    /// [`answered`](Self::answered), where only success will do.
    pub(crate) async fn done(
        &self,
        doing: &str,
        op: Op,
        fields: impl FnOnce(&mut BytesMut),
    ) -> Result<Bytes, SystemError> {
        let (reply, _) = self.answered(doing, op, fields).await?;
        if reply.error == jute::OK {
            return Ok(reply.body);
        }
        let why = format!("the server answers with the error {}", reply.error);
        Err(SystemError::Answer { doing: doing.to_owned(), why })
    }
}

struct Driving {
    /// Of the granted timeout: how often a ping is sent.
    third: Duration,
    /// Of the newest request.
    number: i32,
    /// In the order in which they were asked, which is that of the answers.
    asked: VecDeque<(i32, oneshot::Sender<Come>)>,
    out: BytesMut,
}

impl Driving {
    /// Until the connection ends or nobody holds the session any more.
    async fn drive(
        mut self,
        mut stream: TcpStream,
        mut come: BytesMut,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> &'static str {
        let mut pings = interval(self.third);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            if let Err(why) = self.take_in(&mut come, heard) {
                return why;
            }
            if !self.out.is_empty() {
                match timeout(2 * self.third, stream.write_all_buf(&mut self.out)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return "the connection broke",
                    Err(_) => return "the server takes no bytes",
                }
            }
            tokio::select! {
                read = stream.read_buf(&mut come) => match read {
                    Ok(0) => return "the server closed the connection",
                    Ok(_) => heard = Instant::now(),
                    Err(_) => return "the connection broke",
                },
                order = orders.recv() => {
                    let Some(order) = order else {
                        jute::put_request(&mut self.out, 0, Op::CloseSession, |_| {});
                        // If it does not reach the server, the session times out.
                        let _told = timeout(self.third, stream.write_all_buf(&mut self.out)).await;
                        return "the connection was given up";
                    };
                    self.obey(order);
                    while let Ok(order) = orders.try_recv() {
                        self.obey(order);
                    }
                }
                now = pings.tick() => {
                    if now.saturating_duration_since(heard) > 2 * self.third {
                        return "nothing was heard of the server for two thirds of the session's timeout";
                    }
                    jute::put_request(&mut self.out, jute::PING, Op::Ping, |_| {});
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        self.number = self.number.checked_add(1).unwrap_or(1);
        jute::put_request(&mut self.out, self.number, order.op, |out| {
            out.extend_from_slice(&order.fields);
        });
        self.asked.push_back((self.number, order.answer));
    }

    fn take_in(&mut self, come: &mut BytesMut, at: Instant) -> Result<(), &'static str> {
        const FOREIGN: &str = "the server does not speak ZooKeeper's protocol";
        while let Some(packet) = jute::packet(come).map_err(|Foreign| FOREIGN)? {
            let reply = jute::reply(packet).map_err(|Foreign| FOREIGN)?;
            // A ping's answer, and what was never asked for.
            if reply.number < 0 {
                continue;
            }
            match self.asked.front() {
                Some((number, _)) if *number == reply.number => {
                    if let Some((_, answer)) = self.asked.pop_front() {
                        let _gone = answer.send((reply, at));
                    }
                }
                // An answer that comes twice meets nobody.
                _ if reply.number <= self.number => {}
                _ => return Err(FOREIGN),
            }
        }
        Ok(())
    }
}
