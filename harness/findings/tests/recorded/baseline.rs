//! Which phase everything is compared with.

use std::time::Duration;

use kit::recorded::Drill;
use model::plan::{PhaseEnd, PhaseKind};
use serde_json::json;

use super::Judged;

/// The baseline is the steady phase that is meant so, as the plan promised, and not the first phase without a fault.
#[test]
fn a_percentile_without_a_phase_is_judged_in_the_baseline_that_the_plan_promised() {
    let mut drill = Drill::clean();
    drill.gate("latency.ack.p99", json!({"max": "400ms"}));
    for during in ["baseline", "soak"] {
        drill.gate("latency.ack.p99", json!({"max": "400ms", "during": during}));
    }
    // Too short for a percentile, where the baseline is just long enough.
    let border = Duration::from_secs(5);
    let mut soak = drill.plan.phases[0].clone();
    (soak.name, soak.kind, soak.end) = ("soak".into(), PhaseKind::Other, PhaseEnd::At(border));
    drill.plan.phases[0].start = border;
    drill.plan.phases.insert(0, soak);
    let judged = |drill: &Drill| -> [String; 3] {
        let gates = drill.judge().1.gates;
        std::array::from_fn(|i| format!("{} {:?}", gates[i].evidence, gates[i].why))
    };
    let [unnamed, baseline, soak] = judged(&drill);
    assert_eq!(drill.plan.baseline().expect("a steady phase").name.as_str(), "baseline");
    assert_ne!(baseline, soak);
    assert_eq!(unnamed, baseline);
    // Nothing is meant as the baseline: the first steady phase is.
    drill.plan.phases[1].kind = PhaseKind::Other;
    let [unnamed, _, soak] = judged(&drill);
    assert_eq!(drill.plan.baseline().expect("a steady phase").name.as_str(), "soak");
    assert_eq!(unnamed, soak);
}
