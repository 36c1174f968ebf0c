//! One site file: one datacenter.

use std::collections::{BTreeMap, BTreeSet};

use federation::names::{DatacenterName, DomainLabel, HostName, SiteName, UserName, VoName};
use ipnet::IpNet;
use jiff::civil::Date;

use super::word::{CountryCode, Decimal, Email};
use super::{Extra, Host, TryMe, Versions};

/// One site file: one datacenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// GOCDB name; absent means that accounting cannot be published.
    pub site: Option<SiteName>,
    /// Consul's and Nomad's datacenter.
    pub datacenter: DatacenterName,
    /// The left label of its users' URLs.
    pub domain: DomainLabel,
    /// How far it has come on its way into the federation.
    pub state: State,
    /// Where it stands; absent means that what needs it cannot be exported.
    pub location: Option<Location>,
    /// How its hosts are reached.
    pub ssh: Ssh,
    /// Its private networks; none are said when empty.
    pub networks: Vec<IpNet>,
    /// What its hosts should run: the federation's versions, or its own.
    pub versions: Versions,
    /// Mirrors of registries, nearest first.
    pub mirrors: Vec<String>,
    /// Where Docker's own networks take their addresses; Docker's default when empty.
    pub address_pools: Vec<AddressPool>,
    /// Where the certificates of its gateways come from.
    pub certificates: Certificates,
    /// Its time servers; the distribution's when empty.
    pub ntp: Vec<String>,
    /// What its try-me nodes have beforehand: what the federation says, or it itself.
    pub tryme: TryMe,
    /// The VOs it serves.
    pub vos: BTreeSet<VoName>,
    /// Checks that are not to be made here.
    pub waived: Vec<Waiver>,
    /// The operator's own words in the files of products.
    pub extra: Extra,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, Host>,
}

/// How the hosts of a site are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The account, which has sudo without a password.
    pub user: UserName,
    /// The TCP port; 22 when absent from the file.
    pub port: u16,
    /// The hosts to go through, the first hop first.
    pub jump: Vec<Jump>,
}

/// A host on the way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The account there; the site's when absent.
    pub user: Option<UserName>,
    /// Its name or address.
    pub host: String,
    /// The TCP port; 22 when absent from the file.
    pub port: u16,
}

/// How far a site has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing runs yet.
    #[default]
    Planned,
    /// Its agents are part of the federation.
    Joined,
    /// It has been verified.
    Tested,
    /// Users' jobs run there.
    Ready,
    /// It takes no new jobs.
    Draining,
    /// It is gone.
    Retired,
}

/// Where a site stands on the globe, and what its building takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Two letters of ISO 3166-1.
    pub country: CountryCode,
    /// Degrees north, -90 to 90.
    pub latitude: Decimal,
    /// Degrees east, -180 to 180.
    pub longitude: Decimal,
    /// Its power usage effectiveness, if it is known.
    pub pue: Option<Pue>,
}

/// Power usage effectiveness: what the building takes, divided by what its machines take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pue {
    /// Between 1 and 3.
    pub value: Decimal,
    /// Who says so.
    pub source: String,
    /// Of when it is.
    pub date: Date,
}

/// A range out of which Docker gives a network to each of its bridges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPool {
    /// The range.
    pub base: IpNet,
    /// The prefix length of each network.
    pub size: u8,
}

/// Where the wildcard certificates of gateways come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// From Atoll's own authority.
    Own,
    /// From files that the site's operator was given.
    Files,
    /// From an ACME server, by entries in DNS: nothing else gives wildcards.
    Acme {
        /// Where its operator is told of what expires.
        email: Email,
        /// The provider of the DNS zone, as Traefik's library (lego) names it.
        dns_provider: String,
    },
}

/// A check that is not to be made, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Its name.
    pub check: String,
    /// Why not.
    pub reason: String,
}
