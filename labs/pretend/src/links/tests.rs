use model::{BitRate, Chance, Conditions, End, LabEvent, Ports, RegionId, Slot, topology::Node};

use super::*;

/// Two nodes in regions of their own, with this way from `a` to `b`.
fn links(quality: LinkQuality, track: Track) -> Links {
    let node = |region: &str| Node {
        region: region.into(),
        zone: None,
        services: ["s".into()].into(),
        address: [198, 18, 0, 1].into(),
    };
    let pair = || (RegionId::from("a"), RegionId::from("b"));
    let topology = Topology {
        nodes: [("a".into(), node("a")), ("b".into(), node("b"))].into(),
        wan: [(pair(), quality)].into(),
        wan_tracks: [(pair(), track)].into(),
        ..Topology::default()
    };
    Links::new(Arc::new(topology), Draws::of(1))
}

fn link() -> Link {
    Link::new(End::Node("a".into()), End::Node("b".into()))
}

struct Sent {
    at_s: i64,
    size: usize,
    carries_data: bool,
}

const DATA: Sent = Sent { at_s: 0, size: 40, carries_data: true };

/// Sends one message at the beginning: how long it takes, or None, and what was noticed.
fn sent(links: &mut Links, world: &Conditions, what: &Sent) -> (Option<Duration>, Vec<LabEvent>) {
    let (mut place, now) = (Place::default(), Instant::now());
    let (from, to) = (Origin::node(&"a".into()), Origin::node(&"b".into()));
    place.reconcile(world);
    let &Sent { at_s, size, carries_data } = what;
    let way = Passage {
        from: &from,
        to: &to,
        ports: (1, 2),
        size,
        now,
        at: Micros(at_s * 1_000_000),
        established: true,
        carries_data,
    };
    let mut sights = vec![];
    let fate = links.send(&place, way, &mut sights);
    let takes = match fate {
        Fate::Arrives(at) => Some(at - now),
        Fate::Lost | Fate::Rejected => None,
    };
    (takes, sights)
}

fn levers(sights: &[LabEvent]) -> Vec<Lever> {
    let lever = |sight: &LabEvent| match sight {
        LabEvent::Hit { lever, .. } => Some(*lever),
        _ => None,
    };
    sights.iter().filter_map(lever).collect()
}

fn delay(ms: u64) -> LinkQuality {
    LinkQuality { delay: Duration::from_millis(ms), ..LinkQuality::default() }
}

fn asked(quality: LinkQuality) -> Conditions {
    let mut world = Conditions::default();
    *world.quality_mut(link()) = quality;
    world
}

#[tokio::test(start_paused = true)]
async fn a_jam_lets_connections_open_and_nothing_through() {
    let mut links = links(delay(5), Track::default());
    let mut jam = Conditions::default();
    jam.cut(link(), Ports::All, CutForm::Jam);
    let hello = Sent { carries_data: false, ..DATA };
    assert_eq!(sent(&mut links, &jam, &hello), (Some(Duration::from_millis(5)), vec![]));
    let (takes, sights) = sent(&mut links, &jam, &DATA);
    assert_eq!((takes, levers(&sights)), (None, vec![Lever::Jam]));
    let (takes, sights) = sent(&mut links, &jam, &hello);
    assert_eq!((takes.is_some(), sights), (true, vec![]), "an opening shows nothing about a jam");
    let (takes, sights) = sent(&mut links, &Conditions::default(), &DATA);
    assert_eq!(
        (takes, sights),
        (Some(Duration::from_millis(5)), vec![]),
        "that it healed is the place's to tell"
    );
}

#[tokio::test(start_paused = true)]
async fn a_track_is_followed_and_no_signal_is_silence() {
    let slot = |from_s, quality, up| Slot { from: Duration::from_secs(from_s), quality, up };
    let track = Track {
        slots: vec![slot(0, delay(10), true), slot(15, delay(20), true), slot(30, delay(0), false)],
    };
    let mut links = links(delay(5), track);
    let mut at = |at_s| {
        sent(&mut links, &Conditions::default(), &Sent { at_s, ..DATA })
            .0
            .map(|takes| takes.as_millis())
    };
    assert_eq!(
        [-3, 0].map(&mut at),
        [Some(15), Some(15)],
        "the first slot holds before the origin too"
    );
    assert_eq!([15, 29, 30].map(at), [Some(25), Some(25), None]);
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_message_is_a_lost_one() {
    let mut links = links(delay(5), Track::default());
    let (takes, sights) = sent(
        &mut links,
        &asked(LinkQuality { corrupt: vec![Chance::ALWAYS], ..LinkQuality::default() }),
        &DATA,
    );
    assert_eq!((takes, levers(&sights)), (None, vec![Lever::Corrupt]));
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_does_not_feel_does_nothing() {
    let all = vec![Chance::ALWAYS];
    let quality = LinkQuality { duplicate: all.clone(), reorder: all, mtu: Some(68), ..delay(5) };
    let mut links = links(quality, Track::default());
    assert_eq!(
        sent(&mut links, &Conditions::default(), &Sent { size: 9000, ..DATA }),
        (Some(Duration::from_millis(5)), vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_the_queue_is_sent_again() {
    // 1000 B take 8 ms; 2500 B may wait.
    let narrow =
        LinkQuality { rate: Some(BitRate(1_000_000)), queue: Some(2500), ..LinkQuality::default() };
    let mut links = links(LinkQuality::default(), Track::default());
    let world = asked(narrow);
    let message = Sent { size: 940, ..DATA };
    let takes: Vec<_> = (0..4)
        .map(|_| sent(&mut links, &world, &message).0.map(|takes| takes.as_millis()))
        .collect();
    assert_eq!(
        takes,
        [Some(8), Some(16), Some(24), Some(208)],
        "the fourth came when 3000 B waited"
    );
}
