//! What is known of a node's allocations, by its list and by the servers' memory, and who is asked for when.

use std::collections::BTreeSet;

use agent::follow::Known;
use agent::nomad::{Allocation, Node, Question, Whom};
use federation::usage::Moment;

use super::recall::{ID, NODE, about, about_all, complete, ids};
use super::timeline::{S, facts};

fn node() -> Node {
    Node {
        id: NODE.to_owned(),
        name: "n".to_owned(),
        datacenter: "d".to_owned(),
        status: "ready".to_owned(),
        kind: None,
        cores: 4,
        mhz: 8_000,
        memory_mib: 0,
        disk_mib: 0,
        devices: Vec::new(),
    }
}

fn at(second: i64) -> Moment {
    Moment {
        boot_us: second * S,
        wall_us: second * S,
    }
}

/// A moment after it was complete.
fn today() -> Moment {
    Moment {
        boot_us: 9 * S,
        wall_us: complete().ended.unwrap().ended_us + 9 * S,
    }
}

fn pending() -> Allocation {
    Allocation {
        facts: facts(ID, &["main"], 0),
        started: false,
        ended: None,
        task_times: [].into(),
        modify_index: 446,
        ran_us: None,
        listed: true,
        is_told: true,
    }
}

fn listed_as(id: &str) -> Allocation {
    Allocation {
        facts: facts(id, &["main"], 0),
        ..pending()
    }
}

/// One to whom the servers' memory has been told.
fn told_all() -> Known {
    let mut known = Known::default();
    known.list(&node(), Vec::new(), at(0));
    known.answer(&about_all(), Vec::new(), true, at(0));
    known
}

#[test]
fn one_that_vanished_from_the_list_before_it_was_over_is_asked_for() {
    let mut known = Known::default();
    known.doubt(ids(&[ID]));
    assert_eq!(
        known.question(at(0)),
        None,
        "which node this is, is not known yet"
    );
    known.doubt(ids(&[]));
    known.list(&node(), vec![pending()], at(1));
    known.answer(&about_all(), Vec::new(), true, at(1));
    assert_eq!(
        (known.question(at(1)), known.next_question_us()),
        (None, None)
    );
    known.list(&node(), Vec::new(), at(2));
    let question = known.question(at(2)).unwrap();
    assert_eq!(question, about(&[ID]));
    known.answer(&question, vec![complete()], true, at(3));
    assert_eq!(
        (known.question(at(9)), known.next_question_us()),
        (None, None)
    );
    // The list, which does not have it, takes nothing away, and the meter's doubt is answered.
    known.list(&node(), Vec::new(), at(4));
    known.doubt(ids(&[ID]));
    assert_eq!(known.question(at(9)), None);
    let followed = known.followed();
    let [one] = followed.allocations.as_slice() else {
        panic!("{followed:?}")
    };
    assert_eq!(one.ended, complete().ended);
    assert_eq!((followed.cores, followed.heard), (4, Some(at(4))));
    assert_eq!(followed.heard_since, Some(at(1)));
    known.list(&node(), Vec::new(), at(3 + 601));
    assert!(
        known.followed().allocations.is_empty(),
        "long after all have taken it"
    );
}

/// What the list said of it the servers' memory may not know any more.
#[test]
fn one_that_was_listed_keeps_the_facts_of_the_list() {
    for vanishes in [true, false] {
        let mut known = told_all();
        known.list(&node(), vec![pending()], at(1));
        known.doubt(ids(&[ID]));
        let mut question = known.question(at(1)).unwrap();
        assert_eq!(question.listed, ids(&[ID]));
        if vanishes {
            known.list(&node(), Vec::new(), at(2));
            question = known.question(at(2)).unwrap();
            assert_eq!(question.listed, ids(&[]));
        }
        known.answer(&question, vec![complete()], true, at(3));
        known.list(&node(), Vec::new(), at(4));
        let followed = known.followed();
        let one = followed.allocations.first().unwrap();
        assert_eq!(one.ended, complete().ended);
        assert_eq!(one.facts.job, "train", "as the list said");
        assert_eq!(one.facts.tasks[0].driver, "exec");
        assert_eq!(one.facts.started_us, complete().facts.started_us);
    }
}

#[test]
fn a_node_with_another_id_knows_nothing_of_the_old_ones_allocations() {
    let mut known = told_all();
    let lives = Allocation {
        started: true,
        ..pending()
    };
    known.list(&node(), vec![lives], at(1));
    known.list(&node(), Vec::new(), at(2));
    known.answer(&about(&["b"]), vec![complete()], true, at(3));
    let asked = known.question(at(3));
    assert_eq!(known.followed().allocations.len(), 1);
    let other = Node {
        id: "22222222-0000-4000-8000-000000000002".to_owned(),
        ..node()
    };
    known.list(&other, Vec::new(), at(4));
    assert!(known.followed().allocations.is_empty());
    // What the servers remember is that of the other one.
    known.answer(&about_all(), vec![complete()], true, at(5));
    let other = Question {
        node_id: other.id,
        ..about_all()
    };
    assert_eq!(known.question(at(100)), Some(other));
    // Nor does an answer that comes late.
    known.answer(
        &asked.unwrap_or(about(&[ID])),
        vec![complete()],
        true,
        at(5),
    );
    assert!(known.followed().allocations.is_empty());
}

/// Who began and was forgotten while the agent was away has shown it nothing.
#[test]
fn all_that_the_list_does_not_have_is_asked_for_once() {
    let mut known = Known::default();
    assert_eq!(known.question(at(0)), None);
    known.list(&node(), vec![listed_as("b")], at(1));
    assert!(known.next_question_us().is_some());
    let question = known.question(at(1)).unwrap();
    let all = Question {
        listed: ids(&["b"]),
        ..about_all()
    };
    assert_eq!(question, all);
    // Who is in doubt is asked for first, as what the servers remember of it may be gone soon.
    known.doubt(ids(&[ID]));
    assert_eq!(known.question(at(1)), Some(about(&[ID])));
    known.doubt(ids(&[]));
    assert_eq!(known.question(at(2)), Some(all.clone()));
    known.answer(&question, vec![complete()], true, today());
    assert_eq!(
        (known.question(at(9)), known.next_question_us()),
        (None, None)
    );
    known.list(&node(), vec![listed_as("b")], today());
    let followed = known.followed();
    let told = followed.allocations.iter().find(|a| a.facts.id == ID);
    assert_eq!(told.unwrap().ended, complete().ended);
    assert!(!told.unwrap().listed);
    // Somebody may have been missed, such as while nothing could be written.
    known.ask_all();
    assert_eq!(known.question(today()), Some(all));
}

/// Whoever is in doubt does not wait while the question for all has no answer.
#[test]
fn what_failed_for_all_is_put_off_and_nobody_else_is() {
    let mut known = Known::default();
    known.list(&node(), Vec::new(), at(1));
    let mut now = at(10);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(known.question(now), Some(about_all()));
        known.answer(&about_all(), vec![complete()], false, now);
        assert!(known.followed().allocations.is_empty());
        // That somebody may have been missed makes it no more urgent.
        known.ask_all();
        let next_us = known.next_question_us().unwrap();
        pauses.push((next_us - now.boot_us) / 100_000);
        assert_eq!(known.question(now), None);
        known.doubt(ids(&[ID]));
        assert_eq!(known.question(now), Some(about(&[ID])));
        assert!(known.next_question_us().unwrap() <= now.boot_us);
        known.doubt(ids(&[]));
        now.boot_us = next_us;
    }
    assert_eq!(pauses, [50, 150, 150, 150, 150, 150, 150]);
    known.answer(&about_all(), Vec::new(), true, now);
    assert_eq!(known.next_question_us(), None);
}

/// The ledger tells of 35 days whom it has written, and the servers of a quiet region of longer.
#[test]
fn what_was_over_a_month_ago_is_not_recalled_unasked() {
    for (days, told) in [(29, 1), (31, 0)] {
        let mut known = Known::default();
        known.list(&node(), Vec::new(), at(1));
        let mut now = today();
        now.wall_us += days * 86_400 * S;
        known.answer(&about_all(), vec![complete()], true, now);
        assert_eq!(known.followed().allocations.len(), told, "{days} days");
    }
}

/// Servers lag behind each other, and any of them may be asked.
#[test]
fn what_was_told_of_one_is_not_taken_back_by_an_older_word() {
    let mut known = told_all();
    let older = Allocation {
        modify_index: 447,
        listed: false,
        ..pending()
    };
    for told in [complete(), older] {
        known.answer(&about(&[ID]), vec![told], true, at(1));
        let ended = known.followed().allocations[0].ended.clone();
        assert_eq!(ended, complete().ended);
    }
}

/// When its job was stopped is told apart from it, and may be forgotten before it.
#[test]
fn that_one_ran_until_then_is_not_taken_back() {
    let mut known = told_all();
    for ran_us in [Some(5), Some(9), Some(7)] {
        let told = Allocation {
            ran_us,
            listed: false,
            ..pending()
        };
        known.answer(&about(&[ID]), vec![told], true, at(1));
    }
    assert_eq!(known.followed().allocations[0].ran_us, Some(9));
    known.answer(&about(&[ID]), vec![complete()], true, at(1));
    assert_eq!(known.followed().allocations[0].ran_us, None);
}

/// What the list has is present; what the servers remember may be over by now.
#[test]
fn only_the_list_tells_what_is_there_now() {
    let mut known = told_all();
    let alive = Allocation {
        started: true,
        modify_index: 447,
        listed: false,
        ..pending()
    };
    known.answer(&about(&[ID]), vec![alive.clone()], true, at(1));
    assert!(!known.followed().allocations[0].is_certain());
    known.list(&node(), vec![pending()], at(2));
    let followed = known.followed();
    assert_eq!(followed.allocations.len(), 1);
    assert!(followed.allocations[0].started && followed.allocations[0].listed);
    known.list(&node(), Vec::new(), at(3));
    assert!(!known.followed().allocations[0].is_certain());
    known.answer(&about(&[ID]), vec![complete()], true, at(4));
    assert!(known.followed().allocations[0].is_certain());
}

#[test]
fn who_is_asked_for_in_vain_is_given_up_by_the_list_but_not_by_the_meter() {
    let mut known = told_all();
    known.list(&node(), vec![pending()], at(1));
    known.list(&node(), Vec::new(), at(2));
    for second in [3, 13, 23] {
        let asked = known.question(at(second)).unwrap();
        known.answer(&asked, Vec::new(), true, at(second));
    }
    assert_eq!(known.question(at(100)), None);
    known.doubt(ids(&[ID]));
    for second in [100, 200, 300, 400, 500] {
        let asked = known.question(at(second)).unwrap();
        known.answer(&asked, Vec::new(), true, at(second));
    }
}

/// Some servers hold a stream for half a minute after its listener has gone.
#[test]
fn who_is_asked_for_in_vain_is_asked_for_less_and_less_often() {
    let mut known = told_all();
    known.list(&node(), Vec::new(), at(1));
    known.doubt(ids(&[ID]));
    assert!(known.followed().asked.is_empty());
    let mut now = at(10);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let asked = known.question(now).unwrap();
        known.answer(&asked, Vec::new(), true, now);
        // The meter's doubt is told each second.
        known.doubt(ids(&[ID]));
        let next_us = known.next_question_us().unwrap();
        pauses.push((next_us - now.boot_us) / 100_000);
        now.boot_us = next_us - 1;
        assert_eq!(known.question(now), None);
        now.boot_us = next_us;
        assert_eq!(*known.followed().asked, ids(&[ID]));
    }
    assert_eq!(pauses, [2, 2, 2, 10, 50, 150, 150]);
    // Somebody else is asked for at once, and who is in doubt anew is as well.
    known.doubt(ids(&["b"]));
    assert_eq!(known.question(at(10)), Some(about(&["b"])));
    assert!(known.followed().asked.is_empty(), "nobody is in doubt");
    known.doubt(ids(&[ID]));
    assert_eq!(known.question(at(10)), Some(about(&[ID])));
}

#[test]
fn of_many_all_are_asked_for_in_turn() {
    let mut known = told_all();
    known.list(&node(), Vec::new(), at(1));
    let all: BTreeSet<String> = (0..120).map(|n| format!("{n:03}")).collect();
    known.doubt(all.clone());
    let mut heard = BTreeSet::new();
    for _ in 0..3 {
        let asked = known.question(at(2)).unwrap();
        known.answer(&asked, Vec::new(), true, at(2));
        let Whom::Ids(ids) = asked.whom else {
            panic!("{asked:?}")
        };
        assert!(ids.len() <= 50, "an address has a length");
        heard.extend(ids);
    }
    assert_eq!(heard, all);
}

#[test]
fn the_newer_word_counts_and_the_list_knows_the_job() {
    let mut known = told_all();
    known.list(&node(), vec![pending()], at(1));
    known.answer(&about(&[ID]), vec![complete()], true, at(2));
    let followed = known.followed();
    let one = followed.allocations.first().unwrap();
    assert!(one.ended.is_some());
    assert_eq!(one.facts.job, "train", "as the list said");
    assert_eq!(one.facts.started_us, complete().facts.started_us);
    let newest = Allocation {
        modify_index: 450,
        ..pending()
    };
    known.list(&node(), vec![newest.clone()], at(3));
    assert_eq!(known.followed().allocations.as_slice(), [newest]);
}

#[test]
fn nomad_is_heard_since_it_answered_again() {
    let mut known = Known::default();
    known.list(&node(), Vec::new(), at(1));
    known.list(&node(), Vec::new(), at(2));
    assert_eq!(known.followed().heard_since, Some(at(1)));
    known.fail("away".to_owned());
    assert_eq!(known.followed().heard_since, None);
    known.list(&node(), Vec::new(), at(9));
    assert_eq!(known.followed().heard_since, Some(at(9)));
}

/// What the servers remember may be gone when they are asked again.
#[test]
fn what_was_told_of_some_before_it_failed_is_taken() {
    for told in [vec![complete()], Vec::new()] {
        let mut known = told_all();
        known.list(&node(), Vec::new(), at(1));
        known.doubt(ids(&[ID]));
        let asked = known.question(at(2)).unwrap();
        let some = !told.is_empty();
        known.answer(&asked, told, false, at(2));
        assert_eq!(known.followed().allocations.len(), usize::from(some));
        // Who had no turn is due at once.
        assert_eq!(known.question(at(2)).is_none(), some);
    }
}
