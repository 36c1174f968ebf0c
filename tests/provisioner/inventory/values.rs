//! Values that cannot be read: one edit each, and where it is named.

use super::{FEDERATION, ONE, TWO, answer};

/// One edit each, and the one line it answers.
#[rustfmt::skip]
const WRONG_VALUES: &[(&str, &str, &str, &str)] = &[
    // Keys.
    (ONE, "13 }", "13, disk: 2 }",
     "sites/one.yaml:8:49: hosts.wn-0.disk: unknown key; the keys here are roles, address, public_address, kind, vos, gpus, volume, ssh, waive, extra_hcl, extra_yaml, name"),
    (ONE, "address: 192.0.2.13", "adress: 192.0.2.13",
     "sites/one.yaml:8:28: hosts.wn-0.adress: unknown key; did you mean `address`?"),
    (ONE, "13 }", "13, addr: x }",
     "sites/one.yaml:8:49: hosts.wn-0.addr: unknown key; did you mean `address`?"),
    (FEDERATION, "nomad: 1.11.3, ", "",
     "federation.yaml:3:11: versions.nomad: missing; add `nomad: 1.11.3`"),
    (ONE, ", address: 192.0.2.13", "",
     "sites/one.yaml:8:9: hosts.wn-0.address: missing; add `address: 192.0.2.14`"),
    (TWO, "domain: two\n", "",
     "sites/two.yaml:1:1: domain: missing; add `domain: one`"),
    // Kinds of values.
    (ONE, "domain: one", "domain:",
     "sites/one.yaml:2:1: domain: expected a text, found nothing; write one value after the `:`"),
    (ONE, "domain: one", "domain: ~",
     "sites/one.yaml:2:1: domain: expected a text, found nothing; write one value after the `:`"),
    (ONE, "domain: one", "domain: [one]",
     "sites/one.yaml:2:9: domain: expected a text, found a list; write one value after the `:`"),
    (ONE, "{ user: debian }", "debian",
     "sites/one.yaml:3:6: ssh: expected a mapping, found a text; write it as `key: value` lines, or `{ key: value }`"),
    (ONE, "[client]", "client",
     "sites/one.yaml:8:18: hosts.wn-0.roles: expected a list, found a text; write it as `[one, two]`; `[]` is empty"),
    (ONE, "[client]", "[{ client: yes }]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: expected a text, found a mapping; write one value after the `:`"),
    (ONE, "wn-0: {", "wn-0: [] #",
     "sites/one.yaml:8:9: hosts.wn-0: expected a mapping, found a list; write it as `key: value` lines, or `{ key: value }`"),
    (ONE, "domain: one", "domain: |\n  one\n  two",
     "sites/one.yaml:3:3: domain: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    (ONE, "domain: one", "domain: \"\\e[31m\"",
     "sites/one.yaml:2:9: domain: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    // Names.
    (FEDERATION, "federation: example", "federation: Example",
     "federation.yaml:1:13: federation: `Example` cannot be a federation name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (FEDERATION, "1.11.3", "v1.11.3",
     "federation.yaml:3:36: versions.nomad: `v1.11.3` cannot be a version: digits and dots, such as 1.11.3"),
    (FEDERATION, "  vo.imagine.example:", "  imagine:",
     "federation.yaml:8:3: vos.imagine: `imagine` cannot be a VO name: at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most"),
    (FEDERATION, "namespace: imagine", "namespace: ''",
     "federation.yaml:8:36: vos.vo.imagine.example.namespace: `` cannot be a namespace: 1 to 128 of a-z, A-Z, 0-9 and -"),
    (FEDERATION, "domain: deployments.imagine.example", "domain: localhost",
     "federation.yaml:8:53: vos.vo.imagine.example.domain: `localhost` cannot be a domain name: at least two labels of a-z, 0-9 and -, joined by dots, 253 characters at most"),
    (ONE, "wn-0:", "wn_0:",
     "sites/one.yaml:8:3: hosts.wn_0: `wn_0` cannot be a host name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (ONE, "13 }", "13, name: Wn }",
     "sites/one.yaml:8:55: hosts.wn-0.name: `Wn` cannot be a node name: 1 to 63 of a-z, 0-9 and -, with neither end a -"),
    (ONE, "user: debian", "user: Debian",
     "sites/one.yaml:3:14: ssh.user: `Debian` cannot be a user name: 1 to 32 of a-z, 0-9, - and _, starting with a letter or _"),
    (TWO, "site: EXAMPLE-TWO", "site: 'EXAMPLE TWO'",
     "sites/two.yaml:1:7: site: `EXAMPLE TWO` cannot be a site name: 1 to 100 of a-z, A-Z, 0-9, -, _ and ., starting with a letter or digit"),
    // Numbers, addresses, versions, images.
    (TWO, "2222", "0",
     "sites/two.yaml:4:28: ssh.port: `0` cannot be a TCP port; a port is 1 to 65535; without the key it is 22"),
    (ONE, "192.0.2.13", "192.0.2",
     "sites/one.yaml:8:37: hosts.wn-0.address: `192.0.2` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "127.0.0.1",
     "sites/one.yaml:8:37: hosts.wn-0.address: `127.0.0.1` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "255.255.255.255",
     "sites/one.yaml:8:37: hosts.wn-0.address: `255.255.255.255` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "192.0.2.13", "\"fe80::1\"",
     "sites/one.yaml:8:37: hosts.wn-0.address: `fe80::1` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (ONE, "13 }", "13, public_address: wn.example.org }",
     "sites/one.yaml:8:65: hosts.wn-0.public_address: `wn.example.org` cannot be the IP address of a host; write it as 192.0.2.10 or 2001:db8::10; names are not looked up"),
    (FEDERATION, "20.10.24+dfsg1-1", "'20.10; reboot'",
     "federation.yaml:4:42: docker.version: `20.10; reboot` cannot be the version of a package; copy it from `apt-cache policy docker.io` (or `docker-ce`)"),
    (FEDERATION, "atoll/probe:1.35", "localhost:5000/probe",
     "federation.yaml:5:18: verify.image: `localhost:5000/probe` cannot be a pinned image; name it with its tag, as in `atoll/probe:1.35`"),
    (FEDERATION, "atoll/probe:1.35", "atoll/probe:latest",
     "federation.yaml:5:18: verify.image: `atoll/probe:latest` cannot be a pinned image; name it with its tag, as in `atoll/probe:1.35`"),
    // Words.
    (FEDERATION, "source: distribution", "source: debian",
     "federation.yaml:4:19: docker.source: `debian` is no word known here; the words are distribution, vendor"),
    (FEDERATION, "verify:", "introduction: strickt\nverify:",
     "federation.yaml:5:15: introduction: `strickt` is no word known here; did you mean `strict`?"),
    (ONE, "[client]", "[cliant]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: `cliant` is no word known here; did you mean `client`?"),
    (ONE, "[client]", "[worker]",
     "sites/one.yaml:8:19: hosts.wn-0.roles[0]: `worker` is no word known here; the words are consul-server, nomad-server, server, gateway, client, accounting"),
    (ONE, "13 }", "13, kind: gpu }",
     "sites/one.yaml:8:55: hosts.wn-0.kind: `gpu` is no word known here; the words are compute, batch, tryme"),
];

#[test]
fn a_wrong_value_is_named_where_it_stands() {
    for (file, from, to, expected) in WRONG_VALUES {
        assert_eq!(answer(&[(file, from, to)]), [*expected], "{from} → {to}");
    }
}
