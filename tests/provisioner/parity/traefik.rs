//! Traefik's job and its two configurations.

use super::World;
use crate::golden::{Facts, facts};

const ID: &str = "traefik-demo-ai4eosc";

/// What the job of the samples' gateway says, below its group and task.
fn job() -> Facts {
    let world = World::samples();
    let gateway = &world.rendered.services.gateways[0];
    let short = |fact: &str| {
        fact.replace(&format!("job.{ID}"), "job")
            .replace(&format!("group.{ID}"), "group")
            .replace(&format!("task.{ID}"), "task")
    };
    let facts = facts("job.hcl", &gateway.job);
    facts
        .into_iter()
        .map(|(fact, value)| (short(&fact), value))
        .collect()
}

fn says(expected: &[(&str, &str)]) {
    let job = job();
    for (fact, value) in expected {
        let said = job.get(*fact).map_or("", String::as_str);
        assert_eq!(said, *value, "{fact}");
    }
}

const STATIC: &str = "job.group.task.template.0";
const DYNAMIC: &str = "job.group.task.template.1";

/// What one of the two configurations says below a path.
fn below(template: &str, path: &str) -> Vec<String> {
    let prefix = format!("{template}.data.{path}");
    let job = job();
    let found = job.iter().filter_map(|(fact, value)| {
        let rest = fact.strip_prefix(&prefix)?;
        Some(format!("{}={value}", rest.trim_start_matches('.')))
    });
    found.collect()
}

#[test]
fn the_job_is_named_after_its_datacenter_and_pinned_to_its_gateway() {
    says(&[
        ("job.datacenters", r#"["demo-ai4eosc"]"#),
        ("job.region", "ai4os"),
        ("job.namespace", "default"),
        ("job.type", "service"),
        ("job.priority", "100"),
        ("job.constraint.attribute", "${node.unique.name}"),
        ("job.constraint.value", "demo-ai4eosc-traefik"),
        ("job.group.count", "1"),
        ("job.group.service.name", ID),
    ]);
}

#[test]
fn the_image_is_a_whole_version_that_hosts_are_given() {
    says(&[("job.group.task.config.image", "traefik:v3.7.15")]);
    let world = World::samples();
    let images = &world.host("demo-ai4eosc-traefik").images;
    assert!(images.contains(&"traefik:v3.7.15".to_owned()), "{images:?}");
}

#[test]
fn the_task_shares_the_network_of_its_host_and_none_of_its_folders() {
    says(&[
        ("job.group.network.mode", "host"),
        ("job.group.task.config.network_mode", "host"),
        ("job.group.task.config.volumes", ""),
        ("job.group.task.config.mount", ""),
        ("job.group.volume", ""),
    ]);
    let job = job();
    assert!(
        !job.keys().any(|fact| fact.contains("volume_mount")),
        "{job:#?}"
    );
}

#[test]
fn token_and_keys_are_in_a_folder_that_only_the_task_reads() {
    says(&[
        (&format!("{STATIC}.destination"), "secrets/traefik.toml"),
        (&format!("{STATIC}.perms"), "0400"),
        (
            &format!("{DYNAMIC}.destination"),
            "secrets/dynamic/dynamic.toml",
        ),
        (&format!("{DYNAMIC}.perms"), "0400"),
    ]);
}

#[test]
fn the_job_names_the_variable_and_holds_no_secret() {
    let world = World::samples();
    let gateway = &world.rendered.services.gateways[0];
    let variable = format!("nomad/jobs/{ID}");
    assert_eq!(world.plan.services.gateways[0].variable, variable);
    let read = format!("{{{{ with nomadVar \"{variable}\" }}}}{{{{ .consul_token }}}}");
    assert!(gateway.job.contains(&read), "{}", gateway.job);
    for held in ["@secret(", "-----BEGIN", "PRIVATE KEY"] {
        assert!(!gateway.job.contains(held), "{held}");
    }
}

#[test]
fn plain_http_is_sent_on_to_https() {
    assert_eq!(below(STATIC, "entryPoints.web.address"), ["=:80"]);
    let redirection = below(STATIC, "entryPoints.web.http.redirections.entryPoint");
    assert_eq!(
        redirection,
        ["permanent=true", "scheme=https", "to=websecure"]
    );
}

#[test]
fn https_drops_a_leading_www() {
    assert_eq!(below(STATIC, "entryPoints.websecure.address"), ["=:443"]);
    assert_eq!(
        below(STATIC, "entryPoints.websecure.http.middlewares"),
        [r#"=["no-www@file"]"#]
    );
    assert_eq!(
        below(DYNAMIC, "http.middlewares.no-www.redirectRegex"),
        [
            "permanent=true",
            r"regex=^https?://www\.(.+)",
            "replacement=https://${1}"
        ]
    );
}

#[test]
fn ping_and_metrics_have_an_entry_point_and_the_api_is_off() {
    assert_eq!(below(STATIC, "entryPoints.traefik.address"), ["=:8081"]);
    assert_eq!(below(STATIC, "api"), ["dashboard=false", "insecure=false"]);
    assert_eq!(below(STATIC, "ping"), ["entryPoint=traefik"]);
    assert_eq!(below(STATIC, "metrics"), ["prometheus.entryPoint=traefik"]);
}

#[test]
fn federated_learning_keeps_its_two_entry_points() {
    assert_eq!(below(STATIC, "entryPoints.nvflare_fl.address"), ["=:8002"]);
    assert_eq!(
        below(STATIC, "entryPoints.nvflare_admin.address"),
        ["=:8003"]
    );
    says(&[
        ("job.group.network.port.fl.static", "8002"),
        ("job.group.network.port.fladm.static", "8003"),
    ]);
}

#[test]
fn a_router_that_says_no_entry_point_gets_https_alone() {
    let defaults: Vec<_> = below(STATIC, "entryPoints")
        .into_iter()
        .filter(|line| line.contains("asDefault"))
        .collect();
    assert_eq!(defaults, ["websecure.asDefault=true"]);
}

#[test]
fn routes_come_from_the_local_consul_agent_and_only_when_asked_for() {
    for expected in [
        "prefix=traefik",
        "exposedByDefault=false",
        "watch=true",
        "endpoint.address=127.0.0.1:8500",
        "endpoint.scheme=http",
    ] {
        let provider = below(STATIC, "providers.consulCatalog");
        assert!(provider.contains(&expected.to_owned()), "{provider:?}");
    }
    let file = below(STATIC, "providers.file");
    assert_eq!(file, ["directory=/secrets/dynamic", "watch=true"]);
}

#[test]
fn nothing_unused_is_configured() {
    let job = job();
    for gone in [
        "certificatesResolvers",
        "pilot",
        "http.routers",
        "http.services",
        "srv-grpc",
    ] {
        let found = job
            .keys()
            .find(|fact| fact.contains(&format!(".data.{gone}")));
        assert_eq!(found, None, "{gone}");
    }
}

#[test]
fn each_parent_domain_has_a_certificate_and_the_first_answers_unknown_names() {
    let default = below(DYNAMIC, "tls.stores.default.defaultCertificate.certFile");
    assert_eq!(
        default,
        ["=\n<cert_ai4eosc>"].map(|line| line.replace('\n', ""))
    );
    let files: Vec<_> = below(DYNAMIC, "tls.certificates")
        .into_iter()
        .filter(|line| line.contains("certFile"))
        .collect();
    assert_eq!(
        files,
        ["0.certFile=<cert_ai4eosc>", "1.certFile=<cert_imagine>"]
    );
    assert_eq!(
        below(DYNAMIC, "tls.options.default.minVersion"),
        ["=VersionTLS12"]
    );
}

#[test]
fn there_is_memory_for_a_busy_day() {
    says(&[
        ("job.group.task.resources.cpu", "1000"),
        ("job.group.task.resources.memory", "512"),
        ("job.group.task.resources.memory_max", "1024"),
    ]);
}

#[test]
fn health_is_checked_and_a_fallen_task_is_started_again() {
    says(&[
        ("job.group.service.port", "ping"),
        ("job.group.service.check.type", "http"),
        ("job.group.service.check.path", "/ping"),
        ("job.group.restart.attempts", "10"),
        ("job.group.restart.mode", "delay"),
    ]);
    assert_eq!(below(STATIC, "accessLog"), ["format=json"]);
}
