//! What the region is told: policies, namespaces, how jobs are placed, jobs of our own.

use federation::nomad;
use serde_json::Value;

use super::{ServicesError, doing};
use crate::host::Endpoint;

pub(super) fn nomad_policy(nomad: &Endpoint, name: &str, rules: &str) -> Result<(), ServicesError> {
    let what = format!("set Nomad's policy {name}");
    if nomad
        .ask(&nomad::policy(name))
        .map_err(doing(&what))?
        .is_some_and(|policy| policy.rules == rules)
    {
        return Ok(());
    }
    let wanted = nomad::Policy {
        name: name.to_owned(),
        description: "set by atoll".to_owned(),
        rules: rules.to_owned(),
    };
    nomad.ask(&nomad::put_policy(&wanted)).map_err(doing(&what))
}

pub(super) fn namespaces(
    nomad: &Endpoint,
    wanted: &[nomad::Namespace],
) -> Result<(), ServicesError> {
    let there = nomad
        .ask(&nomad::namespaces())
        .map_err(doing("list Nomad's namespaces"))?;
    for namespace in wanted.iter().filter(|wanted| !there.contains(wanted)) {
        nomad
            .ask(&nomad::put_namespace(namespace))
            .map_err(doing(format!("set namespace {}", namespace.name)))?;
    }
    Ok(())
}

/// Sets what we have an opinion on, and leaves the rest of the scheduler's configuration.
pub(super) fn scheduler(nomad: &Endpoint, wanted: &nomad::Scheduler) -> Result<(), ServicesError> {
    let read = "read the scheduler's configuration";
    let found = nomad.ask(&nomad::scheduler()).map_err(doing(read))?;
    let mut configuration = found["SchedulerConfig"].clone();
    let index = configuration["ModifyIndex"].as_u64().unwrap_or(0);
    let before = configuration.clone();
    configuration["SchedulerAlgorithm"] = wanted.scheduler_algorithm.clone().into();
    configuration["MemoryOversubscriptionEnabled"] = wanted.memory_oversubscription_enabled.into();
    if configuration == before {
        return Ok(());
    }
    let answer = nomad
        .ask(&nomad::put_scheduler(&configuration, index))
        .map_err(doing("set the scheduler's configuration"))?;
    if answer["Updated"] == Value::Bool(false) {
        return Err(ServicesError::Raced);
    }
    Ok(())
}

/// Registers a job of the namespace `default` if it differs.
pub(super) fn register(nomad: &Endpoint, id: &str, hcl: &str) -> Result<(), ServicesError> {
    let job: Value = nomad
        .ask(&nomad::parse_job(hcl))
        .map_err(doing(format!("parse the job {id}")))?;
    let planned = nomad
        .ask(&nomad::plan_job(id, "default", &job))
        .map_err(doing(format!("plan the job {id}")))?;
    let changed = planned.diff.is_none_or(|diff| diff.kind != "None");
    let running = nomad
        .ask(&nomad::job(id, "default"))
        .map_err(doing(format!("read the job {id}")))?;
    if changed || running.is_none_or(|job| job.status == "dead") {
        nomad
            .ask(&nomad::register_job("default", &job))
            .map_err(doing(format!("register the job {id}")))?;
    }
    Ok(())
}
