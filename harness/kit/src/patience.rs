//! How long a test waits. Whatever must happen is waited for, never slept for; patience only bounds the wait of a test that fails.

use std::time::{Duration, Instant};

/// Between two looks at what costs little.
const LOOK: Duration = Duration::from_millis(2);
/// Between two questions to a process.
const ASK: Duration = Duration::from_millis(20);

/// Longest wait for anything: `WETDRESS_PATIENCE` in seconds, half a minute without it. A slow machine may want more.
#[must_use]
pub fn patience() -> Duration {
    let asked = std::env::var("WETDRESS_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(30))
}

/// Looks again and again on this thread; false when `within` is over.
pub fn holds_within(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::park_timeout(LOOK);
    }
    true
}

/// Looks again and again on this thread.
///
/// # Panics
/// When our patience is over.
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(patience(), holds), "waited {:?} for: {what}", patience());
}

/// Looks again and again.
///
/// # Panics
/// When our patience is over.
pub async fn seen(what: &str, mut holds: impl FnMut() -> bool) {
    let looks = async {
        let mut again = tokio::time::interval(LOOK);
        while !holds() {
            again.tick().await;
        }
    };
    within(what, looks).await;
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When our patience is over.
pub async fn answer<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let answer = async {
        let mut again = tokio::time::interval(ASK);
        loop {
            again.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    within(what, answer).await
}

/// Waits.
///
/// # Panics
/// When our patience is over.
pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(patience(), wait).await;
    waited.unwrap_or_else(|_| panic!("waited {:?} for: {what}", patience()))
}
