//! The driver's sessions: assets of one cell share a connection to a member, each asset puts on its own behalf.
//!
//! A connection is made in a task of its own, beside every request; when it ends, its sessions end. Absent on purpose: deadlines of
//! requests, retries and reconnects, which are the fleet's.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use model::{End, NodeId, Outcome, RegionId};
use seams::{Answer, Clock, Dial, Ground, Leave, Letter, Origin, Seat, Session, Site};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

use crate::{
    CLIENT_PORT, PING_EVERY, PING_TIMEOUT, calls, keys, verdict,
    wire::{self, Keepalive, Wire, chain},
};

pub(crate) struct EtcdDial {
    site: Site,
    connect_timeout: Duration,
    ground: Arc<dyn Ground>,
    clock: Clock,
    lines: RefCell<BTreeMap<(End, NodeId), Weak<Line>>>,
    /// How often each asset has asked for a connection.
    asked: RefCell<HashMap<u32, usize>>,
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
    Ended(String),
}

/// One asset on a line.
pub(crate) struct EtcdSession {
    run: u64,
    node: NodeId,
    clock: Clock,
    line: Rc<Line>,
    silent: Rc<Silent>,
}

impl EtcdDial {
    pub(crate) fn new(
        site: Site,
        connect_timeout: Duration,
        ground: Arc<dyn Ground>,
        clock: Clock,
    ) -> Self {
        let (lines, asked, silent) = (RefCell::default(), RefCell::default(), Rc::default());
        Self { site, connect_timeout, ground, clock, lines, asked, silent }
    }

    /// The member that an asset is pinned to now: the next one of the region at each wish.
    fn member(&self, asset: u32, region: &RegionId) -> Option<NodeId> {
        let topology = &self.site.topology;
        let here: Vec<_> = self
            .site
            .nodes()
            .filter(|node| topology.nodes.get(*node).is_some_and(|node| node.region == *region))
            .collect();
        let mut asked = self.asked.borrow_mut();
        let asked = asked.entry(asset).or_default();
        let turn = (asset as usize).wrapping_add(*asked);
        *asked += 1;
        here.get(turn.checked_rem(here.len())?).map(|node| (*node).clone())
    }

    /// The line that stands or is being made, or a new one.
    fn line(&self, from: &Origin, node: &NodeId) -> Rc<Line> {
        let mut lines = self.lines.borrow_mut();
        let known = lines.entry((from.end.clone(), node.clone())).or_default();
        match known.upgrade().filter(|line| !line.has_ended()) {
            Some(line) => line,
            None => {
                self.silent.borrow_mut().retain(|line| !line.has_ended());
                let line = Rc::new(Line::begin(
                    self.ground.clone(),
                    from.clone(),
                    node.clone(),
                    self.connect_timeout,
                ));
                *known = Rc::downgrade(&line);
                line
            }
        }
    }
}

impl Dial for EtcdDial {
    type Session = EtcdSession;

    async fn connect(&self, seat: &Seat) -> Result<EtcdSession, String> {
        let Some(node) = self.member(seat.asset, &seat.region) else {
            return Err(format!("{} has no member of {}", seat.region, self.site.service));
        };
        let line = self.line(&seat.from, &node);
        match line.reach(|state| !matches!(state, State::Opening)).await {
            State::Ended(why) => Err(why),
            State::Opening | State::Up(_) => {
                let (run, clock, silent) = (self.site.run, self.clock.clone(), self.silent.clone());
                Ok(EtcdSession { run, node, clock, line, silent })
            }
        }
    }
}

impl Session for EtcdSession {
    fn node(&self) -> NodeId {
        self.node.clone()
    }

    async fn send(&self, letter: Letter) -> Answer {
        let State::Up(wire) = self.line.now() else { return Answer::refused(self.clock.now()) };
        let key = keys::key(self.run, &letter.identity, letter.attempt);
        match calls::put(&wire, key, letter.payload.to_vec()).await {
            Ok(revision) => {
                let at = self.clock.stamp(wire.last_read());
                Answer {
                    outcome: Outcome::Acked,
                    at,
                    by: Some(self.node.clone()),
                    position: Some(revision),
                }
            }
            Err(status) => Answer {
                outcome: verdict::of_failure(&status),
                ..Answer::unknown(self.clock.now())
            },
        }
    }

    async fn closed(&self) -> String {
        match self.line.reach(|state| matches!(state, State::Ended(_))).await {
            State::Ended(why) => why,
            State::Opening | State::Up(_) => "its connection was given up".to_owned(),
        }
    }

    /// The others stay; the last one closes the connection, with a word or without.
    fn leave(&self, how: Leave) {
        if how == Leave::Silent {
            self.silent.borrow_mut().push(self.line.clone());
        }
    }
}

impl Line {
    fn begin(ground: Arc<dyn Ground>, from: Origin, node: NodeId, patience: Duration) -> Self {
        let (tell, state) = watch::channel(State::Opening);
        let task = tokio::spawn(async move {
            let why = match timeout(patience, connect(&*ground, &from, &node)).await {
                Ok(Ok((wire, ended))) => {
                    tell.send_replace(State::Up(wire));
                    ended.await.unwrap_or_else(|error| chain(&error))
                }
                Ok(Err(why)) => why,
                Err(_) => format!("{node} did not answer within {patience:?}"),
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
    ground: &dyn Ground,
    from: &Origin,
    node: &NodeId,
) -> Result<(Wire, JoinHandle<String>), String> {
    let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
    let opening = wire::open(ground, from, ground.address(node, CLIENT_PORT), keepalive);
    let (wire, ended) = opening.await.map_err(|error| chain(&error))?;
    calls::status(&wire).await.map_err(|status| chain(&status))?;
    Ok((wire, ended))
}
