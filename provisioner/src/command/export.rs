//! `atoll export`: an inventory in the words of another tool.

use federation::count::counted;
use serde_json::json;

use crate::cli::Export;
use crate::command::place::apart;
use crate::command::{Ended, Error};
use crate::progress::{Format, show};
use crate::render::{self, Readers, Work};
use crate::{importers, inventory};

pub(super) fn run(what: &Export, format: Format) -> Result<Ended, Error> {
    let Export::Ansible {
        inventory: folder,
        out,
    } = what;
    let loaded = inventory::load(folder)?;
    apart(folder, out)?;
    let exported = importers::export(&loaded.inventory);
    let files = exported.files.into_iter();
    let files = files.map(|(name, text)| (name, text.into())).collect();
    render::write(&files, out, Work::Export, Readers::All)?;
    let (files, lost) = (files.len(), &exported.lost);
    show(&match format {
        Format::Json => format!("{}\n", json!({ "out": out, "files": files, "lost": lost })),
        Format::Human => {
            let lost = lost.iter().map(|it| format!("not said: {it}"));
            let files = format!("{}: {}", out.display(), counted(files, "file"));
            lost.chain([files]).collect::<Vec<_>>().join("\n") + "\n"
        }
    });
    Ok(Ended::AsWanted)
}
