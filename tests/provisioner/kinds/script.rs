//! What a host with a volume is told to do, and in which order.

use provisioner::apply::{
    Batch, Facts, PathFact, ServiceFact, Wanted, WantedFile, WantedPackages, What, Wish, batch,
    changes,
};
use provisioner::plan::{Plan, Wave, plan};
use provisioner::render::{Body, Overrides, render};

use super::{host, kinds};

/// What a host should have, but for what only a store and a lock could give.
fn wanted(plan: &Plan, node: &str) -> Wanted {
    let rendered = render(plan, &Overrides::default()).unwrap();
    let host = host(plan, node);
    let files = rendered.hosts[&host.node].iter().filter_map(|file| {
        let Body::Text(text) = &file.body else {
            return None;
        };
        Some(WantedFile {
            path: file.path.clone(),
            access: file.access,
            wave: file.wave,
            on_change: file.on_change,
            wish: Wish::Text(text.to_string()),
        })
    });
    let packages = host.packages.iter().map(|package| WantedPackages {
        set: package.set,
        name: package.name,
        version: package.version.clone(),
        artifacts: Vec::new(),
    });
    Wanted {
        accounts: host.accounts.clone(),
        directories: host.directories.clone(),
        files: files.collect(),
        units: host.units.clone(),
        programs: Vec::new(),
        packages: packages.collect(),
        images: Vec::new(),
        storage: host.storage,
    }
}

/// What a bare host is told in a wave.
fn told(wanted: &Wanted, wave: Wave) -> Batch {
    told_with(wanted, &Facts::default(), wave)
}

/// What a host of which this is known is told in a wave.
fn told_with(wanted: &Wanted, facts: &Facts, wave: Wave) -> Batch {
    let changes = changes(wanted, facts).unwrap();
    batch("test", wave, &changes, wanted, facts).unwrap()
}

/// Where a script calls something; what it may call is written before the first call.
fn at(batch: &Batch, call: &str) -> usize {
    let calls = batch.script.lines().skip_while(|line| *line != "begin");
    let found = calls
        .collect::<Vec<_>>()
        .iter()
        .position(|line| line.starts_with(call));
    found.unwrap_or_else(|| panic!("`{call}` is not in\n{}", batch.script))
}

#[test]
fn a_volume_is_mounted_before_anything_is_put_on_it() {
    let plan = plan(&kinds());
    let wanted = wanted(&plan, "example-one-wn-cpu-0");
    let base = told(&wanted, Wave::Base);
    let order = [
        "files 0644 root root /etc/",
        "go",
        "place",
        "enable mnt-data.mount",
        "reload_units",
        "start mnt-data.mount",
        "packages docker",
        "start docker",
    ];
    assert!(
        order.map(|call| at(&base, call)).is_sorted(),
        "{}",
        base.script
    );
    assert!(!base.script.contains(" /mnt/data"), "{}", base.script);
    let clients = told(&wanted, Wave::NomadClients);
    let order = [
        "directories 0700 root root /mnt/data/nomad /mnt/data/nomad/client",
        "start nomad",
    ];
    assert!(
        order.map(|call| at(&clients, call)).is_sorted(),
        "{}",
        clients.script
    );
}

/// What would be made below a mount point before there is anything mounted on it, nobody finds.
#[test]
fn no_wave_is_sent_ahead_of_a_volume() {
    let plan = plan(&kinds());
    for (node, expected) in [
        ("example-one-wn-cpu-0", false),
        ("example-one-gateway-0", true),
    ] {
        let mut wanted = wanted(&plan, node);
        wanted.packages.clear();
        let (base, next) = (told(&wanted, Wave::Base), told(&wanted, Wave::NomadClients));
        assert_eq!(next.may_be_sent_during(&base), expected, "{node}");
    }
}

/// A folder that is there may be in use: it gets owner and mode when it is the wave's turn.
#[test]
fn folders_in_use_are_not_touched_before_the_turn() {
    let plan = plan(&kinds());
    let wanted = wanted(&plan, "example-one-gateway-0");
    let mut facts = Facts::default();
    let there = PathFact {
        mode: 0o777,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        identity: String::new(),
        is_directory: true,
        target: None,
    };
    facts.paths.insert("/opt/consul".to_owned(), there);
    let batch = told_with(&wanted, &facts, Wave::Base);
    let (before, after) = batch.script.rsplit_once("\ngo\n").unwrap();
    assert!(!before.contains(" /opt/consul"), "{before}");
    assert!(
        after.contains("directories 0700 consul consul /opt/consul\n"),
        "{after}"
    );
    assert!(before.contains(" /etc/consul.d"), "{before}");
}

#[test]
fn modules_are_loaded_before_the_parameters_that_they_bring() {
    let plan = plan(&kinds());
    let mut base = wanted(&plan, "example-one-gateway-0");
    base.units.clear();
    let base = told(&base, Wave::Base);
    let order = [
        "serve restart systemd-modules-load",
        "serve restart systemd-sysctl",
        "serve restart docker",
    ];
    assert!(
        order.map(|call| at(&base, call)).is_sorted(),
        "{}",
        base.script
    );
}

#[test]
fn who_read_a_file_that_goes_away_is_restarted() {
    let plan = plan(&kinds());
    let wanted = wanted(&plan, "example-one-server-0");
    let mut facts = Facts::default();
    for path in [
        "/etc/systemd/timesyncd.conf.d/00-old.conf",
        "/etc/consul.d/zz-extra-3-host.hcl",
        "/etc/docker/daemon.json",
        "/etc/sysctl.d/98-nomad.conf",
    ] {
        facts.manifest.files.insert(path.to_owned(), String::new());
    }
    let removed = changes(&wanted, &facts)
        .unwrap()
        .into_iter()
        .filter_map(|change| match change.what {
            What::RemoveFile(path) => Some(format!("{path} {}", change.effect)),
            _ => None,
        });
    let expected = [
        "/etc/docker/daemon.json no effect on services",
        "/etc/sysctl.d/98-nomad.conf no effect on services",
        "/etc/systemd/timesyncd.conf.d/00-old.conf restarts systemd-timesyncd",
        "/etc/consul.d/zz-extra-3-host.hcl restarts consul",
    ];
    assert_eq!(removed.collect::<Vec<_>>(), expected);
}

#[test]
fn a_node_is_introduced_where_it_keeps_its_state() {
    let plan = plan(&kinds());
    for (node, folder) in [
        ("example-one-wn-cpu-0", "/mnt/data/nomad/client"),
        ("old-worker", "/opt/nomad/client"),
    ] {
        let wanted = wanted(&plan, node);
        let mut facts = Facts::default();
        let path = format!("{folder}/intro_token.jwt");
        let batch = told(&wanted, Wave::NomadClients);
        assert_eq!(batch.introduction.as_ref(), Some(&path), "{node}");
        // The token is made when it is the wave's turn: it lives for minutes.
        let order = [
            "go".to_owned(),
            format!("directories 0700 root root {folder}"),
            format!("files 0600 root root {path}"),
            "beside".to_owned(),
            "place".to_owned(),
            "start nomad".to_owned(),
            "confirm".to_owned(),
            format!("rm -f {path}"),
            "keep".to_owned(),
        ];
        let (_, turn) = batch.script.rsplit_once("\ngo\n").unwrap();
        let turn: Vec<&str> = std::iter::once("go").chain(turn.lines()).collect();
        let place = |call: &String| turn.iter().position(|line| line == call).unwrap();
        let places = order.each_ref().map(place);
        assert!(places.is_sorted(), "{turn:?}");
        assert!(batch.texts.keys().all(|text| !text.contains("intro_token")));
        let known = PathFact {
            mode: 0o600,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            identity: String::new(),
            is_directory: false,
            target: None,
        };
        facts.paths.insert(format!("{folder}/client-id"), known);
        let batch = told_with(&wanted, &facts, Wave::NomadClients);
        assert_eq!(batch.introduction, None, "{node}");
        assert!(!batch.script.contains("intro_token"), "{node}");
    }
}

/// Asking systemd takes longer than most of a wave: a unit that it has never read need not be
/// read anew.
#[test]
fn systemd_is_asked_only_of_units_that_it_knows() {
    let plan = plan(&kinds());
    let wanted = wanted(&plan, "old-worker");
    for (loaded, expected) in [(false, None), (true, Some("reload_units consul.service"))] {
        let mut facts = Facts::default();
        let consul = ServiceFact {
            loaded,
            ..ServiceFact::default()
        };
        facts.services.insert("consul".to_owned(), consul);
        let batch = told_with(&wanted, &facts, Wave::ConsulClients);
        let (_, calls) = batch.script.rsplit_once("\nbegin\n").unwrap();
        let asked = calls.lines().find(|call| call.starts_with("reload_units"));
        assert_eq!(asked, expected);
        let again = calls.lines().any(|call| call == "enabled consul");
        assert_eq!(again, loaded, "{calls}");
    }
}
