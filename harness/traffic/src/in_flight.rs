//! Attempts without an answer, by ticket, and their deadlines.
//!
//! Tickets count up, so a late answer to a closed one finds nobody until some billions of attempts later. The low bits of a ticket are
//! its place in a table; a number whose place is taken is passed over, and the table doubles when half of it is. Every attempt has the
//! same time for its answer, so deadlines come in the order of handing over: a queue, whose closed entries are passed over. The attempts
//! of one asset are a ring through the table, so that an asset without any takes no memory for them.

use std::{collections::VecDeque, time::Duration};

use model::Micros;

use crate::recorder::Reading;

/// An attempt without an answer.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) asset: u32,
    pub(crate) reading: Reading,
    /// Taken by the lane.
    pub(crate) handed: bool,
    /// At `ready` its asset was online with nothing under way and nothing waiting, and the lane has taken it ever since: whatever it waits
    /// is the generator's doing.
    pub(crate) idle: bool,
}

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// By the low bits of a ticket: its place among `flights`. A power of two of them, or none.
    table: Vec<u32>,
    flights: Vec<Option<Entry>>,
    free: Vec<u32>,
    next: u32,
    deadlines: VecDeque<Deadline>,
    /// Table entries looked at for a new ticket, ever: what tests count instead of time.
    #[cfg(test)]
    pub(crate) looked_at: u64,
}

#[derive(Debug)]
struct Entry {
    ticket: u32,
    /// Its neighbours in the ring of its asset, which it may be itself.
    before: u32,
    after: u32,
    flight: Flight,
}

/// The attempts of one asset, in order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Place of the first.
    first: u32,
    len: u16,
}

impl Default for Chain {
    fn default() -> Self {
        Self { first: NOBODY, len: 0 }
    }
}

impl Chain {
    pub(crate) fn len(self) -> u16 {
        self.len
    }

    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Micros,
    /// Where it stands among timers of the same moment.
    number: u64,
    ticket: u32,
}

const NOBODY: u32 = u32::MAX;
const TABLE_MIN: usize = 64;

impl InFlight {
    /// `chain` is that of the flight's asset.
    pub(crate) fn insert(&mut self, flight: Flight, chain: &mut Chain) -> u32 {
        if 2 * (self.len() + 1) > self.table.len() {
            self.grow();
        }
        let ticket = loop {
            let ticket = self.next;
            self.next = self.next.wrapping_add(1);
            #[cfg(test)]
            (self.looked_at += 1);
            if self.table[self.slot(ticket)] == NOBODY {
                break ticket;
            }
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            self.flights.len() as u32 - 1
        });
        let (before, after) = if chain.is_empty() {
            chain.first = place;
            (place, place)
        } else {
            let last = std::mem::replace(&mut self.entry(chain.first).before, place);
            self.entry(last).after = place;
            (last, chain.first)
        };
        chain.len += 1;
        self.flights[place as usize] = Some(Entry { ticket, before, after, flight });
        let slot = self.slot(ticket);
        self.table[slot] = place;
        ticket
    }

    pub(crate) fn get(&self, ticket: u32) -> Option<&Flight> {
        let entry = self.flights[self.place(ticket)?].as_ref()?;
        (entry.ticket == ticket).then_some(&entry.flight)
    }

    pub(crate) fn get_mut(&mut self, ticket: u32) -> Option<&mut Flight> {
        let place = self.place(ticket)?;
        let entry = self.flights[place].as_mut()?;
        (entry.ticket == ticket).then_some(&mut entry.flight)
    }

    /// `chain` is that of the flight's asset.
    pub(crate) fn remove(&mut self, ticket: u32, chain: &mut Chain) -> Option<Flight> {
        self.get(ticket)?;
        let slot = self.slot(ticket);
        let place = std::mem::replace(&mut self.table[slot], NOBODY);
        self.free.push(place);
        let Entry { before, after, flight, .. } = self.flights[place as usize].take()?;
        if before != place {
            self.entry(before).after = after;
            self.entry(after).before = before;
        }
        if chain.first == place {
            chain.first = if after == place { NOBODY } else { after };
        }
        chain.len -= 1;
        Some(flight)
    }

    /// The first of a chain, and its ticket.
    pub(crate) fn pop_first(&mut self, chain: &mut Chain) -> Option<(u32, Flight)> {
        let ticket = self.flights.get(chain.first as usize)?.as_ref()?.ticket;
        Some((ticket, self.remove(ticket, chain)?))
    }

    fn entry(&mut self, place: u32) -> &mut Entry {
        self.flights[place as usize].as_mut().expect("a ring goes through attempts under way only")
    }

    /// The attempt has been handed over. `at` is never before that of an attempt handed over earlier.
    pub(crate) fn expect(&mut self, ticket: u32, at: Micros, number: u64) {
        self.deadlines.push_back(Deadline { at, number, ticket });
    }

    /// Every attempt under way has this much more time: the loop was not there to hear its answer.
    pub(crate) fn wait_longer(&mut self, by: Duration) {
        for deadline in &mut self.deadlines {
            deadline.at = deadline.at + by;
        }
    }

    /// The next deadline of an open attempt, and its number among timers.
    pub(crate) fn next_deadline(&mut self) -> Option<(Micros, u64)> {
        while let Some(first) = self.deadlines.front() {
            if self.get(first.ticket).is_some() {
                return Some((first.at, first.number));
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// The attempt whose deadline is the next one.
    pub(crate) fn pop_deadline(&mut self) -> Option<u32> {
        self.deadlines.pop_front().map(|deadline| deadline.ticket)
    }

    fn len(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    fn slot(&self, ticket: u32) -> usize {
        ticket as usize & (self.table.len() - 1)
    }

    fn place(&self, ticket: u32) -> Option<usize> {
        let place = *self.table.get(ticket as usize & self.table.len().checked_sub(1)?)?;
        (place != NOBODY).then_some(place as usize)
    }

    /// Tickets that differ in the low bits of a table differ in those of one twice as large.
    fn grow(&mut self) {
        let size = (2 * self.table.len()).max(TABLE_MIN);
        self.table = vec![NOBODY; size];
        for (place, held) in (0..).zip(&self.flights) {
            if let Some(Entry { ticket, .. }) = held {
                self.table[*ticket as usize & (size - 1)] = place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::schedule::{Draws, Purpose};

    use super::*;

    fn flight(asset: u32) -> Flight {
        let reading = Reading::new(0, u64::from(asset), Micros::ZERO, Micros::ZERO, 100);
        Flight { asset, reading, handed: false, idle: false }
    }

    /// Against an ordered map, also over the end of the numbers; the chain of an asset is kept in order of sending.
    #[test]
    fn every_ticket_finds_its_own_attempt_and_a_closed_one_nobody() {
        let draws = Draws::of(5);
        let draw = |bound, index| draws.below(bound, Purpose::Message, index);
        let mut in_flight = InFlight { next: u32::MAX - 5_000, ..InFlight::default() };
        let mut chains = [Chain::default(); 16];
        // By order of sending: ticket and asset.
        let (mut open, mut closed) = (BTreeMap::new(), Vec::new());
        for step in 0..20_000 {
            // It fills for a while, and empties for a while.
            let fills = step / 2_500 % 2 == 0;
            if draw(10, 3 * step) < if fills { 7 } else { 3 } {
                let asset = draw(16, 3 * step + 2) as u32;
                let ticket = in_flight.insert(flight(asset), &mut chains[asset as usize]);
                open.insert(step, (ticket, asset));
            } else if !open.is_empty() {
                let nth = draw(open.len() as u64, 3 * step + 1) as usize;
                let (sent, (ticket, asset)) =
                    open.iter().nth(nth).map(|(k, v)| (*k, *v)).expect("it is");
                open.remove(&sent);
                let chain = &mut chains[asset as usize];
                let gone = in_flight.remove(ticket, chain).map(|flight| flight.asset);
                assert_eq!(gone, Some(asset));
                closed.push(ticket);
            }
            assert_eq!(in_flight.len(), open.len());
        }
        let mut nobodys = Chain::default();
        assert!(closed.iter().all(|ticket| in_flight.remove(*ticket, &mut nobodys).is_none()));
        for (ticket, asset) in open.values() {
            assert_eq!(in_flight.get(*ticket).map(|flight| flight.asset), Some(*asset));
        }
        for (asset, mut chain) in (0..).zip(chains) {
            let of_asset = open.values().filter(|(_, of)| *of == asset).map(|(ticket, _)| *ticket);
            let expected: Vec<u32> = of_asset.collect();
            assert_eq!(usize::from(chain.len()), expected.len());
            let popped = std::iter::from_fn(|| in_flight.pop_first(&mut chain));
            assert_eq!(popped.map(|(ticket, _)| ticket).collect::<Vec<_>>(), expected);
            assert!(chain.is_empty());
        }
        assert!(in_flight.looked_at < 60_000, "{} places looked at", in_flight.looked_at);
    }

    #[test]
    fn deadlines_of_closed_attempts_are_passed_over() {
        let (mut in_flight, mut chain) = (InFlight::default(), Chain::default());
        let tickets: Vec<u32> =
            (0..4).map(|asset| in_flight.insert(flight(asset), &mut chain)).collect();
        for (number, ticket) in (0..).zip(&tickets) {
            in_flight.expect(*ticket, Micros(10 * number as i64), number);
        }
        in_flight.remove(tickets[0], &mut chain);
        in_flight.remove(tickets[2], &mut chain);
        assert_eq!(in_flight.next_deadline(), Some((Micros(10), 1)));
        assert_eq!(in_flight.pop_deadline(), Some(tickets[1]));
        in_flight.remove(tickets[1], &mut chain);
        assert_eq!(in_flight.next_deadline(), Some((Micros(30), 3)));
        in_flight.remove(tickets[3], &mut chain);
        assert_eq!(in_flight.next_deadline(), None);
    }

    /// One attempt that is never answered costs the others nothing but its own place.
    #[test]
    fn a_stuck_attempt_makes_nobody_look_far() {
        let (mut in_flight, mut chain) = (InFlight::default(), Chain::default());
        let stuck = in_flight.insert(flight(0), &mut chain);
        for asset in 1..100_000 {
            let ticket = in_flight.insert(flight(asset), &mut chain);
            in_flight.remove(ticket, &mut chain);
        }
        assert!(in_flight.get(stuck).is_some());
        assert_eq!(in_flight.table.len(), TABLE_MIN);
        assert!(in_flight.looked_at < 102_000, "{} places looked at", in_flight.looked_at);
    }
}
