//! How a fleet hands over what lies in its outbox: asks for connections, writes payloads, offers them to the lane.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use model::{Attempt, Micros, envelope, envelope::Envelope};
use seams::{Batch, ConnId, ConnectRequest, Origin, Outgoing};

use crate::{carrier::Carrier, fleet::Fleet, recording::Record};

impl Fleet {
    /// Hands over what is ready to go.
    pub(crate) fn flush(&mut self, now: Micros, record: &mut Record) {
        self.ask_for_connections();
        if self.outbox.next().is_some_and(|at| at <= now) {
            self.try_again(now, record);
        }
        let mut ready = std::mem::take(&mut self.outbox.ready);
        for ticket in ready.drain(..) {
            let Some(flight) = self.in_flight.get(ticket) else { continue };
            let conn = ConnId(self.assets[flight.asset as usize].conn);
            match self.outbox.held.get_mut(&conn) {
                Some(queue) => queue.push_back(ticket),
                None => self.pack(ticket),
            }
        }
        // Its room is used again.
        self.outbox.ready = ready;
        for (conn, ticket) in self.submit(now, record) {
            self.outbox.hold(conn, ticket, now);
        }
    }

    fn ask_for_connections(&mut self) {
        if self.outbox.asks.is_empty() {
            return;
        }
        let mut wanted = Vec::with_capacity(self.outbox.asks.len());
        for (conn, epoch, attempt) in std::mem::take(&mut self.outbox.asks) {
            let Carrier { connection, assets, cohort, .. } = &self.carriers[conn as usize];
            if connection.epoch != epoch {
                continue;
            }
            let assets = self.first + assets.start..self.first + assets.end;
            let (end, host) =
                self.plan.cell_of(assets.start).expect("plan gives every home of a fleet a cell");
            let regions = &self.cohorts[usize::from(*cohort)].regions;
            wanted.push(ConnectRequest {
                conn: ConnId(conn),
                assets,
                from: Origin { end, host },
                region: regions[usize::from(connection.place)].clone(),
                attempt,
            });
        }
        self.lane.connect(&wanted);
    }

    /// Offers what is held: one reading of each full connection, and twice as many each time they are taken.
    fn try_again(&mut self, now: Micros, record: &mut Record) {
        let mut turn = self.outbox.turn(now);
        let (mut most, mut any_full) = (1, false);
        while !turn.is_empty() {
            for conn in &turn {
                self.pack_held(*conn, most);
            }
            let refused = self.submit(now, record);
            for (conn, ticket) in refused.iter().rev() {
                self.outbox.held.entry(*conn).or_default().push_front(*ticket);
            }
            let full: BTreeSet<ConnId> = refused.into_iter().map(|(conn, _)| conn).collect();
            any_full |= !full.is_empty();
            let held = &mut self.outbox.held;
            turn.retain(|conn| {
                let is_empty = held.get(conn).is_none_or(VecDeque::is_empty);
                if is_empty {
                    held.remove(conn);
                }
                !is_empty && !full.contains(conn)
            });
            most *= 2;
        }
        if !any_full {
            // Whatever was full is so no more: the others have their try at once.
            self.outbox.try_at = now;
        }
    }

    /// Packs the first readings of a queue that are still wanted.
    fn pack_held(&mut self, conn: ConnId, most: usize) {
        let mut packed = 0;
        while packed < most
            && let Some(ticket) = self.outbox.held.get_mut(&conn).and_then(VecDeque::pop_front)
        {
            if self.in_flight.get(ticket).is_some() {
                self.pack(ticket);
                packed += 1;
            }
        }
    }

    /// Writes the payload of a reading behind the others.
    fn pack(&mut self, ticket: u32) {
        let Some(flight) = self.in_flight.get(ticket) else { return };
        let reading = &flight.reading;
        let identity = self.identity(flight.asset, reading);
        let attempt = u16::try_from(reading.attempts.len() + 1).unwrap_or(u16::MAX);
        let envelope = Envelope {
            run: self.run,
            identity,
            attempt,
            stored: reading.stored,
            generated: reading.generated,
            device_time: reading.generated,
        };
        let arena = &mut self.outbox.arena;
        let start = arena.len();
        envelope.write(reading.bytes as usize - envelope::LENGTH, arena);
        let (start, length) = (start as u32, (arena.len() - start) as u32);
        let conn = ConnId(self.conn_of(flight.asset));
        self.outbox.offer.push(Outgoing { ticket, conn, identity, attempt, start, length });
    }

    /// Offers what is packed. What was refused comes back, in order.
    fn submit(&mut self, now: Micros, record: &mut Record) -> Vec<(ConnId, u32)> {
        if self.outbox.offer.is_empty() {
            return Vec::new();
        }
        let arena = Bytes::from(std::mem::take(&mut self.outbox.arena));
        let mut refused = std::mem::take(&mut self.outbox.refused);
        let batch = Batch { readings: &self.outbox.offer, arena: &arena };
        self.lane.submit(batch, &mut refused);
        let sent = self.clock.now();
        let deadline = sent.max(now) + self.plan.connection.request_timeout;
        let mut left = Vec::with_capacity(refused.len());
        let mut no = refused.iter().peekable();
        for (index, outgoing) in (0..).zip(&self.outbox.offer) {
            if no.next_if(|refused| **refused == index).is_some() {
                left.push((outgoing.conn, outgoing.ticket));
                if let Some(flight) = self.in_flight.get_mut(outgoing.ticket) {
                    // A full connection is the platform's.
                    flight.idle = false;
                }
                continue;
            }
            let Some(flight) = self.in_flight.get_mut(outgoing.ticket) else { continue };
            flight.handed = true;
            flight.reading.attempts.push(Attempt { sent });
            if flight.idle && flight.reading.attempts.len() == 1 {
                record.late(sent.since(flight.reading.ready));
            }
            self.in_flight.expect(outgoing.ticket, deadline, self.timers.number());
        }
        self.outbox.offer.clear();
        refused.clear();
        self.outbox.refused = refused;
        // The lane may hold a share of the arena; otherwise the room is used again.
        if let Ok(arena) = arena.try_into_mut() {
            let mut arena = Vec::from(arena);
            arena.clear();
            self.outbox.arena = arena;
        }
        left
    }
}
