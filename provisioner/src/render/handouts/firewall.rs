//! The matrix of ports as tables for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use federation::names::DatacenterName;

use crate::plan::{Firewall, Group, Opening, Protocol, SiteFirewall};

/// The whole matrix: what each site lets in.
pub(super) fn matrix(firewall: &Firewall) -> String {
    let mut text = "What firewalls let in, site by site. Written by atoll.\n\
                    The addresses of each group are in matrix.json and in the files of the sites.\n"
        .to_owned();
    for (name, rules) in &firewall.sites {
        table(&mut text, name.as_str(), &rules.inward);
    }
    table(&mut text, "Sites elsewhere", &firewall.external);
    text
}

/// What the people of a site need: their own rules, those that others make for them, and addresses.
pub(super) fn site(firewall: &Firewall, name: &DatacenterName, rules: &SiteFirewall) -> String {
    let mut text = format!("The firewall of {name}. Written by atoll.\n");
    table(&mut text, "You let in", &rules.inward);
    table(
        &mut text,
        "You let out, if you hold anything back",
        &rules.outward,
    );
    let elsewhere = "Others let in for you: give them this";
    table(&mut text, elsewhere, &rules.elsewhere);
    let all = [&rules.inward, &rules.outward, &rules.elsewhere];
    let rules = all.into_iter().flatten();
    let groups: BTreeSet<&Group> = rules.flat_map(|rule| [&rule.from, &rule.to]).collect();
    text.push_str("\nAddresses\n");
    for group in groups {
        addresses(&mut text, firewall, group);
    }
    text
}

fn addresses(text: &mut String, firewall: &Firewall, group: &Group) {
    let Some(addresses) = firewall.groups.get(group) else {
        return;
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{group}");
    if addresses.private {
        text.push_str("    # some are private: others see the address of a router instead\n");
    }
    if addresses.members.is_empty() {
        text.push_str("    # the inventory does not say\n");
    }
    for member in &addresses.members {
        let _ = writeln!(text, "    {member}");
    }
}

const HEADER: [&str; 5] = ["from", "to", "protocol", "ports", "why"];

fn table(text: &mut String, title: &str, rules: &[Opening]) {
    if rules.is_empty() {
        return;
    }
    let row = |rule: &Opening| {
        let protocol = match rule.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let (from, to) = (rule.from.to_string(), rule.to.to_string());
        [
            from,
            to,
            protocol.to_owned(),
            rule.ports.clone(),
            rule.why.clone(),
        ]
    };
    let rows: Vec<_> = std::iter::once(HEADER.map(str::to_owned))
        .chain(rules.iter().map(row))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let _ = writeln!(text, "\n{title}\n");
    for [from, to, protocol, ports, why] in &rows {
        let [a, b, c, d] = widths;
        let _ = writeln!(
            text,
            "  {from:a$}  {to:b$}  {protocol:c$}  {ports:d$}  {why}"
        );
    }
}
