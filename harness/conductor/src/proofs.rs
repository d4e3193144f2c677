//! Which window a hit proves. Pure.

use std::collections::{BTreeMap, BTreeSet};

use model::{Claim, Conditions, End, Event, Lever, Link, Micros, WindowId, event::Place};

/// A hit as a lab reports it: the count and the first moment since the lever was last put in force at its place.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) lever: Lever,
    pub(crate) at: Place,
    pub(crate) count: u64,
    pub(crate) first: Micros,
    pub(crate) established: u64,
}

/// What windows claimed and when, closed ones included: the last counts of a lever come after it was let go.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    claim_spans: Vec<ClaimSpan>,
    counted: BTreeMap<(WindowId, Claim, Option<Link>), BTreeMap<Micros, Count>>,
}

/// One window with one set of claims.
#[derive(Debug)]
struct ClaimSpan {
    window: WindowId,
    claims: BTreeSet<Claim>,
    /// What the window adds to the world: a claim names one end of a link, and not from whom it is cut.
    adds: Conditions,
    since: Micros,
    /// The revision that no longer has it.
    gone_with: Option<u64>,
    /// When that revision was in force.
    until: Option<Micros>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    hits: u64,
    established: u64,
}

impl Proofs {
    /// `adds` is what the window adds to the world from now on.
    pub(crate) fn opened(
        &mut self,
        window: &WindowId,
        claims: BTreeSet<Claim>,
        adds: Conditions,
        since: Micros,
    ) {
        self.claim_spans.push(ClaimSpan {
            window: window.clone(),
            claims,
            adds,
            since,
            gone_with: None,
            until: None,
        });
    }

    pub(crate) fn closed(&mut self, window: &WindowId, revision: u64) {
        let open = self
            .claim_spans
            .iter_mut()
            .filter(|claim_span| claim_span.window == *window && claim_span.gone_with.is_none());
        open.for_each(|claim_span| claim_span.gone_with = Some(revision));
    }

    pub(crate) fn in_force(&mut self, revision: u64, at: Micros) {
        let gone = self.claim_spans.iter_mut().filter(|claim_span| {
            claim_span.until.is_none() && claim_span.gone_with.is_some_and(|gone| gone <= revision)
        });
        gone.for_each(|claim_span| claim_span.until = Some(at));
    }

    /// A hit proves the same lever at the same place, at either end of its link, of every window whose time its first moment falls into. A window that
    /// opened while another one held the lever there already gets nothing from that: whether it is masked is for the findings to say.
    pub(crate) fn hit(&mut self, hit: &Hit) -> Vec<Event> {
        let at = |end| Claim::new(hit.lever, end);
        let (hits, link) = match &hit.at {
            Place::Node(node) => (vec![at(End::Node(node.clone()))], None),
            Place::Process { node, process } => {
                let process = Some(process.clone());
                (vec![Claim { process, ..at(End::Node(node.clone())) }], None)
            }
            Place::Cell(cell) => (vec![at(End::Cell(cell.clone()))], None),
            Place::Link(link) => {
                (vec![at(link.from.clone()), at(link.to.clone())], Some(link.clone()))
            }
        };
        let mut proven = vec![];
        for claim_span in self
            .claim_spans
            .iter()
            .filter(|span| span.lasted_at(hit.first) && span.pulls(hit.lever, &hit.at))
        {
            for claim in &hits {
                if claim_span.claims.contains(claim) {
                    let counts = self
                        .counted
                        .entry((claim_span.window.clone(), claim.clone(), link.clone()))
                        .or_default();
                    counts
                        .insert(hit.first, Count { hits: hit.count, established: hit.established });
                    let first = *counts.keys().next().expect("one was just put in");
                    let count = counts.values().map(|count| count.hits).sum();
                    let established = counts.values().map(|count| count.established).sum();
                    proven.push(Event::Proven {
                        window: claim_span.window.clone(),
                        claim: claim.clone(),
                        link: link.clone(),
                        count,
                        first,
                        established,
                    });
                }
            }
        }
        proven
    }
}

impl ClaimSpan {
    /// Whether the window pulls this lever at this very place.
    fn pulls(&self, lever: Lever, at: &Place) -> bool {
        let Conditions { links, nodes, fleets } = &self.adds;
        match at {
            Place::Link(link) => links.get(link).is_some_and(|on| on.levers().contains(&lever)),
            Place::Node(node) => {
                nodes.get(node).is_some_and(|on| on.levers().contains(&(lever, None)))
            }
            Place::Process { node, process } => nodes
                .get(node)
                .is_some_and(|on| on.levers().contains(&(lever, Some(process.clone())))),
            Place::Cell(cell) => fleets.get(cell).is_some_and(|on| on.state.lever() == Some(lever)),
        }
    }

    fn lasted_at(&self, moment: Micros) -> bool {
        self.since <= moment && self.until.is_none_or(|until| moment <= until)
    }
}

#[cfg(test)]
mod tests {
    use model::{Ports, conditions::CutForm};

    use super::*;

    fn claim() -> Claim {
        Claim::new(Lever::Cut, End::Node("a".into()))
    }

    fn link() -> Link {
        Link::new(End::Node("b".into()), End::Node("a".into()))
    }

    fn adds() -> Conditions {
        let mut adds = Conditions::default();
        adds.cut(link(), Ports::All, CutForm::Drop);
        adds
    }

    fn hit(count: u64, first: i64) -> Hit {
        Hit {
            lever: Lever::Cut,
            at: Place::Link(link()),
            count,
            first: Micros(first),
            established: 0,
        }
    }

    fn totals(events: &[Event]) -> Vec<(&str, u64, Micros)> {
        let total = |event| match event {
            &Event::Proven { ref window, count, first, .. } => {
                Some((window.as_str(), count, first))
            }
            _ => None,
        };
        events.iter().filter_map(total).collect()
    }

    #[test]
    fn a_later_count_replaces_an_earlier_one_and_a_second_stretch_adds() {
        let mut proofs = Proofs::default();
        proofs.opened(&"w".into(), [claim()].into(), adds(), Micros(10));
        assert_eq!(totals(&proofs.hit(&hit(1, 12))), [("w", 1, Micros(12))]);
        assert_eq!(totals(&proofs.hit(&hit(40, 12))), [("w", 40, Micros(12))]);
        assert_eq!(totals(&proofs.hit(&hit(2, 30))), [("w", 42, Micros(12))]);
    }

    #[test]
    fn the_last_count_comes_after_the_window_closed() {
        let mut proofs = Proofs::default();
        proofs.opened(&"w".into(), [claim()].into(), adds(), Micros(10));
        proofs.closed(&"w".into(), 2);
        proofs.in_force(2, Micros(20));
        assert_eq!(proofs.hit(&hit(7, 15)).len(), 1);
        assert_eq!(proofs.hit(&hit(7, 21)), []);
    }

    #[test]
    fn what_began_before_a_window_or_was_never_claimed_proves_nothing() {
        let mut proofs = Proofs::default();
        proofs.opened(&"w".into(), [claim()].into(), adds(), Micros(10));
        assert_eq!(proofs.hit(&hit(7, 9)), []);
        let other = Hit { lever: Lever::Delay, ..hit(7, 15) };
        assert_eq!(proofs.hit(&other), []);
    }

    /// Both cut node a, one from b and one from c: what is swallowed between b and a shows nothing of the other one.
    #[test]
    fn a_hit_on_another_link_of_the_same_node_proves_nothing() {
        let mut proofs = Proofs::default();
        let from_c = Link::new(End::Node("c".into()), End::Node("a".into()));
        let mut others = Conditions::default();
        others.cut(from_c.clone(), Ports::All, CutForm::Drop);
        proofs.opened(&"from-b".into(), [claim()].into(), adds(), Micros(10));
        proofs.opened(&"from-c".into(), [claim()].into(), others, Micros(10));
        assert_eq!(totals(&proofs.hit(&hit(3, 12))), [("from-b", 3, Micros(12))]);
        let other = Hit { at: Place::Link(from_c), ..hit(4, 13) };
        assert_eq!(totals(&proofs.hit(&other)), [("from-c", 4, Micros(13))]);
    }

    #[test]
    fn two_windows_that_claim_the_same_are_both_proven() {
        let mut proofs = Proofs::default();
        proofs.opened(&"v".into(), [claim()].into(), adds(), Micros(10));
        proofs.opened(&"w".into(), [claim()].into(), adds(), Micros(11));
        assert_eq!(totals(&proofs.hit(&hit(3, 12))), [("v", 3, Micros(12)), ("w", 3, Micros(12))]);
    }
}
