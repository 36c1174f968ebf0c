//! Which versions may take the place of those that a host has.

use std::fmt;

use federation::names::Version;

use crate::apply::facts::Facts;
use crate::apply::wanted::{Wanted, WantedPackages, WantedProgram};
use crate::versions::{Product, Refusal, reachable, upstream, way};

/// Versions that may not follow those which a host has: nothing is changed on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(pub Vec<Refusal>);

impl std::error::Error for Steps {}

/// Each refusal with what stands in the way, and the way around it if there is one.
impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            write!(f, "{refusal}")?;
            if let Ok(way) = way(refusal.product, &refusal.from, &refusal.to) {
                write!(f, ", one run for each step of {way}")?;
            }
        }
        Ok(())
    }
}

/// Refuses what leads from the versions that a host has to those it should have by a step that
/// is not promised to work: back, or too far at once.
///
/// What is there is told by the links in `/usr/local/bin` and by packages. What somebody else
/// has put there has no version that we know, and is no step.
pub(super) fn allowed(wanted: &Wanted, found: &Facts) -> Result<(), Steps> {
    let programs = wanted.programs.iter();
    let programs = programs.filter_map(|program| of_program(program, found));
    let packages = wanted.packages.iter();
    let packages = packages.filter_map(|set| of_packages(set, found));
    let refused = programs
        .chain(packages)
        .filter_map(|(product, from, to)| reachable(product, &from, &to).err());
    let refused: Vec<_> = refused.collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Steps(refused))
    }
}

/// A product that is there, its version, and the one that takes its place.
type Step = (Product, Version, Version);

fn of_program(program: &WantedProgram, found: &Facts) -> Option<Step> {
    let product = match program.product {
        "consul" => Product::Consul,
        "nomad" => Product::Nomad,
        _ => return None,
    };
    let link = found.paths.get(&program.link())?.target.as_ref()?;
    let folder = format!("/opt/atoll/{}/", program.product);
    let (version, _) = link.strip_prefix(&folder)?.split_once('/')?;
    Some((
        product,
        version.parse().ok()?,
        program.version.parse().ok()?,
    ))
}

fn of_packages(set: &WantedPackages, found: &Facts) -> Option<Step> {
    let there = found.packages.get(set.name)?;
    let is_docker = set.set == "docker";
    is_docker.then_some((Product::Docker, upstream(there)?, upstream(&set.version)?))
}
