//! Floor 2: the lab in memory on a paused clock, with its own service, driver and observer.
