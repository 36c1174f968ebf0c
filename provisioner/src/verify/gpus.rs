//! GPUs: Nomad sees them as the inventory says, and a job gets one.

use std::collections::BTreeMap;
use std::time::Duration;

use federation::nomad;

use crate::host::Endpoint;
use crate::plan::{Gpus, HostPlan};
use crate::progress::Event;
use crate::verify::probe::last_event;
use crate::verify::{Answer, Told, Verifier, jobs, wait::wait};

/// How long a job on a GPU may take, from its registration to its end.
const LIMIT: Duration = Duration::from_mins(1);

/// Nomad has so many healthy GPUs of that model on the node.
pub(super) fn seen(nomad: &Endpoint, stub: Option<&nomad::NodeStub>, gpus: &Gpus) -> Answer {
    let stub = stub.ok_or("Nomad has no ready node of this name")?;
    let node = nomad
        .ask(&nomad::equipped(&stub.id))
        .map_err(|error| error.to_string())?;
    judge(&found(&node), gpus)
}

/// A GPU as Nomad has it.
struct Gpu {
    id: String,
    model: String,
    healthy: bool,
    health: String,
}

fn found(node: &nomad::Equipped) -> Vec<Gpu> {
    let resources = node.node_resources.iter();
    let devices = resources
        .flat_map(|resources| resources.devices.iter().flatten())
        .filter(|device| device.vendor == "nvidia" && device.kind == "gpu");
    let gpus = devices.flat_map(|device| {
        device.instances.iter().flatten().map(|instance| Gpu {
            id: instance.id.clone(),
            model: device.name.clone(),
            healthy: instance.healthy,
            health: instance.health_description.clone(),
        })
    });
    gpus.collect()
}

/// Compares what Nomad has with what the inventory says.
fn judge(found: &[Gpu], wanted: &Gpus) -> Answer {
    let mut wrong: Vec<String> = found
        .iter()
        .filter(|gpu| !gpu.healthy)
        .map(|gpu| format!("{} is not healthy: {}", gpu.id, gpu.health))
        .collect();
    let mut models: BTreeMap<&str, usize> = BTreeMap::new();
    for gpu in found {
        *models.entry(gpu.model.as_str()).or_default() += 1;
    }
    let told: Vec<String> = models
        .iter()
        .map(|(model, count)| format!("{count} × {model}"))
        .collect();
    let told = if told.is_empty() {
        "none: does its driver run, and Nomad's plugin?".to_owned()
    } else {
        told.join(", ")
    };
    let is_wanted = models.len() == 1
        && models.iter().all(|(model, count)| {
            let count = u32::try_from(*count).ok();
            wanted
                .model
                .as_deref()
                .is_none_or(|wanted| wanted == *model)
                && (wanted.count.is_none() || wanted.count == count)
        });
    if !is_wanted {
        let said = said(wanted);
        wrong.push(format!("the inventory says {said}, Nomad sees {told}"));
    }
    if wrong.is_empty() {
        Ok(told)
    } else {
        Err(wrong.join("; "))
    }
}

/// What the inventory says of GPUs, as far as it says something.
fn said(wanted: &Gpus) -> String {
    match (wanted.count, wanted.model.as_deref()) {
        (Some(count), model) => format!("{count} × {}", model.unwrap_or("a GPU")),
        (None, Some(model)) => format!("some {model}"),
        (None, None) => "GPUs of one model".to_owned(),
    }
}

impl Verifier<'_> {
    /// Runs a job on a GPU of each node that has some. A node without a free one is not tried.
    pub(super) fn gpu_jobs(
        &self,
        told: &mut Told,
        nomad: &Endpoint,
        nodes: &BTreeMap<String, nomad::NodeStub>,
    ) {
        for host in self.chosen().filter(|host| host.gpus.is_some()) {
            let node = host.node.as_str();
            let Some(stub) = nodes.get(node) else {
                continue;
            };
            self.listener.tell(Event::Step {
                node: host.node.clone(),
                doing: "running a job on a GPU".to_owned(),
            });
            let id = format!("atoll-gpu-{}-{}", host.node, self.run);
            let answer = self.gpu_job(nomad, host, stub, &id);
            let _ = nomad.ask(&nomad::purge_job(&id, "default"));
            match answer {
                Err(why) if why.contains("devices: no devices match request") => {
                    told.not_tried("gpu-job", node, "all its GPUs are held by jobs");
                }
                answer => told.tell("gpu-job", node, answer),
            }
        }
    }

    fn gpu_job(
        &self,
        nomad: &Endpoint,
        host: &HostPlan,
        stub: &nomad::NodeStub,
        id: &str,
    ) -> Answer {
        let model = host.gpus.as_ref().and_then(|gpus| gpus.model.as_deref());
        let job = jobs::gpu(id, &stub.id, model, &self.plan.services.probe_image);
        nomad
            .ask(&nomad::register_job("default", &job))
            .map_err(|error| error.to_string())?;
        wait(LIMIT, self.stop, || {
            let allocations = nomad
                .ask(&nomad::allocations(id, "default"))
                .map_err(|error| error.to_string())?;
            match allocations
                .first()
                .map(|first| first.client_status.as_str())
            {
                Some("complete") => Ok(format!("it ran on a GPU ({})", model.unwrap_or("any"))),
                Some(status) => Err(format!("it is {status}: {}", last_event(&allocations))),
                None => Err(super::probe::not_placed(nomad, id, "default")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(model: &str, healthy: bool) -> Gpu {
        Gpu {
            id: "GPU-1".to_owned(),
            model: model.to_owned(),
            healthy,
            health: "GPU is lost".to_owned(),
        }
    }

    #[test]
    fn what_nomad_sees_is_what_the_inventory_says_or_is_told() {
        let wanted = Gpus {
            model: Some("A100".to_owned()),
            count: Some(2),
        };
        let cases: [(&[Gpu], Answer); 6] = [
            (&[gpu("A100", true), gpu("A100", true)], Ok("2 × A100".to_owned())),
            (
                &[gpu("A100", true)],
                Err("the inventory says 2 × A100, Nomad sees 1 × A100".to_owned()),
            ),
            (
                &[gpu("A100", true), gpu("T4", true)],
                Err("the inventory says 2 × A100, Nomad sees 1 × A100, 1 × T4".to_owned()),
            ),
            (
                &[gpu("A100", true), gpu("A100", false)],
                Err("GPU-1 is not healthy: GPU is lost".to_owned()),
            ),
            (
                &[gpu("A100", false)],
                Err(
                    "GPU-1 is not healthy: GPU is lost; the inventory says 2 × A100, Nomad sees 1 × A100"
                        .to_owned(),
                ),
            ),
            (
                &[],
                Err(
                    "the inventory says 2 × A100, Nomad sees none: does its driver run, and Nomad's plugin?"
                        .to_owned(),
                ),
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(judge(found, &wanted), expected);
        }
    }

    #[test]
    fn what_the_inventory_does_not_say_is_not_compared() {
        let wanted = |model: Option<&str>, count| Gpus {
            model: model.map(str::to_owned),
            count,
        };
        let two = [gpu("A100", true), gpu("A100", true)];
        let both = [gpu("A100", true), gpu("T4", true)];
        let cases: [(&[Gpu], Gpus, Option<&str>); 6] = [
            (&two, wanted(None, None), None),
            (&two, wanted(None, Some(2)), None),
            (&two, wanted(Some("A100"), None), None),
            (&two, wanted(None, Some(3)), Some("3 × a GPU")),
            (&two, wanted(Some("T4"), None), Some("some T4")),
            (&both, wanted(None, None), Some("GPUs of one model")),
        ];
        for (found, wanted, told) in cases {
            let answer = judge(found, &wanted).err();
            let expected = told.map(|told| format!("the inventory says {told}, Nomad sees"));
            assert_eq!(answer.is_some(), expected.is_some(), "{answer:?}");
            assert!(
                answer
                    .unwrap_or_default()
                    .starts_with(&expected.unwrap_or_default())
            );
        }
    }
}
