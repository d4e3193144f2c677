//! From an open lab to a stack that serves. A server that ended, and that nobody starts again, ends the wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use model::{Event, LabEvent, NodeId, Plan, ServiceId, Stamped};
use seams::{Lab, Network, Process, Restart, Service, SystemError};
use tokio::sync::{mpsc, watch};

use crate::{
    DrillError,
    error::{Written, chain},
    journal::EventSink,
};

/// Between two tries to find a service ready.
const READY_EVERY: Duration = Duration::from_millis(100);
/// How often a person is told what a service waits for, when that changes; and at the latest.
const TOLD_EVERY: Duration = Duration::from_secs(1);
const TOLD_AGAIN: u32 = 10;

pub(crate) type Services = BTreeMap<ServiceId, Arc<dyn Service>>;

pub(crate) struct BringUp<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) services: &'a Services,
    pub(crate) lab: &'a dyn Lab,
    pub(crate) owns_processes: bool,
    pub(crate) network: &'a dyn Network,
    pub(crate) events: &'a EventSink,
}

/// An end that nobody asked for, as the lab tells it.
struct Ended<'a> {
    node: &'a NodeId,
    process: &'a str,
    status: &'a str,
}

impl Ended<'_> {
    fn is_of(&self, processes: &BTreeSet<(NodeId, String)>) -> bool {
        processes.iter().any(|(node, process)| node == self.node && process == self.process)
    }
}

impl BringUp<'_> {
    /// Waits until every service serves, makes what must exist in it, and asks for its version. What the lab says meanwhile comes back:
    /// the timeline has not begun.
    pub(crate) async fn all(
        &self,
        seen: &mut mpsc::UnboundedReceiver<Stamped>,
    ) -> Result<Vec<Stamped>, DrillError> {
        let mut early = vec![];
        // A plan that was loaded has no circle.
        let order = self.plan.topology.start_order().unwrap_or_else(|circle| circle);
        for (name, service) in order.iter().filter_map(|name| self.services.get_key_value(name)) {
            self.events.note(&format!("waiting for {name}"));
            let came_up = self.one(name, service.as_ref(), seen, &mut early).await;
            let version = came_up.inspect_err(|_| self.tell(&early))?;
            self.events.now(Event::ServiceReady { service: name.clone(), version });
        }
        Ok(early)
    }

    async fn one(
        &self,
        name: &ServiceId,
        service: &dyn Service,
        seen: &mut mpsc::UnboundedReceiver<Stamped>,
        early: &mut Vec<Stamped>,
    ) -> Result<String, DrillError> {
        let within = service.ready_within();
        let lacks = watch::Sender::new(String::new());
        let processes = self.processes(name);
        let finals: BTreeSet<_> = processes
            .iter()
            .filter(|(_, process)| process.restart == Restart::Never)
            .map(|(node, process)| (node.clone(), process.name.clone()))
            .collect();
        let mut looked_at = 0;
        let up = {
            let up = tokio::time::timeout(within, self.serves(service, &lacks));
            let telling = self.tell_what_lacks(name, within, lacks.subscribe());
            tokio::pin!(up, telling);
            loop {
                let news = early[looked_at..].iter().filter_map(ended);
                if let Some(ended) = news.into_iter().find(|ended| ended.is_of(&finals)) {
                    return Err(self.gone(name, &ended));
                }
                looked_at = early.len();
                tokio::select! {
                    biased;
                    Some(stamped) = seen.recv() => {
                        if let LabEvent::ProcessStarted { node, process } = &stamped.what {
                            self.events.note(&format!("{node}: {process} started"));
                        }
                        early.push(stamped);
                    }
                    up = &mut up => break up,
                    never = &mut telling => match never {},
                }
            }
        };
        let service = name.clone();
        match up {
            Ok(Ok(version)) => Ok(version),
            Ok(Err(source)) => Err(DrillError::Service { service, source }),
            Err(_) => {
                let written = processes.into_iter().map(|(node, process)| {
                    let last = self.lab.last_lines(&node, &process.name);
                    Written { node, process: process.name, last }
                });
                let last = lacks.borrow().clone();
                Err(DrillError::NotReady { service, within, last, written: written.collect() })
            }
        }
    }

    async fn serves(
        &self,
        service: &dyn Service,
        lacks: &watch::Sender<String>,
    ) -> Result<String, SystemError> {
        while let Err(error) = service.ready(self.network).await {
            lacks.send_replace(chain(&error));
            tokio::time::sleep(READY_EVERY).await;
        }
        // A stack that runs already is provisioned by those whose stack it is.
        if self.owns_processes {
            service.provision(self.network).await?;
        }
        service.version(self.network).await
    }

    /// Servers take their time to start: what they wait for is told when it changes, and now and then that it has not.
    async fn tell_what_lacks(
        &self,
        service: &ServiceId,
        within: Duration,
        lacks: watch::Receiver<String>,
    ) -> Infallible {
        let (mut told, mut ago, mut seconds) = (String::new(), 0, 0);
        loop {
            tokio::time::sleep(TOLD_EVERY).await;
            let lack = lacks.borrow().clone();
            (seconds, ago) = (seconds + 1, ago + 1);
            if !lack.is_empty() && (lack != told || ago == TOLD_AGAIN) {
                let within = within.as_secs();
                self.events.note(&format!(
                    "{service} is not ready yet ({seconds} s of {within} s): it failed to {lack}"
                ));
                (told, ago) = (lack, 0);
            }
        }
    }

    fn processes(&self, service: &ServiceId) -> Vec<(NodeId, Process)> {
        let all = seams::processes(&self.plan.topology, self.services, &*self.lab.addresses());
        let of_node = |(node, processes): (NodeId, Vec<(ServiceId, Process)>)| {
            let mine = processes.into_iter().filter(|(of, _)| of == service);
            mine.map(move |(_, process)| (node.clone(), process))
        };
        all.into_iter().flat_map(of_node).collect()
    }

    fn gone(&self, service: &ServiceId, ended: &Ended<'_>) -> DrillError {
        DrillError::Ended {
            service: service.clone(),
            node: ended.node.clone(),
            process: ended.process.to_owned(),
            status: ended.status.to_owned(),
            last: self.lab.last_lines(ended.node, ended.process),
        }
    }

    /// Without a timeline nobody else writes down what ended.
    fn tell(&self, early: &[Stamped]) {
        for stamped in early.iter().filter(|stamped| ended(stamped).is_some()) {
            self.events.record(stamped.at, Event::Lab(stamped.what.clone()));
        }
    }
}

fn ended(stamped: &Stamped) -> Option<Ended<'_>> {
    match &stamped.what {
        LabEvent::ProcessExited { node, process, status, asked: false } => {
            Some(Ended { node, process, status })
        }
        _ => None,
    }
}
