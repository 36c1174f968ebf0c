"""Reads what `atoll --output json` tells.

events.py workload FILE          a plan for bare hosts: what it lists, by node, as JSON
events.py parts FILE START END   an apply: its parts in milliseconds, a name and a number a line

START and END are when the run began and ended, in seconds since 1970. A part `wait …` is one in
which every host of the wave had come to start its services: starting them and waiting for their
health, until the last host is healthy. All the rest of the run is `files`.
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
        self.serving, self.healthy = {}, {}

    def waited(self):
        """From when the last host had come to its services until the last one was healthy."""
        return max(self.healthy.values()) - max(self.serving.values())


def waves(events):
    """The waves of a run, and when it began to look again."""
    found, again = [], None
    for event in events:
        now = event["milliseconds_since_start"]
        doing = event.get("doing", "")
        if event["event"] == "wave_started":
            found.append(Wave(event["wave"], now))
        elif event["event"] == "federation":
            sys.exit("the APIs were set too: these hosts had not been forgotten, but never known")
        elif event["event"] == "step" and found:
            if doing == "comparing again":
                again = again or now
            elif re.match(r"(re)?(start|load)ing |waiting for health", doing):
                found[-1].serving.setdefault(event["node"], now)
            elif doing == "keeping":
                found[-1].healthy[event["node"]] = now
    for wave, end in zip(found, [*(wave.begin for wave in found[1:]), again]):
        wave.end = end
    return found, again


def parts(events, start, end):
    total = (end - start) * 1000
    found, again = waves(events)
    yield "whole", total
    yield "look", found[0].begin
    for wave in found:
        yield f"files {wave.name}", wave.end - wave.begin - wave.waited()
        yield f"wait {wave.name}", wave.waited()
    yield "look again", total - again
    waited = sum(wave.waited() for wave in found)
    yield "wait", waited
    yield "files", total - waited


command, path, *times = sys.argv[1:]
if command == "workload":
    print(json.dumps(workload(read(path))))
else:
    for name, milliseconds in parts(read(path), *map(float, times)):
        print(f"{name}\t{milliseconds:.0f}")
