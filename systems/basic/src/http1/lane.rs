//! The lane itself: which connections there are, and what becomes of them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    future::Future,
    io,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use model::{NodeIndex, Outcome};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Disconnect, Lane, Network, Origin, Outgoing, Progress,
    Site,
};
use tokio::{
    net::TcpStream,
    task::{AbortHandle, spawn_local, unconstrained},
};

use super::{
    line::{Hands, Line, Looked},
    ready::{Bell, Ready},
};
use crate::{PORT, silent::Silent, verdict::Verdict};

/// Bytes read at once.
const READ: usize = 16 << 10;
/// Readings that wait in a connection; beyond it they wait on their assets.
const WAITING_MAX: usize = 64;
/// Readings that were given up, before the first are forgotten.
const FORGET_AT: usize = 4096;

pub(crate) struct Http1Lane {
    site: Site,
    network: Arc<dyn Network>,
    clock: Clock,
    verdict: Verdict,
    path: String,
    /// By connection.
    slots: Vec<Slot>,
    /// The nodes that were connected to so far, and how every request to one of them begins.
    nodes: Vec<(NodeIndex, Vec<u8>)>,
    ready: Arc<Ready>,
    made: Rc<RefCell<Vec<Made>>>,
    /// Readings that the fleet has given up while their answers were awaited, and some whose connections are gone.
    abandoned: HashSet<u32>,
    /// When there are so many of them.
    forget_at: usize,
    /// By connection, what waits for an answer that nobody waits for.
    waiting: HashMap<u32, VecDeque<(u32, Bytes)>>,
    silent: Silent,
    out: Vec<Progress>,
    turn: Vec<u32>,
    request: Vec<u8>,
    scratch: Box<[u8]>,
}

/// A connection's place.
struct Slot {
    bell: Arc<Bell>,
    waker: Waker,
    /// Grows whenever the fleet decides: what was made for an earlier wish is dropped.
    life: u32,
    held: Held,
}

enum Held {
    Nothing,
    Making(AbortHandle),
    Up(Line),
    /// It is gone, and the fleet is to be told why.
    Ended(&'static str),
}

/// What came of a try to connect.
struct Made {
    conn: ConnId,
    life: u32,
    node: NodeIndex,
    stream: Result<TcpStream, &'static str>,
}

impl Http1Lane {
    pub(crate) fn new(
        site: Site,
        network: Arc<dyn Network>,
        clock: Clock,
        verdict: Verdict,
        path: String,
    ) -> Self {
        Self {
            site,
            network,
            clock,
            verdict,
            path,
            slots: Vec::new(),
            nodes: Vec::new(),
            ready: Arc::default(),
            made: Rc::default(),
            abandoned: HashSet::new(),
            forget_at: FORGET_AT,
            waiting: HashMap::new(),
            silent: Silent::default(),
            out: Vec::new(),
            turn: Vec::new(),
            request: Vec::new(),
            scratch: vec![0; READ].into(),
        }
    }

    fn slot(&mut self, conn: ConnId) -> &mut Slot {
        let place = conn.0 as usize;
        while self.slots.len() <= place {
            let bell = Bell::new(self.ready.clone(), self.slots.len() as u32);
            let waker = Waker::from(bell.clone());
            self.slots.push(Slot { bell, waker, life: 0, held: Held::Nothing });
        }
        &mut self.slots[place]
    }

    fn make(&mut self, request: &ConnectRequest) {
        let conn = request.conn;
        let Some((node, name)) = self.site.nth_in(&request.region, request.turn()) else {
            let slot = self.slot(conn);
            slot.held = Held::Ended("the region has no node of the service");
            slot.bell.ring();
            return;
        };
        let to = self.network.address(name, PORT);
        if !self.nodes.iter().any(|(known, _)| *known == node) {
            let begin = format!(
                "POST {} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/octet-stream\r\ncontent-length: ",
                self.path
            );
            self.nodes.push((node, begin.into_bytes()));
        }
        let (network, from) = (self.network.clone(), request.from.clone());
        let (made, ready) = (self.made.clone(), self.ready.clone());
        let slot = self.slot(conn);
        let life = slot.life;
        let task = spawn_local(async move {
            let stream = connect(&*network, &from, to).await;
            made.borrow_mut().push(Made { conn, life, node, stream });
            ready.wake();
        });
        slot.held = Held::Making(task.abort_handle());
    }

    /// Hands a reading to its connection; false where that is full.
    fn send(&mut self, batch: &Batch<'_>, reading: &Outgoing) -> bool {
        let (ticket, conn) = (reading.ticket, reading.conn.0);
        if self.slots.get(conn as usize).is_some_and(|slot| slot.bell.has_rung()) {
            // What is known by now is better known before.
            self.look(conn);
        }
        let Some(Slot { held: Held::Up(line), .. }) = self.slots.get(conn as usize) else {
            // It went down while the fleet did not know yet: nothing has left.
            self.out.push(refused(ticket, &self.clock));
            return true;
        };
        let Some(under_way) = line.under_way() else {
            self.begin(conn, ticket, batch.payload(reading));
            return true;
        };
        if !self.abandoned.contains(&under_way) {
            return false;
        }
        let waiting = self.waiting.entry(conn).or_default();
        let has_room = waiting.len() < WAITING_MAX;
        if has_room {
            waiting.push_back((ticket, batch.share(reading)));
        }
        has_room
    }

    /// Begins a request on a connection that stands and has none.
    fn begin(&mut self, conn: u32, ticket: u32, payload: &[u8]) {
        let Slot { held: Held::Up(line), bell, .. } = &mut self.slots[conn as usize] else {
            return;
        };
        let begin = self.nodes.iter().find(|(node, _)| *node == line.node);
        let (_, begin) = begin.expect("whoever connects to a node notes how its requests begin");
        self.request.clear();
        self.request.extend_from_slice(begin);
        put_number(payload.len(), &mut self.request);
        self.request.extend_from_slice(b"\r\n\r\n");
        self.request.extend_from_slice(payload);
        match line.begin(ticket, &self.request) {
            Ok(whole) => {
                self.out.push(Progress::Sent { ticket, at: self.clock.now() });
                if !whole {
                    bell.ring();
                }
            }
            Err(error) => {
                self.network.failed(&error);
                self.out.push(refused(ticket, &self.clock));
                self.end(conn, "the connection broke");
            }
        }
    }

    /// Begins with what has waited for an answer that nobody waited for.
    fn go_on(&mut self, conn: u32) {
        while let Some(waiting) = self.waiting.get_mut(&conn) {
            match &self.slots[conn as usize].held {
                Held::Up(line) if line.under_way().is_none() => {}
                _ => return,
            }
            let Some((ticket, payload)) = waiting.pop_front() else {
                self.waiting.remove(&conn);
                return;
            };
            // What was given up meanwhile was never sent.
            if !self.abandoned.remove(&ticket) {
                self.begin(conn, ticket, &payload);
            }
        }
    }

    /// The connection is gone; the next poll tells the fleet.
    fn end(&mut self, conn: u32, why: &'static str) {
        for (ticket, _) in self.waiting.remove(&conn).into_iter().flatten() {
            self.out.push(refused(ticket, &self.clock));
        }
        let slot = &mut self.slots[conn as usize];
        slot.held = Held::Ended(why);
        slot.bell.ring();
    }

    fn look(&mut self, conn: u32) {
        let slot = &mut self.slots[conn as usize];
        slot.bell.heard();
        let Held::Up(line) = &mut slot.held else { return };
        let was_under_way = line.under_way();
        let mut cx = Context::from_waker(&slot.waker);
        let mut hands = Hands {
            clock: &self.clock,
            verdict: &self.verdict,
            scratch: &mut self.scratch,
            out: &mut self.out,
            error: None,
        };
        let looked = line.look(&mut cx, &mut hands);
        if let Some(error) = hands.error {
            self.network.failed(&error);
        }
        if let Some(ticket) = was_under_way.filter(|_| line.under_way().is_none())
            && !self.abandoned.is_empty()
        {
            self.abandoned.remove(&ticket);
        }
        match looked {
            Looked::Ended(why) => self.end(conn, why),
            Looked::Waits if self.waiting.is_empty() => {}
            Looked::Waits => self.go_on(conn),
        }
    }

    /// Forgets those whose connections are gone, now and then.
    fn forget_abandoned(&mut self) {
        if self.abandoned.len() < self.forget_at {
            return;
        }
        let lines = self.slots.iter().filter_map(|slot| match &slot.held {
            Held::Up(line) => line.under_way(),
            _ => None,
        });
        let waiting = self.waiting.values().flatten().map(|(ticket, _)| *ticket);
        let known: HashSet<u32> = lines.chain(waiting).collect();
        self.abandoned.retain(|ticket| known.contains(ticket));
        self.forget_at = FORGET_AT.max(2 * self.abandoned.len());
    }

    /// Those that have something to say.
    fn drive(&mut self, waker: &Waker) {
        let mut turn = std::mem::take(&mut self.turn);
        self.ready.take(&mut turn, waker);
        for made in self.made.take() {
            self.made(made);
        }
        for conn in turn.drain(..) {
            self.look(conn);
            let slot = &mut self.slots[conn as usize];
            if let Held::Ended(why) = slot.held {
                slot.held = Held::Nothing;
                self.out.push(Progress::Down { conn: ConnId(conn), why });
            }
        }
        self.turn = turn;
    }

    fn made(&mut self, Made { conn, life, node, stream }: Made) {
        let slot = &mut self.slots[conn.0 as usize];
        if slot.life != life {
            return;
        }
        match stream {
            Ok(stream) => {
                slot.held = Held::Up(Line::new(stream, node));
                self.out.push(Progress::Up { conn, node });
                // The first look tells the socket whom to wake.
                self.look(conn.0);
            }
            Err(why) => {
                slot.held = Held::Nothing;
                self.out.push(Progress::Down { conn, why });
            }
        }
    }
}

impl Lane for Http1Lane {
    fn connect(&mut self, wanted: &[ConnectRequest]) {
        for request in wanted {
            self.disconnect(request.conn, Disconnect::Close);
            self.make(request);
        }
    }

    fn disconnect(&mut self, conn: ConnId, how: Disconnect) {
        self.waiting.remove(&conn.0);
        let slot = self.slot(conn);
        slot.life = slot.life.wrapping_add(1);
        match std::mem::replace(&mut slot.held, Held::Nothing) {
            Held::Nothing | Held::Ended(_) => {}
            Held::Making(task) => task.abort(),
            Held::Up(line) => {
                if let Some(ticket) = line.under_way() {
                    self.abandoned.remove(&ticket);
                }
                self.silent.part(line.stream, how);
            }
        }
    }

    fn submit(&mut self, batch: Batch<'_>, refused: &mut Vec<u32>) {
        for (index, reading) in (0..).zip(batch.readings) {
            if !self.send(&batch, reading) {
                refused.push(index);
            }
        }
        if !self.out.is_empty() {
            self.ready.wake();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        let waker = cx.waker().clone();
        // Tokio's budget is for tasks that would starve others; this looks at each connection at most once.
        let driving = unconstrained(async { self.drive(&waker) });
        let Poll::Ready(()) = pin!(driving).poll(cx) else { return Poll::Pending };
        if self.out.is_empty() {
            return Poll::Pending;
        }
        out.append(&mut self.out);
        Poll::Ready(())
    }

    /// Its answer still has to come before the connection can be used again. Until then readings wait in the connection, so that their
    /// own deadlines run: a connection that never answers is the fleet's to give up.
    fn abandon(&mut self, ticket: u32) {
        self.abandoned.insert(ticket);
        self.forget_abandoned();
    }
}

impl Drop for Http1Lane {
    fn drop(&mut self) {
        for slot in &self.slots {
            if let Held::Making(task) = &slot.held {
                task.abort();
            }
        }
    }
}

impl fmt::Debug for Http1Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Lane").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

async fn connect(
    network: &dyn Network,
    from: &Origin,
    to: std::net::SocketAddr,
) -> Result<TcpStream, &'static str> {
    let opened = async {
        let stream = network.tcp(from, to).await?;
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(stream)
    };
    opened.await.map_err(|_| "the node cannot be reached")
}

/// Nothing of it has left.
fn refused(ticket: u32, clock: &Clock) -> Progress {
    let (outcome, at) = (Outcome::Refused, clock.now());
    Progress::Done { ticket, outcome, at, by: None, position: None }
}

/// In decimal, without an allocation.
fn put_number(number: usize, out: &mut Vec<u8>) {
    let from = out.len();
    let mut rest = number;
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out[from..].reverse();
}
