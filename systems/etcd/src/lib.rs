//! Floor 2: etcd as service, driver and observer, over connections of our own.
