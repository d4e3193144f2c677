//! `latency.hlog`: latencies from the intended time, second by second, in the interval log format of HdrHistogram (V2, deflated).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use hdrhistogram::serialization::{
    Deserializer, V2DeflateSerializer,
    interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag},
};
use model::Micros;

use crate::{RunError, appending::Appending, lines::Absent};

/// Microseconds.
pub type Histogram = hdrhistogram::Histogram<u64>;

/// An empty histogram from 1 us to an hour, three significant digits; what is slower counts as an hour.
pub fn histogram() -> Histogram {
    Histogram::new_with_bounds(1, 3_600_000_000, 3)
        .expect("the bounds are constants that it accepts")
}

/// One tag's histogram of one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    pub tag: String,
    pub start: Micros,
    pub length: Duration,
    pub histogram: Histogram,
}

/// Appends intervals. One owner.
pub struct Latency {
    file: Appending,
    serializer: V2DeflateSerializer,
}

impl Latency {
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        let file = Appending::open(path)?;
        let empty = file.is_empty();
        let mut log = Self { file, serializer: V2DeflateSerializer::new() };
        if empty {
            log.file.append(b"#[ack latency from the intended time, in microseconds; times are seconds since the run's origin]\n")?;
        }
        Ok(log)
    }

    /// `tag` is `fleet/home`; characters that the format forbids in a tag become `_`. Times are kept to the millisecond.
    pub fn append(
        &mut self,
        tag: &str,
        start: Micros,
        length: Duration,
        histogram: &Histogram,
    ) -> Result<(), RunError> {
        let tag = tag.replace([',', ' ', '\r', '\n'], "_");
        let mut line = Vec::new();
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut line, &mut self.serializer)
            .expect("writing to memory cannot fail")
            .write_histogram(histogram, start.elapsed(), length, Tag::new(&tag))
            .expect("every count of a histogram of this size can be encoded");
        self.file.append(&line)
    }
}

impl std::fmt::Debug for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latency").field("path", &self.file.path()).finish_non_exhaustive()
    }
}

/// Reads the log. A missing file has nothing where it may be missing.
pub(crate) fn read(path: &Path, absent: Absent) -> Result<Vec<Interval>, RunError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if absent.is_empty(&error) => return Ok(Vec::new()),
        Err(error) => return Err(RunError::io("read", path)(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut deserializer = Deserializer::new();
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(&bytes[..whole]) {
        let entry = entry.map_err(|error| RunError::damaged(path, format!("{error:?}")))?;
        let LogEntry::Interval(entry) = entry else { continue };
        let coded = base64(entry.encoded_histogram())
            .ok_or_else(|| RunError::damaged(path, "a histogram is not base64"))?;
        let histogram = deserializer
            .deserialize(&mut coded.as_slice())
            .map_err(|error| RunError::damaged(path, error))?;
        let tag = entry.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default();
        intervals.push(Interval {
            tag,
            start: Micros::after(entry.start_timestamp()),
            length: entry.duration(),
            histogram,
        });
    }
    Ok(intervals)
}

/// Standard alphabet, padded (RFC 4648). The histogram crate decodes none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u32::from(digit))
    });
    let (mut out, mut held, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0);
    for digit in digits {
        held = held << 6 | digit?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    Some(out)
}
