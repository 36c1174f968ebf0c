#!/usr/bin/env python3
"""usage.py: what an agent metered, against what Nomad, the kernel and a GPU scenario say.

    usage.py entries            runs on the accounting host, as root: every entry of its ledger
    usage.py ledger             runs on a node, as root: every entry of its agent's ledger
    usage.py facts --allocations FILE --entries FILE
    usage.py message --messages FILE --allocation FILE --entries FILE --scenario FILE [--shift-us N]
    usage.py judge --allocation FILE --entries FILE [--cpu-us N --cpu-slack-us N]
                   [--cpu-of TASK=N]... [--scenario FILE] [--shift-us N] [--allow QUALITY]...

`judge` reads Nomad's own allocation and the entries, and prints each thing that is wrong.
Windows are Nomad's times; a GPU's busy time within them is computed by tests/fake-nvml/truth,
of an allocation's life and of each month of it.
Without --allow everything must have been measured, and no bound may be wider than docs/records.md
says: a bound that is wide enough holds any truth. `message` reads what `publish --dry-run`
printed, for an allocation over the end of one month.
"""

import argparse
import calendar
import json
import os
import re
import sqlite3
import subprocess
import sys
import time

AGENT = "file:/var/lib/atoll-agent/ledger.db?mode=ro"
LEDGER = "file:/var/lib/atoll-accounting/ledger.db?mode=ro"
# Of a task of raw_exec here: its executor, a shell and a child of it; and one that comes or goes.
PROCESSES = 4
TICK_US = 10_000
LOOK_US = 20_000
# The driver has six samples a second, and one at each end of an interval is of somebody else in part. What
# it has not told yet at a cut, and what the device did until Nomad told of an end, is about a second.
SAMPLE_US = 166_667
TOLD_US = 1_250_000
# With more than this that nobody saw, or that may be another's, an interval is not called measured.
UNSEEN_US = LOOSE_US = 2_000_000
LONGEST_US = 301_000_000
TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fake-nvml", "truth")


def entries():
    rows = sqlite3.connect(LEDGER, uri=True).execute(
        "SELECT l.ledger, e.entry FROM entries e JOIN ledgers l ON l.id = e.ledger ORDER BY l.ledger, e.seq")
    print(json.dumps([json.loads(entry) | {"ledger": ledger} for ledger, entry in rows]))


def ledger():
    rows = sqlite3.connect(AGENT, uri=True).execute(
        "SELECT l.uuid, e.json FROM entries e JOIN ledgers l ON l.number = e.ledger ORDER BY e.ledger, e.seq")
    print(json.dumps([json.loads(entry) | {"ledger": ledger} for ledger, entry in rows]))


def judge_facts(given):
    """Each allocation's facts, once, and what a list of Nomad's does not tell: owner and driver."""
    with open(given.allocations) as file:
        allocations = json.load(file)
    with open(given.entries) as file:
        every = [entry["allocation"] for entry in json.load(file) if "allocation" in entry]
    wrong = []
    for allocation in allocations:
        found = [facts for facts in every if facts["id"] == allocation["ID"]]
        wanted = {"namespace": "example", "job": allocation["JobID"], "group": "g",
                  "name": allocation["Name"], "owner": "alice@example.org"}
        told = [{key: facts.get(key) for key in wanted} for facts in found]
        drivers = [task["driver"] for facts in found for task in facts["tasks"]]
        if told != [wanted] or drivers != [allocation["Driver"]]:
            wrong.append(f"{allocation['ID']} is not there once with its facts: {found}")
    if wrong:
        sys.exit("\n".join(wrong))


def micros(stamp):
    """µs since 1970 of Nomad's 2026-01-02T03:04:05.678901234Z."""
    whole, fraction = re.fullmatch(r"(.{19})(?:\.(\d+))?Z", stamp).groups()
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000 + int((fraction or "0").ljust(9, "0")[:6])


def window(allocation):
    """When its first task started and its last one ended, by Nomad."""
    states = allocation["TaskStates"].values()
    started = [event["Time"] // 1000 for state in states for event in state["Events"]
               if event["Type"] == "Started"]
    return min(started), max(micros(state["FinishedAt"]) for state in states)


def month_end_within(start_us, end_us):
    first, last = (time.gmtime(us // 1_000_000)[:2] for us in (start_us, end_us - 1))
    return first != last


def drivers(allocation):
    """What runs each task, by Nomad."""
    if not allocation.get("Job"):
        return dict.fromkeys(allocation["TaskStates"], allocation["Driver"])
    return {task["Name"]: task["Driver"] for group in allocation["Job"]["TaskGroups"]
            if group["Name"] == allocation["TaskGroup"] for task in group["Tasks"]}


def most_of_cpu(driver, intervals):
    """How far, in µs, a CPU time that was measured may be from the truth, by docs/records.md."""
    if driver == "raw_exec":
        return len(intervals) * PROCESSES * 2 * TICK_US
    # Its group's counter; and while it ended, what the parent counted during one look.
    return len(intervals) * 1 + LOOK_US


def judge_task(task, driver, intervals, start, end, given):
    wrong = []
    held = sum(i["held_us"] for i in intervals)
    if abs(held - (end - start)) > 2:
        wrong.append(f"{task}: held {held} µs, by Nomad {end - start}")
    if intervals[-1]["held_total_us"] != held:
        wrong.append(f"{task}: the total says {intervals[-1]['held_total_us']} µs, the sum {held}")
    for one, two in zip(intervals, intervals[1:]):
        same = one["boot_id"] == two["boot_id"]
        clock = "boot_us" if same else "wall_us"
        if one["end"][clock] != two["start"][clock]:
            wrong.append(f"{task}: a gap or an overlap at {one['end']} and {two['start']}")
    for i in intervals:
        if month_end_within(i["start"]["wall_us"], i["end"]["wall_us"]):
            wrong.append(f"{task}: an interval crosses the end of a month: {i['start']} to {i['end']}")
        if i["held_us"] > LONGEST_US and i["held"] == "measured":
            wrong.append(f"{task}: held for longer than five minutes: {i}")
        most = most_of_cpu(driver, [i])
        if i["cpu"]["quality"] == "measured" and i["cpu"]["bound_us"] > most:
            wrong.append(f"{task}: CPU is called measured, with a bound of more than {most} µs: {i}")
        found = {i["held"], i["cpu"]["quality"], *(gpu["quality"] for gpu in i.get("gpus", []))}
        if found - {"measured", *given.allow}:
            wrong.append(f"{task}: not everything was measured: {i}")
    bound = sum(i["cpu"]["bound_us"] for i in intervals)
    most = most_of_cpu(driver, intervals)
    if not given.allow and bound > most:
        wrong.append(f"{task}: CPU has a bound of {bound} µs, more than {most}")
    used = sum(i["cpu"]["used_us"] for i in intervals)
    if intervals[-1]["cpu"]["total_us"] != used:
        wrong.append(f"{task}: CPU total {intervals[-1]['cpu']['total_us']} µs, the sum {used}")
    counted = dict(given.cpu_of).get(task, given.cpu_us)
    if counted is not None:
        bound += given.cpu_slack_us
        print(f"{task}: CPU {used} µs, the kernel's counter {counted}, bound {bound}")
        if abs(used - counted) > bound:
            wrong.append(f"{task}: CPU {used} µs, the kernel's counter says {counted}, bound {bound}")
    return wrong + judge_gpus(task, intervals, start, end, given)


def worked(scenario, gpu, start, end):
    """How long, in µs, a GPU was busy between two moments of Nomad's clock."""
    return int(subprocess.check_output([TRUTH, scenario, "--gpu", gpu, str(start), str(end)], text=True))


def judge_gpus(task, intervals, start, end, given):
    wrong, sums = [], {}
    for i in intervals:
        for gpu in i.get("gpus", []):
            most = gpu["allocated_us"] // 200 + 2 * SAMPLE_US + UNSEEN_US + LOOSE_US
            if gpu["quality"] == "measured" and gpu["busy_bound_us"] > most:
                wrong.append(f"{task}: called measured, with a bound of more than {most} µs: {gpu}")
            allocated, busy, bound = sums.get(gpu["id"], (0, 0, 0))
            sums[gpu["id"]] = (allocated + gpu["allocated_us"], busy + gpu["busy_us"], bound + gpu["busy_bound_us"])
    for gpu, (allocated, busy, bound) in sums.items():
        if abs(allocated - (end - start)) > 2:
            wrong.append(f"{task}: {gpu} was held {allocated} µs, by Nomad {end - start}")
        # What was told late may be of the interval before, too.
        most = allocated // 200 + len(intervals) * (2 * SAMPLE_US + TOLD_US) + (len(intervals) - 1) * TOLD_US
        if not given.allow and bound > most:
            wrong.append(f"{task}: {gpu} has a bound of {bound} µs, more than {most}")
        if given.scenario:
            truth = worked(given.scenario, gpu, start, end)
            print(f"{task}: {gpu} busy {busy} µs, truth {truth}, bound {bound}")
            if abs(busy - truth) > bound:
                wrong.append(f"{task}: {gpu} was busy {busy} µs, the truth is {truth}, the bound {bound}")
    return wrong


def judge(given):
    with open(given.allocation) as file:
        allocation = json.load(file)
    with open(given.entries) as file:
        every = json.load(file)
    places = [(entry["ledger"], entry["seq"]) for entry in every]
    wrong = [] if len(places) == len(set(places)) else ["a number is there twice"]
    id = allocation["ID"]
    facts = [e["allocation"] for e in every if e.get("allocation", {}).get("id") == id]
    intervals = [e["interval"] for e in every if e.get("interval", {}).get("allocation") == id]
    ends = [e["end"] for e in every if e.get("end", {}).get("allocation") == id]
    if (len(facts), len(ends)) != (1, 1):
        sys.exit(f"{len(facts)} times its facts, {len(ends)} times its end, not once each")
    start, end = window(allocation)
    wrong += [f"{task}: no such task" for task, _ in given.cpu_of if task not in allocation["TaskStates"]]
    if facts[0]["started_us"] != start + given.shift_us or ends[0]["ended_us"] != end + given.shift_us:
        wrong.append(f"from {facts[0]['started_us']} to {ends[0]['ended_us']}, by Nomad from {start} to {end}")
    for task in allocation["TaskStates"]:
        own = [i for i in intervals if i["task"] == task]
        wrong += judge_task(task, drivers(allocation)[task], own, start, end, given) if own else [f"{task}: nothing was metered"]
    if wrong:
        sys.exit("\n".join(wrong))


def cloud_records(text):
    """The records of all APEL-cloud-messages in a text, as dicts."""
    records = []
    for part in text.split("APEL-cloud-message: v0.4\n")[1:]:
        part = part.split("\n{", 1)[0]
        for chunk in part.split("%%"):
            lines = [line.split(": ", 1) for line in chunk.strip().splitlines() if ": " in line]
            records += [dict(lines)] if lines else []
    return records


def accelerator_records(text):
    decoder, records, at = json.JSONDecoder(), [], text.find('{')
    while at >= 0:
        message, end = decoder.raw_decode(text, at)
        records += message.get("UsageRecords", [])
        at = text.find("{", end)
    return records


def message(given):
    with open(given.messages) as file:
        text = file.read()
    with open(given.allocation) as file:
        allocation = json.load(file)
    with open(given.entries) as file:
        every = json.load(file)
    id = allocation["ID"]
    start, end = (us + given.shift_us for us in window(allocation))
    later = time.gmtime(end // 1_000_000)
    turn = calendar.timegm((later.tm_year, later.tm_mon, 1, 0, 0, 0)) * 1_000_000
    intervals = [e["interval"] for e in every if e.get("interval", {}).get("allocation") == id]
    if not start < turn < end or not any(i["end"]["wall_us"] == turn for i in intervals):
        sys.exit(f"no interval ends at the end of the month, {turn}")
    cpu = lambda until: sum(i["cpu"]["used_us"] for i in intervals if i["end"]["wall_us"] <= until) // 1_000_000
    cloud = [record for record in cloud_records(text) if record["VMUUID"] == id]
    found = [tuple(record.get(key) for key in ("Status", "RecordCreateTime", "WallDuration", "CpuDuration", "EndTime"))
             for record in cloud]
    seconds = lambda us: str(us // 1_000_000)
    wanted = [("started", str(turn // 1_000_000 - 1), seconds(turn - start), str(cpu(turn)), None),
              ("completed", seconds(end), seconds(end - start), str(cpu(end)), seconds(end))]
    found = [(*row[:4], None if row[0] == "started" else row[4]) for row in found]
    accelerators = [record for record in accelerator_records(text) if record["AssociatedRecord"] == id]
    held = [record["AvailableDuration"] for record in accelerators]
    wrong = []
    if found != wanted:
        wrong.append(f"cloud records {found}, wanted {wanted}")
    if held != [(turn - start) // 1_000_000, (end - turn) // 1_000_000]:
        wrong.append(f"AvailableDuration {held}, wanted {turn - start} and {end - turn} µs")
    for record, (since, until) in zip(accelerators, ((start, turn), (turn, end))):
        gpus = [gpu for i in intervals if since < i["end"]["wall_us"] <= until for gpu in i["gpus"]]
        truth = worked(given.scenario, gpus[0]["id"], since - given.shift_us, until - given.shift_us)
        bound = sum(gpu["busy_bound_us"] for gpu in gpus)
        said = record["ActiveDuration"]
        print(f"active {said} s, truth {truth} µs, bound {bound}")
        # Whole seconds, downwards.
        if not truth - bound - 1_000_000 < said * 1_000_000 <= truth + bound:
            wrong.append(f"ActiveDuration {said}, the truth is {truth} µs, the bound {bound}")
    if wrong:
        sys.exit("\n".join(wrong))


def main():
    about, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for own in ("entries", "ledger"):
        commands.add_parser(own)
    facts = commands.add_parser("facts")
    facts.add_argument("--allocations", required=True)
    facts.add_argument("--entries", required=True)
    judging, messages = commands.add_parser("judge"), commands.add_parser("message")
    for command in (judging, messages):
        command.add_argument("--allocation", required=True)
        command.add_argument("--entries", required=True)
        command.add_argument("--shift-us", type=int, default=0)
    messages.add_argument("--messages", required=True)
    judging.add_argument("--scenario")
    messages.add_argument("--scenario", required=True)
    judging.add_argument("--cpu-us", type=int)
    task_and_us = lambda text: (text.split("=")[0], int(text.split("=")[1]))
    judging.add_argument("--cpu-of", type=task_and_us, action="append", default=[])
    judging.add_argument("--cpu-slack-us", type=int, default=0)
    judging.add_argument("--allow", action="append", default=[])
    given = parser.parse_args()
    {"judge": judge, "message": message, "facts": judge_facts,
     "entries": lambda _: entries(), "ledger": lambda _: ledger()}[given.command](given)


if __name__ == "__main__":
    main()
