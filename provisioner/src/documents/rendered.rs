//! Files: those of a rendering, and those that an apply leaves on hosts.

use serde_json::{Value, json};

use crate::plan::Wave;

use super::shape::{
    either, flag, formed, key, list, named, object, optional, text, whole, word, words,
};

/// Hexadecimal, in small letters.
const SHA256: &str = "[0-9a-f]{64}";

/// The words of waves, in their order.
pub(super) fn waves() -> Vec<String> {
    let word = |wave: &Wave| match serde_json::to_value(wave) {
        Ok(Value::String(word)) => Some(word),
        _ => None,
    };
    Wave::ALL.iter().filter_map(word).collect()
}

pub(super) fn manifest() -> Value {
    let sha256 = formed(
        "Digest of the text that lies beside the manifest, with the names of secrets in it.",
        SHA256,
    );
    let keys = vec![
        key("path", formed("Absolute path on the host.", "/.+")),
        key(
            "mode",
            formed("Permission bits, in octal: 0640.", "0[0-7]{3}"),
        ),
        key("owner", text("The account that owns it.")),
        key("group", text("The group that owns it.")),
        key(
            "wave",
            words("When it is put in place, in this order.", &waves()),
        ),
        key("on_change", on_change()),
        key(
            "settings",
            list(
                "Keys of the inventory that decide of it, without lists and names.",
                &text("A path of keys, such as sites.hosts.volume."),
            ),
        ),
        key(
            "rows",
            list(
                "Rows of docs/parity.md that it answers.",
                &whole("The row's number.", 1),
            ),
        ),
        optional(
            "extra",
            flag("Whether the operator's own words are in it; no when absent."),
        ),
        optional("sha256", sha256),
        optional("issued_at_apply", issued()),
    ];
    let mut file = object("A file of the host.", keys);
    // Its text is known, or it is made when it is put in place.
    file["oneOf"] = json!([{ "required": ["sha256"] }, { "required": ["issued_at_apply"] }]);
    list("The files that the host gets, by wave and path.", &file)
}

fn on_change() -> Value {
    let told = |verb: &str, about: &str| {
        object(
            about,
            vec![
                key("do", word(verb)),
                key(
                    "unit",
                    text("The unit of systemd; a service without its suffix."),
                ),
            ],
        )
    };
    let forms = [
        object(
            "Nothing: who reads the file will read it anew.",
            vec![key("do", word("nothing"))],
        ),
        told("reload", "The unit takes the file over while running."),
        told("restart", "The unit must be restarted."),
    ];
    either("What a change of the file asks for.", &forms)
}

fn issued() -> Value {
    let one = |name, value| object("What is made.", vec![key(name, value)]);
    let forms = [
        one(
            "authority",
            authority("The certificate of this authority, out of the operator's store."),
        ),
        one(
            "certificate",
            leaf("A certificate that says this of its holder."),
        ),
        one("private_key_of", leaf("The key of this certificate.")),
        one(
            "nomad_token",
            text("A token of Nomad with the policy of this name."),
        ),
    ];
    either("What is made for the host alone.", &forms)
}

fn authority(about: &str) -> Value {
    words(about, &["consul", "nomad", "atoll"])
}

fn leaf(about: &str) -> Value {
    object(
        about,
        vec![
            key("authority", authority("Who signs it.")),
            key("common_name", text("The subject's common name.")),
            key("dns_names", list("DNS names.", &text("A name."))),
            key("addresses", list("IP addresses.", &text("An address."))),
            key(
                "uris",
                list(
                    "URIs.",
                    &text("Such as atoll://<federation>/<datacenter>/<node>."),
                ),
            ),
            key(
                "serves",
                flag("Whether its holder answers TLS connections, or only opens them."),
            ),
        ],
    )
}

pub(super) fn firewall() -> Value {
    let opening = opening();
    let site = object(
        "The rules of a site.",
        vec![
            key("inward", list("What it lets in.", &opening)),
            key(
                "outward",
                list(
                    "What it lets out, as far as its own people decide on that.",
                    &opening,
                ),
            ),
            key(
                "elsewhere",
                list("What other sites let in for it.", &opening),
            ),
        ],
    );
    object(
        "Who must reach whom.",
        vec![
            key("groups", named("The groups by name.", &members())),
            key("sites", named("The sites by datacenter.", &site)),
            key(
                "external",
                list(
                    "What sites open that are in no file of the inventory.",
                    &opening,
                ),
            ),
        ],
    )
}

/// Ports between two groups.
fn opening() -> Value {
    let group = || text("The name of a group.");
    object(
        "Ports that are open from one group to another.",
        vec![
            key("from", group()),
            key("to", group()),
            key("protocol", words("Over what.", &["tcp", "udp"])),
            key(
                "ports",
                formed(
                    "A port, a range, or several of these joined by commas.",
                    "[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*",
                ),
            ),
            key("why", text("What for.")),
        ],
    )
}

fn members() -> Value {
    object(
        "The addresses of a group.",
        vec![
            key(
                "members",
                list(
                    "Networks and addresses, and names where only names are known.",
                    &text("A network, an address or a name."),
                ),
            ),
            optional(
                "private",
                flag(
                    "Whether others, for whom the group is meant, cannot see some of its addresses; no when absent.",
                ),
            ),
        ],
    )
}

pub(super) fn namespaces() -> Value {
    let driver = text("A driver of tasks.");
    let capabilities = object(
        "What its jobs may do.",
        vec![
            key(
                "EnabledTaskDrivers",
                list("The drivers that its jobs may use.", &driver),
            ),
            key(
                "DisabledTaskDrivers",
                json!({ "description": "Nothing: what is not enabled may not be used.", "type": "null" }),
            ),
        ],
    );
    let namespace = object(
        "A namespace, in the words of Nomad's API.",
        vec![
            key("Name", formed("Its name.", "[a-zA-Z0-9-]{1,128}")),
            key("Description", text("The VOs whose it is.")),
            key("Capabilities", capabilities),
        ],
    );
    list("The namespaces of Nomad, by name.", &namespace)
}

pub(super) fn scheduler() -> Value {
    object(
        "How Nomad places jobs, in the words of its API.",
        vec![
            key("SchedulerAlgorithm", words("How.", &["binpack"])),
            key(
                "MemoryOversubscriptionEnabled",
                flag("Whether memory_max of a job counts."),
            ),
        ],
    )
}

pub(super) fn unlisted() -> Value {
    let datacenter = object(
        "A datacenter that has no row.",
        vec![
            key("name", text("Its name in Consul and Nomad.")),
            key(
                "lacks",
                words(
                    "The key that its site's file lacks.",
                    &["location", "location.pue"],
                ),
            ),
            key(
                "vos",
                list("Whose users are hit.", &text("The name of a VO.")),
            ),
        ],
    );
    object(
        "The datacenters that the platform's list lacks.",
        vec![
            key("effect", text("What comes of it.")),
            key(
                "datacenters",
                list("The datacenters, by name.", &datacenter),
            ),
        ],
    )
}

/// Docker's own file: what an operator adds to it (`extra_yaml.docker`) is theirs and Docker's.
pub(super) fn docker() -> Value {
    let mut schema = object(
        "What Atoll writes for Docker's daemon, and the operator's own keys.",
        vec![
            optional(
                "data-root",
                formed("Docker's folder, if not the usual one.", "/.+"),
            ),
            optional(
                "default-address-pools",
                list("Where Docker's networks take their addresses.", &pool()),
            ),
            key(
                "exec-opts",
                list("Options of the runtime.", &text("`name=value`.")),
            ),
            optional(
                "features",
                named(
                    "What Docker does beyond its default.",
                    &flag("Whether it does."),
                ),
            ),
            key("log-driver", text("Where the output of containers goes.")),
            key(
                "log-opts",
                named(
                    "Options of that driver: the size in bytes of a log (20m), and how many are kept.",
                    &text("A value."),
                ),
            ),
            key(
                "max-concurrent-downloads",
                whole("Layers that a pull fetches at once.", 1),
            ),
            optional(
                "registry-mirrors",
                list("Mirrors, the nearest first.", &text("A URL.")),
            ),
            optional(
                "runtimes",
                named(
                    "Runtimes beside Docker's own.",
                    &object(
                        "A runtime.",
                        vec![key("path", text("The name or path of its program."))],
                    ),
                ),
            ),
            key("storage-driver", text("How layers are kept.")),
        ],
    );
    schema["additionalProperties"] = true.into();
    schema
}

fn pool() -> Value {
    object(
        "A range of addresses.",
        vec![
            key("base", text("The range, such as 172.30.0.0/16.")),
            key(
                "size",
                whole("The prefix length in bits of each network.", 1),
            ),
        ],
    )
}

pub(super) fn host_state() -> Value {
    let sha256 = |about| formed(about, SHA256);
    let image = object(
        "An image that was loaded.",
        vec![
            key("digest", sha256("Of the file in the artifact folder.")),
            key("id", sha256("The image's ID in Docker, without `sha256:`.")),
        ],
    );
    object(
        "What runs have put in place on a host.",
        vec![
            key("format", whole("Version of this format.", 1)),
            key("run", text("The run that wrote it.")),
            key(
                "files",
                named("Files by path.", &sha256("Digest of the file.")),
            ),
            key("images", named("Docker images by reference.", &image)),
            optional(
                "services",
                sha256("Digest of what was last set through the APIs; on one host."),
            ),
            optional(
                "services_due",
                text("When the first certificate among that is to be renewed, in UTC."),
            ),
        ],
    )
}
