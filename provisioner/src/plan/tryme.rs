//! Images that try-me nodes have beforehand: whoever tries a module waits for no download.

use super::peers::Place;
use super::{
    Access, Content, Directory, HostPlan, ImagePullScript, ImagePullTimer, ImagePullUnit, NodeType,
    OnChange, PlannedFile, Service, Template, Unit, Wave,
};

/// Adds what pulls the images to a try-me node, if its site wants some.
pub(super) fn add(plan: &mut HostPlan, place: &Place<'_>) {
    let wanted = &place.site.tryme;
    if plan.node_type != Some(NodeType::TryMe) || wanted.images.is_empty() {
        return;
    }
    let docker = plan.storage.docker;
    plan.directories.push(Directory {
        path: "/usr/local/lib/atoll",
        access: Access::root(0o755, "root"),
        wave: Wave::Base,
    });
    let script = Template::ImagePullScript(ImagePullScript {
        docker,
        keep_free_percent: wanted.keep_free_percent,
        images: wanted.images.clone(),
    });
    plan.files.push(PlannedFile {
        path: "/usr/local/lib/atoll/pull-images".to_owned(),
        access: Access::root(0o755, "root"),
        wave: Wave::Base,
        on_change: OnChange::Nothing,
        content: Content::Template(Box::new(script)),
    });
    plan.files.push(PlannedFile::of_host(
        "/etc/systemd/system/atoll-image-pull.service",
        OnChange::Nothing,
        Template::ImagePullUnit(ImagePullUnit { docker }),
    ));
    plan.files.push(PlannedFile::of_host(
        "/etc/systemd/system/atoll-image-pull.timer",
        OnChange::Restart(Service::ImagePull),
        Template::ImagePullTimer(ImagePullTimer {}),
    ));
    plan.units.push(Unit {
        service: Service::ImagePull,
        wave: Wave::Base,
    });
}
