//! What the supervisor makes of the harness's end, and of signals that it gets itself.

use std::os::unix::process::ExitStatusExt;

use libtest_mimic::Failed;
use rustix::process::Signal;

use crate::{outside::Supervisor, scene};

pub(crate) fn an_exit_code_passes() -> Result<(), Failed> {
    assert_eq!(Supervisor::start("exit").wait().code(), Some(7));
    Ok(())
}

pub(crate) fn a_panic_is_an_exit_code() -> Result<(), Failed> {
    assert_eq!(Supervisor::start("panic").wait().code(), Some(101));
    Ok(())
}

pub(crate) fn a_signal_is_told() -> Result<(), Failed> {
    let mut supervisor = Supervisor::start("signal");
    supervisor.wait_for_word(&format!("signal {}", Signal::USR1.as_raw()));
    assert_eq!(supervisor.wait().code(), Some(scene::SIGNALLED.into()));
    Ok(())
}

pub(crate) fn the_first_signal_asks() -> Result<(), Failed> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut supervisor = Supervisor::start("polite");
        supervisor.wait_for_word("ready");
        supervisor.signal(signal);
        assert_eq!(supervisor.wait().code(), Some(8));
    }
    Ok(())
}

pub(crate) fn the_second_signal_kills() -> Result<(), Failed> {
    let mut supervisor = Supervisor::start("stubborn");
    supervisor.wait_for_word("ready");
    supervisor.signal(Signal::INT);
    supervisor.wait_for_word("asked");
    supervisor.signal(Signal::INT);
    let status = supervisor.wait();
    assert_eq!((status.code(), status.signal()), (Some(scene::TORN.into()), None));
    Ok(())
}

pub(crate) fn the_inside_is_furnished() -> Result<(), Failed> {
    assert_eq!(Supervisor::start("furnished").wait().code(), Some(0));
    assert!(!std::path::Path::new("/run/note").exists(), "it stayed inside");
    Ok(())
}
