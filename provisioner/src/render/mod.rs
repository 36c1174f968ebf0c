//! Turns a plan into bytes.
//!
//! Everything is rendered before anything is written anywhere, so a mistake in
//! a template costs no host. Secrets stay names here: a rendered text holds
//! `@secret(<name>)@`, which [`fill`] replaces at the last moment, and
//! certificates are not bytes yet but what should be issued ([`Body`]).
//!
//! ```text
//! Plan ──render()──▶ Rendered ──┬─▶ apply
//!                               └─tree()──▶ files for a reader ──write()──▶ a folder
//! ```

mod filled;
mod filters;
mod folder;
mod handouts;
mod merged;
mod mistakes;
mod placeholder;
mod templates;
mod tree;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use federation::names::NodeName;
use serde_json::{Map, Value};

use crate::plan::{
    Access, Authority, Content, Gateway, Leaf, NomadUser, OnChange, Plan, PlannedFile, Services,
    Template, Wave,
};

pub use filled::{Unfilled, filled};
pub use folder::{Readers, Work, WriteError, write};
pub use mistakes::{Mistake, mistakes};
pub use placeholder::{UnfilledSecret, fill, throwaway};
pub use templates::{Overrides, RenderError, TEMPLATES};
pub use tree::{hosts_tree, tree};

use merged::merged;
use templates::Engine;

/// All texts of a federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Files of each host, by wave and path.
    pub hosts: BTreeMap<NodeName, Vec<RenderedFile>>,
    /// What the APIs of Consul and Nomad are given.
    pub services: RenderedServices,
}

/// A file a host should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Absolute path on the host.
    pub path: String,
    /// Who may do what.
    pub access: Access,
    /// When it is put in place.
    pub wave: Wave,
    /// What the host must do when it changes.
    pub on_change: OnChange,
    /// Whether the operator's own words are in it.
    pub extra: bool,
    /// Its bytes, as far as they are known.
    pub body: Body,
}

/// The bytes of a file, as far as they are known before an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text with placeholders for its secrets. Hosts that are given the same share it.
    Text(Arc<str>),
    /// The certificate of an authority.
    Authority(Authority),
    /// A certificate to be issued.
    Certificate(Arc<Leaf>),
    /// The private key of a certificate to be issued.
    PrivateKey(Arc<Leaf>),
    /// A token that Nomad makes for the host, with the policy of this user.
    NomadToken(NomadUser),
}

/// What the APIs of Consul and Nomad are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedServices {
    /// Rules of Consul's policies by name.
    pub consul_policies: BTreeMap<&'static str, String>,
    /// Rules of Nomad's policies by name.
    pub nomad_policies: BTreeMap<&'static str, String>,
    /// One Traefik a gateway.
    pub gateways: Vec<RenderedGateway>,
    /// Other jobs as HCL, by ID.
    pub jobs: BTreeMap<&'static str, String>,
}

/// Traefik on one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedGateway {
    /// The Nomad job's ID.
    pub job_id: String,
    /// The node it is pinned to.
    pub node: NodeName,
    /// The job as HCL; it embeds the two configurations.
    pub job: String,
    /// The static configuration, with Nomad's template expressions in it.
    pub static_configuration: String,
    /// The dynamic configuration, with Nomad's template expressions in it.
    pub dynamic_configuration: String,
}

/// Renders a whole plan, with some of the templates in the operator's own words.
///
/// # Errors
/// When a template is no template, or asks for what its context lacks.
pub fn render(plan: &Plan, own: &Overrides) -> Result<Rendered, RenderError> {
    let engine = Engine::new(own)?;
    let mut shared = Shared::default();
    let mut hosts = BTreeMap::new();
    for (node, host) in &plan.hosts {
        let mut files = Vec::with_capacity(host.files.len());
        for file in &host.files {
            files.push(rendered(&engine, &mut shared, file)?);
        }
        hosts.insert(node.clone(), files);
    }
    Ok(Rendered {
        hosts,
        services: services(&engine, &plan.services)?,
    })
}

/// The texts that hosts have been given so far, each once: most are the same on many hosts.
#[derive(Default)]
struct Shared(HashSet<Arc<str>>);

impl Shared {
    fn text(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.0.get(text.as_str()) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}

fn rendered(
    engine: &Engine,
    shared: &mut Shared,
    file: &PlannedFile,
) -> Result<RenderedFile, RenderError> {
    Ok(RenderedFile {
        path: file.path.clone(),
        access: file.access,
        wave: file.wave,
        on_change: file.on_change,
        extra: match &file.content {
            Content::Merged(..) => true,
            Content::Template(template) => matches!(**template, Template::ExtraHcl(_)),
            _ => false,
        },
        body: match &file.content {
            Content::Template(template) => Body::Text(shared.text(engine.text(template)?)),
            Content::Merged(template, own) => {
                Body::Text(shared.text(with_own(engine, template, own)?))
            }
            Content::Authority(authority) => Body::Authority(*authority),
            Content::Certificate(leaf) => Body::Certificate(Arc::clone(leaf)),
            Content::PrivateKey(leaf) => Body::PrivateKey(Arc::clone(leaf)),
            Content::NomadToken(user) => Body::NomadToken(*user),
        },
    })
}

fn with_own(
    engine: &Engine,
    template: &Template,
    own: &[Map<String, Value>],
) -> Result<String, RenderError> {
    merged(&engine.text(template)?, own).map_err(|source| RenderError::Json {
        template: template.name(),
        source,
    })
}

fn services(engine: &Engine, services: &Services) -> Result<RenderedServices, RenderError> {
    let policies = |policies: &BTreeMap<&'static str, Template>| {
        let texts = policies
            .iter()
            .map(|(name, template)| Ok((*name, engine.text(template)?)));
        texts.collect::<Result<BTreeMap<_, _>, RenderError>>()
    };
    Ok(RenderedServices {
        consul_policies: policies(&services.consul_policies)?,
        nomad_policies: policies(&services.nomad_policies)?,
        gateways: services
            .gateways
            .iter()
            .map(|gateway| rendered_gateway(engine, gateway))
            .collect::<Result<_, _>>()?,
        jobs: services
            .jobs
            .iter()
            .map(|job| Ok((job.id, engine.text(&job.job)?)))
            .collect::<Result<_, RenderError>>()?,
    })
}

fn rendered_gateway(engine: &Engine, gateway: &Gateway) -> Result<RenderedGateway, RenderError> {
    Ok(RenderedGateway {
        job_id: gateway.job_id.clone(),
        node: gateway.node.clone(),
        job: engine.text(&gateway.job)?,
        static_configuration: engine.text(&gateway.static_configuration)?,
        dynamic_configuration: engine.text(&gateway.dynamic_configuration)?,
    })
}
