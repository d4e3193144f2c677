//! What waits on board of an asset.

use document::{Problem, Problems};
use model::plan::{self, OnFull, ReplayOrder, Stream};

use crate::grammar;

/// What a recorder is, for a fleet with these streams.
pub(crate) fn build(
    raw: &grammar::Recorder,
    streams: &[Stream],
    problems: &mut Problems,
) -> plan::Recorder {
    let recorder = plan::Recorder {
        capacity_bytes: raw.capacity.map_or(64 << 20, |size| size.0),
        on_full: raw.on_full.unwrap_or(OnFull::DropOldest),
        order: raw.replay.order.unwrap_or(ReplayOrder::LiveFirst),
        rate: raw.replay.rate.map_or(5.0, |rate| rate.as_f64()),
        mark_stored: raw.replay.mark != Some(grammar::Mark::Live),
    };
    holds_one(raw, &recorder, streams, problems);
    recorder
}

/// A recorder that holds no reading would drop each one as it comes.
fn holds_one(
    raw: &grammar::Recorder,
    recorder: &plan::Recorder,
    streams: &[Stream],
    problems: &mut Problems,
) {
    let Some(capacity) = raw.capacity else { return };
    let largest = streams.iter().map(|stream| u64::from(stream.payload.p99)).max().unwrap_or(0);
    if recorder.capacity_bytes < largest {
        let message = format!("`{}` do not hold one reading of {largest} B", *capacity);
        let problem = Problem::new("range", capacity.span, message).label("too small");
        problems.push(problem.help(format!("Write at least `{largest}B`")));
    }
}
