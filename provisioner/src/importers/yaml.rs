//! Ansible's YAML: inventories, variables, and the JSON of `ansible-inventory --list`, which is
//! YAML as well and so keeps its lines.

use std::path::Path;
use std::rc::Rc;

use super::datum::Datum;
use super::model::{Model, Variable, Variables};
use super::range::expand;
use super::report::{Findings, Place};
use crate::inventory::{Entry, Node, Style, Value, ansible_yaml};

/// A document that is read, and where its values stand.
struct Reader<'a> {
    file: &'a Rc<str>,
    model: &'a mut Model,
    findings: &'a Findings,
}

/// Reads a YAML or JSON inventory into a model.
pub(super) fn inventory(file: &Rc<str>, bytes: &[u8], model: &mut Model, findings: &Findings) {
    let Some(document) = document(file, bytes, findings) else {
        return;
    };
    let mut reader = Reader {
        file,
        model,
        findings,
    };
    for entry in reader.entries(&document, "an inventory is a mapping of groups") {
        if &*entry.key == "_meta" {
            reader.meta(&entry.value);
        } else {
            reader.group(&entry.key, entry);
        }
    }
}

/// Reads a file of `group_vars` or `host_vars`.
pub(super) fn variables(file: &Rc<str>, bytes: &[u8], findings: &Findings) -> Variables {
    let document = document(file, bytes, findings);
    document.map_or_else(Variables::new, |node| all_variables(file, &node, findings))
}

fn document(file: &Rc<str>, bytes: &[u8], findings: &Findings) -> Option<Node> {
    let problems = match ansible_yaml(Path::new(&**file), bytes) {
        Ok(node) => return Some(node),
        Err(problems) => problems,
    };
    for problem in problems {
        let place = Place::at(file, problem.line, problem.column);
        let hint = problem.hint.unwrap_or_default();
        findings.error(&place, problem.what, hint);
    }
    None
}

fn all_variables(file: &Rc<str>, node: &Node, findings: &Findings) -> Variables {
    let place = |entry: &Entry| Place::at(file, entry.at.line, entry.at.column);
    match &node.value {
        Value::Null => Variables::new(),
        Value::Map(entries) => {
            let variable = |entry: &Entry| Variable {
                datum: datum(&entry.value),
                place: place(entry),
            };
            let named = |entry: &Entry| (entry.key.to_string(), variable(entry));
            entries.iter().map(named).collect()
        }
        Value::Text(..) | Value::List(_) => {
            let place = Place::at(file, node.at.line, node.at.column);
            findings.error(
                &place,
                "variables are a mapping",
                "write `name: value` lines",
            );
            Variables::new()
        }
    }
}

/// A value as Ansible's YAML 1.1 means it.
fn datum(node: &Node) -> Datum {
    match &node.value {
        Value::Null => Datum::Null,
        Value::Text(_, Style::Sealed) => Datum::Sealed,
        Value::Text(text, Style::Plain) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Datum::Bool(true),
            "false" | "no" | "off" => Datum::Bool(false),
            _ => Datum::Text(text.to_string()),
        },
        Value::Text(text, Style::Quoted | Style::Block) => Datum::Text(text.to_string()),
        Value::List(items) => Datum::List(items.iter().map(datum).collect()),
        Value::Map(entries) => match &**entries {
            // How `ansible-inventory --list` writes what YAML says by tags.
            [only] if &*only.key == "__ansible_vault" => Datum::Sealed,
            [only] if &*only.key == "__ansible_unsafe" => datum(&only.value),
            entries => Datum::Map(
                entries
                    .iter()
                    .map(|entry| (entry.key.to_string(), datum(&entry.value)))
                    .collect(),
            ),
        },
    }
}

impl Reader<'_> {
    fn place(&self, node: &Node) -> Place {
        Place::at(self.file, node.at.line, node.at.column)
    }

    fn key(&self, entry: &Entry) -> Place {
        Place::at(self.file, entry.at.line, entry.at.column)
    }

    /// The entries of a mapping; none of nothing.
    fn entries<'n>(&self, node: &'n Node, hint: &str) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            Value::Text(..) | Value::List(_) => {
                let what = "a mapping is expected here";
                self.findings.error(&self.place(node), what, hint);
                &[]
            }
        }
    }

    /// `_meta`, where `--list` keeps the variables of hosts.
    fn meta(&mut self, node: &Node) {
        for entry in self.entries(node, "`_meta` has `hostvars`") {
            if &*entry.key == "hostvars" {
                for host in self.entries(&entry.value, "`hostvars` is a mapping of hosts") {
                    self.host(&host.key, &self.key(host), Some(&host.value));
                }
            }
        }
    }

    fn group(&mut self, name: &str, entry: &Entry) {
        let place = self.key(entry);
        let Some(group) = self.model.group(name, &place, self.findings) else {
            return;
        };
        group.is_defined = true;
        if matches!(entry.value.value, Value::List(_)) {
            return self.members(name, &entry.value);
        }
        for part in self.entries(&entry.value, "a group has `hosts`, `children` and `vars`") {
            match &*part.key {
                "hosts" => self.members(name, &part.value),
                "children" => self.children(name, &part.value),
                "vars" => {
                    let variables = all_variables(self.file, &part.value, self.findings);
                    if let Some(group) = self.model.group(name, &place, self.findings) {
                        group.own.extend(variables);
                    }
                }
                other => {
                    let what = format!("`{other}` is no part of a group");
                    let hint = "a group has `hosts`, `children` and `vars`";
                    self.findings.error(&self.key(part), what, hint);
                }
            }
        }
    }

    /// The hosts of a group: a mapping in YAML, a list in JSON.
    fn members(&mut self, group: &str, node: &Node) {
        if let Value::List(items) = &node.value {
            for item in items.iter() {
                if let Some(name) = self.name(item, "host") {
                    self.member(group, name, &self.place(item), None);
                }
            }
            return;
        }
        for entry in self.entries(node, "`hosts` is a mapping or a list of hosts") {
            self.member(group, &entry.key, &self.key(entry), Some(&entry.value));
        }
    }

    /// An item of a list of names; one that is none is reported.
    fn name<'n>(&self, item: &'n Node, noun: &str) -> Option<&'n str> {
        if let Value::Text(name, Style::Plain | Style::Quoted | Style::Block) = &item.value {
            return Some(name);
        }
        let what = format!("the name of a {noun} is expected here");
        let hint = "a list has names alone: what has variables or parts is a mapping";
        self.findings.error(&self.place(item), what, hint);
        None
    }

    fn member(&mut self, group: &str, pattern: &str, place: &Place, variables: Option<&Node>) {
        let Ok(names) = expand(pattern, self.model.room().max(1)) else {
            let what = format!("`{pattern}` has a range without a meaning, or with too many hosts");
            let hint = "write it as node-[01:10] or node-[a:f]";
            return self.findings.error(place, what, hint);
        };
        for name in names {
            self.host(&name, place, variables);
            self.model.add_host(group, &name, place, self.findings);
        }
    }

    fn host(&mut self, name: &str, place: &Place, variables: Option<&Node>) {
        let variables = variables.map(|node| all_variables(self.file, node, self.findings));
        if let Some(host) = self.model.host(name, place, self.findings) {
            host.own.extend(variables.unwrap_or_default());
        }
    }

    /// The children of a group: a mapping of groups in YAML, a list of names in JSON.
    fn children(&mut self, parent: &str, node: &Node) {
        if let Value::List(items) = &node.value {
            for item in items.iter() {
                if let Some(name) = self.name(item, "group") {
                    let place = self.place(item);
                    self.model.add_child(parent, name, &place, self.findings);
                }
            }
            return;
        }
        for entry in self.entries(node, "`children` is a mapping or a list of groups") {
            let place = self.key(entry);
            self.model
                .add_child(parent, &entry.key, &place, self.findings);
            self.group(&entry.key, entry);
        }
    }
}
