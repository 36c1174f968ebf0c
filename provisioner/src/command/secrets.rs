//! `atoll secrets`: the operator's own key.

use serde_json::json;

use crate::cli::Secrets;
use crate::command::{Ended, Error};
use crate::progress::{Format, show};
use crate::secrets::keygen;

pub(super) fn run(what: &Secrets, format: Format) -> Result<Ended, Error> {
    let Secrets::Keygen { file } = what;
    let recipient = keygen(file)?;
    show(&match format {
        Format::Human => format!(
            "{}: keep it safe, nobody can open the inventory's secrets without it\nrecipient: {recipient}\n",
            file.display()
        ),
        Format::Json => format!("{}\n", json!({ "identity": file, "recipient": recipient })),
    });
    Ok(Ended::AsWanted)
}
