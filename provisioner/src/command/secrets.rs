//! `atoll secrets`: the operator's own key.

use crate::cli::Secrets;
use crate::command::{Ended, Error};
use crate::progress::show;
use crate::secrets::keygen;

pub(super) fn run(what: &Secrets) -> Result<Ended, Error> {
    let Secrets::Keygen { file } = what;
    let recipient = keygen(file)?;
    show(&format!(
        "{}: keep it safe, nobody can open the inventory's secrets without it\nrecipient: {recipient}\n",
        file.display()
    ));
    Ok(Ended::AsWanted)
}
