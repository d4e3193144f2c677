//! A node from its start to its end.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use clap::Parser;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    api,
    args::Args,
    defects::Defects,
    journal::Journal,
    link::Link,
    log::LogFile,
    members::Members,
    network::Links,
    peers, placement,
    shard::{Parts, Shard},
    state_machine::View,
    watcher::Watcher,
    wire::Hello,
};

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) args: Args,
    pub(crate) me: u64,
    pub(crate) members: Members,
    pub(crate) hello: Hello,
    pub(crate) links: Links,
    pub(crate) shards: Vec<Shard>,
    pub(crate) defects: Arc<Defects>,
    pub(crate) events: Journal,
    pub(crate) watchers: Mutex<BTreeMap<(String, u16), Watcher>>,
    kept_bytes: Arc<AtomicU64>,
}

/// Why a node ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("failed to {doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error("failed to find `{0}` among the peers")]
    NotAMember(String),
    #[error("failed to start shard {shard}: {why}")]
    Shard { shard: u16, why: String },
    #[error("failed to go on: {0}")]
    Broken(String),
}

fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> NodeError {
    move |source| NodeError::Io { doing: what.into(), source }
}

/// `wetdress reference node ...`, given what stands behind these three words. Returns when the node fails.
#[expect(
    clippy::print_stderr,
    reason = "the main function of a server: its lab keeps what it says as the server's log"
)]
pub fn main(args: impl IntoIterator<Item = impl Into<OsString>>) -> ExitCode {
    let name = OsString::from("wetdress reference node");
    let args =
        match Args::try_parse_from([name].into_iter().chain(args.into_iter().map(Into::into))) {
            Ok(args) => args,
            Err(told) => {
                // Nobody is left to tell when even this cannot be written.
                let _ = told.print();
                return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
            }
        };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended =
        runtime.map_err(doing("start a runtime")).and_then(|runtime| runtime.block_on(run(args)));
    match ended {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a node until it fails.
pub async fn run(args: Args) -> Result<std::convert::Infallible, NodeError> {
    fs::create_dir_all(&args.data).map_err(doing(format!("make `{}`", args.data.display())))?;
    let clients = TcpListener::bind(args.listen)
        .await
        .map_err(doing(format!("listen on {}", args.listen)))?;
    let neighbours = TcpListener::bind(args.peer_listen)
        .await
        .map_err(doing(format!("listen on {}", args.peer_listen)))?;
    let (node, file) = Node::start(args).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(peers::serve(node.clone(), neighbours));
    tasks.spawn(api::serve(node.clone(), clients));
    tasks.spawn(placement::keep(node.clone()));
    tokio::spawn(placement::found(node.clone()));
    let mut groups = JoinSet::new();
    for shard in &node.shards {
        let mut metrics = shard.raft.metrics();
        groups.spawn(async move {
            metrics.wait_for(|metrics| metrics.running_state.is_err()).await.map(|_| ())
        });
    }
    let why = tokio::select! {
        why = file.failed() => why,
        _ = groups.join_next() => "a raft group stopped".into(),
        _ = tasks.join_next() => "a task of the node ended".into(),
    };
    Err(NodeError::Broken(why))
}

impl Node {
    async fn start(args: Args) -> Result<(Arc<Self>, LogFile), NodeError> {
        let members = Members::new(args.peers.clone());
        let me = members.number(&args.id).ok_or_else(|| NodeError::NotAMember(args.id.clone()))?;
        let data = &args.data;
        let (file, mut recovered) =
            LogFile::open(&data.join("log")).map_err(doing("recover the log"))?;
        let journal = data.join("planted.jsonl");
        let defects = Defects::open(args.planted.clone(), args.seed, &args.id, &journal)
            .map_err(doing("open `planted.jsonl`"))?;
        let defects = Arc::new(defects);
        let events =
            Journal::open(&data.join("events.jsonl")).map_err(doing("open `events.jsonl`"))?;
        let hello = Hello { node: me, serves: args.listen };
        let others = members.iter().filter(|(number, _)| *number != me);
        let links: Links = Arc::new(
            others
                .map(|(number, member)| (number, Link::spawn(hello.clone(), member.peer)))
                .collect(),
        );
        let kept_bytes = Arc::new(AtomicU64::new(0));
        let mut shards = vec![];
        for number in 0..args.shards {
            let parts = Parts {
                number,
                me,
                args: &args,
                members: &members,
                links: links.clone(),
                file: file.clone(),
                recovered: recovered.remove(&number).unwrap_or_default(),
                view: View::new(number, kept_bytes.clone(), defects.clone()),
                defects: defects.clone(),
            };
            let started = Shard::start(parts).await;
            shards.push(
                started.map_err(|why| NodeError::Shard { shard: number, why: why.to_string() })?,
            );
        }
        let node = Self {
            args,
            me,
            members,
            hello,
            links,
            shards,
            defects,
            events,
            watchers: Mutex::default(),
            kept_bytes,
        };
        Ok((Arc::new(node), file))
    }

    pub(crate) fn shard(&self, number: u16) -> Option<&Shard> {
        self.shards.get(usize::from(number))
    }

    /// Whether as many bytes of readings are kept as may be.
    pub(crate) fn full(&self) -> bool {
        self.kept_bytes.load(Ordering::Relaxed) >= self.args.keep_bytes
    }
}
