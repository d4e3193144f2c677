//! Recorded packets as a pcapng file (IETF draft-ietf-opsawg-pcapng), which Wireshark and tshark open: one interface for each
//! directed link, times in nanoseconds of CLOCK_REALTIME, and a comment where a packet did not simply pass.
//! Deliberately absent: reading, and every block and option that is not needed for this.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::disposition::Disposition;
use crate::flight_recorder::{Packet, SNAP_BYTES};
use crate::policy::Link;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The packet begins with its IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
/// Times count units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// What a capture file holds.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    /// Of the file as a whole: which run, and why it was written.
    pub comment: String,
    /// In the order of time.
    pub packets: &'a [Packet],
    /// CLOCK_REALTIME where CLOCK_MONOTONIC is zero, nanoseconds since 1970.
    pub boot_ns: u64,
}

/// How a directed link is called in a capture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// For example `a -> b`.
    pub name: String,
    pub description: String,
}

impl Capture<'_> {
    /// Writes the file in many small pieces: give it a buffer. `interface` names the links that occur.
    pub fn write(
        &self,
        interface: impl Fn(Link) -> Interface,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.section().write(out)?;
        let mut numbers: BTreeMap<Link, u32> =
            self.packets.iter().map(|packet| (packet.link, 0)).collect();
        for (number, (&link, its_number)) in (0..).zip(&mut numbers) {
            *its_number = number;
            describe(&interface(link)).write(out)?;
        }
        for packet in self.packets {
            self.packet(packet, numbers[&packet.link]).write(out)?;
        }
        Ok(())
    }

    fn section(&self) -> Block {
        let mut block = Block::new(SECTION_HEADER);
        block.word(BYTE_ORDER);
        let (major, minor, unknown_length) = (1u16, 0u16, -1i64);
        block.put(&major.to_le_bytes());
        block.put(&minor.to_le_bytes());
        block.put(&unknown_length.to_le_bytes());
        block.option(COMMENT, self.comment.as_bytes());
        block.option(SHB_USERAPPL, concat!("wetdress ", env!("CARGO_PKG_VERSION")).as_bytes());
        block.option(END_OF_OPTIONS, &[]);
        block
    }

    fn packet(&self, packet: &Packet, interface: u32) -> Block {
        let at_ns = self.boot_ns + packet.at_ns;
        let mut block = Block::new(ENHANCED_PACKET);
        for word in [
            interface,
            (at_ns >> 32) as u32,
            at_ns as u32,
            packet.head().len() as u32,
            packet.ip_bytes,
        ] {
            block.word(word);
        }
        block.put_padded(packet.head());
        if packet.disposition != Disposition::Passed {
            block.option(COMMENT, packet.disposition.word().as_bytes());
            block.option(END_OF_OPTIONS, &[]);
        }
        block
    }
}

fn describe(interface: &Interface) -> Block {
    let mut block = Block::new(INTERFACE_DESCRIPTION);
    block.put(&LINKTYPE_RAW.to_le_bytes());
    block.put(&[0; 2]);
    block.word(SNAP_BYTES as u32);
    block.option(IF_NAME, interface.name.as_bytes());
    block.option(IF_DESCRIPTION, interface.description.as_bytes());
    block.option(IF_TSRESOL, &[NANOSECONDS]);
    block.option(END_OF_OPTIONS, &[]);
    block
}

/// A block before its length is known; everything is little endian and a multiple of four bytes.
struct Block {
    kind: u32,
    body: Vec<u8>,
}

impl Block {
    fn new(kind: u32) -> Self {
        Self { kind, body: Vec::with_capacity(SNAP_BYTES + 64) }
    }

    fn word(&mut self, word: u32) {
        self.put(&word.to_le_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    fn put_padded(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// An option's length has 16 bits; a longer text is cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.put(&code.to_le_bytes());
        self.put(&length.to_le_bytes());
        self.put_padded(&value[..length.into()]);
    }

    /// The length stands at both ends, so that readers can go backwards too.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let length = self.body.len() as u32 + 12;
        out.write_all(&self.kind.to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&self.body)?;
        out.write_all(&length.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use etherparse::PacketBuilder;

    use super::*;
    use crate::flight_recorder::FlightRecorder;
    use crate::policy::PortId;

    const BOOT_NS: u64 = 1_700_000_000_000_000_000;

    fn recorded() -> Vec<Packet> {
        let mut flight_recorder = FlightRecorder::new(1 << 20);
        let (there, back) = (Link::new(PortId(0), PortId(1)), Link::new(PortId(1), PortId(0)));
        let mut tcp = Vec::new();
        let builder =
            PacketBuilder::ipv4([198, 18, 0, 1], [198, 18, 0, 2], 64).tcp(40_000, 2379, 7, 65_000);
        builder.write(&mut tcp, &[0xab; 5001]).expect("a vector takes everything");
        let mut udp = Vec::new();
        let builder = PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 64).udp(5_000, 6_000);
        builder.write(&mut udp, b"odd").expect("a vector takes everything");
        flight_recorder.record(1_000_000_001, there, Disposition::Passed, &tcp, tcp.len());
        flight_recorder.record(1_000_000_002, there, Disposition::Lost, &tcp, tcp.len());
        flight_recorder.record(1_000_000_003, back, Disposition::TooBig, &udp, udp.len());
        flight_recorder.recent(0)
    }

    fn interface(link: Link) -> Interface {
        let name = |port: PortId| ["store-1", "terminals/west"][port.0 as usize];
        Interface {
            name: format!("{} -> {}", name(link.from), name(link.to)),
            description: "a link".into(),
        }
    }

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        let capture =
            Capture { comment: "run 1: cut".into(), packets: &recorded(), boot_ns: BOOT_NS };
        capture.write(interface, &mut file).expect("a vector takes everything");
        file
    }

    #[test]
    fn blocks_are_whole_words_with_their_length_at_both_ends() {
        let file = file();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        let (mut at, mut kinds) = (0, vec![]);
        while at < file.len() {
            let length = word(at + 4);
            assert_eq!((length % 4, word(at + length as usize - 4)), (0, length));
            kinds.push(word(at));
            at += length as usize;
        }
        assert_eq!(
            kinds,
            [
                SECTION_HEADER,
                INTERFACE_DESCRIPTION,
                INTERFACE_DESCRIPTION,
                ENHANCED_PACKET,
                ENHANCED_PACKET,
                ENHANCED_PACKET
            ]
        );
    }

    /// The reader that people will use.
    #[test]
    fn tshark_reads_what_was_written() {
        let path = std::env::temp_dir().join(format!("wetdress-{}.pcapng", std::process::id()));
        std::fs::write(&path, file()).expect("the temporary folder is writable");
        let fields = [
            "frame.interface_name",
            "frame.comment",
            "frame.time_epoch",
            "frame.len",
            "ip.src",
            "ipv6.src",
            "tcp.dstport",
            "udp.dstport",
        ];
        let mut tshark = Command::new("tshark");
        tshark
            .args(["-T", "fields", "-E", "separator=|", "-r"])
            .arg(&path)
            .args(fields.iter().flat_map(|field| ["-e", field]));
        let read = tshark.output();
        std::fs::remove_file(&path).expect("it was just written");
        let read = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Not by a macro: the test runner would keep that to itself.
                let told = writeln!(
                    io::stderr(),
                    "skipped tshark_reads_what_was_written: no tshark (ci/install-servers brings it)"
                );
                return told.expect("standard error is open");
            }
            read => read.expect("tshark can be started"),
        };
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let lines = String::from_utf8(read.stdout).expect("tshark writes UTF-8");
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "store-1 -> terminals/west||1700000001.000000001|5041|198.18.0.1||2379|",
                "store-1 -> terminals/west|lost|1700000001.000000002|5041|198.18.0.1||2379|",
                "terminals/west -> store-1|too big|1700000001.000000003|51||fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd||6000",
            ]
        );
    }
}
