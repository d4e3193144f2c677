//! The other side: a lane in memory that does what a test's rules say, and keeps what it heard.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    future::Future,
    net::SocketAddr,
    num::NonZeroU32,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use model::{Conditions, Micros, NodeId, NodeIndex, Outcome, Plan, Stamped, envelope::Envelope};
use run::{Folder, Loaded};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Disconnect, Driver, Lane, LoadReport, Network, Origin,
    Outgoing, Progress, Traffic, Wanted,
};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::{mpsc, watch},
    task::LocalSet,
    time::Instant,
};

use crate::{Fleets, Setup, Thread};

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn at(ms: u64) -> Micros {
    Micros::after(Duration::from_millis(ms))
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    After(Duration, Outcome),
    Never,
}

/// What the lane heard of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) at: Micros,
    pub(super) region: String,
    pub(super) attempt: u16,
    pub(super) envelope: Envelope,
    pub(super) bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Knock {
    pub(super) at: Micros,
    pub(super) asset: u32,
    pub(super) region: String,
}

type Rule<A, R> = Box<dyn Fn(A) -> R + Send + Sync>;

/// The rules of a test. The default lets everybody in and acks at once.
pub(super) struct World {
    /// Whether a region lets somebody in; None: it never answers.
    pub(super) opens: Rule<Knock, Option<bool>>,
    /// How long a region takes to let somebody in.
    pub(super) greets: Rule<Knock, Duration>,
    pub(super) replies: Rule<Heard, Reply>,
    /// Whether the connection that carries an asset takes anything now.
    pub(super) takes: Rule<(Micros, u32), bool>,
    pub(super) heard: Mutex<Vec<Heard>>,
    pub(super) knocks: Mutex<Vec<Knock>>,
    pub(super) abandoned: Mutex<Vec<u32>>,
    /// Worlds that are wanted from moments on.
    pub(super) wanted: Vec<(Micros, Conditions)>,
    pub(super) disconnects: Mutex<Vec<(Micros, u32, Disconnect)>>,
    /// From then on the lane holds the loop up for so long, once.
    pub(super) stall: Mutex<Option<(Micros, Duration)>>,
    /// How often the lane was offered a reading.
    pub(super) offered: Mutex<u64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            opens: Box::new(|_| Some(true)),
            greets: Box::new(|_| Duration::ZERO),
            replies: Box::new(|_| Reply::After(Duration::ZERO, Outcome::Acked)),
            takes: Box::new(|_| true),
            heard: Mutex::default(),
            knocks: Mutex::default(),
            abandoned: Mutex::default(),
            wanted: Vec::new(),
            disconnects: Mutex::default(),
            stall: Mutex::default(),
            offered: Mutex::default(),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct FakeDriver(Arc<World>);

impl Driver for FakeDriver {
    fn policy(&self) -> String {
        "in memory".into()
    }
    fn lane(&self, _ground: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        Box::new(FakeLane {
            world: self.0.clone(),
            clock,
            regions: HashMap::new(),
            later: BTreeMap::new(),
            number: 0,
            sleep: None,
        })
    }
}

struct FakeLane {
    world: Arc<World>,
    clock: Clock,
    regions: HashMap<ConnId, String>,
    later: BTreeMap<(Micros, u64), (ConnId, Progress)>,
    number: u64,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl FakeLane {
    fn say(&mut self, at: Micros, conn: ConnId, progress: Progress) {
        self.number += 1;
        self.later.insert((at, self.number), (conn, progress));
    }

    /// Moves the paused clock on, as if the lane had worked for so long.
    fn stall(&self, cx: &mut Context<'_>) {
        let mut stall = self.world.stall.lock().expect("no panic");
        if let Some((_, long)) = stall.take_if(|(at, _)| self.clock.now() >= *at) {
            // It moves when it is first polled.
            let _yields = std::pin::pin!(tokio::time::advance(long)).poll(cx);
        }
    }
}

impl Lane for FakeLane {
    fn connect(&mut self, wanted: &[ConnectRequest]) {
        let now = self.clock.now();
        for request in wanted {
            let (conn, asset) = (request.conn, request.assets.start);
            let knock = Knock { at: now, asset, region: request.region.to_string() };
            self.world.knocks.lock().expect("no panic").push(knock.clone());
            self.regions.insert(conn, knock.region.clone());
            let greeted = now + (self.world.greets)(knock.clone());
            match (self.world.opens)(knock) {
                Some(true) => {
                    self.say(greeted, conn, Progress::Up { conn, node: NodeIndex(0) });
                }
                Some(false) => self.say(now, conn, Progress::Down { conn, why: "closed" }),
                None => {}
            }
        }
    }

    fn disconnect(&mut self, conn: ConnId, how: Disconnect) {
        let now = self.clock.now();
        self.world.disconnects.lock().expect("no panic").push((now, conn.0, how));
        self.later.retain(|_, (of, _)| *of != conn);
    }

    fn submit(&mut self, batch: Batch<'_>, refused: &mut Vec<u32>) {
        let now = self.clock.now();
        *self.world.offered.lock().expect("no panic") += batch.readings.len() as u64;
        for (index, reading) in (0..).zip(batch.readings) {
            let Outgoing { ticket, conn, identity, attempt, .. } = *reading;
            if !(self.world.takes)((now, identity.asset)) {
                refused.push(index);
                continue;
            }
            let payload = batch.payload(reading);
            let envelope = Envelope::read(payload).expect("the envelope comes first and whole");
            assert_eq!((envelope.identity, envelope.attempt), (identity, attempt));
            let region = self.regions[&conn].clone();
            let heard = Heard { at: now, region, attempt, envelope, bytes: payload.len() };
            self.world.heard.lock().expect("no panic").push(heard.clone());
            self.say(now, conn, Progress::Sent { ticket, at: now });
            if let Reply::After(wait, outcome) = (self.world.replies)(heard) {
                let at = now + wait;
                let position = (outcome == Outcome::Acked).then_some(ticket.into());
                self.say(
                    at,
                    conn,
                    Progress::Done { ticket, outcome, at, by: Some(NodeIndex(1)), position },
                );
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()> {
        self.stall(cx);
        loop {
            let now = self.clock.now();
            while let Some(entry) = self.later.first_entry()
                && entry.key().0 <= now
            {
                out.push(entry.remove().1);
            }
            if !out.is_empty() {
                return Poll::Ready(());
            }
            let Some(((next, _), _)) = self.later.first_key_value() else { return Poll::Pending };
            let sleep =
                self.sleep.insert(Box::pin(tokio::time::sleep_until(self.clock.instant(*next))));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn abandon(&mut self, ticket: u32) {
        self.world.abandoned.lock().expect("no panic").push(ticket);
    }
}

#[derive(Debug)]
struct NoGround;

#[async_trait]
impl Network for NoGround {
    fn address(&self, _node: &NodeId, port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }
    async fn tcp(&self, _from: &Origin, _to: SocketAddr) -> std::io::Result<TcpStream> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    async fn udp(&self, _from: &Origin) -> std::io::Result<UdpSocket> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// A timeline that was played to its end.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) loaded: Loaded,
    pub(super) report: LoadReport,
    pub(super) seen: Vec<Stamped>,
    pub(super) world: Arc<World>,
    _folder: tempfile::TempDir,
}

/// Plays a plan to its stop and drains until its latest end.
pub(super) fn play(plan: Plan, world: World) -> Played {
    play_until(plan.stop(), plan, world, Thread::Callers)
}

/// Asks for the drain at `stop`.
pub(super) fn play_until(stop: Duration, plan: Plan, world: World, thread: Thread) -> Played {
    let senders = plan.threads.unwrap_or(NonZeroU32::MIN);
    let paused = thread == Thread::Callers;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(paused)
        .build()
        .expect("a runtime");
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "run", &plan, "").expect("a folder");
    let world = Arc::new(world);
    let driver: Arc<dyn Driver> = Arc::new(FakeDriver(world.clone()));
    let drivers = plan.fleets.keys().map(|fleet| (fleet.clone(), driver.clone())).collect();
    let latest = plan.latest_end();
    let setup = Setup {
        plan: Arc::new(plan),
        run: 7,
        network: Arc::new(NoGround),
        drivers,
        folder: folder.clone(),
        senders,
    };
    let asked = world.clone();
    let (report, seen) = LocalSet::new().block_on(&runtime, async {
        let mut fleets = Fleets::new(setup, thread).expect("files can be opened");
        let clock = Clock::new(Instant::now());
        let (want, wanted) = watch::channel(Wanted::default());
        let (seen, mut noticed) = mpsc::unbounded_channel();
        fleets.arm(clock.clone(), wanted, seen).await;
        for (revision, (at, conditions)) in (1..).zip(&asked.wanted) {
            clock.until(*at).await;
            want.send_replace(Wanted { revision, conditions: Arc::new(conditions.clone()) });
        }
        clock.until(Micros::after(stop)).await;
        let report = fleets.drain(Micros::after(latest)).await;
        let seen = std::iter::from_fn(|| noticed.try_recv().ok()).collect();
        (report, seen)
    });
    Played {
        loaded: Loaded::open(folder.path()).expect("a run"),
        report,
        seen,
        world,
        _folder: runs,
    }
}

impl Played {
    pub(super) fn heard(&self) -> Vec<Heard> {
        self.world.heard.lock().expect("no panic").clone()
    }

    pub(super) fn knocks(&self, asset: u32) -> Vec<Knock> {
        self.world
            .knocks
            .lock()
            .expect("no panic")
            .iter()
            .filter(|knock| knock.asset == asset)
            .cloned()
            .collect()
    }
}
