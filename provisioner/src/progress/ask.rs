//! Questions to a person, one line each.

use std::io::{self, BufRead, IsTerminal as _, Write};

/// Whether somebody is there to answer.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks until the answer can be used. An empty line takes the suggestion; `None` is the end
/// of the input (Ctrl-D): nothing more will be answered.
///
/// # Errors
/// When the terminal cannot be read or written.
pub fn ask<T>(
    question: &str,
    suggestion: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> io::Result<Option<T>> {
    let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
    ask_on(&mut input, &mut output, (question, suggestion), read)
}

fn ask_on<T>(
    input: &mut impl BufRead,
    output: &mut impl Write,
    (question, suggestion): (&str, &str),
    read: impl Fn(&str) -> Result<T, String>,
) -> io::Result<Option<T>> {
    loop {
        write!(output, "{question} [{suggestion}]: ")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            writeln!(output)?;
            return Ok(None);
        }
        let answer = match line.trim() {
            "" => suggestion,
            said => said,
        };
        match read(answer) {
            Ok(value) => return Ok(Some(value)),
            Err(why) => writeln!(output, "  {why}")?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u8, String> {
        text.parse().map_err(|_| format!("`{text}` is no number"))
    }

    fn asked(input: &str) -> (Option<u8>, String) {
        let mut output = Vec::new();
        let answer = ask_on(
            &mut input.as_bytes(),
            &mut output,
            ("how many", "1"),
            number,
        );
        (answer.unwrap(), String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_question_is_asked_until_its_answer_can_be_used() {
        assert_eq!(asked("\n"), (Some(1), "how many [1]: ".to_owned()));
        assert_eq!(asked(" 7 \n").0, Some(7));
        assert_eq!(
            asked("x\n2\n"),
            (
                Some(2),
                "how many [1]:   `x` is no number\nhow many [1]: ".to_owned()
            )
        );
    }

    #[test]
    fn the_end_of_the_input_is_no_answer() {
        assert_eq!(asked(""), (None, "how many [1]: \n".to_owned()));
        assert_eq!(asked("x\n").0, None);
    }
}
