//! The doctor, in a sandbox from which something was taken: it finds exactly that, with the words that mend it.

use libtest_mimic::Failed;
use wetdress_local::doctor::{Finding, State};

use crate::outside::Supervisor;

fn findings(lack: &str) -> Vec<Finding> {
    let words = Supervisor::start(&format!("doctor {lack}")).words();
    words.iter().map(|word| serde_json::from_str(word).expect("a finding")).collect()
}

fn of<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.what == what)
        .unwrap_or_else(|| panic!("nothing about `{what}`: {findings:#?}"))
}

/// On this host itself a device may be missing, so only what every lab needs is demanded.
pub(crate) fn nothing_is_missing() -> Result<(), Failed> {
    let findings = findings("nothing");
    for what in ["sandbox", "af_packet"] {
        assert_eq!(
            (of(&findings, what).state, &of(&findings, what).remedy),
            (State::Works, &None),
            "{findings:#?}"
        );
    }
    Ok(())
}

pub(crate) fn tun_is_missed() -> Result<(), Failed> {
    let findings = findings("tun");
    assert_eq!(of(&findings, "tun").state, State::Degraded);
    assert!(
        of(&findings, "tun").remedy.as_ref().is_some_and(|remedy| remedy.contains("modprobe tun")),
        "{findings:#?}"
    );
    assert_eq!(of(&findings, "af_packet").state, State::Works);
    Ok(())
}

/// Docker covers parts of /proc, and then nobody may mount a new one.
pub(crate) fn proc_is_missed() -> Result<(), Failed> {
    let findings = findings("proc");
    let sandbox = of(&findings, "sandbox");
    assert_eq!(sandbox.state, State::Missing);
    assert!(sandbox.found.contains("mount /proc"), "{sandbox:#?}");
    assert!(
        sandbox.remedy.as_ref().is_some_and(|remedy| remedy.contains("systempaths=unconfined")),
        "{sandbox:#?}"
    );
    Ok(())
}

pub(crate) fn namespaces_are_missed() -> Result<(), Failed> {
    let findings = findings("namespaces");
    let sandbox = of(&findings, "sandbox");
    assert_eq!(sandbox.state, State::Missing);
    assert!(
        sandbox.remedy.as_ref().is_some_and(|remedy| remedy.contains("max_user_namespaces")),
        "{sandbox:#?}"
    );
    Ok(())
}
