//! What the region is told: policies, namespaces, how jobs are placed, jobs of our own.

use federation::nomad;
use serde_json::Value;

use super::{ServicesError, doing};
use crate::host::{Ask, Endpoint};

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
pub(super) fn register(nomad: &impl Ask, id: &str, hcl: &str) -> Result<(), ServicesError> {
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use federation::http::{Answer, Call};

    use super::*;
    use crate::host::ApiError;

    /// A Nomad that knows a job: what it answers to a plan and of the job's state, and what it is asked.
    struct Nomad {
        plan: (u16, &'static str),
        job: (u16, &'static str),
        asked: RefCell<Vec<String>>,
    }

    impl Ask for Nomad {
        fn ask<T>(&self, call: &Call<T>) -> Result<T, ApiError> {
            let asked = format!("{} {}", call.method.as_str(), call.path);
            let (status, body) = match asked.as_str() {
                "POST /v1/jobs/parse" | "PUT /v1/jobs?namespace=default" => (200, "{}"),
                "PUT /v1/job/clean/plan?namespace=default" => self.plan,
                "GET /v1/job/clean?namespace=default" => self.job,
                other => panic!("{other} is not asked for"),
            };
            self.asked.borrow_mut().push(asked);
            let body = body.to_owned();
            Ok(call.read(&Answer { status, body })?)
        }
    }

    const SAME: (u16, &str) = (200, r#"{ "Diff": { "Type": "None" } }"#);
    const OTHER: (u16, &str) = (200, r#"{ "Diff": { "Type": "Edited" } }"#);
    const RUNS: (u16, &str) = (200, r#"{ "Status": "running" }"#);
    const DEAD: (u16, &str) = (200, r#"{ "Status": "dead" }"#);
    const NONE: (u16, &str) = (404, "job not found");
    const BROKEN: (u16, &str) = (500, "no leader");

    fn registered(
        plan: (u16, &'static str),
        job: (u16, &'static str),
    ) -> Result<bool, ServicesError> {
        let asked = RefCell::default();
        let nomad = Nomad { plan, job, asked };
        register(&nomad, "clean", "job {}")?;
        let asked = nomad.asked.into_inner();
        Ok(asked.contains(&"PUT /v1/jobs?namespace=default".to_owned()))
    }

    #[test]
    fn a_job_is_submitted_when_it_differs_or_does_not_run_and_otherwise_not() {
        for (plan, job, expected) in [
            (SAME, RUNS, false),
            (OTHER, RUNS, true),
            (SAME, DEAD, true),
            (OTHER, NONE, true),
        ] {
            assert_eq!(registered(plan, job).unwrap(), expected, "{plan:?} {job:?}");
        }
    }

    #[test]
    fn an_error_of_the_plan_ends_it_and_is_told() {
        for (plan, job, expected) in [
            (BROKEN, RUNS, "cannot plan the job clean: "),
            (SAME, BROKEN, "cannot read the job clean: "),
        ] {
            let told = registered(plan, job).unwrap_err().to_string();
            assert!(
                told.starts_with(expected) && told.ends_with("500: no leader"),
                "{told}"
            );
        }
    }
}
