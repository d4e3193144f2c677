//! The driver's sessions: assets of one cell share a connection to a member, each asset puts on its own behalf.
//!
//! A connection is made in a task of its own, beside every request; when it ends, its sessions end. Absent on purpose: deadlines of
//! requests, retries and reconnects, which are the fleet's.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use model::{End, NodeId, NodeIndex, Outcome};
use seams::{
    Answer, Attempt, Clock, Connect, ConnectRequest, Disconnect, Network, Origin, Session, Site,
};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

use crate::{
    CLIENT_PORT, PING_EVERY, PING_TIMEOUT, calls,
    keys::Keys,
    verdict,
    wire::{self, Keepalive, Wire},
};

pub(crate) struct EtcdDial {
    site: Site,
    connect_timeout: Duration,
    network: Arc<dyn Network>,
    clock: Clock,
    keys: Rc<RefCell<Keys>>,
    lines: RefCell<BTreeMap<(End, NodeIndex), Weak<Line>>>,
    silent: Rc<Silent>,
}

/// Connections whose assets left without a word: kept as they are, so that the members are not told.
type Silent = RefCell<Vec<Rc<Line>>>;

/// A connection from a cell to a member, from the first wish for it. It is closed when nobody holds it any more.
#[derive(Debug)]
struct Line {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

#[derive(Clone, Debug)]
enum State {
    Opening,
    Up(Wire),
    Ended(&'static str),
}

/// The whole lane goes away.
const GIVEN_UP: &str = "the connection was given up";

/// One asset on a line.
pub(crate) struct EtcdSession {
    keys: Rc<RefCell<Keys>>,
    node: NodeIndex,
    clock: Clock,
    network: Arc<dyn Network>,
    wire: Wire,
    line: Rc<Line>,
    silent: Rc<Silent>,
}

impl EtcdDial {
    pub(crate) fn new(
        site: Site,
        connect_timeout: Duration,
        network: Arc<dyn Network>,
        clock: Clock,
    ) -> Self {
        let (lines, silent) = (RefCell::default(), Rc::default());
        let keys = Rc::new(RefCell::new(Keys::of(site.run)));
        Self { site, connect_timeout, network, clock, keys, lines, silent }
    }

    /// The line that stands or is being made, or a new one.
    fn line(&self, from: &Origin, node: NodeIndex, name: &NodeId) -> Rc<Line> {
        let mut lines = self.lines.borrow_mut();
        let known = lines.entry((from.end.clone(), node)).or_default();
        match known.upgrade().filter(|line| !line.has_ended()) {
            Some(line) => line,
            None => {
                self.silent.borrow_mut().retain(|line| !line.has_ended());
                let line = Rc::new(Line::begin(
                    self.network.clone(),
                    from.clone(),
                    name.clone(),
                    self.connect_timeout,
                ));
                *known = Rc::downgrade(&line);
                line
            }
        }
    }
}

impl Connect for EtcdDial {
    type Session = EtcdSession;

    /// An asset is pinned to the next member of the region at each attempt.
    async fn connect(&self, request: &ConnectRequest) -> Result<EtcdSession, &'static str> {
        let (node, name) = self
            .site
            .nth_in(&request.region, request.turn())
            .ok_or("the region has no member of the service")?;
        let line = self.line(&request.from, node, name);
        match line.reach(|state| !matches!(state, State::Opening)).await {
            State::Ended(why) => Err(why),
            State::Opening => Err(GIVEN_UP),
            State::Up(wire) => {
                let (keys, silent) = (self.keys.clone(), self.silent.clone());
                let (clock, network) = (self.clock.clone(), self.network.clone());
                Ok(EtcdSession { keys, node, clock, network, wire, line, silent })
            }
        }
    }
}

impl Session for EtcdSession {
    fn node(&self) -> NodeIndex {
        self.node
    }

    async fn send(&self, attempt: Attempt) -> Answer {
        let key = self.keys.borrow_mut().key(&attempt.identity, attempt.number);
        match calls::put(&self.wire, key, attempt.payload).await {
            Ok(revision) => {
                let at = self.clock.stamp(self.wire.last_read());
                let position = Some(revision);
                Answer { outcome: Outcome::Acked, at, by: Some(self.node), position }
            }
            Err(status) => {
                self.network.failed(&status);
                let outcome = verdict::of_failure(&status);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }

    async fn closed(&self) -> &'static str {
        match self.line.reach(|state| matches!(state, State::Ended(_))).await {
            State::Ended(why) => why,
            State::Opening | State::Up(_) => GIVEN_UP,
        }
    }

    /// The others stay; the last one closes the connection, with a word or without.
    fn disconnect(&self, how: Disconnect) {
        if how == Disconnect::Silent {
            self.silent.borrow_mut().push(self.line.clone());
        }
    }
}

impl Line {
    fn begin(network: Arc<dyn Network>, from: Origin, node: NodeId, patience: Duration) -> Self {
        let (tell, state) = watch::channel(State::Opening);
        let task = tokio::spawn(async move {
            let why = match timeout(patience, connect(&*network, &from, &node)).await {
                Ok(Ok((wire, ended))) => {
                    tell.send_replace(State::Up(wire));
                    ended.await.unwrap_or(GIVEN_UP)
                }
                Ok(Err(why)) => why,
                Err(_) => "the member did not answer within `connect_timeout`",
            };
            tell.send_replace(State::Ended(why));
        });
        Self { state, task: task.abort_handle() }
    }

    fn now(&self) -> State {
        self.state.borrow().clone()
    }

    fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    /// Waits for a state; its task tells one to the last, unless the whole lane is going away.
    async fn reach(&self, wanted: impl Fn(&State) -> bool) -> State {
        let mut state = self.state.clone();
        match state.wait_for(|state| wanted(state)).await {
            Ok(reached) => reached.clone(),
            Err(_) => self.now(),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection stands when the member has answered: a stopped one accepts connections all the same.
async fn connect(
    network: &dyn Network,
    from: &Origin,
    node: &NodeId,
) -> Result<(Wire, JoinHandle<&'static str>), &'static str> {
    let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
    let opening = wire::open(network, from, network.address(node, CLIENT_PORT), keepalive);
    let (wire, ended) = opening.await.map_err(|_| "the member cannot be reached")?;
    calls::status(&wire).await.map_err(|_| "the member did not say its status")?;
    Ok((wire, ended))
}
