//! Who leads, as far as the nodes themselves have said. Pure: answers in, changes out.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Event, HeldRole, NodeId, ServiceId, ShardId,
    plan::{EventPattern, NodeTarget},
};
use seams::{Role, RoleName};

/// The latest answer of each node. An isolated leader may still say `leader`: of a leading role only the highest term ever seen counts.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    said: BTreeMap<(ServiceId, NodeId), Vec<Role>>,
    leads: BTreeMap<(ServiceId, ShardId, RoleName), Holder>,
}

#[derive(Debug)]
struct Holder {
    node: NodeId,
    term: u64,
}

/// A node was seen in a leading role with a term that nobody had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) service: ServiceId,
    pub(crate) shard: ShardId,
    pub(crate) node: NodeId,
    pub(crate) role: RoleName,
    pub(crate) term: u64,
    /// Nobody was known in this role before: no change of the stack, only of our knowledge.
    pub(crate) first: bool,
}

impl Roles {
    /// Takes one node's answer.
    pub(crate) fn learn(
        &mut self,
        service: &ServiceId,
        node: &NodeId,
        said: Vec<Role>,
    ) -> Vec<Change> {
        let leading = said.iter().filter(|said| said.role.kind.leads());
        let changes = leading.filter_map(|said| self.rise(service, node, said)).collect();
        self.said.insert((service.clone(), node.clone()), said);
        changes
    }

    fn rise(&mut self, service: &ServiceId, node: &NodeId, said: &Role) -> Option<Change> {
        let Role { shard, role, term } = said;
        let key = (service.clone(), shard.clone(), *role);
        if self.leads.get(&key).is_some_and(|holder| holder.term >= *term) {
            return None;
        }
        let before = self.leads.insert(key, Holder { node: node.clone(), term: *term });
        let (service, shard, node) = (service.clone(), shard.clone(), node.clone());
        Some(Change { service, shard, node, role: *role, term: *term, first: before.is_none() })
    }

    /// The nodes that hold the role of a target now; every shard counts where it names none.
    pub(crate) fn holders(&self, role: &str, target: &NodeTarget) -> BTreeSet<NodeId> {
        let meant = |service: &ServiceId, shard: &ShardId| {
            target.service.as_ref().is_none_or(|wanted| wanted == service)
                && target.shard.as_ref().is_none_or(|wanted| wanted == shard)
        };
        let leads = self
            .leads
            .iter()
            .filter(|((service, shard, held), _)| held.name == role && meant(service, shard))
            .map(|(_, holder)| &holder.node);
        // Of a role that does not lead every node's own latest word counts.
        let says = |service: &ServiceId, said: &[Role]| {
            said.iter().any(|said| {
                said.role.name == role && !said.role.kind.leads() && meant(service, &said.shard)
            })
        };
        let others = self
            .said
            .iter()
            .filter(|((service, _), said)| says(service, said))
            .map(|((_, node), _)| node);
        leads.chain(others).cloned().collect()
    }

    /// Shards, each with its service, that one of these nodes leads.
    pub(crate) fn led_by<'a>(
        &'a self,
        nodes: &'a BTreeSet<NodeId>,
    ) -> impl Iterator<Item = (&'a ServiceId, &'a ShardId)> {
        self.leads
            .iter()
            .filter(|(_, holder)| nodes.contains(&holder.node))
            .map(|((service, shard, _), _)| (service, shard))
    }
}

impl Change {
    pub(crate) fn fits(&self, pattern: &EventPattern) -> bool {
        match pattern {
            EventPattern::RoleChanged { service, shard, role } => {
                !self.first
                    && *service == self.service
                    && *role == self.role.name
                    && shard.as_ref().is_none_or(|shard| *shard == self.shard)
            }
            EventPattern::ProcessExited { .. } => false,
        }
    }

    pub(crate) fn event(self) -> Event {
        let Self { service, shard, node, role: RoleName { name, kind }, term, first: _ } = self;
        let role = HeldRole { name: name.to_owned(), kind };
        Event::RoleChanged { service, shard, node, role, term }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: RoleName = RoleName::leads("leader");
    const CONTROLLER: RoleName = RoleName::leads("controller");
    const FOLLOWER: RoleName = RoleName::copies("follower");

    fn role(shard: &str, role: RoleName, term: u64) -> Role {
        Role { shard: shard.into(), role, term }
    }

    fn holders(roles: &Roles, role: &str) -> Vec<String> {
        roles
            .holders(role, &NodeTarget::default())
            .iter()
            .map(|node| node.as_str().to_owned())
            .collect()
    }

    #[test]
    fn the_highest_term_wins_over_a_leader_that_does_not_know_better() {
        let (mut roles, service) = (Roles::default(), "etcd".into());
        let first = roles.learn(&service, &"a".into(), vec![role("0", LEADER, 3)]);
        assert!(first[0].first);
        let next = roles.learn(&service, &"b".into(), vec![role("0", LEADER, 4)]);
        assert!(!next[0].first);
        assert_eq!(roles.learn(&service, &"a".into(), vec![role("0", LEADER, 3)]), []);
        assert_eq!(holders(&roles, "leader"), ["b"]);
    }

    #[test]
    fn a_re_election_of_the_same_node_is_a_change() {
        let (mut roles, service) = (Roles::default(), "etcd".into());
        roles.learn(&service, &"a".into(), vec![role("0", LEADER, 3)]);
        assert_eq!(roles.learn(&service, &"a".into(), vec![role("0", LEADER, 3)]), []);
        assert_eq!(roles.learn(&service, &"a".into(), vec![role("0", LEADER, 5)]).len(), 1);
    }

    #[test]
    fn followers_are_those_who_say_so_now() {
        let (mut roles, service) = (Roles::default(), "etcd".into());
        roles.learn(&service, &"a".into(), vec![role("0", LEADER, 3)]);
        roles.learn(&service, &"b".into(), vec![role("0", FOLLOWER, 3)]);
        roles.learn(&service, &"c".into(), vec![role("0", FOLLOWER, 3)]);
        assert_eq!(holders(&roles, "follower"), ["b", "c"]);
        roles.learn(&service, &"b".into(), vec![role("0", LEADER, 4)]);
        assert_eq!(holders(&roles, "follower"), ["c"]);
        assert_eq!(holders(&roles, "leader"), ["b"]);
    }

    #[test]
    fn a_controller_leads_beside_the_leader_of_a_shard() {
        let (mut roles, service) = (Roles::default(), "log".into());
        roles.learn(
            &service,
            &"a".into(),
            vec![role("0", LEADER, 3), role("quorum", CONTROLLER, 7)],
        );
        let changes = roles.learn(&service, &"b".into(), vec![role("quorum", CONTROLLER, 8)]);
        assert_eq!((changes.len(), changes[0].first), (1, false));
        assert_eq!(holders(&roles, "controller"), ["b"]);
        assert_eq!(holders(&roles, "leader"), ["a"]);
    }
}
