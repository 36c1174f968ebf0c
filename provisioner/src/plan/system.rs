//! What every host has of systemd's own: time and logs.

use super::peers::Place;
use super::{
    Access, Directory, HostPlan, JournaldConfig, OnChange, PlannedFile, Service, Template,
    TimesyncdConfig, Wave,
};

/// Bounds the logs of a host, and points its clock to the site's time servers if it has some.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>) {
    plan.directories
        .push(folder("/etc/systemd/journald.conf.d"));
    plan.files.push(PlannedFile::of_host(
        "/etc/systemd/journald.conf.d/10-atoll.conf",
        OnChange::Restart(Service::Journald),
        Template::JournaldConfig(JournaldConfig {}),
    ));
    if place.site.ntp.is_empty() {
        return;
    }
    plan.directories
        .push(folder("/etc/systemd/timesyncd.conf.d"));
    plan.files.push(PlannedFile::of_host(
        "/etc/systemd/timesyncd.conf.d/10-atoll.conf",
        OnChange::Restart(Service::Timesyncd),
        Template::TimesyncdConfig(TimesyncdConfig {
            servers: place.site.ntp.clone(),
        }),
    ));
}

fn folder(path: &'static str) -> Directory {
    Directory {
        path,
        access: Access::root(0o755, "root"),
        wave: Wave::Base,
    }
}
