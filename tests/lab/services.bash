# shellcheck shell=bash
# The cases of `suite` about the agent and the accounting service as an operator and a stranger meet them:
# by hand, with their tokens and certificates, with what is no delivery and what are no settings.
# Read after metering.bash, whose functions these use.

# The same as an operator types it, on the node.
by_hand() {
	local what
	expect 0 on h4 sudo atoll-agent discover
	said '^node +[0-9a-f-]{36}$'
	said '^GPUs +2$'
	for what in 1 2; do
		said "^  GPU-$what{8}-0000-4000-8000-0{11}$what  NVIDIA A100-PCIE-40GB, 40960 MiB, healthy$"
	done
	! grep '^problem' "$LOG" || wrong "discover finds a problem"
	expect 0 on h4 sudo atoll-agent check
	for what in settings cgroup gpu nomad consul ledger accounting; do said "^ok +$what +[^ ]"; done
	# The accounting service is there, but does not take everybody for the node.
	on h4 "sudo sed 's|certs/agent.pem|certs/nomad.pem|; s|/agent-key|/nomad-key|' /etc/atoll-agent/agent.toml >/tmp/foreign.toml"
	expect 1 on h4 sudo atoll-agent --settings /tmp/foreign.toml check
	said '^ok +nomad +'
	said '^failed +accounting +cannot reach https://.*(alert|certificate)'
}

# A node on which nothing can be started is not offered to anybody.
nomad_away() {
	trap 'on h4 sudo systemctl start nomad' EXIT
	on h4 sudo systemctl stop nomad
	wait_for 90 "registered | grep -q ' critical Nomad on this node does not answer | critical '" ||
		wrong "Consul does not know it: $(registered)"
	on h4 sudo systemctl start nomad
	trap - EXIT
	wait_for 90 "registered | grep -q ' passing all is well | passing '" || wrong "Consul does not know that it is back: $(registered)"
}

# registered: what Consul's servers have of the node's registration and when that was written, and what its own agent has.
registered() {
	secret consul/management-token | on h4 "python3 -c '
import json, sys, urllib.request
token = sys.stdin.readline().strip()
def ask(path):
    return json.load(urllib.request.urlopen(urllib.request.Request(\"http://127.0.0.1:8500\" + path, headers={\"X-Consul-Token\": token})))
own = \"site-capacity-example-one-wn-1\"
(it,) = [it for it in ask(\"/v1/health/service/site-capacity-node\") if it[\"Service\"][\"ID\"] == own]
(check,) = [check for check in it[\"Checks\"] if check[\"CheckID\"] == own]
beat = ask(\"/v1/agent/checks\")[own]
print(it[\"Service\"][\"ModifyIndex\"], check[\"ModifyIndex\"], check[\"Status\"], check[\"Output\"], \"|\", beat[\"Status\"], beat[\"Output\"])
'"
}

# The node's Consul agent says of each beat that it came, and its servers are told nothing.
beats_write_nothing() {
	local before after
	before=$(registered)
	say "$before" >"$LOG"
	said ' passing (all is well)? \| passing all is well$'
	two_beats
	after=$(registered)
	# A check's text is told once, and minutes after the start.
	if [[ $before == *' passing  |'* && $after == *' passing all is well |'* ]]; then
		before=$after
		two_beats
		after=$(registered)
	fi
	[[ $after == "$before" ]] || wrong "two beats were written: $before, then $after"
}

two_beats() {
	secret consul/management-token | on h4 'read -r CONSUL_HTTP_TOKEN; export CONSUL_HTTP_TOKEN
		timeout 75 consul monitor -log-level=debug | grep -m 2 "Check status updated: check=site-capacity-"' >"$LOG" || true
	[[ $(wc -l <"$LOG") == 2 ]] || { cat "$LOG"; wrong "no two beats within 75 s"; }
}

# asked_as TOKEN METHOD PATH [JSON]: Nomad's answer to it on h4, on one line that ends with the status. The
# certificate is the agent's own; TOKEN is a command whose output is the token.
asked_as() {
	eval "$1" | on h4 "sudo python3 -c '
import http.client, ssl, sys
certs = \"/etc/atoll-agent/certs\"
tls = ssl.create_default_context(cafile=certs + \"/nomad-ca.pem\")
tls.load_cert_chain(certs + \"/nomad.pem\", \"/etc/atoll-agent/credentials/nomad-key.pem\")
nomad = http.client.HTTPSConnection(\"127.0.0.1\", 4646, context=tls, timeout=20)
nomad.request(sys.argv[1], sys.argv[2], sys.argv[3], {\"X-Nomad-Token\": sys.stdin.readline().strip()})
answer = nomad.getresponse()
print(answer.read().decode()[:300].replace(chr(10), \" \"), answer.status)
' $2 '$3' '${4:-}'" >"$LOG" 2>&1
}

# What the agent holds on its node is enough to read, and for no write. The operator's token shows that
# Nomad would have done what it refuses.
read_only() {
	local own="on h4 sudo cat /etc/atoll-agent/credentials/nomad-token" node path method body
	node=$(nomad_cli node status -json | python3 -c 'import json, sys
print(next(n["ID"] for n in json.load(sys.stdin) if n["Name"] == "example-one-wn-1" and n["Status"] == "ready"))')
	for path in "/v1/agent/self" "/v1/node/$node" "/v1/node/$node/allocations" "/v1/allocation/$(id_of by-exec)" "/v1/jobs?namespace=*"; do
		asked_as "$own" GET "$path" || wrong "it cannot ask for $path"
		said ' 200$'
	done
	while read -r method path body <&3; do
		asked_as "$own" "$method" "$path" "$body" || wrong "nobody answers to $method $path"
		grep -q 'Permission denied.* 403$' "$LOG" || { cat "$LOG"; wrong "the agent's token may $method $path"; }
	done 3<<-CALLS
		PUT /v1/system/gc
		PUT /v1/jobs {"Job":{"ID":"not-of-the-agent","Type":"batch","Namespace":"example","Datacenters":["*"],"TaskGroups":[{"Name":"g","Tasks":[{"Name":"main","Driver":"raw_exec","Config":{"command":"/bin/true"}}]}]}}
		DELETE /v1/job/by-exec?namespace=example&purge=true
		PUT /v1/allocation/$(id_of by-exec)/stop
		PUT /v1/node/$node/eligibility {"Eligibility":"eligible"}
		GET /v1/var/nomad/jobs/traefik-example-one-gateway-0
		GET /v1/acl/tokens
	CALLS
	asked_as "secret nomad/management-token" PUT "/v1/node/$node/eligibility" '{"Eligibility":"eligible"}'
	said ' 200$'
	asked_as "secret nomad/management-token" GET "/v1/job/by-exec?namespace=example"
	said ' 200$'
}

# knock CERTIFICATE KEY [FLAG...]: speaks to the accounting service as the holder of a certificate of h4.
knock() {
	hold "$1" "$2"
	shift 2
	speak "$@"
}

hold() { # CERTIFICATE KEY
	# What stands on standard input is for curl.
	on h4 "sudo cat $1" </dev/null >"$STATE/knock.pem"
	on h4 "sudo cat $2" </dev/null >"$STATE/knock-key.pem"
	on h1 'sudo cat /etc/atoll-accounting/certs/atoll-ca.pem' </dev/null >"$STATE/knock-ca.pem"
}

speak() { # [FLAG...]
	curl -sS --cacert "$STATE/knock-ca.pem" --cert "$STATE/knock.pem" --key "$STATE/knock-key.pem" \
		-w ' %{http_code}\n' "$@" >"$LOG" 2>&1
}

no_entrance() {
	local url=https://$NETWORK.11:4690 own=(/etc/atoll-agent/certs/agent.pem /etc/atoll-agent/credentials/agent-key.pem)
	knock "${own[@]}" "$url/healthz" || wrong "it does not answer to a node's own certificate"
	said '200$'
	! curl -sSk "$url/healthz" >"$LOG" 2>&1 || wrong "it answers without a certificate"
	said 'certificate required|alert'
	! knock /etc/nomad.d/certs/agent.pem /etc/nomad.d/certs/agent-key.pem "$url/healthz" ||
		wrong "it answers to a certificate of another authority"
	said 'alert'
	# With its own certificate, but as another node.
	printf '{"format":1,"node":"example-one-wn-0","datacenter":"example-one","node_id":"n","ledger":"l","entries":0}\n' >"$STATE/foreign"
	knock "${own[@]}" -H 'Content-Encoding: gzip' -H "Atoll-Digest: sha256=$(sha256sum <"$STATE/foreign" | cut -d' ' -f1)" \
		--data-binary "@-" "$url/v1/usage" < <(gzip <"$STATE/foreign")
	said '403$'
	rm "$STATE"/knock*.pem
}

# no_delivery_is TEXT [HEADER...]: what stands on standard input is refused with 400 and these words.
no_delivery_is() {
	local text=$1 header headers=()
	shift
	for header; do headers+=(-H "$header"); done
	speak -H 'Content-Encoding: gzip' "${headers[@]}" --data-binary @- "https://$NETWORK.11:4690/v1/usage"
	said "^\{\"error\":\"[^\"]*$text.* 400$"
}

digest() { say "Atoll-Digest: sha256=$(sha256sum <"$1" | cut -d' ' -f1)"; }

# From a node that may deliver comes what is no delivery, some of it in the very place of its next one.
malformed() {
	local file=$STATE/malformed
	on h4 'sudo python3 - ledger' <"$LAB/usage.py" >"$STATE/ledger.json"
	hold /etc/atoll-agent/certs/agent.pem /etc/atoll-agent/credentials/agent-key.pem
	say 'this is no delivery' >"$file"
	no_delivery_is 'the body is no gzip' "$(digest "$file")" <"$file"
	no_delivery_is 'the header Atoll-Digest must be' < <(gzip <"$file")
	no_delivery_is 'they changed on the way' "$(digest /dev/null)" < <(gzip <"$file")
	no_delivery_is 'cannot be read as a header' "$(digest "$file")" < <(gzip <"$file")
	python3 -c 'import json, sys
last = json.load(open(sys.argv[1]))[-1]
print(json.dumps({"format": 1, "node": "example-one-wn-1", "datacenter": "example-one", "node_id": sys.argv[2], "ledger": last["ledger"], "entries": 2}))
print(json.dumps({"seq": last["seq"] + 1, "end": {"allocation": "not-of-the-agent", "ended_us": 1, "status": "complete"}}))
print("this is no entry")' "$STATE/ledger.json" \
		"$(on h4 sudo atoll-agent discover --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)["node_id"])')" >"$file"
	no_delivery_is 'line 3: cannot be read as an entry' "$(digest "$file")" < <(gzip <"$file")
	rm "$STATE"/knock*.pem
	job delivered exec 'sleep 1'
	wait_ended delivered
	judge delivered
	! grep not-of-the-agent "$STATE/entries.json" || wrong "something of it was kept"
}

settings_with_mistakes() {
	on h4 "sudo sed -e 's/^node /noed /' -e 's#http://127#htp://127#' /etc/atoll-agent/agent.toml | sed -e '/^ca  /d' >/tmp/bad.toml
		atoll-agent --settings /tmp/bad.toml check --offline; echo status \$?" >"$LOG" 2>&1
	said 'status 78'
	said '`noed` is no setting'
	said '`node` is missing'
	said 'consul.address'
	said '`nomad.ca` is missing'
}
