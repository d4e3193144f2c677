//! One copy of one shard's log: Raft (Ongaro and Ousterhout 2014) with pre-votes, in its plainest form. Pure: the moment, letters and
//! draws come from outside, letters go out.
//!
//! Absent on purpose: snapshots, membership changes, reads through the log. What a copy has taken is on its disk at once.

use std::{collections::BTreeSet, time::Duration};

use model::schedule::{Draws, Purpose};
use tokio::time::Instant;

use crate::{STEP, written::Written};

/// At most so many entries travel in one message.
const BATCH: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    /// None: the mark with which a leader begins its term.
    pub(crate) written: Option<Written>,
}

#[derive(Clone, Debug)]
pub(crate) enum RaftMessage {
    Append {
        term: u64,
        after: u64,
        after_term: u64,
        entries: Vec<Entry>,
        commit: u64,
    },
    /// `index`: how far the log agrees when `ok`, else how far it reaches.
    Appended {
        term: u64,
        ok: bool,
        index: u64,
    },
    Vote {
        term: u64,
        pre: bool,
        last_term: u64,
        last: u64,
    },
    Voted {
        term: u64,
        pre: bool,
        granted: bool,
    },
}

pub(crate) type Outbox = Vec<(usize, RaftMessage)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Follower,
    /// Asks whether it would be elected.
    Hopeful,
    Candidate,
    Leader,
}

#[derive(Debug)]
pub(crate) struct Replica {
    me: usize,
    pub(crate) term: u64,
    pub(crate) role: Role,
    pub(crate) leader: Option<usize>,
    pub(crate) commit: u64,
    voted: Option<usize>,
    votes: BTreeSet<usize>,
    /// Positions count from 1.
    log: Vec<Entry>,
    next: Vec<u64>,
    matched: Vec<u64>,
    /// When each copy last had everything that was committed.
    fresh: Vec<Instant>,
    /// When each copy last answered this leader.
    answered: Vec<Instant>,
    /// When a leader was last heard.
    heard: Option<Instant>,
    pub(crate) deadline: Instant,
    election: Duration,
    draws: Draws,
    drawn: u64,
}

impl Replica {
    /// A copy of `copies`; the first leader is appointed, so that a run does not begin with elections.
    pub(crate) fn new(
        me: usize,
        copies: usize,
        first_leader: usize,
        election: Duration,
        draws: Draws,
        now: Instant,
    ) -> Self {
        let mut replica = Self {
            me,
            term: 1,
            role: Role::Follower,
            leader: Some(first_leader),
            commit: 0,
            voted: Some(first_leader),
            votes: BTreeSet::new(),
            log: Vec::new(),
            next: vec![1; copies],
            matched: vec![0; copies],
            fresh: vec![now; copies],
            answered: vec![now; copies],
            heard: Some(now),
            deadline: now,
            // A timeout of nothing would be due again before the clock has moved.
            election: election.max(10 * STEP),
            draws,
            drawn: 0,
        };
        replica.wait(now);
        if me == first_leader {
            replica.role = Role::Leader;
            replica.deadline = now;
        }
        replica
    }

    pub(crate) fn last(&self) -> u64 {
        self.log.len() as u64
    }

    /// Term of the entry at a position; zero at the beginning and beyond the end.
    pub(crate) fn term_at(&self, index: u64) -> u64 {
        self.entry(index).map_or(0, |entry| entry.term)
    }

    fn entry(&self, index: u64) -> Option<&Entry> {
        self.log.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// Committed entries after a position, with their positions.
    pub(crate) fn committed(&self, after: u64) -> impl Iterator<Item = (u64, &Entry)> {
        (after + 1..=self.commit).filter_map(|index| Some((index, self.entry(index)?)))
    }

    /// By the leader's own view: each copy has had everything committed within the last election timeout.
    pub(crate) fn redundant(&self, now: Instant) -> bool {
        let fresh =
            |copy: usize| copy == self.me || now.duration_since(self.fresh[copy]) < self.election;
        self.role == Role::Leader && (0..self.fresh.len()).all(fresh)
    }

    /// After a crash: what was on disk is kept, the rest is forgotten.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.role = Role::Follower;
        self.leader = None;
        self.heard = None;
        self.wait(now);
    }

    /// Appends a reading, on the leader only; the position that it will have once it is committed.
    pub(crate) fn propose(&mut self, written: Option<Written>) -> (u64, Outbox) {
        self.log.push(Entry { term: self.term, written });
        let vantage = self.append_all();
        self.count_commit();
        (self.last(), vantage)
    }

    /// The deadline has come. A leader whom no majority has answered for an election timeout leads no more.
    pub(crate) fn tick(&mut self, now: Instant) -> Outbox {
        self.answered[self.me] = now;
        let answered =
            self.answered.iter().filter(|at| now.duration_since(**at) <= self.election).count();
        if self.role == Role::Leader && self.majority(answered) {
            self.deadline = now + self.election / 10;
            return self.append_all();
        }
        self.wait(now);
        self.leader = None;
        self.role = Role::Hopeful;
        self.votes = [self.me].into();
        self.elect(now)
    }

    pub(crate) fn receive(&mut self, now: Instant, from: usize, message: RaftMessage) -> Outbox {
        match message {
            RaftMessage::Append { term, after, after_term, entries, commit } => {
                self.append(now, from, (term, after, after_term), entries, commit)
            }
            RaftMessage::Appended { term, ok, index } => self.appended(now, from, term, ok, index),
            RaftMessage::Vote { term, pre, last_term, last } => {
                self.vote(now, from, (term, pre), (last_term, last))
            }
            RaftMessage::Voted { term, pre, granted } => {
                self.voted(now, from, (term, pre), granted)
            }
        }
    }

    fn append(
        &mut self,
        now: Instant,
        from: usize,
        (term, after, after_term): (u64, u64, u64),
        entries: Vec<Entry>,
        commit: u64,
    ) -> Outbox {
        if term < self.term {
            return vec![(
                from,
                RaftMessage::Appended { term: self.term, ok: false, index: self.last() },
            )];
        }
        self.step_down(term);
        self.leader = Some(from);
        self.heard = Some(now);
        self.wait(now);
        if after > self.last() || self.term_at(after) != after_term {
            let index = self.last().min(after.saturating_sub(1));
            return vec![(from, RaftMessage::Appended { term: self.term, ok: false, index })];
        }
        let mut index = after;
        for entry in entries {
            index += 1;
            if self.term_at(index) != entry.term {
                self.log.truncate(usize::try_from(index - 1).expect("a log fits into memory"));
                self.log.push(entry);
            }
        }
        self.commit = self.commit.max(commit.min(index));
        vec![(from, RaftMessage::Appended { term: self.term, ok: true, index })]
    }

    fn appended(&mut self, now: Instant, from: usize, term: u64, ok: bool, index: u64) -> Outbox {
        if term > self.term {
            self.step_down(term);
            self.wait(now);
        }
        if self.role != Role::Leader || term != self.term {
            return vec![];
        }
        self.answered[from] = now;
        if !ok {
            self.next[from] = (index + 1).min(self.next[from]);
            return vec![self.append_to(from)];
        }
        self.matched[from] = self.matched[from].max(index);
        self.next[from] = self.next[from].max(index + 1);
        self.count_commit();
        if self.matched[from] >= self.commit {
            self.fresh[from] = now;
        }
        if self.next[from] <= self.last() { vec![self.append_to(from)] } else { vec![] }
    }

    /// A voter that hears a leader refuses; so a node that comes back from isolation disturbs nobody.
    fn vote(
        &mut self,
        now: Instant,
        from: usize,
        (term, pre): (u64, bool),
        log: (u64, u64),
    ) -> Outbox {
        let led = self.role == Role::Leader
            || self.heard.is_some_and(|heard| now.duration_since(heard) < self.election);
        let complete = log >= (self.term_at(self.last()), self.last());
        if pre {
            return vec![(
                from,
                RaftMessage::Voted { term, pre, granted: term > self.term && complete && !led },
            )];
        }
        if term > self.term {
            self.step_down(term);
        }
        let granted = term == self.term && complete && self.voted.is_none_or(|voted| voted == from);
        if granted {
            self.voted = Some(from);
            self.wait(now);
        }
        vec![(from, RaftMessage::Voted { term: self.term, pre, granted })]
    }

    fn voted(
        &mut self,
        now: Instant,
        from: usize,
        (term, pre): (u64, bool),
        granted: bool,
    ) -> Outbox {
        let asked = match self.role {
            Role::Hopeful => pre && term == self.term + 1,
            Role::Candidate => !pre && term == self.term,
            Role::Follower | Role::Leader => false,
        };
        if !pre && term > self.term {
            self.step_down(term);
        } else if asked && granted {
            self.votes.insert(from);
            return self.elect(now);
        }
        vec![]
    }

    /// Goes on as far as the votes reach, and asks for more.
    fn elect(&mut self, now: Instant) -> Outbox {
        if self.role == Role::Hopeful && self.majority(self.votes.len()) {
            self.role = Role::Candidate;
            self.term += 1;
            self.voted = Some(self.me);
            self.votes = [self.me].into();
        }
        if self.role == Role::Candidate && self.majority(self.votes.len()) {
            return self.lead(now);
        }
        if self.votes.len() > 1 {
            return vec![];
        }
        let pre = self.role == Role::Hopeful;
        let (last_term, last) = (self.term_at(self.last()), self.last());
        let term = self.term + u64::from(pre);
        self.others().map(|copy| (copy, RaftMessage::Vote { term, pre, last_term, last })).collect()
    }

    fn lead(&mut self, now: Instant) -> Outbox {
        self.role = Role::Leader;
        self.leader = Some(self.me);
        let next = self.last() + 1;
        self.next.fill(next);
        self.matched.fill(0);
        self.answered.fill(now);
        self.deadline = now + self.election / 10;
        self.propose(None).1
    }

    fn append_all(&mut self) -> Outbox {
        let others: Vec<usize> = self.others().collect();
        others.into_iter().map(|copy| self.append_to(copy)).collect()
    }

    /// What the copy lacks, sent on the assumption that it arrives; a refusal puts that right.
    fn append_to(&mut self, copy: usize) -> (usize, RaftMessage) {
        let after = self.next[copy] - 1;
        let from = usize::try_from(after).expect("a log fits into memory");
        let entries: Vec<Entry> = self.log[from..].iter().take(BATCH).cloned().collect();
        self.next[copy] += entries.len() as u64;
        let message = RaftMessage::Append {
            term: self.term,
            after,
            after_term: self.term_at(after),
            entries,
            commit: self.commit,
        };
        (copy, message)
    }

    /// Only entries of the own term are counted; older ones follow with them.
    fn count_commit(&mut self) {
        self.matched[self.me] = self.last();
        let mut matched = self.matched.clone();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let held = matched[self.matched.len() / 2];
        if held > self.commit && self.term_at(held) == self.term {
            self.commit = held;
        }
    }

    fn step_down(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.voted = None;
            self.leader = None;
        }
        self.role = Role::Follower;
    }

    /// One to two election timeouts, a draw each time.
    fn wait(&mut self, now: Instant) {
        self.drawn += 1;
        let more = self.election.mul_f64(self.draws.unit(Purpose::Message, self.drawn));
        self.deadline = now + self.election + more;
    }

    fn majority(&self, count: usize) -> bool {
        count > self.next.len() / 2
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.next.len()).filter(move |copy| *copy != me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever its timeout, each copy is due again only when the clock has moved.
    #[test]
    fn a_timeout_of_nothing_does_not_hold_the_clock() {
        let now = Instant::now();
        for me in 0..2 {
            let mut copy = Replica::new(me, 2, 0, Duration::ZERO, Draws::of(1), now);
            copy.tick(now);
            assert!(copy.deadline >= now + STEP, "copy {me}");
        }
    }
}
