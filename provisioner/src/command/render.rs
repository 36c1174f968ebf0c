//! `atoll render`: every file of every host, in a folder.

use std::path::Path;

use federation::count::counted;
use serde_json::json;

use crate::command::place::apart;
use crate::command::{Ended, Error};
use crate::inventory;
use crate::plan;
use crate::progress::{Format, complain, show};
use crate::render::{self, Overrides, Readers, Rendered, Work};
use crate::secrets::{Identity, Store};
use crate::select::Selector;

/// Renders into a folder: all, or only some hosts; with secrets when there is an identity that
/// opens them.
pub(super) fn run(
    folder: &Path,
    out: &Path,
    on: Option<&Selector>,
    identity: Option<&Path>,
    format: Format,
) -> Result<Ended, Error> {
    let loaded = inventory::load(folder)?;
    apart(folder, out)?;
    let plan = plan::plan(&loaded.inventory);
    let chosen = on.map(|selector| selector.nodes(&plan)).transpose()?;
    let mut rendered = render::render(&plan, &Overrides::read(&folder.join("templates"))?)?;
    if let Some(chosen) = &chosen {
        rendered.hosts.retain(|node, _| chosen.contains(node));
    }
    let mut readers = Readers::All;
    if let Some(identity) = identity {
        readers = Readers::Owner;
        rendered = with_secrets(rendered, folder, identity)?;
    }
    let hosts = rendered.hosts.len();
    // What concerns no single host is not about the chosen ones either.
    let (tree, unlisted) = if chosen.is_some() {
        (render::hosts_tree(rendered), Vec::new())
    } else {
        let unlisted = plan.handouts.datacenters.unlisted.clone();
        (render::tree(plan, rendered), unlisted)
    };
    render::write(&tree, out, Work::Rendering, readers)?;
    for datacenter in &unlisted {
        complain(&format!(
            "warning: {} has no row in federation/papi/datacenters.csv: its site's file lacks `{}`",
            datacenter.name, datacenter.lacks
        ));
    }
    let files = tree.len();
    match format {
        Format::Human => show(&format!(
            "{}: {} for {}\n",
            out.display(),
            counted(files, "file"),
            counted(hosts, "host"),
        )),
        Format::Json => show(&format!(
            "{}\n",
            json!({
                "out": out,
                "files": files,
                "hosts": hosts,
                "unlisted_datacenters": unlisted.len(),
            })
        )),
    }
    Ok(Ended::AsWanted)
}

fn with_secrets(rendered: Rendered, folder: &Path, identity: &Path) -> Result<Rendered, Error> {
    let store = Store::open(folder, &Identity::from_file(identity)?)?;
    let lookup = |name: &str| store.value_by_name(name).map(str::to_owned);
    Ok(render::filled(rendered, lookup)?)
}
