//! What to type when a host refuses something. Pure but for [`Host::read`].

use std::{fs, io};

/// What may stand behind a refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// Ubuntu 24.04 and newer: user namespaces of unconfined processes have no capabilities.
    pub apparmor_restricts: bool,
    /// Debian's old switch.
    pub userns_switched_off: bool,
    pub no_user_namespaces: bool,
    pub in_container: bool,
}

impl Host {
    pub(crate) fn read() -> Self {
        let is = |path: &str, value: &str| {
            fs::read_to_string(path).is_ok_and(|found| found.trim() == value)
        };
        Self {
            apparmor_restricts: is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            userns_switched_off: is("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            no_user_namespaces: is("/proc/sys/user/max_user_namespaces", "0"),
            in_container: in_container(),
        }
    }
}

/// Whether this process runs in a container, by what container engines leave behind.
fn in_container() -> bool {
    fs::exists("/.dockerenv").unwrap_or(false) || fs::exists("/run/.containerenv").unwrap_or(false)
}

const DOCKER: &str = "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`";

/// For a refused step of entering the sandbox.
pub(crate) fn of_step(step: &str, error: &io::Error, host: &Host) -> String {
    if error.raw_os_error() == Some(libc::ENOSPC) || host.no_user_namespaces {
        let kind = if step.contains("user") {
            "user"
        } else {
            ["mount", "network", "pid", "ipc", "uts"]
                .into_iter()
                .find(|kind| step.contains(kind))
                .unwrap_or("user")
        };
        let key = match kind {
            "mount" => "mnt",
            "network" => "net",
            other => other,
        };
        return format!("`sudo sysctl user.max_{key}_namespaces=15000`");
    }
    if host.userns_switched_off {
        return "`sudo sysctl kernel.unprivileged_userns_clone=1`".into();
    }
    if host.apparmor_restricts {
        return "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give the program an AppArmor profile with \
                `flags=(unconfined) { userns, }`"
            .into();
    }
    if host.in_container || step == "mount /proc" {
        return DOCKER.into();
    }
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => format!("in a container {DOCKER}; elsewhere ask who set this host's seccomp or LSM policy"),
        Some(libc::EINVAL | libc::ENOSYS) => {
            "the kernel lacks namespaces: use one with CONFIG_USER_NS, CONFIG_PID_NS and CONFIG_NET_NS".into()
        }
        _ => "see the cause above; outside a sandbox, with one thread, this should work".into(),
    }
}

/// TUN is the faster engine, and the lab runs without it.
pub(crate) fn of_tun(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "`sudo modprobe tun`; in a container `--device /dev/net/tun`. Without it the lab takes AF_PACKET".into()
        }
        Some(libc::EACCES | libc::EPERM) => "`sudo chmod 0666 /dev/net/tun`. Without it the lab takes AF_PACKET".into(),
        _ => "the lab takes AF_PACKET instead".into(),
    }
}

pub(crate) fn of_af_packet(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENODEV | libc::EAFNOSUPPORT) => {
            "`sudo modprobe veth af_packet`".into()
        }
        Some(libc::EPERM | libc::EACCES) => DOCKER.into(),
        _ => "see the cause above".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(step: &str, errno: i32, host: &Host) -> String {
        of_step(step, &io::Error::from_raw_os_error(errno), host)
    }

    #[test]
    fn each_cause_has_its_own_remedy() {
        let plain = Host::default();
        assert_eq!(
            refused("make a user namespace", libc::ENOSPC, &plain),
            "`sudo sysctl user.max_user_namespaces=15000`"
        );
        assert_eq!(
            refused("make a network namespace", libc::ENOSPC, &plain),
            "`sudo sysctl user.max_net_namespaces=15000`"
        );
        assert!(refused("mount /proc", libc::EPERM, &plain).contains("systempaths=unconfined"));
        let ubuntu = Host { apparmor_restricts: true, ..Host::default() };
        assert!(
            refused("write /proc/self/uid_map", libc::EPERM, &ubuntu)
                .contains("apparmor_restrict_unprivileged_userns=0")
        );
        let old_debian = Host { userns_switched_off: true, ..Host::default() };
        assert!(
            refused("make a user namespace", libc::EPERM, &old_debian)
                .contains("unprivileged_userns_clone=1")
        );
        let docker = Host { in_container: true, ..Host::default() };
        assert!(
            refused("make a user namespace", libc::EPERM, &docker).contains("seccomp=unconfined")
        );
    }
}
