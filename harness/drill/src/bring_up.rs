//! From an open lab to a stack that serves. A server that ended, and that nobody starts again, ends the wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{Event, LabEvent, NodeId, Plan, ServiceId, Stamped};
use seams::{Lab, Network, Restart, Service, SystemError};
use tokio::sync::mpsc;

use crate::{DrillError, error::chain, journal::EventSink};

/// Between two tries to find a service ready.
const READY_EVERY: Duration = Duration::from_millis(100);

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
        let mut last = String::new();
        let finals = self.finals(name);
        let mut looked_at = 0;
        let up = {
            let up = tokio::time::timeout(within, self.serves(service, &mut last));
            tokio::pin!(up);
            loop {
                let news = early[looked_at..].iter().filter_map(ended);
                if let Some(ended) = news.into_iter().find(|ended| ended.is_of(&finals)) {
                    return Err(self.gone(name, &ended));
                }
                looked_at = early.len();
                tokio::select! {
                    biased;
                    Some(stamped) = seen.recv() => early.push(stamped),
                    up = &mut up => break up,
                }
            }
        };
        let service = name.clone();
        match up {
            Ok(Ok(version)) => Ok(version),
            Ok(Err(source)) => Err(DrillError::Service { service, source }),
            Err(_) => Err(DrillError::NotReady { service, within, last }),
        }
    }

    async fn serves(
        &self,
        service: &dyn Service,
        last: &mut String,
    ) -> Result<String, SystemError> {
        while let Err(error) = service.ready(self.network).await {
            *last = chain(&error);
            tokio::time::sleep(READY_EVERY).await;
        }
        // A stack that runs already is provisioned by those whose stack it is.
        if self.owns_processes {
            service.provision(self.network).await?;
        }
        service.version(self.network).await
    }

    /// Processes of a service that stay ended when they end.
    fn finals(&self, service: &ServiceId) -> BTreeSet<(NodeId, String)> {
        let all = seams::processes(&self.plan.topology, self.services, &*self.lab.addresses());
        let of_node = |(node, processes): (NodeId, Vec<(ServiceId, seams::Process)>)| {
            let mine = processes
                .into_iter()
                .filter(|(of, process)| of == service && process.restart == Restart::Never);
            mine.map(move |(_, process)| (node.clone(), process.name))
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
