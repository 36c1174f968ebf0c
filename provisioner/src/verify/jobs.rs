//! The two jobs that `verify` runs, as Nomad's API takes them.

use federation::names::{DatacenterName, DomainName, NamespaceName};
use serde_json::{Value, json};

/// A job pinned to one node, which prints a word and ends.
pub(super) fn probe(id: &str, node_id: &str, image: &str) -> Value {
    pinned(id, node_id, "probe", image, "echo atoll", &json!([]))
}

/// A job pinned to one node, which gets a GPU and ends well if it was told which one. The GPU is
/// of that model, where one is named.
pub(super) fn gpu(id: &str, node_id: &str, model: Option<&str>, image: &str) -> Value {
    let told = "case $NVIDIA_VISIBLE_DEVICES in GPU-* | MIG-*) ;; *) exit 1 ;; esac";
    let of_model = model
        .map(|model| json!({ "LTarget": "${device.model}", "RTarget": model, "Operand": "=" }));
    let constraints: Vec<Value> = of_model.into_iter().collect();
    let devices = json!([{ "Name": "nvidia/gpu", "Count": 1, "Constraints": constraints }]);
    pinned(id, node_id, "gpu", image, told, &devices)
}

/// A small batch job on one node, which is tried once.
fn pinned(
    id: &str,
    node_id: &str,
    name: &str,
    image: &str,
    script: &str,
    devices: &Value,
) -> Value {
    json!({
        "ID": id,
        "Name": id,
        "Type": "batch",
        "Priority": 90,
        "Datacenters": ["*"],
        "Constraints": [{ "LTarget": "${node.unique.id}", "RTarget": node_id, "Operand": "=" }],
        "TaskGroups": [{
            "Name": name,
            "Count": 1,
            "RestartPolicy": { "Attempts": 0, "Mode": "fail" },
            "ReschedulePolicy": { "Attempts": 0, "Unlimited": false },
            "EphemeralDisk": { "SizeMB": 10 },
            "Tasks": [{
                "Name": name,
                "Driver": "docker",
                "Config": { "image": image, "command": "/bin/sh", "args": ["-c", script] },
                "LogConfig": { "MaxFiles": 1, "MaxFileSizeMB": 1 },
                "Resources": { "CPU": 20, "MemoryMB": 16, "Devices": devices },
            }],
        }],
    })
}

/// What the route job is made of.
pub(super) struct Route<'a> {
    /// Job ID, which is also in the host name.
    pub id: &'a str,
    /// The VO's namespace.
    pub namespace: &'a NamespaceName,
    /// The parent domain of the VO.
    pub parent: &'a DomainName,
    /// The site.
    pub datacenter: &'a DatacenterName,
    /// An image with a shell and `httpd`.
    pub image: &'a str,
    /// What the job answers.
    pub word: &'a str,
}

/// A job as the platform's API (PAPI) starts users' deployments: its constraints
/// on the node's metadata, and its router tags in Traefik's version 2 syntax
/// (`Host` with two names), of which `${meta.domain}` is filled in by the node.
pub(super) fn route(route: &Route) -> Value {
    let name = format!("{}-api", route.id);
    let host = format!("{name}.${{meta.domain}}-{}", route.parent);
    json!({
        "ID": route.id,
        "Name": route.id,
        "Namespace": route.namespace,
        "Type": "service",
        "Region": "global",
        "Priority": 50,
        "Datacenters": [route.datacenter],
        "Constraints": [
            { "LTarget": "${meta.status}", "RTarget": "ready", "Operand": "regexp" },
            { "LTarget": "${meta.compute}", "RTarget": "true", "Operand": "=" },
            { "LTarget": "${meta.type}", "RTarget": "compute", "Operand": "=" },
            { "LTarget": "${meta.namespace}", "RTarget": route.namespace, "Operand": "regexp" },
        ],
        "Affinities": [{ "LTarget": "${meta.tags}", "RTarget": "cpu", "Operand": "regexp", "Weight": 100 }],
        "TaskGroups": [{
            "Name": "usergroup",
            "Count": 1,
            "ReschedulePolicy": { "Attempts": 0, "Unlimited": false },
            "PreventRescheduleOnLost": true,
            "EphemeralDisk": { "SizeMB": 300 },
            "Networks": [{ "DynamicPorts": [{ "Label": "api", "To": 5000 }] }],
            "Services": [{
                "Name": name,
                "PortLabel": "api",
                "Provider": "consul",
                "Tags": [
                    "traefik.enable=true",
                    format!("traefik.http.routers.{name}.tls=true"),
                    format!("traefik.http.routers.{name}.rule=Host(`{host}`, `www.{host}`)"),
                ],
            }],
            "Tasks": [{
                "Name": "main",
                "Driver": "docker",
                "Config": {
                    "image": route.image,
                    "command": "/bin/sh",
                    "args": ["-c", format!("mkdir -p /tmp/www && echo {} > /tmp/www/index.html && exec httpd -f -p 5000 -h /tmp/www", route.word)],
                    "ports": ["api"],
                    "shm_size": 64_000_000,
                    "memory_hard_limit": 256,
                },
                "Resources": { "Cores": 1, "MemoryMB": 128, "MemoryMaxMB": 256 },
            }],
        }],
    })
}
