//! What somebody who adds the system writes. It imports `seams` and no other system.

mod keeper;
mod locks;

use std::sync::Arc;

use model::NodeId;
use seams::{
    Catalog, Kind, Network, Origin, SystemError,
    catalog::{System, stored},
};
use tokio::io::AsyncReadExt;

pub(crate) static SYSTEM: System = System {
    name: "toy",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[
            Kind::new::<locks::Params>(
                "toy-locks",
                "A lock on each node.",
                "{}",
                |params, site| {
                    let locks::Params {} = stored(params)?;
                    Ok(Arc::new(locks::Locks { site: site.clone() }))
                },
            ),
            Kind::new::<keeper::Params>(
                "toy-keeper",
                "Leads where the first lock answers.",
                "{locks: locks}",
                |params, site| {
                    Ok(Arc::new(keeper::Keeper { params: stored(params)?, site: site.clone() }))
                },
            ),
        ],
    },
    drivers: Catalog { noun: "driver", kinds: &[] },
    observers: Catalog { noun: "observer", kinds: &[] },
};

/// The line that a node's port says, asked from inside the node.
async fn line(network: &dyn Network, node: &NodeId, port: u16) -> Result<String, SystemError> {
    let doing = format!("ask {node}");
    let asked = async {
        let mut stream = network.tcp(&Origin::node(node), network.address(node, port)).await?;
        let mut line = String::new();
        stream.read_to_string(&mut line).await?;
        Ok(line.trim_end().to_owned())
    };
    asked.await.map_err(|source| SystemError::Io { doing, source })
}
