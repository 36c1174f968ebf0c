//! What an import answers to sources that are wrong, unreadable, or silent on what matters.

use std::collections::BTreeMap;
use std::fs;

use provisioner::inventory::load;

use super::{copy, files, fixture, import, imported, of};

#[test]
fn the_mistakes_of_the_joining_example_are_two() {
    let (folder, code, lines) = imported("join-broken", &[]);
    assert_eq!(code, 1);
    assert_eq!(
        of("error", &lines),
        [
            "the site has several datacenters: `fresh_dc` (hosts:20), `ifca-ai4eosc` (group_vars/all.yml:38), \
             `my_fresh_dc` (hosts:28); and several domains: `fresh_domain` (hosts:23), `my_fresh_domain` (hosts:28); \
             one inventory is one site: give all its hosts the same nomad_dc, consul_dc_name and domain",
            "the group `nomad_new_volume` names the host `fresh-gpu`, which is in no other group; \
             did you mean `fresh-cpu`?",
        ]
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("hosts:28:12: error:")),
        "{lines:#?}"
    );
    assert_eq!(files(folder.path()), BTreeMap::new(), "nothing was written");
}

#[test]
fn what_is_encrypted_is_named_and_never_shown() {
    let (folder, code, lines) = imported("vault", &[]);
    assert_eq!(code, 1);
    let errors = of("error", &lines);
    assert_eq!(errors.len(), 1, "{lines:#?}");
    assert!(
        errors[0].starts_with("`batch` cannot be worked out: it is encrypted by Ansible Vault")
    );
    let decide = of("decide", &lines);
    for part in [
        "`gossip_key` is encrypted by Ansible Vault, and was not read",
        "`ansible_become_password` is encrypted by Ansible Vault, and was not read",
        "the whole file is encrypted by Ansible Vault, and was not read",
    ] {
        assert!(
            decide.iter().any(|line| line.starts_with(part)),
            "{part}: {decide:#?}"
        );
    }
    let (_, json) = import(&fixture("vault"), folder.path(), &["--output", "json"]);
    assert!(
        json.iter()
            .any(|line| line.contains("`nomad_ui_passwd` is not taken over"))
    );
    for said in lines.iter().chain(&json) {
        assert!(
            !said.contains("hunter2") && !said.contains("30303030"),
            "{said}"
        );
    }
}

#[test]
fn plain_references_are_followed_and_others_are_reported() {
    let (_, code, lines) = imported("jinja", &[]);
    assert_eq!(code, 1);
    let errors: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(" error: "))
        .collect();
    let wanted = [
        (
            "hosts:9:8:",
            "`ansible_host` cannot be worked out: `{{ lookup('env', 'NODE') }}` is more than a plain reference",
        ),
        ("hosts:10:8:", "refers to itself, or to too much"),
        ("hosts:11:8:", "refers to itself, or to too much"),
    ];
    for (place, what) in wanted {
        let said = |line: &&&String| line.starts_with(place) && line.contains(what);
        assert!(
            errors.iter().any(|line| said(&line)),
            "{place} {what}: {errors:#?}"
        );
    }
    let folder = copy("jinja");
    let hosts = folder.path().join("hosts");
    let text = fs::read_to_string(&hosts).unwrap();
    let whole = text.lines().filter(|line| {
        !["node-1", "node-2", "node-3"]
            .iter()
            .any(|it| line.starts_with(it))
    });
    fs::write(&hosts, whole.collect::<Vec<_>>().join("\n")).unwrap();
    let out = folder.path().join("out");
    let (code, lines) = import(folder.path(), &out, &[]);
    assert_eq!(code, 0, "{lines:#?}");
    let inventory = load(&out).unwrap().inventory;
    assert_eq!(inventory.federation.primary.as_str(), "jinja-ai4eosc");
    assert_eq!(inventory.federation.versions.nomad.as_str(), "1.10.2");
    assert_eq!(inventory.federation.vos.len(), 2);
}

/// Imports a case after an edit of one file.
fn edited(case: &str, file: &str, from: &str, to: &str) -> (i32, Vec<String>) {
    let folder = copy(case);
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "`{from}` must be in {file}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    import(folder.path(), &folder.path().join("out"), &[])
}

/// An edit of the case `walton`, the file, what is replaced by what, and what that answers.
const MISTAKES: [(&str, &str, &str, &str); 24] = [
    (
        "hosts",
        "ansible_host=203.0.113.81",
        "",
        "hosts:11:1: error: `walton-node-0` has no address",
    ),
    (
        "hosts",
        "203.0.113.81",
        "node.example.org",
        "hosts:11:16: error: `ansible_host` is `node.example.org`, which is no IP address",
    ),
    (
        "hosts",
        "203.0.113.81",
        "203.0.113.82",
        "have the same address, `203.0.113.82`",
    ),
    (
        "hosts",
        "walton-node-0 vol_name=vdb",
        "walton-node-9 vol_name=vdb",
        "names the host `walton-node-9`, which is in no other group; did you mean",
    ),
    (
        "hosts",
        "batch=True",
        "batch=maybe",
        "`batch` is neither true nor false",
    ),
    (
        "hosts",
        "batch=True",
        "'batch=True",
        "a quoted value does not end",
    ),
    ("hosts", "batch=True", "batch", "`batch` is no `name=value`"),
    (
        "hosts",
        "[consul_new:children]",
        "[consul_new:child]",
        "no section is of kind `child`",
    ),
    (
        "hosts",
        "nomad_new_gpu_clients\n\n[nomad_new:",
        "nomad_new_gpus\n\n[nomad_new:",
        "no section defines the group `nomad_new_gpus`",
    ),
    (
        "hosts",
        "consul_new_master\n\n[nomad",
        "consul_new_master\nconsul_new\n\n[nomad",
        "the group `consul_new` is within itself",
    ),
    (
        "hosts",
        "walton-server nomad_dc",
        "<server> nomad_dc",
        "`<server>` stands for a value that was never written",
    ),
    (
        "hosts",
        "[monitoring]",
        "  ...\n[monitoring]",
        "`...` stands for lines that were never written",
    ),
    (
        "hosts",
        "ansible_host=203.0.113.81",
        "ansible_host='<address>' # of the node",
        "hosts:11:1: error: `<address>` stands for a value that was never written",
    ),
    (
        "hosts",
        "[monitoring]",
        "[monitorin:vars]\na=b\n\n[monitoring]",
        "hosts:31:1: error: no section defines the group `monitorin`",
    ),
    (
        "hosts",
        "[consul_new:children]",
        "[consul_new:vars]\na=b\n\n[nomad_new_cpus:children]\nconsul_new\n\n[nomad_new_gpus:children]",
        "hosts:34:1: error: no section defines the group `consul_new`",
    ),
    (
        "hosts",
        "walton-gateway\n",
        "walton-gateway\nwalton-node-0\n",
        "have the same node name, `walton-imagine-traefik`",
    ),
    (
        "hosts",
        "walton-node-0  nomad_dc",
        "walton-server nomad_dc",
        "`walton-server` is a Nomad server and also a client",
    ),
    (
        "group_vars/all.yml",
        "consul_dc_name: walton-imagine",
        "consul_dc_name: ifca-ai4eosc",
        "the site has several datacenters",
    ),
    (
        "group_vars/all.yml",
        "1.10.5",
        "latest",
        "`nomad_version`: `latest` cannot be a version",
    ),
    (
        "group_vars/all.yml",
        "\"203.0.113.11\"",
        "\"server.example.org\"",
        "`consul_servers_ip` has `server.example.org`, which is no IP address",
    ),
    (
        "group_vars/all.yml",
        "path_bin:",
        "path_bin: [",
        "is not expected here",
    ),
    (
        "hosts",
        "nomad_namespaces=imagine",
        "nomad_namespaces=imagin",
        "hosts:21:54: error: as federation.yaml: vos.imagin.imagine-ai.eu.namespace: `imagin` is a part of `imagine`",
    ),
    (
        "hosts",
        "203.0.113.82",
        "127.0.0.1",
        "hosts:12:16: error: as sites/walton-imagine.yaml: hosts.walton-node-1.address: `127.0.0.1`",
    ),
    (
        "group_vars/all.yml",
        "nomad_version: 1.10.5",
        "nomad_version: 9.9.9",
        "group_vars/all.yml:21:1: error: as federation.yaml: versions.nomad: Atoll does not know",
    ),
];

#[test]
fn each_mistake_is_an_error_with_its_line() {
    for (file, from, to, wanted) in MISTAKES {
        let (code, lines) = edited("walton", file, from, to);
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "{wanted}: {lines:#?}"
        );
        assert_eq!(code, 1, "{wanted}");
    }
}

/// No file has the lines of a result that was not written.
#[test]
fn no_error_points_into_a_file_that_was_not_written() {
    for (file, from, to, wanted) in MISTAKES {
        let (_, lines) = edited("walton", file, from, to);
        let pointing = |line: &&String| {
            let words = line.split(|c: char| c.is_whitespace() || c == '`');
            let ours = ["federation.yaml:", "sites/"];
            words
                .filter(|word| ours.iter().any(|ours| word.starts_with(ours)))
                .any(|word| word.contains(|c: char| c.is_ascii_digit()))
        };
        let found = lines.iter().find(pointing);
        assert_eq!(found, None, "{wanted}");
    }
}

#[test]
fn an_item_of_a_list_that_is_no_name_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.yml");
    let text = "web:\n  hosts:\n    - node-0\n    - { node-1: { a: b } }\n  children:\n    - [db]\n    -\n";
    fs::write(&path, text).unwrap();
    let (code, lines) = import(&path, &folder.path().join("out"), &[]);
    assert_eq!(code, 1);
    for (line, noun) in [("4:7", "host"), ("6:7", "group"), ("7:6", "group")] {
        let wanted = format!("hosts.yml:{line}: error: the name of a {noun} is expected here");
        assert!(
            lines.iter().any(|line| line.starts_with(&wanted)),
            "{wanted}: {lines:#?}"
        );
    }
}

#[test]
fn what_ansible_passes_over_is_said() {
    let folder = copy("walton");
    fs::write(
        folder.path().join("group_vars/all.yaml"),
        "domain: elsewhere",
    )
    .unwrap();
    let out = folder.path().join("out");
    let (code, lines) = import(folder.path(), &out, &[]);
    assert_eq!(code, 0);
    let wanted = "group_vars/all.yaml:1:1: decide: Ansible does not read this file";
    assert!(
        lines.iter().any(|line| line.starts_with(wanted)),
        "{lines:#?}"
    );
    fs::write(folder.path().join("hosts.ini"), "").unwrap();
    let (code, lines) = import(folder.path(), &folder.path().join("other"), &[]);
    assert_eq!(code, 2);
    assert!(lines[0].contains("holds several inventories"), "{lines:#?}");
}

/// What is refused may hold a password, and findings are kept in a file.
#[test]
fn what_is_refused_is_not_repeated_where_it_may_be_secret() {
    let to = "[robots:children]\ngate ansible_password=hunter2\n\n[monitoring]";
    let (_, lines) = edited("walton", "hosts", "[monitoring]", to);
    let wanted = "`gate …` cannot be the name of a group";
    assert!(lines.iter().any(|line| line.contains(wanted)), "{lines:#?}");
    let more = "nomad_client_meta: { password: hunter2 }\nnomad_namespaces:";
    let (_, all) = edited("walton", "group_vars/all.yml", "nomad_namespaces:", more);
    let told = lines.iter().chain(&all);
    assert!(
        !told.clone().any(|line| line.contains("hunter2")),
        "{lines:#?} {all:#?}"
    );
}

#[test]
fn a_namespace_without_a_known_vo_is_asked_for() {
    let flag = ["--vo", "tutorials=vo.tutorials.example"];
    let (folder, code, lines) = imported("ifca", &flag);
    assert_eq!(code, 0);
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("no VO of the namespace"))
    );
    let vos = load(folder.path()).unwrap().inventory.federation.vos;
    assert!(vos.keys().any(|vo| vo.as_str() == "vo.tutorials.example"));
    let (code, lines) = edited("walton", "group_vars/all.yml", "  - tutorials", "  - tut-2");
    assert_eq!(code, 0);
    let wanted = "no VO of the namespace `tut-2` is known: `tut-2.imagine-ai.eu` stands there";
    assert!(
        of("decide", &lines)
            .iter()
            .any(|line| line.starts_with(wanted)),
        "{lines:#?}"
    );
}

#[test]
fn what_may_be_meant_is_asked() {
    for (file, from, to, wanted) in [
        (
            "hosts",
            "walton-server ansible_host=203.0.113.71",
            "walton-server ansible_host=10.0.0.71",
            "other sites or users reach `walton-server`, which has a private address alone",
        ),
        (
            "hosts",
            "nomad_namespaces=imagine",
            "nomad_namespaces=robots",
            "`robots` is no namespace of the list at group_vars/all.yml:27",
        ),
        (
            "group_vars/all.yml",
            "consul_public_ip: \"203.0.113.71\"",
            "consul_public_ip: \"203.0.113.7\"",
            "`consul_public_ip` is `203.0.113.7`, which is no address of this site's hosts",
        ),
        (
            "group_vars/all.yml",
            "walton-deployments",
            "waltham-deployments",
            "the certificate `waltham-deployments.cloud.imagine-ai.eu` is not of the site's domain",
        ),
    ] {
        let (code, lines) = edited("walton", file, from, to);
        let decide = of("decide", &lines);
        assert!(
            decide.iter().any(|line| line.starts_with(wanted)),
            "{wanted}: {lines:#?}"
        );
        assert_eq!(code, 0, "{wanted}");
    }
}
