//! What the scripts of an apply do on hosts, and what they do not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use provisioner::apply::{Facts, Wish, facts_script, query};
use provisioner::artifacts::digest_of;
use provisioner::secrets::{Identity, Store, keygen};

use super::World;
use super::host::{Host, calls, prelude};

const WORKER: &str = "example-one-wn-1";
const SERVER: &str = "example-one-server-0";

#[test]
fn programs_lie_in_folders_of_their_version_behind_a_link() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    for (product, version) in [("consul", "1.22.3"), ("nomad", "1.11.3")] {
        let wanted = host.wanted(&Facts::default());
        let program = wanted
            .programs
            .iter()
            .find(|program| program.product == product);
        let program = program.unwrap();
        assert_eq!(
            program.path(),
            format!("/opt/atoll/{product}/{version}/{product}")
        );
        assert_eq!(program.link(), format!("/usr/local/bin/{product}"));
        let told = host.calls_for(&Facts::default());
        assert!(
            told.contains(&format!("link {product} {version}")),
            "{told:?}"
        );
    }
}

/// Each file that a host is given is pinned, and checked again when it has arrived.
#[test]
fn all_that_hosts_are_given_is_pushed_and_has_its_digest() {
    let world = World::example();
    for node in [WORKER, SERVER] {
        let host = Host::of(&world, node);
        let batches = host.batches(&Facts::default());
        let told: Vec<_> = batches
            .iter()
            .flat_map(|batch| calls(&batch.script))
            .collect();
        let given: Vec<_> = batches.iter().flat_map(|batch| &batch.artifacts).collect();
        assert!(given.len() > 2, "{node}: {given:?}");
        for artifact in given {
            let checked = told.iter().any(|call| call.ends_with(&artifact.digest));
            assert!(checked, "{node}: {}: {told:?}", artifact.path);
        }
    }
}

#[test]
fn a_program_that_arrived_damaged_is_not_installed() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let told = host.calls_for(&Facts::default());
    let call = told
        .iter()
        .find(|call| call.starts_with("program consul "))
        .unwrap();
    let (call, pinned) = call.rsplit_once(' ').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let script = prelude(&host)
        .replace("/opt/atoll", &format!("{root}/opt"))
        .replace("/var/lib/atoll", &format!("{root}/var"))
        .replace("chown root:root", "true");
    let install = |digest: &str| {
        let stage = format!("{root}/stage");
        let arrived = format!("{stage}/artifacts/consul/1.22.3");
        fs::create_dir_all(&arrived).unwrap();
        fs::create_dir_all(format!("{root}/var")).unwrap();
        fs::write(format!("{arrived}/consul"), "what arrived").unwrap();
        let program = format!("{script}\nstage={stage}\nundo={stage}/undo\n{call} {digest}\n");
        let output = Command::new("sh").arg("-c").arg(program).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), said)
    };
    let installed = format!("{root}/opt/consul/1.22.3/consul");
    let (good, said) = install(pinned);
    assert!(
        !good && said.contains("arrived with another SHA-256"),
        "{said}"
    );
    assert!(!fs::exists(&installed).unwrap(), "{said}");

    let (good, said) = install(&digest_of(b"what arrived"));
    assert!(good, "{said}");
    assert_eq!(fs::read_to_string(&installed).unwrap(), "what arrived");
    let mode = fs::metadata(&installed).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

/// Nothing on a host fetches, unpacks, makes keys, or interprets another language.
#[test]
fn hosts_run_no_tool_that_a_push_makes_needless() {
    let world = World::example();
    let needless = [
        "ansible",
        "apt",
        "apt-get",
        "cfssl",
        "cfssljson",
        "crontab",
        "curl",
        "docker-compose",
        "dnf",
        "git",
        "jq",
        "keygen",
        "openssl",
        "perl",
        "pip",
        "pip3",
        "python",
        "python3",
        "ssh",
        "unzip",
        "update-grub",
        "wget",
        "zip",
    ];
    for node in [WORKER, SERVER] {
        let host = Host::of(&world, node);
        let facts = facts_script(&query(world.host(node), host.files(), true));
        let batches = host.batches(&Facts::default());
        let scripts = batches.iter().map(|batch| batch.script.clone());
        for script in scripts.chain([facts]) {
            // What lies in apt's folder is read by apt, and runs nothing.
            let code = script.replace("/etc/apt/", "/etc/");
            let code = code
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'));
            for line in code {
                let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                let found: Vec<_> = words.filter(|word| needless.contains(word)).collect();
                assert!(found.is_empty(), "{node}: {found:?} in {line}");
            }
        }
    }
}

/// Nothing goes into people's homes, shells or environment, and nothing stays in the stage.
#[test]
fn scripts_leave_homes_shells_and_the_environment_alone() {
    let world = World::example();
    for node in [WORKER, SERVER] {
        for batch in Host::of(&world, node).batches(&Facts::default()) {
            for place in [
                "/home",
                "/root",
                "/etc/environment",
                ".bashrc",
                "/etc/profile",
                "/tmp",
            ] {
                assert!(!batch.script.contains(place), "{node}: {place}");
                let texts = batch.texts.keys();
                let found: Vec<_> = texts.filter(|path| path.contains(place)).collect();
                assert!(found.is_empty(), "{node}: {found:?}");
            }
            assert!(
                batch.stage.starts_with("/var/lib/atoll/stage/"),
                "{}",
                batch.stage
            );
            let (_, keep) = batch.script.split_once("\nkeep() {").unwrap();
            assert!(
                keep.split_once("\n}")
                    .unwrap()
                    .0
                    .contains("rm -rf \"$stage\"")
            );
        }
    }
}

/// What a file holds travels beside the script: no command line shows it.
#[test]
fn scripts_hold_no_secret() {
    let world = World::example();
    for node in [WORKER, SERVER] {
        let host = Host::of(&world, node);
        for batch in host.batches(&Facts::default()) {
            for value in host.values() {
                assert!(!batch.script.contains(&value), "{node}: {}", batch.wave);
            }
        }
    }
}

#[test]
fn what_is_wanted_can_be_shown_without_its_secrets() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let shown = format!("{:?}", host.wanted(&Facts::default()));
    for value in host.values() {
        assert!(!shown.contains(&value), "{shown}");
    }
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn accounts_are_system_accounts_without_a_shell() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let told = host.calls_for(&Facts::default());
    let accounts = told.iter().find(|call| call.starts_with("accounts "));
    for expected in [" consul /etc/consul.d", " nomad /etc/nomad.d"] {
        assert!(accounts.unwrap().contains(expected), "{told:?}");
    }
    let prelude = prelude(&host);
    let (_, account) = prelude.split_once("\naccounts() {").unwrap();
    let account = account.split_once("\n}").unwrap().0;
    // sysusers.d(5): such a line makes a system account with a group of its name.
    let line = r#"printf 'u %s - "" %s /usr/sbin/nologin\n' "$@" | systemd-sysusers -"#;
    assert!(account.contains(line), "{account}");
}

/// A converged host is asked one thing: everything. The question is a shell script that writes
/// nothing.
#[test]
fn one_question_asks_a_host_for_everything() {
    let world = World::example();
    let host = Host::of(&world, WORKER);
    let script = facts_script(&query(world.host(WORKER), host.files(), false));
    for section in [
        "paths", "digests", "services", "packages", "images", "texts",
    ] {
        assert!(
            script.contains(&format!("echo '== {section}'")),
            "{section}"
        );
    }
    for writes in [" >/", "tee", "rm ", "mv ", "cp ", "mkdir", "install "] {
        let script = script.replace("2>/dev/null", "");
        assert!(!script.contains(writes), "{writes} in {script}");
    }
}

/// Private keys are not read back: they go to hosts and never come from them.
#[test]
fn keys_are_made_here_and_never_fetched() {
    let world = World::example();
    let host = Host::of(&world, SERVER);
    let asked = query(world.host(SERVER), host.files(), true);
    assert!(asked.certificates.iter().all(|path| !path.contains("key")));
    let script = facts_script(&asked);
    for path in host.keys() {
        assert!(!script.contains(&format!("cat {path}")), "{path}");
    }
    assert!(!host.keys().is_empty());
}

/// The keys with which authorities sign stay with the operator, whatever a host is sent.
#[test]
fn no_authority_s_key_is_sent() {
    let world = World::example();
    for node in [WORKER, SERVER] {
        let host = Host::of(&world, node);
        for file in host.wanted(&Facts::default()).files {
            if let Wish::Text(text) = &file.wish {
                assert!(!text.contains("PRIVATE KEY"), "{node}: {}", file.path);
            }
        }
    }
}

/// The operator's own folder of secrets is for the operator alone, and so are its files.
#[test]
fn the_operator_s_secrets_are_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::example();
    let identity = folder.path().join("identity");
    keygen(&identity).unwrap();
    let mut store = Store::open(folder.path(), &Identity::from_file(&identity).unwrap()).unwrap();
    store.ensure(&world.plan.secrets().into_iter().collect::<Vec<_>>());
    store.save().unwrap();
    let secrets = folder.path().join("secrets");
    for path in [identity, secrets.join("federation.age"), secrets] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

/// The bootstrap of the rights is asked for through the API, and no file resets it.
#[test]
fn no_bootstrap_is_reset_by_a_run() {
    let world = World::example();
    for node in world.plan.hosts.keys() {
        for batch in Host::of(&world, node.as_str()).batches(&Facts::default()) {
            assert!(!batch.script.contains("acl-bootstrap-reset"), "{node}");
            assert!(
                !batch.texts.keys().any(|path| path.contains("bootstrap")),
                "{node}"
            );
        }
    }
}
