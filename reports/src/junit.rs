//! A test case per gate, for CI. JUnit knows no third answer: an inconclusive gate is an *error* with its reason, a failed one a *failure*.

use std::io;

use findings::{GateVerdict, Verdict};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use crate::{Folder, Report, RunView};

#[derive(Debug)]
pub(crate) struct JUnit;

impl Report for JUnit {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        let mut suite = TestSuite::new(run.plan.scenario.as_str());
        for gate in &run.judgement.gates {
            suite.add_test_case(case(gate));
        }
        for void in &run.judgement.voids {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("inconclusive").set_message(void.sentence.as_str());
            suite.add_test_case(TestCase::new("the run can be judged", status));
        }
        let mut document = Document::new("wetdress");
        document.add_test_suite(suite);
        let mut xml = vec![];
        document.serialize(&mut xml).map_err(io::Error::other)?;
        out.put("junit.xml", &xml)
    }
}

fn case(gate: &GateVerdict) -> TestCase {
    let kind = match gate.verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some((NonSuccessKind::Failure, "fail")),
        Verdict::Inconclusive => Some((NonSuccessKind::Error, "inconclusive")),
    };
    let status = match kind {
        None => TestCaseStatus::success(),
        Some((kind, word)) => {
            let mut status = TestCaseStatus::non_success(kind);
            let message = format!(
                "limit {}, observed {}: {}",
                gate.limit,
                gate.observed,
                gate.why.as_deref().unwrap_or(&gate.evidence)
            );
            status.set_type(word).set_message(message);
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
