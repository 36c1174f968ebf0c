//! The report of an import, as a file beside the inventory.
//!
//! Each site has one section, which a later import of the same site replaces.

use std::fmt::Write as _;

use federation::count::counted;

use super::draft::SiteDraft;
use super::report::{Finding, Severity, counts};

/// The report's file in the inventory's folder.
pub const REPORT: &str = "IMPORT-REPORT.md";

const TITLE: &str = "# What was imported\n";
const INTRODUCTION: &str = "
One section a site: what its hosts were called, and what to look at before the first `atoll apply`.
Places are those of Ansible's files. Atoll does not read this file: remove it once all is decided.
";

/// The report with a site's section, new or in place of its former one.
pub(super) fn report(before: &str, site: &SiteDraft, source: &str, findings: &[Finding]) -> String {
    let heading = format!("## {}\n", site.datacenter);
    let mut sections: Vec<(String, String)> = sections(before)
        .filter(|(known, _)| *known != heading)
        .collect();
    sections.push((heading, section(site, source, findings)));
    sections.sort();
    let sections = sections
        .into_iter()
        .map(|(heading, text)| format!("\n{heading}{text}"));
    TITLE.to_owned() + INTRODUCTION + &sections.collect::<String>()
}

/// The sections of a report, each as its heading and its text.
fn sections(report: &str) -> impl Iterator<Item = (String, String)> {
    report.split("\n## ").skip(1).map(|section| {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        (format!("## {name}\n"), format!("{}\n", text.trim_end()))
    })
}

fn section(site: &SiteDraft, source: &str, findings: &[Finding]) -> String {
    let mut text = format!(
        "\nFrom `{source}`: {}; {}.\n",
        counted(site.hosts.len(), "host"),
        counts(findings)
    );
    text += "\n| Ansible's host | host | node | roles | address |\n|---|---|---|---|---|\n";
    for (key, host) in &site.hosts {
        let roles = host.roles.join(", ");
        let (ansible, node, address) = (cell(&host.ansible), &host.node, host.address);
        let _ = writeln!(text, "| {ansible} | {key} | {node} | {roles} | {address} |");
    }
    for (severity, title) in [
        (Severity::Decide, "To decide"),
        (Severity::Changed, "Changed"),
        (Severity::Dropped, "Dropped"),
    ] {
        let mut found = findings
            .iter()
            .filter(|it| it.severity == severity)
            .peekable();
        if found.peek().is_some() {
            let _ = writeln!(text, "\n### {title}\n");
        }
        for Finding {
            file,
            line,
            column,
            what,
            hint,
            ..
        } in found
        {
            let (what, hint) = (cell(what), cell(hint));
            let _ = writeln!(text, "- `{file}:{line}:{column}`: {what}; {hint}");
        }
    }
    text
}

/// A text of one line, which ends no cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
