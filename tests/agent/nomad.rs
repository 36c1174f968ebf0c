//! What is read out of Nomad's answers.

use agent::nomad::{Allocation, allocation_of, next_index, node_of};
use federation::http::Answer;
use federation::nomad as api;

fn answer(body: &str) -> Answer {
    Answer {
        status: 200,
        body: body.to_owned(),
    }
}

fn allocations(shift_us: i64) -> Vec<Allocation> {
    let call = api::node_allocations("n", 0, 0);
    let placed = call
        .read(&answer(include_str!("fixtures/allocations.json")))
        .unwrap();
    placed
        .iter()
        .map(|placed| allocation_of(placed, 16, 41_600, shift_us))
        .collect()
}

#[test]
fn the_facts_of_an_allocation_are_nomads() {
    let all = allocations(0);
    let one = &all[0];
    let facts = &one.facts;
    assert_eq!(facts.name, "train.work[0]");
    assert_eq!(facts.owner.as_deref(), Some("0123abcd@example.org"));
    assert_eq!(
        (facts.disk_mib, facts.node_cores, facts.node_mhz),
        (2000, 16, 41_600)
    );
    let [main, storage] = facts.tasks.as_slice() else {
        panic!("{:?}", facts.tasks);
    };
    assert_eq!(
        (main.driver.as_str(), main.image.as_deref()),
        ("docker", Some("example/train:1"))
    );
    assert_eq!((main.cpu_mhz, main.cores, main.memory_mib), (5200, 2, 8000));
    assert_eq!(main.devices.len(), 2);
    assert_eq!(
        main.devices[1].id,
        "GPU-aaaaaaaa-0000-0000-0000-000000000002"
    );
    assert_eq!(main.devices[1].model, "Example GPU 40GB");
    assert_eq!(
        (storage.driver.as_str(), storage.image.as_deref()),
        ("raw_exec", None)
    );
    assert_eq!(one.modify_index, 412);
}

#[test]
fn it_begins_with_the_first_start_and_ends_with_the_last_end() {
    let all = allocations(0);
    // Events remember the start before the restart, and storage began before main.
    assert_eq!(
        all[0].task_times["main"].started_us,
        Some(1_790_000_005_000_000)
    );
    assert!(all[0].task_times["main"].running && all[0].task_times["main"].finished_us.is_none());
    assert_eq!(all[0].facts.started_us, 1_790_000_001_500_000);
    assert_eq!(
        all[0].task_times["storage"].finished_us,
        Some(1_790_000_002_250_000)
    );
    assert_eq!(all[0].ended, None);
    assert!(all[0].started && !all[1].started);
    let end = all[2].ended.clone().unwrap();
    assert_eq!(end.status, "failed");
    assert_eq!(end.ended_us - all[2].facts.started_us, 7_000_000);
    assert_eq!(all[3].ended, None, "lost, but its task still runs");
}

#[test]
fn a_rehearsal_moves_every_time() {
    let (now, then) = (allocations(0), allocations(5));
    assert_eq!(then[0].facts.started_us, now[0].facts.started_us + 5);
    assert_eq!(
        then[2].ended.as_ref().unwrap().ended_us,
        now[2].ended.as_ref().unwrap().ended_us + 5
    );
    let finished = |all: &[Allocation]| all[0].task_times["storage"].finished_us.unwrap();
    assert_eq!(finished(&then), finished(&now) + 5);
}

#[test]
fn a_node_is_what_nomad_reserves_from() {
    let call = api::equipped("n");
    let node = call
        .read(&answer(include_str!("fixtures/node.json")))
        .unwrap();
    let node = node_of(&node);
    assert_eq!(
        (node.cores, node.mhz, node.memory_mib, node.disk_mib),
        (16, 41_600, 64_000, 900_000)
    );
    assert_eq!(node.kind.as_deref(), Some("compute"));
    assert_eq!(node.devices[0].ids.len(), 2);
    let bare = r#"{"ID":"n","Name":"a","Datacenter":"d","NodeResources":{"Devices":null}}"#;
    assert!(
        node_of(&call.read(&answer(bare)).unwrap())
            .devices
            .is_empty()
    );
}

#[test]
fn an_index_that_went_backwards_is_none() {
    assert_eq!(next_index(7, Some(9)), 9);
    assert_eq!(next_index(7, Some(7)), 7);
    assert_eq!(next_index(7, Some(3)), 0);
    assert_eq!(next_index(7, None), 0);
}

#[test]
fn the_question_waits_for_what_is_newer() {
    let call = api::node_allocations("abc", 41, 60_000);
    assert_eq!(call.path, "/v1/node/abc/allocations?index=41&wait=60000ms");
}
