//! `atoll init`: the first files of a site, by asking or from flags.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use federation::names::{DatacenterName, RegionName, SiteName, VoName};
use serde_json::json;

use crate::cli::Init;
use crate::command::check::tell;
use crate::command::place::place;
use crate::command::{Ended, Error};
use crate::inventory::{
    self, Draft, Inventory, InventoryError, NewFederation, NewSite, NewVo, Suggestions, drafts,
    host_address, site_file,
};
use crate::progress::{Format, ask, can_ask, complain, show};

/// What is suggested for the VOs of a new federation.
const VOS: &str = "vo.example.org=example@deployments.example.org";

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error(
        "cannot ask: nobody is at a terminal; say what differs by flags, and --yes for the rest"
    )]
    NobodyThere,
    #[error("{} is there already, and is never overwritten", .0.display())]
    Exists(std::path::PathBuf),
    #[error(
        "the folder belongs to the federation `{0}`; leave out --federation and --vo to add a site"
    )]
    Begun(RegionName),
    #[error("cannot write {}", .0.display())]
    Write(std::path::PathBuf, #[source] io::Error),
}

/// What was answered, or why there is no answer.
type Answer<T> = Result<T, Stop>;

/// Why the questions ended early.
enum Stop {
    /// By the person: nothing is written.
    Asked,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) fn run(flags: &Init, format: Format) -> Result<Ended, Error> {
    let files = match answered(flags) {
        Ok(files) => files,
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::Asked) => {
            complain("nothing was written");
            return Ok(Ended::NotAsWanted);
        }
    };
    let folder = &flags.inventory;
    let warnings = match inventory::load_with(folder, &files) {
        Ok(loaded) => loaded.warnings,
        Err(InventoryError::Invalid { problems }) => {
            tell(&problems, format);
            complain("nothing was written: these answers do not fit together");
            return Ok(Ended::NotAsWanted);
        }
        Err(error) => return Err(error.into()),
    };
    write(folder, &files)?;
    tell(&warnings, format);
    let names: Vec<_> = files.iter().map(|draft| folder.join(&draft.file)).collect();
    match format {
        Format::Human => names
            .iter()
            .for_each(|name| show(&format!("{}\n", name.display()))),
        Format::Json => show(&format!("{}\n", json!({ "files": names }))),
    }
    Ok(Ended::AsWanted)
}

/// The files that follow from flags, from answers, and from what is there.
fn answered(flags: &Init) -> Answer<Vec<Draft>> {
    if !flags.yes && !can_ask() {
        return Err(InitError::NobodyThere.into());
    }
    let folder = &flags.inventory;
    let is_begun = folder.join("federation.yaml").exists();
    let known = is_begun.then(|| inventory::load(folder)).transpose()?;
    let known = known.map(|loaded| loaded.inventory);
    let known = known.as_ref();
    if let Some(known) = known.filter(|_| flags.federation.is_some() || !flags.vo.is_empty()) {
        return Err(InitError::Begun(known.federation.name.clone()).into());
    }
    let federation = match known {
        Some(_) => None,
        None => Some(federation(flags)?),
    };
    let site = site(flags, federation.as_ref(), known)?;
    Ok(drafts(federation.as_ref(), &site))
}

fn federation(flags: &Init) -> Answer<NewFederation> {
    let named = flags.inventory.file_name().and_then(|name| name.to_str());
    let suggestion = named
        .filter(|name| name.parse::<RegionName>().is_ok())
        .unwrap_or("example");
    let name = said(
        flags,
        flags.federation.as_ref(),
        "Name of the federation",
        suggestion,
    )?;
    let vos = several(
        flags,
        &flags.vo,
        "VOs, each name=namespace@domain",
        VOS,
        NewVo::from_str,
    )?;
    Ok(NewFederation { name, vos })
}

fn site(
    flags: &Init,
    federation: Option<&NewFederation>,
    known: Option<&Inventory>,
) -> Answer<NewSite> {
    let region = federation
        .map(|it| &it.name)
        .or(known.map(|it| &it.federation.name));
    let suggest = region.map(|region| Suggestions::new(region, known));
    let suggested = suggest.as_ref().map_or("one", |it| it.datacenter.as_str());
    let datacenter: DatacenterName =
        said(flags, flags.datacenter.as_ref(), "Datacenter", suggested)?;
    let file = flags.inventory.join(site_file(&datacenter));
    if file.exists() {
        return Err(InitError::Exists(file).into());
    }
    let label = datacenter
        .as_str()
        .rsplit('-')
        .next()
        .unwrap_or_default()
        .to_owned();
    let vos: Vec<VoName> = match (federation, known) {
        (Some(federation), _) => federation.vos.iter().map(|vo| vo.name.clone()).collect(),
        (None, Some(known)) => {
            let all: Vec<_> = known.federation.vos.keys().map(VoName::as_str).collect();
            several(flags, &[], "VOs it serves", &all.join(" "), |text| {
                let name: VoName = text.parse().map_err(text_of)?;
                let is_known = known.federation.vos.contains_key(&name);
                is_known
                    .then_some(name)
                    .ok_or_else(|| format!("the VOs are {}", all.join(", ")))
            })?
        }
        (None, None) => Vec::new(),
    };
    let address = |after| {
        suggest
            .as_ref()
            .map_or_else(String::new, |it| it.address(after).to_string())
    };
    let addresses = |said: &[IpAddr], question: &str, after| {
        several(flags, said, question, &address(after), host_address)
    };
    Ok(NewSite {
        domain: said(
            flags,
            flags.domain.as_ref(),
            "Its label in users' URLs",
            &label,
        )?,
        site: gocdb(flags)?,
        user: said(
            flags,
            flags.user.as_ref(),
            "Account for SSH, with sudo",
            "debian",
        )?,
        servers: addresses(&flags.server, "Addresses of servers, one or three", 0)?,
        gateways: addresses(&flags.gateway, "Addresses of gateways", 1)?,
        clients: addresses(&flags.client, "Addresses of hosts for users' jobs", 2)?,
        datacenter,
        vos,
    })
}

fn gocdb(flags: &Init) -> Answer<Option<SiteName>> {
    if flags.site.is_some() || flags.yes {
        return Ok(flags.site.clone());
    }
    let read = |text: &str| match text {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(text_of),
    };
    ask("Its name in GOCDB", "none", read)?.ok_or(Stop::Asked)
}

/// One value: of a flag, else asked, else suggested.
fn said<T>(flags: &Init, flag: Option<&T>, question: &str, suggestion: &str) -> Answer<T>
where
    T: Clone + FromStr<Err: Display>,
{
    let read = |text: &str| text.parse().map_err(text_of);
    match flag {
        Some(value) => Ok(value.clone()),
        None if flags.yes => read(suggestion).map_err(Stop::from),
        None => ask(question, suggestion, read)?.ok_or(Stop::Asked),
    }
}

/// Several values, with blanks or commas between them.
fn several<T: Clone>(
    flags: &Init,
    said: &[T],
    question: &str,
    suggestion: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Answer<Vec<T>> {
    let words = |text: &str| {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(&read).collect::<Result<Vec<_>, _>>()
    };
    match said {
        [] if flags.yes => words(suggestion).map_err(Stop::from),
        [] => ask(question, suggestion, words)?.ok_or(Stop::Asked),
        said => Ok(said.to_vec()),
    }
}

fn text_of(error: impl Display) -> String {
    error.to_string()
}

/// Nothing that is there is overwritten.
fn write(folder: &Path, drafts: &[Draft]) -> Result<(), InitError> {
    let mut paths = drafts.iter().map(|draft| folder.join(&draft.file));
    if let Some(path) = paths.find(|path| path.exists()) {
        return Err(InitError::Exists(path));
    }
    let files: Vec<_> = drafts
        .iter()
        .map(|draft| (draft.file.as_path(), draft.text.as_str()))
        .collect();
    place(folder, &files).map_err(|(path, error)| InitError::Write(path, error))
}
