//! The embedded templates, and the engine which fills them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use tera::{Context, ErrorKind, Tera};

use crate::plan::Template;

use super::filters;

/// The longest template of an operator that is read.
const MAX_BYTES: u64 = 1 << 20;

macro_rules! embedded {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../templates/", $name)))
    };
}

/// Each template by its name under `templates/`, with its text. A test compares the two.
pub const TEMPLATES: &[(&str, &str)] = &[
    embedded!("accounting/accounting.toml.tera"),
    embedded!("agent/agent.toml.tera"),
    embedded!("agent/consul-token.tera"),
    embedded!("consul/acl.hcl.tera"),
    embedded!("consul/client.hcl.tera"),
    embedded!("consul/consul.hcl.tera"),
    embedded!("consul/policies/atoll-agent.hcl.tera"),
    embedded!("consul/policies/atoll.hcl.tera"),
    embedded!("consul/policies/dns-read.hcl.tera"),
    embedded!("consul/policies/nomad-client.hcl.tera"),
    embedded!("consul/policies/nomad-server.hcl.tera"),
    embedded!("consul/policies/replication.hcl.tera"),
    embedded!("consul/policies/status-read.hcl.tera"),
    embedded!("consul/policies/traefik-read.hcl.tera"),
    embedded!("consul/server.hcl.tera"),
    embedded!("docker/daemon.json.tera"),
    embedded!("docker/pull-images.tera"),
    embedded!("jobs/image-cleanup.nomad.hcl.tera"),
    embedded!("extra/zz-extra.hcl.tera"),
    embedded!("modules-load.d/nomad.conf.tera"),
    embedded!("nomad/client.hcl.tera"),
    embedded!("nomad/nomad.hcl.tera"),
    embedded!("nomad/policies/accounting.hcl.tera"),
    embedded!("nomad/policies/atoll-agent.hcl.tera"),
    embedded!("nomad/policies/monitoring.hcl.tera"),
    embedded!("nomad/policies/papi.hcl.tera"),
    embedded!("nomad/policies/verify.hcl.tera"),
    embedded!("nomad/server.hcl.tera"),
    embedded!("preferences.d/10-atoll.pref.tera"),
    embedded!("sysctl.d/98-nomad.conf.tera"),
    embedded!("sysctl.d/99-nomad-cni.conf.tera"),
    embedded!("systemd/atoll-accounting.service.tera"),
    embedded!("systemd/atoll-agent.service.tera"),
    embedded!("systemd/atoll-image-pull.service.tera"),
    embedded!("systemd/atoll-image-pull.timer.tera"),
    embedded!("systemd/consul.service.tera"),
    embedded!("systemd/docker.service.d/10-atoll.conf.tera"),
    embedded!("systemd/journald.conf.d/10-atoll.conf.tera"),
    embedded!("systemd/mnt-data.mount.tera"),
    embedded!("systemd/nomad.service.tera"),
    embedded!("systemd/timesyncd.conf.d/10-atoll.conf.tera"),
    embedded!("traefik/dynamic.toml.tera"),
    embedded!("traefik/traefik.nomad.hcl.tera"),
    embedded!("traefik/traefik.toml.tera"),
];

/// Why a plan cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The folder of the operator's own templates cannot be read.
    #[error("cannot read the templates in {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Files there which take the place of no template.
    #[error(
        "{} {} the place of no template; the templates are {}",
        names.join(", "),
        if names.len() == 1 { "takes" } else { "take" },
        TEMPLATES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    )]
    Strangers {
        /// Their paths below the folder.
        names: Vec<String>,
    },
    /// A template is no template.
    #[error("cannot read the templates")]
    Templates {
        /// What the engine found, with the template's name and line.
        source: Box<tera::Error>,
    },
    /// A template asks for a name that its context lacks, or uses a value as what it is not.
    #[error("cannot render {template}, line {line}: {message}")]
    Template {
        /// The template; one that it includes, where the mistake is there.
        template: String,
        /// The line in it, counted from one.
        line: usize,
        /// The column, counted from one.
        column: usize,
        /// What is wrong, with the name it is about.
        message: String,
    },
    /// A template's text should take the operator's own keys, and is no JSON object.
    #[error("cannot merge extra_yaml into {template}: its text is no JSON object")]
    Json {
        /// The template.
        template: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The engine failed without saying where.
    #[error("cannot render {template}")]
    Engine {
        /// The template.
        template: &'static str,
        /// What it said.
        source: Box<tera::Error>,
    },
}

/// An operator's own words for some of the templates, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// Reads a folder that is laid out as `templates/`; one that is not there holds nothing.
    ///
    /// # Errors
    /// When it cannot be read, or holds files that are named as no template is.
    pub fn read(folder: &Path) -> Result<Self, RenderError> {
        let mut own = BTreeMap::new();
        if folder.exists() {
            collect(folder, folder, &mut own).map_err(|source| RenderError::Folder {
                folder: folder.to_path_buf(),
                source,
            })?;
        }
        Self::of(own)
    }

    /// Whether all templates are Atoll's.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each template alone, by name.
    pub(super) fn single(&self) -> impl Iterator<Item = (&str, Self)> {
        let single = |name: &String, text: &String| Self([(name.clone(), text.clone())].into());
        let all = self.0.iter();
        all.map(move |(name, text)| (name.as_str(), single(name, text)))
    }

    /// Texts by the names of the templates whose place they take.
    ///
    /// # Errors
    /// When a name is that of no template.
    pub fn of(own: BTreeMap<String, String>) -> Result<Self, RenderError> {
        let is_known = |name: &String| TEMPLATES.iter().any(|(known, _)| known == name);
        let names: Vec<String> = own.keys().filter(|name| !is_known(name)).cloned().collect();
        if names.is_empty() {
            Ok(Self(own))
        } else {
            Err(RenderError::Strangers { names })
        }
    }
}

fn collect(root: &Path, folder: &Path, own: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, own)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path);
            own.insert(name.display().to_string(), template(&path)?);
        }
    }
    Ok(())
}

/// A template's text. A FIFO would be waited for, and a device may never end.
fn template(path: &Path) -> io::Result<String> {
    let named = |what: &str| io::Error::other(format!("{}: {what}", path.display()));
    if !fs::metadata(path)?.is_file() {
        return Err(named("not a regular file"));
    }
    let mut text = String::new();
    fs::File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(named("longer than 1 MiB, as no template is"));
    }
    Ok(text)
}

/// The templates, parsed once.
#[derive(Debug)]
pub(super) struct Engine(Tera);

impl Engine {
    /// The engine with the embedded templates, some of them in the operator's own words.
    pub(super) fn new(own: &Overrides) -> Result<Self, RenderError> {
        let templates: Vec<(&str, &str)> = TEMPLATES
            .iter()
            .map(|(name, text)| (*name, own.0.get(*name).map_or(*text, String::as_str)))
            .collect();
        Self::with(&templates)
    }

    fn with(templates: &[(&str, &str)]) -> Result<Self, RenderError> {
        let mut tera = Tera::default();
        tera.autoescape_on(Vec::<&'static str>::new());
        tera.register_filter("hcl", filters::hcl);
        tera.register_filter("json", filters::json);
        tera.register_filter("heredoc", filters::heredoc);
        tera.add_raw_templates(templates.iter().copied())
            .map_err(|source| RenderError::Templates {
                source: Box::new(source),
            })?;
        Ok(Self(tera))
    }

    /// The text of a template with its values in place.
    pub(super) fn text(&self, template: &Template) -> Result<String, RenderError> {
        let name = template.name();
        let context = Context::from_serialize(template).map_err(|error| located(name, error))?;
        let rendered = self.0.render(name, &context);
        rendered.map_err(|error| located(name, error))
    }
}

fn located(template: &'static str, error: tera::Error) -> RenderError {
    match error.kind() {
        ErrorKind::RenderingError(report) => RenderError::Template {
            template: report.filename().to_owned(),
            line: report.span().start_line,
            column: report.span().start_col + 1,
            message: report.message().trim_end_matches('.').to_owned(),
        },
        _ => RenderError::Engine {
            template,
            source: Box::new(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ConsulPolicy, NomadPolicy, NomadUser};

    fn text(template: &Template, source: &str) -> Result<String, String> {
        let engine =
            Engine::with(&[(template.name(), source)]).map_err(|error| error.to_string())?;
        engine.text(template).map_err(|error| error.to_string())
    }

    #[test]
    fn a_missing_name_is_told_with_template_line_and_name() {
        let policy = Template::ConsulPolicy(ConsulPolicy::DnsRead);
        let told = text(&policy, "one\n{{ missing }}\n").unwrap_err();
        assert_eq!(
            told,
            "cannot render consul/policies/dns-read.hcl.tera, line 2: \
             Variable `missing` is not defined"
        );
        assert!(
            text(&policy, "{% if %}")
                .unwrap_err()
                .contains("cannot read the templates")
        );
    }

    #[test]
    fn an_own_template_takes_the_place_of_the_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let name = "consul/policies/dns-read.hcl.tera";
        std::fs::create_dir_all(folder.path().join("consul/policies")).unwrap();
        std::fs::write(folder.path().join(name), "own words").unwrap();
        let own = Overrides::read(folder.path()).unwrap();
        let policy = Template::ConsulPolicy(ConsulPolicy::DnsRead);
        assert_eq!(
            Engine::new(&own).unwrap().text(&policy).unwrap(),
            "own words"
        );
        std::fs::write(folder.path().join("consul/acl.tera"), "").unwrap();
        let told = Overrides::read(folder.path()).unwrap_err().to_string();
        assert!(
            told.starts_with("consul/acl.tera takes the place of no template"),
            "{told}"
        );
        std::fs::remove_file(folder.path().join("consul/acl.tera")).unwrap();
        let large = folder.path().join("consul/acl.hcl.tera");
        let file = std::fs::File::create(&large).unwrap();
        file.set_len(MAX_BYTES + 1).unwrap();
        let told = Overrides::read(folder.path()).unwrap_err();
        let told = std::error::Error::source(&told).unwrap().to_string();
        assert!(
            told.ends_with("consul/acl.hcl.tera: longer than 1 MiB, as no template is"),
            "{told}"
        );
        std::fs::remove_file(&large).unwrap();
        std::os::unix::net::UnixListener::bind(&large).unwrap();
        let told = Overrides::read(folder.path()).unwrap_err();
        let told = std::error::Error::source(&told).unwrap().to_string();
        assert!(
            told.ends_with("consul/acl.hcl.tera: not a regular file"),
            "{told}"
        );
        let none = Overrides::read(&folder.path().join("none")).unwrap();
        assert_eq!(none, Overrides::default());
    }

    #[test]
    fn a_value_is_written_as_its_language_writes_it() {
        let namespaces = ["b", "a"].map(|name| name.parse().unwrap()).into();
        let policy = Template::NomadPolicy(NomadPolicy {
            user: NomadUser::Papi,
            namespaces,
        });
        let cases = [
            // template, expected
            ("{{ namespaces | hcl }}", Ok(r#"["a", "b"]"#)),
            ("{{ [] | hcl }}", Ok("[]")),
            ("{{ [1, true] | hcl }}", Ok("[1, true]")),
            ("{{ namespaces | json }}", Ok(r#"["a","b"]"#)),
            (r#"{{ 'say "${x}"' | json }}"#, Ok(r#""say \"${x}\"""#)),
            (
                r#"{{ 'say "${x} %{y}" \\' | hcl }}"#,
                Ok(r#""say \"$${x} %%{y}\" \\""#),
            ),
            ("{{ 'a\tb\nc' | hcl }}", Ok(r#""a\u0009b\nc""#)),
            (
                "{% filter heredoc %}${1} %{2}{% endfilter %}",
                Ok("$${1} %%{2}"),
            ),
            ("{{ none | hcl }}", Err("has no literal")),
        ];
        for (template, expected) in cases {
            match (text(&policy, template), expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{template}"),
                (Err(told), Err(expected)) => assert!(told.contains(expected), "{told}"),
                (told, _) => panic!("{template}: {told:?}"),
            }
        }
    }
}
