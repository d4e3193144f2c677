//! Streams through the fabric arrive as they were sent.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use fabric::netlink::{Netlink, RouteKind};
use fabric::{Engine, Rule};
use libtest_mimic::Failed;
use model::{BitRate, Bursts, Chance, Jitter, Lever, LinkQuality, Shape};
use sha2::{Digest, Sha256};

use crate::net::{A_TO_B, B, B_TO_A, INTERFACE, Machine, Net, PATIENCE};
use crate::wire::is_conserved;

const ASSETS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 19, 7, 0));

/// Bytes with a long period, so that a lost, doubled or swapped piece changes the hash.
fn payload(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A connection from `a` to `b`, both ends.
pub(crate) fn connect(a: &Machine, b: &Machine) -> io::Result<(TcpStream, TcpStream)> {
    connect_at(a, b, b.any())
}

fn connect_at(a: &Machine, b: &Machine, at: SocketAddr) -> io::Result<(TcpStream, TcpStream)> {
    let listener = b.enter(|| TcpListener::bind(at))?;
    let to = listener.local_addr()?;
    let near = a.enter(|| TcpStream::connect_timeout(&to, PATIENCE))?;
    let (far, _) = listener.accept()?;
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
    }
    Ok((near, far))
}

fn send_and_compare(net: &Net, bytes: usize) -> Result<(), Failed> {
    send_between(connect(&net.a, &net.b)?, bytes)
}

fn send_between((mut near, mut far): (TcpStream, TcpStream), bytes: usize) -> Result<(), Failed> {
    let sent = payload(bytes);
    let expected = Sha256::digest(&sent);
    let sender = thread::spawn(move || near.write_all(&sent));
    let mut received = Vec::new();
    far.read_to_end(&mut received)?;
    sender.join().expect("the sender does not panic")?;
    assert_eq!(received.len(), bytes);
    assert_eq!(Sha256::digest(&received), expected);
    Ok(())
}

pub(crate) fn tcp_arrives_intact(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    send_and_compare(&net, 16 << 20)?;
    let link = net.counters(A_TO_B)?;
    assert_eq!(link.arrived, link.passed, "nothing was asked for, so nothing is dropped: {link:?}");
    assert!(link.passed.bytes > 16 << 20);
    assert!(link.passed.packets < (16 << 20) / 1500, "offload is on: super-packets pass whole");
    assert_eq!(net.fabric.stats()?.kernel_drops, 0);
    Ok(())
}

pub(crate) fn tcp_survives_loss_without_offload(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    net.set_offload(false)?;
    net.apply_both(&LinkQuality { loss: vec![Chance(10_000)], ..LinkQuality::default() }.into())?;
    send_and_compare(&net, 4 << 20)?;
    let link = net.counters(A_TO_B)?;
    let hits = link.hits(Lever::Loss);
    assert!(
        hits.established > 0 && hits.first_established_ns.is_some(),
        "an established connection was hit: {link:?}"
    );
    assert_eq!(link.undivided, 0, "every super-packet was taken apart: {link:?}");
    assert_eq!(link.arrived.packets, link.passed.packets + link.lost.packets);
    Ok(())
}

/// Over IPv4 and IPv6, with offload on: whatever a link does (each thing alone, each pair of neighbours in the list, everything but one,
/// everything), a stream arrives as it was sent, and every packet is accounted for.
pub(crate) fn tcp_survives_every_mixture(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    let parts: [(&str, LinkQuality); 8] = [
        ("loss", LinkQuality { loss: vec![Chance(10_000)], ..LinkQuality::default() }),
        ("bursts", LinkQuality { bursts: vec![bursts()], ..LinkQuality::default() }),
        ("duplicates", LinkQuality { duplicate: vec![Chance(20_000)], ..LinkQuality::default() }),
        ("corruption", LinkQuality { corrupt: vec![Chance(10_000)], ..LinkQuality::default() }),
        (
            "delay and jitter",
            LinkQuality {
                delay: Duration::from_millis(1),
                jitter: vec![jitter()],
                ..LinkQuality::default()
            },
        ),
        (
            "reordering",
            LinkQuality {
                delay: Duration::from_micros(500),
                reorder: vec![Chance(20_000)],
                ..LinkQuality::default()
            },
        ),
        ("rate", LinkQuality { rate: Some(BitRate(400_000_000)), ..LinkQuality::default() }),
        ("mtu", LinkQuality { mtu: Some(1_400), ..LinkQuality::default() }),
    ];
    let count = parts.len();
    let alone = (0..count).map(|part| vec![part]);
    let neighbours = (0..count).map(|part| vec![part, (part + 1) % count]);
    let but_one = (0..count).map(|left_out| (0..count).filter(|part| *part != left_out).collect());
    let everything = std::iter::once((0..count).collect());
    for mixture in alone.chain(neighbours).chain(but_one).chain(everything) {
        let names: Vec<&str> = mixture.iter().map(|part| parts[*part].0).collect();
        let quality =
            mixture.iter().fold(LinkQuality::default(), |all, part| all.then(&parts[*part].1));
        for at in [net.b.any(), (net.b.v6(), 0).into()] {
            // Connected before anything is lost: a lost SYN costs a second, and says nothing about what arrives.
            net.apply_both(&Rule::default())?;
            let ends = connect_at(&net.a, &net.b, at)?;
            net.apply_both(&quality.clone().into())?;
            send_between(ends, 512 << 10)
                .map_err(|error| format!("{names:?} over {at}: {error:?}"))?;
            for link in [A_TO_B, B_TO_A] {
                let link = net.counters(link)?;
                assert!(is_conserved(&link), "{names:?} over {at}: {link:?}");
            }
        }
    }
    for link in [A_TO_B, B_TO_A] {
        let link = net.counters(link)?;
        assert_eq!(link.undivided, 0, "every super-packet was taken apart: {link:?}");
    }
    let link = net.counters(A_TO_B)?;
    for (what, tally) in [
        ("loss", link.lost),
        ("corruption", link.corrupted),
        ("duplication", link.copies),
        ("delay", link.delayed),
        ("too big", link.too_big),
    ] {
        assert!(tally.packets > 0, "{what} happened: {link:?}");
    }
    Ok(())
}

fn bursts() -> Bursts {
    // A burst is left soon even by the lone packets of a retransmission timer, which doubles each time.
    Bursts { enter: Chance(5_000), leave: Chance(500_000), bad: Chance(500_000), good: Chance(0) }
}

fn jitter() -> Jitter {
    Jitter { width: Duration::from_micros(200), shape: Shape::Normal, correlation: Chance(250_000) }
}

pub(crate) fn ipv6_passes(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    let bound = |machine: &Machine| machine.enter(|| UdpSocket::bind((machine.v6(), 0)));
    let (a, b) = (bound(&net.a)?, bound(&net.b)?);
    let (at_a, at_b): (SocketAddr, SocketAddr) = (a.local_addr()?, b.local_addr()?);
    a.send_to(b"there", at_b)?;
    let mut bytes = [0; 16];
    b.set_read_timeout(Some(PATIENCE))?;
    assert_eq!(b.recv_from(&mut bytes)?, (5, at_a));
    b.send_to(b"back", at_a)?;
    a.set_read_timeout(Some(PATIENCE))?;
    assert_eq!(a.recv_from(&mut bytes)?, (4, at_b));
    assert_eq!(
        (net.counters(A_TO_B)?.passed.packets, net.counters(B_TO_A)?.passed.packets),
        (1, 1)
    );
    Ok(())
}

/// Larger than a slot of the packet socket's ring, among smaller ones: nothing is cut or reordered.
pub(crate) fn jumbo_packets_keep_their_place(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    net.set_mtu(40_000)?;
    let bound = |machine: &Machine| machine.enter(|| UdpSocket::bind(machine.any()));
    let (a, b) = (bound(&net.a)?, bound(&net.b)?);
    b.set_read_timeout(Some(PATIENCE))?;
    let sizes = [100, 39_000, 200, 21_000, 20_000, 300];
    let sent: Vec<Vec<u8>> = sizes.map(payload).into();
    for bytes in &sent {
        a.send_to(bytes, b.local_addr()?)?;
    }
    for bytes in &sent {
        let mut received = vec![0; 65_536];
        let (length, _) = b.recv_from(&mut received)?;
        assert!(
            received[..length] == bytes[..],
            "{length} bytes came where {} were sent",
            bytes.len()
        );
    }
    assert_eq!(net.counters(A_TO_B)?.passed.packets, sizes.len() as u64);
    assert_eq!(net.fabric.stats()?.kernel_drops, 0);
    Ok(())
}

/// A cell's assets have addresses of their own: a whole prefix lives behind one port.
pub(crate) fn a_prefix_lives_behind_one_port(engine: Engine) -> Result<(), Failed> {
    let mut net = Net::new(engine)?;
    net.b = Machine::with_prefix(&net.fabric, B, Some((ASSETS, 24)))?;
    net.a.enter(|| {
        let netlink = Netlink::open()?;
        netlink.add_route(netlink.link_index(INTERFACE)?, ASSETS, 24, RouteKind::Unicast, None)
    })?;
    let asset: SocketAddr = "198.19.7.201:7000".parse()?;
    let (b, a) =
        (net.b.enter(|| UdpSocket::bind(asset))?, net.a.enter(|| UdpSocket::bind(net.a.any()))?);
    b.set_read_timeout(Some(PATIENCE))?;
    a.send_to(b"there", asset)?;
    let (length, from) = b.recv_from(&mut [0; 8])?;
    assert_eq!((length, from), (5, a.local_addr()?));
    Ok(())
}
