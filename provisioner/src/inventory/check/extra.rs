//! The operator's own words: readable, without secrets, and of what is theirs to set.

use hcl::edit::expr::{Expression, ObjectKey};
use hcl::edit::parser::parse_body;
use hcl::edit::structure::{Attribute, Block, BlockLabel, Body, Structure};
use hcl::edit::{Decorated, Ident, Span as _};

use super::super::decode::{Lines, Spot};
use super::super::file::ExtraEntry;
use super::super::problem::Problems;
use super::docker::{Daemon, docker};
use super::owned::{CONSUL, NOMAD, Owned};

/// Reports what one level may not add.
pub(super) fn extra(entry: &ExtraEntry, daemon: Option<Daemon>, problems: &Problems) {
    entry
        .consul
        .iter()
        .for_each(|text| hcl(text, CONSUL, problems));
    entry
        .nomad
        .iter()
        .for_each(|text| hcl(text, NOMAD, problems));
    let own = entry.docker.iter();
    own.for_each(|tree| docker(tree, daemon, problems));
}

/// What the operator's own words make of Nomad's bridge, where they say it as a text.
pub(super) fn nomad_bridge(entry: &ExtraEntry) -> Option<String> {
    let body = parse_body(&entry.nomad.as_ref()?.value.text).ok()?;
    let clients = body.get_blocks("client");
    let said = clients.filter_map(|client| client.body.get_attribute("bridge_network_subnet"));
    Some(said.last()?.value.as_str()?.to_owned())
}

/// A key that a text sets, and where its name begins, in bytes.
struct Said {
    path: String,
    at: usize,
    is_value: bool,
    /// Whether its value is to be worked out, which the agents' older HCL cannot.
    is_worked_out: bool,
}

fn hcl(text: &Spot<Lines>, owned: Owned, problems: &Problems) {
    let source = &text.value.text;
    let body = match parse_body(source) {
        Ok(body) => body,
        Err(error) => {
            let at = error.location();
            let place = text.place_of(at.line(), at.column());
            let is_quoted = error.line().trim_start().starts_with('"');
            let hint = if error.message().contains("redefined") {
                "say each key of a block once"
            } else if is_quoted {
                "keys in quotes are for maps: write the block as `name = { … }`"
            } else {
                "write each key of a block on a line of its own, as HCL 2 does"
            };
            return problems.error(&place, format!("not HCL: {}", error.message()), hint);
        }
    };
    for said in keys(&body, "") {
        let (line, column) = line_and_column(source, said.at);
        let place = text.place_of(line, column);
        if let Some(why) = owner(&said.path, owned) {
            problems.error(&place, not_yours(&said.path), why);
        } else if said.is_worked_out {
            let what = format!("`{}` has a value that must be worked out", said.path);
            let hint = "the agents read text, numbers, true and false, lists and maps alone";
            problems.error(&place, what, hint);
        } else if said.is_value && is_secret(&said.path) {
            let what = format!(
                "`{}` is a secret, and whoever reads the inventory would know it",
                said.path
            );
            problems.error(&place, what, "give it to the agents by their environment");
        }
    }
}

pub(super) fn not_yours(path: &str) -> String {
    format!("`{path}` is not to be set here")
}

/// What says the value at a path, if that is not the operator. The products do not compare case.
pub(super) fn owner(path: &str, owned: Owned) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    let is_meant = |known: &str| match known.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == known,
    };
    owned
        .iter()
        .find(|(known, _)| is_meant(known))
        .map(|(_, why)| *why)
}

/// Whether the last name of a path is one that secrets have.
fn is_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let name = path.rsplit('.').next().unwrap_or_default();
    [
        "token",
        "password",
        "passwd",
        "secret",
        "secret_id",
        "encrypt",
    ]
    .iter()
    .any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}

/// Every key of a body, each before what is in it.
fn keys(body: &Body, path: &str) -> Vec<Said> {
    let of = |structure: &Structure| match structure {
        Structure::Attribute(attribute) => attribute_keys(attribute, path),
        Structure::Block(block) => block_keys(block, path),
    };
    body.iter().flat_map(of).collect()
}

fn attribute_keys(attribute: &Attribute, path: &str) -> Vec<Said> {
    value_keys(&attribute.value, said(&attribute.key, path))
}

/// A key, and those of its value where that is a map, or a list of maps.
fn value_keys(value: &Expression, key: Said) -> Vec<Said> {
    if let Expression::Array(items) = value
        && items.iter().any(Expression::is_object)
    {
        let again = || Said {
            path: key.path.clone(),
            ..key
        };
        return items
            .iter()
            .flat_map(|item| value_keys(item, again()))
            .collect();
    }
    let Expression::Object(object) = value else {
        return vec![Said {
            is_value: true,
            is_worked_out: !is_literal(value),
            ..key
        }];
    };
    let inner: Vec<_> = object
        .iter()
        .filter_map(|(name, value)| Some((named(name)?, value)))
        .flat_map(|(name, value)| {
            let path = below(&key.path, &name);
            value_keys(
                value.expr(),
                Said {
                    path,
                    at: key.at,
                    is_value: false,
                    is_worked_out: false,
                },
            )
        })
        .collect();
    std::iter::once(key).chain(inner).collect()
}

/// Whether a value stands there as it is.
fn is_literal(value: &Expression) -> bool {
    match value {
        Expression::Bool(_)
        | Expression::Number(_)
        | Expression::String(_)
        | Expression::StringTemplate(_)
        | Expression::HeredocTemplate(_) => true,
        Expression::Array(items) => items.iter().all(is_literal),
        Expression::Object(object) => object
            .iter()
            .all(|(name, value)| named(name).is_some() && is_literal(value.expr())),
        Expression::UnaryOp(sign) => matches!(sign.expr, Expression::Number(_)),
        _ => false,
    }
}

fn named(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.to_string()),
        ObjectKey::Expression(name) => name.as_str().map(str::to_owned),
    }
}

/// A block by its name and labels, and what is in it.
fn block_keys(block: &Block, path: &str) -> Vec<Said> {
    let start = said(&block.ident, path);
    let label = |path: String, label: &BlockLabel| below(&path, label.as_str());
    let whole = block.labels.iter().fold(start.path.clone(), label);
    let inner = keys(&block.body, &whole);
    std::iter::once(start).chain(inner).collect()
}

fn said(name: &Decorated<Ident>, path: &str) -> Said {
    Said {
        path: below(path, name.as_str()),
        at: name.span().map_or(0, |span| span.start),
        is_value: false,
        is_worked_out: false,
    }
}

fn below(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, last.chars().count() + 1)
}
