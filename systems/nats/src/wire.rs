//! One connection to a server: requests whose answers come to an inbox of its own, and subscriptions.
//!
//! Absent on purpose: reconnecting, retrying, buffering for later. A wire that has ended stays ended.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use seams::{
    LastRead, Network, Origin, Stamped,
    secure::{Access, Stream},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    PING_EVERY, hello,
    parse::{self, Message, Said},
};

/// A handle on a connection. Clones share it; the connection closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// Of its own; with the dot at the end.
    inbox: Arc<str>,
    orders: mpsc::UnboundedSender<Order>,
    next: Arc<AtomicU64>,
}

/// What came, and when its bytes were read.
pub(crate) type Come = (Message, Instant);

#[derive(Debug)]
enum Order {
    Request {
        number: u64,
        subject: String,
        headers: Bytes,
        payload: Bytes,
        answer: oneshot::Sender<Come>,
    },
    Subscribe {
        number: u64,
        subject: String,
        to: mpsc::UnboundedSender<Come>,
    },
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Certain: the connection had ended before the request was handed to it.
    #[error("the connection had ended before")]
    NotSent,
    #[error("the connection ended under the request")]
    Ended,
}

/// Connects, introduces itself, and waits for the server's word; then drives the connection in a task that resolves with the reason when it has ended.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    access: &Access,
) -> io::Result<(Wire, JoinHandle<&'static str>)> {
    access.usable()?;
    let stream = network.tcp(from, to).await?;
    stream.set_nodelay(true)?;
    // Nobody else in the cluster has this address and port.
    let inbox = stream.local_addr()?.to_string().replace(['.', ':', '[', ']'], "-");
    let inbox = format!("_INBOX.{inbox}.");
    let mut buffer = BytesMut::with_capacity(64 << 10);
    let mut socket = Stamped { stream, read: LastRead::new() };
    if access.tls.is_some() {
        // In the clear the server says a word first, and then waits for the handshake.
        listen(&mut socket, &mut buffer, |said| matches!(said, Said::Info(_))).await?;
    }
    let mut stream = access.wrap(socket).await?;
    let hello = hello::connect(access);
    stream.write_all(format!("{hello}SUB {inbox}* {INBOX}\r\nPING\r\n").as_bytes()).await?;
    stream.flush().await?;
    // The server answers in order: with its pong it has taken the introduction and the subscription.
    listen(&mut stream, &mut buffer, |said| matches!(said, Said::Pong)).await?;
    let (orders, taken) = mpsc::unbounded_channel();
    let inbox = Arc::<str>::from(inbox);
    let connection = Connection {
        inbox: inbox.clone(),
        asked: HashMap::new(),
        subscribed: HashMap::new(),
        out: BytesMut::new(),
    };
    let driving = tokio::spawn(connection.drive(stream, buffer, taken));
    Ok((Wire { inbox, orders, next: Arc::new(AtomicU64::new(INBOX + 1)) }, driving))
}

/// Until the server has said what is waited for.
async fn listen(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    until: fn(&Said) -> bool,
) -> io::Result<()> {
    loop {
        match parse::next(buffer).map_err(io::Error::other)? {
            Some(Said::Error(words)) => return Err(hello::refused(words)),
            Some(said) if until(&said) => return Ok(()),
            Some(_) => {}
            None if stream.read_buf(buffer).await? == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            None => {}
        }
    }
}

/// The subscription to the connection's own inbox.
const INBOX: u64 = 1;

impl Wire {
    /// Publishes, and waits for the answer for as long as the connection stands. `headers` are whole, with their first line and the empty one
    /// at the end, or empty.
    pub(crate) async fn request(
        &self,
        subject: String,
        headers: Bytes,
        payload: Bytes,
    ) -> Result<Come, WireError> {
        let (answer, come) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let order = Order::Request { number, subject, headers, payload, answer };
        self.orders.send(order).map_err(|_| WireError::NotSent)?;
        come.await.map_err(|_| WireError::Ended)
    }

    /// A new subject that nobody else in the cluster has, and what is published to it until the connection ends.
    pub(crate) fn subscribe(&self) -> (String, mpsc::UnboundedReceiver<Come>) {
        let (to, come) = mpsc::unbounded_channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let subject = format!("{}deliver.{number}", self.inbox);
        // Of a connection that has ended nothing comes.
        let _ended = self.orders.send(Order::Subscribe { number, subject: subject.clone(), to });
        (subject, come)
    }
}

struct Connection {
    inbox: Arc<str>,
    asked: HashMap<u64, oneshot::Sender<Come>>,
    subscribed: HashMap<u64, mpsc::UnboundedSender<Come>>,
    out: BytesMut,
}

impl Connection {
    /// Until the connection ends or nobody holds the wire any more.
    async fn drive(
        mut self,
        mut stream: Stream,
        mut buffer: BytesMut,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> &'static str {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            match self.take_in(&mut buffer, heard) {
                Ok(()) => {}
                Err(why) => return why,
            }
            if !self.out.is_empty() {
                let writing = async {
                    stream.write_all_buf(&mut self.out).await?;
                    stream.flush().await
                };
                match timeout(2 * PING_EVERY, writing).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return "the connection broke",
                    Err(_) => return "the server takes no bytes",
                }
            }
            tokio::select! {
                read = stream.read_buf(&mut buffer) => match read {
                    Ok(0) => return "the server closed the connection",
                    Ok(_) => heard = Instant::now(),
                    Err(_) => return "the connection broke",
                },
                order = orders.recv() => {
                    let Some(order) = order else { return "the connection was given up" };
                    self.obey(order);
                    while let Ok(order) = orders.try_recv() {
                        self.obey(order);
                    }
                }
                now = pings.tick() => {
                    if now.saturating_duration_since(heard) > 2 * PING_EVERY {
                        return "a ping was not answered";
                    }
                    self.out.put_slice(b"PING\r\n");
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Request { number, subject, headers, payload, answer } => {
                let (word, lengths) = match headers.len() {
                    0 => ("PUB", payload.len().to_string()),
                    some => ("HPUB", format!("{some} {}", some + payload.len())),
                };
                let line = format!("{word} {subject} {}{number} {lengths}\r\n", self.inbox);
                self.out.put_slice(line.as_bytes());
                self.out.put_slice(&headers);
                self.out.put_slice(&payload);
                self.out.put_slice(b"\r\n");
                self.asked.insert(number, answer);
            }
            Order::Subscribe { number, subject, to } => {
                self.out.put_slice(format!("SUB {subject} {number}\r\n").as_bytes());
                self.subscribed.insert(number, to);
            }
        }
    }

    fn take_in(&mut self, buffer: &mut BytesMut, at: Instant) -> Result<(), &'static str> {
        loop {
            match parse::next(buffer) {
                Ok(Some(Said::Message(message))) => self.hand_out(message, at),
                Ok(Some(Said::Ping)) => self.out.put_slice(b"PONG\r\n"),
                Ok(Some(Said::Pong | Said::Info(_))) => {}
                Ok(Some(Said::Error(_))) => return Err("the server refused the connection"),
                Ok(None) => return Ok(()),
                Err(parse::Foreign) => return Err("the server does not speak the NATS protocol"),
            }
        }
    }

    fn hand_out(&mut self, message: Message, at: Instant) {
        if message.subscription != INBOX {
            if let Some(to) = self.subscribed.get(&message.subscription) {
                // Nobody may listen any more.
                let _gone = to.send((message, at));
            }
            return;
        }
        let number = std::str::from_utf8(&message.subject).ok();
        let number = number.and_then(|subject| subject.strip_prefix(&*self.inbox)?.parse().ok());
        // An answer that comes twice meets nobody.
        if let Some(answer) = number.and_then(|number: u64| self.asked.remove(&number)) {
            let _gone = answer.send((message, at));
        }
    }
}
