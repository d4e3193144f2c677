//! What there is of a fleet before it is armed.

use std::ops::Range;

use model::{FleetId, Plan, schedule::Schedule};

use crate::{
    asset::Asset,
    carrier::Carrier,
    contact::Contact,
    in_flight::Chain,
    recorder::Recorder,
    timers::{Timer, Timers},
};

/// Everything of a fleet that the schedule alone decides.
pub(crate) struct Prepared {
    pub(crate) name: FleetId,
    pub(crate) first: u32,
    pub(crate) assets: Vec<Asset>,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) timers: Timers,
}

impl Prepared {
    /// `assets` is a part of the ids of the fleet, or all of them; its ends are those of connections.
    pub(crate) fn new(
        name: &FleetId,
        whole: &Plan,
        assets: Range<u32>,
        schedule: &Schedule,
    ) -> Self {
        let plan = &whole.fleets[name];
        let first = assets.start;
        let mut carriers: Vec<Carrier> = plan
            .connections()
            .skip_while(|(_, carried)| carried.end <= assets.start)
            .take_while(|(_, carried)| carried.start < assets.end)
            .map(|(home, carried)| Carrier::new(carried.start - first..carried.end - first, home))
            .collect();
        carriers.shrink_to_fit();
        let mut columns = Vec::with_capacity(assets.len());
        for (conn, carrier) in (0..).zip(&carriers) {
            columns.extend(carrier.assets.clone().map(|_| Asset {
                conn,
                under_way: Chain::default(),
                recorder: Recorder::default(),
            }));
        }
        let mut timers = Timers::default();
        // They come before all others: at an edge of contact, the new state holds.
        for (contact, cohort) in Contact::of_homes(whole, plan).iter().zip(0..) {
            for (at, acquired) in contact.edges() {
                let timer =
                    if acquired { Timer::Acquired { cohort } } else { Timer::Lost { cohort } };
                timers.set(at, timer);
            }
        }
        for asset in 0..columns.len() as u32 {
            for stream in 0..plan.streams.len() as u16 {
                let series = schedule
                    .series(first + asset, stream)
                    .expect("the asset and the stream are of this plan");
                timers.generate_later(&series, asset, stream, 0);
            }
        }
        Self { name: name.clone(), first, assets: columns, carriers, timers }
    }
}
