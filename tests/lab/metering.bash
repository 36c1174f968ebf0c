# shellcheck shell=bash
# The cases of `suite` about metering: from a job that real Nomad runs to the message for EGI.
# Read after cases.bash, whose functions these use. h4 has the GPUs, h1 the accounting service.

AGENT=/var/lib/atoll-agent

# --- jobs ---------------------------------------------------------------------------------

# job NAME DRIVER COMMAND [GPUS [TASK]]: a batch job on h4, for a user of the VO. TASK is a second task of its group.
job() {
	local config='command = "/bin/sh"' device=
	[[ $2 != docker ]] || config='image = "atoll/probe:1.35"
        command = "/bin/sh"'
	[[ ! ${4:-} ]] || device="device \"nvidia/gpu\" { count = $4 }"
	on h1 "cat >/tmp/$1.nomad.hcl" <<-JOB
		job "$1" {
		  datacenters = ["*"]
		  type        = "batch"
		  namespace   = "example"
		  meta { owner = "alice@example.org" }
		  group "g" {
		    restart {
		      attempts = 0
		      mode     = "fail"
		    }
		    reschedule { attempts = 0 }
		    constraint {
		      attribute = "\${node.unique.name}"
		      value     = "example-one-wn-1"
		    }
		    task "main" {
		      driver = "$2"
		      config {
		        $config
		        args = ["-c", "$3"]
		      }
		      resources {
		        cpu    = 200
		        memory = 64
		        $device
		      }
		    }
		    ${5:-}
		  }
		}
	JOB
	# A batch job that has run and is the same is not run again.
	nomad_cli job stop -purge -detach -namespace=example "$1" >/dev/null 2>&1 || true
	nomad_cli job run -detach "/tmp/$1.nomad.hcl" >/dev/null 2>&1
}

# burn N: shell that counts to N and uses CPU time for it.
burn() { printf 'i=0; while [ $i -lt %s ]; do i=$((i+1)); done' "$1"; }

# allocation NAME: Nomad's own word of a job's newest allocation, in $STATE/<name>.json.
allocation() {
	local id
	id=$(nomad_cli operator api -X GET "/v1/job/$1/allocations?namespace=example" |
		python3 -c 'import json, sys; print(max(json.load(sys.stdin), key=lambda a: a["CreateIndex"])["ID"])') || return 1
	nomad_cli operator api -X GET "/v1/allocation/$id" >"$STATE/$1.json"
}

ended() { # NAME
	allocation "$1" && python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
sys.exit(a["ClientStatus"] not in ("complete", "failed", "lost"))' "$STATE/$1.json"
}

wait_ended() { wait_for "${2:-60}" "ended '$1' 2>/dev/null" || wrong "the job $1 does not end"; }

id_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["ID"])' "$STATE/$1.json"; }

# --- what was metered -----------------------------------------------------------------------

entries() { on h1 'sudo python3 - entries' <"$LAB/usage.py" >"$STATE/entries.json"; }

arrived() { # NAME
	entries && python3 -c 'import json, sys
sys.exit(not any(e.get("end", {}).get("allocation") == sys.argv[2] for e in json.load(open(sys.argv[1]))))' \
		"$STATE/entries.json" "$(id_of "$1")"
}

# begun NAME: its facts are among the entries.
begun() {
	python3 -c 'import json, sys
sys.exit(not any(e.get("allocation", {}).get("id") == sys.argv[2] for e in json.load(open(sys.argv[1]))))' \
		"$STATE/entries.json" "$(id_of "$1")"
}

# judge NAME [FLAG...]: waits until the end of a job's usage has arrived, and compares.
judge() {
	local name=$1
	shift
	wait_for 60 "arrived '$name'" || wrong "the usage of $name does not arrive"
	python3 "$LAB/usage.py" judge --allocation "$STATE/$name.json" --entries "$STATE/entries.json" "$@" >"$LOG" 2>&1 ||
		{ cat "$LOG"; wrong "the usage of $name is not the truth"; }
	cat "$LOG" >>"$STATE/all.log"
}

# counter GROUP: what a group of h4 and all that ever was in it have used, in µs, by the kernel.
counter() { on h4 "cat /sys/fs/cgroup/cpuacct/$1/cpuacct.usage 2>/dev/null || echo 0" | awk '{printf "%d", $1 / 1000}'; }

# scenario [FAULTS [GPUS]]: these (1 unless said) of the GPUs 1 and 2 work 1.2 s of each 3 s from now on.
scenario() {
	python3 - "${1:-[]}" "${2:-1}" >"$STATE/scenario.json" <<-'SCENARIO'
		import json, sys, time
		uuid = lambda n: f"GPU-{str(n) * 8}-0000-4000-8000-00000000000{n}"
		busy = [{"from_us": 0, "until_us": 3_600_000_000, "period_us": 3_000_000, "busy_us": 1_200_000}]
		gpus = [{"uuid": uuid(n), "name": "NVIDIA A100-PCIE-40GB", "pci": f"00000000:{3 + n}B:00.0",
		         "memory_mib": 40960, "memory_reserved_mib": 479, "busy": busy if str(n) in sys.argv[2].split() else []} for n in (1, 2)]
		print(json.dumps({"driver_version": "550.163.01", "cuda_version": 12040, "gpus": gpus,
		                  "epoch_us": int(time.time() * 1e6), "faults": json.loads(sys.argv[1])}))
	SCENARIO
	on h4 'sudo sh -c "cat >/etc/fake-nvml/new && mv /etc/fake-nvml/new /etc/fake-nvml/scenario.json"' <"$STATE/scenario.json"
}

metered_three() {
	local before
	scenario '[]' '1 2'
	before=$(counter docker)
	job with-gpu docker "$(burn 300000); sleep 7" 1
	wait_ended with-gpu
	judge with-gpu --cpu-us $(($(counter docker) - before)) --scenario "$STATE/scenario.json"
	job with-both docker "sleep 7" 2
	wait_ended with-both
	judge with-both --scenario "$STATE/scenario.json"
	python3 -c 'import json, sys
sys.exit(2 != len({g["id"] for e in json.load(open(sys.argv[1])) if e.get("interval", {}).get("allocation") == sys.argv[2] for g in e["interval"]["gpus"]}))' \
		"$STATE/entries.json" "$(id_of with-both)" || wrong "it did not hold both GPUs"
	before=$(counter nomad)
	job by-exec exec "$(burn 300000); sleep 2"
	wait_ended by-exec
	judge by-exec --cpu-us $(($(counter nomad) - before))
	# Without a group of its own, its kernel's counter is what the shell says at its end.
	job by-raw raw_exec "$(burn 300000); sleep 2; times >/tmp/by-raw.times"
	wait_ended by-raw
	judge by-raw --cpu-us "$(on h4 'cat /tmp/by-raw.times' | times_us)"
}

# One ends before the other, when that has used all it will: both are held for as long as their allocation, each with its own use.
metered_tasks() {
	local docker nomad
	scenario '[]' '1 2'
	docker=$(counter docker) nomad=$(counter nomad)
	job two-tasks docker "$(burn 300000); sleep 6" 1 "task \"side\" {
		driver = \"exec\"
		config {
		  command = \"/bin/sh\"
		  args    = [\"-c\", \"$(burn 200000); sleep 3\"]
		}
		resources {
		  cpu    = 100
		  memory = 64
		}
	}"
	wait_ended two-tasks
	judge two-tasks --scenario "$STATE/scenario.json" \
		--cpu-of main=$(($(counter docker) - docker)) --cpu-of side=$(($(counter nomad) - nomad))
}

# What `times` says of a shell and its children, in µs.
times_us() {
	python3 -c 'import re, sys
print(sum(int(m) * 60_000_000 + round(float(s) * 1e6) for m, s in re.findall(r"(\d+)m([\d.]+)s", sys.stdin.read())))'
}

metered_short() {
	local before
	before=$(counter docker)
	job short docker 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
	wait_ended short
	judge short --cpu-us $(($(counter docker) - before))
	# Its driver is asked when it is over, and tells of what it did meanwhile.
	scenario
	job short-gpu docker 'sleep 0.05' 1
	wait_ended short-gpu
	judge short-gpu --scenario "$STATE/scenario.json"
	before=$(counter nomad)
	job short-exec exec 'sleep 0.05'
	wait_ended short-exec
	judge short-exec --cpu-us $(($(counter nomad) - before))
	# Where processes are counted one by one, one may be gone before anybody could look:
	# then its bound holds the truth, and it is marked.
	job short-raw raw_exec 'sleep 0.05; times >/tmp/short-raw.times'
	wait_ended short-raw
	judge short-raw --cpu-us "$(on h4 'cat /tmp/short-raw.times' | times_us)" --allow gap
}

# Ten jobs of 50 ms each, purged and collected the moment they are over: in none of Nomad's lists,
# or in none as one that is over.
forgotten_at_once() {
	flash 10
	judge_flashes 10
}

# Two such jobs while the agent is away have shown it nothing, and only the servers' memory tells of them.
# So it is with one that was purged while it ran; of two others it had seen the beginning.
forgotten_while_away() {
	sleeper 601 docker
	sleeper 602 exec
	on h4 'sudo systemctl stop atoll-agent'
	sleeper 603 exec
	purge 601 602 603
	flash 2
	on h4 'sudo systemctl start atoll-agent'
	judge_flashes 2
	for seconds in 601 602 603; do lost "$seconds" inferred; done
}

# The servers forget a job and its allocation while it runs; the node kills it some seconds later. Nomad
# tells nobody when that was: it is over when its processes are, and nothing is held beyond.
purged_while_it_ran() {
	sleeper 604 docker
	purge 604
	lost 604 measured
}

# Of one that is purged before its node has told that it runs, the servers remember for good that it
# waits for its start: its life is what the kernel has shown of it, and its name is theirs.
purged_before_it_was_told() {
	on h4 'cat >/tmp/flash.py' <"$LAB/flash.py"
	asked_us=$(date +%s%6N)
	secret nomad/management-token |
		on h4 'sudo sh -c "read -r NOMAD_TOKEN; export NOMAD_TOKEN; python3 /tmp/flash.py --early early"' >"$STATE/sleep-3600.json" ||
		wrong "Nomad did not forget a job before its node told of it"
	wait_for 30 "! sleeps 3600" || wrong "it is not killed"
	gone_us=$(date +%s%6N)
	lost 3600 inferred
}

# sleeper SECONDS DRIVER: a job that is known by how long it would sleep, and runs.
sleeper() {
	job "sleep-$1" "$2" "sleep $1"
	wait_for 30 "allocation sleep-$1 && grep -q '\"ClientStatus\": *\"running\"' '$STATE/sleep-$1.json'" || wrong "it does not run"
	wait_for 30 "sleeps $1" || wrong "it has no process"
}

sleeps() { on h4 "pgrep -fx 'sleep $1'" >/dev/null; }

# purge SECONDS...: the servers forget them; then the node has killed them: between $asked_us and $gone_us.
purge() {
	local seconds
	asked_us=$(date +%s%6N)
	for seconds in "$@"; do nomad_cli job stop -purge -detach -namespace=example "sleep-$seconds" >/dev/null; done
	nomad_cli system gc
	for seconds in "$@"; do wait_for 30 "! sleeps $seconds" || wrong "it is not killed"; done
	gone_us=$(date +%s%6N)
}

# lost SECONDS QUALITY: one that was purged ends while it was killed, and was held with that quality.
lost() {
	# What was never told is waited for, for a minute.
	wait_for 120 "arrived sleep-$1" || wrong "it has no end: $(on h4 systemctl show -p StatusText --value atoll-agent)"
	# It is looked at once a second; and a process that is gone may be seen so a moment later.
	python3 - "$STATE/entries.json" "$(id_of "sleep-$1")" "$((asked_us - 1500000))" "$((gone_us + 1500000))" "$2" <<-'HELD' ||
		import json, sys
		entries, (id, least, most, quality) = json.load(open(sys.argv[1])), sys.argv[2:]
		((start, owner),) = [(e["allocation"]["started_us"], e["allocation"]["owner"]) for e in entries if e.get("allocation", {}).get("id") == id]
		((end, status),) = [(e["end"]["ended_us"], e["end"]["status"]) for e in entries if e.get("end", {}).get("allocation") == id]
		intervals = [e["interval"] for e in entries if e.get("interval", {}).get("allocation") == id]
		held = sum(interval["held_us"] for interval in intervals)
		print(f"of {owner}, asked {least}, gone {most}, end {end} {status}, held {held} of {end - start}: {[i['held'] for i in intervals]}")
		# The two clocks of the node run apart by a part in a million.
		sys.exit(not (int(least) <= end <= int(most) and abs(held - (end - start)) <= 10 and status == "lost"
		              and owner == "alice@example.org" and quality in {i["held"] for i in intervals}))
	HELD
		wrong "sleep $1 is not held to its end"
}

flash() { # COUNT
	on h1 'cat >/tmp/flash.py' <"$LAB/flash.py"
	secret nomad/management-token |
		on h1 "sudo sh -c 'read -r NOMAD_TOKEN; export NOMAD_TOKEN; python3 /tmp/flash.py $1'" >"$STATE/flash.json" ||
		wrong "Nomad did not run and forget $1 jobs"
	python3 -c 'import json, sys
for i, a in enumerate(json.load(open(sys.argv[1]))): json.dump(a, open(f"{sys.argv[2]}/flash-{i}.json", "w"))' \
		"$STATE/flash.json" "$STATE"
}

judge_flashes() { # COUNT
	local i
	# One that nobody waited for may have no use that anybody saw; but its life is known to the microsecond.
	for ((i = 0; i < $1; i++)); do
		judge "flash-$i" --allow gap --allow inferred
	done
	python3 "$LAB/usage.py" facts --allocations "$STATE/flash.json" --entries "$STATE/entries.json" ||
		wrong "the accounting service does not have the facts of each"
	on h4 'sudo python3 - ledger' <"$LAB/usage.py" >"$STATE/ledger.json"
	python3 "$LAB/usage.py" facts --allocations "$STATE/flash.json" --entries "$STATE/ledger.json" ||
		wrong "the agent's ledger does not have the facts of each"
}

# The agent's wall clock is moved so that a month ends in 12 seconds, by its own setting. If that goes
# wrong the cases after it have the clock of today all the same.
across_a_month_end() {
	local shift_s
	shift_s=$(($(date -d "$(date +%Y-%m-01)T00:00:00Z" +%s) - 12 - $(date +%s)))
	trap 'on h4 "sudo sed -i /rehearse/,\\\$d /etc/atoll-agent/agent.toml; sudo systemctl restart atoll-agent"' EXIT
	on h4 "printf '\n[rehearse]\nclock_offset_s = $shift_s\n' | sudo tee -a /etc/atoll-agent/agent.toml >/dev/null; sudo systemctl restart atoll-agent"
	scenario
	job month docker "$(burn 100000); sleep 22" 1
	wait_ended month
	judge month --shift-us $((shift_s * 1000000)) --scenario "$STATE/scenario.json"
	on h1 "sudo -u atoll-accounting atoll-accounting publish --dry-run" >"$LOG" 2>&1 || wrong "publish --dry-run failed"
	python3 "$LAB/usage.py" message --messages "$LOG" --allocation "$STATE/month.json" --entries "$STATE/entries.json" \
		--shift-us $((shift_s * 1000000)) --scenario "$STATE/scenario.json" >>"$STATE/all.log" || wrong "the messages are wrong"
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	trap - EXIT
}

# Twenty times, at random moments, one of the two is killed while two jobs run.
killed() {
	local before docker nomad i
	scenario
	before=$(restarts) docker=$(counter docker) nomad=$(counter nomad)
	job kill-gpu docker "sleep 10; $(burn 600000); sleep 25; $(burn 200000)" 1
	job kill-exec exec "sleep 15; $(burn 600000); sleep 20; $(burn 200000)"
	for ((i = 0; i < 20; i++)); do
		if ((RANDOM % 2)); then kill_main h4 atoll-agent; else kill_main h1 atoll-accounting; fi
	done
	# systemd counts as well: each kill has hit a service.
	wait_for 20 "(($before + 20 == \$(restarts)))" || wrong "of twenty kills not each has hit: systemd counts $(($(restarts) - before))"
	wait_ended kill-gpu 120
	wait_ended kill-exec
	judge kill-gpu --cpu-us $(($(counter docker) - docker)) --scenario "$STATE/scenario.json" --allow inferred --allow gap
	judge kill-exec --cpu-us $(($(counter nomad) - nomad)) --allow inferred
}

# kill_main HOST SERVICE: one kill that hits. Between two lives a service has no process (0), and then
# it is waited for; the moment in its life is left to chance.
kill_main() {
	on "$1" "end=\$((\$(date +%s) + 20))
		until pid=\$(systemctl show -p MainPID --value $2) && [ \$pid -gt 0 ]; do
			[ \$(date +%s) -lt \$end ] || exit 1
			sleep 0.05
		done
		sleep $(python3 -c 'import random; print(random.uniform(0.1, 1.2))'); sudo kill -9 \$pid" ||
		wrong "$2 has no main process, or it was gone before it was killed"
}

# How often systemd has started the two again.
restarts() { say "$(($(on h4 systemctl show -p NRestarts --value atoll-agent) + $(on h1 systemctl show -p NRestarts --value atoll-accounting)))"; }

# Asked to stop, the agent closes what it holds and delivers it, while the job goes on.
drained() {
	local before wanted asked_us stopped_us
	scenario
	before=$(counter docker)
	job drained docker "$(burn 200000); sleep 14; $(burn 200000)" 1
	wait_for 30 "allocation drained 2>/dev/null && entries && begun drained" || wrong "its beginning does not arrive"
	# Of a service that is over, systemd forgets how it ended, unless one that runs names it.
	on h4 'sudo systemd-run --quiet --unit=names-agent -p After=atoll-agent.service sleep 60'
	asked_us=$(date +%s%6N)
	on h4 'sudo systemctl stop atoll-agent'
	stopped_us=$(date +%s%6N)
	on h4 'systemctl show -p ActiveState -p Result -p ExecMainCode -p ExecMainStatus atoll-agent' >"$LOG"
	for wanted in ActiveState=inactive Result=success ExecMainCode=1 ExecMainStatus=0; do said "^$wanted$"; done
	entries
	on h4 'sudo python3 - ledger' <"$LAB/usage.py" >"$STATE/ledger.json"
	allocation drained
	on h4 'sudo systemctl start atoll-agent; sudo systemctl stop names-agent'
	grep -q '"ClientStatus": *"running"' "$STATE/drained.json" || wrong "the job was over before the agent had stopped"
	python3 - "$STATE/entries.json" "$STATE/ledger.json" "$(id_of drained)" "$asked_us" "$stopped_us" <<-'DRAINED' ||
		import json, sys
		entries, ledger = (json.load(open(path)) for path in sys.argv[1:3])
		id, (asked, stopped) = sys.argv[3], map(int, sys.argv[4:])
		own = ledger[-1]["ledger"]
		here, there = (max((e["seq"] for e in each if e["ledger"] == own), default=0) for each in (ledger, entries))
		ends = [e["interval"]["end"]["wall_us"] for e in entries if e.get("interval", {}).get("allocation") == id]
		print(f"asked {asked}, stopped {stopped}, intervals to {ends}; the ledger has {here}, {there} have arrived")
		sys.exit(not (ends and asked <= ends[-1] <= min(stopped, asked + 2_000_000) and here == there))
	DRAINED
		wrong "what it held is not closed and delivered"
	wait_ended drained
	judge drained --cpu-us $(($(counter docker) - before)) --scenario "$STATE/scenario.json" --allow inferred
}

service_down() {
	local before
	on h1 'sudo systemctl stop atoll-accounting'
	before=$(counter nomad)
	job unheard exec "$(burn 50000)"
	wait_ended unheard
	before=$(($(counter nomad) - before))
	wait_for 20 "on h4 'systemctl show -p StatusText atoll-agent' | grep -q 'entries to deliver; '" || wrong "the agent does not say that it cannot deliver"
	expect 1 on h4 sudo atoll-agent check
	said '^failed +accounting +cannot reach'
	on h1 'sudo systemctl start atoll-accounting'
	judge unheard --cpu-us "$before"
}

rebooted() {
	job over-reboot docker "sleep 600"
	wait_for 30 "allocation over-reboot && grep -q '\"ClientStatus\": *\"running\"' '$STATE/over-reboot.json'" || wrong "it does not run"
	wait_for 30 "on h4 'systemctl show -p StatusText atoll-agent' | grep -q '1 allocations metered'" || wrong "it is not metered"
	"$LAB/poweroff" h4 >/dev/null
	"$LAB/start" h4 >/dev/null
	wait_ended over-reboot 120
	judge over-reboot --allow inferred --allow gap
	python3 -c 'import json, sys
held = [e["interval"]["held"] for e in json.load(open(sys.argv[1])) if e.get("interval", {}).get("allocation") == sys.argv[2]]
sys.exit("inferred" not in held)' "$STATE/entries.json" "$(id_of over-reboot)" || wrong "what nobody saw is not marked"
}

hung_driver() {
	local before
	scenario '[{"function": "nvmlDeviceGetSamples", "from_us": 4000000, "until_us": 16000000, "hang": true}]'
	before=$(counter docker)
	job hung docker "sleep 6; $(burn 300000); sleep 14" 1
	wait_for 40 "on h4 'systemctl show -p StatusText atoll-agent' | grep -q 'does not answer'" || wrong "nobody says that the driver hangs"
	wait_ended hung
	judge hung --cpu-us $(($(counter docker) - before)) --scenario "$STATE/scenario.json" --allow gap --allow inferred
}

full_disk() {
	local before
	trap empty_disk EXIT
	on h4 "sudo systemctl stop atoll-agent
		sudo mount -t tmpfs -o size=700k,mode=700,uid=\$(id -u atoll-agent),gid=\$(id -g atoll-agent) tmpfs $AGENT
		sudo systemctl start atoll-agent; sudo dd if=/dev/zero of=$AGENT/filler bs=4k 2>/dev/null; true"
	before=$(counter nomad)
	job full exec "$(burn 300000); sleep 4"
	wait_ended full
	wait_for 30 "on h4 'systemctl show -p StatusText atoll-agent' | grep -qi 'full'" || wrong "nobody says that the disk is full"
	on h4 "sudo rm $AGENT/filler"
	judge full --cpu-us $(($(counter nomad) - before))
	trap - EXIT
	empty_disk
}

empty_disk() { on h4 "sudo systemctl stop atoll-agent; sudo umount $AGENT; sudo systemctl start atoll-agent"; }

published() {
	local venv=$CACHE/dirq-venv
	[[ -x $venv/bin/python3 ]] && "$venv/bin/python3" -c 'import dirq' 2>/dev/null || {
		need python3-venv
		rm -rf "$venv"
		python3 -m venv "$venv"
		"$venv/bin/pip" --quiet install dirq==1.8
	}
	on h1 'sudo -u atoll-accounting atoll-accounting publish' >"$LOG" 2>&1 || wrong "publish failed"
	said '^published: [1-9][0-9]* cloud records and [1-9][0-9]* accelerator records'
	rm -rf "$STATE/outgoing"
	on h1 'sudo tar -C /var/lib/atoll-accounting -cf - outgoing' | tar -xf - -C "$STATE"
	"$venv/bin/python3" "$LAB/../accounting/dirq_check.py" "$STATE/outgoing" >"$LOG" || wrong "dirq cannot read the queue"
	[[ $(wc -l <"$LOG") -ge 2 ]] || wrong "less than two messages are in the queue"
	(cd "$STATE/outgoing" && while read -r name digest; do echo "$digest  $name"; done <"$LOG" | sha256sum -c --quiet) || wrong "dirq read something else"
	on h1 'sudo -u atoll-accounting atoll-accounting publish' >"$LOG" 2>&1 || wrong "publish failed the second time"
	said '^published: 0 cloud records and 0 accelerator records in 0 messages'
}

explained() {
	local id
	id=$(id_of with-gpu)
	on h1 "sudo -u atoll-accounting atoll-accounting report --by user,model --output json" >"$LOG" 2>&1
	said 'alice@example.org'
	on h1 "sudo -u atoll-accounting atoll-accounting explain $id" >"$LOG" 2>&1 || wrong "explain failed"
	said 'WallDuration'
	said 'cpuacct/docker/'
}

metering_cases() {
	try "three jobs are metered: GPU, CPU and wall time are the truth" metered_three
	try "two tasks of one allocation are metered, each for itself" metered_tasks
	try "discover and check tell by hand what the node has, and that all is there" by_hand
	try "the agent's token reads what it needs of Nomad, and writes nothing" read_only
	try "a node whose Nomad is away is critical in Consul, until it is back" nomad_away
	try "beats cost Consul's servers no write" beats_write_nothing
	try "a job of 50 ms is metered, whatever runs it" metered_short
	try "jobs that Nomad forgets the moment they are over are metered, each with its facts, once" forgotten_at_once
	try "so are those that it forgot while the agent was away" forgotten_while_away
	try "a job that is purged while it runs is held until its processes end, and no longer" purged_while_it_ran
	try "one that is purged before its node has told of it is held by what the kernel shows" purged_before_it_was_told
	try "a job over a month's end is split to the second, in intervals and messages" across_a_month_end
	try "twenty kills at random moments change no sum" killed
	try "asked to stop, the agent delivers what it holds before it ends" drained
	try "a job that ran while nobody listened arrives" service_down
	try "a job over a reboot is held, and what nobody saw is marked" rebooted
	try "nobody delivers without a certificate, or for another node" no_entrance
	try "what is no delivery is refused in a sentence, and the next one arrives" malformed
	try "settings with mistakes are refused, all at once" settings_with_mistakes
	try "a hung driver does not stop the metering" hung_driver
	try "a full disk under the ledger loses nothing" full_disk
	try "what is published is read by dirq, and published once" published
	try "each number of a message is explained" explained
}
