//! Inventories that operators have already: what becomes of them, and what each mistake answers.

mod bounds;
mod mistakes;
mod round_trip;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use federation::names::VoName;
use provisioner::inventory::load;
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn fixture(case: &str) -> PathBuf {
    repository().join("tests/fixtures/ansible").join(case)
}

fn atoll(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atoll"));
    command.args(arguments).output().unwrap()
}

/// Runs an import, and gives its exit code with what it said, line by line.
fn import(source: &Path, out: &Path, flags: &[&str]) -> (i32, Vec<String>) {
    let (source, out) = (source.to_str().unwrap(), out.to_str().unwrap());
    let arguments = [&["import", "ansible", source, "--out", out], flags].concat();
    let output = atoll(&arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().map(str::to_owned).collect();
    (output.status.code().unwrap(), lines)
}

/// Imports a case into a new folder.
fn imported(case: &str, flags: &[&str]) -> (TempDir, i32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (code, lines) = import(&fixture(case), folder.path(), flags);
    (folder, code, lines)
}

/// The lines that are of one severity, each from its word on.
fn of(severity: &str, lines: &[String]) -> Vec<String> {
    let word = format!(" {severity}: ");
    let of = |line: &String| Some(line.split_once(&word)?.1.to_owned());
    lines.iter().filter_map(of).collect()
}

/// The files of a folder and their texts.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

const SITES: [(&str, &str); 4] = [
    ("ifca", "CSIC-IFCA"),
    ("incd", "INCD"),
    ("tubitak", "TUBITAK"),
    ("walton", "WALTON"),
];

/// One federation of four sites, imported one after the other.
fn four_sites() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (case, site) in SITES {
        let (code, lines) = import(&fixture(case), folder.path(), &["--site", site]);
        assert_eq!(code, 0, "{case}: {lines:#?}");
    }
    folder
}

#[test]
fn the_committed_federation_is_what_an_import_writes() {
    let folder = four_sites();
    let committed = repository().join("inventories/ai4os");
    let (wanted, found) = (files(&committed), files(folder.path()));
    assert_eq!(
        wanted.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (name, text) in &found {
        assert_eq!(
            text,
            &wanted[name],
            "{}: import the fixtures anew",
            name.display()
        );
    }
}

#[test]
fn the_four_sites_are_one_inventory() {
    let inventory = load(&repository().join("inventories/ai4os"))
        .unwrap()
        .inventory;
    assert_eq!(inventory.federation.primary.as_str(), "ifca-ai4eosc");
    assert!(inventory.federation.external.consul_servers.is_empty());
    let sites: Vec<_> = inventory
        .sites
        .values()
        .map(|site| {
            let gpus = site
                .hosts
                .values()
                .filter(|host| host.gpus.is_some())
                .count();
            let vos: Vec<_> = site.vos.iter().map(VoName::as_str).collect();
            (site.datacenter.as_str(), site.hosts.len(), gpus, vos)
        })
        .collect();
    let (tutorials, ai4eosc, imagine) =
        ("tutorials.ai4eosc.eu", "vo.ai4eosc.eu", "vo.imagine-ai.eu");
    assert_eq!(
        sites,
        [
            ("ifca-ai4eosc", 10, 3, vec![tutorials, ai4eosc, imagine]),
            ("incd-ai4eosc", 6, 1, vec![ai4eosc, imagine]),
            ("tubitak-imagine", 5, 3, vec![imagine]),
            ("walton-imagine", 4, 0, vec![imagine]),
        ]
    );
    let nodes: Vec<_> = inventory.hosts().keys().map(ToString::to_string).collect();
    for node in [
        "ifca-ai4eosc-traefik",
        "ifca-ai4eosc-tn-cpu-0",
        "incd-ai4eosc-wn-cpu-1",
    ] {
        assert!(nodes.iter().any(|known| known == node), "{node}");
    }
}

#[test]
fn a_site_alone_names_the_servers_of_the_others() {
    let (folder, code, _) = imported("walton", &[]);
    assert_eq!(code, 0);
    let federation = load(folder.path()).unwrap().inventory.federation;
    let servers = &federation.external.consul_servers;
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    let others = [
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.13",
        "198.51.100.11",
        "203.0.113.11",
    ];
    assert_eq!(servers, others);
    assert_eq!(
        federation.external.nomad_servers,
        federation.external.consul_servers
    );
    let (code, _) = import(&fixture("ifca"), folder.path(), &[]);
    assert_eq!(code, 0);
    let federation = load(folder.path()).unwrap().inventory.federation;
    assert_eq!(federation.external.consul_servers.len(), 2);
    assert!(
        federation.nvidia.is_some(),
        "the first site with GPUs adds them"
    );
    assert_eq!(federation.vos.len(), 4);
}

#[test]
fn the_grammar_of_ini_is_read_as_ansible_reads_it() {
    let (folder, code, lines) = imported("ini", &[]);
    assert_eq!(code, 0, "{lines:#?}");
    let site = fs::read_to_string(folder.path().join("sites/quoted-dc.yaml")).unwrap();
    let hosts: Vec<_> = site.split("hosts:\n").nth(1).unwrap().lines().collect();
    assert_eq!(
        hosts,
        [
            "  gw: { roles: [gateway], address: 192.0.2.12, name: quoted-dc-traefik }",
            "  node-08: { roles: [client], address: 192.0.2.48, ssh: { port: 2222 }, kind: batch, name: quoted-dc-wn-cpu-0 }",
            "  node-09: { roles: [client], address: 192.0.2.49, ssh: { port: 2222 }, kind: batch, name: quoted-dc-wn-cpu-1 }",
            "  node-10: { roles: [client], address: 192.0.2.50, ssh: { port: 2222 }, kind: batch, name: quoted-dc-wn-cpu-2 }",
            "  node-b: { roles: [client], address: 192.0.2.61, ssh: { user: debian }, kind: batch, name: quoted-dc-wn-cpu-4 }",
            "  node-x: { roles: [client], address: 192.0.2.60, name: quoted-dc-wn-cpu-3 }",
            "  server-0: { roles: [server], address: 192.0.2.11 }",
        ]
    );
    let decide = of("decide", &lines);
    for part in [
        "no group `nomad_cpu_client` is known, so it gives its hosts no role; did you mean `nomad_cpu_clients`?",
        "`nomad_namespaces` of the group `nomad_cpu_clients` has no effect; Ansible takes that of group_vars/all.yml:4",
    ] {
        assert!(
            decide.iter().any(|line| line.starts_with(part)),
            "{part}: {decide:#?}"
        );
    }
    let report = fs::read_to_string(folder.path().join("IMPORT-REPORT.md")).unwrap();
    for part in [
        "`hosts:2:1`: `alone` is in no group with a role",
        "`hosts:5:34`: nothing of ai4-ansible reads `note`",
        "`hosts:12:1`: the host `Node_X` is called `node-x`",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

/// The lists are what `ansible-inventory` of ansible-core 2.19 printed of the same cases, so this
/// compares who sees which variable with what Ansible itself says.
#[test]
fn what_ansible_lists_is_the_same_inventory() {
    for (case, site) in [("incd", "incd-ai4eosc"), ("ini", "quoted-dc")] {
        let (own, ..) = imported(case, &[]);
        let (listed, code, lines) = imported(&format!("list/{case}.json"), &[]);
        assert_eq!(code, 0, "{lines:#?}");
        let (own, listed) = (files(own.path()), files(listed.path()));
        for name in ["federation.yaml".to_owned(), format!("sites/{site}.yaml")] {
            let name = Path::new(&name);
            let listed = listed[name].replace(&format!("`{case}.json`"), "`hosts`");
            assert_eq!(own[name], listed, "{case}");
        }
    }
}

/// A case in a folder of its own, to be changed.
fn copy(case: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&fixture(case)) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_site_is_added_to_its_own_federation_alone() {
    let folder = four_sites();
    let before = files(folder.path());
    let (code, _) = import(&fixture("walton"), folder.path(), &["--site", "WALTON"]);
    assert_eq!(code, 0);
    assert_eq!(
        files(folder.path()),
        before,
        "an import twice is an import once"
    );

    let site = folder.path().join("sites/walton.yaml");
    let edited = before[Path::new("sites/walton.yaml")].replace("user: ubuntu", "user: debian");
    fs::write(&site, edited).unwrap();
    let (code, lines) = import(&fixture("walton"), folder.path(), &["--site", "WALTON"]);
    assert_eq!(code, 1);
    assert!(of("error", &lines)[0].starts_with("sites/walton.yaml is there already, and differs"));

    let (code, lines) = import(&fixture("ini"), folder.path(), &[]);
    assert_eq!(code, 1);
    let wanted = "this is a site of the federation `ai4os` with the primary `quoted-dc`";
    assert!(lines.iter().any(|line| line.contains(wanted)), "{lines:#?}");

    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("thesis.tex"), "").unwrap();
    assert_eq!(import(&fixture("walton"), foreign.path(), &[]).0, 2);
    assert_eq!(import(Path::new("/nowhere"), foreign.path(), &[]).0, 2);
}

#[test]
fn an_authors_federation_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    import(&fixture("walton"), folder.path(), &[]);
    let path = folder.path().join("federation.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let own = text
        .replace("vos:\n", "vos:   # ours\n")
        .replace("introduction: warn  ", "introduction: strict");
    fs::write(&path, &own).unwrap();
    let (code, lines) = import(&fixture("tubitak"), folder.path(), &[]);
    assert_eq!(code, 0, "{lines:#?}");
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.contains("vos:   # ours") && kept.contains("introduction: strict"));
    assert!(
        kept.contains("nvidia:") && !kept.contains("203.0.113.11"),
        "{kept}"
    );
}

#[test]
fn programs_get_each_finding_as_a_line_of_json() {
    let (_, code, lines) = imported("walton", &["--output", "json"]);
    assert_eq!(code, 0);
    let lines: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, findings) = lines.split_last().unwrap();
    assert_eq!(last["findings"], findings.len());
    let cni = findings
        .iter()
        .find(|it| it["what"].as_str().unwrap().contains("nomad_cni_version"))
        .unwrap();
    assert_eq!(cni["severity"], "changed");
    assert_eq!(cni["file"], "group_vars/all.yml");
    assert_eq!((&cni["line"], &cni["column"]), (&33.into(), &1.into()));
    assert!(cni["hint"].is_string());
}

#[test]
fn what_ssh_is_configured_for_is_how_hosts_are_reached() {
    let config = fixture("ssh/ssh_config");
    let (folder, code, lines) = imported("ssh", &["--ssh-config", config.to_str().unwrap()]);
    assert_eq!(code, 0, "{lines:#?}");
    let site = fs::read_to_string(folder.path().join("sites/ssh-example.yaml")).unwrap();
    for line in [
        "ssh: { user: debian, jump: [\"gate@203.0.113.5:2222\", ubuntu@192.0.2.11] }",
        "  node-0: { roles: [client], address: 198.51.100.21, ssh: { port: 2200 }, name: ssh-example-wn-cpu-0 }",
        "  node-1: { roles: [client], address: 198.51.100.22, ssh: { port: 2200, user: root }, name: ssh-example-wn-cpu-1 }",
        "  server-0: { roles: [server], address: 192.0.2.11 }",
    ] {
        assert!(site.contains(&format!("{line}\n")), "{line}: {site}");
    }
    let report = fs::read_to_string(folder.path().join("IMPORT-REPORT.md")).unwrap();
    for part in [
        "ssh_config:16:3`: the SSH option `identityfile` is not taken over; name the key with",
        "ssh_config:19:1`: the included files were not read",
        "ssh_config:20:1`: `Match exec true` was not read",
        "ssh_config:10:3`: not all hosts are reached through gate@203.0.113.5:2222, then ubuntu@192.0.2.11",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn what_is_to_be_typed_next_can_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("my federation");
    let (code, lines) = import(&fixture("walton"), &out, &[]);
    assert_eq!(code, 0, "{lines:#?}");
    let (report, folder) = (out.join("IMPORT-REPORT.md"), out.display());
    let next = format!(
        "next: read '{}', then `atoll check '{folder}'`",
        report.display()
    );
    assert_eq!(lines.last(), Some(&next));
}
