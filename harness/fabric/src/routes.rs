//! Which port an address lives behind: the longest prefix wins.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::policy::{PortId, Prefix};

/// One table per prefix length, longest first; IPv4 lives in its mapped range of IPv6.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    tables: BTreeMap<Reverse<u32>, HashMap<u128, PortId>>,
}

impl Routes {
    pub(crate) fn add(&mut self, prefix: Prefix, port: PortId) {
        let (bits, offset) = mapped(prefix.addr);
        let len = (u32::from(prefix.len) + offset).min(128);
        self.tables.entry(Reverse(len)).or_default().insert(masked(bits, len), port);
    }

    pub(crate) fn remove(&mut self, port: PortId) {
        for table in self.tables.values_mut() {
            table.retain(|_, owner| *owner != port);
        }
        self.tables.retain(|_, table| !table.is_empty());
    }

    pub(crate) fn find(&self, address: IpAddr) -> Option<PortId> {
        let (bits, _) = mapped(address);
        self.tables.iter().find_map(|(&Reverse(len), table)| table.get(&masked(bits, len)).copied())
    }
}

/// The address as 128 bits, and how many of them stand before an IPv4 address.
fn mapped(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), 96),
        IpAddr::V6(address) => (address.to_bits(), 0),
    }
}

fn masked(bits: u128, len: u32) -> u128 {
    bits & u128::MAX.checked_shl(128 - len).unwrap_or(0)
}
