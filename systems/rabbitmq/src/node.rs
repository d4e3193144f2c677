//! What is asked of a broker's Erlang node. Who leads a queue, and in which term, stands in tables of the raft library; how much a queue
//! holds is asked of its leader, which answers once a majority has confirmed that it leads.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{NodeId, ShardId};
use seams::{Network, Origin, Site, SystemError};

use crate::{
    NODE_PORT,
    erlang::Erlang,
    queues,
    terms::{Term, atom},
};

/// The secret that the nodes of one run share; it keeps those of another run out, and nobody else.
pub(crate) fn cookie(site: &Site) -> String {
    format!("wd{:016x}", site.run)
}

/// As the node is called among the others, by the host that all of them reach it at.
pub(crate) fn name(host: impl std::fmt::Display) -> String {
    format!("rabbit@{host}")
}

/// A broker's node, asked from somewhere.
#[derive(Debug)]
pub(crate) struct Node {
    erlang: Erlang,
    name: String,
}

/// What a member of a queue's raft group says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) leads: bool,
    pub(crate) term: u64,
}

/// One copy of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// It follows or leads; else it is down, or looks for a leader.
    pub(crate) is_there: bool,
    /// The last entry that it has written.
    pub(crate) written: u64,
    pub(crate) committed: u64,
}

/// What a queue holds, in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) all: u64,
    /// With consumers that have not acked them.
    pub(crate) held: u64,
}

impl Node {
    pub(crate) async fn open(
        network: &dyn Network,
        from: &Origin,
        node: &NodeId,
        site: &Site,
    ) -> Result<Self, SystemError> {
        let to = network.address(node, NODE_PORT);
        let erlang = Erlang::open(network, from, to, &cookie(site)).await?;
        Ok(Self { erlang, name: name(to.ip()) })
    }

    /// The version of the broker, and of Erlang.
    pub(crate) async fn version(&mut self) -> Result<(String, String), SystemError> {
        let broker = self.erlang.call("rabbit_misc", "version", vec![]).await?;
        let machine = self.erlang.call("rabbit_misc", "otp_release", vec![]).await?;
        let text = |term: Term| term.text().unwrap_or_default();
        Ok((text(broker), text(machine)))
    }

    /// How many brokers run, by the word of one that does.
    pub(crate) async fn running(&mut self) -> Result<usize, SystemError> {
        let is_up = self.erlang.call("rabbit", "is_running", vec![]).await?;
        if is_up.name() != Some("true") {
            return Err(failed("find the broker running", &is_up));
        }
        let asked = vec![atom("running")];
        Ok(self.erlang.call("rabbit_mnesia", "cluster_nodes", asked).await?.items().len())
    }

    /// By queue, what this node's members say of themselves. A term is written down before it is spoken of.
    pub(crate) async fn members(&mut self) -> Result<BTreeMap<ShardId, Member>, SystemError> {
        let states = self.table("ra_state").await?;
        let groups = self.table("ra_directory").await?;
        let terms = self.table("ra_log_meta").await?;
        Ok(members(&states, &groups, &terms))
    }

    async fn table(&mut self, name: &str) -> Result<Term, SystemError> {
        self.erlang.call("ets", "tab2list", vec![atom(name)]).await
    }

    /// Every copy of a queue, each asked by this node.
    pub(crate) async fn copies(&mut self, queue: &ShardId) -> Result<Vec<Copy>, SystemError> {
        let text = |text: &str| Term::Text(Bytes::copy_from_slice(text.as_bytes()));
        let asked = vec![text("/"), text(queue.as_str())];
        let said = self.erlang.call("rabbit_quorum_queue", "status", asked).await?;
        Ok(said.items().iter().map(copy).collect())
    }

    pub(crate) async fn content(&mut self, queue: &ShardId) -> Result<Content, SystemError> {
        Ok(Content {
            all: self.query(queue, "query_messages_total").await?,
            held: self.query(queue, "query_messages_checked_out").await?,
        })
    }

    async fn query(&mut self, queue: &ShardId, what: &'static str) -> Result<u64, SystemError> {
        let member = Term::Tuple(vec![atom(&queues::group(queue)), atom(&self.name)]);
        let asked = vec![member, Term::Function("rabbit_fifo", what, 1)];
        let said = self.erlang.call("ra", "consistent_query", asked).await?;
        match said.tuple() {
            Some([is, count, _leader]) if is.name() == Some("ok") => count.number(),
            _ => None,
        }
        .ok_or_else(|| failed(&format!("count what {queue} holds"), &said))
    }
}

fn failed(doing: &str, said: &Term) -> SystemError {
    SystemError::Answer { doing: doing.to_owned(), why: format!("the node says {said:?}") }
}

/// Of `{group, state}`, `{id, process, process, group, _}` and `{id, term, voted for, applied}`.
fn members(states: &Term, groups: &Term, terms: &Term) -> BTreeMap<ShardId, Member> {
    let member = |state: &Term| {
        let [group, state] = state.tuple()? else { return None };
        let of_group = |row: &&Term| row.tuple().and_then(|row| row.get(3)) == Some(group);
        let id = groups.items().iter().find(of_group)?.tuple()?.first()?;
        let of_id = |row: &&Term| row.tuple().and_then(<[Term]>::first) == Some(id);
        let term = terms.items().iter().find(of_id)?.tuple()?.get(1)?.number()?;
        let queue = queues::of_group(group.name()?)?;
        Some((queue, Member { leads: state.name() == Some("leader"), term }))
    };
    states.items().iter().filter_map(member).collect()
}

/// Of a list of names and values.
fn copy(said: &Term) -> Copy {
    let value = |wanted: &str| {
        said.items().iter().find_map(|pair| match pair.tuple()? {
            [name, value] if name.text().as_deref() == Some(wanted) => Some(value),
            _ => None,
        })
    };
    let number = |wanted| value(wanted).and_then(Term::number).unwrap_or(0);
    let state = value("Raft State").and_then(Term::name);
    Copy {
        is_there: matches!(state, Some("leader" | "follower")),
        written: number("Log Index"),
        committed: number("Commit Index"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(terms: impl Into<Vec<Term>>) -> Term {
        Term::Tuple(terms.into())
    }

    fn text(text: &'static str) -> Term {
        Term::Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_member_is_found_through_the_directory() {
        let (group, id) = (|| atom("%2F_q0"), || text("2F_Q0ABC"));
        let stranger = tuple([atom("rabbit_stream_coordinator"), atom("leader")]);
        let states = |state| Term::List(vec![stranger.clone(), tuple([group(), atom(state)])]);
        let directory = tuple([id(), Term::Other, Term::Other, group(), group()]);
        let groups = Term::List(vec![directory]);
        let terms = Term::List(vec![tuple([id(), Term::Number(4), Term::Other, Term::Number(2)])]);
        for (state, leads) in [("leader", true), ("follower", false), ("pre_vote", false)] {
            let found = members(&states(state), &groups, &terms);
            assert_eq!(found, [("q0".into(), Member { leads, term: 4 })].into(), "{state}");
        }
        assert!(members(&states("leader"), &groups, &Term::List(vec![])).is_empty());
    }

    #[test]
    fn a_copy_that_is_down_has_no_numbers() {
        let pair = |name, value| tuple([text(name), value]);
        let follower = Term::List(vec![
            pair("Raft State", atom("follower")),
            pair("Log Index", Term::Number(9)),
            pair("Commit Index", Term::Number(8)),
        ]);
        assert_eq!(copy(&follower), Copy { is_there: true, written: 9, committed: 8 });
        let down =
            Term::List(vec![pair("Raft State", atom("noproc")), pair("Log Index", text(""))]);
        assert_eq!(copy(&down), Copy { is_there: false, written: 0, committed: 0 });
    }
}
