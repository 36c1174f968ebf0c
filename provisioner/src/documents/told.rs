//! Lines of `--output json`.

use serde_json::{Value, json};

use super::rendered::waves;
use super::shape::{Key, either, key, list, nullable, object, optional, text, whole, word, words};

/// Where in a text something is.
fn place(file: &str) -> [Key; 3] {
    [
        key("file", text(file)),
        key("line", whole("The line, from 1.", 1)),
        key("column", whole("The column, from 1, in characters.", 1)),
    ]
}

pub(super) fn problem() -> Value {
    let [file, line, column] = place("The file, relative to the inventory's folder.");
    object(
        "Something wrong with an inventory, and where.",
        vec![
            file,
            line,
            column,
            key(
                "severity",
                words(
                    "Whether it prevents the inventory's use.",
                    &["error", "warning"],
                ),
            ),
            key(
                "at",
                text("Path of keys from the top of the file; empty for the whole file."),
            ),
            key("what", text("What is wrong.")),
            key(
                "hint",
                nullable(text("What to do about it, where that can be said.")),
            ),
        ],
    )
}

pub(super) fn finding() -> Value {
    let [file, line, column] = place("The file, as it was named to the importer.");
    let severity = words(
        "`error`: nothing is written. `decide`: a default stands where only the operator knows the \
         value. `changed`: the inventory says it in another way. `dropped`: it does not say it.",
        &["error", "decide", "changed", "dropped"],
    );
    object(
        "What an operator should know of an import, and where it comes from.",
        vec![
            file,
            line,
            column,
            key("severity", severity),
            key("what", text("What was found.")),
            key("hint", text("What to do about it.")),
        ],
    )
}

pub(super) fn event() -> Value {
    let (of_run, of_host) = (of_run(), of_host());
    let forms: Vec<_> = of_run.into_iter().chain(of_host).collect();
    either("What has happened.", &forms)
}

fn node() -> Key {
    key("node", text("The node's name in Consul and Nomad."))
}

fn wave() -> Key {
    key("wave", words("Which wave.", &waves()))
}

fn doing() -> Key {
    key("doing", text("What is being done now."))
}

/// What concerns more than a host.
fn of_run() -> [Value; 6] {
    let run = || key("run", text("The run's name, which hosts keep too."));
    [
        one(
            "run_started",
            "A run begins.",
            vec![run(), key("hosts", whole("Hosts that it concerns.", 0))],
        ),
        one(
            "federation",
            "Something of the federation rather than of a host is being done.",
            vec![doing()],
        ),
        one(
            "wave_started",
            "A wave begins.",
            vec![
                wave(),
                key("nodes", list("The hosts it changes.", &text("A node."))),
            ],
        ),
        one(
            "checked",
            "A check of verify has an answer.",
            vec![
                key("check", text("What was checked.")),
                key("subject", text("Of what: a node, or a name.")),
                key("verdict", verdict()),
            ],
        ),
        one(
            "left_out",
            "What the run did not look at, because only some hosts were chosen.",
            vec![key(
                "what",
                list(
                    "Hosts, and what else there is.",
                    &text("A name, or a sentence."),
                ),
            )],
        ),
        one("run_done", "The run is over.", run_done(run())),
    ]
}

/// What concerns a host.
fn of_host() -> [Value; 4] {
    [
        one("step", "A host is being worked on.", vec![node(), doing()]),
        one(
            "sent",
            "Part of an upload has been sent.",
            vec![
                node(),
                key("bytes", whole("Bytes sent so far.", 0)),
                key("total", whole("Bytes in all.", 0)),
            ],
        ),
        one(
            "change",
            "A difference between what a host should have and what it has.",
            vec![
                node(),
                wave(),
                key("what", text("What is done.")),
                key("effect", text("What it costs.")),
                optional(
                    "diff",
                    text("A unified diff, where there is a text to compare."),
                ),
            ],
        ),
        one(
            "host_done",
            "A host is through.",
            vec![node(), key("outcome", outcome())],
        ),
    ]
}

/// An event: when, which, and what else it says.
fn one(name: &str, about: &str, said: Vec<Key>) -> Value {
    let when = whole("Milliseconds since the run began.", 0);
    let head = [
        key("milliseconds_since_start", when),
        key("event", word(name)),
    ];
    object(about, head.into_iter().chain(said).collect())
}

fn run_done(run: Key) -> Vec<Key> {
    let failed = json!({
        "description": "The host, and why it failed.",
        "type": "array",
        "items": { "type": "string" },
        "minItems": 2,
        "maxItems": 2,
    });
    vec![
        run,
        key("changes", whole("Changes made, or to be made.", 0)),
        key("failed", list("Failed hosts.", &failed)),
        key("milliseconds", whole("Milliseconds that the run took.", 0)),
        key("next", nullable(text("What to do next."))),
    ]
}

fn outcome() -> Value {
    let some = |word_: &str, about: &str, detail| {
        object(
            about,
            vec![key("result", word(word_)), key("detail", detail)],
        )
    };
    let forms = [
        object(
            "Nothing had to be changed.",
            vec![key("result", word("converged"))],
        ),
        some(
            "pending",
            "Changes are to be made.",
            whole("How many changes.", 0),
        ),
        some(
            "changed",
            "Changes were made.",
            whole("How many changes.", 0),
        ),
        some("failed", "It failed.", text("Why it failed.")),
    ];
    either("What came of a host.", &forms)
}

fn verdict() -> Value {
    let verdicts = ["passed", "failed", "not_tried"];
    object(
        "What came of the check.",
        vec![
            key(
                "verdict",
                words(
                    "Whether it passed; what rests on a failed one is not tried.",
                    &verdicts,
                ),
            ),
            key("detail", text("What was seen, or why not.")),
        ],
    )
}

pub(super) fn answer() -> Value {
    let (of_inventories, of_files) = (of_inventories(), of_files());
    let forms: Vec<_> = of_inventories.into_iter().chain(of_files).collect();
    either("What a command has to say at its end.", &forms)
}

fn count(name: &'static str, about: &str) -> Key {
    key(name, whole(about, 0))
}

fn out() -> Key {
    key("out", text("The folder that was written."))
}

fn files() -> Key {
    key(
        "files",
        list("What was written.", &text("The path of a file.")),
    )
}

/// Of commands that read an inventory, or write one.
fn of_inventories() -> [Value; 3] {
    [
        object(
            "Of check: the inventory can be used.",
            vec![
                key("federation", text("The federation's name.")),
                count("sites", "How many sites."),
                count("hosts", "How many hosts."),
                count("warnings", "How many warnings."),
            ],
        ),
        object("Of init.", vec![files()]),
        object(
            "Of import.",
            vec![out(), files(), count("findings", "How many lines before.")],
        ),
    ]
}

/// Of commands that write other files.
fn of_files() -> [Value; 4] {
    [
        object(
            "Of render.",
            vec![
                out(),
                count("files", "How many files."),
                count("hosts", "How many hosts."),
                count(
                    "unlisted_datacenters",
                    "How many datacenters the platform's list lacks.",
                ),
            ],
        ),
        object(
            "Of export.",
            vec![
                out(),
                count("files", "How many files."),
                key(
                    "lost",
                    list(
                        "What the other tool has no place for.",
                        &text("A sentence."),
                    ),
                ),
            ],
        ),
        object(
            "Of artifacts lock.",
            vec![
                key("lock", text("The file that was written.")),
                count("files", "How many files are pinned."),
            ],
        ),
        object(
            "Of secrets keygen.",
            vec![
                key("identity", text("The file that was made.")),
                key("recipient", text("The public key that belongs to it.")),
            ],
        ),
    ]
}
