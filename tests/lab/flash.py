#!/usr/bin/env python3
"""flash.py: jobs that Nomad forgets as soon as they are over.

    NOMAD_TOKEN=... flash.py COUNT           runs on a server's host, as root
    NOMAD_TOKEN=... flash.py --early NAME    runs on the node with GPUs, as root

Each lives for 50 ms on the node with GPUs, by docker and by raw_exec in turns. The moment it
is over it is purged, and what is left of it collected. Prints the allocations, as Nomad last
told of them, as JSON; fails if Nomad still knows one.

With --early it is one job that would live for an hour, by exec. It is purged the moment its
group appears, before its node has told that it runs (it tells every 200 ms). If the node was
faster, another job is tried, NAME-2 and so on; fails if none of ten was early enough.
"""

import http.client
import json
import os
import ssl
import sys
import threading
import time

TLS = ssl.create_default_context(cafile="/etc/nomad.d/certs/nomad-ca.pem")
TLS.check_hostname = False
TLS.load_cert_chain("/etc/nomad.d/certs/agent.pem", "/etc/nomad.d/certs/agent-key.pem")
LONGEST_S = 60
GROUPS = "/sys/fs/cgroup/cpuacct/nomad"


def ask(connection, method, path, body=None):
    """The status, the index and the body of an answer."""
    text = json.dumps(body) if body is not None else None
    connection.request(method, path, text, {"X-Nomad-Token": os.environ["NOMAD_TOKEN"]})
    answer = connection.getresponse()
    read = answer.read()
    index = answer.getheader("X-Nomad-Index")
    return answer.status, index, json.loads(read) if read and answer.status == 200 else None


def job(name, driver, command="sleep 0.05"):
    config = {"command": "/bin/sh", "args": ["-c", command]}
    if driver == "docker":
        config["image"] = "atoll/probe:1.35"
    return {
        "ID": name, "Name": name, "Type": "batch", "Namespace": "example", "Datacenters": ["*"],
        "Meta": {"owner": "alice@example.org"},
        "Constraints": [{"LTarget": "${node.unique.name}", "RTarget": "example-one-wn-1", "Operand": "="}],
        "TaskGroups": [{
            "Name": "g", "Count": 1,
            "RestartPolicy": {"Attempts": 0, "Mode": "fail"},
            "ReschedulePolicy": {"Attempts": 0, "Unlimited": False},
            "Tasks": [{"Name": "main", "Driver": driver, "Config": config,
                       "Resources": {"CPU": 50, "MemoryMB": 32}}],
        }],
    }


def flash(name, driver, done):
    nomad = http.client.HTTPSConnection("127.0.0.1", 4646, context=TLS)
    deadline = time.monotonic() + LONGEST_S
    ask(nomad, "PUT", "/v1/jobs?namespace=example", {"Job": job(name, driver)})
    try:
        last = run(nomad, name, deadline)
        if last:
            forget(nomad, name, driver, last, deadline, done)
    finally:
        ask(nomad, "DELETE", f"/v1/job/{name}?purge=true&namespace=example")


def run(nomad, name, deadline):
    """The allocation of a job, once it is over; none if that takes too long."""
    index, last = 1, None
    while last is None or last["ClientStatus"] not in ("complete", "failed"):
        if time.monotonic() > deadline:
            return None
        _, index, found = ask(nomad, "GET", f"/v1/job/{name}/allocations?namespace=example&index={index}&wait=5s")
        last = found[0] if found else None
    return last


def forget(nomad, name, driver, last, deadline, done):
    ask(nomad, "DELETE", f"/v1/job/{name}?purge=true&namespace=example")
    while time.monotonic() < deadline:
        ask(nomad, "PUT", "/v1/system/gc")
        status, _, told = ask(nomad, "GET", f"/v1/allocation/{last['ID']}")
        if status == 404:
            done.append(last | {"Driver": driver})
            return
        last["ClientStatus"] = told["ClientStatus"]
        time.sleep(0.005)


def early(name):
    """One that is forgotten while its servers hold it for one that waits for its start, or none."""
    nomad, done = http.client.HTTPSConnection("127.0.0.1", 4646, context=TLS), []
    deadline = time.monotonic() + LONGEST_S
    before = set(os.listdir(GROUPS))
    ask(nomad, "PUT", "/v1/jobs?namespace=example", {"Job": job(name, "exec", "sleep 3600")})
    while not (groups := set(os.listdir(GROUPS)) - before):
        if time.monotonic() > deadline:
            sys.exit(f"{name} has no group after {LONGEST_S} s")
        time.sleep(0.001)
    (group,) = groups
    allocation = {"ID": group.rpartition(".")[0], "JobID": name, "Name": f"{name}.g[0]", "ClientStatus": "pending"}
    forget(nomad, name, "exec", allocation, deadline, done)
    return done if allocation["ClientStatus"] == "pending" else []


def main():
    if sys.argv[1] == "--early":
        for place in range(1, 11):
            if done := early(f"{sys.argv[2]}-{place}"):
                print(json.dumps(done[0]))
                return
        sys.exit("the node has told of each of ten jobs that it runs before it was forgotten")
    count = int(sys.argv[1])
    done, threads = [], []
    for place in range(count):
        driver = ("docker", "raw_exec")[place % 2]
        thread = threading.Thread(target=flash, args=(f"flash-{os.getpid()}-{place}", driver, done))
        thread.start()
        threads.append(thread)
        # So that they end while others begin: it is the distance that makes lists miss them. Much
        # nearer, and Nomad's servers themselves would forget them before anybody can ask.
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    print(json.dumps(done))
    if len(done) != count:
        sys.exit(f"only {len(done)} of {count} jobs were over and forgotten within {LONGEST_S} s")


main()
