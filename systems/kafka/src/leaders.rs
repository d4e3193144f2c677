//! Who leads, by the word of every broker at once: the highest leader epoch wins.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{End, NodeId};
use seams::{Network, Origin, Site, secure::cause};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{CLIENT_PORT, calls, login::Door, topic::View};

/// Assets that reconnect at the same time share what was asked no longer ago than this.
const FRESH: Duration = Duration::from_millis(100);

/// Asks every broker for its own view of the topic, each over a connection of its own, and returns the newest of what was answered
/// within `patience`.
///
/// # Errors
/// Nobody answered: why, if it is the credentials'.
pub(crate) async fn ask_everybody(
    network: &Arc<dyn Network>,
    from: &Origin,
    site: &Site,
    topic: &str,
    patience: Duration,
    door: &Door,
) -> Result<View, &'static str> {
    let mut asked = JoinSet::new();
    for node in site.nodes() {
        let (network, from, door) = (network.clone(), from.clone(), door.clone());
        let (node, topic) = (node.clone(), topic.to_owned());
        let ask = async move { ask(&*network, &from, &node, &topic, &door).await };
        asked.spawn(timeout(patience, ask));
    }
    let (mut views, mut refused) = (vec![], None);
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(Ok(view))) => views.push(view),
            Ok(Ok(Err(why))) => refused = refused.or(why),
            // Its patience, or the whole lane, ended.
            Ok(Err(_)) | Err(_) => {}
        }
    }
    if views.is_empty() {
        return Err(refused.unwrap_or("no broker answered"));
    }
    Ok(View::newest(views))
}

/// Why not, where the broker or its client does not believe the other.
async fn ask(
    network: &dyn Network,
    from: &Origin,
    node: &NodeId,
    topic: &str,
    door: &Door,
) -> Result<View, Option<&'static str>> {
    let to = network.address(node, CLIENT_PORT);
    let opened = door.open(network, from, to).await;
    let (wire, _driving) = opened.map_err(|error| cause(&error))?;
    calls::metadata(&wire, topic).await.map_err(|_| None)
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
        door: &Door,
    ) -> Result<View, &'static str> {
        let latest = {
            let mut cells = self.0.lock().expect("nobody panics while holding it");
            cells.entry(from.end.clone()).or_default().clone()
        };
        let mut latest = latest.lock().await;
        if let Some((at, view)) = &*latest
            && at.elapsed() < FRESH
        {
            return Ok(view.clone());
        }
        let view = ask_everybody(network, from, site, topic, patience, door).await?;
        *latest = Some((Instant::now(), view.clone()));
        Ok(view)
    }
}
