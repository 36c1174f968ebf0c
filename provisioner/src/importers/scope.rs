//! Which value of a variable a host sees, and what references within it stand for.
//!
//! The order is Ansible's: the inventory's groups from `all` to the innermost, then `group_vars`
//! in the same order, then the host's own, then `host_vars`; the later wins.

use std::collections::{BTreeMap, BTreeSet};

use super::datum::Datum;
use super::model::{ALL, Model, Variable, Variables};
use super::report::{Findings, Place};

/// References within a value, those of values it refers to included.
const MAX_STEPS: usize = 200;
/// Bytes of a value with its references written out.
const MAX_BYTES: usize = 64 << 10;
/// Items of a list: nothing here lists more.
const MAX_ITEMS: usize = 1000;
/// References that lead to one another.
const MAX_DEPTH: usize = 16;

/// A value with its references written out, and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) datum: Datum,
    pub(super) place: Place,
}

/// A value that only Ansible could work out.
#[derive(Debug, Clone)]
pub(super) struct Unresolved {
    pub(super) place: Place,
    pub(super) why: String,
}

/// The variables of every host.
pub(super) struct Scope<'a> {
    model: &'a Model,
    /// Each group's place in the order of precedence.
    rank: BTreeMap<&'a str, usize>,
    /// The groups above each group, itself included.
    above: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The groups of each host, those above included, in the order of precedence.
    groups: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Scope<'a> {
    /// Works out who sees what.
    pub(super) fn new(model: &'a Model, findings: &Findings) -> Self {
        let order = model.layers(findings);
        let rank = order
            .iter()
            .enumerate()
            .map(|(at, name)| (*name, at))
            .collect();
        let mut above: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for name in order {
            let own = above.entry(name).or_default();
            own.insert(name);
            let own = own.clone();
            for (child, _) in &model.groups[name].children {
                above.entry(child).or_default().extend(&own);
            }
        }
        let mut scope = Self {
            model,
            rank,
            above,
            groups: BTreeMap::new(),
        };
        scope.groups = scope.memberships();
        scope
    }

    fn memberships(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut sets: BTreeMap<&str, BTreeSet<(usize, &str)>> = BTreeMap::new();
        for (name, group) in &self.model.groups {
            let above = self.above.get(name.as_str());
            let ranked = above.into_iter().flatten().filter(|it| **it != ALL);
            let ranked: Vec<_> = ranked.map(|it| (self.rank[it], *it)).collect();
            for (host, _) in &group.hosts {
                sets.entry(host).or_default().extend(&ranked);
            }
        }
        let names = |set: BTreeSet<(usize, &'a str)>| set.into_iter().map(|(_, it)| it).collect();
        sets.into_iter()
            .map(|(host, set)| (host, names(set)))
            .collect()
    }

    /// Where a host, or the whole inventory, gets a variable from.
    fn find(&self, host: Option<&str>, name: &str) -> Option<&'a Variable> {
        let known = host.and_then(|host| self.model.hosts.get(host));
        let groups: &[&str] = host
            .and_then(|it| self.groups.get(it))
            .map_or(&[], Vec::as_slice);
        let group = |name: &str| self.model.groups.get(name);
        let inner = |of: fn(&'a super::model::Group) -> &'a Variables| {
            let groups = groups.iter().rev();
            groups
                .filter_map(|it| group(it))
                .find_map(|it| of(it).get(name))
        };
        let all = group(ALL);
        known
            .and_then(|host| host.files.get(name).or_else(|| host.own.get(name)))
            .or_else(|| inner(|group| &group.files))
            .or_else(|| all?.files.get(name))
            .or_else(|| inner(|group| &group.own))
            .or_else(|| all?.own.get(name))
    }

    /// A variable as a host sees it, or as all hosts do.
    pub(super) fn get(&self, host: Option<&str>, name: &str) -> Result<Option<Given>, Unresolved> {
        let Some(variable) = self.find(host, name) else {
            return Ok(None);
        };
        let mut writer = Writer {
            scope: self,
            host,
            steps: 0,
            bytes: 0,
        };
        let datum = writer.datum(&variable.datum, 0).map_err(|why| Unresolved {
            place: variable.place.clone(),
            why,
        })?;
        Ok(Some(Given {
            datum,
            place: variable.place.clone(),
        }))
    }
}

/// Writes references out, within bounds.
struct Writer<'s, 'a> {
    scope: &'s Scope<'a>,
    host: Option<&'s str>,
    steps: usize,
    bytes: usize,
}

impl Writer<'_, '_> {
    fn datum(&mut self, datum: &Datum, depth: usize) -> Result<Datum, String> {
        match datum {
            Datum::Text(text) if text.contains("{{") || text.contains("{%") => {
                self.text(text, depth)
            }
            Datum::List(items) if items.len() > MAX_ITEMS => {
                Err(format!("it is a list of more than {MAX_ITEMS} items"))
            }
            Datum::List(items) => {
                let items = items.iter().map(|item| self.datum(item, depth));
                items.collect::<Result<_, _>>().map(Datum::List)
            }
            Datum::Sealed => Err("it is encrypted by Ansible Vault".to_owned()),
            other => Ok(other.clone()),
        }
    }

    fn text(&mut self, text: &str, depth: usize) -> Result<Datum, String> {
        // A text that is one reference takes over the value's kind, such as a list.
        let whole = text
            .trim()
            .strip_prefix("{{")
            .and_then(|it| it.strip_suffix("}}"));
        if let Some(name) = whole.filter(|it| !it.contains("{{")) {
            return self.reference(name, depth);
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let end = || format!("`{text}` is no plain reference");
            let (name, after) = after.split_once("}}").ok_or_else(end)?;
            let value = self.reference(name, depth)?;
            let value = value
                .text()
                .ok_or_else(|| format!("`{}` is no text", name.trim()))?;
            self.bytes += before.len() + value.len();
            if self.bytes > MAX_BYTES {
                return Err("it grows beyond 64 KiB".to_owned());
            }
            out = out + before + &value;
            rest = after;
        }
        if text.contains("{%") {
            return Err("it is a program of Jinja".to_owned());
        }
        Ok(Datum::Text(out + rest))
    }

    fn reference(&mut self, name: &str, depth: usize) -> Result<Datum, String> {
        let name = name.trim();
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(format!("`{{{{ {name} }}}}` is more than a plain reference"));
        }
        self.steps += 1;
        if depth >= MAX_DEPTH || self.steps > MAX_STEPS {
            return Err(format!("`{name}` refers to itself, or to too much"));
        }
        if name == "inventory_hostname" {
            let host = self.host.ok_or("it differs from host to host")?;
            return Ok(Datum::Text(host.to_owned()));
        }
        let found = self.scope.find(self.host, name);
        if let (None, "ansible_host", Some(host)) = (found, name, self.host) {
            return Ok(Datum::Text(host.to_owned()));
        }
        let found = found.ok_or_else(|| format!("nothing gives `{name}` a value"))?;
        self.datum(&found.datum, depth + 1)
    }
}
