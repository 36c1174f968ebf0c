//! `check`: what would keep `serve` from its work, each thing found in a line.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Ended, Error, show};
use crate::ledger::Ledger;
use crate::settings::Settings;
use crate::tls::{TlsError, ends_s, server_config};

/// A certificate that ends sooner than this is told of, in days.
const SOON_DAYS: i64 = 14;

const DAY_S: i64 = 24 * 60 * 60;

/// Something that was looked at.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Good(String),
    Wrong(String),
}

pub(super) fn run(settings: &Settings) -> Result<Ended, Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_s = since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    });
    let findings = findings(settings, now_s);
    let mut text = String::new();
    for finding in &findings {
        let (word, what) = match finding {
            Finding::Good(what) => ("ok", what),
            Finding::Wrong(what) => ("WRONG", what),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{word:<6}{what}");
    }
    show(&text)?;
    let wrong = findings
        .iter()
        .any(|finding| matches!(finding, Finding::Wrong(_)));
    Ok(if wrong {
        Ended::NotAsWanted
    } else {
        Ended::AsWanted
    })
}

fn findings(settings: &Settings, now_s: i64) -> Vec<Finding> {
    let tls = &settings.tls;
    let pair = match server_config(tls) {
        Ok(_) => Finding::Good("the certificate, its key and the authority can be used".to_owned()),
        Err(error) => Finding::Wrong(chain(&error)),
    };
    vec![
        Finding::Good(format!(
            "settings of federation {}: {} sites and {} VOs are published",
            settings.federation,
            settings.sites.len(),
            settings.vos.len()
        )),
        pair,
        life(&tls.certificate, ends_s(&tls.certificate), now_s),
        life(&tls.authority, ends_s(&tls.authority), now_s),
        ledger(&settings.ledger),
        folder("queue", &settings.queue),
    ]
}

fn life(path: &Path, ends_s: Result<i64, TlsError>, now_s: i64) -> Finding {
    let path = path.display();
    match ends_s.map(|ends_s| (ends_s - now_s).div_euclid(DAY_S)) {
        Ok(days) if days < 0 => Finding::Wrong(format!("{path} is over: renew it")),
        Ok(days) if days < SOON_DAYS => {
            Finding::Wrong(format!("{path} ends in {days} days: renew it"))
        }
        Ok(days) => Finding::Good(format!("{path} is good for {days} days")),
        Err(error) => Finding::Wrong(chain(&error)),
    }
}

/// A ledger that is not there is made by `serve`, as the user that it runs as, and not here.
fn ledger(path: &Path) -> Finding {
    if !path.exists() {
        return folder("ledger", path);
    }
    match Ledger::open_read_only(path) {
        Ok(_) => Finding::Good(format!("the ledger {} can be read", path.display())),
        Err(error) => Finding::Wrong(chain(&error)),
    }
}

fn folder(what: &str, path: &Path) -> Finding {
    let parent = path.parent().unwrap_or(path);
    if path.is_dir() || parent.is_dir() {
        return Finding::Good(format!("the {what} {} has its folder", path.display()));
    }
    Finding::Wrong(format!(
        "the {what} {} has no folder {}: make it, for the user of the service",
        path.display(),
        parent.display()
    ))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let life = |ends_s| life(Path::new("/c.pem"), Ok(ends_s), 1_000 * DAY_S);
        assert!(matches!(life(1_000 * DAY_S - 1), Finding::Wrong(what) if what.contains("over")));
        assert!(matches!(life(1_013 * DAY_S), Finding::Wrong(what) if what.contains("13 days")));
        assert!(matches!(life(1_014 * DAY_S), Finding::Good(_)));
    }
}
