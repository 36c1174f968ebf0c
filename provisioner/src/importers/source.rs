//! The files of an Ansible inventory as they come, and the model that they make together.

use std::rc::Rc;

use super::model::{Model, Variables};
use super::openssh::SshConfig;
use super::report::{Findings, Place};
use super::{ini, yaml};
use crate::inventory::MAX_FILE_BYTES;

/// A file as it was read, cut off a little beyond the limit.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its name, as reports show it.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Whose variables a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Those of a group: `group_vars`.
    Group(String),
    /// Those of a host: `host_vars`.
    Host(String),
}

/// An Ansible inventory: its hosts, and the files of variables beside them.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The inventory itself: INI, YAML, or the JSON of `ansible-inventory --list`.
    pub inventory: SourceFile,
    /// Files of `group_vars` and `host_vars`, in the order in which Ansible reads them.
    pub variables: Vec<(Owner, SourceFile)>,
    /// The configuration of OpenSSH's client with which Ansible runs, if it is given.
    pub ssh_config: Option<SourceFile>,
    /// Files that Ansible passes over, because another one of the same name comes first.
    pub hidden: Vec<String>,
}

/// How an inventory is written.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Ini,
    Yaml,
    Program,
}

/// Reads all files into one model.
pub(super) fn model(sources: &Sources, findings: &Findings) -> Model {
    let mut model = Model::default();
    inventory(&sources.inventory, &mut model, findings);
    for (owner, file) in &sources.variables {
        let name: Rc<str> = file.name.as_str().into();
        let Some(variables) = variables(file, &name, findings) else {
            continue;
        };
        let place = Place::start(&name);
        match owner {
            Owner::Group(group) => {
                if let Some(group) = model.group(group, &place, findings) {
                    group.files.extend(variables);
                }
            }
            Owner::Host(host) => {
                if let Some(host) = model.hosts.get_mut(host) {
                    host.files.extend(variables);
                } else {
                    let what = format!("the inventory has no host `{host}`");
                    findings.dropped(&place, what, "its variables were not read");
                }
            }
        }
    }
    for name in &sources.hidden {
        let what = "Ansible does not read this file: another one of the same name comes first";
        let hint = "put what both say into one of them, if both are meant";
        findings.decide(&Place::start(&name.as_str().into()), what, hint);
    }
    model
}

/// OpenSSH's configuration; one that says nothing when there is no file.
pub(super) fn ssh_config(sources: &Sources, findings: &Findings) -> SshConfig {
    let read = |file: &SourceFile| {
        let name: Rc<str> = file.name.as_str().into();
        let text = text(file, &Place::start(&name), findings)?;
        Some(SshConfig::read(&name, text, findings))
    };
    let config = sources.ssh_config.as_ref().and_then(read);
    config.unwrap_or_default()
}

fn inventory(file: &SourceFile, model: &mut Model, findings: &Findings) {
    let name: Rc<str> = file.name.as_str().into();
    let place = Place::start(&name);
    let Some(text) = text(file, &place, findings) else {
        return;
    };
    match form(&file.name, text) {
        Form::Ini => ini::read(&name, text, model, findings),
        Form::Yaml => yaml::inventory(&name, &file.bytes, model, findings),
        Form::Program => {
            let what = "this is a program, which is not run";
            let hint = "import what `ansible-inventory --list` says of it";
            findings.error(&place, what, hint);
        }
    }
}

fn variables(file: &SourceFile, name: &Rc<str>, findings: &Findings) -> Option<Variables> {
    let place = Place::start(name);
    if text(file, &place, findings)?.starts_with("$ANSIBLE_VAULT;") {
        let what = "the whole file is encrypted by Ansible Vault, and was not read";
        let hint = "if it has more than secrets, write what `ansible-vault view` shows into a file beside it";
        findings.decide(&place, what, hint);
        return None;
    }
    Some(yaml::variables(name, &file.bytes, findings))
}

/// The text of a file, if it is one.
fn text<'f>(file: &'f SourceFile, place: &Place, findings: &Findings) -> Option<&'f str> {
    if file.bytes.len() > MAX_FILE_BYTES {
        let hint = "no inventory is that long: is this the right file?";
        findings.error(place, "longer than 4 MiB", hint);
        return None;
    }
    std::str::from_utf8(&file.bytes)
        .map_err(|error| {
            let before = String::from_utf8_lossy(&file.bytes[..error.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let place = Place::at(&place.file, line, 1);
            findings.error(&place, "not UTF-8 on this line", "save the file as UTF-8");
        })
        .ok()
}

/// How a text is written, by its name or else by its first line that says something.
fn form(name: &str, text: &str) -> Form {
    if text.starts_with("#!") {
        return Form::Program;
    }
    let (_, extension) = name.rsplit_once('.').unwrap_or_default();
    if ["yml", "yaml", "json"].contains(&extension) {
        return Form::Yaml;
    }
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', ';']);
    let first = text.lines().map(str::trim).find(says).unwrap_or_default();
    let is_yaml = first.starts_with(['{', '-']) || (first.ends_with(':') && !first.contains(' '));
    if is_yaml { Form::Yaml } else { Form::Ini }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_how_an_inventory_is_written() {
        for (name, text, wanted) in [
            ("hosts", "# a\n\n[web]\nx", Form::Ini),
            ("hosts", "node-1 a=b", Form::Ini),
            ("hosts", "---\nall:", Form::Yaml),
            ("hosts", "all:\n  hosts:", Form::Yaml),
            ("hosts", "{\"all\": {}}", Form::Yaml),
            ("hosts.yml", "[web]", Form::Yaml),
            ("hosts", "#!/bin/sh", Form::Program),
        ] {
            assert_eq!(form(name, text), wanted, "{name} {text}");
        }
    }
}
