//! The observer: looks again and again, and reads one server back after heal.
//!
//! A row is shown when every transaction up to its own has ended (`pg_snapshot_xmin`): what commits later lies behind it, so that the
//! position of the last row shown has been passed, whoever commits at the same time. On a standby the same holds of what it has replayed. A server
//! that was started anew may have another history (it was rewound), so it is read from its beginning; places that were shown
//! before are the same places.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use model::{NodeId, ShardId, plan::Shows};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage, secure::Credentials};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    CALL_TIMEOUT, SHARD,
    alone::TABLE,
    inside::field,
    leader::{self, Ask},
    link::{self, Link, answered},
    login::{self, DATABASE, Login, Name},
    page::{ALL, Reader},
    table,
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at how far a standby has replayed.
const REPLAY_LOOK: Duration = Duration::from_millis(50);
/// Patience with the search for the leader, which waits for nodes that do not answer.
const SEARCH: Duration = Duration::from_secs(5);

/// Reads the rows of the run: with `shows: log` on the server that leads, with `shows: replica` on a server in the observer's own region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlObserver {
    /// Between two looks.
    poll: Within<Time, MS, HOUR>,
    /// The table of the readings.
    table: Name,
    /// Where the table is.
    database: Name,
    /// Who asks, and whom it believes. Default: `postgres`, without a password.
    credentials: Credentials,
}

impl Default for SqlObserver {
    fn default() -> Self {
        let poll = Within::given(Time(Duration::from_millis(200)));
        Self {
            poll,
            table: TABLE.into(),
            database: DATABASE.into(),
            credentials: Credentials::default(),
        }
    }
}

impl SqlObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        let (nodes, port) = (login::nodes(site), login::port(site));
        let access = site.access(&self.credentials);
        let login = Login { access, database: self.database.clone() };
        let ask = Ask { nodes, port, login, silence: CALL_TIMEOUT };
        Arc::new(Watcher { params: self, ask, site: site.clone(), shard: ShardId::from(SHARD) })
    }
}

#[derive(Debug)]
struct Watcher {
    params: SqlObserver,
    ask: Ask,
    site: Site,
    shard: ShardId,
}

#[async_trait]
impl Observer for Watcher {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let mut sight = Sight {
            watcher: self,
            vantage: &vantage,
            sink: &*sink,
            history: None,
            shown: 0,
            dark: Instant::now(),
        };
        loop {
            // Why it ended is of no interest: what was not seen is told as blind.
            let _ended = sight.look(&network).await;
            sleep(PAUSE).await;
        }
    }

    /// The last row on the leader, whatever is shown.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let link = self.leader(&network, vantage).await?.1;
        let run = self.site.run.cast_signed();
        let (doing, text) = ("read the last position", table::last(&self.params.table));
        let row = answered(doing, link.client.query_one(&text, &[&run])).await?;
        let last = field::<Option<i64>>(&row, 0, doing)?.unwrap_or(0);
        Ok(self.at(last))
    }

    /// In one snapshot, so that whoever hangs holds nothing back. A standby first replays what the leader had written when it was asked.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (leader, mut link) = self.leader(&network, vantage).await?;
        if vantage.shows == Shows::Replica {
            let written = self.log_end(&leader, &link).await?;
            let (node, copy) = self.own(&network, vantage).await?;
            self.replayed(&node, &copy, written).await?;
            link = copy;
        }
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        answered("begin to read", link.client.batch_execute(begin)).await?;
        let reader = Reader::new(link, &self.params.table, self.site.run).await?;
        let last = reader.show(0, ALL, vantage, &*sink).await?;
        sink.passed(&self.shard, last.cast_unsigned());
        Ok(self.at(last))
    }
}

impl Watcher {
    fn at(&self, position: i64) -> BTreeMap<ShardId, u64> {
        BTreeMap::from([(self.shard.clone(), position.cast_unsigned())])
    }

    async fn leader(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<(NodeId, Link), SystemError> {
        let why = match timeout(SEARCH, leader::find(network, &vantage.origin, &self.ask)).await {
            Ok(Ok(found)) => return Ok((found.name, found.link)),
            Ok(Err(why)) => why.to_owned(),
            Err(_) => format!("no answer within {SEARCH:?}"),
        };
        Err(SystemError::Answer { doing: "find the leader".to_owned(), why })
    }

    /// The first server of the observer's own region that answers, whatever its role.
    async fn own(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<(NodeId, Link), SystemError> {
        let mut why = format!("none is in {}", vantage.region);
        for (_, node) in self.site.nodes_in(&vantage.region) {
            let to = (node, self.ask.port);
            let opening =
                link::open(&**network, &vantage.origin, to, &self.ask.login, CALL_TIMEOUT);
            match answered(&format!("connect to {node}"), opening).await {
                Ok((link, _)) => return Ok((node.clone(), link)),
                Err(error) => why = link::chain(&error),
            }
        }
        Err(SystemError::Answer { doing: format!("reach a server in {}", vantage.region), why })
    }

    /// How far a server's log has come: as written by a primary, as replayed by a standby. In bytes.
    async fn log_end(&self, node: &NodeId, link: &Link) -> Result<i64, SystemError> {
        let doing = format!("ask {node} for the end of its log");
        let text = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                    ELSE pg_current_wal_lsn() END - '0/0')::bigint";
        let row = answered(&doing, link.client.query_one(text, &[])).await?;
        Ok(field::<Option<i64>>(&row, 0, &doing)?.unwrap_or(0))
    }

    /// Waits until a standby has come so far. The caller owns the patience.
    async fn replayed(&self, node: &NodeId, link: &Link, written: i64) -> Result<(), SystemError> {
        while self.log_end(node, link).await? < written {
            sleep(REPLAY_LOOK).await;
        }
        Ok(())
    }
}

/// How far the looking has come.
struct Sight<'a> {
    watcher: &'a Watcher,
    vantage: &'a Vantage,
    sink: &'a dyn SightingSink,
    /// The server that was read last, and when it was started.
    history: Option<(NodeId, String)>,
    /// The last position of that history that was shown.
    shown: i64,
    /// Until when everything was shown as it came; the beginning before the first look.
    dark: Instant,
}

/// What a look begins with, in one snapshot: which transactions have ended, whether the server leads, and since when it runs.
const LOOK: &str =
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_is_in_recovery(),
                    pg_postmaster_start_time()::text";

impl Sight<'_> {
    /// One connection, from the try to make it to its end.
    async fn look(&mut self, network: &Arc<dyn Network>) -> Result<(), SystemError> {
        let found = match self.vantage.shows {
            Shows::Replica => self.watcher.own(network, self.vantage).await,
            Shows::Log | Shows::CurrentValue => self.watcher.leader(network, self.vantage).await,
        };
        let looked = match found {
            Ok((node, link)) => self.follow(node, link).await,
            Err(error) => Err(error),
        };
        // Since the last look that was answered nothing was seen.
        self.blind();
        looked
    }

    async fn follow(&mut self, node: NodeId, link: Link) -> Result<(), SystemError> {
        let watcher = self.watcher;
        let reader = Reader::new(link, &watcher.params.table, watcher.site.run).await?;
        let look = answered("prepare to look", reader.link.client.prepare(LOOK)).await?;
        self.blind();
        loop {
            let doing = "look";
            let began = Instant::now();
            let row = answered(doing, reader.link.client.query_one(&look, &[])).await?;
            let (ended, in_recovery): (i64, bool) =
                (field(&row, 0, doing)?, field(&row, 1, doing)?);
            if in_recovery && self.vantage.shows != Shows::Replica {
                return Ok(());
            }
            self.begin_history((node.clone(), field(&row, 2, doing)?));
            let last = reader.show(self.shown, ended, self.vantage, self.sink).await?;
            if last > self.shown {
                self.shown = last;
                self.sink.passed(&watcher.shard, last.cast_unsigned());
            }
            self.dark = began;
            sleep(watcher.params.poll.0).await;
        }
    }

    fn begin_history(&mut self, history: (NodeId, String)) {
        if self.history.as_ref() != Some(&history) {
            self.shown = 0;
            self.history = Some(history);
        }
    }

    /// Nothing was seen from the last look to now.
    fn blind(&mut self) {
        let now = Instant::now();
        self.sink.blind(self.vantage.clock.stamp(self.dark), self.vantage.clock.stamp(now));
        self.dark = now;
    }
}
