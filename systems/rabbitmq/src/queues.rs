//! Where a reading lies: in the queue that its asset falls to. Each attempt is a message of its own: a reading that was stored twice can
//! be seen.

use model::ShardId;

/// The names of so many queues.
pub(crate) fn all(count: u32) -> impl Iterator<Item = ShardId> {
    (0..count).map(|number| ShardId::from(format!("q{number}")))
}

/// Which of them takes an asset's readings: all go to one, so that they stay in order.
pub(crate) fn of_asset(queues: &[ShardId], asset: u32) -> Option<&ShardId> {
    queues.get((asset as usize).checked_rem(queues.len())?)
}

/// What the raft group of a queue in the virtual host `/` is called: by the escaped name of the host, and the queue's.
pub(crate) fn group(queue: &ShardId) -> String {
    format!("{GROUP}{queue}")
}

/// The queue whose raft group is called so; None for any other.
pub(crate) fn of_group(group: &str) -> Option<ShardId> {
    group.strip_prefix(GROUP).map(ShardId::from)
}

const GROUP: &str = "%2F_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_spread_over_the_queues() {
        let queues: Vec<_> = all(3).collect();
        let of = |asset| of_asset(&queues, asset).map(ShardId::as_str);
        assert_eq!([of(0), of(4), of(1_000_001)], [Some("q0"), Some("q1"), Some("q2")]);
        assert_eq!(of_asset(&[], 7), None);
    }

    #[test]
    fn a_group_is_named_after_its_queue() {
        assert_eq!(group(&"q7".into()), "%2F_q7");
        assert_eq!(of_group("%2F_q7"), Some("q7".into()));
        assert_eq!(of_group("rabbit_stream_coordinator"), None);
    }
}
