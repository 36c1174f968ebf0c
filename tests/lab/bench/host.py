"""Runs on a lab host, as root:  host.py stop|forget|state WORKLOAD

WORKLOAD is JSON, what Atoll's plan lists for the bare host: accounts, directories, files, units.

stop    stops the services.
forget  takes all of it away again, and leaves what is measured apart: programs, packages,
        images, and what the services wrote below /opt. The services are stopped.
state   prints it as it is: owners, modes, digests, accounts, what starts at boot.
"""

import grp
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys

MANIFEST = "/var/lib/atoll/manifest.json"


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True)


def stop(workload):
    units = workload["units"]
    # Docker's socket would start Docker again.
    systemctl("stop", *reversed(units), *(["docker.socket"] if "docker" in units else []))
    running = [unit for unit in units if systemctl("is-active", unit).returncode == 0]
    if running:
        sys.exit(f"not stopped: {running}")


def forget(workload):
    stop(workload)
    units = workload["units"]
    # Docker's unit comes with its package, and is enabled by that.
    systemctl("disable", *(unit for unit in units if unit != "docker"))
    for path in workload["files"]:
        if os.path.exists(path):
            os.remove(path)
    for path in workload["directories"]:
        if path.startswith("/opt/"):
            os.chown(path, 0, 0)
            os.chmod(path, 0o755)
        else:
            shutil.rmtree(path, ignore_errors=True)
    for name in workload["accounts"]:
        subprocess.run(["userdel", name], capture_output=True)
    with open(MANIFEST) as file:
        manifest = json.load(file)
    manifest["files"] = {}
    with open(MANIFEST, "w") as file:
        json.dump(manifest, file)
    systemctl("daemon-reload")
    systemctl("reset-failed")
    there = [path for path in workload["files"] if os.path.exists(path)]
    if there:
        sys.exit(f"not forgotten: {there}")


def access(path):
    there = os.stat(path)
    return {
        "path": path,
        "mode": f"{there.st_mode & 0o7777:04o}",
        "owner": pwd.getpwuid(there.st_uid).pw_name,
        "group": grp.getgrgid(there.st_gid).gr_name,
    }


def account(name):
    there = pwd.getpwnam(name)
    group = grp.getgrgid(there.pw_gid)
    return {"name": name, "home": there.pw_dir, "shell": there.pw_shell, "group": group.gr_name}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def state(workload):
    found = {
        "accounts": [account(name) for name in workload["accounts"]],
        "directories": [access(path) for path in workload["directories"]],
        "files": [access(path) | {"sha256": digest(path)} for path in workload["files"]],
        "enabled": {unit: systemctl("is-enabled", unit).stdout.strip() for unit in workload["units"]},
    }
    print(json.dumps(found, indent=1))


{"stop": stop, "forget": forget, "state": state}[sys.argv[1]](json.loads(sys.argv[2]))
