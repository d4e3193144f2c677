//! Who belongs to the cluster, and who leads which shard when all is well. The members never change.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr};

/// One member, written `name=ip:port@region`; the port is the one for peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub peer: SocketAddr,
    pub region: String,
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is not `name=ip:port@region`");
        let (name, rest) = text.split_once('=').ok_or_else(wanted)?;
        let (peer, region) = rest.split_once('@').ok_or_else(wanted)?;
        if name.is_empty() || region.is_empty() {
            return Err(wanted());
        }
        Ok(Self {
            name: name.into(),
            peer: peer.parse().map_err(|_| wanted())?,
            region: region.into(),
        })
    }
}

/// All members. Their numbers, from 1, follow the order of their names, so every node counts alike.
#[derive(Clone, Debug)]
pub(crate) struct Members(BTreeMap<u64, Member>);

impl Members {
    pub(crate) fn new(mut list: Vec<Member>) -> Self {
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Self((1..).zip(list).collect())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(_, member)| member.name == name).map(|(number, _)| *number)
    }

    pub(crate) fn name(&self, number: u64) -> Option<&str> {
        self.0.get(&number).map(|member| member.name.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Member)> {
        self.0.iter().map(|(number, member)| (*number, member))
    }

    /// Every member, in the order in which they should lead the shard. Homes go round the regions, then round the members of a region;
    /// the successors of one home differ, so that the shards of a lost node spread over the others.
    pub(crate) fn line_of(&self, shard: u16) -> Vec<u64> {
        let mut regions = BTreeMap::<&str, Vec<u64>>::new();
        for (number, member) in self.iter() {
            regions.entry(&member.region).or_default().push(number);
        }
        let (shard, count) = (usize::from(shard), regions.len());
        let Some(region) = regions.into_values().nth(shard % count.max(1)) else { return vec![] };
        let round = shard / count;
        let home = region[round % region.len()];
        let mut others: Vec<u64> =
            self.0.keys().copied().filter(|number| *number != home).collect();
        let turn = round % others.len().max(1);
        others.rotate_left(turn);
        [vec![home], others].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_go_round_the_regions_and_successors_spread() {
        let list = ["c=10.0.0.3:1@west", "a=10.0.0.1:1@east", "b=10.0.0.2:1@middle"];
        let members =
            Members::new(list.iter().map(|text| text.parse().expect("well written")).collect());
        assert_eq!(members.number("b"), Some(2));
        let lines: Vec<_> = (0..6).map(|shard| members.line_of(shard)).collect();
        assert_eq!(lines[..3], [vec![1, 2, 3], vec![2, 1, 3], vec![3, 1, 2]]);
        assert_eq!(lines[3..], [vec![1, 3, 2], vec![2, 3, 1], vec![3, 2, 1]]);
    }

    #[test]
    fn a_member_is_read_or_refused() {
        for wrong in ["a", "a=1.2.3.4:5", "a=1.2.3.4@x", "=1.2.3.4:5@x", "a=1.2.3.4:5@"] {
            assert!(wrong.parse::<Member>().is_err(), "{wrong}");
        }
    }
}
