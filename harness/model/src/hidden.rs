//! Whether what one window does can be seen beside what another one does.

use crate::{
    CellId, Conditions, FleetCondition, Link, NodeId, Severs,
    conditions::{LinkCondition, NodeCondition},
};

impl Conditions {
    /// Whether nobody could see what this world does beside the other one: each of its levers is pulled there at the same place, or is
    /// pulled at a place from which the other world takes everything. A world that does nothing is not hidden.
    pub fn is_hidden_by(&self, other: &Self) -> bool {
        let Self { links, nodes, fleets } = self;
        let link = |(link, mine): (&Link, &LinkCondition)| {
            let theirs = other.links.get(link).map(LinkCondition::levers).unwrap_or_default();
            mine.levers().is_subset(&theirs) || other.severs(link) == Severs::Everything
        };
        let node = |(node, mine): (&NodeId, &NodeCondition)| {
            other.nodes.get(node).is_some_and(|theirs| {
                mine.levers().is_subset(&theirs.levers()) || theirs.severs() == Severs::Everything
            })
        };
        let cell = |(cell, mine): (&CellId, &FleetCondition)| {
            mine.state.lever().is_none() || other.fleet(cell).lever().is_some()
        };
        !self.levers().is_empty()
            && links.iter().all(link)
            && nodes.iter().all(node)
            && fleets.iter().all(cell)
    }
}

#[test]
fn a_cut_from_peers_is_not_hidden_by_a_cut_from_clients_and_everything_is_by_a_dead_node() {
    use crate::{End, NodeState, Ports, conditions::CutForm};
    let link = |from: &str, to: &str| Link::new(End::Node(from.into()), End::Node(to.into()));
    let cut = |links: &[Link]| {
        let mut world = Conditions::default();
        links.iter().for_each(|link| world.cut(link.clone(), Ports::All, CutForm::Drop));
        world
    };
    let (one, other) = (link("a", "b"), link("c", "b"));
    let both = cut(&[one.clone(), other.clone()]);
    assert!(
        cut(std::slice::from_ref(&one)).is_hidden_by(&both)
            && !both.is_hidden_by(&cut(std::slice::from_ref(&one)))
    );
    assert!(!cut(std::slice::from_ref(&one)).is_hidden_by(&cut(&[other])));
    assert!(
        !cut(std::slice::from_ref(&one)).is_hidden_by(&cut(&[one.reversed()])),
        "directions are links"
    );
    let mut slow = Conditions::default();
    slow.quality_mut(one.clone()).delay = std::time::Duration::from_millis(1);
    assert!(slow.is_hidden_by(&both) && !both.is_hidden_by(&slow));
    let dead = Conditions {
        nodes: [("b".into(), NodeState::Crashed.into())].into(),
        ..Conditions::default()
    };
    assert!(both.is_hidden_by(&dead) && !dead.is_hidden_by(&both));
    assert!(!Conditions::default().is_hidden_by(&dead), "what does nothing has nothing to hide");
}
