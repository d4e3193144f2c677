//! One node as a reconciler: told which condition it should be in, it goes there from wherever it is. Nothing is undone.
//!
//! | state | machine | processes |
//! |---|---|---|
//! | up | under power | running |
//! | stopped, frozen | under power | standing still |
//! | terminated, crashed | under power: its kernel answers for the dead | none |
//! | power lost | gone, with its network | none |
//!
//! While the node is up, stopped or frozen, each process has a state of its own beside it; the worse of the two holds.
//!
//! A process that ends by itself is started again as its [`seams::Restart`] says, while it is wanted up: a window that wants the process
//! or its node in another state is stronger.

use std::{io, sync::Arc, time::Duration};

use model::{End, LabEvent, Lever, NodeCondition, NodeId, NodeState, event::Place};
use seams::LabError;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::{
    Inside,
    attachment::{Addresses, Attacher},
    events::LabEvents,
    init::{End as Ending, Order, Report},
    machine::Machine,
    network::Places,
    processes::Processes,
};

/// How long a process may take to end when asked; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What the reconciler asks of a node. The latest wish wins.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub revision: u64,
    pub condition: NodeCondition,
}

/// What a node answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing of its past can send any more: its links may carry packets again.
    LinksMayOpen {
        revision: u64,
    },
    Reached {
        revision: u64,
    },
    Failed {
        revision: u64,
        error: LabError,
    },
}

#[derive(Debug)]
pub(crate) struct Node {
    pub name: NodeId,
    pub addresses: Addresses,
    pub port: fabric::PortId,
    pub inside: Inside,
    pub attacher: Attacher,
    pub places: Arc<Places>,
    pub processes: Processes,
    pub events: LabEvents,
    pub answers: mpsc::UnboundedSender<(NodeId, Answer)>,
    pub machine: Option<Machine>,
    pub wanted: NodeCondition,
    pub revision: u64,
}

impl Node {
    /// Follows its goals until the lab closes, whatever it is doing then, and ends everything.
    pub(crate) async fn live(
        mut self,
        mut goals: mpsc::UnboundedReceiver<Goal>,
        mut closing: watch::Receiver<()>,
    ) {
        loop {
            let again = self.processes.next_again(&self.wanted);
            let goal = tokio::select! {
                goal = goals.recv() => goal,
                _ = closing.changed() => break,
                report = next_report(&mut self.machine) => {
                    self.hear_unasked(report);
                    continue;
                }
                () = moment(again) => {
                    self.start_again();
                    continue;
                }
            };
            let Some(mut goal) = goal else { break };
            while let Ok(newer) = goals.try_recv() {
                goal = newer;
            }
            self.revision = goal.revision;
            let reached = tokio::select! {
                reached = self.reach(goal.condition) => reached,
                _ = closing.changed() => break,
            };
            let answer = match reached {
                Ok(()) => Answer::Reached { revision: goal.revision },
                Err(error) => {
                    if self.machine.as_ref().is_some_and(Machine::is_gone) {
                        self.lose_init();
                    }
                    Answer::Failed { revision: goal.revision, error }
                }
            };
            self.answer(answer);
        }
        // The end of the lab: from here on every end is asked for. Whoever waited for it looks at the processes, not at an error.
        self.wanted = NodeState::Terminated.into();
        let _ = self.lose_power().await;
    }

    async fn reach(&mut self, wanted: NodeCondition) -> Result<(), LabError> {
        self.tell_unknown(&wanted);
        let state = wanted.state;
        self.wanted = wanted;
        if state.is_down() {
            self.processes.put_all_down();
        }
        if state == NodeState::PowerLost {
            let hit = self.lose_power().await?;
            self.prove(state.lever(), hit);
            return Ok(());
        }
        if self.gain_power().await? {
            self.processes.put_all_down();
        }
        match state {
            NodeState::Crashed => {
                let hit = self.end_all(libc::SIGKILL).await?;
                self.prove(state.lever(), hit);
            }
            NodeState::Terminated => self.terminate().await?,
            NodeState::Up | NodeState::Stopped | NodeState::Frozen | NodeState::PowerLost => {
                self.resume().await?;
                self.answer(Answer::LinksMayOpen { revision: self.revision });
                self.end_single().await?;
                self.start().await?;
                if state == NodeState::Up {
                    self.stop_single().await?;
                } else {
                    self.stop(state).await?;
                }
                return Ok(());
            }
        }
        self.answer(Answer::LinksMayOpen { revision: self.revision });
        Ok(())
    }

    /// A process that nobody started cannot suffer.
    fn tell_unknown(&self, wanted: &NodeCondition) {
        for (name, state) in &wanted.processes {
            let was = self.wanted.processes.get(name).copied().unwrap_or_default();
            if let Some(lever) = state.lever().filter(|_| was != *state)
                && !self.processes.has(name)
            {
                let why = format!("no process of this node is called `{name}`");
                self.events.publish(LabEvent::CannotDo { lever, end: self.end(), why });
            }
        }
    }

    /// Ends the processes that are wanted down while their node is not.
    async fn end_single(&mut self) -> Result<(), LabError> {
        for index in 0..self.processes.len() {
            let state = self.wanted_of(index);
            if !state.is_down() {
                continue;
            }
            self.processes.put_down(index);
            let Some(number) = self.processes.number(index) else { continue };
            let asked = state == NodeState::Terminated;
            self.signal_one(number, if asked { libc::SIGTERM } else { libc::SIGKILL })?;
            if asked && self.processes.stands(index) {
                self.signal_one(number, libc::SIGCONT)?;
            }
            let ends = tokio::time::timeout(GRACE, self.wait_for_end(index)).await;
            match ends {
                Ok(outcome) => outcome?,
                Err(_still_running) => {
                    let name = self.processes.name(index);
                    let why = format!(
                        "`{name}` still ran {} s after its signal: killed",
                        GRACE.as_secs()
                    );
                    let lever = state.lever().unwrap_or(Lever::Crash);
                    self.events.publish(LabEvent::CannotDo { lever, end: self.end(), why });
                    self.signal_one(number, libc::SIGKILL)?;
                    self.wait_for_end(index).await?;
                }
            }
            self.prove_single(state.lever(), index);
        }
        Ok(())
    }

    /// Stops the processes that are wanted so while their node is up.
    async fn stop_single(&mut self) -> Result<(), LabError> {
        for index in 0..self.processes.len() {
            let Some(number) = self.processes.number(index) else { continue };
            if self.wanted_of(index) != NodeState::Stopped || self.processes.stands(index) {
                continue;
            }
            self.signal_one(number, libc::SIGSTOP)?;
            while !self.processes.stands(index) && self.processes.number(index).is_some() {
                self.hear_one().await?;
            }
            self.prove_single(NodeState::Stopped.lever(), index);
        }
        Ok(())
    }

    fn wanted_of(&self, index: usize) -> NodeState {
        self.wanted.process(self.processes.name(index))
    }

    async fn wait_for_end(&mut self, index: usize) -> Result<(), LabError> {
        while self.processes.number(index).is_some() {
            self.hear_one().await?;
        }
        Ok(())
    }

    fn signal_one(&self, number: u32, signal: i32) -> io::Result<()> {
        self.order(&Order::SignalOne { number, signal })
    }

    /// True where the machine was booted anew.
    async fn gain_power(&mut self) -> Result<bool, LabError> {
        let is_new = self.machine.is_none();
        if is_new {
            let (attacher, name, port, addresses) =
                (self.attacher.clone(), self.name.clone(), self.port, self.addresses);
            let made =
                tokio::task::spawn_blocking(move || attacher.place(name.as_str(), port, addresses));
            let place = made.await.map_err(io::Error::other)??;
            self.places.put(self.end(), place.clone());
            self.machine = Some(Machine::boot(&self.inside, self.name.as_str(), place).await?);
        }
        Ok(is_new)
    }

    /// The links are cut already. Kills, then throws the network away with whatever its dead kernel still meant to send.
    async fn lose_power(&mut self) -> Result<usize, LabError> {
        let hit = if self.machine.is_some() { self.end_all(libc::SIGKILL).await? } else { 0 };
        if let Some(machine) = self.machine.take() {
            drop(machine.destroy().await?);
            self.places.take(&self.end())?;
        }
        Ok(hit)
    }

    /// Starts what is due and not wanted down.
    async fn start(&mut self) -> Result<(), LabError> {
        for index in 0..self.processes.len() {
            if !self.processes.is_due(index) || self.wanted_of(index).is_down() {
                continue;
            }
            for job in self.processes.steps(index)? {
                let number = job.number;
                self.order(&Order::Start(job))?;
                let end = self.wait_for(|report| match report {
                    Report::Ended { number: ended, end } if *ended == number => Some(Ok(*end)),
                    Report::NotStarted { number: failed, why } if *failed == number => {
                        Some(Err(why.clone()))
                    }
                    _ => None,
                });
                let why = match end.await? {
                    Ok(Ending::Exited(0)) => continue,
                    Ok(end) => format!("a step {end}; see {}", self.processes.log(index).display()),
                    Err(why) => format!("start a step: {why}"),
                };
                return Err(self.processes.error(index, why));
            }
            self.processes.prepared(index);
            let Some(job) = self.processes.start(index) else { continue };
            let number = job.number;
            self.order(&Order::Start(job))?;
            let started = self.wait_for(|report| match report {
                Report::Started { number: started } if *started == number => Some(Ok(())),
                Report::NotStarted { number: failed, why } if *failed == number => {
                    Some(Err(why.clone()))
                }
                _ => None,
            });
            if let Err(why) = started.await? {
                return Err(self.processes.error(index, why));
            }
        }
        Ok(())
    }

    /// What became of it is heard as any report is.
    fn start_again(&mut self) {
        for job in self.processes.start_again(Instant::now(), &self.wanted) {
            // Without an init the node is lost, which is heard next.
            let _ = self.order(&Order::Start(job));
        }
    }

    async fn stop(&mut self, state: NodeState) -> Result<(), LabError> {
        self.signal_all(libc::SIGSTOP).await?;
        while !self.processes.all_stand() {
            self.hear_one().await?;
        }
        self.prove(state.lever(), self.processes.running());
        Ok(())
    }

    /// Lets go on what shall not stand still any more. A process that is wanted still does not move in between.
    async fn resume(&mut self) -> Result<(), LabError> {
        let standing = (0..self.processes.len()).filter(|index| self.processes.stands(*index));
        let (stay, go): (Vec<usize>, Vec<usize>) =
            standing.partition(|index| self.wanted_of(*index) == NodeState::Stopped);
        for index in &go {
            self.processes.let_go(*index);
        }
        match (stay.as_slice(), go.as_slice()) {
            (_, []) => Ok(()),
            // Whatever a program started and left outside of its group goes on too.
            ([], _) => self.signal_all(libc::SIGCONT).await,
            (_, go) => {
                for number in go.iter().filter_map(|index| self.processes.number(*index)) {
                    self.signal_one(number, libc::SIGCONT)?;
                }
                Ok(())
            }
        }
    }

    async fn terminate(&mut self) -> Result<(), LabError> {
        let standing = self.processes.any_stands();
        if self.processes.running() > 0 {
            self.signal_all(libc::SIGTERM).await?;
        }
        if standing {
            self.signal_all(libc::SIGCONT).await?;
        }
        let hit = self.processes.running();
        let asked = tokio::time::timeout(GRACE, self.wait_for_all_ends()).await;
        if let Ok(outcome) = asked {
            outcome?;
        } else {
            let why = format!("still running {} s after SIGTERM: killed", GRACE.as_secs());
            self.events.publish(LabEvent::CannotDo {
                lever: Lever::Terminate,
                end: self.end(),
                why,
            });
        }
        self.prove(Some(Lever::Terminate), hit);
        // Whatever else a server had started and left behind.
        self.end_all(libc::SIGKILL).await?;
        Ok(())
    }

    /// Ends every process of the node by this signal and waits for the last of ours. How many of those there were.
    async fn end_all(&mut self, signal: i32) -> Result<usize, LabError> {
        let hit = self.processes.running();
        self.signal_all(signal).await?;
        self.wait_for_all_ends().await?;
        Ok(hit)
    }

    async fn wait_for_all_ends(&mut self) -> Result<(), LabError> {
        while self.processes.running() > 0 {
            self.hear_one().await?;
        }
        Ok(())
    }

    async fn signal_all(&mut self, signal: i32) -> Result<(), LabError> {
        self.order(&Order::Signal(signal))?;
        self.wait_for(|report| {
            matches!(report, Report::Signalled { signal: sent, .. } if *sent == signal)
                .then_some(())
        })
        .await
    }

    fn order(&self, order: &Order) -> io::Result<()> {
        let machine =
            self.machine.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NetworkDown))?;
        machine.order(order)
    }

    async fn wait_for<T>(&mut self, found: impl Fn(&Report) -> Option<T>) -> Result<T, LabError> {
        loop {
            if let Some(answer) = found(&self.hear_one().await?) {
                return Ok(answer);
            }
        }
    }

    async fn hear_one(&mut self) -> io::Result<Report> {
        let report = next_report(&mut self.machine).await?;
        self.hear(&report);
        Ok(report)
    }

    fn hear(&mut self, report: &Report) {
        if let Some(sight) = self.processes.hear(report, &self.name, &self.wanted) {
            self.events.publish(sight);
        }
    }

    fn hear_unasked(&mut self, report: io::Result<Report>) {
        match report {
            Ok(report) => self.hear(&report),
            Err(_) => self.lose_init(),
        }
    }

    /// Its init is gone, and the kernel has ended everything in it: the node crashed without anybody's wish.
    fn lose_init(&mut self) {
        self.machine = None;
        for sight in self.processes.all_lost(&self.name) {
            self.events.publish(sight);
        }
    }

    fn prove(&self, lever: Option<Lever>, hit: usize) {
        if let (Some(lever), true) = (lever, hit > 0) {
            self.prove_at(lever, Place::Node(self.name.clone()), hit as u64);
        }
    }

    fn prove_single(&self, lever: Option<Lever>, index: usize) {
        let (node, process) = (self.name.clone(), self.processes.name(index).to_owned());
        if let Some(lever) = lever {
            self.prove_at(lever, Place::Process { node, process }, 1);
        }
    }

    fn prove_at(&self, lever: Lever, at: Place, count: u64) {
        let first = self.events.clock.now();
        self.events.publish(LabEvent::Hit { lever, at, count, first, established: 0 });
    }

    fn answer(&self, answer: Answer) {
        // Without a reconciler the lab is closing, and our goals end next.
        let _ = self.answers.send((self.name.clone(), answer));
    }

    fn end(&self) -> End {
        End::Node(self.name.clone())
    }
}

/// For ever where there is none.
async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits for ever where there is no machine.
async fn next_report(machine: &mut Option<Machine>) -> io::Result<Report> {
    match machine {
        Some(machine) => machine.report().await,
        None => std::future::pending().await,
    }
}
