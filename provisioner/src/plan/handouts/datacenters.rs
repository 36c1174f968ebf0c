//! The datacenters as the platform's API (PAPI) lists them, in `var/datacenters.csv`.
//!
//! PAPI reads each column but the first two as a number when it starts, and does not start when one
//! is none. It counts on a row for each datacenter of which a node is there: without one, users of
//! its VOs can deploy nothing, at other datacenters neither. So a row is complete or not there, and
//! what is not there is told.

use federation::names::{DatacenterName, VoName};
use serde::{Deserialize, Serialize};

use crate::inventory::{CountryCode, Decimal, Inventory, Site};

/// The datacenters that can be listed, and those that cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Datacenters {
    /// A row each, by name.
    pub listed: Vec<Datacenter>,
    /// Those that lack what a row needs, by name.
    pub unlisted: Vec<Unlisted>,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datacenter {
    /// Its name in Consul and Nomad.
    pub name: DatacenterName,
    /// Two letters of ISO 3166-1.
    pub country: CountryCode,
    /// Degrees north.
    pub latitude: Decimal,
    /// Degrees east.
    pub longitude: Decimal,
    /// Power usage effectiveness.
    pub pue: Decimal,
}

/// A datacenter that has no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// Its name in Consul and Nomad.
    pub name: DatacenterName,
    /// The key that its site's file lacks: `location` or `location.pue`.
    pub lacks: String,
    /// Whose users are hit when one of its nodes joins before it has a row.
    pub vos: Vec<VoName>,
}

/// Lists the datacenters of a federation.
pub(super) fn datacenters(inventory: &Inventory) -> Datacenters {
    let mut datacenters = Datacenters::default();
    for site in inventory.sites.values() {
        match row(site) {
            Ok(row) => datacenters.listed.push(row),
            Err(lacks) => datacenters.unlisted.push(Unlisted {
                name: site.datacenter.clone(),
                lacks: lacks.to_owned(),
                vos: site.vos.iter().cloned().collect(),
            }),
        }
    }
    datacenters
}

/// The row of a site, or the key that it lacks.
fn row(site: &Site) -> Result<Datacenter, &'static str> {
    let location = site.location.as_ref().ok_or("location")?;
    let pue = location.pue.as_ref().ok_or("location.pue")?;
    Ok(Datacenter {
        name: site.datacenter.clone(),
        country: location.country.clone(),
        latitude: location.latitude.clone(),
        longitude: location.longitude.clone(),
        pue: pue.value.clone(),
    })
}
