//! What the APIs of Consul and Nomad are asked, and the rules that they are given.

use federation::http::{Call, Method};
use federation::{consul, nomad};
use serde_json::{Value, json};

use super::World;
use crate::golden::facts;

fn sent<T>(call: &Call<T>) -> (Method, &str, Value) {
    (
        call.method,
        call.path.as_str(),
        call.body.clone().unwrap_or_default(),
    )
}

#[test]
fn a_bootstrap_brings_its_own_secret() {
    let body = json!({ "BootstrapSecret": "s" });
    assert_eq!(
        sent(&consul::bootstrap("s")),
        (Method::Put, "/v1/acl/bootstrap", body.clone())
    );
    assert_eq!(
        sent(&nomad::bootstrap("s")),
        (Method::Post, "/v1/acl/bootstrap", body)
    );
}

#[test]
fn a_policy_is_found_by_its_name_and_replaced_by_its_id() {
    assert_eq!(
        sent(&consul::policy("traefik-read")),
        (Method::Get, "/v1/acl/policy/name/traefik-read", Value::Null)
    );
    let mut policy = consul::Policy {
        id: String::new(),
        name: "n".to_owned(),
        description: "d".to_owned(),
        rules: "r".to_owned(),
    };
    let call = consul::put_policy(&policy);
    let body = json!({ "Name": "n", "Description": "d", "Rules": "r" });
    assert_eq!(sent(&call), (Method::Put, "/v1/acl/policy", body));
    "7".clone_into(&mut policy.id);
    assert_eq!(sent(&consul::put_policy(&policy)).1, "/v1/acl/policy/7");
}

#[test]
fn a_token_is_made_with_ids_of_our_choice() {
    let token = consul::Token {
        accessor_id: "a".to_owned(),
        secret_id: "s".to_owned(),
        description: "d".to_owned(),
        policies: vec![consul::PolicyLink {
            name: "p".to_owned(),
        }],
        node_identities: Vec::new(),
    };
    let (method, path, body) = {
        let call = consul::create_token(&token);
        let (method, path, body) = sent(&call);
        (method, path.to_owned(), body)
    };
    assert_eq!((method, path.as_str()), (Method::Put, "/v1/acl/token"));
    assert_eq!(body["AccessorID"], "a");
    assert_eq!(body["SecretID"], "s");
    assert_eq!(body["Policies"], json!([{ "Name": "p" }]));
    assert_eq!(sent(&consul::update_token(&token)).1, "/v1/acl/token/a");
}

#[test]
fn a_job_is_asked_for_by_its_whole_id_and_planned_before_it_is_sent() {
    assert_eq!(
        sent(&nomad::job("traefik-a", "default")).1,
        "/v1/job/traefik-a?namespace=default"
    );
    let call = nomad::plan_job("traefik-a", "default", &json!({ "ID": "traefik-a" }));
    assert_eq!(sent(&call).1, "/v1/job/traefik-a/plan?namespace=default");
}

#[test]
fn the_namespaces_of_all_vos_are_made_and_described() {
    let world = World::samples();
    let namespaces: Vec<_> = world
        .plan
        .services
        .namespaces
        .iter()
        .map(|namespace| format!("{}: {}", namespace.name, namespace.description))
        .collect();
    assert_eq!(
        namespaces,
        [
            "ai4eosc: vo.ai4eosc.eu",
            "imagine: vo.imagine-ai.eu",
            "tutorials: vo.tutorials.ai4eosc.eu"
        ]
    );
    let call = nomad::put_namespace(&world.plan.services.namespaces[1]);
    let (method, path, body) = sent(&call);
    assert_eq!((method, path), (Method::Post, "/v1/namespace"));
    assert_eq!(body["Name"], "imagine");
}

/// The rules of each policy of Consul: what they are about, and how far they go.
#[test]
fn each_use_has_a_policy_and_no_right_that_it_does_not_need() {
    let world = World::samples();
    let rules = |name: &str| {
        let text = &world.rendered.services.consul_policies[name];
        let text = text.replace("\"\"", "\"all\"");
        let facts = facts("policy.hcl", &text).into_iter();
        facts
            .map(|(fact, value)| format!("{fact}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, expected) in [
        (
            "replication",
            "acl=write operator=write service_prefix.all.intentions=read service_prefix.all.policy=read",
        ),
        (
            "traefik-read",
            "node_prefix.all.policy=read service_prefix.all.policy=read",
        ),
        (
            "nomad-client",
            "agent_prefix.all.policy=read service_prefix.all.policy=write",
        ),
        (
            "nomad-server",
            "agent_prefix.all.policy=read service_prefix.all.policy=write",
        ),
        (
            "dns-read",
            "node_prefix.all.policy=read service_prefix.all.policy=read",
        ),
    ] {
        assert_eq!(rules(name), expected, "{name}");
    }
}
