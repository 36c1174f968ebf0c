//! Images that try-me nodes have beforehand.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use provisioner::plan::{NodeType, OnChange, Service};

use super::World;
use crate::golden::{fixture, name};

const NODE: &str = "example-one-wn-tryme-0";
const SCRIPT: &str = "/usr/local/lib/atoll/pull-images";
const SERVICE: &str = "/etc/systemd/system/atoll-image-pull.service";
const TIMER: &str = "/etc/systemd/system/atoll-image-pull.timer";
const IMAGES: [&str; 2] = [
    "registry.example.org/modules/plants:2.1",
    "registry.example.org:5000/ui:1.0",
];

fn world() -> World {
    World::of(&fixture("kinds"))
}

#[test]
fn try_me_nodes_and_no_others_pull_the_images_of_their_site() {
    let world = world();
    for (node, host) in &world.plan.hosts {
        let is_tryme = host.node_type == Some(NodeType::TryMe);
        let has = |path: &str| host.files.iter().any(|file| file.path == path);
        assert_eq!([SCRIPT, SERVICE, TIMER].map(has), [is_tryme; 3], "{node}");
        let mut units = host.units.iter().map(|unit| unit.service);
        assert_eq!(units.any(|unit| unit == Service::ImagePull), is_tryme);
    }
    let text = world.text(&format!("{NODE}{SCRIPT}"));
    let pulled = text.lines().filter_map(|line| line.strip_prefix("pull "));
    assert_eq!(pulled.collect::<Vec<_>>(), IMAGES);

    let mut inventory = fixture("kinds");
    let site = inventory.sites.get_mut(&name("example-one")).unwrap();
    site.tryme.images = vec!["ui:2.0".to_owned()];
    let own = World::of(&inventory);
    let text = own.text(&format!("{NODE}{SCRIPT}"));
    assert!(text.contains("\npull ui:2.0\n") && !text.contains("plants"));
    let site = inventory.sites.get_mut(&name("example-one")).unwrap();
    site.tryme.images.clear();
    let none = World::of(&inventory);
    assert!(none.host(NODE).files.iter().all(|it| it.path != SCRIPT));
}

/// Once, at a time of its own, and never two at once: a unit of this type is started again only
/// when it has ended.
#[test]
fn images_are_pulled_once_a_day_and_by_one_run_at_a_time() {
    let world = world();
    let lines = |path: &str| -> BTreeSet<String> {
        let text = world.text(&format!("{NODE}{path}"));
        text.lines().map(str::to_owned).collect()
    };
    let (timer, service) = (lines(TIMER), lines(SERVICE));
    let clock = timer.iter().filter(|line| {
        let (key, _) = line.split_once('=').unwrap_or_default();
        key.starts_with("On") && key.ends_with("Sec") || key == "OnCalendar"
    });
    assert_eq!(clock.collect::<Vec<_>>(), ["OnCalendar=daily"]);
    assert!(timer.contains("RandomizedDelaySec=6h"), "{timer:?}");
    assert!(service.contains("Type=oneshot"), "{service:?}");
    assert!(
        service.contains(&format!("ExecStart={SCRIPT}")),
        "{service:?}"
    );
    let host = world.host(NODE);
    let file = host.files.iter().find(|file| file.path == TIMER).unwrap();
    assert_eq!(file.on_change, OnChange::Restart(Service::ImagePull));
}

#[test]
fn nobody_but_root_can_change_what_pulls_images() {
    let world = world();
    let host = world.host(NODE);
    for path in [SCRIPT, SERVICE, TIMER] {
        let file = host.files.iter().find(|file| file.path == path).unwrap();
        let access = file.access;
        assert_eq!((access.owner, access.mode & 0o022), ("root", 0), "{path}");
    }
    let folder = host.directories.iter();
    let folder = folder
        .filter(|it| SCRIPT.starts_with(it.path))
        .collect::<Vec<_>>();
    assert_eq!(folder.len(), 1);
    let access = folder[0].access;
    assert_eq!((access.owner, access.mode & 0o022), ("root", 0));
    let unit = world.text(&format!("{NODE}{SERVICE}"));
    for line in [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
}

/// What came of the script where nothing is but a shell, Docker's client and `stat` of coreutils.
/// Of the file system so many percent are free at first, and as many less after each pull.
fn pulled(free: u32, each: u32, refused: &str) -> (Output, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let program = |name: &str, text: &str| {
        fs::write(path(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let (left, told) = (path("left"), path("told"));
    fs::write(&left, format!("{free}\n")).unwrap();
    fs::write(&told, "").unwrap();
    let (left, told) = (left.display().to_string(), told.display().to_string());
    // A file system of 2000 blocks, half of which are kept for root.
    program(
        "stat",
        &format!(
            "read -r left < {left}; echo \"$((left * 10)) $((left * 10 + 1000)) 2000\"; echo \"stat $*\" >> {told}"
        ),
    );
    program(
        "docker",
        &format!(
            "echo \"docker $*\" >> {told}\nread -r left < {left}; echo $((left - {each})) > {left}\n\
             case \"$*\" in *{refused}*) exit 1 ;; esac"
        ),
    );
    let script = world().text(&format!("{NODE}{SCRIPT}")).to_owned();
    fs::write(path("script"), script).unwrap();
    let output = Command::new("/bin/sh")
        .arg(path("script"))
        .env_clear()
        .env("PATH", home.path())
        .output()
        .unwrap();
    let told = fs::read_to_string(told).unwrap();
    (output, told.lines().map(str::to_owned).collect())
}

const ASKED: &str = "stat --file-system --format %a %f %b /mnt/data/docker";

fn pull(image: &str) -> String {
    format!("docker pull --quiet -- {image}")
}

#[test]
fn images_are_pulled_with_docker_s_own_client_and_no_other_tool() {
    let (output, told) = pulled(60, 5, "nothing");
    assert!(output.status.success(), "{output:?}");
    let expected = [ASKED, &pull(IMAGES[0]), ASKED, &pull(IMAGES[1])];
    assert_eq!(told, expected);
}

/// One image that cannot be had keeps no other one back, and is no success.
#[test]
fn an_image_that_cannot_be_pulled_does_not_hold_up_the_others() {
    let (output, told) = pulled(60, 5, "plants");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(told.last(), Some(&pull(IMAGES[1])));
}

/// The fixture keeps 25 % free; it is asked before each pull, since each makes it less.
#[test]
fn no_image_is_pulled_into_a_disk_that_is_nearly_full() {
    for (free, each, pulls) in [(24, 0, 0), (25, 0, 2), (25, 1, 1), (60, 36, 1)] {
        let (output, told) = pulled(free, each, "nothing");
        let done = told.iter().filter(|it| it.starts_with("docker")).count();
        assert_eq!(done, pulls, "{free} % free");
        assert_eq!(output.status.success(), pulls == 2, "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 2 - pulls, "{said}");
        if pulls == 0 {
            let expected = format!(
                "{} is not pulled: 24 % of /mnt/data/docker are free, 25 % stay free",
                IMAGES[0]
            );
            assert_eq!(said.lines().next(), Some(expected.as_str()));
        }
    }
}

/// Nobody has used them before the first user comes: without a word they would be the first to go.
#[test]
fn the_clean_up_keeps_images_that_were_pulled_beforehand() {
    let world = World::of(&fixture("two-sites"));
    let job = world.facts("federation/jobs/image-cleanup.nomad.hcl");
    let arguments = &job["job.image-cleanup.group.image-cleanup.task.image-cleanup.config.args"];
    let kept = r"^registry\\.example\\.org/modules/plants:2\\.1$";
    assert!(arguments.contains(kept), "{arguments}");
}
