//! Self-honesty: how packets travelled, how late the harness itself was, what an echo beside the stack and the machine say.

use findings::{format, standstill};
use model::event::{Health, SenderHealth};

use crate::{
    RunView,
    format::{amount, span},
};

/// One line: what, and how much of it.
pub(crate) type Row = (&'static str, String);

pub(crate) fn rows(run: &RunView<'_>) -> Vec<Row> {
    let mut rows = vec![];
    if let Some((engine, notes)) = run.engine() {
        rows.push(("packets travelled by", engine.to_owned()));
        rows.extend(notes.iter().map(|note| ("note", note.clone())));
    }
    match &run.findings.happened.health {
        None => rows.push(("health", "the run ended before it could be written".into())),
        Some(health) => {
            let told: Vec<String> = rows.iter().map(|(_, value)| value.clone()).collect();
            rows.extend(
                of(health, run.findings.happened.simulated)
                    .into_iter()
                    .filter(|(_, value)| !told.contains(value)),
            );
        }
    }
    if let Some(told) = standstill::told(&run.findings.happened.standstills) {
        rows.push(("the harness itself", told));
    }
    if let Some(told) = standstill::told(&run.findings.happened.disk_stalls) {
        rows.push(("this machine's disk", told));
    }
    rows.push(("availability deadline", span(run.findings.theta)));
    rows
}

/// A model in memory has no machine to be honest about.
fn of(health: &Health, simulated: bool) -> Vec<Row> {
    let late = [health.schedule_lag_p50_us, health.schedule_lag_p99_us, health.schedule_lag_max_us];
    let stood = [health.loop_lag_p50_us, health.loop_lag_p99_us, health.loop_lag_max_us];
    let mut rows =
        vec![("generator late by", quantiles(late)), ("sending loop late by", quantiles(stood))];
    rows.extend((1..).zip(&health.senders).map(|(number, sender)| of_a_sender(number, sender)));
    if !simulated {
        rows.extend(of_the_lab(health));
    }
    rows.extend(health.degraded.iter().map(|why| ("degraded", why.clone())));
    rows.extend(health.notes.iter().map(|note| ("note", note.clone())));
    rows
}

fn of_a_sender(number: u32, sender: &SenderHealth) -> Row {
    let span = |us: u64| span(i64::try_from(us).unwrap_or(i64::MAX));
    let sent = format::count(sender.generated, "reading", "readings");
    let late = span(sender.schedule_lag_p99_us);
    let (stood, cpu) = (span(sender.loop_lag_p99_us), sender.cpu_us.map(span));
    let cpu = cpu.map_or(String::new(), |cpu| format!("; {cpu} of CPU"));
    let words = format!("{number}: {sent}, late by p99 {late}, its loop by p99 {stood}{cpu}");
    ("sending thread", words)
}

fn of_the_lab(health: &Health) -> Vec<Row> {
    let late = [health.fabric_late_p50_us, health.fabric_late_p99_us, health.fabric_late_max_us];
    let lost = |lost, of: String| format!("{} of {of} lost unasked", amount(lost));
    let generator = health.generator_cpu_us.map_or("not measured".into(), |us| {
        format!("{us:.1} us of CPU per reading, connection and retries included")
    });
    let null_target = match health.null_count {
        0 => "not measured".to_owned(),
        count => {
            let answers = quantiles([health.null_p50_us, health.null_p99_us, health.null_max_us]);
            format!("{answers}; {}", lost(health.null_lost, format::count(count, "echo", "echoes")))
        }
    };
    let null_disk = match health.null_disk_count {
        0 => "not measured".to_owned(),
        count => {
            let us = [health.null_disk_p50_us, health.null_disk_p99_us, health.null_disk_max_us];
            format!(
                "{}; {}",
                quantiles(us),
                format::count(count, "durable write", "durable writes")
            )
        }
    };
    let share = |share: Option<f64>| {
        share.map_or("not measured".into(), |share| format!("{:.1} %", 100.0 * share))
    };
    vec![
        ("generator", generator),
        ("fabric late by", quantiles(late)),
        (
            "fabric",
            format!(
                "{}; {:.1} % of one core",
                lost(health.fabric_drops, format!("{} packets", amount(health.packets))),
                100.0 * health.fabric_cpu
            ),
        ),
        ("null target", null_target),
        ("null disk", null_disk),
        ("CPU stolen", share(health.steal)),
        ("some task waited for a CPU", share(health.cpu_pressure)),
        ("TCP congestion control", health.congestion.clone()),
    ]
}

/// p50, p99 and maximum, in microseconds.
fn quantiles(us: [u64; 3]) -> String {
    let [p50, p99, max] = us.map(|us| span(i64::try_from(us).unwrap_or(i64::MAX)));
    format!("p50 {p50}, p99 {p99}, max {max}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_not_zero() {
        let measured = Health {
            null_count: 6_000,
            null_p50_us: 120,
            null_p99_us: 1_500,
            null_max_us: 9_000,
            null_disk_count: 1,
            null_disk_p50_us: 900,
            null_disk_p99_us: 900,
            null_disk_max_us: 900,
            steal: Some(0.021),
            degraded: vec!["It was slow.".into()],
            ..Health::default()
        };
        let value = |health: &Health, name| {
            of(health, false).into_iter().find(|(row, _)| *row == name).map(|(_, value)| value)
        };
        assert_eq!(
            value(&measured, "null target").as_deref(),
            Some("p50 120 us, p99 1.5 ms, max 9 ms; 0 of 6000 echoes lost unasked")
        );
        assert_eq!(
            value(&measured, "null disk").as_deref(),
            Some("p50 900 us, p99 900 us, max 900 us; 1 durable write")
        );
        assert_eq!(value(&measured, "CPU stolen").as_deref(), Some("2.1 %"));
        assert_eq!(value(&measured, "degraded").as_deref(), Some("It was slow."));
        let older = Health::default();
        for name in
            ["generator", "null target", "null disk", "CPU stolen", "some task waited for a CPU"]
        {
            assert_eq!(value(&older, name).as_deref(), Some("not measured"));
        }
        assert!(
            of(&older, true).iter().all(|(name, _)| name.ends_with(" late by")),
            "a model has no machine"
        );
    }
}
