//! What is read of packets that another implementation writes.

use etherparse::{
    IpHeaders, IpNumber, Ipv4Header, Ipv6FragmentHeader, PacketBuilder, PacketBuilderStep,
};

use super::Packet;

fn read(write: impl FnOnce(&mut Vec<u8>)) -> Packet {
    let mut bytes = Vec::new();
    write(&mut bytes);
    Packet::read(&bytes).expect("it is valid")
}

fn builder() -> PacketBuilderStep<IpHeaders> {
    PacketBuilder::ipv4([198, 18, 0, 1], [198, 18, 0, 2], 64)
}

#[test]
fn data_is_what_an_application_wrote() {
    let tcp = |syn: bool, payload: &[u8]| {
        let step = builder().tcp(1, 2, 3, 4);
        let step = if syn { step.syn() } else { step.ack(9) };
        read(|bytes| step.write(bytes, payload).expect("a vector takes everything"))
            .class
            .carries_data
    };
    assert_eq!(
        [tcp(true, &[]), tcp(false, &[]), tcp(true, &[1]), tcp(false, &[1])],
        [false, false, true, true]
    );
    let udp =
        read(|bytes| builder().udp(1, 2).write(bytes, &[]).expect("a vector takes everything"));
    assert!(udp.class.carries_data);
    let echo = read(|bytes| {
        builder()
            .icmpv4_echo_request(1, 2)
            .write(bytes, &[5; 40])
            .expect("a vector takes everything")
    });
    assert!(!echo.class.carries_data);
    let v6 = || PacketBuilder::ipv6([1; 16], [2; 16], 64);
    let echo = read(|bytes| {
        v6().icmpv6_echo_request(1, 2).write(bytes, &[5; 40]).expect("a vector takes everything")
    });
    assert!(!echo.class.carries_data);
    let unknown =
        read(|bytes| builder().write(bytes, 200.into(), &[]).expect("a vector takes everything"));
    assert!(unknown.class.carries_data);
}

#[test]
fn fragments_are_told_apart() {
    let read = |[high, low]: [u8; 2]| {
        let mut bytes = Vec::new();
        builder()
            .icmpv4_echo_request(1, 2)
            .write(&mut bytes, &[5; 40])
            .expect("a vector takes everything");
        (bytes[6], bytes[7]) = (high, low);
        let packet = Packet::read(&bytes).expect("it is valid");
        [packet.is_fragment, packet.is_later_fragment, packet.class.carries_data]
    };
    assert_eq!(read([0, 0]), [false, false, false]);
    assert_eq!(read([0x40, 0]), [false, false, false]);
    assert_eq!(read([0x20, 0]), [true, false, false]);
    assert_eq!(read([0x20, 9]), [true, true, true]);
    assert_eq!(read([0, 9]), [true, true, true]);
}

#[test]
fn headers_end_where_the_version_says() {
    let mut bytes = Vec::new();
    let step = PacketBuilder::ipv6([1; 16], [2; 16], 64);
    step.udp(1, 2).write(&mut bytes, &[5; 40]).expect("a vector takes everything");
    let fragment =
        Ipv6FragmentHeader::new(17.into(), 1.try_into().expect("13 bits"), true, 7).to_bytes();
    bytes.splice(40..40, fragment);
    bytes[5] += 8;
    bytes[6] = 44;
    let packet = Packet::read(&bytes).expect("it is valid");
    assert_eq!((packet.transport, packet.bytes), (48, 96));
    assert!(packet.is_fragment && packet.is_later_fragment && packet.class.carries_data);

    let mut bytes = Vec::new();
    let mut header =
        Ipv4Header::new(0, 64, IpNumber::UDP, [1; 4], [2; 4]).expect("nothing is too long");
    header.options = [1; 8].into();
    let step = PacketBuilder::ip(IpHeaders::Ipv4(header, Default::default()));
    step.udp(1, 2).write(&mut bytes, &[5; 40]).expect("a vector takes everything");
    let packet = Packet::read(&bytes).expect("it is valid");
    assert_eq!(packet.transport, 28);
}
