//! `atoll certs`: the federation's own authorities.

use crate::cli::{Certs, WhichAuthority};
use crate::command::{Ended, Error};
use crate::plan::Authority;
use crate::progress::show;
use crate::secrets::{Identity, Store};

pub(super) fn run(what: &Certs) -> Result<Ended, Error> {
    let Certs::Authority {
        which,
        inventory,
        identity,
    } = what;
    let authority = match which {
        WhichAuthority::Consul => Authority::Consul,
        WhichAuthority::Nomad => Authority::Nomad,
        WhichAuthority::Atoll => Authority::Atoll,
    };
    let store = Store::open(inventory, &Identity::from_file(identity)?)?;
    let known = store
        .authority(authority)
        .ok_or("the operator's store has no authorities yet; `atoll apply` makes them")?;
    show(&known.certificate_pem);
    Ok(Ended::AsWanted)
}
