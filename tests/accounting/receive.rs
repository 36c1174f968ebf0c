//! The receiver over real TLS on the loopback: who may deliver, and what is kept.

pub(crate) mod world;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use accounting::ledger::Ledger;
use accounting::receive::{Drained, Limits};
use federation::usage::{Acknowledged, Refused};
use world::{Authority, Delivery, World};

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

fn acknowledged(answer: &(u16, String)) -> u64 {
    assert_eq!(answer.0, 200, "{}", answer.1);
    let said: Acknowledged = serde_json::from_str(&answer.1).unwrap();
    assert_eq!(said.ledger, "ledger-1");
    said.acknowledged
}

fn refused(answer: &(u16, String)) -> Refused {
    serde_json::from_str(&answer.1).unwrap()
}

#[test]
fn what_is_delivered_is_kept_and_again_changes_nothing() {
    let world = World::start(Limits::default());
    let node = world.node("one-wn-1");
    let delivery = Delivery::of("one-wn-1", 1, 3);
    for _ in 0..3 {
        assert_eq!(acknowledged(&node.deliver(&delivery)), 3);
    }
    assert_eq!(
        acknowledged(&node.deliver(&Delivery::of("one-wn-1", 3, 5))),
        5
    );
    assert_eq!(acknowledged(&node.get("/v1/usage/ledger-1")), 5);
    let (drained, ledger) = world.stop();
    assert_eq!(drained, Drained::All);
    let usage = ledger.allocation("alloc-1").unwrap();
    assert_eq!(usage.len(), 1);
    let seqs: Vec<_> = usage[0].intervals.iter().map(|stored| stored.seq).collect();
    assert_eq!(seqs, [2, 3, 4, 5]);
    assert_eq!(usage[0].node.as_str(), "one-wn-1");
}

#[test]
fn a_delivery_after_a_gap_is_told_where_to_go_on() {
    let world = World::start(Limits::default());
    let node = world.node("one-wn-1");
    acknowledged(&node.deliver(&Delivery::of("one-wn-1", 1, 2)));
    let late = node.deliver(&Delivery::of("one-wn-1", 4, 5));
    assert_eq!((late.0, refused(&late).acknowledged), (409, Some(2)));
    assert_eq!(acknowledged(&node.get("/v1/usage/ledger-1")), 2);
}

#[test]
fn a_wrong_delivery_is_refused_and_nothing_of_it_is_kept() {
    let world = World::start(Limits::default());
    let node = world.node("one-wn-1");
    let mut wrong = Delivery::of("one-wn-1", 1, 4);
    wrong.text = wrong.text.replace("\"held_us\":1000000", "\"held_us\":1");
    let answer = node.deliver(&wrong);
    assert_eq!(answer.0, 400);
    for line in 3..=5 {
        let line = format!("line {line}: `held_us`");
        assert!(answer.1.contains(&line), "{}", answer.1);
    }
    let mut changed = Delivery::of("one-wn-1", 1, 4);
    changed.digest = Some("sha256=00".to_owned());
    assert_eq!(node.deliver(&changed).0, 400);
    let mut bomb = Delivery::of("one-wn-1", 1, 4);
    bomb.text = " ".repeat(32 * 1024 * 1024);
    assert_eq!(node.deliver(&bomb).0, 413);
    assert_eq!(acknowledged(&node.get("/v1/usage/ledger-1")), 0);
}

#[test]
fn a_node_delivers_and_asks_for_itself_alone() {
    let world = World::start(Limits::default());
    let (node, other) = (world.node("one-wn-1"), world.node("one-wn-2"));
    assert_eq!(other.deliver(&Delivery::of("one-wn-1", 1, 2)).0, 403);
    acknowledged(&node.deliver(&Delivery::of("one-wn-1", 1, 2)));
    // The same ledger's name, under its own.
    let answer = other.deliver(&Delivery::of("one-wn-2", 3, 4));
    assert_eq!(answer.0, 403);
    assert!(
        answer.1.contains("belongs to node one-wn-1"),
        "{}",
        answer.1
    );
    assert_eq!(other.get("/v1/usage/ledger-1").0, 403);
    assert_eq!(acknowledged(&node.get("/v1/usage/ledger-1")), 2);
}

#[test]
fn a_certificate_without_a_node_of_ours_delivers_nothing() {
    let world = World::start(Limits::default());
    for uris in [
        [].as_slice(),
        &["atoll://other/one/one-wn-1"],
        &[
            "atoll://example/one/one-wn-1",
            "atoll://example/one/one-wn-2",
        ],
    ] {
        let caller = world.client(Some(world.authority.leaf(uris)));
        assert_eq!(
            caller.deliver(&Delivery::of("one-wn-1", 1, 2)).0,
            403,
            "{uris:?}"
        );
        assert_eq!(caller.get("/v1/usage/ledger-1").0, 403, "{uris:?}");
        assert_eq!(caller.get("/healthz"), (200, "ok\n".to_owned()));
    }
}

#[test]
fn without_a_certificate_of_our_authority_there_is_no_answer() {
    let world = World::start(Limits::default());
    let foreign = Authority::new("example ca").leaf(&["atoll://example/one/one-wn-1"]);
    for certificate in [None, Some(foreign)] {
        let shown = certificate.is_some();
        let client = world.client(certificate);
        let answer = client.try_get("/healthz");
        assert!(answer.is_err(), "shown: {shown}; {answer:?}");
    }
    assert_eq!(world.node("one-wn-1").get("/healthz").0, 200);
}

#[test]
fn a_connection_that_breaks_off_commits_nothing() {
    let world = World::start(Limits::default());
    let delivery = Delivery::of("one-wn-1", 1, 4);
    let body = delivery.compressed();
    // All that a delivery needs, but ten bytes less than announced.
    let mut raw = world.raw("one-wn-1");
    raw.write_all(delivery.head(body.len() + 10).as_bytes())
        .unwrap();
    raw.write_all(&body).unwrap();
    raw.flush().unwrap();
    drop(raw);
    let mut raw = world.raw("one-wn-1");
    raw.write_all(delivery.head(body.len()).as_bytes()).unwrap();
    raw.write_all(&body[..body.len() / 2]).unwrap();
    raw.flush().unwrap();
    drop(raw);
    let (drained, ledger) = world.stop();
    assert_eq!(drained, Drained::All);
    assert_eq!(ledger.standing("ledger-1").unwrap().owner, None);
}

#[test]
fn a_request_in_hand_is_ended_before_the_stop() {
    let world = World::start(Limits::default());
    let delivery = Delivery::of("one-wn-1", 1, 4);
    let body = delivery.compressed();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut raw = world.raw("one-wn-1");
    // The server asks for the body once it has the head: the request is in hand then.
    let expects = "\r\nexpect: 100-continue\r\n\r\n";
    let head = delivery.head(body.len()).replace("\r\n\r\n", expects);
    raw.write_all(head.as_bytes()).unwrap();
    let mut asked = [0; 25];
    raw.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    raw.write_all(first).unwrap();
    raw.flush().unwrap();
    world.ask_to_stop();
    let closed = Instant::now() + DEADLINE;
    while TcpStream::connect(world.address).is_ok() {
        assert!(Instant::now() < closed, "it still accepts connections");
        std::thread::yield_now();
    }
    raw.write_all(rest).unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (drained, ledger) = world.stop();
    assert_eq!(drained, Drained::All);
    assert_eq!(ledger.standing("ledger-1").unwrap().acknowledged, 4);
}

/// A receiver with one slot, and limits that are long but for what is tried.
fn narrow(limits: Limits) -> World {
    World::start(Limits {
        connections: 1,
        ..limits
    })
}

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn who_never_shakes_hands_is_not_waited_for() {
    let world = narrow(Limits {
        handshake: SHORT,
        ..Limits::default()
    });
    // The second one gets the only slot once the first is sent away.
    for _ in 0..2 {
        let mut silent = TcpStream::connect(world.address).unwrap();
        silent.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(silent.read(&mut [0; 64]).unwrap(), 0);
    }
}

#[test]
fn who_asks_nothing_is_not_waited_for() {
    let world = narrow(Limits {
        head: SHORT,
        ..Limits::default()
    });
    for _ in 0..2 {
        let mut idle = world.raw("one-wn-1");
        let closed = idle.read(&mut [0; 64]).map_err(|error| error.kind());
        assert!(
            matches!(closed, Ok(0) | Err(ErrorKind::UnexpectedEof)),
            "{closed:?}"
        );
    }
}

#[test]
fn who_never_ends_a_delivery_is_not_waited_for() {
    let world = narrow(Limits {
        request: SHORT,
        ..Limits::default()
    });
    for _ in 0..2 {
        let mut slow = world.raw("one-wn-1");
        let head = Delivery::of("one-wn-1", 1, 2).head(100);
        slow.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let world = World::start(Limits::default());
    let node = world.node("one-wn-1");
    assert_eq!(node.get("/healthz").0, 200);
    // Files that cannot be used leave the earlier ones in use.
    std::fs::write(&world.files.key, "nothing").unwrap();
    assert_eq!(world.node("one-wn-1").get("/healthz").0, 200);
    let renewed = Authority::new("another ca");
    renewed.write_server(&world.files);
    assert!(world.node("one-wn-1").try_get("/healthz").is_err());
    let client = world.client_of(&renewed, Some(renewed.leaf(&[])));
    assert_eq!(client.get("/healthz").0, 200);
}

#[test]
fn the_ledger_is_read_while_it_is_written() {
    let world = World::start(Limits::default());
    let node = world.node("one-wn-1");
    acknowledged(&node.deliver(&Delivery::of("one-wn-1", 1, 2)));
    let reader = Ledger::open_read_only(&world.ledger).unwrap();
    assert_eq!(reader.allocation("alloc-1").unwrap().len(), 1);
    acknowledged(&node.deliver(&Delivery::of("one-wn-1", 3, 4)));
    assert_eq!(reader.allocation("alloc-1").unwrap()[0].intervals.len(), 3);
}
