//! Delivery: what follows from each answer, and what the service is sent.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Read as _;
use std::time::Duration;

use agent::deliver::{self, Answer, Bell, Delivery, Door, DoorError, Sender, Standing, Step};
use agent::ledger::{Batch, Ledger, Outbox};
use federation::usage::{Body, End, Header};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use super::timeline::Node;

fn sender() -> Sender {
    Sender {
        node: "example-one-wn-1".parse().unwrap(),
        datacenter: "example-one".parse().unwrap(),
    }
}

fn batch(first: u64, count: u64) -> Batch {
    Batch {
        ledger: "l".to_owned(),
        node_id: "n".to_owned(),
        first,
        lines: (first..first + count)
            .map(|seq| format!("{{\"seq\":{seq}}}"))
            .collect(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a door gives")]
fn answer(status: u16, body: &str) -> Result<Answer, DoorError> {
    let body = body.to_owned();
    Ok(Answer { status, body })
}

fn acknowledged(number: u64) -> Result<Answer, DoorError> {
    answer(200, &format!(r#"{{"ledger":"l","acknowledged":{number}}}"#))
}

fn conflict(number: u64) -> Result<Answer, DoorError> {
    answer(
        409,
        &format!(r#"{{"error":"begins later","acknowledged":{number}}}"#),
    )
}

#[test]
fn an_answer_says_where_to_go_on() {
    let batch = batch(11, 5);
    let next = |answer, failures| deliver::next(&batch, 40, &answer, failures, 0);
    assert_eq!(next(acknowledged(15), 0), Step::GoOn(15));
    // Also what was delivered by a life before this one.
    assert_eq!(next(acknowledged(30), 3), Step::GoOn(30));
    assert_eq!(next(conflict(4), 0), Step::GoOn(4));
    assert!(matches!(next(conflict(4), 1), Step::GoBack(4, _, _)));
    assert!(matches!(next(conflict(10), 0), Step::GoBack(10, _, _)));
    // More than there is: nothing may be lost behind it.
    assert!(matches!(next(acknowledged(41), 0), Step::Again(_, _)));
    assert!(matches!(next(conflict(41), 0), Step::Again(_, _)));
    assert!(matches!(next(answer(200, "<html>"), 0), Step::Again(_, _)));
    assert!(matches!(
        next(answer(200, r#"{"ledger":"x","acknowledged":15}"#), 0),
        Step::Again(_, _)
    ));
}

#[test]
fn pauses_grow_and_have_an_end() {
    let batch = batch(1, 1);
    let pause = |status, failures, chance| {
        let answer = answer(status, r#"{"error":"no"}"#);
        match deliver::next(&batch, 1, &answer, failures, chance) {
            Step::Again(pause, why) => (pause, why),
            other => panic!("{other:?}"),
        }
    };
    let ms = Duration::from_millis;
    assert_eq!(pause(503, 0, 0).0, ms(500));
    assert_eq!(pause(503, 0, u32::MAX).0, ms(1_000));
    assert_eq!(pause(503, 3, 0).0, ms(4_000));
    assert_eq!(pause(503, 30, u32::MAX).0, ms(60_000));
    assert_eq!(pause(403, 30, u32::MAX).0, ms(300_000));
    assert_eq!(
        pause(403, 0, 0).1,
        "the accounting service answered 403: no"
    );
    let none = Err(DoorError {
        address: "https://a".to_owned(),
        reason: "refused".to_owned(),
    });
    let step = deliver::next(&batch, 1, &none, 40, u32::MAX);
    assert!(matches!(step, Step::Again(pause, _) if pause == ms(60_000)));
}

fn unpack(delivery: &Delivery) -> (Header, Vec<u64>) {
    let mut text = String::new();
    GzDecoder::new(&delivery.body[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut digest = "sha256=".to_owned();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(digest, "{byte:02x}").unwrap();
    }
    assert_eq!(delivery.digest, digest);
    let mut lines = text.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap()).unwrap();
    let seq = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["seq"].as_u64().unwrap()
    };
    (header, lines.map(seq).collect())
}

#[test]
fn a_delivery_has_a_header_and_a_digest() {
    let (header, seqs) = unpack(&deliver::pack(&sender(), &batch(7, 3)).unwrap());
    assert_eq!((header.format, header.entries), (1, 3));
    assert_eq!(
        (header.node_id.as_str(), header.ledger.as_str()),
        ("n", "l")
    );
    assert_eq!(header.node.as_str(), "example-one-wn-1");
    assert_eq!(seqs, [7, 8, 9]);
}

/// A service that holds what it is sent, unless its script says otherwise.
struct Service {
    has: RefCell<u64>,
    script: RefCell<VecDeque<Trick>>,
    sent: RefCell<Vec<(u64, u64)>>,
    bell: Bell,
}

enum Trick {
    /// Takes it, and the answer is lost.
    LoseAnswer,
    Status(u16),
    /// Was put back to an older state.
    Forget(u64),
}

impl Door for Service {
    fn post(&self, delivery: &Delivery) -> Result<Answer, DoorError> {
        let (header, seqs) = unpack(delivery);
        let (first, last) = (seqs[0], seqs[seqs.len() - 1]);
        self.sent.borrow_mut().push((first, last));
        let trick = self.script.borrow_mut().pop_front();
        if let Some(Trick::Forget(number)) = trick {
            *self.has.borrow_mut() = number;
        }
        if let Some(Trick::Status(status)) = trick {
            return answer(status, "");
        }
        let mut has = self.has.borrow_mut();
        if first > *has + 1 {
            let number = *has;
            return answer(
                409,
                &format!(r#"{{"error":"late","acknowledged":{number}}}"#),
            );
        }
        *has = (*has).max(last);
        if *has == 2_500 {
            self.bell.stop();
        }
        if let Some(Trick::LoseAnswer) = trick {
            let (address, reason) = (String::new(), "reset".to_owned());
            return Err(DoorError { address, reason });
        }
        let ledger = header.ledger;
        answer(
            200,
            &format!(r#"{{"ledger":"{ledger}","acknowledged":{has}}}"#),
        )
    }
}

fn end(number: u64) -> Body {
    Body::End(End {
        allocation: number.to_string(),
        ended_us: 0,
        status: "complete".to_owned(),
    })
}

#[test]
fn everything_arrives_in_order_whatever_the_service_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    let node = Node::new();
    let bodies = (0..2_500).map(end).collect();
    ledger
        .commit(bodies, node.meter.state(), node.moment())
        .unwrap();
    let outbox = Outbox::open(&path).unwrap();
    let service = Service {
        has: RefCell::new(0),
        script: RefCell::new(VecDeque::from([
            Trick::LoseAnswer,
            Trick::Status(503),
            Trick::Forget(400),
        ])),
        sent: RefCell::default(),
        bell: Bell::default(),
    };
    let standing = RefCell::new(Vec::new());
    // Once, with the answer lost; as if a pause were over after each failure.
    let mut failures = 0;
    for _ in 0..5 {
        let step = deliver::once(&outbox, &service, &sender(), failures).unwrap();
        failures = u32::from(!matches!(step, Some(Step::GoOn(_))));
    }
    deliver::run(&outbox, &service, &sender(), &service.bell, &|now| {
        standing.borrow_mut().push(now);
    });
    assert_eq!(*service.has.borrow(), 2_500);
    assert_eq!(
        *service.sent.borrow(),
        [
            (1, 1_000),
            (1, 1_000),
            (1, 1_000),
            (1_001, 2_000),
            (2_001, 2_500),
        ]
    );
    let last: Option<Standing> = standing.borrow_mut().pop();
    assert_eq!(last, Some(Standing::default()));
    assert_eq!(outbox.batch(1, 1).unwrap(), None);
}

#[test]
fn a_service_that_was_put_back_gets_what_it_misses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut ledger, _) = Ledger::open(&path).unwrap();
    ledger.belong("node-1").unwrap();
    let node = Node::new();
    let state = node.meter.state();
    ledger
        .commit((0..1_500).map(end).collect(), state, node.moment())
        .unwrap();
    let outbox = Outbox::open(&path).unwrap();
    let service = Service {
        has: RefCell::new(0),
        script: RefCell::default(),
        sent: RefCell::default(),
        bell: Bell::default(),
    };
    let once = || deliver::once(&outbox, &service, &sender(), 0).unwrap();
    assert_eq!(
        (once(), once(), once()),
        (Some(Step::GoOn(1_000)), Some(Step::GoOn(1_500)), None)
    );
    *service.has.borrow_mut() = 300;
    ledger
        .commit((0..10).map(end).collect(), state, node.moment())
        .unwrap();
    assert_eq!(once(), Some(Step::GoOn(300)));
    assert_eq!(once(), Some(Step::GoOn(1_300)));
    assert_eq!(once(), Some(Step::GoOn(1_510)));
}
