//! What the lab can do to the stack: nothing yet.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use model::{Lever, Topology, event::Health};
use seams::{Addresses, Network, Lab, LabError, OpenLab};

pub(crate) struct TYPELab {
    topology: Arc<Topology>,
}

impl TYPELab {
    pub(crate) fn new(topology: Arc<Topology>) -> Self {
        Self { topology }
    }
}

#[async_trait]
impl Lab for TYPELab {
    fn engine(&self) -> String {
        "NAME: say how packets travel".to_owned()
    }

    async fn offers(&self) -> BTreeSet<Lever> {
        BTreeSet::new()
    }

    fn addresses(&self) -> Arc<dyn Addresses> {
        self.topology.clone()
    }

    async fn open(&self, _: OpenLab) -> Result<Arc<dyn Network>, LabError> {
        Err(LabError::Refused {
            what: "nobody has written yet how the lab `NAME` is opened".to_owned(),
            remedy: "docs/guide/add-a-lab.md says what is missing".to_owned(),
        })
    }

    async fn close(&self) {}

    fn health(&self) -> Health {
        Health::default()
    }
}
