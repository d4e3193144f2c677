//! Who leads, by the word of every broker at once: the highest leader epoch wins.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{End, NodeId};
use seams::{Network, Origin, Site};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{CLIENT_PORT, calls, topic::View, wire};

/// Assets that reconnect at the same time share what was asked no longer ago than this.
const FRESH: Duration = Duration::from_millis(100);

/// Asks every broker for its own view of the topic, each over a connection of its own, and returns the newest of what was answered
/// within `patience`. None: nobody answered.
pub(crate) async fn ask_everybody(
    network: &Arc<dyn Network>,
    from: &Origin,
    site: &Site,
    topic: &str,
    patience: Duration,
) -> Option<View> {
    let mut asked = JoinSet::new();
    for node in site.nodes() {
        let (network, from, node, topic) =
            (network.clone(), from.clone(), node.clone(), topic.to_owned());
        let ask = async move { ask(&*network, &from, &node, &topic).await };
        asked.spawn(timeout(patience, ask));
    }
    let mut views = vec![];
    while let Some(answer) = asked.join_next().await {
        if let Ok(Ok(Some(view))) = answer {
            views.push(view);
        }
    }
    (!views.is_empty()).then(|| View::newest(views))
}

async fn ask(network: &dyn Network, from: &Origin, node: &NodeId, topic: &str) -> Option<View> {
    let to = network.address(node, CLIENT_PORT);
    let (wire, _driving) = wire::open(network, from, to).await.ok()?;
    calls::metadata(&wire, topic).await.ok()
}

/// What each cell has asked last.
#[derive(Debug, Default)]
pub(crate) struct Asked(std::sync::Mutex<BTreeMap<End, Latest>>);

type Latest = Arc<Mutex<Option<(Instant, View)>>>;

impl Asked {
    /// As [`ask_everybody`], shared by all who ask from one cell at about the same time.
    pub(crate) async fn view(
        &self,
        network: &Arc<dyn Network>,
        from: &Origin,
        site: &Site,
        topic: &str,
        patience: Duration,
    ) -> Option<View> {
        let latest = {
            let mut cells = self.0.lock().expect("nobody panics while holding it");
            cells.entry(from.end.clone()).or_default().clone()
        };
        let mut latest = latest.lock().await;
        if let Some((at, view)) = &*latest
            && at.elapsed() < FRESH
        {
            return Some(view.clone());
        }
        let view = ask_everybody(network, from, site, topic, patience).await?;
        *latest = Some((Instant::now(), view.clone()));
        Some(view)
    }
}
