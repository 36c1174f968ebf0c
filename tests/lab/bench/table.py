"""table.py TIMES WORKLOAD: prints what was measured, beside what it should be.

TIMES has a name and milliseconds a line; WORKLOAD is what each host gets, as `events.py` prints it.
"""

import json
import statistics
import sys
from collections import Counter, defaultdict

LABELS = {
    "floor": "four `ssh true` at once: the floor",
    "atoll": "Atoll",
    "pyinfra": "pyinfra",
    "mitogen": "Ansible with mitogen",
    "ansible": "Ansible",
}
# To what, and the factor: at most it for Atoll itself, at least it for a peer.
AIMS = {
    "nothing": {"atoll": 0.8, "pyinfra": 12, "mitogen": 40, "ansible": 100},
    "first": {"atoll": 2.5},
}


def read(path):
    times = defaultdict(list)
    with open(path) as file:
        for line in file:
            name, milliseconds = line.split("\t")
            times[name].append(float(milliseconds) / 1000)
    return times


def seconds(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def times_as_long(value, base):
    ratio = value / base
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def aim(kind, name, to_floor, to_atoll):
    factor = AIMS[kind].get(name)
    if factor is None:
        return ""
    met = to_floor <= factor if name == "atoll" else to_atoll >= factor
    wanted = f"≤ {factor} × floor" if name == "atoll" else f"≥ {factor} × Atoll"
    return f"{wanted}: {'met' if met else '**missed**'}"


def table(kind, times):
    print("| | runs | median, s | least – most | to the floor | to Atoll | aim |")
    print("|---|---:|---:|---:|---:|---:|---|")
    medians = {name: statistics.median(times[f"{kind} {name}"]) for name in LABELS}
    for name, median in medians.items():
        runs = times[f"{kind} {name}"]
        to_floor, to_atoll = median / medians["floor"], median / medians["atoll"]
        print(
            f"| {LABELS[name]} | {len(runs)} | {seconds(median)} | {seconds(min(runs))} – {seconds(max(runs))}"
            f" | {times_as_long(median, medians['floor'])} | {times_as_long(median, medians['atoll'])}"
            f" | {aim(kind, name, to_floor, to_atoll)} |"
        )


def parts(times):
    print("| part of Atoll's first apply | files, users, units, s | services start, s |")
    print("|---|---:|---:|")
    median = {name.removeprefix("part "): statistics.median(runs) for name, runs in times.items()}
    print(f"| connect, look, compare | {seconds(median['look'])} | |")
    for name in median:
        if name.startswith("files "):
            wave = name.removeprefix("files ")
            print(f"| wave {wave} | {seconds(median[name])} | {seconds(median['wait ' + wave])} |")
    print(f"| look again | {seconds(median['look again'])} | |")
    print(f"| all {seconds(median['whole'])} s | {seconds(median['files'])} | {seconds(median['wait'])} |")
    print(
        f"\nA run that only starts the services, all else being as wanted, takes {seconds(median['start'])} s:"
        f" the first apply takes {seconds(median['whole'] - median['start'])} s longer."
    )


def work(path):
    with open(path) as file:
        workload = json.load(file)
    kinds = Counter(
        ", ".join(f"{len(found)} {name if len(found) > 1 else name[:-1]}" for name, found in lists.items()) for lists in workload.values()
    )
    total = sum(len(found) for lists in workload.values() for found in lists.values())
    each = "; ".join(f"{count} with {kind}" for kind, count in kinds.items())
    print(f"Work: {len(workload)} hosts, {total} things in all: {each}.\n")


times = read(sys.argv[1])
work(sys.argv[2])
print("### Nothing to do\n")
table("nothing", times)
print("\n### First apply of files, users and units\n")
table("first", times)
print()
parts({name: runs for name, runs in times.items() if name.startswith("part ")})
