//! The operator's own words (`extra_hcl`, `extra_yaml`), by level.

use serde_json::{Map, Value};

use crate::inventory::{Extra, Host};

use super::file::AgentFiles;
use super::peers::Place;
use super::{ExtraHcl, PlannedFile, Template};

/// The levels at which an operator may say something. Later ones win.
fn levels<'a>(place: &Place<'a>, host: &'a Host) -> [(&'static str, &'a Extra); 3] {
    [
        ("federation", &place.inventory.federation.extra),
        ("site", &place.site.extra),
        ("host", &host.extra),
    ]
}

/// A file for each level that says something to an agent.
///
/// Consul and Nomad read the files of a folder by name and merge them, so these come last and
/// in order. In one file neither takes a key or a block twice.
pub(super) fn files<'a>(
    of: AgentFiles,
    folder: &str,
    place: &Place<'a>,
    host: &'a Host,
    said: impl Fn(&'a Extra) -> Option<&'a str>,
) -> Vec<PlannedFile> {
    let numbered = (1..).zip(levels(place, host));
    let files = numbered.filter_map(|(number, (level, extra))| {
        let text = said(extra)?.trim_end().to_owned();
        let path = format!("{folder}/zz-extra-{number}-{level}.hcl");
        Some(of.configuration(&path, Template::ExtraHcl(ExtraHcl { level, text })))
    });
    files.collect()
}

/// What the levels say to Docker's daemon, those that say something.
pub(super) fn docker(place: &Place<'_>, host: &Host) -> Vec<Map<String, Value>> {
    let said = levels(place, host).map(|(_, extra)| &extra.docker);
    let said = said.into_iter().filter(|keys| !keys.is_empty());
    said.cloned().collect()
}
