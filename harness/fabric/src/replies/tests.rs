//! Answers compared byte by byte with those of another implementation.

use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, PacketBuilder, icmpv4, icmpv6};

use super::{reply, too_big};
use crate::packet::Packet;

const V4: [[u8; 4]; 2] = [[198, 18, 0, 1], [198, 18, 0, 2]];
const V6: [[u8; 16]; 2] = [[0xfd; 16], [0xfc; 16]];

fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

fn told(ip: &[u8], mtu: u32) -> Option<Vec<u8>> {
    too_big(ip, &Packet::read(ip).expect("it is valid"), mtu)
}

#[test]
fn too_big_names_the_mtu_and_quotes_what_fits() {
    let back = || PacketBuilder::ipv4(V4[1], V4[0], 64);
    for (payload, quoted) in [(0, 40), (508, 548), (509, 548), (1_460, 548)] {
        let there = PacketBuilder::ipv4(V4[0], V4[1], 9).tcp(1, 2, 3, 4).ack(5);
        let ip = bytes(|bytes| {
            there.write(bytes, &vec![7; payload]).expect("a vector takes everything")
        });
        let kind = Icmpv4Type::DestinationUnreachable(
            icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1_280 },
        );
        let expected = bytes(|bytes| {
            back().icmpv4(kind).write(bytes, &ip[..quoted]).expect("a vector takes everything")
        });
        assert_eq!(told(&ip, 1_280), Some(expected));
    }
}

#[test]
fn too_big_over_ipv6_is_alike() {
    let back = || PacketBuilder::ipv6(V6[1], V6[0], 64);
    for (payload, quoted) in [(0, 48), (1_184, 1_232), (1_452, 1_232)] {
        let there = PacketBuilder::ipv6(V6[0], V6[1], 9).udp(1, 2);
        let ip = bytes(|bytes| {
            there.write(bytes, &vec![7; payload]).expect("a vector takes everything")
        });
        let kind = Icmpv6Type::PacketTooBig { mtu: 70_000 };
        let expected = bytes(|bytes| {
            back().icmpv6(kind).write(bytes, &ip[..quoted]).expect("a vector takes everything")
        });
        assert_eq!(told(&ip, 70_000), Some(expected));
    }
}

#[test]
fn an_mtu_beyond_the_field_is_its_largest() {
    let ip = bytes(|bytes| {
        PacketBuilder::ipv4(V4[0], V4[1], 9)
            .udp(1, 2)
            .write(bytes, &[])
            .expect("a vector takes everything")
    });
    assert_eq!(told(&ip, 65_536).expect("an answer")[26..28], [0xff, 0xff]);
}

#[test]
fn errors_resets_fragments_and_multicast_are_never_answered() {
    let v4 = |to| PacketBuilder::ipv4(V4[0], to, 9);
    let unreachable = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port);
    let echo = Icmpv4Type::EchoRequest(IcmpEchoHeader { id: 1, seq: 2 });
    let v6_error = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port);
    let v6 = || PacketBuilder::ipv6(V6[0], V6[1], 9);
    let mut fragment = bytes(|bytes| {
        v4(V4[1]).udp(1, 2).write(bytes, &[0; 40]).expect("a vector takes everything")
    });
    fragment[7] = 5;
    let silent = [
        bytes(|bytes| {
            v4(V4[1]).icmpv4(unreachable).write(bytes, &[0; 40]).expect("a vector takes everything")
        }),
        bytes(|bytes| {
            v6().icmpv6(v6_error).write(bytes, &[0; 40]).expect("a vector takes everything")
        }),
        bytes(|bytes| {
            v4(V4[1]).tcp(1, 2, 3, 4).rst().write(bytes, &[]).expect("a vector takes everything")
        }),
        bytes(|bytes| {
            v4([224, 0, 0, 1]).udp(1, 2).write(bytes, &[]).expect("a vector takes everything")
        }),
        fragment,
    ];
    for ip in silent {
        let packet = Packet::read(&ip).expect("it is valid");
        assert_eq!((reply(&ip, &packet), too_big(&ip, &packet, 576)), (None, None));
    }
    let echo = bytes(|bytes| {
        v4(V4[1]).icmpv4(echo).write(bytes, &[0; 40]).expect("a vector takes everything")
    });
    let packet = Packet::read(&echo).expect("it is valid");
    assert!(reply(&echo, &packet).is_some() && too_big(&echo, &packet, 576).is_some());
}
