//! What is wrong with an operator's own templates: all of it, before a host is asked.

use std::collections::BTreeMap;

use crate::plan::{Content, Plan, Template};

use super::templates::{Engine, Overrides, RenderError};
use super::with_own;

/// One thing wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The template; one that it includes, where the mistake is there.
    pub template: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong, with the name it is about.
    pub what: String,
}

/// What is wrong with an operator's own templates: those that are none, or, when all can be read,
/// those that a plan cannot be rendered by. Without a plan nothing is rendered.
pub fn mistakes(plan: Option<&Plan>, own: &Overrides) -> Vec<Mistake> {
    if own.is_empty() {
        return Vec::new();
    }
    // Each for itself: the engine stops at the first that is none.
    let unreadable: Vec<Mistake> = own
        .single()
        .filter_map(|(name, single)| Some((name, Engine::new(&single).err()?)))
        .flat_map(|(name, error)| told(name, &error))
        .collect();
    if !unreadable.is_empty() {
        return unreadable;
    }
    match (Engine::new(own), plan) {
        (Ok(engine), Some(plan)) => unrendered(plan, &engine),
        (Ok(_), None) => Vec::new(),
        // What no one of them is, they may be together: a circle of includes.
        (Err(error), _) => told(own.single().next().map_or("", |(name, _)| name), &error),
    }
}

/// What no text can be made of. Hosts that stumble at one place of a template are told once.
fn unrendered(plan: &Plan, engine: &Engine) -> Vec<Mistake> {
    let mut found = BTreeMap::new();
    let mut note = |template: &Template, rendered: Result<String, RenderError>| {
        for mistake in rendered
            .err()
            .map(|error| told(template.name(), &error))
            .unwrap_or_default()
        {
            let place = (mistake.template.clone(), mistake.line, mistake.column);
            found.entry(place).or_insert(mistake);
        }
    };
    for file in plan.hosts.values().flat_map(|host| &host.files) {
        match &file.content {
            Content::Template(template) => note(template, engine.text(template)),
            Content::Merged(template, keys) => note(template, with_own(engine, template, keys)),
            _ => {}
        }
    }
    let services = &plan.services;
    let policies = services.consul_policies.values();
    let policies = policies.chain(services.nomad_policies.values());
    let gateways = services.gateways.iter().flat_map(|gateway| {
        [
            &gateway.job,
            &gateway.static_configuration,
            &gateway.dynamic_configuration,
        ]
    });
    let jobs = services.jobs.iter().map(|job| &job.job);
    for template in policies.chain(gateways).chain(jobs) {
        note(template, engine.text(template));
    }
    found.into_values().collect()
}

fn told(name: &str, error: &RenderError) -> Vec<Mistake> {
    let whole = |what: String| Mistake {
        template: name.to_owned(),
        line: 1,
        column: 1,
        what,
    };
    match error {
        RenderError::Template {
            template,
            line,
            column,
            message,
        } => vec![Mistake {
            template: template.clone(),
            line: *line,
            column: *column,
            what: message.clone(),
        }],
        RenderError::Templates { source } => {
            let text = source.to_string();
            let reports = reports(&text);
            if reports.is_empty() {
                vec![whole(text)]
            } else {
                reports
            }
        }
        RenderError::Json { source, .. } => vec![whole(format!(
            "extra_yaml is merged into its text, which is no JSON object: {source}"
        ))],
        RenderError::Engine { source, .. } => vec![whole(source.to_string())],
        RenderError::Folder { .. } | RenderError::Strangers { .. } => {
            vec![whole(error.to_string())]
        }
    }
}

/// The engine's reports of templates that are none. They come as a text for people, in which
/// `error: …` stands above `--> file:line:column`.
fn reports(text: &str) -> Vec<Mistake> {
    let report = |(what, place): (&str, &str)| {
        let what = what.strip_prefix("error: ")?;
        let mut place = place.trim_start().strip_prefix("--> ")?.rsplitn(3, ':');
        let (column, line) = (place.next()?, place.next()?);
        Some(Mistake {
            template: place.next()?.to_owned(),
            line: line.parse().ok()?,
            column: column.parse().ok()?,
            what: what.trim_end_matches('.').to_owned(),
        })
    };
    let lines = text.lines();
    lines
        .clone()
        .zip(lines.skip(1))
        .filter_map(report)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(texts: &[(&str, &str)]) -> Overrides {
        let texts = texts.iter();
        let texts = texts.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Overrides::of(texts.collect()).unwrap()
    }

    fn places(mistakes: &[Mistake]) -> Vec<(&str, usize, usize)> {
        let places = mistakes.iter();
        places
            .map(|it| (it.template.as_str(), it.line, it.column))
            .collect()
    }

    #[test]
    fn each_template_that_is_none_is_told_with_its_place() {
        let own = own(&[
            ("consul/acl.hcl.tera", "one\n{% if %}\n"),
            ("consul/client.hcl.tera", "sound"),
            (
                "nomad/server.hcl.tera",
                "{{ 1 | invented }}\n\n{{ 2 | unknown }}\n",
            ),
        ]);
        let found = mistakes(None, &own);
        assert_eq!(
            places(&found),
            [
                ("consul/acl.hcl.tera", 2, 7),
                ("nomad/server.hcl.tera", 1, 8),
                ("nomad/server.hcl.tera", 3, 8)
            ],
            "{found:?}"
        );
        assert!(found[1].what.contains("invented"), "{found:?}");
    }

    #[test]
    fn a_circle_of_includes_is_told() {
        let own = own(&[
            (
                "traefik/dynamic.toml.tera",
                "{% include \"traefik/traefik.toml.tera\" %}",
            ),
            (
                "traefik/traefik.toml.tera",
                "{% include \"traefik/dynamic.toml.tera\" %}",
            ),
        ]);
        let found = mistakes(None, &own);
        assert!(found[0].what.contains("Circular include"), "{found:?}");
    }

    #[test]
    fn without_own_templates_nothing_is_asked() {
        assert_eq!(mistakes(None, &Overrides::default()), []);
    }
}
