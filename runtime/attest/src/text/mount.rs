//! Where the files that are mounted into a container come from.

use super::findings::show;

/// A directory of the guest's own, in the sources of Azure's container instances.
const SANDBOX: &str = "sandbox://";
/// A directory that the host shares.
const PLAN9: &str = "plan9://";
/// What Azure's container instances keep volumes under.
const VOLUMES: &str = "sandbox:///tmp/atlas/";
/// Kinds of volumes that are filled from outside of the guest.
const OUTSIDE: &[&str] = &["azureFileVolume", "secretsVolume", "gitRepoVolume", "gitRepo"];
/// File systems of the kernel's own, which bring no files of others.
const KERNEL: &[&str] = &["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"];

/// A mount as a policy describes it.
pub(super) struct Mount<'a> {
    pub(super) source: &'a str,
    pub(super) destination: &'a str,
    pub(super) kind: &'a str,
}

/// Why whoever controls the host gains by this mount; `None` where it does not.
///
/// Two volumes of every container are left alone: `emptydir`, which is the guest's encrypted scratch,
/// and `resolvconf`: whoever runs the network answers the names anyway.
pub(super) fn azure(mount: &Mount<'_>) -> Option<String> {
    let (source, at) = (show(mount.source), show(mount.destination));
    if mount.source.starts_with(PLAN9) {
        return Some(format!(
            "{at} is a directory that the host shares: the host puts files there and reads what \
             the container writes"
        ));
    }
    let volume = mount.source.strip_prefix(VOLUMES).unwrap_or("");
    if OUTSIDE.iter().any(|kind| volume.contains(kind)) {
        return Some(format!(
            "{at} is filled from {source}, outside of the guest: the host chooses the files and \
             nothing measures them"
        ));
    }
    if let Some(path) = mount.source.strip_prefix(SANDBOX) {
        let fixed = path.split(|c: char| ".*+?[](){}|^$\\".contains(c)).next().unwrap_or("");
        let named = fixed.rsplit_once('/').is_some_and(|(directory, _)| directory.len() > 1);
        return (!named).then(|| {
            format!("{at} is mounted from {source}: the host chooses which directory of the guest")
        });
    }
    if KERNEL.contains(&mount.kind) || mount.source.starts_with("hugepages://") {
        return None;
    }
    Some(format!(
        "{at} is {source} of the guest itself, outside of the container: whoever gets hold of the \
         container reaches the guest by it"
    ))
}

/// Files that Kubernetes gives every container; none of them is run.
const KUBERNETES_FILES: &[&str] = &[
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/dev/termination-log",
    "/dev/shm",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "/var/run/secrets/azure/tokens",
];

/// The same for Kata's agent: bind mounts from the directory that the host shares or copies into.
pub(super) fn kata(mount: &Mount<'_>) -> Option<String> {
    let shared = mount.source.starts_with("$(sfprefix)")
        || mount.source.contains("/watchable/")
        || super::pattern::freedom(mount.source)
            .is_none_or(|free| free != super::pattern::Freedom::Bounded);
    let usual = KUBERNETES_FILES.contains(&mount.destination) || KERNEL.contains(&mount.kind);
    (shared && !usual).then(|| {
        format!(
            "{} is filled by the host, from {}: the host chooses the files and nothing measures them",
            show(mount.destination),
            show(mount.source)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_loose(source: &str, kind: &str) -> bool {
        azure(&Mount { source, destination: "/x", kind }).is_some()
    }

    #[test]
    fn what_is_the_guests_own_is_not_loose() {
        for source in [
            "sandbox:///tmp/atlas/resolvconf/.+",
            "sandbox:///tmp/atlas/emptydir/.+",
            "sandbox:///data/app",
        ] {
            assert!(!is_loose(source, "bind"), "{source}");
        }
        assert!(!is_loose("proc", "proc"));
        assert!(!is_loose("hugepages://2M/.+", "bind"));
    }

    #[test]
    fn what_the_host_fills_or_chooses_is() {
        for source in [
            "sandbox://.+",
            "sandbox:///.+",
            "sandbox:///tm.+",
            "sandbox:///(tmp|etc)/.+",
            "plan9://",
            "sandbox:///tmp/atlas/azureFileVolume/.+",
            "sandbox:///tmp/atlas/(azureFileVolume|secretsVolume)/.+",
            "/dev",
            "/",
            ".*",
        ] {
            assert!(is_loose(source, "bind"), "{source}");
        }
    }

    #[test]
    fn of_kata() {
        let loose =
            |source, destination| kata(&Mount { source, destination, kind: "bind" }).is_some();
        assert!(!loose("$(sfprefix)resolv.conf$", "/etc/resolv.conf"));
        assert!(!loose("^$(cpath)/$(sandbox-id)/local/results$", "/results"));
        assert!(loose("$(sfprefix)config$", "/etc/app"));
        assert!(loose("^.*$", "/app"));
    }
}
