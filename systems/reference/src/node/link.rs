//! The way to one peer: a connection that a background task keeps, so that no request ever waits for a reconnect.
//! A silent peer is dropped after `SILENCE` and dialled again, so that a healed path is in use soon, whatever TCP's own timers say.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Mutex, time::Duration};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    sync::{mpsc, oneshot, watch},
    time::{Instant, interval, sleep, sleep_until, timeout},
};

use super::wire::{Answer, Hello, Numbered, Request, frame, read};

const DIAL_TIMEOUT: Duration = Duration::from_secs(1);
const REDIAL: Duration = Duration::from_millis(200);
const PING: Duration = Duration::from_millis(500);
const SILENCE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("not connected: the request was not sent")]
    Down,
    #[error("the connection was lost: the request may have been served")]
    Lost,
}

type Question = (Request, oneshot::Sender<Answer>);

/// A handle; clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    up: watch::Receiver<Option<Up>>,
}

#[derive(Clone, Debug)]
struct Up {
    questions: mpsc::UnboundedSender<Question>,
    serves: SocketAddr,
}

impl Link {
    pub(crate) fn spawn(me: Hello, peer: SocketAddr) -> Self {
        let (tell, up) = watch::channel(None);
        tokio::spawn(keep(me, peer, tell));
        Self { up }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.borrow().is_some()
    }

    /// Where the peer serves clients; None while it is not connected.
    pub(crate) fn serves(&self) -> Option<SocketAddr> {
        self.up.borrow().as_ref().map(|up| up.serves)
    }

    /// Resolves when the connection stands.
    pub(crate) async fn wait_up(&self) {
        let mut up = self.up.clone();
        // The sender lives as long as the node.
        let _ = up.wait_for(Option::is_some).await;
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Broken> {
        let questions =
            self.up.borrow().as_ref().map(|up| up.questions.clone()).ok_or(Broken::Down)?;
        let (tell, told) = oneshot::channel();
        questions.send((request, tell)).map_err(|_| Broken::Down)?;
        told.await.map_err(|_| Broken::Lost)
    }
}

async fn keep(me: Hello, peer: SocketAddr, tell: watch::Sender<Option<Up>>) {
    while !tell.is_closed() {
        if let Ok(Ok((stream, serves))) = timeout(DIAL_TIMEOUT, dial(&me, peer)).await {
            let (questions, asked) = mpsc::unbounded_channel();
            tell.send_replace(Some(Up { questions, serves }));
            // Whatever ended it, the answer is to dial again.
            let _ = talk(stream, asked).await;
            tell.send_replace(None);
        }
        sleep(REDIAL).await;
    }
}

async fn dial(me: &Hello, peer: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let mut stream = socket.connect(peer).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&frame(me)).await?;
    let hello: Hello = read(&mut stream).await?;
    Ok((stream, hello.serves))
}

type Pending = Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>;

async fn talk(stream: TcpStream, mut asked: mpsc::UnboundedReceiver<Question>) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let pending = Pending::default();
    let (heard, last_heard) = watch::channel(Instant::now());
    let listening = async {
        let mut from = BufReader::new(from);
        loop {
            let answer: Numbered<Answer> = read(&mut from).await?;
            heard.send_replace(Instant::now());
            let waiting = pending.lock().expect("no holder panics").remove(&answer.number);
            if let Some(waiting) = waiting {
                // Whoever asked may have given up.
                let _ = waiting.send(answer.body);
            }
        }
    };
    let asking = async {
        let mut number = 0;
        let mut ping = interval(PING);
        let mut questions = vec![];
        loop {
            tokio::select! {
                count = asked.recv_many(&mut questions, 64) => if count == 0 { return Ok(()) },
                _ = ping.tick() => questions.push((Request::Ping, oneshot::channel().0)),
            }
            let mut bytes = vec![];
            for (body, tell) in questions.drain(..) {
                number += 1;
                bytes.extend(frame(&Numbered { number, body }));
                pending.lock().expect("no holder panics").insert(number, tell);
            }
            to.write_all(&bytes).await?;
        }
    };
    // Beside the two, because a write into a silent connection blocks for ever.
    let silence = async {
        loop {
            let until = *last_heard.borrow() + SILENCE;
            if until <= Instant::now() {
                return io::Error::from(io::ErrorKind::TimedOut);
            }
            sleep_until(until).await;
        }
    };
    tokio::select! {
        result = listening => result,
        result = asking => result,
        error = silence => Err(error),
    }
}
