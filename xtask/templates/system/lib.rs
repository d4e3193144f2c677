//! Floor 2: NAME as service, driver and observer.
//!
//! * `service`: how its servers run, and what they say of themselves
//! * `driver`: how assets send to it
//! * `observer`: how what became visible is read back
//!
//! Absent on purpose: say here what nobody should look for.

mod driver;
mod observer;
mod service;

use seams::{
    SystemError,
    catalog::{Catalog, Kind, System, stored},
};

use crate::{driver::TYPEDriver, observer::TYPEObserver, service::TYPEService};

/// What this room brings.
pub static SYSTEM: System = System {
    name: "NAME",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<TYPEService>("NAME", "Say what runs.", "{}", |params, site| {
            Ok(stored::<TYPEService>(params)?.on(site))
        })],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<TYPEDriver>("NAME", "Say how it sends.", "{}", |params, site| {
            Ok(stored::<TYPEDriver>(params)?.to(site))
        })],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<TYPEObserver>("NAME", "Say what it shows.", "{}", |params, site| {
            Ok(stored::<TYPEObserver>(params)?.of(site))
        })],
    },
};

/// Where clients find each of its nodes.
const CLIENT_PORT: u16 = 4000;
/// The one shard, until the service says that it has several.
const SHARD: &str = "NAME";

fn not_yet(doing: String) -> SystemError {
    SystemError::Answer { doing, why: "nobody has written yet how".to_owned() }
}
