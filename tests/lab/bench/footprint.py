"""What processes cost, and what asks them.

footprint.py measure SECONDS NAME=PID...  on their host, as root: prints what each took, as JSON
footprint.py scrape SECONDS URL...        asks each URL at this interval, as Prometheus does, and
                                          throws the answer away; a line of Unix time, port and bytes each
footprint.py table FOLDER                 prints what was measured, beside what it should be

FOLDER has `<part>.json`, from `measure`, and `<part>.scrapes`, from `scrape`.
"""

import http.client
import json
import os
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

NAMES = {"agent": "atoll-agent", "node_exporter": "node_exporter", "cadvisor": "cAdvisor"}
PORTS = {"node_exporter": "9100", "cadvisor": "8080"}
PARTS = {"alone": "no peer runs", "each-1": "every second", "each-15": "every 15 s"}
# For a node with 8 GPUs and 100 allocations: this one has less to do.
CPU_PERCENT, RESIDENT_MIB = 0.2, 15
# The kernel walks all pages for it: seldom, not to be in the way.
SHARES = 5


# --- measure ------------------------------------------------------------------------------


def cpu_ns(pid):
    """All threads, those that have ended too: the kernel's own clock of a process, by its number."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def children_ns(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def threads_ns(pid):
    """Of each thread, by the kernel's count; those of one name together."""
    used = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        used[(task / "comm").read_text().strip()] += int((task / "schedstat").read_text().split()[0])
    return used


def fields_of(path):
    return dict(line.split(":", 1) for line in Path(path).read_text().splitlines() if ":" in line)


def number(text):
    return int(text.split()[0])


def sample(pid, seen):
    status = fields_of(f"/proc/{pid}/status")
    seen["resident_kib"].append(number(status["VmRSS"]))
    seen["threads"].append(number(status["Threads"]))
    seen["files"].append(len(os.listdir(f"/proc/{pid}/fd")))


def measure(seconds, processes):
    found = {name: {"resident_kib": [], "share_kib": [], "threads": [], "files": []} for name in processes}
    since, begin = time.time(), time.monotonic_ns()
    used = {name: cpu_ns(pid) + children_ns(pid) for name, pid in processes.items()}
    by_thread = {name: threads_ns(pid) for name, pid in processes.items()}
    for second in range(1, seconds + 1):
        time.sleep(max(0, begin / 1e9 + second - time.monotonic()))
        if second == seconds:
            # Before the rest disturbs it.
            wall = time.monotonic_ns() - begin
            for name, pid in processes.items():
                found[name]["cpu_percent"] = 100 * (cpu_ns(pid) + children_ns(pid) - used[name]) / wall
            for name, pid in processes.items():
                now = threads_ns(pid)
                found[name]["thread_percent"] = {t: 100 * (now[t] - by_thread[name][t]) / wall for t in now}
        for name, pid in processes.items():
            sample(pid, found[name])
            if second % max(1, seconds // SHARES) == 0:
                found[name]["share_kib"].append(number(fields_of(f"/proc/{pid}/smaps_rollup")["Pss"]))
    json.dump({"since": since, "until": time.time(), "seconds": seconds, "processes": found}, sys.stdout)


# --- scrape -------------------------------------------------------------------------------


def ask(url, seconds, offset):
    place = urlsplit(url)
    # One connection for all, and compressed answers.
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    turn = time.monotonic() + offset
    while True:
        time.sleep(max(0, turn - time.monotonic()))
        turn += seconds
        connection.request("GET", place.path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        size = len(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{url} answers {answer.status}")
        print(time.time(), place.port, size, flush=True)


def scrape(seconds, urls):
    def end(failure):
        print(f"no answer: {failure.exc_value}", file=sys.stderr, flush=True)
        os._exit(1)

    threading.excepthook = end
    for turn, url in enumerate(urls):
        # Not all at once.
        threading.Thread(target=ask, args=(url, seconds, seconds * turn / len(urls))).start()


# --- table --------------------------------------------------------------------------------


def asked(path, since, until):
    """How often each port answered while was measured."""
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return Counter(port for at, port, _ in lines if since <= float(at) <= until)


def times(value, base):
    ratio = value / base
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def span(values):
    return f"{min(values)} – {max(values)}" if min(values) < max(values) else str(values[0])


def aim(name, cpu, resident):
    if name != "agent":
        return ""
    wanted = (f"≤ {CPU_PERCENT} %", cpu <= CPU_PERCENT), (f"≤ {RESIDENT_MIB} MiB", resident <= RESIDENT_MIB)
    return "; ".join(f"{text}: {'met' if met else '**missed**'}" for text, met in wanted)


def rows(folder, part):
    measured = json.loads((folder / f"{part}.json").read_text())
    answers = asked(folder / f"{part}.scrapes", measured["since"], measured["until"])
    figures = {
        name: (found["cpu_percent"], statistics.median(found["resident_kib"]) / 1024)
        for name, found in measured["processes"].items()
    }
    for name, found in measured["processes"].items():
        cpu, resident = figures[name]
        scrapes = answers[PORTS[name]] if name in PORTS else "–"
        print(
            f"| {PARTS[part]} | {NAMES[name]} | {scrapes} | {cpu:.3f} | {times(cpu, figures['agent'][0])}"
            f" | {resident:.1f} | {max(found['resident_kib']) / 1024:.1f} | {times(resident, figures['agent'][1])}"
            f" | {statistics.median(found['share_kib']) / 1024:.1f} | {span(found['threads'])} | {span(found['files'])}"
            f" | {aim(name, cpu, resident)} |"
        )


def table(folder):
    print("| peers are asked | | answers | CPU, % of a core | to the agent | resident, MiB | most | to the agent | share (PSS), MiB", end="")
    print(" | threads | open files | aim |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for part in PARTS:
        rows(folder, part)
    alone = json.loads((folder / "alone.json").read_text())["processes"]["agent"]["thread_percent"]
    most_first = sorted(alone.items(), key=lambda thread: -thread[1])
    print("\natoll-agent by thread while no peer runs, % of a core:", ", ".join(f"{name} {cpu:.3f}" for name, cpu in most_first))


match sys.argv[1:]:
    case ["measure", seconds, *processes]:
        measure(int(seconds), {name: int(pid) for name, _, pid in (p.partition("=") for p in processes)})
    case ["scrape", seconds, *urls]:
        scrape(int(seconds), urls)
    case ["table", folder]:
        table(Path(folder))
    case _:
        sys.exit(__doc__)
