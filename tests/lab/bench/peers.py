"""peers.py FOLDER NETWORK: prints the inventory of the peers, which Ansible and pyinfra both read.

FOLDER/hN is host N's end state under Atoll, FOLDER/files/hN the bytes of its files.
"""

import json
import pathlib
import sys

folder, network = pathlib.Path(sys.argv[1]), sys.argv[2]
hosts = {}
for file in sorted(folder.glob("h[0-9]*")):
    state = json.loads(file.read_text())
    state["units"] = list(state.pop("enabled"))
    state["source"] = str(folder / "files" / file.name)
    hosts[file.name] = {"ansible_host": f"{network}.{10 + int(file.name[1:])}"} | state
print(json.dumps({"all": {"hosts": hosts}}, indent=1))
