# shellcheck shell=bash
# The cases of `suite`, in the order in which they are tried: each stands on the
# state which the ones before have left.

LOG=$STATE/suite.log

# Ends the case.
wrong() { say "$*"; exit 1; }

# expect STATUS COMMAND...: runs it, keeps what it says in $LOG.
expect() {
	local wanted=$1 status=0
	shift
	"$@" >"$LOG" 2>&1 </dev/null || status=$?
	cat "$LOG" >>"$STATE/all.log"
	((status == wanted)) || { tail -n 20 "$LOG"; wrong "exit status $status, not $wanted: $*"; }
}

said() { grep -qE -- "$1" "$LOG" || { tail -n 15 "$LOG"; wrong "nothing was said of: $1"; }; }

# What hosts (all of them unless said) have, seen by inode, size and change time; what agents
# write themselves is left out.
snapshot() { # [HOST...]
	local host
	(($#)) || set -- h1 h2 h3 h4
	for host; do
		on "$host" "sudo find /etc /opt /usr /root /home /var/lib/atoll \
			\( -path /opt/consul -o -path /opt/nomad -o -path /etc/docker/key.json \) -prune -o \
			-printf '$host %p %i %s %C@ %m %u %g\n' 2>/dev/null; true"
		on "$host" "systemctl show -p Id -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic docker consul nomad atoll-agent atoll-accounting"
	done
}

bare() {
	local host traces
	for host in h1 h2 h3 h4; do
		traces=$(traces "$host" || true)
		[[ -z $traces ]] || wrong "$host has: $traces"
	done
}

unknown_key() {
	local copy=$STATE/wrong
	rm -rf "$copy" && cp -r "$SITE" "$copy"
	sed -i 's/gateway-0: { roles/gateway-0: { rolse/' "$copy/sites/example-one.yaml"
	expect 1 "$ATOLL" check "$copy"
	said 'sites/example-one.yaml:[0-9]+:[0-9]+: hosts.gateway-0.rolse: unknown key; did you mean `roles`'
}

plan_writes_nothing() {
	local before
	before=$(snapshot; find "$SITE" -printf '%p %i %s %C@\n')
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}"
	said 'start consul'
	[[ $(snapshot; find "$SITE" -printf '%p %i %s %C@\n') == "$before" ]] || wrong "something was written"
}

template_without_value() {
	mkdir -p "$SITE/templates/docker"
	printf '{\n  "data-root": "{{ data_rot }}"\n}\n' >"$SITE/templates/docker/daemon.json.tera"
	expect 2 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	rm -r "$SITE/templates"
	said 'docker/daemon.json.tera, line 2: Variable `data_rot` is not defined'
	bare
}

ssh_agent() {
	local socket=$STATE/agent.sock agent
	rm -f "$socket"
	ssh-agent -D -a "$socket" >/dev/null & agent=$!
	wait_for 10 "[[ -S '$socket' ]]" || wrong "no ssh-agent"
	SSH_AUTH_SOCK=$socket ATOLL_SSH_KEY='' expect 1 env -u ATOLL_SSH_KEY "$ATOLL" plan "$SITE" "${ON[@]}"
	said 'accepted none of the keys offered'
	SSH_AUTH_SOCK=$socket ssh-add -q "$ATOLL_SSH_KEY" 2>/dev/null
	SSH_AUTH_SOCK=$socket expect 1 env -u ATOLL_SSH_KEY "$ATOLL" plan "$SITE" "${ON[@]}"
	kill "$agent"
	said 'start consul'
	! grep -q '^failed' "$LOG" || wrong "a host was not reached with a key of ssh-agent"
}

revoked_host_key() {
	sed "s#^\($NETWORK\.13\)#@revoked \1#" "$STATE/known_hosts" >"$STATE/known_revoked"
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}" --known-hosts "$STATE/known_revoked"
	said 'failed example-one-wn-0: the host key of .* is marked @revoked'
	[[ $(grep -c '^failed' "$LOG") == 1 ]] || wrong "other hosts failed too"
}

# Whoever comes second is told who is there, and changes nothing.
second_operator() {
	local before
	before=$(snapshot)
	on h3 'sudo sh -c "echo \$\$ >/run/holder.pid; exec flock /run/atoll.lock sh -c \"echo run 20260101T000000Z of somebody, process 7 >/run/atoll.lock; echo held; exec sleep 60\""' >"$STATE/holder" &
	wait_for 10 "grep -q held '$STATE/holder'" || wrong "the lock cannot be held"
	expect 1 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	on h3 'sudo sh -c "kill \$(cat /run/holder.pid); rm /run/holder.pid"'
	said 'failed example-one-wn-0: another run is at work there \(run 20260101T000000Z of somebody'
	[[ $(snapshot) == "$before" ]] || wrong "something was changed"
}

changed_host_key() {
	local key
	ssh-keygen -q -t ed25519 -N '' -f "$STATE/other" <<<y >/dev/null
	key=$(cut -d' ' -f1,2 "$STATE/other.pub")
	sed "s#^\($NETWORK\.13[^ ]*\) .*#\1 $key#" "$STATE/known_hosts" >"$STATE/known_wrong"
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}" --known-hosts "$STATE/known_wrong"
	said "failed.* example-one-wn-0: the host key of $NETWORK.13:22 has changed"
	said 'example-one-wn-1: [0-9]+ changes'
}

wrong_digest() {
	local copy=$STATE/wrong before
	before=$(snapshot)
	rm -rf "$copy" && cp -r "$SITE" "$copy"
	sed -i -E 's#^.{8}(.*  consul/)#00000000\1#' "$copy/artifacts.lock"
	expect 1 "$ATOLL" apply "$copy" "${ON[@]}" --yes
	said 'consul has SHA-256 [0-9a-f]{64}, but artifacts.lock says 00000000'
	[[ $(snapshot) == "$before" ]] || wrong "a host was touched"
}

# Something else holds Consul's port on one host: the wave fails there, and leaves no file of its own.
put_back() {
	on h3 'sudo systemd-run --quiet --unit=squatter python3 -m http.server 8500 --bind 127.0.0.1'
	expect 1 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	on h3 'sudo systemctl stop squatter'
	said 'failed.* example-one-wn-0: consul clients: '
	said 'put back'
	on h3 '! test -e /etc/consul.d/consul.hcl && ! systemctl is-active --quiet consul' ||
		wrong "the host that failed was not put back"
	on h1 'systemctl is-active --quiet consul' || wrong "the first server did not go on"
	for host in h1 h2 h3 h4; do "$LAB/reset" "$host" >/dev/null; done
	make_site >/dev/null
}

plug_pulled() {
	local pid
	# Not what an earlier case has left there.
	: >"$LOG"
	"$ATOLL" apply "$SITE" "${ON[@]}" --yes >"$LOG" 2>&1 </dev/null &
	pid=$!
	wait_for 120 "grep -q 'example-one-wn-0: installing packages' '$LOG'" || wrong "no packages were installed"
	"$LAB/poweroff" h3 >/dev/null
	! wait "$pid" || wrong "the run says that all went well"
	cat "$LOG" >>"$STATE/all.log"
	said 'failed.* example-one-wn-0: base: '
	said 'next: atoll apply'
	"$LAB/start" h3 >/dev/null
}

first_apply() {
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes --output json
	said '"event":"run_done".*"failed":\[\]'
}

secured() {
	local answer
	answer=$(on h1 "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8500/v1/catalog/nodes').read().decode())\"" 2>&1 || true)
	[[ $answer != *example-one* ]] || wrong "Consul answers without a token: $answer"
	curl -sk "https://$NETWORK.11:4646/v1/nodes" >/dev/null 2>&1 && wrong "Nomad speaks without a client certificate"
	curl -s "http://$NETWORK.11:8500/v1/status/leader" >/dev/null 2>&1 && wrong "Consul's HTTP port is open to the network"
	on h1 'sudo grep -q "enforcement = \"strict\"" /etc/nomad.d/server.hcl' || wrong "introduction is not strict"
	on h3 'sudo test ! -e /opt/nomad/client/intro_token.jwt' || wrong "the introduction token stays on the host"
	on h1 'sudo journalctl -u consul -u nomad --no-pager | grep -iE "permission denied|acl not found" | tail -n 3' >"$LOG" || true
}

second_apply() {
	local before
	before=$(snapshot; find "$SITE" -printf '%p %i %s %C@\n')
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	said '^0 changes'
	diff <(say "$before") <(snapshot; find "$SITE" -printf '%p %i %s %C@\n') >"$LOG" || { head "$LOG"; wrong "something was written or restarted"; }
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

drift() {
	on h3 'sudo sed -i s/INFO/DEBUG/ /etc/nomad.d/nomad.hcl'
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}"
	said 'replace /etc/nomad.d/nomad.hcl  \(restarts nomad\)'
	said '\-log_level            = "DEBUG"'
	said '^1 change,'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

# What was noted to be set through the APIs is no longer true when a run ends between two steps.
half_set() {
	local policy=consul/policies/dns-read.hcl.tera
	mkdir -p "$SITE/templates/${policy%/*}"
	{ echo '# Other rules.'; cat "$LAB/../../templates/$policy"; } >"$SITE/templates/$policy"
	on h1 'sudo systemctl stop nomad; sudo systemd-run --quiet --unit=squatter python3 -m http.server 4646'
	expect 1 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	said 'failed.* example-one-server-0: nomad servers: '
	rm -r "$SITE/templates"
	on h1 'sudo systemctl stop squatter; sudo systemctl start nomad'
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}"
	said 'ACLs, namespaces and gateways differ from what was last set'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

# A unit that stops starting at boot, and systemd was not told: what it remembers is older than the disk.
enabled_behind() {
	on h3 'sudo rm /etc/systemd/system/multi-user.target.wants/nomad.service; sudo systemctl daemon-reload'
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}"
	said 'enable nomad'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	on h3 'test -e /etc/systemd/system/multi-user.target.wants/nomad.service' || wrong "nomad does not start at boot"
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

verified() {
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^ok +route +example.example-one: https://'
	said '^ok +route +imagine.example-one: https://'
	said 'meta.status is ready'
	# A GPU that is held by somebody would leave this untried, and the rest well.
	said '^ok +gpu-job +example-one-wn-1: '
}

# wait_for SECONDS COMMAND: until the command succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	until eval "$2"; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

secret() { # name
	age --decrypt --identity "$ATOLL_IDENTITY_FILE" "$SITE/secrets/federation.age" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["secrets"][sys.argv[1]])' "$1"
}

# The products' own programs on the first server, as the operator; tokens go by standard input.
consul_cli() {
	secret consul/management-token | on h1 "read -r CONSUL_HTTP_TOKEN; export CONSUL_HTTP_TOKEN; consul $*"
}

nomad_cli() {
	secret nomad/management-token | on h1 "sudo sh -c 'read -r NOMAD_TOKEN; export NOMAD_TOKEN
		export NOMAD_ADDR=https://127.0.0.1:4646 NOMAD_CACERT=/etc/nomad.d/certs/nomad-ca.pem
		export NOMAD_CLIENT_CERT=/etc/nomad.d/certs/agent.pem NOMAD_CLIENT_KEY=/etc/nomad.d/certs/agent-key.pem
		nomad $*'"
}

no_jobs() {
	local left
	left=$(nomad_cli job status -namespace=\\* | grep -E 'atoll-(probe|verify)' || true)
	[[ -z $left ]] || wrong "left behind: $left"
}

verify_interrupted() {
	local pid
	no_jobs
	# Not what an earlier case has left there.
	: >"$LOG"
	"$ATOLL" verify "$SITE" "${ON[@]}" >"$LOG" 2>&1 </dev/null &
	pid=$!
	wait_for 30 "grep -q 'proving the route' '$LOG'" || wrong "no route was tried"
	kill -INT "$pid"
	! wait "$pid" || wrong "an interrupted verify says that all is well"
	said 'stopping; the jobs of this run are purged first'
	no_jobs
}

broken_token() {
	local accessor
	accessor=$(consul_cli acl token list -format=json |
		python3 -c 'import json, sys; print(next(t["AccessorID"] for t in json.load(sys.stdin) if t["SecretID"] == sys.argv[1]))' \
			"$(secret node/example-one-wn-0/consul/nomad-token)")
	consul_cli acl token delete -accessor-id "$accessor" >/dev/null
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^failed +token +example-one-wn-0: Consul does not accept the token of the Nomad agent'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes --deep
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

broken_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=other \
		-addext 'subjectAltName=DNS:*.other.example' -keyout "$STATE/other.key" -out "$STATE/other.pem" 2>/dev/null
	nomad_cli var get -out=json nomad/jobs/traefik-example-one-gateway-0 |
		python3 -c 'import json, sys; v = json.load(sys.stdin)
for name in list(v["Items"]):
    if name.startswith("cert_"): v["Items"][name] = open(sys.argv[1]).read()
    if name.startswith("key_"): v["Items"][name] = open(sys.argv[2]).read()
print(json.dumps({"Path": v["Path"], "Namespace": "default", "Items": v["Items"]}))' "$STATE/other.pem" "$STATE/other.key" |
		on h1 'sudo sh -c "umask 077; cat >/run/variable.json"'
	nomad_cli var put -force @/run/variable.json >/dev/null
	on h1 'sudo rm /run/variable.json'
	wait_for 60 "openssl s_client -connect $NETWORK.12:443 -servername a.one-deployments.example.org </dev/null 2>/dev/null | grep -q 'CN = other'" ||
		wrong "Traefik does not show the other certificate"
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^failed +certificate +example-one-gateway-0: one-deployments'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes --deep
	wait_for 60 "openssl s_client -connect $NETWORK.12:443 -servername a.one-deployments.example.org </dev/null 2>/dev/null | grep -q 'CN = example-one-gateway-0'" ||
		wrong "Traefik does not show its own certificate again"
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

broken_agent() {
	on h3 'sudo systemctl stop consul'
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^failed +consul-agent +example-one-wn-0: cannot ask Consul'
	said '^not tried +token +example-one-wn-0'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

broken_traefik() {
	nomad_cli job stop -purge traefik-example-one-gateway-0 >/dev/null
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^failed +traefik +example-one-gateway-0: Nomad has no job traefik-example-one-gateway-0'
	said '^not tried +route'
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes --deep
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

broken_metadata() {
	local id
	id=$(nomad_cli node status -json | python3 -c 'import json, sys; print(next(n["ID"] for n in json.load(sys.stdin) if n["Name"] == "example-one-wn-1" and n["Status"] == "ready"))')
	nomad_cli node meta apply -node-id "$id" domain=other >/dev/null
	wait_for 30 "nomad_cli node status -json $id | grep -q '\"domain\": \"other\"'" || wrong "the metadata did not change"
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said '^failed +metadata +example-one-wn-1: meta.domain is "other", not "one"'
	nomad_cli node meta apply -node-id "$id" domain=one >/dev/null
	wait_for 30 "nomad_cli node status -json $id | grep -q '\"domain\": \"one\"'" || wrong "the metadata did not change back"
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

# One GPU falls off the bus, the other needs a reset: Nomad gives them to nobody, and their operator is told.
broken_gpu() {
	local lost=GPU-11111111-0000-4000-8000-000000000001 sick=GPU-22222222-0000-4000-8000-000000000002
	trap scenario EXIT
	scenario "[{\"function\": \"nvmlDevice*\", \"gpu\": \"$lost\", \"code\": 15},
		{\"function\": \"nvmlDeviceGetUtilizationRates\", \"gpu\": \"$sick\", \"code\": 16}]"
	wait_for 120 "[[ \$(gpus_of_nomad) == '$sick False'* ]]" || wrong "Nomad does not see that both are broken: $(gpus_of_nomad)"
	wait_for 120 "[[ \$(registered) == *' warning '*'GPU 0 does not answer'* ]]" || wrong "the agent does not say that a GPU is lost: $(registered)"
	expect 1 "$ATOLL" verify "$SITE" "${ON[@]}"
	said "^failed +gpus +example-one-wn-1: $sick is not healthy: GPU requires reset; the inventory says 2 × NVIDIA A100-PCIE-40GB, Nomad sees 1 × "
	said '^failed +agent +example-one-wn-1: .*GPU 0 does not answer'
	scenario
	trap - EXIT
	wait_for 120 "[[ \$(gpus_of_nomad) == '$lost True'*'$sick True'* ]]" || wrong "Nomad does not see that they are back: $(gpus_of_nomad)"
	wait_for 120 "[[ \$(registered) == *' passing all is well | passing '* ]]" || wrong "the agent does not say that they are back: $(registered)"
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}

# gpus_of_nomad: of each GPU of h4 whether Nomad has it for healthy, and what it says.
gpus_of_nomad() {
	nomad_cli node status -json | python3 -c 'import json, sys; print(next(n["ID"] for n in json.load(sys.stdin) if n["Name"] == "example-one-wn-1" and n["Status"] == "ready"))' |
		{ read -r id; nomad_cli node status -json "$id"; } |
		python3 -c 'import json, sys
for d in json.load(sys.stdin)["NodeResources"]["Devices"] or []:
    for i in d["Instances"]: print(i["ID"], i["Healthy"], i["HealthDescription"])'
}

# Two hosts have drifted. What is chosen is put right, and nothing else is looked at.
part_only() {
	local before
	expect 2 "$ATOLL" plan "$SITE" --on wn-7
	said 'no host is meant by `wn-7` \(did you mean wn-[01]'
	expect 2 "$ATOLL" apply "$SITE" --yes --on @gpus
	said '`@gpus` means nothing'
	for host in h3 h4; do on "$host" 'sudo sed -i s/INFO/DEBUG/ /etc/nomad.d/nomad.hcl'; done
	before=$(snapshot h1 h2 h3)
	expect 1 "$ATOLL" plan "$SITE" --on wn-1
	said '^1 change,'
	said '^left out by --on: 7 of 8 hosts; what is set through the APIs'
	said '^next: atoll apply .* --on wn-1$'
	! grep -E 'example-one-(wn-0|gateway-0|server-0):' "$LOG" || wrong "a host was asked that was not chosen"
	expect 0 "$ATOLL" apply "$SITE" --yes --on wn-1
	said '^1 change,'
	said '^next: atoll verify .* --on wn-1$'
	expect 0 "$ATOLL" verify "$SITE" --on wn-1
	said '^ok +probe +example-one-wn-1: '
	said '^left out by --on: 7 of 8 hosts; routes through example-one-gateway-0'
	! grep -E '^(ok|failed|not tried) +[a-z-]+ +(example-one-wn-0|example-one-gateway-0|example.example-one)' "$LOG" ||
		wrong "what was not chosen was proved"
	[[ $(snapshot h1 h2 h3) == "$before" ]] || wrong "a host was changed that was not chosen"
	expect 1 "$ATOLL" plan "$SITE" "${ON[@]}"
	said '^1 change,'
	said '^example-one-wn-0$'
	expect 0 "$ATOLL" apply "$SITE" --yes "${ON[@]}"
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

# A bare host joins without a server being chosen: that gives the tokens, and is not changed.
part_joins() {
	local accessor before
	"$LAB/reset" h4 >/dev/null
	accessor=$(consul_cli acl token list -format=json |
		python3 -c 'import json, sys; print(next(t["AccessorID"] for t in json.load(sys.stdin) if t["SecretID"] == sys.argv[1]))' \
			"$(secret node/example-one-wn-1/consul/agent-token)")
	consul_cli acl token delete -accessor-id "$accessor" >/dev/null
	before=$(snapshot h1 h2 h3)
	expect 0 "$ATOLL" apply "$SITE" --yes --on wn-1
	said 'connecting to a Consul server of the primary datacenter, for tokens of the chosen hosts'
	[[ $(snapshot h1 h2 h3) == "$before" ]] || wrong "a host was changed that was not chosen"
	consul_cli acl token read -accessor-id "$accessor" >/dev/null || wrong "the token was not made"
	expect 0 "$ATOLL" verify "$SITE" --on wn-1
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
}

# Everything in the store that must never be seen: token and key values, and a line of each private key.
store_values() {
	age --decrypt --identity "$ATOLL_IDENTITY_FILE" "$SITE/secrets/federation.age" | python3 -c '
import json, sys
store = json.load(sys.stdin)
print(*store["secrets"].values(), sep="\n")
for authority in store["authorities"].values(): print(authority["key_pem"].splitlines()[1])'
}

no_leak() {
	local host found
	store_values >"$STATE/values"
	[[ $(wc -l <"$STATE/values") -ge 15 ]] || wrong "too few secrets to look for"
	! grep -F -f "$STATE/values" "$STATE/all.log" || wrong "a secret was said by atoll"
	! grep -rF -f "$STATE/values" "$SITE" || wrong "a secret is in the inventory folder"
	for host in h1 h2 h3 h4; do
		found=$(on "$host" 'sudo sh -c "umask 077; cat >/run/values
			journalctl --no-pager | grep -qF -f /run/values && echo the journal
			for p in /proc/[0-9]*; do
				tr \\\\0 \\\\n <\$p/cmdline 2>/dev/null | grep -qF -f /run/values && echo \$p/cmdline
				tr \\\\0 \\\\n <\$p/environ 2>/dev/null | grep -qF -f /run/values && echo \$p/environ
			done
			chown nobody /run/values
			setpriv --reuid=nobody --regid=nogroup --clear-groups \
				find / \( -path /proc -o -path /sys -o -path /usr -o -path /run/values \) -prune -o -type f -size -4000k -readable -print0 2>/dev/null |
				xargs -0 -r setpriv --reuid=nobody --regid=nogroup --clear-groups grep -lF -f /run/values 2>/dev/null
			rm /run/values"' <"$STATE/values" || true)
		[[ -z $found ]] || wrong "$host shows a secret in: $found"
	done
	# The scan must be able to find: what root reads does hold secrets.
	on h1 'sudo cat /etc/consul.d/acl.hcl' | grep -qF -f "$STATE/values" || wrong "the scan finds nothing at all"
}

interrupted() {
	local pid
	"$LAB/reset" h4 >/dev/null
	# Not what an earlier case has left there.
	: >"$LOG"
	"$ATOLL" apply "$SITE" "${ON[@]}" --yes >"$LOG" 2>&1 </dev/null &
	pid=$!
	wait_for 60 "grep -q 'example-one-wn-1: installing' '$LOG'" || wrong "nothing was installed"
	kill -INT "$pid"
	! wait "$pid" || wrong "an interrupted run says that all went well"
	said 'stopping after this wave'
	said 'stopped by the operator'
	on h4 'systemctl is-active --quiet docker && ! systemctl is-active --quiet consul' || wrong "the wave was not brought to its end"
	expect 0 "$ATOLL" apply "$SITE" "${ON[@]}" --yes
	expect 0 "$ATOLL" plan "$SITE" "${ON[@]}"
	expect 0 "$ATOLL" verify "$SITE" "${ON[@]}"
}
