//! `atoll render`: every file of every host, in a folder.

use std::path::Path;

use serde_json::json;

use crate::command::{Ended, Error};
use crate::inventory;
use crate::plan;
use crate::progress::{Format, complain, show};
use crate::render::{self, Overrides};

pub(super) fn run(folder: &Path, out: &Path, format: Format) -> Result<Ended, Error> {
    let loaded = inventory::load(folder)?;
    let plan = plan::plan(&loaded.inventory);
    let rendered = render::render(&plan, &Overrides::read(&folder.join("templates"))?)?;
    let hosts = plan.hosts.len();
    let unlisted = plan.handouts.datacenters.unlisted.clone();
    let tree = render::tree(plan, rendered);
    render::write(&tree, out)?;
    for datacenter in &unlisted {
        complain(&format!(
            "warning: {} has no row in federation/papi/datacenters.csv: its site's file lacks `{}`",
            datacenter.name, datacenter.lacks
        ));
    }
    match format {
        Format::Human => show(&format!(
            "{}: {} files for {hosts} hosts\n",
            out.display(),
            tree.len(),
        )),
        Format::Json => show(&format!(
            "{}\n",
            json!({
                "out": out,
                "files": tree.len(),
                "hosts": hosts,
                "unlisted_datacenters": unlisted.len(),
            })
        )),
    }
    Ok(Ended::AsWanted)
}
