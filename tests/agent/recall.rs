//! Allocations that no list had: what the servers' memory says of them, as a real Nomad 1.11 said it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent::nomad::{Allocation, Question, Recall, Whom};
use agent::wire::{self, Heard};
use federation::http::{Answer, Api, Call};
use federation::nomad::{Events, PlacedJob, PlacedState, Topic, events};

/// Placed at index 446, over at 449 with all that it ever did, and removed at once.
const ALLOCATION: &str = include_str!("fixtures/events-of-an-allocation.ndjson");
/// Registered at 445, and removed at 450.
const JOB: &str = include_str!("fixtures/events-of-a-job.ndjson");
/// Placed at index 184, running at 187, and purged at 188.
const PURGE: &str = include_str!("fixtures/events-of-a-purge.ndjson");
/// When a server last wrote of it, and when it took that it is purged, in µs since 1970 UTC.
const MODIFIED_US: i64 = 1_795_988_124_882_455;
const PURGED_US: i64 = 1_795_988_126_097_151;
pub(crate) const ID: &str = "0a1b2c3d-0000-4000-8000-00000000abcd";
/// Where it was placed.
pub(crate) const NODE: &str = "11111111-0000-4000-8000-000000000001";

fn any() -> Call<Events> {
    events([Topic::Allocation(ID.to_owned())]).unwrap()
}

fn lines(text: &str) -> Vec<Events> {
    let call = any();
    let read = |line: &str| {
        let body = line.to_owned();
        call.read(&Answer { status: 200, body }).unwrap()
    };
    text.lines().map(read).collect()
}

pub(crate) fn ids(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|id| (*id).to_owned()).collect()
}

fn over() -> Recall {
    let mut recall = Recall::of(&about(&[ID]));
    for line in lines(ALLOCATION) {
        assert!(!recall.is_enough(), "the last line says so");
        recall.take(line);
    }
    assert!(recall.is_enough());
    recall
}

#[test]
fn an_allocation_that_was_over_and_removed_at_once_is_told_with_its_job() {
    let mut recall = over();
    let asked: BTreeSet<Topic> = [Topic::Job("probe".to_owned())].into();
    assert_eq!(recall.missing(), asked);
    // Up to the index at which it was placed; nothing after it can be its job.
    let all = lines(JOB);
    let needed = all
        .iter()
        .cloned()
        .take_while(|line| !recall.take_of_jobs(line.clone()));
    assert_eq!(needed.count(), 2);
    assert!(recall.without_job().is_empty());
    let told = recall.allocations(4, 8_000, 0);
    let [one] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(one.facts.owner.as_deref(), Some("alice@example.org"));
    assert_eq!(
        (one.facts.job.as_str(), one.facts.group.as_str()),
        ("probe", "g")
    );
    let task = one.facts.tasks.first().unwrap();
    assert_eq!((task.driver.as_str(), task.cpu_mhz), ("raw_exec", 100));
    assert_eq!((one.facts.node_cores, one.facts.node_mhz), (4, 8_000));
    assert_eq!(one.facts.started_us, 1_795_544_220_067_505);
    let end = one.ended.as_ref().unwrap();
    assert_eq!(
        (end.status.as_str(), end.ended_us),
        ("complete", 1_795_544_220_123_478)
    );
}

#[test]
fn a_job_that_was_purged_is_known_from_its_removal() {
    let mut recall = over();
    let removal = lines(JOB).pop().unwrap();
    assert!(recall.take_of_jobs(removal), "there is nothing to wait for");
    let told = recall.allocations(4, 8_000, 0);
    assert_eq!(told[0].facts.owner.as_deref(), Some("alice@example.org"));
}

#[test]
fn what_was_asked_for_later_is_not_its_job() {
    let mut recall = over();
    let job = |index: u64, owner: &str| PlacedJob {
        id: "probe".to_owned(),
        namespace: "example".to_owned(),
        job_modify_index: index,
        meta: Some([("owner".to_owned(), owner.to_owned())].into()),
        task_groups: None,
    };
    recall.take_job(job(447, "mallory@example.org"));
    let other = PlacedJob {
        namespace: "imagine".to_owned(),
        ..job(440, "bob@example.org")
    };
    recall.take_job(other);
    let missing = [("probe".to_owned(), "example".to_owned())].into();
    assert_eq!(recall.without_job(), missing);
    assert_eq!(recall.allocations(4, 8_000, 0)[0].facts.owner, None);
    recall.take_job(job(439, "alice@example.org"));
    let told = recall.allocations(4, 8_000, 0);
    assert_eq!(told[0].facts.owner.as_deref(), Some("alice@example.org"));
}

/// Facts are frozen when an allocation begins: nobody may begin one whose job is still asked for.
#[test]
fn one_that_is_not_over_waits_for_its_job() {
    let mut recall = Recall::of(&about(&[ID]));
    lines(ALLOCATION)
        .into_iter()
        .take(3)
        .for_each(|line| recall.take(line));
    assert!(recall.allocations(4, 8_000, 0).is_empty());
    let enough = lines(JOB).into_iter().map(|line| recall.take_of_jobs(line));
    assert_eq!(enough.last(), Some(true));
    assert_eq!(recall.allocations(4, 8_000, 0).len(), 1);
}

pub(crate) fn complete() -> Allocation {
    over().allocations(4, 8_000, 0).pop().unwrap()
}

/// A question about some of the node, of whom the list has none.
pub(crate) fn about(of: &[&str]) -> Question {
    Question {
        node_id: NODE.to_owned(),
        whom: Whom::Ids(ids(of)),
        listed: ids(&[]),
    }
}

/// The question that is asked once, while the list has nobody.
pub(crate) fn about_all() -> Question {
    Question {
        whom: Whom::Unlisted,
        ..about(&[])
    }
}

#[test]
fn of_all_that_is_remembered_only_the_nodes_own_and_unlisted_is_taken() {
    let listed = Question {
        listed: ids(&[ID]),
        ..about_all()
    };
    let another = Question {
        node_id: "22222222-0000-4000-8000-000000000002".to_owned(),
        ..about_all()
    };
    for (question, told) in [(about_all(), 1), (listed, 0), (another, 0)] {
        let mut recall = Recall::of(&question);
        for line in lines(ALLOCATION) {
            recall.take(line);
            assert!(!recall.is_enough(), "nobody knows whether there are more");
        }
        assert_eq!(recall.missing().len(), told);
        assert_eq!(recall.allocations(4, 8_000, 0).len(), told);
    }
    // Of which node it is, is not left to chance.
    let mut recall = Recall::of(&about_all());
    for mut line in lines(ALLOCATION) {
        for event in &mut line.events {
            let placed = event.payload.allocation.as_mut().unwrap();
            placed.node_id = String::new();
        }
        recall.take(line);
    }
    assert!(recall.allocations(4, 8_000, 0).is_empty());
}

#[test]
fn what_another_node_runs_is_not_recalled() {
    let mut recall = Recall::of(&Question {
        node_id: "22222222-0000-4000-8000-000000000002".to_owned(),
        ..about(&[ID])
    });
    for line in lines(ALLOCATION) {
        recall.take(line);
    }
    assert!(!recall.is_enough());
    assert!(recall.allocations(4, 8_000, 0).is_empty());
}

/// A client calls an allocation failed as soon as one task is; those after all others start later.
#[test]
fn one_that_failed_is_not_over_before_its_last_tasks_have_run() {
    for state in ["pending", "running", "dead"] {
        let mut recall = Recall::of(&about(&[ID]));
        for mut line in lines(ALLOCATION) {
            for event in &mut line.events {
                let placed = event.payload.allocation.as_mut().unwrap();
                placed.client_status = "failed".to_owned();
                let states = placed.task_states.get_or_insert_default();
                let mut last = states.get("main").cloned().unwrap_or(PlacedState {
                    state: String::new(),
                    started_at: None,
                    finished_at: None,
                    events: None,
                });
                last.state = state.to_owned();
                if state != "dead" {
                    last.finished_at = None;
                }
                if state == "pending" {
                    (last.started_at, last.events) = (None, None);
                }
                states.insert("after".to_owned(), last);
            }
            recall.take(line);
        }
        assert_eq!(recall.is_enough(), state == "dead", "{state}");
    }
}

#[test]
fn the_job_of_one_that_is_listed_is_not_asked_for() {
    let mut recall = Recall::of(&Question {
        listed: ids(&[ID]),
        ..about(&[ID])
    });
    for line in lines(ALLOCATION).into_iter().take(3) {
        recall.take(line);
    }
    assert!(recall.missing().is_empty() && recall.without_job().is_empty());
    assert_eq!(recall.allocations(4, 8_000, 0).len(), 1, "nor waited for");
}

/// Behind the second colon of a topic there is nothing that Nomad understands.
#[test]
fn a_job_with_a_colon_in_its_id_is_asked_for_by_its_name_only() {
    let mut recall = Recall::of(&about(&[ID]));
    for mut line in lines(ALLOCATION) {
        for event in &mut line.events {
            let placed = event.payload.allocation.as_mut().unwrap();
            placed.job_id = "pro:be".to_owned();
        }
        recall.take(line);
    }
    assert!(recall.missing().is_empty());
    let by_name = [("pro:be".to_owned(), "example".to_owned())].into();
    assert_eq!(recall.without_job(), by_name);
}

/// As the servers call it while its node is away: nobody is to ask on and on whether it is over.
#[test]
fn one_that_is_lost_is_over_when_its_tasks_have_ended() {
    let mut recall = Recall::of(&about(&[ID]));
    for finished in [false, true] {
        for mut line in lines(ALLOCATION) {
            for event in &mut line.events {
                let placed = event.payload.allocation.as_mut().unwrap();
                placed.client_status = "lost".to_owned();
                let states = placed.task_states.iter_mut().flatten();
                for (_, state) in states.filter(|_| !finished) {
                    state.finished_at = None;
                }
            }
            recall.take(line);
        }
        assert_eq!(recall.is_enough(), finished);
        let told = recall.allocations(4, 8_000, 0);
        assert_eq!(told[0].ended.is_some(), finished, "the same rule");
    }
}

/// Tells the lines and half a one more, twice, then only the lines, and goes on; the next time it ends after
/// half a line. Then it refuses:
/// openly, and as a Nomad does that has said yes before it looked.
fn serve() -> (u16, JoinHandle<Vec<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut open = Vec::new();
        for (status, stays) in [
            ("200 OK", true),
            ("200 OK", true),
            ("200 OK\r\nx-whole: yes", true),
            ("200 OK", false),
            ("403 Forbidden", false),
            ("200 OK\r\nx-silent: yes", false),
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut request).unwrap(), 0);
            }
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            if status.starts_with("200") && !status.contains("silent") {
                stream.write_all(ALLOCATION.as_bytes()).unwrap();
                if !status.contains("whole") {
                    // Half a line, as when the time ends in its midst.
                    stream.write_all(b"{\"Index\":450,\"Eve").unwrap();
                }
                open.extend(stays.then_some(stream));
            } else if status.starts_with("403") {
                stream.write_all(b"Permission denied").unwrap();
            }
        }
        open
    });
    (port, thread)
}

/// A stream never ends: what it has said by then is all there is.
#[test]
fn a_stream_is_listened_to_until_enough_is_said_or_the_time_is_over() {
    let (port, server) = serve();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-token\n").unwrap();
    let settings = super::consul::settings(port, &token);
    let wire = wire::plain(Api::Nomad, &settings.consul.address, &token).unwrap();
    let call = any();
    let mut heard = Vec::new();
    let long = Duration::from_mins(1);
    let began = Instant::now();
    let whole = wire
        .listen(&call, long, |line| {
            heard.push(line.index);
            line.index < 448
        })
        .unwrap();
    assert_eq!((whole, &*heard), (Heard::Enough, &[0, 446, 448][..]));
    heard.clear();
    let whole = wire
        .listen(&call, Duration::from_millis(300), |line| {
            heard.push(line.index);
            true
        })
        .unwrap();
    assert_eq!((whole, &*heard), (Heard::Part, &[0, 446, 448, 449][..]));
    heard.clear();
    let whole = wire.listen(&call, Duration::from_millis(300), |line| {
        heard.push(line.index);
        true
    });
    assert_eq!(
        (whole.unwrap(), &*heard),
        (Heard::All, &[0, 446, 448, 449][..])
    );
    // What a server that stops had to say is not all there is.
    heard.clear();
    let broken = wire.listen(&call, long, |line| {
        heard.push(line.index);
        true
    });
    assert_eq!(heard, [0, 446, 448, 449]);
    let broken = broken.unwrap_err().to_string();
    assert!(broken.contains("/v1/event/stream too early"), "{broken}");
    let refused = wire.listen(&call, long, |_| true).unwrap_err();
    assert_eq!(refused.to_string(), "Nomad answered 403: Permission denied");
    let silent = wire.listen(&call, long, |_| true).unwrap_err().to_string();
    let address = &settings.consul.address;
    let said = format!("Nomad at {address} said nothing to /v1/event/stream,");
    assert!(silent.starts_with(&said), "{silent}");
    assert!(silent.contains("has not expired"), "{silent}");
    assert!(began.elapsed() < long / 2, "{:?}", began.elapsed());
    server.join().unwrap();
}

/// Nothing is written of an allocation when it is purged: its servers look at its job anew, and tell of that.
#[test]
fn one_that_was_purged_ran_until_its_job_was_stopped() {
    let mut recall = Recall::of(&about_all());
    for line in lines(PURGE) {
        recall.take(line);
    }
    let job = "probe".to_owned();
    let asked = [Topic::Job(job.clone()), Topic::Evaluations(job)];
    assert_eq!(recall.missing(), asked.into());
    let (before, after): (Vec<_>, Vec<_>) = lines(PURGE).into_iter().partition(|l| l.index < 188);
    let ran_us = |recall: &Recall| {
        let told = recall.allocations(4, 8_000, 0);
        let [one] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert!(one.started && one.ended.is_none() && !one.listed);
        one.ran_us
    };
    for line in before {
        assert!(!recall.take_of_jobs(line), "more may come");
    }
    assert_eq!(ran_us(&recall), Some(MODIFIED_US));
    // One of the same name elsewhere, and what was before it.
    for (namespace, index) in [("imagine", 188), ("example", 184), ("example", 187)] {
        let mut other = after[1].clone();
        let stop = other.events[0].payload.evaluation.as_mut().unwrap();
        (stop.namespace, stop.create_index) = (namespace.to_owned(), index);
        recall.take_of_jobs(other);
    }
    assert_eq!(ran_us(&recall), Some(MODIFIED_US));
    for line in after {
        assert!(!recall.take_of_jobs(line), "more may come");
    }
    assert_eq!(ran_us(&recall), Some(PURGED_US));
    // Its node may be off: nobody knows whether it runs.
    let mut unknown = Recall::of(&about_all());
    for mut line in lines(PURGE) {
        let placed = line
            .events
            .iter_mut()
            .filter_map(|e| e.payload.allocation.as_mut());
        placed.for_each(|placed| placed.client_status = "unknown".to_owned());
        unknown.take(line.clone());
        unknown.take_of_jobs(line);
    }
    assert_eq!(unknown.missing(), [].into());
    assert_eq!(ran_us(&unknown), None);
    // Of one that is listed, or over, nobody needs to know.
    let mut listed = Recall::of(&Question {
        listed: ids(&[ID]),
        ..about(&[ID])
    });
    for line in lines(PURGE) {
        listed.take(line);
    }
    assert!(listed.missing().is_empty());
    assert!(
        !over()
            .missing()
            .contains(&Topic::Evaluations("probe".to_owned()))
    );
}
