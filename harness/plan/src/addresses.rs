//! Addresses are given out here, so that servers can be configured before anything runs. All of them are of 198.18.0.0/15, the
//! range set aside for benchmarks (RFC 2544): nothing in a lab can be mistaken for a user's network.

use std::net::Ipv4Addr;

/// Nodes per region, and regions, that the range has room for.
pub(crate) const NODES_MAX: u32 = 250;
pub(crate) const REGIONS_MAX: usize = 250;
/// Hosts in 198.19.0.0/16.
const CELLS_SIZE: u32 = 1 << 16;

/// Address of the n-th node of the r-th region, both from 0.
pub(crate) fn of_node(region: usize, node: u32) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, region as u8 + 1, node as u8 + 1)
}

/// Hands out prefixes to cells, the smallest that fit, aligned.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    used: u32,
}

impl Cells {
    /// Base and prefix length for so many hosts; None when the range is used up.
    pub(crate) fn take(&mut self, hosts: u32) -> Option<(Ipv4Addr, u8)> {
        let size = hosts.max(2).checked_next_power_of_two()?;
        let base = self.used.checked_next_multiple_of(size)?;
        let end = base.checked_add(size).filter(|end| *end <= CELLS_SIZE)?;
        self.used = end;
        let prefix = 32 - size.trailing_zeros() as u8;
        Some((Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 19, 0, 0)) + base), prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_never_overlap_and_are_aligned() {
        let mut cells = Cells::default();
        let mut end = 0;
        for hosts in [1, 300, 2, 4000, 17] {
            let (base, prefix) = cells.take(hosts).expect("there is room");
            let (base, size) = (u32::from(base), 1 << (32 - prefix));
            assert!(base >= end && base % size == 0 && size >= hosts);
            end = base + size;
        }
        assert_eq!(cells.take(65_000), None);
    }
}
