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

mod filters;
mod folder;
mod placeholder;
mod templates;
mod tree;

use std::collections::BTreeMap;

use federation::names::NodeName;

use crate::plan::{
    Access, Authority, Content, Gateway, Leaf, NomadUser, OnChange, Plan, PlannedFile, Services,
    Template, Wave,
};

pub use folder::{WriteError, write};
pub use placeholder::{UnfilledSecret, fill, throwaway};
pub use templates::{Overrides, RenderError, TEMPLATES};
pub use tree::tree;

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
    /// Its bytes, as far as they are known.
    pub body: Body,
}

/// The bytes of a file, as far as they are known before an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text with placeholders for its secrets.
    Text(String),
    /// The certificate of an authority.
    Authority(Authority),
    /// A certificate to be issued.
    Certificate(Leaf),
    /// The private key of a certificate to be issued.
    PrivateKey(Leaf),
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
    let hosts = plan.hosts.iter().map(|(node, host)| {
        let files: Result<_, _> = host
            .files
            .iter()
            .map(|file| rendered(&engine, file))
            .collect();
        Ok((node.clone(), files?))
    });
    Ok(Rendered {
        hosts: hosts.collect::<Result<_, _>>()?,
        services: services(&engine, &plan.services)?,
    })
}

fn rendered(engine: &Engine, file: &PlannedFile) -> Result<RenderedFile, RenderError> {
    Ok(RenderedFile {
        path: file.path.clone(),
        access: file.access,
        wave: file.wave,
        on_change: file.on_change,
        body: match &file.content {
            Content::Template(template) => Body::Text(engine.text(template)?),
            Content::Authority(authority) => Body::Authority(*authority),
            Content::Certificate(leaf) => Body::Certificate(leaf.clone()),
            Content::PrivateKey(leaf) => Body::PrivateKey(leaf.clone()),
            Content::NomadToken(user) => Body::NomadToken(*user),
        },
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
