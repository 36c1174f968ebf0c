//! Every name in a template is a name which its context has.
//!
//! The engine refuses an unknown name where it is printed, but not where it is asked for by `if`,
//! `or` or `default`, and not in a branch that no test renders. So the templates are read here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use provisioner::plan::{Content, Plan, Template, plan};
use provisioner::render::TEMPLATES;
use serde_json::Value;

use crate::golden::fixture;
use crate::kinds::kinds;

/// Words of the template language which are no names of values.
const WORDS: &[&str] = &[
    "and",
    "block",
    "break",
    "continue",
    "elif",
    "else",
    "endblock",
    "endfilter",
    "endfor",
    "endif",
    "extends",
    "false",
    "filter",
    "for",
    "if",
    "in",
    "include",
    "is",
    "none",
    "not",
    "or",
    "set",
    "set_global",
    "true",
];

/// What stands between a template's delimiters.
#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    /// A word, with the words that follow it after dots.
    Word(Vec<&'a str>),
    /// A string or a number.
    Literal(&'a str),
    /// Any other character.
    Sign(char),
}

/// What a template says: names of values, and templates that it includes.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    /// Names as paths, such as `gateway.name`.
    names: BTreeSet<String>,
    /// Included templates.
    includes: BTreeSet<String>,
}

/// Reads a template's text, piece by piece, with the loops that are open.
fn asked(source: &str) -> Asked {
    let mut asked = Asked::default();
    let mut loops: Vec<Vec<(String, String)>> = Vec::new();
    for piece in pieces(source) {
        let tokens = tokens(piece);
        match tokens.first() {
            Some(Token::Word(word)) if word == &["for"] => {
                let opened = bindings(&tokens);
                for name in names(&tokens) {
                    if !opened.iter().any(|(variable, _)| *variable == name) {
                        asked.names.insert(resolved(&name, &loops));
                    }
                }
                loops.push(opened);
            }
            Some(Token::Word(word)) if word == &["endfor"] => {
                loops.pop();
            }
            Some(Token::Word(word)) if word == &["include"] => {
                let included = tokens.iter().filter_map(|token| match token {
                    Token::Literal(text) => Some((*text).to_owned()),
                    _ => None,
                });
                asked.includes.extend(included);
            }
            _ => asked
                .names
                .extend(names(&tokens).iter().map(|name| resolved(name, &loops))),
        }
    }
    asked.names.retain(|name| !name.is_empty());
    asked
}

/// The insides of `{{ }}` and `{% %}`, in order, without comments and raw text.
fn pieces(source: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        rest = &rest[start + 1..];
        let close = match rest.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            Some('#') => "#}",
            _ => continue,
        };
        let end = rest
            .find(close)
            .expect("a template's delimiters are closed");
        let piece = rest[1..end].trim_matches('-').trim();
        rest = &rest[end + 2..];
        match (close, piece) {
            ("%}", "raw") => {
                let end = rest.find("endraw").expect("raw text has an end");
                let close = rest[end..]
                    .find("%}")
                    .expect("a template's delimiters are closed");
                rest = &rest[end + close + 2..];
            }
            ("#}", _) => {}
            _ => pieces.push(piece),
        }
    }
    pieces
}

fn tokens(piece: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = piece.trim_start();
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let length = match c {
            '"' | '\'' | '`' => 2 + rest[1..].find(c).expect("a string is closed"),
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(match c {
            '"' | '\'' | '`' => Token::Literal(&token[1..length - 1]),
            c if c.is_ascii_digit() => Token::Literal(token),
            c if word(c) => Token::Word(token.split('.').collect()),
            c => Token::Sign(c),
        });
        rest = after.trim_start();
    }
    tokens
}

/// The names of values among the tokens of a piece, as paths.
fn names(tokens: &[Token<'_>]) -> Vec<String> {
    let sign = |index: Option<usize>, wanted| {
        index.and_then(|index| tokens.get(index)) == Some(&Token::Sign(wanted))
    };
    let is_test = |index: usize| {
        let word = |back: usize| index.checked_sub(back).and_then(|index| tokens.get(index));
        let is = Some(&Token::Word(vec!["is"]));
        word(1) == is || (word(1) == Some(&Token::Word(vec!["not"])) && word(2) == is)
    };
    let names = tokens.iter().enumerate().filter_map(|(index, token)| {
        let Token::Word(path) = token else {
            return None;
        };
        let is_filter = sign(index.checked_sub(1), '|')
            || index.checked_sub(1).and_then(|index| tokens.get(index))
                == Some(&Token::Word(vec!["filter"]));
        let is_argument = sign(Some(index + 1), '=') && !sign(Some(index + 2), '=');
        let is_function = sign(Some(index + 1), '(');
        let is_word = path.len() == 1 && WORDS.contains(&path[0]);
        let is_none_of_ours = is_filter || is_argument || is_function || is_test(index) || is_word;
        (!is_none_of_ours).then(|| path.join("."))
    });
    names.collect()
}

/// What a `for` binds, and what each stands for: an element is written `list.*`.
fn bindings(tokens: &[Token<'_>]) -> Vec<(String, String)> {
    let is_in = |token: &Token<'_>| *token == Token::Word(vec!["in"]);
    let split = tokens.iter().position(is_in).expect("a for has an in");
    let list = match tokens.get(split + 1) {
        Some(Token::Word(path)) => path.join("."),
        _ => String::new(),
    };
    let variables = names(&tokens[1..split]);
    let element = |list: &str| {
        if list.is_empty() {
            String::new()
        } else {
            format!("{list}.*")
        }
    };
    let bound = variables
        .into_iter()
        .map(|variable| (variable, element(&list)));
    bound.chain([("loop".to_owned(), String::new())]).collect()
}

/// A name with the variables of open loops replaced by what they stand for.
fn resolved(name: &str, loops: &[Vec<(String, String)>]) -> String {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let bound = loops
        .iter()
        .rev()
        .flatten()
        .find(|(variable, _)| variable == first);
    match bound {
        None => name.to_owned(),
        Some((_, meaning)) if meaning.is_empty() || rest.is_empty() => meaning.clone(),
        Some((_, meaning)) => format!("{meaning}.{rest}"),
    }
}

/// Whether a context has a path. The elements of a list are looked at one by one.
fn has(context: &Value, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let found = match (context, first) {
        (Value::Array(items), "*") => items.iter().collect(),
        (Value::Object(map), "*") => map.values().collect(),
        (Value::Object(map), name) => map.get(name).into_iter().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    found
        .iter()
        .any(|value| rest.is_empty() || has(value, rest))
}

/// Every template that a plan uses, with the values of each use.
fn uses(plan: &Plan) -> BTreeMap<&'static str, Vec<Value>> {
    let of_hosts = plan
        .hosts
        .values()
        .flat_map(|host| &host.files)
        .filter_map(|file| match &file.content {
            Content::Template(template) | Content::Merged(template, _) => Some(&**template),
            _ => None,
        });
    let services = &plan.services;
    let policies = services
        .consul_policies
        .values()
        .chain(services.nomad_policies.values());
    let gateways = services.gateways.iter().flat_map(|gateway| {
        [
            &gateway.job,
            &gateway.static_configuration,
            &gateway.dynamic_configuration,
        ]
    });
    let jobs = services.jobs.iter().map(|job| &job.job);
    let mut uses: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for template in of_hosts.chain(policies).chain(gateways).chain(jobs) {
        uses.entry(template.name())
            .or_default()
            .push(context(template));
    }
    uses
}

fn context(template: &Template) -> Value {
    serde_json::to_value(template).unwrap()
}

fn source(name: &str) -> &'static str {
    TEMPLATES
        .iter()
        .find(|(known, _)| *known == name)
        .expect("the template is embedded")
        .1
}

/// What a template asks for, together with what it includes.
fn asked_with_includes(name: &str) -> BTreeSet<String> {
    let asked = asked(source(name));
    let included = asked
        .includes
        .iter()
        .flat_map(|name| asked_with_includes(name));
    included.chain(asked.names.iter().cloned()).collect()
}

#[test]
fn every_template_asks_only_for_what_its_context_has() {
    let mut uses = uses(&plan(&kinds()));
    for (name, contexts) in self::uses(&plan(&fixture("two-sites"))) {
        uses.entry(name).or_default().extend(contexts);
    }
    let mut missing = Vec::new();
    for (name, contexts) in &uses {
        let asked = asked_with_includes(name);
        let lacking = asked
            .iter()
            .filter(|path| !contexts.iter().any(|value| has(value, path)));
        missing.extend(lacking.map(|path| format!("{name}: {path}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let unused: Vec<_> = TEMPLATES
        .iter()
        .filter(|(name, _)| !uses.contains_key(name))
        .collect();
    assert!(unused.is_empty(), "no plan uses {unused:?}");
}

#[test]
fn the_walker_and_the_engine_read_the_same_names() {
    let mut tera = tera::Tera::default();
    for filter in ["hcl", "json", "heredoc"] {
        tera.register_filter(
            filter,
            |value: &tera::Value, _: tera::Kwargs, _: &tera::State| value.to_string(),
        );
    }
    tera.add_raw_templates(TEMPLATES.iter().copied()).unwrap();
    for (name, _) in TEMPLATES {
        let theirs = tera.get_template_variables(name).unwrap();
        let ours = asked_with_includes(name);
        let ours: BTreeSet<_> = ours
            .iter()
            .filter_map(|path| path.split('.').next())
            .collect();
        assert_eq!(ours, theirs.into_iter().collect(), "{name}");
    }
}

#[test]
fn a_wrong_name_is_found_wherever_it_stands() {
    let context = serde_json::json!({ "good": 1, "list": [{ "item": 1 }], "none": null });
    let cases = [
        // template, the names which are missing
        ("{{ good }} {{ none }}", ""),
        ("{{ bad }}", "bad"),
        ("{{- bad -}}", "bad"),
        ("{{ good.bad }}", "good.bad"),
        ("{% if bad %}{% endif %}", "bad"),
        (
            "{% if not bad and good == 1 %}{% elif worse == 2 %}{% endif %}",
            "bad worse",
        ),
        ("{% if bad is defined %}{% endif %}", "bad"),
        ("{% if good is not containing(pat=bad) %}{% endif %}", "bad"),
        ("{{ bad | default(value=1) }}", "bad"),
        ("{{ bad or 1 }}", "bad"),
        ("{{ good | default(value=bad) }}", "bad"),
        ("{{ good | join(sep=bad) | upper }}", "bad"),
        ("{{ [good, bad] | hcl }}", "bad"),
        ("{% for x in bad %}{{ x }}{% endfor %}", "bad bad.*"),
        (
            "{% for x in list %}{{ x.item }}{{ loop.first }}{% endfor %}",
            "",
        ),
        ("{% for x in list %}{{ x.bad }}{% endfor %}", "list.*.bad"),
        (
            "{% for k, v in list %}{% if v.bad %}{% endif %}{% endfor %}",
            "list.*.bad",
        ),
        (
            "{% for x in list %}{% for y in x.bad %}{% endfor %}{% endfor %}{{ x }}",
            "list.*.bad x",
        ),
        ("{% filter upper %}{{ bad }}{% endfilter %}", "bad"),
        ("{# bad #}{% raw %}{{ bad }}{% endraw %}{{ \"bad\" }}", ""),
    ];
    for (template, expected) in cases {
        let asked = asked(template).names;
        let missing: Vec<_> = asked
            .iter()
            .filter(|path| !has(&context, path))
            .cloned()
            .collect();
        assert_eq!(missing.join(" "), expected, "{template}");
    }
}

#[test]
fn every_file_under_templates_is_embedded_and_no_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let embedded: BTreeMap<_, _> = TEMPLATES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(files(&folder, ""), embedded);
    assert_eq!(
        embedded.len(),
        TEMPLATES.len(),
        "a name stands twice in the table"
    );
}

fn files(folder: &Path, prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/")));
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}
