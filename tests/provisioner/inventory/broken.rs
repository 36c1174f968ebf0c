//! Rules between values, one edit or more each: what they answer, how many, and in which order.

use super::{Edit, FEDERATION, ONE, TWO, answer};

/// One edit or more, and all that they answer: rules between values.
#[rustfmt::skip]
const BROKEN_RULES: &[(&[Edit], &[&str])] = &[
    // The federation.
    (&[(FEDERATION, "primary: one", "primary: three")],
     &["federation.yaml:2:10: primary: no file in sites/ has `datacenter: three`; name that of a site, or its servers elsewhere in `external.consul_servers`"]),
    (&[(ONE, "[server]", "[consul-server]")],
     &["federation.yaml:1:13: federation: no host of the federation is a Nomad server; give one host, or three, the role `nomad-server`"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example")],
     &["federation.yaml:8:53: vos.vo.imagine.example.domain: the namespace `example` has the domain `deployments.example.org`, at federation.yaml:7:49; VOs can share a namespace only if they share its domain"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example"), (FEDERATION, "deployments.imagine.example", "deployments.example.org")],
     &[]),
    (&[(FEDERATION, "namespace: imagine", "namespace: example-2")],
     &["federation.yaml:7:32: vos.vo.example.org.namespace: `example` is a part of `example-2`, so its jobs would also run on nodes of that namespace; choose namespaces of which none contains another: jobs find nodes by pattern"]),
    (&[(FEDERATION, "namespace: imagine", "namespace: sample"), (FEDERATION, "namespace: example", "namespace: ample")],
     &["federation.yaml:7:32: vos.vo.example.org.namespace: `ample` is a part of `sample`, so its jobs would also run on nodes of that namespace; choose namespaces of which none contains another: jobs find nodes by pattern"]),
    // Servers.
    (&[(TWO, "[consul-server]", "[gateway]")],
     &["sites/two.yaml:7:3: hosts: no host of the site is a Consul server; give one host, or three, the role `consul-server`"]),
    (&[(TWO, "[consul-server]", "[nomad-server, consul-server]")],
     &["sites/two.yaml:7:23: warning: hosts.server-0.roles[0]: 2 Nomad servers tolerate 0 losses, as 1 does; add one or leave one out",
       "sites/two.yaml:7:23: warning: hosts.server-0.roles[0]: Nomad servers at 2 sites: every write waits for the network between them; keep them at one site, or within 10 ms of each other"]),
    (&[(ONE, "[gateway]", "[gateway, consul-server]"), (ONE, "[client]", "[consul-server]"), (TWO, "[consul-server]", "[consul-server, client, gateway]"), (ONE, "13 }", "13 }\n  wn-1: { roles: [consul-server], address: 192.0.2.14 }")],
     &["sites/one.yaml:9:19: warning: hosts.wn-1.roles[0]: 4 Consul servers tolerate 1 loss, as 3 do; add one or leave one out",
      "sites/two.yaml:7:22: warning: hosts.server-0.roles: a gateway takes no users' jobs, so the role `client` has no effect; make another host the client"]),
    (&[(ONE, "[gateway]", "[gateway, nomad-server]")],
     &["sites/one.yaml:7:23: hosts.gateway-0.roles: a Nomad server cannot be a Nomad client as well: nobody could introduce it; make another host the client or gateway",
       "sites/one.yaml:7:33: warning: hosts.gateway-0.roles[1]: 2 Nomad servers tolerate 0 losses, as 1 does; add one or leave one out"]),
    // VOs.
    (&[(TWO, "vos: [vo.example.org]", "vos: [vo.example.com]")],
     &["sites/two.yaml:5:7: vos[0]: federation.yaml has no VO `vo.example.com`; correct the name, or add it there under `vos`"]),
    (&[(TWO, "vos: [vo.example.org]", "vos: [vo.example.org, vo.example.org]")],
     &["sites/two.yaml:5:23: vos[1]: `vo.example.org` is already in this list: vos[0], at sites/two.yaml:5:7"]),
    (&[(ONE, "13 }", "13, vos: [vo.example.org, vo.example.org] }")],
     &["sites/one.yaml:8:71: hosts.wn-0.vos[1]: `vo.example.org` is already in this list: hosts.wn-0.vos[0], at sites/one.yaml:8:55"]),
    (&[(TWO, "[consul-server]", "[consul-server, gateway]"), (TWO, "21 }", "21, vos: [vo.imagine.example] }")],
     &["sites/two.yaml:7:75: hosts.server-0.vos[0]: the site does not serve `vo.imagine.example`; a host can only narrow the `vos` of its site"]),
    (&[(TWO, "21 }", "21, vos: [vo.example.org] }")],
     &["sites/two.yaml:7:65: hosts.server-0.vos: only clients and gateways serve VOs; remove `vos`, or add the role"]),
    (&[(ONE, "13 }", "13, vos: [] }")],
     &["sites/one.yaml:8:54: warning: hosts.wn-0.vos: the host serves no VO: no user's job will run on it; remove `vos` to serve all VOs of the site"]),
    (&[(ONE, "[vo.example.org, vo.imagine.example]", "[]")],
     &["sites/one.yaml:4:6: warning: vos: the site has clients and serves no VO: no user's job will run; list the VOs it serves"]),
    (&[(ONE, "[gateway]", "[accounting]")],
     &["sites/one.yaml:6:3: warning: hosts: the site has clients and no gateway: users cannot reach their jobs; give a host the role `gateway`"]),
    // Roles.
    // GPUs.
    (&[(ONE, "13 }", "13, gpus: { model: \"A`B\", count: 0 } }")],
     &["sites/one.yaml:8:55: hosts.wn-0.gpus: federation.yaml does not say which NVIDIA driver hosts with GPUs get; add `nvidia: { driver: …, toolkit: …, plugin: 1.1.0 }` there",
       "sites/one.yaml:8:64: hosts.wn-0.gpus.model: `A`B` cannot be the model of a GPU; copy it from `nvidia-smi -L`",
       "sites/one.yaml:8:78: hosts.wn-0.gpus.count: `0` cannot be a number of GPUs; a host has 1 to 64 GPUs"]),
    (&[(FEDERATION, "vos:\n", "nvidia: { driver: 550.163.01-1, toolkit: x, plugin: 1.1.0 }\nvos:\n"), (ONE, "12 }", "12, gpus: { model: NVIDIA A100, count: 2 } }")],
     &["federation.yaml:6:42: nvidia.toolkit: `x` cannot be the version of a package; copy it from `apt-cache policy nvidia-driver` (or `nvidia-container-toolkit`)",
       "sites/one.yaml:7:61: hosts.gateway-0.gpus: only a host with the role `client` gives its GPUs to jobs; remove `gpus`, or add the role"]),
    // The role `accounting`.
    (&[(ONE, "[gateway]", "[gateway, accounting]"), (ONE, "[client]", "[client, accounting]")],
     &["sites/one.yaml:8:27: hosts.wn-0.roles[1]: the site has an accounting host already; keep the role on one host"]),
    (&[(ONE, "[client]", "[]")],
     &["sites/one.yaml:8:18: hosts.wn-0.roles: a host has at least one role; say what it does, or remove the host"]),
    (&[(ONE, "[server]", "[server, nomad-server]")],
     &["sites/one.yaml:6:31: hosts.server-0.roles[1]: the host has this role already; say each role once; `server` means both kinds of server"]),
    (&[(ONE, "[client]", "[client, client]")],
     &["sites/one.yaml:8:27: hosts.wn-0.roles[1]: the host has this role already; say each role once; `server` means both kinds of server"]),
    (&[(ONE, "12 }", "12, kind: compute }")],
     &["sites/one.yaml:7:61: hosts.gateway-0.kind: only a host with the role `client` has a kind; remove `kind`, or add the role"]),
    // What two things would share.
    (&[(TWO, "datacenter: two", "datacenter: one"), (TWO, "server-0", "server-9")],
     &["sites/two.yaml:2:13: datacenter: `one` is already a datacenter: datacenter, at sites/one.yaml:1:13"]),
    (&[(TWO, "domain: two", "domain: one")],
     &["sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9"]),
    (&[(TWO, "21 }", "21, name: one-wn-0 }")],
     &["sites/two.yaml:7:66: hosts.server-0.name: `one-wn-0` is already the name of a node: hosts.wn-0, at sites/one.yaml:8:3"]),
    (&[(TWO, "  server-0", "  a-key-that-is-short-enough-alone-but-not-after-its-datacenter")],
     &["sites/two.yaml:7:3: hosts.a-key-that-is-short-enough-alone-but-not-after-its-datacenter: `two-a-key-that-is-short-enough-alone-but-not-after-its-datacenter` cannot be a node name: 1 to 63 of a-z, 0-9 and -, with neither end a -; shorten the host's key, or set `name`"]),
    (&[(ONE, "192.0.2.13", "192.0.2.11")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(ONE, "192.0.2.11", "&first 192.0.2.11"), (ONE, "192.0.2.13", "*first")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(ONE, "192.0.2.13", "::ffff:192.0.2.11")],
     &["sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2.11` is already an address of this site: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(TWO, "192.0.2.21", "192.0.2.11")],
     &["sites/two.yaml:7:48: hosts.server-0.address: `192.0.2.11` is already a public address: hosts.server-0.address, at sites/one.yaml:6:41"]),
    (&[(TWO, "192.0.2.21", "192.0.2.11, public_address: 198.51.100.1")],
     &[]),
    (&[(TWO, "192.0.2.21", "192.0.2.13")],
     &[]),
    (&[(TWO, "21 }", "21, public_address: 198.51.100.1 }"), (ONE, "13 }", "13, public_address: 198.51.100.1 }")],
     &["sites/two.yaml:7:76: hosts.server-0.public_address: `198.51.100.1` is already a public address: hosts.wn-0.public_address, at sites/one.yaml:8:65"]),
];

#[test]
fn a_broken_rule_is_named_at_the_value_that_breaks_it() {
    for (edits, expected) in BROKEN_RULES {
        assert_eq!(answer(edits), *expected, "{edits:?}");
    }
}

/// A part that could not be read is one problem; rules about the whole wait for it.
#[test]
fn one_mistake_is_one_problem() {
    let half_a_list = (
        ONE,
        "[vo.example.org, vo.imagine.example]",
        "[vo.example.org, imagine]",
    );
    let host = (ONE, "13 }", "13, vos: [vo.imagine.example] }");
    assert_eq!(answer(&[half_a_list, host]).len(), 1);
    for edit in [
        (FEDERATION, "  vo.imagine.example:", "  imagine:"),
        (FEDERATION, "primary: one", "primary: One"),
        (ONE, "datacenter: one", "datacenter: One"),
        (ONE, "datacenter: one", "datacentre: one"),
        (ONE, "[server]", "[sever]"),
        (ONE, "hosts:", "hosts: none #"),
        (ONE, "  server-0: {", "  server-0: { {"),
        (TWO, "vos: [vo.example.org]", "vos: [vo..example.org]"),
        (
            ONE,
            "[vo.example.org, vo.imagine.example]",
            "vo.example.org",
        ),
        (ONE, "13 }", "13, vos: [vo_example_org] }"),
    ] {
        let answer = answer(&[edit]);
        assert_eq!(answer.len(), 1, "{edit:?}: {answer:#?}");
    }
}

#[test]
fn five_mistakes_in_three_files_are_five_problems_in_order() {
    let edits = [
        (TWO, "192.0.2.21", "192.0.2.999"),
        (ONE, "address: 192.0.2.13", "adress: 192.0.2.13"),
        (FEDERATION, "1.22.3", "latest"),
        (ONE, "{ user: debian }", "debian"),
        (TWO, "domain: two", "domain: one"),
    ];
    assert_eq!(
        answer(&edits),
        [
            "federation.yaml:3:21: versions.consul: `latest` cannot be a version: digits and dots, such as 1.11.3",
            "sites/one.yaml:3:6: ssh: expected a mapping, found a text; write it as `key: value` lines, or `{ key: value }`",
            "sites/one.yaml:8:28: hosts.wn-0.adress: unknown key; did you mean `address`?",
            "sites/two.yaml:3:9: domain: `one` is already the domain label of a datacenter: domain, at sites/one.yaml:2:9",
            "sites/two.yaml:7:48: hosts.server-0.address: `192.0.2.999` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up",
        ]
    );
}
