//! Where a reading lies: in the stream `wd:<run>`, one entry per attempt, so that a reading that was stored twice can be seen. An entry has
//! one field, `r`, with the payload; the envelope in it says whose reading it is.

/// The key of a run's stream.
pub(crate) fn key(run: u64) -> String {
    format!("wd:{run:016x}")
}

/// Entries of one millisecond that can be told apart: 2^20.
const COUNTER_BITS: u32 = 20;

/// A position out of an entry's id `<milliseconds>-<counter>`: in the order of ids, since the time has 44 bits left until the year 2527.
/// None for what is no id, or beyond that.
pub(crate) fn position(id: &str) -> Option<u64> {
    let (at, counter) = id.split_once('-')?;
    let (at, counter): (u64, u64) = (at.parse().ok()?, counter.parse().ok()?);
    let fits = at >> (64 - COUNTER_BITS) == 0 && counter >> COUNTER_BITS == 0;
    fits.then_some(at << COUNTER_BITS | counter)
}

/// The id at a position.
pub(crate) fn id(position: u64) -> String {
    format!("{}-{}", position >> COUNTER_BITS, position & ((1 << COUNTER_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_in_the_order_of_ids() {
        let ids = [
            "0-1",
            "1764331200000-0",
            "1764331200000-1",
            "1764331200000-1048575",
            "1764331200001-0",
        ];
        let positions: Vec<_> = ids.iter().map(|id| position(id).expect("it is an id")).collect();
        assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
        assert_eq!(positions.iter().map(|at| id(*at)).collect::<Vec<_>>(), ids);
        for foreign in ["", "5", "x-1", "1764331200000-1048576", "17592186044416-0"] {
            assert_eq!(position(foreign), None, "{foreign}");
        }
    }
}
