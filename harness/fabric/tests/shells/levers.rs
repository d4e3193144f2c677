//! Each lever bites real stacks, and its proof is counted.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use fabric::{CANARY_PORT, Engine, Rule};
use libtest_mimic::Failed;
use model::{BitRate, Chance, CutForm, Lever, LinkQuality, Ports};

use crate::net::{A_TO_B, B, B_TO_A, Machine, Net, PATIENCE, wait_for};
use crate::transfer::connect;

fn udp(machine: &Machine) -> io::Result<UdpSocket> {
    let socket = machine.enter(|| UdpSocket::bind(machine.any()))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// A pair of connected sockets.
fn udp_pair(net: &Net) -> io::Result<(UdpSocket, UdpSocket)> {
    let (a, b) = (udp(&net.a)?, udp(&net.b)?);
    a.connect(b.local_addr()?)?;
    b.connect(a.local_addr()?)?;
    Ok((a, b))
}

pub(crate) fn delay_is_a_lower_bound(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    let (a, b) = udp_pair(&net)?;
    let delay = Duration::from_millis(10);
    net.apply_both(&LinkQuality { delay, ..LinkQuality::default() }.into())?;
    let mut bytes = [0; 16];
    for _ in 0..20 {
        let start = Instant::now();
        a.send(b"ping")?;
        b.recv(&mut bytes)?;
        assert!(start.elapsed() >= delay, "one way in {:?}", start.elapsed());
        b.send(b"pong")?;
        a.recv(&mut bytes)?;
        assert!(start.elapsed() >= 2 * delay, "there and back in {:?}", start.elapsed());
    }
    let link = net.counters(A_TO_B)?;
    assert_eq!((link.hits(Lever::Delay).packets, link.passed.packets), (20, 20));
    let lateness = net.fabric.stats()?.lateness;
    assert_eq!(lateness.count, 40);
    eprintln!(
        "{engine:?}: lateness p50 {} ns, p99 {} ns, max {} ns",
        lateness.p50_ns, lateness.p99_ns, lateness.max_ns
    );
    Ok(())
}

pub(crate) fn loss_hits_its_share(engine: Engine) -> Result<(), Failed> {
    const SENT: u64 = 10_000;
    let net = Net::new(engine)?;
    let (a, b) = udp_pair(&net)?;
    net.apply(
        A_TO_B,
        LinkQuality { loss: vec![Chance(50_000), Chance(100_000)], ..LinkQuality::default() }
            .into(),
    )?;
    let mut received = 0;
    let mut bytes = [0; 8];
    for sent in (100..=SENT).step_by(100) {
        for _ in 0..100 {
            a.send(b"x")?;
        }
        wait_for("all packets to reach the fabric", || {
            Ok(net.counters(A_TO_B)?.arrived.packets == sent)
        })?;
        while received < net.counters(A_TO_B)?.passed.packets {
            b.recv(&mut bytes)?;
            received += 1;
        }
    }
    let link = net.counters(A_TO_B)?;
    assert_eq!(link.lost.packets, SENT - received);
    let lost = 1.0 - 0.9 * 0.95;
    let sigma = (SENT as f64 * lost * (1.0 - lost)).sqrt();
    let off = (link.lost.packets as f64 - SENT as f64 * lost).abs();
    assert!(
        off <= 4.0 * sigma,
        "{} of {SENT} lost, expected {}",
        link.lost.packets,
        SENT as f64 * lost
    );
    Ok(())
}

pub(crate) fn rate_is_kept(engine: Engine) -> Result<(), Failed> {
    const PACKETS: u64 = 100;
    const PAYLOAD: usize = 972;
    let net = Net::new(engine)?;
    let (a, b) = udp_pair(&net)?;
    // 1 000 bytes of IP at 8 Mbit/s: a millisecond each.
    net.apply(
        A_TO_B,
        LinkQuality {
            rate: Some(BitRate(8_000_000)),
            queue: Some(50_000),
            ..LinkQuality::default()
        }
        .into(),
    )?;
    let start = Instant::now();
    for _ in 0..PACKETS {
        a.send(&[7; PAYLOAD])?;
    }
    wait_for("all packets to reach the fabric", || {
        Ok(net.counters(A_TO_B)?.arrived.packets == PACKETS)
    })?;
    let admitted = PACKETS - net.counters(A_TO_B)?.overflow.packets;
    for _ in 0..admitted {
        b.recv(&mut [0; PAYLOAD])?;
    }
    assert!(
        start.elapsed() >= Duration::from_millis(admitted),
        "{admitted} ms worth of packets in {:?}",
        start.elapsed()
    );
    let link = net.counters(A_TO_B)?;
    assert_eq!((link.passed.packets, link.waiting.packets), (admitted, 0));
    assert!(link.hits(Lever::Rate).packets > 0);
    Ok(())
}

pub(crate) fn reject_answers(engine: Engine) -> Result<(), Failed> {
    let net = Net::new(engine)?;
    let (mut near, mut far) = connect(&net.a, &net.b)?;
    let spared = net.b.enter(|| TcpListener::bind(net.b.any()))?;
    let ports = BTreeSet::from([far.local_addr()?.port(), 9, CANARY_PORT]);
    net.apply_both(&Rule::cut(Ports::Only(ports), CutForm::Reject))?;

    let closed = SocketAddr::from((net.b.v4(), 9));
    let refused =
        net.a.enter(|| TcpStream::connect_timeout(&closed, PATIENCE)).expect_err("the port is cut");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let socket = udp(&net.a)?;
    socket.connect(closed)?;
    socket.send(b"anybody?")?;
    assert_eq!(
        socket.recv(&mut [0; 8]).expect_err("the port is cut").kind(),
        ErrorKind::ConnectionRefused
    );

    for stream in [&mut near, &mut far] {
        io::Write::write_all(stream, b"still there?")?;
        assert_eq!(
            stream.read(&mut [0; 8]).expect_err("the connection is cut").kind(),
            ErrorKind::ConnectionReset
        );
    }
    let open = spared.local_addr()?;
    net.a.enter(|| TcpStream::connect_timeout(&open, PATIENCE))?;

    let before = net.counters(A_TO_B)?.hits(Lever::RejectPorts);
    assert!(before.established > 0 && before.first_established_ns.is_some(), "{before:?}");
    socket.connect(SocketAddr::from((net.b.v4(), CANARY_PORT)))?;
    socket.send(b"canary")?;
    assert_eq!(
        socket.recv(&mut [0; 8]).expect_err("the port is cut").kind(),
        ErrorKind::ConnectionRefused
    );
    let after = net.counters(A_TO_B)?.hits(Lever::RejectPorts);
    assert_eq!((after.canaries, after.packets), (1, before.packets), "a canary proves nothing");
    Ok(())
}

pub(crate) fn a_machine_returns_under_its_address(engine: Engine) -> Result<(), Failed> {
    let Net { fabric, a, b } = Net::new(engine)?;
    drop(b);
    fabric.remove_port(B)?;
    let socket = udp(&a)?;
    socket.send_to(b"lost", (std::net::Ipv4Addr::new(198, 18, 0, 2), 9))?;
    let undelivered = |fabric: &fabric::Fabric| -> io::Result<u64> {
        let snapshot = fabric.counters().map_err(io::Error::other)?;
        Ok(snapshot.links.get(&A_TO_B).map_or(0, |link| link.undelivered.packets))
    };
    wait_for("the packet to find nobody", || Ok(undelivered(&fabric)? == 1))?;

    let b = Machine::new(&fabric, B)?;
    let net = Net { fabric, a, b };
    let (a, b) = udp_pair(&net)?;
    a.send(b"hello")?;
    assert_eq!(b.recv(&mut [0; 8])?, 5);
    b.send(b"again")?;
    assert_eq!(a.recv(&mut [0; 8])?, 5);
    assert_eq!(net.counters(A_TO_B)?.passed.packets, 1);
    assert_eq!(net.counters(B_TO_A)?.passed.packets, 1);
    Ok(())
}
