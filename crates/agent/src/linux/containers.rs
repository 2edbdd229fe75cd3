//! The container that a process runs in, from its control group, and the container's name from the files of the engine.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Container engines give their containers names of so many hexadecimal digits.
const IDENTITY: usize = 64;
/// How much of the identity people see (docker-ps(1)).
const SHORT: usize = 12;
/// Names that are kept.
const MOST_NAMES: usize = 10_000;

/// Names of containers by identity; the files of the engines are read once for each.
#[derive(Debug)]
pub struct Containers {
    root: PathBuf,
    names: HashMap<String, String>,
}

impl Default for Containers {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), names: HashMap::new() }
    }
}

impl Containers {
    /// The name of a container, or the beginning of its identity where no engine tells a name.
    pub fn name(&mut self, identity: &str) -> String {
        if let Some(name) = self.names.get(identity) {
            return name.clone();
        }
        let name = self.read(identity).unwrap_or_else(|| identity.chars().take(SHORT).collect());
        if self.names.len() >= MOST_NAMES {
            self.names.clear();
        }
        self.names.insert(identity.to_owned(), name.clone());
        name
    }

    fn read(&self, identity: &str) -> Option<String> {
        self.docker(identity).or_else(|| self.kubernetes(identity)).or_else(|| self.podman(identity))
    }

    fn docker(&self, identity: &str) -> Option<String> {
        let found = json(&self.root.join(format!("var/lib/docker/containers/{identity}/config.v2.json")))?;
        Some(found.get("Name")?.as_str()?.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty())
    }

    /// containerd keeps what the kubelet said of a container with its runtime's configuration.
    fn kubernetes(&self, identity: &str) -> Option<String> {
        let folder = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
        let found = json(&self.root.join(format!("{folder}/{identity}/config.json")))?;
        let told = |key: &str| found.get("annotations")?.get(format!("io.kubernetes.cri.{key}"))?.as_str();
        match (told("sandbox-name"), told("container-name")) {
            (Some(pod), Some(container)) => Some(format!("{pod}/{container}")),
            (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
            (None, None) => None,
        }
    }

    fn podman(&self, identity: &str) -> Option<String> {
        let all = json(&self.root.join("var/lib/containers/storage/overlay-containers/containers.json"))?;
        let is = |one: &&serde_json::Value| one.get("id").and_then(serde_json::Value::as_str) == Some(identity);
        Some(all.as_array()?.iter().find(is)?.get("names")?.get(0)?.as_str()?.to_owned())
    }
}

fn json(path: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The identity of the container in the text of `/proc/PID/cgroup`: the innermost part that Docker
/// (`docker-ID.scope`, `/docker/ID`), Podman (`libpod-ID.scope`), containerd and CRI-O (`cri-containerd-ID.scope`,
/// `crio-ID.scope`, `/kubepods/…/ID`) give it, or the name that LXC and systemd-nspawn give it.
#[must_use]
pub fn identity(cgroup: &str) -> Option<String> {
    let parts = || cgroup.lines().flat_map(|line| line.rsplit('/'));
    let hexadecimal = parts().find_map(|part| {
        let part = part.strip_suffix(".scope").unwrap_or(part);
        let last = part.rsplit(['-', ':']).next()?;
        (last.len() == IDENTITY && last.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| last.to_owned())
    });
    let named = || {
        parts().find_map(|part| {
            let machine = part.strip_prefix("machine-").and_then(|part| part.strip_suffix(".scope"));
            machine.or_else(|| part.strip_prefix("lxc.payload.")).map(str::to_owned)
        })
    };
    hexadecimal.or_else(named).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_known_by_their_control_groups() {
        let id = "0123456789abcdef".repeat(4);
        for text in [
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("12:cpu:/docker/{id}\n1:name=systemd:/docker/{id}\n"),
            format!("0::/machine.slice/libpod-{id}.scope/container\n"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            format!("0::/kubepods/besteffort/pod1/{id}"),
        ] {
            assert_eq!(identity(&text).as_deref(), Some(id.as_str()), "{text}");
        }
        assert_eq!(identity("0::/lxc.payload.web/system.slice/nginx.service").as_deref(), Some("web"));
        assert_eq!(identity("0::/machine.slice/machine-box.scope/payload").as_deref(), Some("box"));
        assert_eq!(identity("0::/system.slice/ssh.service"), None);
    }

    #[test]
    fn names_come_from_the_engines() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("var/lib/docker/containers/one/config.v2.json", r#"{"ID":"one","Name":"/web"}"#);
        put(
            "run/containerd/io.containerd.runtime.v2.task/k8s.io/two/config.json",
            r#"{"annotations":{"io.kubernetes.cri.sandbox-name":"shop-5d","io.kubernetes.cri.container-name":"api"}}"#,
        );
        put("var/lib/containers/storage/overlay-containers/containers.json", r#"[{"id":"three","names":["db"]}]"#);
        let mut containers = Containers { root: root.path().to_owned(), names: HashMap::new() };
        for (identity, name) in
            [("one", "web"), ("two", "shop-5d/api"), ("three", "db"), ("0123456789abcdef", "0123456789ab")]
        {
            assert_eq!(containers.name(identity), name);
            assert_eq!(containers.name(identity), name);
        }
    }
}
