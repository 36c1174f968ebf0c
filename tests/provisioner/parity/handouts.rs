//! What a federation gets beside its hosts: certificates of others, jobs of its own, and what people
//! outside are handed.

use super::World;
use crate::golden::{Facts, fixture};

fn world() -> World {
    World::of(&fixture("two-sites"))
}

const CLEANUP: &str = "federation/jobs/image-cleanup.nomad.hcl";

/// What the job that removes images says, below its name.
fn cleanup() -> Facts {
    let facts = world().facts(CLEANUP).into_iter();
    facts
        .map(|(fact, value)| (fact.replace(".image-cleanup", ""), value))
        .collect()
}

#[test]
fn unused_images_are_removed_by_a_system_job_on_all_kinds_of_workers() {
    let job = cleanup();
    for (fact, value) in [
        ("job.type", "system"),
        ("job.namespace", "default"),
        ("job.priority", "75"),
        ("job.datacenters", r#"["alpha-one","beta-two"]"#),
        ("job.constraint.attribute", "${meta.type}"),
        ("job.constraint.operator", "set_contains_any"),
        ("job.constraint.value", "compute,batch,tryme"),
        (
            "job.group.task.config.image",
            "registry.example.org/docuum:0.25.0",
        ),
    ] {
        assert_eq!(job[fact], value, "{fact}");
    }
}

/// The threshold is the federation's own, and what Atoll brought to hosts stays.
#[test]
fn images_go_by_the_size_of_the_volume_and_those_of_atoll_stay() {
    let arguments = &cleanup()["job.group.task.config.args"];
    assert!(arguments.contains(r#""--threshold","60%""#), "{arguments}");
    assert!(arguments.contains("atoll/probe"), "{arguments}");
}

#[test]
fn the_clean_up_is_a_wish_of_the_federation() {
    let jobs = |world: &World| {
        let paths = world
            .texts
            .keys()
            .filter(|path| path.starts_with("federation/jobs"));
        paths.count()
    };
    assert_eq!((jobs(&world()), jobs(&World::samples())), (1, 0));
}

#[test]
fn a_public_authority_is_asked_by_dns_where_the_site_says() {
    let world = world();
    let job = |site: &str| format!("federation/gateways/traefik-{site}/traefik.nomad.hcl");
    let asked = world.text(&job("alpha-one-gateway-0"));
    for word in [
        "email = \"operators@alpha.example.org\"",
        "storage = \"/acme/acme.json\"",
        "[certificatesResolvers.acme.acme.dnsChallenge]",
        "provider = \"rfc2136\"",
    ] {
        assert!(asked.contains(word), "{word}");
    }
    let given = world.text(&job("beta-two-gateway-0"));
    assert!(!given.contains("acme"), "{given}");
}

/// Which drivers its jobs may use is said of each namespace, and what it is for.
#[test]
fn each_namespace_says_what_it_is_for_and_which_drivers_its_jobs_may_use() {
    let world = world();
    let namespaces: serde_json::Value =
        serde_json::from_str(world.text("federation/namespaces.json")).unwrap();
    let imagine = &namespaces[1];
    assert_eq!(imagine["Name"], "imagine");
    assert_eq!(
        imagine["Description"],
        "vo.imagine.example, vo.more.example"
    );
    let drivers = &imagine["Capabilities"]["EnabledTaskDrivers"];
    assert_eq!(drivers, &serde_json::json!(["docker", "exec", "raw_exec"]));
}

/// A site that joins shows in what every other one is to let in.
#[test]
fn a_joining_site_shows_in_the_rules_of_the_others() {
    let both = fixture("two-sites");
    let mut alone = both.clone();
    alone
        .sites
        .retain(|datacenter, _| datacenter.as_str() == "alpha-one");
    let rules = |world: &World| {
        world
            .text("federation/firewall/sites/alpha-one.txt")
            .to_owned()
    };
    let (before, after) = (rules(&World::of(&alone)), rules(&World::of(&both)));
    assert!(
        !before.contains("203.0.113.40") && after.contains("203.0.113.40"),
        "{after}"
    );
}
