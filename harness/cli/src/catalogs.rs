//! Every kind of this build, in one place.

use plan::Catalogs;
use seams::catalog::System;

/// One line per system.
pub(crate) static SYSTEMS: &[&System] = &[
    &reference::SYSTEM,
    &basic::SYSTEM,
    &etcd::SYSTEM,
    &kafka::SYSTEM,
    &nats::SYSTEM,
    &postgres::SYSTEM,
    &redis_system::SYSTEM,
    &pretend::SYSTEM,
    &rabbitmq::SYSTEM,
    &mosquitto::SYSTEM,
    &zookeeper::SYSTEM,
];

/// What `plan` reads scenarios with.
pub(crate) fn catalogs() -> Catalogs {
    Catalogs {
        labs: (&crate::labs::CATALOG).into(),
        faults: &faults::CATALOG,
        systems: SYSTEMS.to_vec(),
        gates: (&findings::gates::CATALOG).into(),
        rests_on: findings::gates::rests_on,
        default_gates: findings::gates::defaults(),
        reports: (&reports::CATALOG).into(),
    }
}
