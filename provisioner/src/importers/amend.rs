//! What a further site adds to a `federation.yaml` that is there.
//!
//! The file is its author's. Only a part that stands there just as an import wrote it is
//! replaced; whatever else would have to change is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use super::draft::Draft;
use super::report::{Findings, Place};
use super::{Existing, write};

/// The text of `federation.yaml` with what the site adds.
pub(super) fn federation(
    existing: &Existing,
    draft: &Draft,
    place: &Place,
    findings: &Findings,
) -> String {
    let text = existing.files.get(Path::new("federation.yaml"));
    let mut text = text.cloned().unwrap_or_default();
    for (before, after, what) in parts(existing, draft) {
        if before == after {
            continue;
        }
        if let Some(new) = replaced(&text, &before, &after) {
            let what = format!("federation.yaml: {what}");
            findings.changed(place, what, "see that it is what you want");
            text = new;
        } else {
            let hint = format!("write it there yourself:\n{after}");
            let what = format!("federation.yaml was not changed: {what}");
            findings.decide(place, what, hint.trim_end());
        }
    }
    text
}

/// Each part that a site may add to: how an import would have written it, how it should be, and
/// what that means.
fn parts(existing: &Existing, draft: &Draft) -> Vec<(String, String, String)> {
    let theirs = &existing.inventory.federation;
    let mut parts = Vec::new();
    let vos: BTreeMap<_, _> = theirs
        .vos
        .iter()
        .map(|(vo, it)| {
            (
                vo.to_string(),
                (it.namespace.to_string(), it.domain.to_string()),
            )
        })
        .collect();
    let mut more = vos.clone();
    for (vo, it) in &draft.federation.vos {
        more.entry(vo.clone()).or_insert_with(|| it.clone());
    }
    let added: Vec<_> = more
        .keys()
        .filter(|vo| !vos.contains_key(*vo))
        .cloned()
        .collect();
    let what = format!("the site adds {}", added.join(", "));
    parts.push((write::vos(&vos), write::vos(&more), what));
    if let (None, Some(nvidia)) = (&theirs.nvidia, &draft.federation.nvidia) {
        let what = "the site is the first with GPUs, so it adds `nvidia`".to_owned();
        parts.push((String::new(), write::nvidia(nvidia), what));
    }
    let external = &theirs.external;
    let listed = external.consul_servers.union(&external.nomad_servers);
    let listed: BTreeSet<IpAddr> = listed.copied().collect();
    let own = draft.site.hosts.values();
    let own: BTreeSet<_> = own
        .flat_map(|host| [Some(host.address), host.public_address])
        .flatten()
        .collect();
    let mut wanted = listed.clone();
    wanted.extend(&draft.federation.external);
    wanted.retain(|address| !own.contains(address));
    let what = "servers of other sites, `external`, are others now".to_owned();
    parts.push((write::external(&listed), write::external(&wanted), what));
    parts
}

/// A text with one part replaced, if that stands there once; a part that was nothing is added.
fn replaced(text: &str, before: &str, after: &str) -> Option<String> {
    if before.is_empty() {
        return Some(format!("{}\n{after}", text.trim_end()));
    }
    (text.matches(before).count() == 1).then(|| text.replacen(before, after, 1))
}
