"""What Atoll makes of a host, but for artifacts. With start it also looks that services run."""

from pyinfra import config, host
from pyinfra.operations import files, server, systemd

config.SUDO = True

for account in host.data.accounts:
    server.user(
        user=account["name"],
        home=account["home"],
        shell=account["shell"],
        system=True,
        ensure_home=False,
    )

for directory in host.data.directories:
    files.directory(
        path=directory["path"],
        mode=directory["mode"],
        user=directory["owner"],
        group=directory["group"],
    )

put = [
    files.put(
        src=host.data.source + file["path"],
        dest=file["path"],
        mode=file["mode"],
        user=file["owner"],
        group=file["group"],
        create_remote_dir=False,
    )
    for file in host.data.files
]

systemd.daemon_reload(_if=lambda: any(operation.did_change() for operation in put))

for unit in host.data.units:
    systemd.service(service=unit, enabled=True, running=True if host.data.get("start") else None)
