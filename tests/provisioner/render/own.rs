//! Templates of the inventory's own: what `check` says of those that would stop a rendering.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A copy of the example, with templates of its own.
fn inventory(templates: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventories/example");
    fs::create_dir(folder.path().join("sites")).unwrap();
    for file in ["federation.yaml", "sites/example-one.yaml"] {
        fs::copy(example.join(file), folder.path().join(file)).unwrap();
    }
    for (name, text) in templates {
        let path = folder.path().join("templates").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn atoll(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atoll"));
    command.args(arguments).env_clear().output().unwrap()
}

/// How `check` ended, and the lines it said.
fn checked(folder: &Path) -> (i32, Vec<String>) {
    let output = atoll(&[Path::new("check"), folder]);
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().map(str::to_owned);
    (output.status.code().unwrap(), lines.collect())
}

#[test]
fn a_template_that_can_be_rendered_is_no_problem() {
    let folder = inventory(&[("consul/acl.hcl.tera", "# own words\n")]);
    let (code, said) = checked(folder.path());
    assert_eq!(code, 0, "{said:?}");
}

#[test]
fn every_name_that_a_template_is_not_given_is_told_with_its_place() {
    let folder = inventory(&[
        ("consul/acl.hcl.tera", "# one\n# {{ invented }}\n"),
        ("systemd/consul.service.tera", "{{ unknown.key }}\n"),
    ]);
    let (code, said) = checked(folder.path());
    assert_eq!(code, 1, "{said:?}");
    let problems = [
        ("templates/consul/acl.hcl.tera:2:6: ", "`invented`"),
        ("templates/systemd/consul.service.tera:1:4: ", "`unknown`"),
    ];
    assert_eq!(said.len(), problems.len() + 1, "{said:?}");
    for (line, (place, key)) in said.iter().zip(problems) {
        assert!(line.starts_with(place) && line.contains(key), "{line}");
    }
    let rendered = atoll(&[
        Path::new("render"),
        folder.path(),
        Path::new("--out"),
        &folder.path().join("out"),
    ]);
    assert_eq!(rendered.status.code(), Some(2), "{rendered:?}");
}

/// What is no template is told beside the mistakes of the inventory's other files.
#[test]
fn what_is_no_template_is_told_with_all_else() {
    let folder = inventory(&[("consul/acl.hcl.tera", "{% if %}\n")]);
    let site = folder.path().join("sites/example-one.yaml");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text + "invented: 1\n").unwrap();
    let (code, said) = checked(folder.path());
    assert_eq!(code, 1, "{said:?}");
    let files = said.iter().map(|line| line.split(':').next().unwrap());
    let files: Vec<_> = files.collect();
    assert_eq!(
        files[..2],
        ["sites/example-one.yaml", "templates/consul/acl.hcl.tera"],
        "{said:?}"
    );
    fs::remove_file(folder.path().join("templates/consul/acl.hcl.tera")).unwrap();
    fs::write(folder.path().join("templates/consul/alc.hcl.tera"), "").unwrap();
    let (_, said) = checked(folder.path());
    assert!(
        said[1].starts_with("templates/consul/alc.hcl.tera:1:1: takes the place of no template"),
        "{said:?}"
    );
}

#[test]
fn a_template_whose_text_takes_extra_keys_is_a_json_object() {
    let folder = inventory(&[("docker/daemon.json.tera", "no object")]);
    let file = folder.path().join("federation.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "extra_yaml: { docker: { debug: true } }\n").unwrap();
    let (code, said) = checked(folder.path());
    assert_eq!(code, 1, "{said:?}");
    let start = "templates/docker/daemon.json.tera:1:1: extra_yaml is merged into its text";
    assert!(said[0].starts_with(start), "{said:?}");
}

/// What is rendered or exported into the inventory's own folders would be read as a part of it.
#[test]
fn nothing_is_written_into_the_folders_of_the_inventory() {
    let folder = inventory(&[]);
    let before = files(folder.path());
    let [render, ansible] = [&["render"][..], &["export", "ansible"]];
    for command in [render, ansible] {
        for out in ["templates", "sites", "sites/new", "", ".."] {
            let out = folder.path().join(out);
            let words = command.iter().map(Path::new);
            let arguments = words.chain([folder.path(), Path::new("--out"), &out]);
            let output = atoll(&arguments.collect::<Vec<_>>());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command:?} {out:?}: {said}");
            assert!(said.contains("choose a folder outside"), "{said}");
            assert_eq!(files(folder.path()), before, "{command:?} {out:?}");
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        found.push(path.clone());
        if path.is_dir() {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}
