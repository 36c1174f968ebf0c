//! A process on a GPU: when it is there, and when it keeps the GPU busy.

use serde::Deserialize;

use crate::timeline::{self, Busy, FURTHEST_US};

/// One process. Times are µs from the scenario's epoch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// For whom it works. The library cannot know this, only `truth` reads it.
    allocation: Option<String>,
    /// None: the driver does not tell it.
    pub(crate) memory_mib: Option<u64>,
    from_us: i64,
    until_us: i64,
    #[serde(default)]
    busy: Vec<Busy>,
}

impl Process {
    /// Whether it is there at that moment, busy or not.
    pub(crate) fn runs_at(&self, at_us: i64) -> bool {
        (self.from_us..self.until_us).contains(&at_us)
    }

    /// Its patterns, as far as it lives.
    pub(crate) fn work(&self) -> Vec<Busy> {
        self.busy
            .iter()
            .filter_map(|busy| busy.within(self.from_us, self.until_us))
            .collect()
    }

    /// How many patterns it has.
    pub(crate) fn patterns(&self) -> usize {
        self.busy.len()
    }

    /// All that is wrong with it; `others` are those listed before it on its GPU.
    pub(crate) fn problems(&self, memory_mib: u64, others: &[Self]) -> Vec<String> {
        let mut found = Vec::new();
        let near = -FURTHEST_US..=FURTHEST_US;
        if !near.contains(&self.from_us) || !near.contains(&self.until_us) {
            found.push("from_us: further than 2^52 µs from the epoch, or until_us is".to_owned());
        } else if self.from_us >= self.until_us {
            found.push("until_us: it ends before it begins".to_owned());
        }
        if self.pid == 0 || others.iter().any(|other| self.is_mistaken_for(other)) {
            found.push("pid: at least 1, and no other process's at the same time".to_owned());
        }
        if self.allocation.as_deref() == Some("") {
            found.push("allocation: must not be empty".to_owned());
        }
        if self.memory_mib.is_some_and(|mib| mib > memory_mib) {
            found.push("memory_mib: more than the GPU has".to_owned());
        }
        found.extend(timeline::problems_alone(&self.busy));
        if found.is_empty() {
            found.extend(timeline::problem_together(&self.work()));
        }
        found
    }

    /// A PID may be used again, but not while its process is there.
    fn is_mistaken_for(&self, other: &Self) -> bool {
        self.pid == other.pid && self.from_us < other.until_us && other.from_us < self.until_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(text: &str) -> Process {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let first = process(r#"{"pid": 7, "from_us": 0, "until_us": 10}"#);
        assert!(first.problems(0, &[]).is_empty());
        let second = process(
            r#"{"pid": 7, "from_us": 9, "until_us": 20, "memory_mib": 5, "allocation": "",
                "busy": [{"from_us": 1, "until_us": 1}]}"#,
        );
        let found = second.problems(4, std::slice::from_ref(&first));
        assert_eq!(found.len(), 4, "{found:?}");
        let again = process(r#"{"pid": 7, "from_us": 10, "until_us": 20}"#);
        assert!(again.problems(0, &[first]).is_empty());
        for wrong in [
            r#"{"pid": 0, "from_us": 0, "until_us": 10}"#,
            r#"{"pid": 1, "from_us": 10, "until_us": 10}"#,
            r#"{"pid": 1, "from_us": 10, "until_us": 9000000000000000}"#,
        ] {
            assert_eq!(process(wrong).problems(0, &[]).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = r#"{"pid": 7, "from_us": 0, "until_us": 10, "name": "x"}"#;
        assert!(serde_json::from_str::<Process>(text).is_err());
    }
}
