//! What an observer of current values has been shown. An honest service needs none of this: it is what lets planted time travel be
//! journalled exactly. A newer value counts as shown, and an older one as shown again, when the observer's next request names the
//! answer that held it.

use bytes::Bytes;
use model::{Identity, envelope::Envelope};

use super::{
    defects::{Defects, Trip},
    state_machine::{Value, View},
};

/// One observer's view of one shard.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    /// Of the last answer.
    number: u64,
    shown: Vec<Turn>,
    /// Seen by the observer for certain: the older one may follow.
    due: Vec<Turn>,
    gone_back: Vec<(Turn, Trip)>,
}

/// A drawn value and where the one before it lies.
#[derive(Clone, Copy, Debug)]
struct Turn {
    newer: Identity,
    before: u64,
}

/// Positions and payloads, and what to ask with next time.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) values: Vec<(u64, Bytes)>,
    pub(crate) since: u64,
    pub(crate) number: u64,
}

impl Watcher {
    /// What changed since a position, to an observer whose last answer was `seen`.
    pub(crate) fn show(
        &mut self,
        view: &View,
        defects: &Defects,
        observer: &str,
        since: u64,
        seen: u64,
    ) -> Shown {
        self.settle(view, defects, observer, seen);
        let (changed, end) = view.changed_since(since);
        let drawn = |value: &Value| {
            value
                .before
                .filter(|_| defects.goes_back(value.identity))
                .map(|before| Turn { newer: value.identity, before })
        };
        self.shown = changed.iter().filter_map(drawn).collect();
        let mut values: Vec<_> =
            changed.into_iter().map(|value| (value.position, value.payload)).collect();
        for turn in std::mem::take(&mut self.due) {
            let Some(payload) = view.at(turn.before) else { continue };
            let Ok(older) = Envelope::read(&payload) else { continue };
            let trip = Trip { older: older.identity, newer: turn.newer };
            defects.went_back(&trip, view.shard(), observer, false);
            self.gone_back.push((turn, trip));
            values.push((turn.before, payload));
        }
        self.number += 1;
        Shown { values, since: end, number: self.number }
    }

    fn settle(&mut self, view: &View, defects: &Defects, observer: &str, seen: u64) {
        let arrived = seen == self.number;
        let (shown, gone_back) =
            (std::mem::take(&mut self.shown), std::mem::take(&mut self.gone_back));
        if arrived {
            self.due.extend(shown);
            return;
        }
        for (turn, trip) in gone_back {
            defects.went_back(&trip, view.shard(), observer, true);
            self.due.push(turn);
        }
    }
}
