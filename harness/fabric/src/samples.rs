//! Super-packets for the tests, written by another implementation, and how many of them a test tries.

use etherparse::{
    IpNumber, Ipv4Header, Ipv4Options, Ipv6FlowLabel, Ipv6Header, TcpHeader, UdpHeader,
};
use proptest::prelude::*;

use crate::packet::{TCP, UDP};
use crate::switch::Framing;
use crate::vnet::{GSO_ECN, GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP, NEEDS_CSUM, Vnet};

/// `WETDRESS_FUZZ_CASES=1000000 cargo test -p wetdress-fabric --lib` tries more than an ordinary run does.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("WETDRESS_FUZZ_CASES")
        .ok()
        .map(|text| text.parse().expect("a number of cases"));
    // Regressions become tests with a name, not files beside the code.
    ProptestConfig {
        cases: asked.unwrap_or(usual),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A TCP or UDP packet before it becomes bytes.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) framing: Framing,
    pub(crate) is_v4: bool,
    pub(crate) is_tcp: bool,
    /// IPv4 options, or IPv6 extension headers of type destination options; words of 4 and 8 bytes.
    pub(crate) extension: usize,
    pub(crate) tcp_options: usize,
    pub(crate) identification: u16,
    pub(crate) sequence: u32,
    /// FIN, PSH, ECE, CWR.
    pub(crate) flags: [bool; 4],
    /// The bit in the vnet header, which is there with CWR only.
    pub(crate) ecn: bool,
    pub(crate) gso_size: usize,
    pub(crate) payload: Vec<u8>,
}

/// What the checksum field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Partial,
    Full,
}

/// Of at least two segments.
pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let framing = prop_oneof![Just(Framing::Ip), Just(Framing::Ethernet)];
    let headers = (framing, any::<bool>(), any::<bool>(), 0..=10usize, 0..=10usize);
    let gso_size = prop_oneof![1..3_000usize, Just(1_448), 3_000..30_000usize];
    let sizes =
        (gso_size, prop_oneof![1..5usize, 1..200usize], any::<prop::sample::Index>(), any::<u64>());
    (headers, any::<(u16, u32, [bool; 4], bool)>(), sizes).prop_map(|(headers, numbers, sizes)| {
        let (framing, is_v4, is_tcp, extension, tcp_options) = headers;
        let (identification, sequence, flags, ecn) = numbers;
        let (gso_size, whole, last, seed) = sizes;
        // So that the longest headers fit in as well.
        let whole = whole.min(65_000 / gso_size - 1);
        let payload = payload(gso_size * whole + 1 + last.index(gso_size), seed);
        let extension = if is_v4 { extension } else { extension.min(6) };
        let ecn = ecn && flags[3] && is_tcp;
        Sample {
            framing,
            is_v4,
            is_tcp,
            extension,
            tcp_options,
            identification,
            sequence,
            flags,
            ecn,
            gso_size,
            payload,
        }
    })
}

/// Marsaglia's xorshift: drawing each byte from the strategy would take most of the test.
fn payload(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

const V4: [[u8; 4]; 2] = [[198, 18, 0, 1], [198, 18, 3, 2]];
const V6: [[u8; 16]; 2] = [[0xfd; 16], [0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]];

impl Sample {
    /// A super-packet when there is more payload than `gso_size`.
    pub(crate) fn frame(&self, sum: Sum) -> Vec<u8> {
        let transport = self.transport(sum);
        let ip = self.ip(transport.len());
        let ethernet: &[u8] = match (self.framing, self.is_v4) {
            (Framing::Ip, _) => &[],
            (Framing::Ethernet, true) => &[2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x08, 0x00],
            (Framing::Ethernet, false) => &[2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x86, 0xdd],
        };
        let start = ethernet.len() + ip.len();
        [
            &self.vnet(sum, start, start + transport.len() - self.payload.len()).bytes(),
            ethernet,
            &ip,
            &transport,
        ]
        .concat()
    }

    fn vnet(&self, sum: Sum, csum_start: usize, header_bytes: usize) -> Vnet {
        let is_super = self.payload.len() > self.gso_size;
        let gso_type = match (is_super, self.is_tcp, self.is_v4) {
            (false, ..) => GSO_NONE,
            (_, false, _) => GSO_UDP,
            (_, _, true) => GSO_TCP4 | if self.ecn { GSO_ECN } else { 0 },
            (_, _, false) => GSO_TCP6 | if self.ecn { GSO_ECN } else { 0 },
        };
        let is_partial = sum == Sum::Partial;
        Vnet {
            flags: if is_partial { NEEDS_CSUM } else { 0 },
            gso_type,
            header_bytes: header_bytes as u16,
            gso_size: if is_super { self.gso_size as u16 } else { 0 },
            csum_start: if is_partial { csum_start as u16 } else { 0 },
            csum_offset: match (is_partial, self.is_tcp) {
                (false, _) => 0,
                (_, true) => 16,
                (_, false) => 6,
            },
        }
    }

    fn ip(&self, behind: usize) -> Vec<u8> {
        let protocol = IpNumber(if self.is_tcp { TCP } else { UDP });
        let mut bytes = Vec::new();
        if self.is_v4 {
            let mut header =
                Ipv4Header::new(0, 64, protocol, V4[0], V4[1]).expect("nothing is too long");
            header.options = Ipv4Options::try_from([1; 40].split_at(self.extension * 4).0)
                .expect("at most ten words");
            header.set_payload_len(behind).expect("a sample fits");
            (header.identification, header.dont_fragment) = (self.identification, true);
            header.header_checksum = header.calc_header_checksum();
            header.write(&mut bytes).expect("a vector takes everything");
            return bytes;
        }
        let extension = self.extension * 8;
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: (extension + behind) as u16,
            next_header: if extension > 0 { IpNumber::IPV6_DESTINATION_OPTIONS } else { protocol },
            hop_limit: 64,
            source: V6[0],
            destination: V6[1],
        };
        header.write(&mut bytes).expect("a vector takes everything");
        if extension > 0 {
            bytes.extend([protocol.0, (self.extension - 1) as u8, 1, (extension - 4) as u8]);
            bytes.extend(vec![0; extension - 4]);
        }
        bytes
    }

    fn transport(&self, sum: Sum) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.is_tcp {
            let mut header = TcpHeader::new(443, 50_000, self.sequence, 4_096);
            header.set_options_raw(&[1; 40][..self.tcp_options * 4]).expect("at most ten words");
            [header.fin, header.psh, header.ece, header.cwr] = self.flags;
            header.ack = true;
            header.checksum = match (sum, self.is_v4) {
                (Sum::Full, true) => header
                    .calc_checksum_ipv4_raw(V4[0], V4[1], &self.payload)
                    .expect("a sample fits"),
                (Sum::Full, false) => header
                    .calc_checksum_ipv6_raw(V6[0], V6[1], &self.payload)
                    .expect("a sample fits"),
                (Sum::Partial, _) => {
                    self.pseudo_header(TCP, header.header_len() + self.payload.len())
                }
            };
            // The kernel writes this zero for every protocol.
            header.checksum = if header.checksum == 0 { 0xffff } else { header.checksum };
            header.write(&mut bytes).expect("a vector takes everything");
        } else {
            let length = 8 + self.payload.len();
            let mut header = UdpHeader {
                source_port: 53,
                destination_port: 50_000,
                length: length as u16,
                checksum: 0,
            };
            header.checksum = match (sum, self.is_v4) {
                (Sum::Full, true) => header
                    .calc_checksum_ipv4_raw(V4[0], V4[1], &self.payload)
                    .expect("a sample fits"),
                (Sum::Full, false) => header
                    .calc_checksum_ipv6_raw(V6[0], V6[1], &self.payload)
                    .expect("a sample fits"),
                (Sum::Partial, _) => self.pseudo_header(UDP, length),
            };
            header.write(&mut bytes).expect("a vector takes everything");
        }
        bytes.extend(&self.payload);
        bytes
    }

    fn pseudo_header(&self, protocol: u8, bytes: usize) -> u16 {
        let addresses = if self.is_v4 { V4.concat() } else { V6.concat() };
        naive_sum(&[addresses.as_slice(), &[0, protocol], &(bytes as u16).to_be_bytes()].concat())
    }
}

/// The sum as its definition has it, word by word.
pub(crate) fn naive_sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum, pair| {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (sum, has_carry) = u16::overflowing_add(sum, word);
        sum + u16::from(has_carry)
    })
}

/// Whether a receiver takes the checksums of the packet at `ip_at`; read and computed by another implementation.
pub(crate) fn verifies(frame: &[u8], ip_at: usize) -> bool {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};
    let Ok(packet) = SlicedPacket::from_ip(&frame[ip_at..]) else { return false };
    let (Some(net), Some(transport)) = (packet.net, packet.transport) else { return false };
    match (net, transport) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            let header = ip.header();
            let full = tcp
                .calc_checksum_ipv4(header.source(), header.destination())
                .expect("it was sliced");
            header.header_checksum() == header.to_header().calc_header_checksum()
                && same(full, tcp.checksum())
        }
        (NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            let header = ip.header();
            let full = udp.to_header().calc_checksum_ipv4_raw(
                header.source(),
                header.destination(),
                udp.payload(),
            );
            let takes = udp.checksum() == 0 || full.expect("it was sliced") == udp.checksum();
            header.header_checksum() == header.to_header().calc_header_checksum() && takes
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            let full = tcp
                .calc_checksum_ipv6(ip.header().source(), ip.header().destination())
                .expect("it was sliced");
            same(full, tcp.checksum())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            let (from, to) = (ip.header().source(), ip.header().destination());
            let full = udp.to_header().calc_checksum_ipv6_raw(from, to, udp.payload());
            full.expect("it was sliced") == udp.checksum()
        }
        _ => false,
    }
}

/// Both zeros of one's complement verify.
fn same(a: u16, b: u16) -> bool {
    a % 0xffff == b % 0xffff
}
