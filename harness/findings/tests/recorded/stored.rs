//! What is written of a judgement can be read again.

use kit::recorded::Drill;
use wetdress_findings::{Findings, Verdicts};

use crate::Judged;

#[test]
fn the_document_survives_its_file() {
    let (found, verdicts) = Drill::clean().judge();
    let text = serde_json::to_string(&(&found, &verdicts)).expect("plain data");
    let (again, said): (Findings, Verdicts) =
        serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(again.loss, found.loss);
    assert_eq!(again.episodes, found.episodes);
    assert_eq!(said.gates.len(), verdicts.gates.len());
}
