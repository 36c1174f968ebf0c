//! Small entries for tests, as an agent would write them.

use federation::usage::{Entry, FORMAT, Header};

use super::{Batch, Line};

/// The facts of an allocation.
pub(crate) fn facts(seq: u64, id: &str) -> String {
    format!(
        r#"{{"seq":{seq},"allocation":{{"id":"{id}","namespace":"example","job":"train","group":"g","name":"train.g[0]","started_us":1000000,"tasks":[],"disk_mib":300,"node_cores":4,"node_mhz":8000}}}}"#
    )
}

/// The `n`th second of an allocation, counted from 0.
pub(crate) fn interval(seq: u64, id: &str, n: u64) -> String {
    let (start, end) = (n * 1_000_000, (n + 1) * 1_000_000);
    let wall = |boot: u64| boot + 1_000_000;
    format!(
        r#"{{"seq":{seq},"interval":{{"allocation":"{id}","task":"main","boot_id":"b","start":{{"boot_us":{start},"wall_us":{}}},"end":{{"boot_us":{end},"wall_us":{}}},"held_us":1000000,"held":"measured","held_total_us":{end},"cpu":{{"used_us":5,"total_us":{},"bound_us":0,"quality":"measured","epoch":"e","raw_us":7}}}}}}"#,
        wall(start),
        wall(end),
        5 * (n + 1),
    )
}

/// The end of an allocation.
pub(crate) fn end(seq: u64, id: &str) -> String {
    format!(
        r#"{{"seq":{seq},"end":{{"allocation":"{id}","ended_us":9000000,"status":"complete"}}}}"#
    )
}

/// The header of one node's deliveries.
pub(crate) fn header(node: &str, ledger: &str, entries: usize) -> Header {
    Header {
        format: FORMAT,
        node: node.parse().expect("a name"),
        datacenter: "one".parse().expect("a name"),
        node_id: format!("id-of-{node}"),
        ledger: ledger.to_owned(),
        entries: u32::try_from(entries).expect("few"),
    }
}

/// A batch of these lines.
pub(crate) fn batch(node: &str, ledger: &str, lines: &[String]) -> Batch {
    let line = |text: &String| Line {
        entry: serde_json::from_str::<Entry>(text).expect("an entry"),
        text: text.clone(),
    };
    Batch {
        header: header(node, ledger, lines.len()),
        lines: lines.iter().map(line).collect(),
        received_us: 5,
    }
}
