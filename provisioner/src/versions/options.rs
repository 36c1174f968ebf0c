//! Which options each line of a product reads.
//!
//! Consul, Nomad and Traefik do not start when a file has an option that they do not know, so
//! a plan asks here before it lets a template write one that not every line has. The tables are
//! text, one option a line, and made by `tests/lab/tools/options/update` out of the products
//! themselves; what no program could be asked for says `unproven` and why. Those of Docker, whose
//! file operators add to, say as well what stands behind each key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use federation::names::Version;

use super::tables::{SOURCES, Source};
use super::{Product, dotted};

static TABLES: LazyLock<Vec<Options>> =
    LazyLock::new(|| SOURCES.iter().map(Options::read).collect());

/// The options that a line of a product reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    product: Product,
    since: &'static [u32],
    proven: bool,
    tree: Branch,
}

/// What stands behind a key, where a table says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Switch,
    /// A list of texts.
    Texts,
    /// Keys of its own, by their names; `*` of them is any.
    Block,
    /// What no table says.
    Anything,
}

/// The numbers of its line: `28`.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&dotted(self.line()))
    }
}

/// A version of a line that no table describes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not known which options {product} {version} reads; the known lines are {}",
    lines(*product).into_iter().map(dotted).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownLine {
    /// The product.
    pub product: Product,
    /// Its version.
    pub version: Version,
    /// The newest known line before it, or the oldest of all.
    pub closest: &'static Options,
}

impl Options {
    /// The options of a version, by its line.
    ///
    /// # Errors
    /// When no table describes the version's line; the closest one comes with the error.
    pub fn of(product: Product, version: &Version) -> Result<&'static Self, UnknownLine> {
        let closest = Self::closest(product, version);
        if version.numbers().starts_with(closest.line()) {
            Ok(closest)
        } else {
            Err(UnknownLine {
                product,
                version: version.clone(),
                closest,
            })
        }
    }

    /// The options of the newest known line up to a version, or of the oldest line of all. What
    /// these lack is not written for a version of an unknown line either.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "every product has a table, and a test asks for each"
    )]
    pub fn closest(product: Product, version: &Version) -> &'static Self {
        let numbers = version.numbers();
        tables(product)
            .reduce(|older, table| {
                if table.since <= numbers.as_slice() {
                    table
                } else {
                    older
                }
            })
            .expect("every product has a table")
    }

    /// Whether the product itself told its options, and not only its documents.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// The numbers of the line, such as `[1, 22]`.
    pub fn line(&self) -> &'static [u32] {
        &self.since[..self.since.len().min(2)]
    }

    /// Whether the line reads an option, or a block of options, by the words of its path. Case is
    /// not compared: the products do not, and Traefik tells its options in small letters.
    pub fn knows(&self, path: &[impl AsRef<str>]) -> bool {
        self.tree.knows(path)
    }

    /// What stands behind a key, and which keys stand beside it; nothing if the line does not read
    /// it. Where a table says no kinds, anything may stand behind a key without keys of its own.
    ///
    /// # Errors
    /// When the line does not read it: then with the keys that it does read there.
    pub fn kind(&self, path: &[impl AsRef<str>]) -> Result<Kind, Vec<&str>> {
        let (last, above) = path.split_last().ok_or_else(Vec::new)?;
        let branch = above
            .iter()
            .try_fold(&self.tree, |branch, word| branch.get(word.as_ref()))
            .ok_or_else(Vec::new)?;
        let found = branch.get(last.as_ref()).ok_or_else(|| branch.names())?;
        Ok(found.kind.unwrap_or(if found.below.is_empty() {
            Kind::Anything
        } else {
            Kind::Block
        }))
    }

    fn read((product, since, texts): &Source) -> Self {
        let mut tree = Branch::default();
        let lines = texts.iter().flat_map(|text| text.lines());
        for line in lines.filter(|line| !line.starts_with('#')) {
            match line.strip_prefix("- ") {
                Some(path) => tree.remove(path),
                None => tree.add(line),
            }
        }
        let newest = texts.last().copied().unwrap_or_default();
        Self {
            product: *product,
            since,
            proven: !newest.lines().any(|line| line.starts_with("# unproven: ")),
            tree,
        }
    }
}

/// The tables of a product, the oldest first.
fn tables(product: Product) -> impl Iterator<Item = &'static Options> {
    TABLES.iter().filter(move |table| table.product == product)
}

/// The numbers of the known lines of a product, the oldest first.
pub fn lines(product: Product) -> Vec<&'static [u32]> {
    let mut lines: Vec<_> = tables(product).map(Options::line).collect();
    lines.dedup();
    lines
}

/// What may follow the words so far. `*` is any word, and stands for all that follows if
/// nothing stands below it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Branch {
    below: BTreeMap<String, Branch>,
    kind: Option<Kind>,
}

impl Branch {
    /// Adds a line of a table: a path, and what stands behind it if that is said.
    fn add(&mut self, line: &str) {
        let (path, kind) = line.split_once(' ').unwrap_or((line, ""));
        let words = path.split('.').map(str::to_lowercase);
        let end = words.fold(self, |branch, word| branch.below.entry(word).or_default());
        end.kind = match kind {
            "text" => Some(Kind::Text),
            "number" => Some(Kind::Number),
            "switch" => Some(Kind::Switch),
            "texts" => Some(Kind::Texts),
            _ => None,
        };
    }

    fn get(&self, word: &str) -> Option<&Self> {
        let known = self.below.get(&word.to_lowercase());
        known.or_else(|| self.below.get("*"))
    }

    fn names(&self) -> Vec<&str> {
        self.below.keys().map(String::as_str).collect()
    }

    fn remove(&mut self, path: &str) {
        let path = path.to_lowercase();
        let (above, last) = path.rsplit_once('.').unwrap_or(("", &path));
        let mut words = above.split('.').filter(|word| !word.is_empty());
        if let Some(branch) = words.try_fold(self, |branch, word| branch.below.get_mut(word)) {
            branch.below.remove(last);
        }
    }

    fn knows(&self, path: &[impl AsRef<str>]) -> bool {
        let Some((word, rest)) = path.split_first() else {
            return true;
        };
        let below = &self.below;
        match (below.get(&word.as_ref().to_lowercase()), below.get("*")) {
            (Some(branch), _) => branch.knows(rest),
            (None, Some(any)) => any.below.is_empty() || any.knows(rest),
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(product: Product, version: &str) -> Result<&'static Options, String> {
        Options::of(product, &version.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_version_has_the_table_of_its_line() {
        for (product, version, expected) in [
            // product, version, since when the table holds and whether it is proven
            (Product::Consul, "1.21.5", ([1, 21].as_slice(), true)),
            (Product::Consul, "1.22.3", (&[1, 22], true)),
            (Product::Consul, "2.0.1", (&[2, 0], false)),
            (Product::Nomad, "1.10.0", (&[1, 10], true)),
            (Product::Nomad, "1.11.3", (&[1, 11], true)),
            (Product::Nomad, "2.0.2", (&[2, 0], false)),
            (Product::Nomad, "2.0.3", (&[2, 0, 3], false)),
            (Product::Nomad, "2.0.11", (&[2, 0, 4], false)),
            (Product::Docker, "20.10.24", (&[20, 10], false)),
            (Product::Docker, "26.1.5", (&[26], false)),
            (Product::Docker, "28.5.1", (&[28], false)),
            (Product::Docker, "29.0.1", (&[29], false)),
            (Product::Traefik, "3.7.9", (&[3, 7], false)),
            (Product::Traefik, "3.7.15", (&[3, 7, 12], true)),
        ] {
            let table = options(product, version).unwrap();
            let told = (table.since, table.is_proven());
            assert_eq!(told, expected, "{product} {version}");
        }
    }

    #[test]
    fn an_unknown_line_has_the_options_of_the_closest() {
        for (product, version, closest) in [
            (Product::Consul, "1.9.17", [1, 21].as_slice()),
            (Product::Consul, "1.23.0", &[1, 22]),
            (Product::Nomad, "1.9.10", &[1, 10]),
            (Product::Nomad, "2.1.0", &[2, 0, 4]),
            (Product::Docker, "22.06.0", &[20, 10]),
            (Product::Docker, "30.0.0", &[29]),
            (Product::Traefik, "2.10.7", &[3, 7]),
        ] {
            let version = version.parse().unwrap();
            let unknown = Options::of(product, &version).unwrap_err();
            assert_eq!(unknown.closest.since, closest, "{product} {version}");
        }
        assert_eq!(
            options(Product::Consul, "1.23.0").unwrap_err(),
            "it is not known which options Consul 1.23.0 reads; the known lines are 1.21, 1.22, 2.0"
        );
    }

    #[test]
    fn an_option_is_known_by_its_path() {
        let nomad = options(Product::Nomad, "1.11.3").unwrap();
        for (path, expected) in [
            ("server", true),
            ("server/client_introduction/enforcement", true),
            ("Server/Enabled", true),
            ("server/enabled/more", false),
            ("server/invented", false),
            ("invented", false),
            ("client/meta/any-key", true),
            ("client/options/fingerprint.denylist", true),
            ("client/host_volume/data/path", true),
            ("client/host_volume/data/invented", false),
            ("plugin/docker/config/gc/image", true),
            ("plugin/docker/config/invented", false),
            ("plugin/of-another-maker/config/any/key", true),
            ("plugin/nomad-device-nvidia/config/fingerprint_period", true),
            ("plugin/nomad-device-nvidia/config/invented", false),
        ] {
            let words: Vec<_> = path.split('/').collect();
            assert_eq!(nomad.knows(&words), expected, "{path}");
        }
    }

    #[test]
    fn a_line_of_docker_says_what_stands_behind_a_key() {
        let kind = |version, path: &str| {
            let words: Vec<_> = path.split('/').collect();
            options(Product::Docker, version).unwrap().kind(&words)
        };
        for (version, path, expected) in [
            ("20.10.24", "debug", Ok(Kind::Switch)),
            ("20.10.24", "mtu", Ok(Kind::Number)),
            ("20.10.24", "dns", Ok(Kind::Texts)),
            ("20.10.24", "log-opts", Ok(Kind::Block)),
            ("20.10.24", "log-opts/any", Ok(Kind::Text)),
            ("20.10.24", "default-ulimits/nofile/Hard", Ok(Kind::Number)),
            ("20.10.24", "builder/gc/policy", Ok(Kind::Anything)),
            (
                "20.10.24",
                "features/containerd-snapshotter",
                Err(vec!["buildkit"]),
            ),
            (
                "24.0.9",
                "features/containerd-snapshotter",
                Ok(Kind::Switch),
            ),
            ("25.0.5", "oom-score-adjust", Ok(Kind::Number)),
            ("29.0.0", "firewall-backend", Ok(Kind::Text)),
        ] {
            assert_eq!(kind(version, path), expected, "{version} {path}");
        }
        assert!(
            kind("27.5.1", "oom-score-adjust")
                .unwrap_err()
                .contains(&"mtu")
        );
        assert!(kind("28.5.1", "firewall-backend").is_err());
        assert!(kind("28.5.1", "of/no/block").unwrap_err().is_empty());
    }

    #[test]
    fn every_line_of_dockers_tables_says_a_kind() {
        for (_, _, texts) in SOURCES.iter().filter(|it| it.0 == Product::Docker) {
            let lines = texts.iter().flat_map(|text| text.lines());
            for line in lines.filter(|line| !line.starts_with(['#', '-'])) {
                let kind = line.split_once(' ').map(|(_, kind)| kind);
                let kinds = ["text", "number", "switch", "texts", "anything"];
                assert!(kind.is_some_and(|kind| kinds.contains(&kind)), "{line}");
            }
        }
    }

    #[test]
    fn a_later_text_adds_and_takes_away() {
        let knows =
            |product, version, path: &[&str]| options(product, version).unwrap().knows(path);
        let (boltdb, logstore) = (["server", "raft_boltdb"], ["server", "raft_logstore"]);
        assert!(knows(Product::Nomad, "1.11.3", &boltdb));
        assert!(!knows(Product::Nomad, "1.11.3", &logstore));
        assert!(!knows(Product::Nomad, "2.0.0", &boltdb));
        assert!(knows(Product::Nomad, "2.0.0", &logstore));
        assert!(knows(Product::Nomad, "2.0.0", &["server", "enabled"]));
    }
}
