//! A rendering as a tree of files, for people, reviews and diffs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::plan::{Authority, Handouts, Leaf, OnChange, Origin, Plan, Services, Wave, origin};

use super::{Body, Rendered, RenderedFile, RenderedGateway};

/// All texts by path: those of each host, and what concerns no single host under `federation/`.
///
/// Plan and rendering are used up, because together they take as much memory as what is made of
/// them.
pub fn tree(plan: Plan, rendered: Rendered) -> BTreeMap<PathBuf, Arc<str>> {
    let Plan {
        hosts,
        services,
        handouts,
        ..
    } = plan;
    drop(hosts);
    let federation = federation(&services, &handouts, &rendered).into_iter();
    drop((services, handouts));
    let mut tree = hosts_tree(rendered);
    tree.extend(federation.map(|(path, text)| (path, text.into())));
    tree
}

/// The texts of hosts by path: `<node>/<path on the host>` and `<node>/manifest.json`.
///
/// A certificate has no text before it is issued: it stands in the manifest only.
pub fn hosts_tree(rendered: Rendered) -> BTreeMap<PathBuf, Arc<str>> {
    let mut tree = BTreeMap::new();
    for (node, files) in rendered.hosts {
        let folder = PathBuf::from(node.as_str());
        tree.insert(folder.join("manifest.json"), manifest(&files).into());
        tree.extend(files.into_iter().filter_map(|file| match file.body {
            Body::Text(text) => Some((folder.join(file.path.trim_start_matches('/')), text)),
            _ => None,
        }));
    }
    tree
}

fn federation(
    planned: &Services,
    handouts: &Handouts,
    rendered: &Rendered,
) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from("federation");
    let services = &rendered.services;
    let policies = |kind: &str, texts: &BTreeMap<&'static str, String>| {
        let folder = folder.join(kind);
        let named = texts
            .iter()
            .map(|(name, text)| (folder.join(format!("{name}.hcl")), text.clone()));
        named.collect::<Vec<_>>()
    };
    let mut files = policies("consul-policies", &services.consul_policies);
    files.extend(policies("nomad-policies", &services.nomad_policies));
    files.extend(services.gateways.iter().flat_map(|gateway| {
        let folder = folder.join("gateways").join(&gateway.job_id);
        texts(gateway).map(|(name, text)| (folder.join(name), text.to_owned()))
    }));
    files.extend(services.jobs.iter().map(|(id, text)| {
        let name = format!("{id}.nomad.hcl");
        (folder.join("jobs").join(name), text.clone())
    }));
    let bodies = [
        ("namespaces.json", pretty(&planned.namespaces)),
        ("scheduler.json", pretty(&planned.scheduler)),
    ];
    files.extend(bodies.map(|(name, text)| (folder.join(name), text)));
    let handouts = super::handouts::texts(handouts);
    files.extend(handouts.map(|(path, text)| (folder.join(path), text)));
    files
}

fn texts(gateway: &RenderedGateway) -> [(&'static str, &str); 3] {
    [
        ("traefik.nomad.hcl", &gateway.job),
        ("traefik.toml", &gateway.static_configuration),
        ("dynamic.toml", &gateway.dynamic_configuration),
    ]
}

/// One file of a host's manifest.
#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    mode: String,
    owner: &'static str,
    group: &'static str,
    wave: Wave,
    on_change: OnChange,
    settings: &'static [&'static str],
    rows: &'static [u16],
    #[serde(skip_serializing_if = "is_false")]
    extra: bool,
    #[serde(flatten)]
    content: Content<'a>,
}

/// What a manifest says of a file's bytes.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    /// Digest of the text as it stands beside the manifest, placeholders included.
    Sha256(String),
    /// Issued at apply.
    IssuedAtApply(Issued<'a>),
}

/// What is issued at apply.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Issued<'a> {
    Authority(Authority),
    Certificate(&'a Leaf),
    PrivateKeyOf(&'a Leaf),
    /// A token with this policy of Nomad.
    NomadToken(&'static str),
}

/// A JSON list with a file a line, as people compare them.
fn manifest(files: &[RenderedFile]) -> String {
    let lines: Vec<_> = files
        .iter()
        .map(|file| serde_json::to_string(&Entry::of(file)).unwrap_or_default())
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

impl<'a> Entry<'a> {
    fn of(file: &'a RenderedFile) -> Self {
        let Origin { settings, rows } = origin(&file.path);
        Self {
            path: &file.path,
            mode: format!("{:04o}", file.access.mode),
            owner: file.access.owner,
            group: file.access.group,
            wave: file.wave,
            on_change: file.on_change,
            settings,
            rows,
            extra: file.extra,
            content: match &file.body {
                Body::Text(text) => {
                    Content::Sha256(format!("{:x}", Sha256::digest(text.as_bytes())))
                }
                Body::Authority(authority) => Content::IssuedAtApply(Issued::Authority(*authority)),
                Body::Certificate(leaf) => Content::IssuedAtApply(Issued::Certificate(leaf)),
                Body::PrivateKey(leaf) => Content::IssuedAtApply(Issued::PrivateKeyOf(leaf)),
                Body::NomadToken(user) => Content::IssuedAtApply(Issued::NomadToken(user.name())),
            },
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it has"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// JSON for a reader. What is written here has text keys and no number that JSON lacks.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
