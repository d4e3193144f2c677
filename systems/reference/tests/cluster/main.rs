//! Clusters of real processes on loopback: this program runs itself again as a node.

mod cluster;
mod defects;
mod failover;
mod load;
mod loopback;
mod seams;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("node") {
        // A node must not outlive a test program that was killed.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .expect("the kernel knows the signal");
        return wetdress_reference::node::main(std::env::args_os().skip(2));
    }
    let mut arguments = Arguments::from_args();
    // Every cluster is three processes: one after the other is kinder to small machines.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(
        &arguments,
        [failover::trials(), defects::trials(), seams::trials(), load::trials()]
            .into_iter()
            .flatten()
            .collect(),
    )
    .exit_code()
}

/// A test that runs on a runtime of its own.
fn trial<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Failed::from)?.block_on(test());
        Ok(())
    })
}
