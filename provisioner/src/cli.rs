//! The flags of `atoll`, and nothing else.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use federation::names::{
    DatacenterName, DomainLabel, NameError, RegionName, SiteName, UserName, VoName,
};

use crate::inventory::{NewVo, host_address};
use crate::progress::Format;
use crate::select::Selector;

/// Turns an inventory into running Nomad, Consul, Docker and Traefik.
///
/// An inventory is a folder: `federation.yaml`, and one `sites/*.yaml` per
/// datacenter. Start with `atoll check`, look with `atoll render` and `atoll
/// plan`, then `atoll apply`, and prove it with `atoll verify`.
///
/// Exit status: 0 all is as wanted, 1 something is not, 2 it could not start.
#[derive(Debug, Parser)]
#[command(name = "atoll", version, max_term_width = 100)]
pub struct Cli {
    /// How results and events are shown.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "human",
        value_name = "FORMAT"
    )]
    pub output: Format,

    /// Say nothing but results and failures.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `atoll` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented inventory of a new site, by asking or from flags. Overwrites nothing.
    ///
    /// In a folder without `federation.yaml` the site is the first of a new federation.
    Init(Box<Init>),
    /// Check an inventory: all its problems, each with file, line and column.
    Check {
        /// The inventory folder.
        #[arg(default_value = ".")]
        inventory: PathBuf,
    },
    /// Print the JSON Schema of an inventory's files, for editors, or of a JSON document that Atoll
    /// writes, for programs that read it.
    Schema {
        /// Which document; without it, a schema that takes either of an inventory's files.
        #[arg(value_enum)]
        document: Option<WhichDocument>,
    },
    /// Write every file of every host into a folder. Needs no host and no secret.
    ///
    /// Secrets stand as their names in it, unless they are asked for.
    Render {
        /// The inventory folder.
        #[arg(default_value = ".")]
        inventory: PathBuf,
        /// Where to write: a new folder, or an earlier output.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Which hosts.
        #[command(flatten)]
        on: On,
        /// Fill in the secrets. Only you can read what is written, and it is not written into a
        /// work tree of git.
        #[arg(long, requires = "identity")]
        with_secrets: bool,
        /// The age identity that opens the operator's secrets.
        #[arg(long, env = "ATOLL_IDENTITY_FILE", value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Show what an apply would change. Writes nothing, anywhere.
    ///
    /// With `--on` only those hosts are asked. What all sites share is compared if they are the
    /// first Consul server of the primary datacenter and a Nomad server, or have them among them.
    Plan {
        /// The inventory and how to reach its hosts.
        #[command(flatten)]
        target: Target,
        /// Print the scripts that would run, instead of the changes.
        #[arg(long)]
        script: bool,
    },
    /// Bring hosts to what the inventory says, wave by wave.
    ///
    /// Each wave is staged, validated by the product itself, swapped in, and kept
    /// only if what was restarted becomes healthy. Ctrl-C lets the wave in hand
    /// end; run it again to go on.
    ///
    /// With `--on` only those hosts are changed, and what is left out is said. A
    /// server that is not among them is asked for the tokens which they lack, and
    /// for nothing else.
    Apply {
        /// The inventory and how to reach its hosts.
        #[command(flatten)]
        target: Target,
        /// The folder with the programs, packages and images that `artifacts.lock` pins.
        #[arg(long, env = "ATOLL_ARTIFACTS", value_name = "FOLDER")]
        artifacts: Option<PathBuf>,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Prove that a site works: a probe on each client, then a user's job through its gateway.
    ///
    /// With `--on` only those clients get a probe, and only sites whose gateway is among them a
    /// user's job, which Nomad may place on any client of the site.
    Verify {
        /// The inventory and how to reach its hosts.
        #[command(flatten)]
        target: Target,
        /// Leave the users' jobs running whose routes answered, to look at them.
        #[arg(long)]
        keep: bool,
    },
    /// Programs, packages and images for hosts.
    #[command(subcommand)]
    Artifacts(Artifacts),
    /// The operator's secrets.
    #[command(subcommand)]
    Secrets(Secrets),
    /// The federation's own certificate authorities.
    #[command(subcommand)]
    Certs(Certs),
    /// Turn what another tool knows of a site into an inventory.
    #[command(subcommand)]
    Import(Import),
    /// Write an inventory in the words of another tool.
    #[command(subcommand)]
    Export(Export),
    /// Print completions for a shell.
    Completion {
        /// Which shell.
        shell: Shell,
    },
}

/// What a new site is; what is not said is asked.
#[derive(Debug, Args)]
pub struct Init {
    /// The inventory folder; made if it is not there.
    #[arg(default_value = ".")]
    pub inventory: PathBuf,
    /// A new federation's name: Nomad's region.
    #[arg(long, value_name = "NAME")]
    pub federation: Option<RegionName>,
    /// The site's name in GOCDB.
    #[arg(long, value_name = "NAME")]
    pub site: Option<SiteName>,
    /// Consul's and Nomad's datacenter.
    #[arg(long, value_name = "NAME")]
    pub datacenter: Option<DatacenterName>,
    /// The site's label in its users' URLs.
    #[arg(long, value_name = "LABEL")]
    pub domain: Option<DomainLabel>,
    /// A VO of a new federation; may be repeated.
    #[arg(long, value_name = "NAME=NAMESPACE@DOMAIN")]
    pub vo: Vec<NewVo>,
    /// The account that SSH uses.
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Address of a server; may be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = host_address)]
    pub server: Vec<IpAddr>,
    /// Address of a gateway; may be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = host_address)]
    pub gateway: Vec<IpAddr>,
    /// Address of a host that runs users' jobs; may be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = host_address)]
    pub client: Vec<IpAddr>,
    /// Do not ask: take what is suggested for all that is not said.
    #[arg(long, short)]
    pub yes: bool,
}

/// A kind of document that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhichDocument {
    /// `federation.yaml` of an inventory.
    Federation,
    /// A file of `sites/` of an inventory.
    Site,
    /// `<node>/manifest.json` in the output of `render`.
    Manifest,
    /// `federation/firewall/matrix.json` in the output of `render`.
    Firewall,
    /// `federation/namespaces.json` in the output of `render`.
    Namespaces,
    /// `federation/scheduler.json` in the output of `render`.
    Scheduler,
    /// `federation/papi/unlisted.json` in the output of `render`.
    Unlisted,
    /// `/etc/docker/daemon.json` of a host.
    Docker,
    /// `/var/lib/atoll/manifest.json` of a host.
    HostState,
    /// A line about an inventory from `--output json`.
    Problem,
    /// A line about a source from `--output json import`.
    Finding,
    /// A line of a run from `--output json plan`, `apply` or `verify`.
    Event,
    /// The last line from `--output json` of the other commands.
    Answer,
}

/// A part of the hosts.
#[derive(Debug, Args)]
pub struct On {
    /// Only these hosts: names of nodes or hosts, with `*` for anything, `@site:<datacenter>`,
    /// `@client`, `@gateway`, `@gpu`, `@server`; several with commas between them.
    #[arg(id = "on", long = "on", value_name = "HOSTS")]
    pub hosts: Option<Selector>,
}

/// The inventory and how to reach its hosts.
#[derive(Debug, Args)]
pub struct Target {
    /// The inventory folder.
    #[arg(default_value = ".")]
    pub inventory: PathBuf,
    /// Which hosts.
    #[command(flatten)]
    pub on: On,
    /// The age identity that opens the operator's secrets.
    #[arg(long, env = "ATOLL_IDENTITY_FILE", value_name = "FILE")]
    pub identity: PathBuf,
    /// The SSH private key; without it, the keys of ssh-agent are tried.
    #[arg(long, env = "ATOLL_SSH_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The hosts' keys; `known_hosts` in the inventory folder when absent.
    #[arg(long, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// Compare also what is usually trusted: the digests of programs, and what was set through
    /// the APIs of Consul and Nomad.
    #[arg(long)]
    pub deep: bool,
}

/// What can be done with artifacts.
#[derive(Debug, Subcommand)]
pub enum Artifacts {
    /// Pin every file of an artifact folder by its SHA-256 in the inventory's `artifacts.lock`.
    Lock {
        /// The inventory folder.
        #[arg(default_value = ".")]
        inventory: PathBuf,
        /// The artifact folder.
        #[arg(long, env = "ATOLL_ARTIFACTS", value_name = "FOLDER")]
        artifacts: PathBuf,
    },
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Make a new age identity, with which an operator opens the secrets of an inventory.
    Keygen {
        /// The file to make; readable by you alone, never overwritten.
        file: PathBuf,
    },
}

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub enum Certs {
    /// Print the certificate of an authority, in PEM. It is public.
    Authority {
        /// Which one.
        #[arg(value_enum)]
        which: WhichAuthority,
        /// The inventory folder.
        #[arg(default_value = ".")]
        inventory: PathBuf,
        /// The age identity that opens the operator's secrets.
        #[arg(long, env = "ATOLL_IDENTITY_FILE", value_name = "FILE")]
        identity: PathBuf,
    },
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// A site of ai4-ansible: its hosts and their variables.
    ///
    /// Reads an inventory in INI or YAML, or what `ansible-inventory --list` prints, with the
    /// `group_vars` and `host_vars` beside it. Names of nodes are kept, since jobs and
    /// measurements know them. Nothing is guessed: IMPORT-REPORT.md lists what was dropped,
    /// changed, or waits for your decision, each with its file and line.
    ///
    /// Import the primary site first, then each other one into the same folder:
    ///
    ///   atoll import ansible ifca/ --out federation --site CSIC-IFCA
    ///   atoll import ansible walton/hosts --out federation --site WALTON-CLOUD
    ///   atoll check federation
    ///
    /// Exit status: 0 imported, 1 the source has errors and nothing was written, 2 it could not
    /// start.
    #[command(verbatim_doc_comment)]
    Ansible {
        /// The inventory, or the folder with its `hosts`.
        path: PathBuf,
        /// The inventory folder to make, or the one to which the site is added.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// The site's name in GOCDB, which Ansible does not know.
        #[arg(long, value_name = "NAME")]
        site: Option<SiteName>,
        /// The VO of a namespace which Atoll does not know; may be repeated.
        #[arg(long, value_name = "NAMESPACE=VO", value_parser = vo_of_namespace)]
        vo: Vec<(String, VoName)>,
        /// The configuration of OpenSSH's client with which Ansible reaches the hosts.
        #[arg(long, value_name = "FILE")]
        ssh_config: Option<PathBuf>,
    },
}

/// What can be exported.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// Each site as ai4-ansible has it: a folder with `hosts` and `group_vars/all.yml`.
    ///
    /// What Ansible's files have no place for is listed. Importing them again gives the same
    /// hosts, names, addresses and roles.
    Ansible {
        /// The inventory folder.
        #[arg(default_value = ".")]
        inventory: PathBuf,
        /// Where to write: a new folder, or an earlier output.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
}

fn vo_of_namespace(text: &str) -> Result<(String, VoName), String> {
    let (namespace, vo) = text
        .split_once('=')
        .ok_or("write it as NAMESPACE=VO, such as example=vo.example.org")?;
    let vo = vo.parse().map_err(|error: NameError| error.to_string())?;
    Ok((namespace.to_owned(), vo))
}

/// A certificate authority of the federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhichAuthority {
    /// Signs Consul servers.
    Consul,
    /// Signs Nomad agents and the callers of Nomad's API.
    Nomad,
    /// Signs gateways that have no public certificate.
    Atoll,
}
