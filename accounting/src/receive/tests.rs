use std::io::Write as _;

use federation::usage::Header;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::ledger::sample::{end, facts, header, interval};
use crate::ledger::{Batch, Rejection};

fn caller(node: &str) -> Caller {
    Caller {
        node: node.parse().unwrap(),
        datacenter: "one".parse().unwrap(),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn lines(header: &Header, entries: &[String]) -> String {
    let header = serde_json::to_string(header).unwrap();
    let mut text = header + "\n";
    for entry in entries {
        text += entry;
        text.push('\n');
    }
    text
}

fn judged(text: &str) -> Result<Batch, Refusal> {
    let digest = format!("sha256={:x}", Sha256::digest(text));
    judge(&Delivery {
        caller: &caller("n1"),
        digest: Some(&digest),
        body: &gzip(text.as_bytes()),
        received_us: 5,
    })
}

fn entries(entries: &[String]) -> Result<Batch, Refusal> {
    judged(&lines(&header("n1", "L", entries.len()), entries))
}

fn refusal(result: Result<Batch, Refusal>) -> (u16, String) {
    let refusal = result.unwrap_err();
    (refusal.status(), refusal.answer().error)
}

#[test]
fn a_right_delivery_is_a_batch_with_its_lines_as_they_came() {
    let delivered = [facts(7, "a"), interval(8, "a", 0), end(9, "a")];
    let batch = entries(&delivered).unwrap();
    let texts: Vec<_> = batch.lines.iter().map(|line| line.text.clone()).collect();
    assert_eq!(texts, delivered);
    assert_eq!(batch.header.ledger, "L");
    assert_eq!(batch.received_us, 5);
    assert!(entries(&[]).unwrap().lines.is_empty());
}

#[test]
fn every_wrong_line_is_told() {
    let (status, told) = refusal(entries(&[
        facts(1, "a"),
        "{\"seq\":2}".to_owned(),
        interval(3, "a", 0).replace("\"held_us\":1000000", "\"held_us\":7"),
        interval(5, "a", 0),
        "nothing".to_owned(),
        interval(8, "a", 0).replace("\"used_us\":5", "\"used_us\":50"),
    ]));
    assert_eq!(status, 400);
    for part in [
        "line 3: cannot be read as an entry",
        "line 4: `held_us` is 7, and from start to end it is 1000000",
        "line 5: `seq` is 5, and 4 comes next",
        "line 6: cannot be read as an entry",
        "line 7: `seq` is 8, and 7 comes next",
        "line 7: `cpu.used_us` is 50, and its total only 5",
    ] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    assert!(!told.contains("line 2"), "{told}");
}

#[test]
fn another_nodes_records_are_foreign() {
    let (status, told) = refusal(judged(&lines(&header("n2", "L", 0), &[])));
    assert_eq!(status, 403);
    assert!(told.contains("n1") && told.contains("n2"), "{told}");
    let mut moved = header("n1", "L", 0);
    moved.datacenter = "two".parse().unwrap();
    assert_eq!(refusal(judged(&lines(&moved, &[]))).0, 403);
}

#[test]
fn a_header_must_be_one_that_we_know() {
    for text in ["", "\n", "{}\n", "nonsense\n"] {
        assert_eq!(refusal(judged(text)).0, 400, "{text:?}");
    }
    let mut other = header("n1", "L", 0);
    other.format = 2;
    let (status, told) = refusal(judged(&lines(&other, &[])));
    assert_eq!((status, told.contains("format 2")), (400, true), "{told}");
    for bad in ["", "a/b", &"x".repeat(65)] {
        let other = header("n1", bad, 0);
        assert_eq!(refusal(judged(&lines(&other, &[]))).0, 400, "{bad}");
    }
    for entries in [0, 2] {
        let text = lines(&header("n1", "L", entries), &[facts(1, "a")]);
        assert_eq!(refusal(judged(&text)).0, 400);
    }
}

#[test]
fn the_digest_must_be_that_of_the_lines() {
    let text = lines(&header("n1", "L", 0), &[]);
    let right = format!("sha256={:x}", Sha256::digest(&text));
    let upper = format!("sha256={:X}", Sha256::digest(&text));
    let status = |digest| {
        let judged = judge(&Delivery {
            caller: &caller("n1"),
            digest,
            body: &gzip(text.as_bytes()),
            received_us: 5,
        });
        judged.map_or_else(|refusal| refusal.status(), |_| 200)
    };
    assert_eq!(status(Some(&right)), 200);
    assert_eq!(status(Some(&upper)), 200);
    let wrong = format!("sha256={:x}", Sha256::digest("other"));
    for bad in [
        None,
        Some(""),
        Some("sha256="),
        Some("md5=1"),
        Some(&*wrong),
    ] {
        assert_eq!(status(bad), 400, "{bad:?}");
    }
}

#[test]
fn a_body_must_be_gzip_of_text_and_whole() {
    let whole = gzip(lines(&header("n1", "L", 0), &[]).as_bytes());
    let status = |body: &[u8]| {
        let judged = judge(&Delivery {
            caller: &caller("n1"),
            digest: Some("sha256=00"),
            body,
            received_us: 5,
        });
        refusal(judged)
    };
    for body in [&b"plain"[..], &[], &whole[..whole.len() / 2]] {
        let (status, told) = status(body);
        assert_eq!(status, 400);
        assert!(told.contains("no gzip"), "{told}");
    }
}

#[test]
fn a_small_body_that_becomes_a_large_one_is_cut_off() {
    let bomb = gzip(&vec![b'0'; 64 * 1024 * 1024]);
    assert!(bomb.len() < MOST_BYTES / 100);
    // Its second half is missing, which is not seen, as nobody reads so far.
    let judged = judge(&Delivery {
        caller: &caller("n1"),
        digest: Some("sha256=00"),
        body: &bomb[..bomb.len() / 2],
        received_us: 5,
    });
    assert_eq!(refusal(judged).0, 413);
}

#[test]
fn more_entries_than_a_delivery_may_have_are_too_many() {
    let many: Vec<_> = (1..=10_001).map(|seq| end(seq, "a")).collect();
    assert_eq!(entries(&many[..10_000]).unwrap().lines.len(), 10_000);
    assert_eq!(refusal(entries(&many)).0, 413);
    let announced = lines(&header("n1", "L", 10_001), &[facts(1, "a")]);
    assert_eq!(refusal(judged(&announced)).0, 413);
}

/// Each text is refused, for that reason.
fn all_refused(wrong: &[(String, &str)]) {
    for (wrong, why) in wrong {
        let (status, told) = refusal(entries(std::slice::from_ref(wrong)));
        assert_eq!(status, 400);
        assert!(told.contains(why), "{why} is not in: {told}");
    }
}

#[test]
fn an_interval_must_be_possible() {
    let good = interval(1, "a", 0);
    let with = |from: &str, to: &str| good.replace(from, to);
    // Over a reboot the boot clock began anew, and the wall clock says how long it was.
    let reboot = with("\"boot_us\":1000000", "\"boot_us\":-3");
    let inferred = reboot.replacen("measured", "inferred", 1);
    for right in [&good, &inferred] {
        assert!(entries(std::slice::from_ref(right)).is_ok(), "{right}");
    }
    let back = inferred.replace("\"wall_us\":2000000", "\"wall_us\":5");
    let end = |wall: &str| with("\"wall_us\":2000000", &format!("\"wall_us\":{wall}"));
    let seq = |seq: &str| with("\"seq\":1", &format!("\"seq\":{seq}"));
    let total = with("\"held_total_us\":1000000", "\"held_total_us\":5");
    let raw = with("\"raw_us\":7", "\"raw_us\":9223372036854775808");
    all_refused(&[
        (reboot, "it ends before it starts"),
        (back, "by both clocks"),
        (total, "`held_us`"),
        (raw, "2^63"),
        (end("-1"), "1970"),
        (end("253402300800000000"), "9999"),
        (
            with("\"allocation\":\"a\"", "\"allocation\":\"a b\""),
            "allocation ID",
        ),
        (with("\"task\":\"main\"", "\"task\":\"\""), "`task`"),
        (seq("0"), "begins at 1"),
        (seq("9223372036854775808"), "too large"),
    ]);
}

#[test]
fn a_gpu_is_not_used_longer_than_held() {
    let gpus = |values: &str| {
        let gpus = format!(r#""gpus":[{values}],"cpu""#);
        interval(1, "a", 0).replace("\"cpu\"", &gpus)
    };
    let one = r#"{"id":"G","model":"M","allocated_us":1000000,"allocated_total_us":1000000,"busy_us":5,"busy_total_us":5,"busy_bound_us":0,"quality":"measured"}"#;
    let with = |from: &str, to: &str| gpus(&one.replace(from, to));
    assert!(entries(&[gpus(one)]).is_ok());
    let busy = with("\"busy_us\":5", "\"busy_us\":1000001");
    let held = with("allocated_us\":1000000", "allocated_us\":1000001");
    let total = with("\"busy_total_us\":5", "\"busy_total_us\":4");
    all_refused(&[
        (gpus(&format!("{one},{one}")), "twice"),
        (busy, "busy longer"),
        (held, "held longer"),
        (total, "`busy_us`"),
    ]);
}

#[test]
fn what_a_node_writes_does_not_flood_the_answer() {
    let long = format!(r#"{{"seq":"{}\u001b"}}"#, "x".repeat(1_000_000));
    let (status, told) = refusal(entries(&vec![long; 5]));
    assert_eq!(status, 400);
    assert!(told.len() < 5_000, "{} bytes", told.len());
    assert!(told.contains("line 6: "), "{told}");
}

#[test]
fn each_refusal_has_its_status() {
    use crate::ledger::LedgerError;
    let owner = crate::ledger::Owner {
        node: "n1".parse().unwrap(),
        datacenter: "one".parse().unwrap(),
        node_id: "i".to_owned(),
    };
    let ledger = "L".to_owned();
    for (refusal, status) in [
        (Refusal::from(Rejection::Owner { ledger, owner }), 403),
        (Rejection::Contradiction(Vec::new()).into(), 400),
        (LedgerError::Full { doing: "x" }.into(), 507),
        (LedgerError::Interrupted.into(), 500),
        (Refusal::TooSlow(60), 408),
        (Refusal::Busy, 503),
    ] {
        assert_eq!(refusal.status(), status, "{refusal}");
    }
}
