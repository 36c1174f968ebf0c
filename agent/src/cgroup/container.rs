//! Which task a Docker container is, by Docker's own file on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cgroup::TaskKey;

/// Docker's files are some 10 KiB.
const LIMIT: u64 = 4 << 20;

const ALLOCATION: &str = "com.hashicorp.nomad.alloc_id";
const TASK: &str = "com.hashicorp.nomad.task_name";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(default)]
    name: String,
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

/// The task of a container, if it is one's, from the text of its file.
///
/// Labels name both with the setting `extra_labels`; else the container's name is `/<task>-<allocation>`.
pub(super) fn task_in(text: &str) -> Result<Option<TaskKey>, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    let labels = file.config.labels.unwrap_or_default();
    let Some(allocation) = labels.get(ALLOCATION) else {
        return Ok(None);
    };
    let name = file.name.trim_start_matches('/');
    let task = labels.get(TASK).map(String::as_str).or_else(|| {
        name.strip_suffix(allocation)
            .and_then(|rest| rest.strip_suffix('-'))
    });
    // The container that only holds a network has no task.
    Ok(task.filter(|task| !task.is_empty()).map(|task| TaskKey {
        allocation: allocation.clone(),
        task: task.to_owned(),
    }))
}

/// The containers that have been looked up.
#[derive(Debug)]
pub(super) struct Containers {
    folder: PathBuf,
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    task: Option<TaskKey>,
    /// Whether it was asked for since the last time that others were forgotten.
    asked: bool,
}

impl Containers {
    pub(super) fn new(docker: &Path) -> Self {
        Self {
            folder: docker.join("containers"),
            known: BTreeMap::new(),
        }
    }

    /// The task of a container, if it is one's; its file is read until it could be read once.
    pub(super) fn task(&mut self, id: &str) -> Option<TaskKey> {
        if let Some(known) = self.known.get_mut(id) {
            known.asked = true;
            return known.task.clone();
        }
        let file = self.folder.join(id).join("config.v2.json");
        let size = std::fs::metadata(&file).ok()?.len();
        if size > LIMIT {
            return None;
        }
        let task = task_in(&std::fs::read_to_string(&file).ok()?).ok()?;
        let known = Known {
            task: task.clone(),
            asked: true,
        };
        self.known.insert(id.to_owned(), known);
        task
    }

    /// Forgets the containers that nobody asked for since the last time: they are gone.
    pub(super) fn forget(&mut self) {
        self.known
            .retain(|_, known| std::mem::take(&mut known.asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOC: &str = "0a1b2c3d-0000-4000-8000-00000000abcd";

    fn text(name: &str, labels: &str) -> String {
        format!(r#"{{"ID":"x","Name":"{name}","Config":{{"Image":"i","Labels":{labels}}}}}"#)
    }

    #[test]
    fn labels_come_first_and_the_name_second() {
        let both = text(
            "/whatever",
            &format!(r#"{{"{ALLOCATION}":"{ALLOC}","{TASK}":"main"}}"#),
        );
        assert_eq!(task_in(&both).unwrap().unwrap().task, "main");
        let only = format!(r#"{{"{ALLOCATION}":"{ALLOC}"}}"#);
        let named = task_in(&text(&format!("/side-car-{ALLOC}"), &only));
        assert_eq!(named.unwrap().unwrap().task, "side-car");
    }

    #[test]
    fn what_is_no_task_is_known_as_such() {
        let only = format!(r#"{{"{ALLOCATION}":"{ALLOC}"}}"#);
        assert_eq!(task_in(&text("/postgres", "{}")).unwrap(), None);
        assert_eq!(task_in(&text("/postgres", "null")).unwrap(), None);
        assert_eq!(task_in(&text("/renamed", &only)).unwrap(), None);
        assert!(task_in("{").is_err(), "half a file is asked for again");
    }
}
