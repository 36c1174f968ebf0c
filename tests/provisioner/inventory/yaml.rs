//! What YAML may say, and what is told of the rest.

use provisioner::inventory::{Kind, Role};

use super::{ONE, SOUND, answer, answer_to, folder, node, sound};

/// One file replaced by something which is not YAML as we read it, and the line it answers.
#[rustfmt::skip]
const NOT_YAML: &[(&str, &str)] = &[
    ("a: b\n\tc: d\n",
     "2:1: a tab in the indentation; indent with spaces"),
    ("a:\n  \tb: c\n",
     "2:3: a tab in the indentation; indent with spaces"),
    ("a: b\n---\nc: d\n",
     "2:1: a second document begins here; one file is one document: split the file, or remove the `---`"),
    ("hosts: &a { b: *a }\n",
     "1:16: hosts.b: an alias inside of the value it names; write the value out"),
    ("hosts: *a\n",
     "1:8: hosts: an alias that names nothing; `*name` stands for an earlier value marked `&name`"),
    ("hosts: { a: b\nvos: []\n",
     "2:4: hosts: a `,` or `}` is missing; close the `{` on this line or above"),
    ("hosts: [a, b\n",
     "2:1: hosts[2]: a `,` or `]` is missing; close the `[` on this line or above"),
    ("vos: [a\nhosts: b\n",
     "2:6: vos[0]: a `:` is not expected here; close the `[` on this line or above"),
    ("domain: \"one\n",
     "1:9: domain: a quoted text does not end, or has a wrong escape; look for a missing quote on this line or above"),
    ("domain: one: two\n",
     "1:12: a `:` is not expected here; put a value with `: ` in quotes, or correct the indentation"),
    ("domain: one\ntwo\n",
     "3:1: a `key: value` is expected here; correct the indentation, and see that `: ` follows the key"),
    ("vos:\n  - a\n b: c\n",
     "3:2: a `key: value` is expected here; correct the indentation, and see that `: ` follows the key"),
    ("domain: @one\n",
     "1:9: domain: a value cannot start like this; put it in quotes"),
    ("domain: o\0ne\n",
     "1:10: not YAML: found unprintable character; compare with inventories/example"),
    ("\"two\\nlines\": one\n",
     "1:1: a text with control characters, of several lines, or of more than 1024 bytes; values are short: look for a misplaced quote, `|` or `>`"),
    ("",
     "1:1: expected a mapping, found nothing; write it as `key: value` lines, or `{ key: value }`"),
    ("# nothing\n",
     "1:1: expected a mapping, found nothing; write it as `key: value` lines, or `{ key: value }`"),
    ("- a\n",
     "1:1: expected a mapping, found a list; write it as `key: value` lines, or `{ key: value }`"),
];

#[test]
fn what_is_not_yaml_is_explained() {
    for (content, expected) in NOT_YAML {
        assert_eq!(
            answer_to(ONE, content),
            [format!("sites/one.yaml:{expected}")],
            "{content}"
        );
    }
}

#[test]
fn text_is_utf8_with_or_without_a_mark() {
    let latin1 = b"datacenter: one\nsite: caf\xe9\n";
    let expected = "sites/one.yaml:2:10: not UTF-8 from here on; save the file as UTF-8";
    assert_eq!(answer_to(ONE, latin1), [expected]);
    let utf16 = b"\xff\xfed\0a\0t\0a\0";
    let expected = "sites/one.yaml:1:1: not UTF-8 from here on; save the file as UTF-8";
    assert_eq!(answer_to(ONE, utf16), [expected]);
    let slip = SOUND[1].1.replace("datacenter", "datacentre");
    let expected = "sites/one.yaml:1:1: datacentre: unknown key; did you mean `datacenter`?";
    assert_eq!(answer_to(ONE, format!("\u{feff}{slip}")), [expected]);
    for (file, text) in SOUND {
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(answer_to(file, windows), [""; 0], "{file}");
    }
}

#[test]
fn a_column_is_a_character() {
    let edit = (ONE, "{ roles: [client]", "{ 'é日': x, roles: [klient]");
    assert_eq!(
        answer(&[edit]),
        [
            "sites/one.yaml:8:11: hosts.wn-0.é日: unknown key; the keys here are roles, address, public_address, kind, vos, gpus, volume, ssh, waive, extra_hcl, extra_yaml, name",
            "sites/one.yaml:8:28: hosts.wn-0.roles[0]: `klient` is no word known here; did you mean `client`?",
        ]
    );
}

#[test]
fn a_slip_that_leaves_the_rest_readable_does_not_hide_the_rest() {
    let edits = [
        (
            ONE,
            "domain: one\n",
            "domain: one\ndomain: uno\n? [a]\n: b\n? ~\n: !!str c\n",
        ),
        (ONE, "13 }", "13, <<: x }"),
        (ONE, "[client]", "[klient]"),
    ];
    assert_eq!(
        answer(&edits),
        [
            "sites/one.yaml:3:1: domain: said twice; first on line 2; keep one of them",
            "sites/one.yaml:4:3: a key which is not a text; a key is one word before a `:`",
            "sites/one.yaml:6:3: a key which is not a text; a key is one word before a `:`",
            "sites/one.yaml:7:3: a tag, such as `!!str`, has no meaning here; remove it: every value is text already",
            "sites/one.yaml:13:19: hosts.wn-0.roles[0]: `klient` is no word known here; did you mean `client`?",
            "sites/one.yaml:13:53: hosts.wn-0: `<<` wants a mapping or a list of mappings; name one as in `<<: *defaults`",
        ]
    );
}

#[test]
fn merge_keys_and_aliases_mean_what_they_name() {
    let hosts = "  wn-0: &wn { roles: &client [client], address: 192.0.2.13, kind: batch }
  wn-1: { <<: *wn, address: 192.0.2.14, kind: tryme }
  wn-2: { address: 192.0.2.15, <<: [{ kind: tryme }, *wn] }
  wn-3: { roles: *client, address: 192.0.2.16 }
  <<: { wn-3: { roles: *client, address: 192.0.2.17 } }
";
    let edit = (
        ONE,
        "  wn-0: { roles: [client], address: 192.0.2.13 }\n",
        hosts,
    );
    let inventory = sound(folder(&[edit]).path());
    let hosts = inventory.hosts();
    for (name, address, kind) in [
        ("one-wn-0", "192.0.2.13", Kind::Batch),
        ("one-wn-1", "192.0.2.14", Kind::TryMe),
        ("one-wn-2", "192.0.2.15", Kind::TryMe),
        ("one-wn-3", "192.0.2.16", Kind::Compute),
    ] {
        let (_, host) = hosts[&node(name)];
        assert_eq!(
            (host.address.to_string().as_str(), host.kind),
            (address, kind),
            "{name}"
        );
        assert!(host.has(Role::Client));
    }
}

/// A mistake in an anchored value is mended in one place, however often the value is used.
#[test]
fn a_mistake_that_aliases_repeat_is_said_once() {
    let edits = [
        (ONE, "wn-0: {", "wn-0: &wn { kind: gpu,"),
        (
            ONE,
            "13 }\n",
            "13 }\n  wn-1: { <<: *wn, address: 192.0.2.14 }\n",
        ),
    ];
    assert_eq!(
        answer(&edits),
        [
            "sites/one.yaml:8:21: hosts.wn-0.kind: `gpu` is no word known here; the words are compute, batch, tryme"
        ]
    );
}
