//! Names of things, one newtype each, so that a node cannot be passed where a region is meant.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

names! {
    /// A place of the stack, such as `us-west`.
    RegionId,
    /// A part of a region, such as `a`.
    ZoneId,
    /// A machine of the lab, such as `store-us-west-1`.
    NodeId,
    /// Assets (or observers) of one region that share an access link, such as `us-west/terminals`.
    CellId,
    /// A running system of the stack, such as `ingest`.
    ServiceId,
    /// A partition, range or stream of a service, such as `s5`.
    ShardId,
    /// A group of always-on sources.
    FleetId,
    /// One series of readings of a fleet's assets.
    StreamId,
    /// One reader of what became visible.
    ObserverId,
    /// One fault of the plan with its opening and closing.
    WindowId,
    /// One stretch of the timeline.
    PhaseId,
}
