//! What the APIs of Consul and Nomad are given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use federation::names::NodeName;
use provisioner::inventory::{Certificates, Inventory, Vo, load};
use provisioner::plan::{Gateway, Leaf, Wildcards, plan};

use super::varied;
use crate::golden::{name, samples};

#[test]
fn each_token_may_do_what_its_holder_does() {
    let tokens = plan(&varied()).services.consul_tokens;
    let listed = tokens.iter().map(|token| {
        let node = token
            .node
            .as_ref()
            .map(|(node, dc)| format!(" as {node} in {dc}"));
        format!(
            "{}: {}{}",
            token.secret,
            token.policies.join("+"),
            node.unwrap_or_default()
        )
    });
    let listed: Vec<_> = listed.collect();
    let expected = [
        "datacenter/demo-ai4eosc/consul/dns-token: dns-read",
        "datacenter/demo-ai4eosc/consul/replication-token: replication",
        "datacenter/demo-ai4eosc/consul/traefik-token: traefik-read",
        "node/demo-ai4eosc-books/consul/agent-token:  as demo-ai4eosc-books in demo-ai4eosc",
        "node/old-gateway/consul/agent-token:  as old-gateway in demo-ai4eosc",
        "node/old-gateway/consul/nomad-token: nomad-client",
        "node/old-gateway/consul/capacity-token: atoll-agent",
        "node/demo-ai4eosc-server-0/consul/agent-token:  as demo-ai4eosc-server-0 in demo-ai4eosc",
        "node/demo-ai4eosc-server-0/consul/nomad-token: nomad-client",
        "node/demo-ai4eosc-server-0/consul/capacity-token: atoll-agent",
        "node/demo-ai4eosc-traefik/consul/agent-token:  as demo-ai4eosc-traefik in demo-ai4eosc",
        "node/demo-ai4eosc-traefik/consul/nomad-token: nomad-client",
        "node/demo-ai4eosc-traefik/consul/capacity-token: atoll-agent",
        "datacenter/ifca-ai4eosc/consul/dns-token: dns-read",
        "node/ifca-ai4eosc-server-0/consul/agent-token:  as ifca-ai4eosc-server-0 in ifca-ai4eosc",
        "node/ifca-ai4eosc-server-0/consul/nomad-token: nomad-server",
        "node/ifca-ai4eosc-server-1/consul/agent-token:  as ifca-ai4eosc-server-1 in ifca-ai4eosc",
        "node/ifca-ai4eosc-server-1/consul/nomad-token: nomad-server+nomad-client",
    ];
    assert_eq!(listed[..expected.len()], expected);
    let policies = plan(&varied()).services.consul_policies;
    for policy in tokens.iter().flat_map(|token| &token.policies) {
        assert!(policies.contains_key(policy), "{policy}");
    }
}

#[test]
fn each_gateway_has_a_job_and_a_certificate_for_each_parent_domain() {
    let alone = plan(&samples()).services.gateways;
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0].job_id, "traefik-demo-ai4eosc");
    let gateways = plan(&varied()).services.gateways;
    let jobs: Vec<_> = gateways
        .iter()
        .map(|gateway| gateway.job_id.as_str())
        .collect();
    assert_eq!(jobs, ["traefik-old-gateway", "traefik-demo-ai4eosc"]);
    assert_eq!(gateways[0].variable, "nomad/jobs/traefik-old-gateway");
    let certificates = issued(&gateways[0]).iter();
    let zones = certificates.map(|(name, leaf)| format!("{name}: {}", leaf.dns_names.join(" ")));
    let expected = [
        "ai4eosc: demo-deployments.cloud.ai4eosc.eu *.demo-deployments.cloud.ai4eosc.eu",
        "imagine: demo-deployments.cloud.imagine-ai.eu *.demo-deployments.cloud.imagine-ai.eu",
    ];
    assert_eq!(zones.collect::<Vec<_>>(), expected);
}

#[test]
fn a_certificate_is_named_after_its_namespace_as_templates_can_say_it() {
    let mut inventory = samples();
    let (namespace, domain) = (name("a-b"), name("one.eu"));
    let vos = &mut inventory.federation.vos;
    vos.insert(name("vo.a.eu"), Vo { namespace, domain });
    let demo = inventory.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    demo.vos = [name("vo.a.eu")].into();
    let gateway = plan(&inventory).services.gateways.remove(0);
    let names: Vec<_> = issued(&gateway).keys().map(String::as_str).collect();
    assert_eq!(names, ["a_b"]);
    assert_eq!(issued(&gateway)["a_b"].dns_names[0], "demo-one.eu");
}

/// The certificates of a gateway that Atoll issues.
fn issued(gateway: &Gateway) -> &BTreeMap<String, Leaf> {
    let Wildcards::Issued(leaves) = &gateway.certificates else {
        panic!("{} has others' certificates", gateway.node);
    };
    leaves
}

#[test]
fn what_others_sign_is_asked_for_by_name_and_never_made() {
    let mut inventory = samples();
    let demo = inventory.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    demo.certificates = Certificates::Files;
    let plan = plan(&inventory);
    let given: Vec<_> = plan
        .services
        .given()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "datacenter/demo-ai4eosc/traefik/ai4eosc/certificate",
        "datacenter/demo-ai4eosc/traefik/imagine/certificate",
        "datacenter/demo-ai4eosc/traefik/ai4eosc/key",
        "datacenter/demo-ai4eosc/traefik/imagine/key",
    ];
    assert_eq!(given, expected);
    assert!(plan.secrets().is_disjoint(&plan.services.given()));
    assert_eq!(
        plan.services.gateways[0].certificates.zones(),
        [
            "demo-deployments.cloud.ai4eosc.eu",
            "demo-deployments.cloud.imagine-ai.eu"
        ]
    );
}

/// Traefik does not see who has signed: certificates come out of the variable either way.
#[test]
fn a_gateway_with_given_certificates_is_configured_as_one_with_issued_ones() {
    let own = samples();
    let mut files = own.clone();
    let demo = files.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    demo.certificates = Certificates::Files;
    assert_eq!(super::texts(&own), super::texts(&files));
}

/// A job that is called otherwise is another one, which finds the ports of the first taken.
#[test]
fn a_gateway_beside_another_does_not_change_the_names_of_jobs() {
    let names = |inventory: &Inventory| -> BTreeMap<NodeName, String> {
        let gateways = plan(inventory).services.gateways.into_iter();
        gateways.map(|it| (it.node, it.job_id)).collect()
    };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventories/example");
    let mut inventory = load(&example).unwrap().inventory;
    let alone = names(&inventory);
    let one = alone.len();
    let site = inventory.sites.values_mut().next().unwrap();
    let gateway = site.hosts[&name("gateway-0")].clone();
    for key in ["a-gateway", "gateway-1"] {
        let mut another = gateway.clone();
        another.node = name(&format!("{}-{key}", site.datacenter));
        site.hosts.insert(name(key), another);
    }
    let several = names(&inventory);
    assert_eq!(several.len(), one + 2);
    let different: BTreeSet<_> = several.values().collect();
    assert_eq!(different.len(), one + 2, "{several:?}");
    for (node, job) in alone {
        assert_eq!(several[&node], job);
    }
}

/// A site's own version is what its gateway runs.
#[test]
fn a_gateway_runs_the_version_of_its_site() {
    let mut inventory = samples();
    let demo = inventory.sites.get_mut(&name("demo-ai4eosc")).unwrap();
    demo.versions.traefik = name("3.7.14");
    let job = super::text(
        &inventory,
        "federation/gateways/traefik-demo-ai4eosc/traefik.nomad.hcl",
    );
    assert!(job.contains("image        = \"traefik:v3.7.14\""), "{job}");
}
