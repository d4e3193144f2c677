//! A test case per gate, for CI, under a name that is unique in the file and the same in every run of the scenario, since servers keep one of
//! several that share a name. JUnit has four answers of its own: a failed gate is a *failure*, an inconclusive one an *error*, one
//! that is not applicable *skipped*, each with its reason.

use std::io;

use findings::{GateVerdict, Verdict, Void};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::{Folder, Report, RunView};

#[derive(Debug)]
pub(crate) struct JUnit;

impl Report for JUnit {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        let mut suite = TestSuite::new(run.plan().scenario.as_str());
        let of_gates = run.judgement.gates.iter().map(case);
        for mut case in of_gates.chain([judged(&run.judgement.voids)]) {
            case.set_classname(run.plan().scenario.as_str());
            suite.add_test_case(case);
        }
        let mut document = Document::new("wetdress");
        document.add_test_suite(suite);
        let mut xml = vec![];
        document.serialize(&mut xml).map_err(io::Error::other)?;
        out.put("junit.xml", &xml)
    }
}

/// One test case for everything that voids the run.
fn judged(voids: &[Void]) -> TestCase {
    let status = if voids.is_empty() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let sentences: Vec<&str> = voids.iter().map(|void| void.sentence.as_str()).collect();
        status.set_type("inconclusive").set_message(sentences.join(" "));
        status
    };
    TestCase::new("the run can be judged", status)
}

fn case(gate: &GateVerdict) -> TestCase {
    let why = gate.why.as_deref().unwrap_or(&gate.evidence);
    let not_passed = |mut status: TestCaseStatus, word| {
        status.set_type(word);
        status.set_message(format!("limit {}, observed {}: {why}", gate.limit, gate.observed));
        status
    };
    let non_success = TestCaseStatus::non_success;
    let status = match gate.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => not_passed(non_success(NonSuccessKind::Failure), "fail"),
        Verdict::Inconclusive => not_passed(non_success(NonSuccessKind::Error), "inconclusive"),
        Verdict::NotApplicable => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("not applicable").set_message(why);
            status
        }
    };
    let mut case = TestCase::new(gate.name.as_str(), status);
    for (name, value) in
        [("limit", &gate.limit), ("observed", &gate.observed), ("evidence", &gate.evidence)]
    {
        case.add_property((name, value.as_str()));
    }
    case
}
