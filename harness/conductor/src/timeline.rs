//! The state of the timeline: which phase, which windows are open, which world is wanted. No task and no clock: whoever drives it says
//! what time it is and hands on what was heard and seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{
    Conditions, End, Event, LabEvent, Micros, NodeId, Plan, ServiceId, Stamped, WindowId,
    plan::{Closing, EventPattern, Opening, PhaseEnd, Window},
};
use seams::{Fault, Moment, Wanted};
use tokio::sync::{mpsc, watch};

use crate::{
    poller::{Answer, Heard},
    proofs::{Hit, Proofs},
    resolve::{affected, claims, resolve, severed},
    roles::{Change, Roles},
};

/// The service of each process, by node and by the name that the process has there.
pub(crate) type Owners = BTreeMap<(NodeId, String), ServiceId>;

pub(crate) struct Timeline {
    plan: Arc<Plan>,
    /// The service of each process of a node.
    owners: Owners,
    slots: Vec<Slot>,
    roles: Roles,
    proofs: Proofs,
    world: Arc<Conditions>,
    revision: u64,
    /// Phases entered so far.
    entered: usize,
    stopped: bool,
    want: watch::Sender<Wanted>,
    journal: mpsc::UnboundedSender<(Micros, Event)>,
}

/// A window and where it is in its life.
struct Slot {
    window: Window,
    fault: Box<dyn Fault>,
    state: State,
    /// Windows of which each alone hides everything that this one does.
    hidden_by: BTreeSet<WindowId>,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Its event has not come.
    Waiting,
    Due(Micros),
    Open {
        since: Micros,
        picked: Vec<Vec<End>>,
    },
    Done,
}

/// What is told of a window once the world that goes with it has its revision.
enum Transition {
    Opened(usize),
    Moved(usize),
    Closed(usize),
}

impl Timeline {
    pub(crate) fn new(
        plan: Arc<Plan>,
        owners: Owners,
        windows: Vec<(Window, Box<dyn Fault>)>,
        want: watch::Sender<Wanted>,
        journal: mpsc::UnboundedSender<(Micros, Event)>,
    ) -> Self {
        let Wanted { revision, conditions: world } = want.borrow().clone();
        let slots = windows.into_iter().map(|(window, fault)| Slot::new(window, fault)).collect();
        let (roles, proofs) = (Roles::default(), Proofs::default());
        Self {
            plan,
            owners,
            slots,
            roles,
            proofs,
            world,
            revision,
            entered: 0,
            stopped: false,
            want,
            journal,
        }
    }

    /// Brings the timeline to `now`: everything that was due is done, in the order phases, closings, openings.
    pub(crate) fn advance(&mut self, now: Micros) {
        self.enter_phases(now);
        let mut transitions = vec![];
        for index in 0..self.slots.len() {
            if self.slots[index].closes().is_some_and(|at| at <= now) {
                transitions.push(self.close(index));
            }
        }
        for index in 0..self.slots.len() {
            match self.slots[index].state {
                State::Due(at) if at <= now => transitions.extend(self.open(index, now)),
                State::Waiting if self.slots[index].waits_until() < now => {
                    self.miss(index, now, "its event did not come in time")
                }
                _ => {}
            }
        }
        self.publish(now, transitions);
    }

    /// When [`Timeline::advance`] has something to do next.
    pub(crate) fn next(&self, now: Micros) -> Option<Micros> {
        let phase = self.plan.phases.get(self.entered).map(|phase| Micros::after(phase.start));
        let stop = (!self.stopped).then(|| Micros::after(self.plan.stop()));
        let slots = self.slots.iter().flat_map(|slot| slot.next(now));
        slots.chain(phase).chain(stop).min()
    }

    /// Closes what is open and gives up on what is not.
    pub(crate) fn end(&mut self, now: Micros, complete: bool) {
        let mut transitions = vec![];
        for index in 0..self.slots.len() {
            match self.slots[index].state {
                State::Open { .. } => transitions.push(self.close(index)),
                State::Waiting => self.miss(index, now, "the run ended before its event came"),
                State::Due(_) => self.miss(index, now, "the run ended before its time came"),
                State::Done => {}
            }
        }
        self.publish(now, transitions);
        if matches!(self.plan.phases.last(), Some(phase) if matches!(phase.end, PhaseEnd::Quiesced { .. }))
        {
            self.tell(now, Event::Quiesced { complete });
        }
    }

    pub(crate) fn heard(&mut self, heard: Heard) {
        let Heard { at, service, what } = heard;
        match what {
            Answer::Redundant(redundant) => self.tell(at, Event::Redundant { service, redundant }),
            Answer::Roles(node, said) => {
                let changes = self.roles.learn(&service, &node, said);
                for change in &changes {
                    self.tell(at, change.clone().event());
                    self.happened(at, |pattern| change.fits(pattern));
                }
                self.follow(at, &changes);
            }
        }
    }

    /// What the lab says goes to the journal as it was said. A hit goes there as the proof of each window that it proves.
    pub(crate) fn seen(&mut self, seen: Stamped) {
        let Stamped { at, what } = seen;
        match what {
            LabEvent::Hit { lever, at: place, count, first, established } => {
                let hit = Hit { lever, at: place, count, first, established };
                for proven in self.proofs.hit(&hit) {
                    self.tell(at, proven);
                }
            }
            LabEvent::InForce { revision } => {
                self.proofs.in_force(revision, at);
                self.tell(at, Event::Lab(what));
            }
            LabEvent::ProcessExited { ref node, ref process, asked, .. } => {
                let service = self.owners.get(&(node.clone(), process.clone())).cloned();
                self.tell(at, Event::Lab(what));
                self.happened(at, |pattern| match pattern {
                    EventPattern::ProcessExited { service: wanted } => {
                        !asked && Some(wanted) == service.as_ref()
                    }
                    EventPattern::RoleChanged { .. } => false,
                });
            }
            LabEvent::ProcessStarted { .. }
            | LabEvent::Canary { .. }
            | LabEvent::Healed { .. }
            | LabEvent::Standstill { .. }
            | LabEvent::DiskStalled { .. }
            | LabEvent::CannotDo { .. } => self.tell(at, Event::Lab(what)),
        }
    }

    fn enter_phases(&mut self, now: Micros) {
        let plan = self.plan.clone();
        if !self.stopped && Micros::after(plan.stop()) <= now {
            self.stopped = true;
            self.tell(now, Event::GenerationStopped);
        }
        while let Some(phase) =
            plan.phases.get(self.entered).filter(|phase| Micros::after(phase.start) <= now)
        {
            self.tell(now, Event::PhaseEntered { phase: phase.name.clone() });
            self.entered += 1;
        }
    }

    /// An event came at `at`: windows that wait for it get their time.
    fn happened(&mut self, at: Micros, fits: impl Fn(&EventPattern) -> bool) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Waiting) {
            if let Opening::When { event, from, to, after } = &slot.window.opening
                && (Micros::after(*from)..=Micros::after(*to)).contains(&at)
                && fits(event)
            {
                slot.state = State::Due(at + *after);
            }
        }
    }

    /// Moves windows that follow a role to whoever holds it now. Where nobody is known, a window stays where it is.
    fn follow(&mut self, at: Micros, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut transitions = vec![];
        for (index, slot) in
            self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.window.follow)
        {
            if let State::Open { picked, .. } = &mut slot.state
                && let Ok(now) =
                    resolve(&self.plan, &slot.window, &slot.fault.targets(), &self.roles)
                && now != *picked
            {
                *picked = now;
                transitions.push(Transition::Moved(index));
            }
        }
        self.publish(at, transitions);
    }

    fn open(&mut self, index: usize, now: Micros) -> Option<Transition> {
        let slot = &mut self.slots[index];
        match resolve(&self.plan, &slot.window, &slot.fault.targets(), &self.roles) {
            Ok(picked) => {
                slot.state = State::Open { since: now, picked };
                Some(Transition::Opened(index))
            }
            Err(why) => {
                self.miss(index, now, &why);
                None
            }
        }
    }

    fn close(&mut self, index: usize) -> Transition {
        self.slots[index].state = State::Done;
        Transition::Closed(index)
    }

    fn miss(&mut self, index: usize, now: Micros, why: &str) {
        let slot = &mut self.slots[index];
        slot.state = State::Done;
        let event = Event::FaultMissed { window: slot.window.id.clone(), why: why.to_owned() };
        self.tell(now, event);
    }

    /// Folds the open windows in their order into a world. It gets a revision when windows turned or a fault changed by itself.
    fn publish(&mut self, now: Micros, transitions: Vec<Transition>) {
        let adds: Vec<Conditions> =
            self.slots.iter().map(|slot| slot.adds(&self.plan, now)).collect();
        let world = adds.iter().fold(Conditions::default(), Conditions::and);
        if transitions.is_empty() && world == *self.world {
            return;
        }
        self.world = Arc::new(world);
        self.revision += 1;
        for transition in transitions {
            self.record(now, transition, &adds);
        }
        self.tell_what_is_hidden(now, &adds);
        self.want.send_replace(Wanted { revision: self.revision, conditions: self.world.clone() });
    }

    /// Told before the world is published, so that no effect is older than its cause. `adds` is what each slot adds to the world now.
    fn record(&mut self, now: Micros, transition: Transition, adds: &[Conditions]) {
        let revision = self.revision;
        let (Transition::Opened(index) | Transition::Moved(index) | Transition::Closed(index)) =
            transition;
        let window: WindowId = self.slots[index].window.id.clone();
        self.proofs.closed(&window, revision);
        if let State::Open { picked, .. } = &self.slots[index].state {
            let picked = picked.clone();
            let adds = &adds[index];
            let claims = claims(adds, &picked);
            let affected = affected(&self.plan.topology, &picked, &self.roles);
            let severed = severed(adds, &self.plan.topology);
            self.proofs.opened(&window, claims.clone(), adds.clone(), now);
            let event = match transition {
                Transition::Moved(_) => {
                    Event::FaultMoved { window, revision, picked, claims, affected, severed }
                }
                Transition::Opened(_) | Transition::Closed(_) => {
                    Event::FaultAsked { window, revision, picked, claims, affected, severed }
                }
            };
            self.tell(now, event);
        } else {
            self.tell(now, Event::FaultClosed { window, revision });
        }
    }

    /// `adds` is what each slot adds to the world now. What another window hides as well cannot be shown to have bitten by itself.
    fn tell_what_is_hidden(&mut self, now: Micros, adds: &[Conditions]) {
        for (index, mine) in adds.iter().enumerate() {
            if !matches!(self.slots[index].state, State::Open { .. }) {
                continue;
            }
            let others = adds.iter().zip(&self.slots).enumerate();
            let hiding =
                others.filter(|(at, (theirs, _))| *at != index && mine.is_hidden_by(theirs));
            let by: BTreeSet<WindowId> =
                hiding.map(|(_, (_, slot))| slot.window.id.clone()).collect();
            let slot = &mut self.slots[index];
            if by != slot.hidden_by {
                slot.hidden_by.clone_from(&by);
                let window = slot.window.id.clone();
                self.tell(now, Event::FaultHidden { window, by });
            }
        }
    }

    /// The journal may be gone when a run breaks off; the timeline is then about to be dropped too.
    fn tell(&self, at: Micros, event: Event) {
        let _nobody_reads = self.journal.send((at, event));
    }
}

impl Slot {
    fn new(window: Window, fault: Box<dyn Fault>) -> Self {
        let state = match window.opening {
            Opening::At(at) => State::Due(Micros::after(at)),
            Opening::When { .. } => State::Waiting,
        };
        Self { window, fault, state, hidden_by: BTreeSet::new() }
    }

    /// What it adds to the world now; nothing unless it is open.
    fn adds(&self, plan: &Plan, now: Micros) -> Conditions {
        match &self.state {
            State::Open { since, picked } => self.fault.at(&Moment {
                elapsed: now.since(*since),
                topology: &plan.topology,
                picked,
            }),
            _ => Conditions::default(),
        }
    }

    fn closes(&self) -> Option<Micros> {
        let State::Open { since, .. } = self.state else { return None };
        Some(match self.window.closing {
            Closing::At(at) => Micros::after(at),
            Closing::After(length) => since + length,
        })
    }

    fn waits_until(&self) -> Micros {
        match self.window.opening {
            Opening::When { to, .. } => Micros::after(to),
            Opening::At(_) => Micros::MAX,
        }
    }

    fn next(&self, now: Micros) -> Vec<Micros> {
        match self.state {
            State::Waiting => vec![self.waits_until() + Duration::from_micros(1)],
            State::Due(at) => vec![at],
            State::Open { since, .. } => {
                let change =
                    self.fault.next_change(now.since(since)).map(|elapsed| since + elapsed);
                self.closes().into_iter().chain(change).collect()
            }
            State::Done => vec![],
        }
    }
}
