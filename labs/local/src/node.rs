//! One node as a reconciler: told which state it should be in, it goes there from wherever it is. Nothing is undone.
//!
//! | state | machine | processes |
//! |---|---|---|
//! | up | under power | running |
//! | stopped, frozen | under power | standing still |
//! | terminated, crashed | under power: its kernel answers for the dead | none |
//! | power lost | gone, with its network | none |
//!
//! A process that ends by itself is started again as its [`seams::Restart`] says, while the node is up: a window that wants the node in
//! another state is stronger.

use std::{io, sync::Arc, time::Duration};

use model::{End, Lever, NodeId, NodeState};
use seams::{LabError, Sight, Spot};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::{
    Inside,
    machine::Machine,
    place::{Addresses, Wiring},
    places::Places,
    programs::Programs,
    stub::{End as Ending, Order, Report},
    voice::Voice,
};

/// How long a process may take to end when asked; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// What the reconciler asks of a node. The latest wish wins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub revision: u64,
    pub state: NodeState,
}

/// What a node answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing of its past can send any more: its links may carry packets again.
    Lit {
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
    pub wiring: Wiring,
    pub places: Arc<Places>,
    pub programs: Programs,
    pub voice: Voice,
    pub answers: mpsc::UnboundedSender<(NodeId, Answer)>,
    pub machine: Option<Machine>,
    pub state: NodeState,
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
            let again = self.programs.next_again().filter(|_| self.state == NodeState::Up);
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
                reached = self.reach(goal.state) => reached,
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
        self.state = NodeState::Terminated;
        let _ = self.lose_power().await;
    }

    async fn reach(&mut self, wanted: NodeState) -> Result<(), LabError> {
        let was = std::mem::replace(&mut self.state, wanted);
        if wanted.is_down() {
            self.programs.forget_restarts();
        }
        if wanted == NodeState::PowerLost {
            let hit = self.lose_power().await?;
            self.prove(wanted.lever(), hit);
            return Ok(());
        }
        let is_new = self.gain_power().await?;
        match wanted {
            NodeState::Crashed => {
                let hit = self.end_all(libc::SIGKILL).await?;
                self.prove(wanted.lever(), hit);
            }
            NodeState::Terminated => self.terminate().await?,
            NodeState::Up | NodeState::Stopped | NodeState::Frozen | NodeState::PowerLost => {
                self.resume().await?;
                self.answer(Answer::Lit { revision: self.revision });
                if was.is_down() || !self.programs.began || is_new {
                    self.start().await?;
                }
                if wanted != NodeState::Up {
                    self.stop(wanted).await?;
                }
                return Ok(());
            }
        }
        self.answer(Answer::Lit { revision: self.revision });
        Ok(())
    }

    /// True where the machine was booted anew.
    async fn gain_power(&mut self) -> Result<bool, LabError> {
        let is_new = self.machine.is_none();
        if is_new {
            let (wiring, name, port, addresses) =
                (self.wiring.clone(), self.name.clone(), self.port, self.addresses);
            let made =
                tokio::task::spawn_blocking(move || wiring.place(name.as_str(), port, addresses));
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

    async fn start(&mut self) -> Result<(), LabError> {
        for index in 0..self.programs.len() {
            for job in self.programs.steps(index)? {
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
                    Ok(end) => format!("a step {end}; see {}", self.programs.log(index).display()),
                    Err(why) => format!("start a step: {why}"),
                };
                return Err(self.programs.error(index, why));
            }
            self.programs.prepared(index);
            let Some(job) = self.programs.start(index) else { continue };
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
                return Err(self.programs.error(index, why));
            }
        }
        self.programs.began = true;
        Ok(())
    }

    /// What became of it is heard as any report is.
    fn start_again(&mut self) {
        for job in self.programs.start_again(Instant::now()) {
            // Without an init the node is lost, which is heard next.
            let _ = self.order(&Order::Start(job));
        }
    }

    async fn stop(&mut self, state: NodeState) -> Result<(), LabError> {
        self.signal_all(libc::SIGSTOP).await?;
        while !self.programs.all_stand() {
            self.hear_one().await?;
        }
        self.prove(state.lever(), self.programs.running());
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), LabError> {
        if self.programs.any_stands() {
            self.signal_all(libc::SIGCONT).await?;
        }
        Ok(())
    }

    async fn terminate(&mut self) -> Result<(), LabError> {
        let standing = self.programs.any_stands();
        if self.programs.running() > 0 {
            self.signal_all(libc::SIGTERM).await?;
        }
        if standing {
            self.signal_all(libc::SIGCONT).await?;
        }
        let hit = self.programs.running();
        let asked = tokio::time::timeout(GRACE, self.wait_for_all_ends()).await;
        if let Ok(outcome) = asked {
            outcome?;
        } else {
            let why = format!("still running {} s after SIGTERM: killed", GRACE.as_secs());
            self.voice.say(Sight::CannotDo { lever: Lever::Terminate, end: self.end(), why });
        }
        self.prove(Some(Lever::Terminate), hit);
        // Whatever else a server had started and left behind.
        self.end_all(libc::SIGKILL).await?;
        Ok(())
    }

    /// Ends every process of the node by this signal and waits for the last of ours. How many of those there were.
    async fn end_all(&mut self, signal: i32) -> Result<usize, LabError> {
        let hit = self.programs.running();
        self.signal_all(signal).await?;
        self.wait_for_all_ends().await?;
        Ok(hit)
    }

    async fn wait_for_all_ends(&mut self) -> Result<(), LabError> {
        while self.programs.running() > 0 {
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
        let asked = self.state.is_down();
        if let Some(sight) = self.programs.hear(report, &self.name, asked) {
            self.voice.say(sight);
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
        for sight in self.programs.all_lost(&self.name) {
            self.voice.say(sight);
        }
    }

    fn prove(&self, lever: Option<Lever>, hit: usize) {
        if let (Some(lever), true) = (lever, hit > 0) {
            let first = self.voice.clock.now();
            self.voice.say(Sight::Hit {
                lever,
                at: Spot::Node(self.name.clone()),
                count: hit as u64,
                first,
                established: 0,
            });
        }
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
