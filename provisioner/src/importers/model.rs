//! An Ansible inventory in memory: hosts, groups in their order, and variables with their places.

use std::collections::{BTreeMap, BTreeSet};

use super::datum::Datum;
use super::report::{Findings, Place};

/// More hosts than a site of this platform has.
pub(super) const MAX_HOSTS: usize = 4096;
/// More groups than anybody overlooks.
const MAX_GROUPS: usize = 512;
/// Lines that put a host or a group into a group.
const MAX_MEMBERS: usize = 65_536;
/// Characters of a name: no product takes longer ones.
const MAX_NAME: usize = 253;
/// What to do about a source beyond the limits.
const NOT_OURS: &str = "no site is that large: is this the right file?";

/// The group in which every host is.
pub(super) const ALL: &str = "all";

/// A variable: its value, and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) datum: Datum,
    pub(super) place: Place,
}

/// Variables by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// A host.
#[derive(Debug)]
pub(super) struct AnsibleHost {
    /// Where it was first named.
    pub(super) place: Place,
    /// From the inventory itself.
    pub(super) own: Variables,
    /// From `host_vars`.
    pub(super) files: Variables,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    /// Where it was first named.
    pub(super) place: Place,
    /// Whether it has a section or entry of its own, beside being named as a child.
    pub(super) is_defined: bool,
    /// Its own hosts in their order, each where it was named first.
    pub(super) hosts: Vec<(String, Place)>,
    /// Its child groups in their order.
    pub(super) children: Vec<(String, Place)>,
    /// From the inventory itself.
    pub(super) own: Variables,
    /// From `group_vars`.
    pub(super) files: Variables,
}

/// An Ansible inventory.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) hosts: BTreeMap<String, AnsibleHost>,
    pub(super) groups: BTreeMap<String, Group>,
    members: usize,
    seen: BTreeSet<(String, String)>,
}

impl Model {
    /// How many more hosts may come.
    pub(super) fn room(&self) -> usize {
        MAX_HOSTS.saturating_sub(self.hosts.len())
    }

    /// A host, made if it is new; `None` when there are too many.
    pub(super) fn host(
        &mut self,
        name: &str,
        place: &Place,
        findings: &Findings,
    ) -> Option<&mut AnsibleHost> {
        if is_long(name, place, findings) {
            return None;
        }
        if self.room() == 0 && !self.hosts.contains_key(name) {
            findings.error(place, format!("more than {MAX_HOSTS} hosts"), NOT_OURS);
            return None;
        }
        Some(
            self.hosts
                .entry(name.to_owned())
                .or_insert_with(|| AnsibleHost {
                    place: place.clone(),
                    own: Variables::new(),
                    files: Variables::new(),
                }),
        )
    }

    /// A group, made if it is new; `None` when there are too many.
    pub(super) fn group(
        &mut self,
        name: &str,
        place: &Place,
        findings: &Findings,
    ) -> Option<&mut Group> {
        if is_long(name, place, findings) {
            return None;
        }
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(name) {
            findings.error(place, format!("more than {MAX_GROUPS} groups"), NOT_OURS);
            return None;
        }
        Some(self.groups.entry(name.to_owned()).or_insert_with(|| Group {
            place: place.clone(),
            is_defined: false,
            hosts: Vec::new(),
            children: Vec::new(),
            own: Variables::new(),
            files: Variables::new(),
        }))
    }

    /// Puts a host into a group, at the end of its list.
    pub(super) fn add_host(&mut self, group: &str, host: &str, place: &Place, findings: &Findings) {
        if self.admit(group, host, place, findings)
            && let Some(group) = self.group(group, place, findings)
        {
            group.hosts.push((host.to_owned(), place.clone()));
        }
    }

    /// Makes a group the child of another.
    pub(super) fn add_child(
        &mut self,
        parent: &str,
        child: &str,
        place: &Place,
        findings: &Findings,
    ) {
        let is_group = self.group(child, place, findings).is_some();
        if is_group
            && self.admit(parent, &format!("@{child}"), place, findings)
            && let Some(group) = self.group(parent, place, findings)
        {
            group.children.push((child.to_owned(), place.clone()));
        }
    }

    /// Whether a membership is new, and there is room for it.
    fn admit(&mut self, group: &str, member: &str, place: &Place, findings: &Findings) -> bool {
        let is_new = self.seen.insert((group.to_owned(), member.to_owned()));
        self.members += usize::from(is_new);
        if is_new && self.members > MAX_MEMBERS {
            let what = format!("more than {MAX_MEMBERS} members of groups");
            findings.error(place, what, NOT_OURS);
            return false;
        }
        is_new
    }

    /// The hosts of a group in Ansible's order, each where it was named: its own, then its
    /// children's.
    pub(super) fn hosts_of(&self, group: &str) -> Vec<(&str, &Place)> {
        let mut hosts = Vec::new();
        let (mut known, mut visited) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![group];
        while let Some(name) = open.pop() {
            let Some(group) = self.groups.get(name).filter(|_| visited.insert(name)) else {
                continue;
            };
            for (host, place) in &group.hosts {
                if known.insert(host.as_str()) {
                    hosts.push((host.as_str(), place));
                }
            }
            open.extend(group.children.iter().rev().map(|(child, _)| child.as_str()));
        }
        hosts
    }

    /// The groups from those without parents to those without children, each after all its
    /// parents. A group within itself is reported, and left out with all below it.
    pub(super) fn layers(&self, findings: &Findings) -> Vec<&str> {
        let mut waiting: BTreeMap<&str, usize> =
            self.groups.keys().map(|name| (name.as_str(), 0)).collect();
        for (child, _) in self.groups.values().flat_map(|group| &group.children) {
            *waiting.entry(child).or_default() += 1;
        }
        let mut order: Vec<&str> = Vec::new();
        let mut next: Vec<&str> = free(&waiting);
        while !next.is_empty() {
            for name in &next {
                waiting.remove(name);
            }
            for (child, _) in next.iter().flat_map(|name| &self.groups[*name].children) {
                if let Some(parents) = waiting.get_mut(child.as_str()) {
                    *parents -= 1;
                }
            }
            order.append(&mut next);
            next = free(&waiting);
        }
        self.report_cycle(&waiting, findings);
        order
    }

    fn report_cycle(&self, waiting: &BTreeMap<&str, usize>, findings: &Findings) {
        let inside = |name: &str| {
            let below = self.descendants(name);
            below.contains(name)
        };
        for name in waiting.keys().filter(|name| inside(name)) {
            let group = &self.groups[*name];
            let place = group
                .children
                .first()
                .map_or(&group.place, |(_, place)| place);
            let what = format!("the group `{name}` is within itself");
            findings.error(place, what, "take it out of the groups below it");
        }
    }

    /// The groups below a group; it is one of them only when it is within itself.
    fn descendants(&self, name: &str) -> BTreeSet<&str> {
        let mut below = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            let children = self
                .groups
                .get(name)
                .into_iter()
                .flat_map(|it| &it.children);
            let new =
                children.filter_map(|(child, _)| below.insert(child.as_str()).then_some(child));
            open.extend(new.map(String::as_str));
        }
        below
    }
}

/// Whether a name is too long to be one; that is reported.
fn is_long(name: &str, place: &Place, findings: &Findings) -> bool {
    let is_long = name.len() > MAX_NAME;
    if is_long {
        let what = format!("a name of more than {MAX_NAME} characters");
        findings.error(place, what, "shorten it, or look for a missing line end");
    }
    is_long
}

/// The groups all of whose parents have been met, by name.
fn free<'a>(waiting: &BTreeMap<&'a str, usize>) -> Vec<&'a str> {
    let is_free = |(name, parents): (&&'a str, &usize)| (*parents == 0).then_some(*name);
    waiting.iter().filter_map(is_free).collect()
}
