//! When each request was answered, as a file: what a bench computes the truth from. A line `run,asset,stream,boot,seq,attempt,answered_ns` per answer
//! to a POST; the last is CLOCK_MONOTONIC, the others are 0 for a body that is no reading.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use model::{Identity, envelope::Envelope};

#[derive(Debug)]
pub(super) struct Stamps(BufWriter<File>);

const ROOM: usize = 1 << 20;

impl Stamps {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(ROOM, File::create(path)?);
        writeln!(file, "run,asset,stream,boot,seq,attempt,answered_ns")?;
        Ok(Self(file))
    }

    pub(super) fn add(&mut self, envelope: Option<&Envelope>, answered_ns: u64) -> io::Result<()> {
        let none = (0, Identity { asset: 0, stream: 0, boot: 0, seq: 0 }, 0);
        let (run, identity, attempt) =
            envelope.map_or(none, |of| (of.run, of.identity, of.attempt));
        let Identity { asset, stream, boot, seq } = identity;
        writeln!(self.0, "{run},{asset},{stream},{boot},{seq},{attempt},{answered_ns}")
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
