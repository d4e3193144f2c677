//! One sending thread's share of the driver: its connections, who sits on them, what is under way.
//!
//! Connecting and putting are tasks; what they find out comes back as notes, and only `poll` changes the books. Absent on purpose:
//! deadlines and retries, which are the fleet's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use model::{End, Micros, NodeId, Outcome, RegionId};
use seams::{Batch, Clock, Ground, Lane, Leave, Origin, Outgoing, Progress, Seat, Site};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

use crate::{
    CLIENT_PORT, PING_EVERY, PING_TIMEOUT, calls, keys, verdict,
    wire::{self, Keepalive, Wire, chain},
};

pub(crate) struct EtcdLane {
    site: Site,
    connect_timeout: Duration,
    ground: Arc<dyn Ground>,
    clock: Clock,
    notes: UnboundedReceiver<Note>,
    note: UnboundedSender<Note>,
    lines: BTreeMap<LineId, Line>,
    /// The line to a member from a cell that new seats may share.
    open: BTreeMap<(End, NodeId), LineId>,
    seats: HashMap<u32, LineId>,
    /// How often each asset has asked for a connection.
    asked: HashMap<u32, usize>,
    tickets: HashMap<u64, Ticket>,
    next: LineId,
}

type LineId = u64;

/// One connection, from the first wish for it until everybody on it has been told of its end.
struct Line {
    place: (End, NodeId),
    task: AbortHandle,
    /// None while connecting.
    wire: Option<Wire>,
    assets: BTreeSet<u32>,
    under_way: usize,
    ended: Option<String>,
}

/// A put under way.
struct Ticket {
    asset: u32,
    line: LineId,
    task: AbortHandle,
}

/// What a task found out.
enum Note {
    Opened(LineId, Wire),
    Ended(LineId, String),
    Sent {
        ticket: u64,
        at: Micros,
    },
    Answered {
        ticket: u64,
        outcome: Outcome,
        at: Micros,
        position: Option<u64>,
    },
    /// Settled already, only to be handed out.
    Say(Progress),
}

impl EtcdLane {
    pub(crate) fn new(site: Site, connect_timeout: Duration, ground: Arc<dyn Ground>, clock: Clock) -> Self {
        let (note, notes) = unbounded_channel();
        Self {
            site,
            connect_timeout,
            ground,
            clock,
            notes,
            note,
            lines: BTreeMap::new(),
            open: BTreeMap::new(),
            seats: HashMap::new(),
            asked: HashMap::new(),
            tickets: HashMap::new(),
            next: 0,
        }
    }

    /// Through the notes, so that the waker of `poll` learns of it.
    fn say(&self, progress: Progress) {
        tell(&self.note, Note::Say(progress));
    }

    /// The member that an asset is pinned to now: the next one of the region at each wish.
    fn member(&mut self, asset: u32, region: &RegionId) -> Option<NodeId> {
        let topology = &self.site.topology;
        let here: Vec<_> = self.site.nodes().filter(|node| topology.nodes.get(*node).is_some_and(|node| node.region == *region)).collect();
        let asked = self.asked.entry(asset).or_default();
        *asked += 1;
        let turn = (asset as usize).wrapping_add(*asked - 1);
        here.get(turn.checked_rem(here.len())?).map(|node| (*node).clone())
    }

    fn seat(&mut self, seat: &Seat) {
        self.leave(seat.asset, Leave::Close);
        let Some(node) = self.member(seat.asset, &seat.region) else {
            let why = format!("{} has no member of {}", seat.region, self.site.service);
            return self.say(Progress::Down { asset: seat.asset, why });
        };
        let place = (seat.from.end.clone(), node.clone());
        let id = match self.open.get(&place) {
            Some(id) => *id,
            None => self.begin(place, &seat.from),
        };
        let line = self.lines.get_mut(&id).expect("an open line is in the books");
        line.assets.insert(seat.asset);
        let stands = line.wire.is_some();
        self.seats.insert(seat.asset, id);
        if stands {
            self.say(Progress::Up { asset: seat.asset, node });
        }
    }

    /// Begins a connection.
    fn begin(&mut self, place: (End, NodeId), from: &Origin) -> LineId {
        let id = self.next;
        self.next += 1;
        let (ground, from, note) = (self.ground.clone(), from.clone(), self.note.clone());
        let (node, patience) = (place.1.clone(), self.connect_timeout);
        let task = tokio::spawn(async move {
            let why = match timeout(patience, connect(&*ground, &from, &node)).await {
                Ok(Ok((wire, ended))) => {
                    tell(&note, Note::Opened(id, wire));
                    ended.await.unwrap_or_else(|error| chain(&error))
                }
                Ok(Err(why)) => why,
                Err(_) => format!("{node} did not answer within {patience:?}"),
            };
            tell(&note, Note::Ended(id, why));
        });
        let line = Line { place: place.clone(), task: task.abort_handle(), wire: None, assets: BTreeSet::new(), under_way: 0, ended: None };
        self.lines.insert(id, line);
        self.open.insert(place, id);
        id
    }

    fn put(&mut self, reading: &Outgoing, payload: &[u8]) {
        let (ticket, asset) = (reading.ticket, reading.identity.asset);
        let id = self.seats.get(&asset).copied();
        let line = id.and_then(|id| self.lines.get_mut(&id));
        let (Some(id), Some(line)) = (id, line) else { return self.refuse(ticket) };
        let Some(wire) = line.wire.clone() else { return self.refuse(ticket) };
        line.under_way += 1;
        let key = keys::key(self.site.run, &reading.identity, reading.attempt);
        let (value, note, clock) = (payload.to_vec(), self.note.clone(), self.clock.clone());
        let task = tokio::spawn(async move {
            tell(&note, Note::Sent { ticket, at: clock.now() });
            let (outcome, at, position) = match calls::put(&wire, key, value).await {
                Ok(revision) => (Outcome::Acked, clock.stamp(wire.last_read()), Some(revision)),
                Err(status) => (verdict::of_failure(&status), clock.now(), None),
            };
            tell(&note, Note::Answered { ticket, outcome, at, position });
        });
        self.tickets.insert(ticket, Ticket { asset, line: id, task: task.abort_handle() });
    }

    /// Nobody was given the reading.
    fn refuse(&self, ticket: u64) {
        self.say(Progress::Done { ticket, outcome: Outcome::Refused, at: self.clock.now(), by: None, position: None });
    }

    fn leave(&mut self, asset: u32, how: Leave) {
        let left: Vec<u64> = self.tickets.iter().filter(|(_, ticket)| ticket.asset == asset).map(|(number, _)| *number).collect();
        for ticket in left {
            self.abandon(ticket);
            self.say(Progress::Done { ticket, outcome: Outcome::Unknown, at: self.clock.now(), by: None, position: None });
        }
        let Some(id) = self.seats.remove(&asset) else { return };
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.assets.remove(&asset);
        // A connection that the last asset leaves without a word stays as it is: the member is not told.
        if line.assets.is_empty() && line.ended.is_none() && how != Leave::Silent {
            self.open.remove(&line.place);
            line.task.abort();
            self.lines.remove(&id);
        }
    }

    fn hear(&mut self, note: Note, out: &mut Vec<Progress>) {
        match note {
            Note::Opened(id, wire) => {
                let Some(line) = self.lines.get_mut(&id) else { return };
                line.wire = Some(wire);
                out.extend(line.assets.iter().map(|asset| Progress::Up { asset: *asset, node: line.place.1.clone() }));
            }
            Note::Ended(id, why) => {
                let Some(line) = self.lines.get_mut(&id) else { return };
                line.wire = None;
                line.ended = Some(why);
                self.open.remove(&line.place);
                self.settle(id);
            }
            Note::Sent { ticket, at } => {
                if self.tickets.contains_key(&ticket) {
                    out.push(Progress::Sent { ticket, at });
                }
            }
            Note::Answered { ticket, outcome, at, position } => {
                let Some(Ticket { line, .. }) = self.tickets.remove(&ticket) else { return };
                let node = self.lines.get(&line).map(|line| line.place.1.clone());
                let by = node.filter(|_| outcome == Outcome::Acked);
                out.push(Progress::Done { ticket, outcome, at, by, position });
                self.answered(line);
            }
            Note::Say(progress) => out.push(progress),
        }
    }

    /// One thing less is under way on a line.
    fn answered(&mut self, id: LineId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.under_way -= 1;
            self.settle(id);
        }
    }

    /// Tells everybody on a line that has ended, after the last answer of it.
    fn settle(&mut self, id: LineId) {
        let Some(Line { ended: Some(why), under_way: 0, assets, .. }) = self.lines.get(&id) else { return };
        for asset in assets {
            self.seats.remove(asset);
            tell(&self.note, Note::Say(Progress::Down { asset: *asset, why: why.clone() }));
        }
        self.lines.remove(&id);
    }
}

impl Lane for EtcdLane {
    fn connect(&mut self, seats: &[Seat]) {
        for seat in seats {
            self.seat(seat);
        }
    }

    fn disconnect(&mut self, asset: u32, how: Leave) {
        self.leave(asset, how);
    }

    /// Takes everything: what is under way is bounded by the fleet.
    fn submit(&mut self, batch: Batch<'_>) -> usize {
        for reading in batch.readings {
            self.put(reading, batch.payload(reading));
        }
        batch.readings.len()
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        let before = out.len();
        while let Poll::Ready(note) = self.notes.poll_recv(cx) {
            self.hear(note.expect("the lane itself holds a sender"), out);
        }
        if out.len() > before { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends the request as well (RST_STREAM), as any client's own timeout does; the member may apply it all the same.
    fn abandon(&mut self, ticket: u64) {
        if let Some(Ticket { line, task, .. }) = self.tickets.remove(&ticket) {
            task.abort();
            self.answered(line);
        }
    }
}

impl Drop for EtcdLane {
    fn drop(&mut self) {
        let puts = self.tickets.values().map(|ticket| &ticket.task);
        let lines = self.lines.values().map(|line| &line.task);
        puts.chain(lines).for_each(AbortHandle::abort);
    }
}

/// Nobody listens any more only when the lane itself is gone.
fn tell(note: &UnboundedSender<Note>, what: Note) {
    let _gone = note.send(what);
}

/// A connection stands when the member has answered: a stopped one accepts connections all the same.
async fn connect(ground: &dyn Ground, from: &Origin, node: &NodeId) -> Result<(Wire, JoinHandle<String>), String> {
    let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
    let opening = wire::open(ground, from, ground.address(node, CLIENT_PORT), keepalive);
    let (wire, ended) = opening.await.map_err(|error| chain(&error))?;
    calls::status(&wire).await.map_err(|status| chain(&status))?;
    Ok((wire, ended))
}
