//! What a node does with a message.

use std::collections::BTreeMap;

use model::{NodeId, ServiceId, ShardId};
use seams::Origin;
use tokio::time::Instant;

use crate::{
    group::{Group, Waiting},
    message::{Ask, Body, Message, Reply, Route},
    raft::Role,
    world::World,
    written::Written,
};

impl World {
    pub(crate) fn arrive_at_node(&mut self, now: Instant, node: &NodeId, message: Message) {
        match message.body {
            Body::Peer { group, copy, message } => {
                let Some(me) = self.groups[group].copy_of(node) else { return };
                let post = self.groups[group].replicas[me].receive(now, copy, message);
                self.post(now, group, me, post);
                self.settle(now, group, me);
            }
            Body::Forward { group, written, route } => {
                self.append(now, node, group, written, route)
            }
            Body::Forwarded { route, reply } => self.reply(now, &route, reply),
            Body::Hello { line } => {
                let life = self.life(node);
                let Some(open) = self.lines.get_mut(&line) else { return };
                open.life = life;
                self.send(
                    now,
                    Message { from: message.to, to: message.from, body: Body::Welcome { line } },
                );
            }
            Body::Ask { line, call, ask } => {
                let known = self
                    .lines
                    .get(&line)
                    .is_some_and(|line| line.life.is_some() && line.life == self.life(node));
                if known {
                    self.serve(now, node, Route { entry: node.clone(), line, call }, ask);
                } else {
                    self.refuse(
                        now,
                        Message {
                            from: message.from,
                            to: message.to,
                            body: Body::Gone { line, why: "" },
                        },
                        "connection reset",
                    );
                }
            }
            Body::Welcome { .. } | Body::Gone { .. } | Body::Reply { .. } => {}
        }
    }

    fn serve(&mut self, now: Instant, node: &NodeId, route: Route, ask: Ask) {
        // A connection names no service: of those of a node one has a port that is asked for readings.
        let of_node = |group: &&Group| group.copy_of(node).is_some();
        let Some(service) = self.groups.iter().find(of_node).map(|group| group.service.clone())
        else {
            return;
        };
        let reply = match ask {
            Ask::Append { asset, written } => {
                return self.enter(now, node, &service, asset, written, route);
            }
            Ask::Entries { after, leading } => {
                self.shown(node, &service, leading, |group, copy, shard| {
                    group.entries(copy, position(&after, shard))
                })
            }
            Ask::Values { after } => self.shown(node, &service, false, |group, copy, shard| {
                group.values(copy, position(&after, shard))
            }),
            Ask::Heads => Reply::Heads(self.heads(node, &service)),
        };
        self.reply(now, &route, reply);
    }

    fn shown(
        &mut self,
        node: &NodeId,
        service: &ServiceId,
        leading: bool,
        show: impl Fn(&mut Group, usize, &ShardId) -> (Vec<model::Sighting>, u64),
    ) -> Reply {
        let mut shown = BTreeMap::new();
        for group in self.groups.iter_mut().filter(|group| group.service == *service) {
            let Some(copy) = group.copy_of(node) else { continue };
            if !leading || group.replicas[copy].role == Role::Leader {
                let shard = group.shard.clone();
                let all = show(group, copy, &shard);
                shown.insert(shard, all);
            }
        }
        Reply::Shown(shown)
    }

    fn heads(&self, node: &NodeId, service: &ServiceId) -> BTreeMap<ShardId, (u64, u64)> {
        let groups = self.groups.iter().filter(|group| group.service == *service);
        let led = groups.filter_map(|group| {
            let replica = &group.replicas[group.copy_of(node)?];
            (replica.role == Role::Leader)
                .then(|| (group.shard.clone(), (replica.term, replica.commit)))
        });
        led.collect()
    }

    /// A reading came to this node: it appends, or hands on to whom it takes for the leader.
    fn enter(
        &mut self,
        now: Instant,
        node: &NodeId,
        service: &ServiceId,
        asset: u32,
        written: Written,
        route: Route,
    ) {
        let own: Vec<usize> = (0..self.groups.len())
            .filter(|group| self.groups[*group].service == *service)
            .collect();
        let group = own.get(asset as usize % own.len().max(1)).copied();
        let Some((group, me)) =
            group.and_then(|group| Some((group, self.groups[group].copy_of(node)?)))
        else {
            return self.reply(now, &route, Reply::Refused);
        };
        match self.groups[group].replicas[me].leader {
            Some(leader) if leader == me => self.append(now, node, group, written, route),
            Some(leader) => {
                let to = Origin::node(&self.groups[group].copies[leader]);
                self.send(
                    now,
                    Message {
                        from: Origin::node(node),
                        to,
                        body: Body::Forward { group, written, route },
                    },
                );
            }
            None => self.reply(now, &route, Reply::Refused),
        }
    }

    fn append(
        &mut self,
        now: Instant,
        node: &NodeId,
        group: usize,
        written: Written,
        route: Route,
    ) {
        let Some(me) = self.groups[group].copy_of(node) else { return };
        let replica = &mut self.groups[group].replicas[me];
        if replica.role != Role::Leader {
            return self.answer(now, node, &route, Reply::Refused);
        }
        let (index, post) = replica.propose(Some(written));
        let term = replica.term;
        self.groups[group].waiting[me].push(Waiting { index, term, route });
        self.post(now, group, me, post);
        self.settle(now, group, me);
    }

    /// Answers those whose reading is committed, and those whose place another leader gave to something else.
    pub(crate) fn settle(&mut self, now: Instant, group: usize, me: usize) {
        let Group { replicas, waiting, copies, .. } = &mut self.groups[group];
        let (replica, node) = (&replicas[me], copies[me].clone());
        let decided = |wait: &Waiting| {
            wait.index <= replica.commit || replica.term_at(wait.index) != wait.term
        };
        let (done, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut waiting[me]).into_iter().partition(decided);
        waiting[me] = left;
        let kept = |wait: &Waiting| replica.term_at(wait.index) == wait.term;
        let answers: Vec<_> = done.into_iter().map(|wait| (kept(&wait), wait)).collect();
        for (kept, Waiting { index, route, .. }) in answers {
            let reply = if kept {
                Reply::Appended { by: node.clone(), position: index }
            } else {
                Reply::Refused
            };
            self.answer(now, &node, &route, reply);
        }
    }

    /// To the client, by way of the node that it is connected to.
    fn answer(&mut self, now: Instant, node: &NodeId, route: &Route, reply: Reply) {
        if route.entry == *node {
            self.reply(now, route, reply);
        } else {
            let body = Body::Forwarded { route: route.clone(), reply };
            self.send(
                now,
                Message { from: Origin::node(node), to: Origin::node(&route.entry), body },
            );
        }
    }

    fn reply(&mut self, now: Instant, route: &Route, reply: Reply) {
        let Route { entry, line, call } = route;
        let Some(open) = self.lines.get(line).filter(|line| line.life == self.life(entry)) else {
            return;
        };
        let message = Message {
            from: Origin::node(entry),
            to: open.from.clone(),
            body: Body::Reply { line: *line, call: *call, reply },
        };
        self.send(now, message);
    }
}

fn position(after: &BTreeMap<ShardId, u64>, shard: &ShardId) -> u64 {
    after.get(shard).copied().unwrap_or(0)
}
