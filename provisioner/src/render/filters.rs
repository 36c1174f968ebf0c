//! Values as the languages of the rendered files write them.

use std::fmt::Write;

use tera::{Error, Kwargs, State, TeraResult, Value};

/// A value as HCL writes it: a quoted string, a number, a truth value, or a list of these.
pub(super) fn hcl(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let mut text = String::new();
    write_hcl(&mut text, value)?;
    Ok(text)
}

/// A value as JSON writes it, on one line.
pub(super) fn json(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::message(format!("JSON has no form of it: {error}")))
}

/// A text as the body of an HCL 2 heredoc: what looks like an interpolation stays as it is.
pub(super) fn heredoc(text: &str, _: Kwargs, _: &State) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

fn write_hcl(text: &mut String, value: &Value) -> TeraResult<()> {
    if let Some(items) = value.as_array() {
        text.push('[');
        for (index, item) in items.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            write_hcl(text, item)?;
        }
        text.push(']');
    } else if let Some(string) = value.as_str() {
        write_quoted(text, string);
    } else if value.is_bool() || value.is_number() {
        text.push_str(&value.to_string());
    } else {
        return Err(Error::message(format!(
            "HCL has no literal for a value of type {}",
            value.name()
        )));
    }
    Ok(())
}

fn write_quoted(text: &mut String, string: &str) {
    text.push('"');
    let escaped = string.replace("${", "$${").replace("%{", "%%{");
    for c in escaped.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
