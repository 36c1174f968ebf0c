//! Groups and variables that become nothing, each said once.

use std::collections::BTreeMap;

use super::Source;
use crate::importers::datum::Datum;
use crate::importers::known::{DEPLOY, IGNORED_GROUPS, JOIN, QUIET, UNNEEDED, USED, is_secret};
use crate::importers::model::{ALL, Variable};
use crate::inventory::nearest;

/// Says which groups with hosts are not taken over.
pub(super) fn groups(source: &Source) {
    let known: Vec<&str> = DEPLOY.all().chain(JOIN.all()).collect();
    let is_ours = |name: &str| known.contains(&name) || [ALL, "ungrouped"].contains(&name);
    for (name, group) in &source.model.groups {
        if is_ours(name) || source.model.hosts_of(name).is_empty() {
            continue;
        }
        if let Some((_, why)) = IGNORED_GROUPS.iter().find(|(ignored, _)| ignored == name) {
            let what = format!("the group `{name}` is not taken over");
            source.findings.dropped(&group.place, what, *why);
            continue;
        }
        let what = format!("no group `{name}` is known, so it gives its hosts no role");
        if let Some(meant) = nearest(name, &known) {
            let hint = format!("did you mean `{meant}`?");
            source.findings.decide(&group.place, what, hint);
        } else {
            let hint = "its variables were read; nothing else is needed of it";
            source.findings.dropped(&group.place, what, hint);
        }
    }
}

/// Says which variables of groups `group_vars/all` overrules: those in the inventory itself.
pub(super) fn overruled(source: &Source) {
    let Some(all) = source.model.groups.get(ALL) else {
        return;
    };
    for (name, group) in source.model.groups.iter().filter(|(name, _)| *name != ALL) {
        for (variable, own) in &group.own {
            let winner = all.files.get(variable).filter(|it| it.datum != own.datum);
            if let Some(winner) = winner.filter(|_| USED.contains(&variable.as_str())) {
                let what = format!("`{variable}` of the group `{name}` has no effect");
                let hint = format!(
                    "Ansible takes that of {}: move it into group_vars/{name}.yml if it is meant",
                    winner.place
                );
                source.findings.decide(&own.place, what, hint);
            }
        }
    }
}

/// Says which variables are not taken over, each where it stands first.
pub(super) fn variables(source: &Source) {
    let groups = source.model.groups.values();
    let of_groups = groups.flat_map(|group| [&group.own, &group.files]);
    let hosts = source.model.hosts.values();
    let of_hosts = hosts.flat_map(|host| [&host.own, &host.files]);
    let mut first: BTreeMap<&str, &Variable> = BTreeMap::new();
    for (name, variable) in of_groups.chain(of_hosts).flatten() {
        let found = first.entry(name).or_insert(variable);
        if variable.place < found.place {
            *found = variable;
        }
    }
    for (name, variable) in first {
        if !USED.contains(&name) {
            leftover(source, name, variable);
        }
    }
}

fn leftover(source: &Source, name: &str, variable: &Variable) {
    let (findings, place) = (source.findings, &variable.place);
    let value = plain(&variable.datum);
    let unneeded = UNNEEDED.iter().find(|it| it.name == name);
    let shipped = unneeded.and_then(|it| it.shipped);
    let quiet = QUIET.iter().find(|(quiet, _)| *quiet == name);
    let says_nothing =
        quiet.is_some_and(|(_, usual)| usual.is_none() || *usual == value.as_deref());
    if says_nothing || (shipped.is_some() && shipped == value.as_deref()) {
        return;
    }
    if variable.datum == Datum::Sealed {
        let what = format!("`{name}` is encrypted by Ansible Vault, and was not read");
        let hint = "if Atoll needs it, give it as a secret of the inventory";
        return findings.decide(place, what, hint);
    }
    if let Some(unneeded) = unneeded {
        // Of a mapping or an address, a part may be secret.
        let is_plain = |value: &String| !value.contains(['{', '@']);
        let what = match value.filter(|it| shipped.is_some() && !is_secret(name) && is_plain(it)) {
            Some(value) => format!("`{name}` is `{value}`, which is not taken over"),
            None => format!("`{name}` is not taken over"),
        };
        return findings.dropped(place, what, unneeded.instead);
    }
    if is_secret(name) {
        let what = format!("`{name}` is a secret in clear text, and was not taken over");
        let hint = "change it: it has been read by all who see this file";
        return findings.dropped(place, what, hint);
    }
    let what = format!("nothing of ai4-ansible reads `{name}`");
    findings.dropped(place, what, "it is not taken over");
}

/// A value without blanks, for comparing with the shipped one.
fn plain(datum: &Datum) -> Option<String> {
    let text = match datum {
        Datum::Text(text) => text.clone(),
        Datum::Bool(truth) => truth.to_string(),
        Datum::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Some(format!("{key}:{}", plain(value)?)));
            format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(","))
        }
        Datum::Null | Datum::Sealed | Datum::List(_) => return None,
    };
    Some(text.split_whitespace().collect())
}
