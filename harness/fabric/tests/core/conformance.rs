//! The promises of [`crate::wire`], kept by the core in memory.

use etherparse::SlicedPacket;
use fabric::{LinkCounters, Rule, VNET_BYTES};

use crate::bench::{A, A_TO_B, B, Bench, MS, policy, udp_with};
use crate::wire::{BODIES, Wire};

/// The bench, and a stack behind B that accepts what a kernel would.
struct Memory {
    bench: Bench,
    before: LinkCounters,
}

impl Wire for Memory {
    fn apply(&mut self, rule: &Rule) {
        self.bench.apply(&policy(rule.clone()));
        self.before = self.bench.link(A_TO_B);
    }

    fn send(&mut self, port: u16, payload: &[u8]) {
        self.bench.receive(A, &udp_with(A, B, port, payload));
    }

    fn settle(&mut self) -> (Vec<Vec<u8>>, LinkCounters) {
        self.bench.advance(10_000 * MS);
        let to_b = self.bench.out.sent.drain(..).filter(|sent| sent.to == B);
        let arrived = to_b.filter_map(|sent| accepted(&sent.frame[VNET_BYTES..])).collect();
        (arrived, crate::wire::since(self.before, self.bench.link(A_TO_B)))
    }
}

/// The payload of a datagram whose checksum is right.
fn accepted(ip: &[u8]) -> Option<Vec<u8>> {
    let packet = SlicedPacket::from_ip(ip).ok()?;
    let (Some(etherparse::NetSlice::Ipv4(v4)), Some(etherparse::TransportSlice::Udp(udp))) =
        (&packet.net, &packet.transport)
    else {
        return None;
    };
    let header = udp.to_header();
    let right = header.calc_checksum_ipv4(&v4.header().to_header(), udp.payload()).ok()?;
    (right == header.checksum).then(|| udp.payload().to_vec())
}

#[test]
fn the_core_keeps_every_promise() {
    for (name, body) in BODIES {
        println!("{name}");
        body(&mut Memory { bench: Bench::new(42), before: LinkCounters::default() });
    }
}
