"""The hosts of BENCH_PEERS, reached as BENCH_STATE says."""

import json
import os

state = os.environ["BENCH_STATE"]
ssh = {
    "ssh_user": "debian",
    "ssh_key": f"{state}/id_ed25519",
    "ssh_known_hosts_file": f"{state}/known_hosts",
    "ssh_strict_host_key_checking": "yes",
}
with open(os.environ["BENCH_PEERS"]) as file:
    found = json.load(file)["all"]["hosts"]

hosts = [(name, ssh | {"ssh_hostname": data["ansible_host"]} | data) for name, data in found.items()]
