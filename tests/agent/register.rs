//! What Consul is told, and when.

use std::cell::RefCell;

use agent::consul::{Beat, Registry};
use agent::discover::{Capacity, capacity};
use agent::gpu::Answer;
use agent::register::{Outcome, Registrar, SERVICE};
use agent::wire::WireError;
use federation::consul::{Health, Service};
use federation::http::{Api, CallError};

const SECOND: i64 = 1_000_000;

/// Writes down what it is told; what it answers to beats is scripted.
#[derive(Default)]
struct Consul {
    told: RefCell<Vec<String>>,
    beats: RefCell<Vec<Result<Beat, ()>>>,
    refuses: RefCell<bool>,
}

impl Consul {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.told.borrow_mut())
    }
}

fn refused() -> WireError {
    WireError::Call(CallError::Refused {
        api: Api::Consul,
        status: 403,
        body: "Permission denied".to_owned(),
    })
}

impl Registry for Consul {
    fn register(&self, service: &Service) -> Result<(), WireError> {
        assert_eq!(
            (service.name.as_str(), service.check.ttl.as_str()),
            (SERVICE, "60s")
        );
        let cores = &service.meta["cpu_cores"];
        let line = format!("register {} {cores} {:?}", service.id, service.check.status);
        self.told.borrow_mut().push(line);
        if *self.refuses.borrow() {
            Err(refused())
        } else {
            Ok(())
        }
    }

    fn beat(&self, check: &str, status: Health, text: &str) -> Result<Beat, WireError> {
        self.told
            .borrow_mut()
            .push(format!("beat {check} {status:?} {text}"));
        let mut beats = self.beats.borrow_mut();
        if beats.is_empty() {
            return Ok(Beat::Heard);
        }
        beats.remove(0).map_err(|()| refused())
    }
}

fn a_capacity(cores: u32) -> Capacity {
    let mut machine = crate::discover::machine();
    machine.cores = cores;
    capacity(
        "example-one",
        &machine,
        None,
        &Answer::Unavailable("none".to_owned()),
    )
}

fn registrar() -> Registrar {
    Registrar::new(&"example-one-wn-1".parse().unwrap())
}

const WELL: &str = "beat site-capacity-example-one-wn-1 Passing all is well";

#[test]
fn it_registers_once_and_then_beats_each_twenty_seconds() {
    let (consul, mut registrar, node) = (Consul::default(), registrar(), a_capacity(8));
    assert!(registrar.tick(&consul, 0, &node).unwrap());
    assert_eq!(
        consul.take(),
        ["register site-capacity-example-one-wn-1 8 Passing", WELL]
    );
    for now in 1..20 {
        assert!(!registrar.tick(&consul, now * SECOND, &node).unwrap());
    }
    registrar.tick(&consul, 20 * SECOND, &node).unwrap();
    registrar.tick(&consul, 40 * SECOND, &node).unwrap();
    assert_eq!(consul.take(), [WELL, WELL]);
}

#[test]
fn changed_facts_are_registered_and_a_changed_state_is_told_at_once() {
    let (consul, mut registrar, mut node) = (Consul::default(), registrar(), a_capacity(8));
    registrar.tick(&consul, 0, &node).unwrap();
    consul.take();
    node.problems.push("Nomad calls GPU a unhealthy".to_owned());
    registrar.tick(&consul, SECOND, &node).unwrap();
    let sick = "beat site-capacity-example-one-wn-1 Warning Nomad calls GPU a unhealthy";
    assert_eq!(consul.take(), [sick]);
    node.not_ready = Some("Nomad on this node does not answer".to_owned());
    registrar.tick(&consul, SECOND, &node).unwrap();
    let down = "beat site-capacity-example-one-wn-1 Critical Nomad on this node does not answer; Nomad calls GPU a unhealthy";
    assert_eq!(consul.take(), [down]);
    node.not_ready = None;
    registrar.tick(&consul, SECOND, &node).unwrap();
    assert_eq!(consul.take(), [sick]);
    node.cores = 9;
    registrar.tick(&consul, 2 * SECOND, &node).unwrap();
    assert_eq!(
        consul.take(),
        ["register site-capacity-example-one-wn-1 9 Warning", sick]
    );
}

#[test]
fn what_consul_has_lost_is_registered_again() {
    let (consul, mut registrar, node) = (Consul::default(), registrar(), a_capacity(8));
    registrar.tick(&consul, 0, &node).unwrap();
    consul.take();
    consul.beats.borrow_mut().push(Ok(Beat::Unknown));
    registrar.tick(&consul, 20 * SECOND, &node).unwrap();
    assert_eq!(
        consul.take(),
        [
            WELL,
            "register site-capacity-example-one-wn-1 8 Passing",
            WELL
        ]
    );
}

#[test]
fn refusals_are_answered_with_longer_and_longer_pauses() {
    let (consul, mut registrar, node) = (Consul::default(), registrar(), a_capacity(8));
    *consul.refuses.borrow_mut() = true;
    let mut tried = Vec::new();
    for now in 0..=1_000 {
        if registrar.tick(&consul, now * SECOND, &node).is_err() {
            tried.push(now);
        }
    }
    assert_eq!(tried, [0, 4, 12, 28, 60, 124, 252, 508, 808]);
    assert_eq!(registrar.failures(), 9);
    *consul.refuses.borrow_mut() = false;
    consul.take();
    registrar.tick(&consul, 1_200 * SECOND, &node).unwrap();
    assert_eq!(consul.take().last().unwrap(), WELL);
    assert_eq!(registrar.failures(), 0);
}

#[test]
fn a_consul_that_is_away_is_asked_again_soon() {
    let (mut registrar, node) = (registrar(), a_capacity(8));
    let mut tried = Vec::new();
    for now in 0..=12 {
        if let Some(step) = registrar.next(now * SECOND, &node) {
            tried.push(now);
            registrar.heard(now * SECOND, &step, Outcome::Silent);
        }
    }
    assert_eq!(tried, [0, 4, 8, 12]);
    // Back, but not willing yet: it has refused once only.
    let step = registrar.next(16 * SECOND, &node).unwrap();
    registrar.heard(16 * SECOND, &step, Outcome::Refused);
    assert!(registrar.next(19 * SECOND, &node).is_none());
    assert!(registrar.next(20 * SECOND, &node).is_some());
}

#[test]
fn a_consul_that_forgets_everything_at_once_does_not_keep_us() {
    let (consul, mut registrar, node) = (Consul::default(), registrar(), a_capacity(8));
    consul
        .beats
        .borrow_mut()
        .extend((0..9).map(|_| Ok(Beat::Unknown)));
    registrar.tick(&consul, 0, &node).unwrap();
    assert_eq!(consul.take().len(), 4);
}
