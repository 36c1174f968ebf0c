"""Reads what `atoll --output json` tells.

events.py workload FILE               a plan for bare hosts: what it lists, by node, as JSON
events.py parts FILE START END KEPT   an apply: its parts in milliseconds, a name and a number a line

START and END are when the run began and ended, KEPT when the last host kept its last wave, in
seconds since 1970. A part `wait …` is one in which every host of the wave had come to start its
services: starting them and waiting for their health. All the rest of the run is `files`.
"""

import json
import re
import sys

LISTS = {
    "accounts": r"create account (\S+)",
    "directories": r"(?:create|set owner and mode of) directory (\S+)",
    "files": r"create (/\S+)|issue ([^:]+):",
    "units": r"enable (\S+)",
}


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def workload(events):
    nodes = {}
    for event in events:
        if event["event"] == "change":
            lists = nodes.setdefault(event["node"], {name: [] for name in LISTS})
            for name, pattern in LISTS.items():
                if match := re.match(pattern, event["what"]):
                    lists[name].append(match[1] or match[2])
    return nodes


class Wave:
    def __init__(self, name, begin):
        self.name, self.begin, self.end = name, begin, None
        self.serving, self.waiting = {}, {}

    def all_serve(self):
        """When the last host had come to its services, or to its end if it starts none."""
        return max((self.waiting | self.serving).values())


def waves(events, kept):
    found = []
    for event in events:
        now = event["milliseconds_since_start"]
        if event["event"] == "wave_started":
            if found:
                found[-1].end = now
            found.append(Wave(event["wave"], now))
        elif event["event"] == "federation":
            sys.exit("the APIs were set too: these hosts had not been forgotten, but never known")
        elif event["event"] == "step" and found:
            if re.match(r"(re)?(start|load)ing ", event["doing"]):
                found[-1].serving.setdefault(event["node"], now)
            elif event["doing"] == "waiting for health":
                found[-1].waiting[event["node"]] = now
    found[-1].end = kept
    return found


def parts(events, start, end, kept):
    total, kept = (end - start) * 1000, (kept - start) * 1000
    found = waves(events, kept)
    # The base wave waits for no health: what follows its wait is what each wave takes to be kept.
    keep = found[0].end - max(found[0].waiting.values())
    yield "whole", total
    yield "look", found[0].begin
    waited = 0
    for wave in found:
        wait = wave.end - keep - wave.all_serve()
        waited += wait
        yield f"files {wave.name}", wave.end - wave.begin - wait
        yield f"wait {wave.name}", wait
    yield "look again", total - kept
    yield "wait", waited
    yield "files", total - waited


command, path, *times = sys.argv[1:]
if command == "workload":
    print(json.dumps(workload(read(path))))
else:
    for name, milliseconds in parts(read(path), *map(float, times)):
        print(f"{name}\t{milliseconds:.0f}")
