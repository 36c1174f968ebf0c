//! Ansible's INI inventories: sections, host lines with quoted values, and ranges.

use std::rc::Rc;

use super::datum::Datum;
use super::model::{ALL, Model, Variable};
use super::range::{RangeError, expand};
use super::report::{Findings, Place};

/// Bytes of a line: a host with every variable there is takes a few hundred.
const MAX_LINE: usize = 64 << 10;

/// The group of hosts above the first section.
const UNGROUPED: &str = "ungrouped";

/// What the lines below a section's header are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Children,
    Vars,
}

/// Where the reading has come.
struct Reader<'a> {
    file: Rc<str>,
    line: usize,
    /// The group of the current section; `None` below a header that could not be read.
    section: Option<(String, Kind)>,
    /// The sections of variables, each by its group.
    variables: Vec<(String, Place)>,
    model: &'a mut Model,
    findings: &'a Findings,
}

/// Reads an INI inventory into a model.
pub(super) fn read(file: &Rc<str>, text: &str, model: &mut Model, findings: &Findings) {
    let mut reader = Reader {
        file: Rc::clone(file),
        line: 0,
        section: Some((UNGROUPED.to_owned(), Kind::Hosts)),
        variables: Vec::new(),
        model,
        findings,
    };
    for line in text.lines() {
        reader.line += 1;
        reader.read(line);
    }
    undefined(reader.model, &reader.variables, findings);
}

/// Reports children and variables of groups that no section defines.
fn undefined(model: &Model, variables: &[(String, Place)], findings: &Findings) {
    let is_group = |name: &String| {
        let known = model.groups.get(name);
        known.is_some_and(|it| it.is_defined) || [ALL, UNGROUPED].contains(&name.as_str())
    };
    let children = model.groups.values().flat_map(|group| &group.children);
    for (name, place) in children
        .chain(variables)
        .filter(|(name, _)| !is_group(name))
    {
        let what = format!("no section defines the group `{name}`");
        findings.error(place, what, format!("add `[{name}]`, or correct the name"));
    }
}

impl Reader<'_> {
    fn place(&self, column: usize) -> Place {
        Place::at(&self.file, self.line, column)
    }

    fn error(&self, column: usize, what: impl Into<String>, hint: &str) {
        self.findings.error(&self.place(column), what, hint);
    }

    fn read(&mut self, line: &str) {
        if line.len() > MAX_LINE {
            let hint = "look for a missing line end";
            return self.error(1, "a line longer than 64 KiB", hint);
        }
        let text = line.trim();
        let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
        if text.is_empty() || text.starts_with(['#', ';']) {
            return;
        }
        if let Some(what) = placeholder(text) {
            return self.error(column, what, "fill the template: no such word may be left");
        }
        if text.starts_with('[') && !text.contains('=') {
            return self.header(text, column);
        }
        match self.section.clone() {
            Some((group, Kind::Hosts)) => self.hosts(&group, line),
            Some((group, Kind::Children)) => self.child(&group, text, column),
            Some((group, Kind::Vars)) => self.variable(&group, text, column),
            None => {}
        }
    }

    fn header(&mut self, text: &str, column: usize) {
        self.section = None;
        let hint = "write it as [group], [group:children] or [group:vars]";
        let Some((header, rest)) = text[1..].split_once(']') else {
            return self.error(column, "a section's header does not end", hint);
        };
        let rest = rest.trim();
        if !(rest.is_empty() || rest.starts_with('#')) {
            return self.error(column, "more text after a section's header", hint);
        }
        let (name, kind) = header.split_once(':').unwrap_or((header, "hosts"));
        let kind = match kind {
            "hosts" => Kind::Hosts,
            "children" => Kind::Children,
            "vars" => Kind::Vars,
            other => return self.error(column, format!("no section is of kind `{other}`"), hint),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return self.error(column, "a section without the name of a group", hint);
        }
        let place = self.place(column);
        if let Some(group) = self.model.group(name, &place, self.findings) {
            group.is_defined |= kind != Kind::Vars;
            if kind == Kind::Vars {
                self.variables.push((name.to_owned(), place));
            }
            self.section = Some((name.to_owned(), kind));
        }
    }

    fn child(&mut self, parent: &str, text: &str, column: usize) {
        let name = text.split('#').next().unwrap_or_default().trim();
        if name.contains(char::is_whitespace) {
            // What follows may be a password.
            let first = name.split(char::is_whitespace).next().unwrap_or_default();
            let what = format!("`{first} …` cannot be the name of a group");
            return self.error(column, what, "one group a line");
        }
        let place = self.place(column);
        self.model.add_child(parent, name, &place, self.findings);
    }

    fn variable(&mut self, group: &str, text: &str, column: usize) {
        let Some((name, value)) = text.split_once('=') else {
            return self.error(column, "a variable without a value", "write `name=value`");
        };
        let place = self.place(column);
        let datum = Datum::of_ini(value);
        if let Some(group) = self.model.group(group, &place, self.findings) {
            let variable = Variable { datum, place };
            group.own.insert(name.trim().to_owned(), variable);
        }
    }

    fn hosts(&mut self, group: &str, line: &str) {
        let words = match words(line) {
            Ok(words) => words,
            Err(column) => {
                let hint = "end it with the quote it begins with";
                return self.error(column, "a quoted value does not end", hint);
            }
        };
        let mut words = words.into_iter();
        let Some((pattern, column)) = words.next() else {
            return;
        };
        let mut variables = Vec::new();
        for (word, column) in words {
            match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    let variable = Variable {
                        datum: Datum::of_ini(value),
                        place: self.place(column),
                    };
                    variables.push((name.to_owned(), variable));
                }
                _ => {
                    let what = format!("`{word}` is no `name=value`");
                    self.error(column, what, "put a value with blanks in quotes");
                }
            }
        }
        let (pattern, port) = without_port(&pattern);
        for name in self.names(pattern, column) {
            self.host(group, &name, column, port, &variables);
        }
    }

    /// The names a pattern stands for; none when it has no meaning.
    fn names(&self, pattern: &str, column: usize) -> Vec<String> {
        expand(pattern, self.model.room().max(1)).unwrap_or_else(|error| {
            match error {
                RangeError::Malformed => {
                    let what = format!("`{pattern}` has a range without a meaning");
                    self.error(column, what, "write it as node-[01:10] or node-[a:f]");
                }
                RangeError::TooMany => {
                    let what = format!("`{pattern}` stands for too many hosts");
                    self.error(column, what, "correct the end of the range");
                }
            }
            Vec::new()
        })
    }

    fn host(
        &mut self,
        group: &str,
        name: &str,
        column: usize,
        port: Option<&str>,
        variables: &[(String, Variable)],
    ) {
        let place = self.place(column);
        let Some(host) = self.model.host(name, &place, self.findings) else {
            return;
        };
        if let Some(port) = port {
            let variable = Variable {
                datum: Datum::Text(port.to_owned()),
                place: place.clone(),
            };
            host.own.insert("ansible_port".to_owned(), variable);
        }
        host.own.extend(variables.iter().cloned());
        self.model.add_host(group, name, &place, self.findings);
    }
}

/// What is left of a template in a line, in words. In a comment it is nothing, and in quotes as
/// much as without.
fn placeholder(line: &str) -> Option<String> {
    let text = without_comment(line);
    if text.trim_start_matches(['"', '\'']).starts_with("...") {
        return Some("`...` stands for lines that were never written".to_owned());
    }
    // A shell's `<` stands before a file.
    let is_name = |name: &&str| {
        let is_part = |c: char| c.is_alphanumeric() || " _.-".contains(c);
        name.starts_with(char::is_alphabetic) && name.chars().all(is_part)
    };
    let mut names = text
        .split('<')
        .skip(1)
        .filter_map(|after| Some(after.split_once('>')?.0));
    let name = names.find(is_name)?;
    Some(format!(
        "`<{name}>` stands for a value that was never written"
    ))
}

/// A line up to its comment: a `#` in quotes begins none.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut is_escaped = false;
    let begins = |(_, c): &(usize, char)| {
        let is_quote = matches!(c, '"' | '\'') && !is_escaped;
        match quote {
            None if is_quote => quote = Some(*c),
            Some(open) if is_quote && open == *c => quote = None,
            _ => {}
        }
        is_escaped = *c == '\\' && !is_escaped;
        *c == '#' && quote.is_none()
    };
    let end = line.char_indices().find(begins);
    &line[..end.map_or(line.len(), |(at, _)| at)]
}

/// A host's pattern without the port that may follow it.
fn without_port(pattern: &str) -> (&str, Option<&str>) {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // An IPv6 address has several colons, and a range has its own within brackets.
    let is_whole = |host: &str| {
        let outside: Vec<_> = host.split(['[', ']']).step_by(2).collect();
        host.matches('[').count() == host.matches(']').count() && !outside.concat().contains(':')
    };
    match pattern.rsplit_once(':') {
        Some((host, port)) if is_port(port) && is_whole(host) => (host, Some(port)),
        _ => (pattern, None),
    }
}

/// The words of a host line with their columns, split as a shell does. The error is the column
/// of a quote that does not end.
fn words(line: &str) -> Result<Vec<(String, usize)>, usize> {
    let mut words = Vec::new();
    let mut word: Option<(String, usize)> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut chars = line.chars().zip(1..).peekable();
    while let Some((c, column)) = chars.next() {
        let quoting = quote.map(|(quote, _)| quote);
        match (quoting, c) {
            (None, ' ' | '\t' | '\r') => words.extend(word.take()),
            (None, '#') => break,
            (None, '"' | '\'') => {
                word.get_or_insert((String::new(), column));
                quote = Some((c, column));
            }
            (Some(open), _) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                let escapes = |next: &(char, usize)| quoting.is_none() || "\"\\".contains(next.0);
                let next = chars.next_if(escapes).map_or('\\', |(next, _)| next);
                word.get_or_insert((String::new(), column)).0.push(next);
            }
            _ => word.get_or_insert((String::new(), column)).0.push(c),
        }
    }
    if let Some((_, column)) = quote {
        return Err(column);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_line_is_split_as_a_shell_does() {
        for (line, wanted) in [
            ("a  b=c", vec![("a", 1), ("b=c", 4)]),
            ("a b='c d' # e", vec![("a", 1), ("b=c d", 3)]),
            ("a b=\"c \\\" d\"", vec![("a", 1), ("b=c \" d", 3)]),
            ("a b=c\\ d", vec![("a", 1), ("b=c d", 3)]),
            ("a b='c\\d'", vec![("a", 1), ("b=c\\d", 3)]),
            ("é b=c#d", vec![("é", 1), ("b=c", 3)]),
            ("# all", vec![]),
        ] {
            let found = words(line).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|(word, at)| (word.as_str(), *at))
                .collect();
            assert_eq!(found, wanted, "{line}");
        }
        assert_eq!(words("a b='c"), Err(5));
    }

    #[test]
    fn what_is_left_of_a_template_is_seen_in_quotes_and_not_in_comments() {
        for (line, wanted) in [
            ("node ansible_host=<address>", Some("`<address>`")),
            (
                "node ansible_host=\"<the address>\"",
                Some("`<the address>`"),
            ),
            (
                "node ansible_host='<address>' # of the node",
                Some("`<address>`"),
            ),
            ("node a='x # y' b=<address>", Some("`<address>`")),
            ("node a=\"x \\\" # y\" b=<address>", Some("`<address>`")),
            ("node a='1 < 2' b=<address>", Some("`<address>`")),
            ("[<site>_clients]", Some("`<site>`")),
            ("... # more of them", Some("`...`")),
            ("\"...\"", Some("`...`")),
            ("node a=b # <address>, see below", None),
            ("node a=b # <- the first -> the next", None),
            ("node a='nc %h %p </dev/null 2>/dev/null'", None),
            ("node a='1 < 2 > 0'", None),
        ] {
            let found = placeholder(line);
            let is_found = |wanted| found.as_ref().is_some_and(|it| it.starts_with(wanted));
            assert!(
                wanted.map_or(found.is_none(), is_found),
                "{line}: {found:?}"
            );
        }
    }

    #[test]
    fn a_port_is_no_part_of_a_host() {
        for (pattern, host, port) in [
            ("node:2222", "node", Some("2222")),
            ("node[1:2]:2222", "node[1:2]", Some("2222")),
            ("node[1:2]", "node[1:2]", None),
            ("node[1:2].x:22", "node[1:2].x", Some("22")),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:22", "[2001:db8::1]", Some("22")),
        ] {
            assert_eq!(without_port(pattern), (host, port), "{pattern}");
        }
    }
}
