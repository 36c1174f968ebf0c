//! What could be read becomes the inventory, if every part of it could be.
//!
//! A part that may be absent is taken as absent where it could not be read: that has been
//! reported, so that nobody uses the inventory.

use federation::names::HostName;

use super::decode::Spot;
use super::file::{
    AccessEntry, CertificateSource, CertificatesEntry, ClientsEntry, ExternalEntry, FederationFile,
    Files, HostEntry, List, PoolEntry, SiteFile, SshEntry, TryMeEntry, VersionsEntry, VoEntry,
    WaiverEntry, Waivers,
};
use super::{
    Access, AddressPool, Certificates, Clients, External, Federation, Host, Introduction,
    Inventory, Kind, Site, Ssh, TryMe, Versions, Vo, Waiver,
};

/// The inventory, if every part of it could be read.
pub(super) fn inventory(files: Files) -> Option<Inventory> {
    let federation = federation(files.federation?)?;
    let site = |file: Option<SiteFile>| {
        let site = site(file?, &federation)?;
        Some((site.datacenter.clone(), site))
    };
    let sites = files.sites.into_iter().map(site).collect::<Option<_>>()?;
    Some(Inventory { federation, sites })
}

fn federation(file: FederationFile) -> Option<Federation> {
    let vo = |vo: VoEntry| {
        let (namespace, domain) = (vo.namespace?.value, vo.domain?.value);
        Some((vo.name?.value, Vo { namespace, domain }))
    };
    let versions = file.versions?;
    Some(Federation {
        name: file.name?.value,
        primary: file.primary?.value,
        versions: Versions {
            consul: versions.consul?.value,
            nomad: versions.nomad?.value,
            traefik: versions.traefik?.value,
            cni: versions.cni.map(value),
        },
        docker: file.docker?.value,
        introduction: file.introduction.map_or(Introduction::Strict, value),
        probe_image: file.probe_image?,
        vos: file.vos?.value.into_iter().map(vo).collect::<Option<_>>()?,
        nvidia: file.nvidia.and_then(value),
        external: file.external.map(external).unwrap_or_default(),
        clients: file.clients.map(clients).unwrap_or_default(),
        access: file.access.map(access).unwrap_or_default(),
        image_cleanup: file.image_cleanup.and_then(value),
        tryme: tryme(file.tryme, &TryMe::default()),
        extra: file.extra.values(),
    })
}

fn external(entry: ExternalEntry) -> External {
    External {
        consul_servers: values(entry.consul_servers),
        nomad_servers: values(entry.nomad_servers),
    }
}

fn clients(entry: ClientsEntry) -> Clients {
    let usual = Clients::default();
    Clients {
        reserved_memory_mib: entry
            .reserved_memory_mib
            .map_or(usual.reserved_memory_mib, value),
        raw_exec: entry
            .raw_exec
            .map_or(usual.raw_exec, |list| values(Some(list))),
    }
}

fn access(entry: AccessEntry) -> Access {
    Access {
        ssh: values(entry.ssh),
        api: values(entry.api),
        monitoring: values(entry.monitoring),
    }
}

fn site(mut file: SiteFile, federation: &Federation) -> Option<Site> {
    let entries = file.hosts.take()?.value;
    let hosts = entries
        .into_iter()
        .map(|entry| host(&file, entry?))
        .collect::<Option<_>>()?;
    Some(Site {
        site: file.site.map(value),
        datacenter: file.datacenter?.value,
        domain: file.domain?.value,
        state: file.state.map(value).unwrap_or_default(),
        location: file.location.and_then(value),
        ssh: ssh(file.ssh?)?,
        networks: values(file.networks),
        versions: own_versions(file.versions, &federation.versions),
        mirrors: values(file.docker.mirrors),
        address_pools: pools(file.docker.address_pools),
        certificates: certificates(file.certificates.and_then(value)),
        ntp: values(file.ntp),
        tryme: tryme(file.tryme, &federation.tryme),
        vos: values(file.vos),
        waived: waivers(file.waived),
        extra: file.extra.values(),
        hosts,
    })
}

fn ssh(entry: SshEntry) -> Option<Ssh> {
    Some(Ssh {
        user: entry.user?.value,
        port: entry.port.map_or(22, value),
        jump: values(entry.jump),
    })
}

/// The federation's versions, but for those in which the site differs.
fn own_versions(own: VersionsEntry, all: &Versions) -> Versions {
    let or = |own: Option<Spot<_>>, all: &_| own.map_or_else(|| Clone::clone(all), value);
    Versions {
        consul: or(own.consul, &all.consul),
        nomad: or(own.nomad, &all.nomad),
        traefik: or(own.traefik, &all.traefik),
        cni: own.cni.map(value).or_else(|| all.cni.clone()),
    }
}

/// What is said of try-me nodes, and for the rest what is said more generally.
fn tryme(own: TryMeEntry, general: &TryMe) -> TryMe {
    TryMe {
        images: own
            .images
            .map_or_else(|| general.images.clone(), |list| values(Some(list))),
        keep_free_percent: own
            .keep_free_percent
            .map_or(general.keep_free_percent, value),
    }
}

fn pools(pools: Option<Spot<Vec<Option<PoolEntry>>>>) -> Vec<AddressPool> {
    let pool = |pool: PoolEntry| {
        Some(AddressPool {
            base: pool.base?.value,
            size: pool.size?.value,
        })
    };
    let pools = pools.map_or_else(Vec::new, value);
    pools.into_iter().flatten().filter_map(pool).collect()
}

fn certificates(entry: Option<CertificatesEntry>) -> Certificates {
    let Some(entry) = entry else {
        return Certificates::Own;
    };
    let (email, provider) = (
        entry.email.and_then(value),
        entry.dns_provider.and_then(value),
    );
    match (entry.source.map(value), email, provider) {
        (Some(CertificateSource::Acme), Some(email), Some(dns_provider)) => Certificates::Acme {
            email,
            dns_provider,
        },
        (Some(CertificateSource::Files), ..) => Certificates::Files,
        _ => Certificates::Own,
    }
}

fn waivers(waivers: Option<Waivers>) -> Vec<Waiver> {
    let waivers = waivers.map_or_else(Vec::new, value);
    let waiver = |waiver: WaiverEntry| {
        Some(Waiver {
            check: waiver.check?.value,
            reason: waiver.reason?.value,
        })
    };
    waivers.into_iter().flatten().filter_map(waiver).collect()
}

fn host(site: &SiteFile, entry: HostEntry) -> Option<(HostName, Host)> {
    let (node, _) = entry.node(site)?;
    let address = entry.address.as_ref()?.value;
    let vos = entry.vos.as_ref().or(site.vos.as_ref())?;
    let host = Host {
        node: node.ok()?,
        roles: entry.roles().map(|(role, _)| role).collect(),
        address,
        public_address: entry.public_address.map_or(address, value),
        kind: entry.kind.map_or(Kind::Compute, value),
        vos: vos
            .value
            .iter()
            .map(|vo| Some(vo.as_ref()?.value.clone()))
            .collect::<Option<_>>()?,
        gpus: entry.gpus.and_then(value),
        volume: entry.volume.and_then(value),
        ssh: entry.ssh.and_then(value).unwrap_or_default(),
        waived: waivers(entry.waived),
        extra: entry.extra.values(),
    };
    Some((entry.key?.value, host))
}

fn values<T, C: FromIterator<T>>(list: Option<List<T>>) -> C {
    let items = list.into_iter().flat_map(|list| list.value);
    items.flatten().map(value).collect()
}

fn value<T>(spot: Spot<T>) -> T {
    spot.value
}
