# shellcheck shell=bash
# The lab as a whole: its keys, its bridge, and how it goes.

# shellcheck source-path=SCRIPTDIR source=host.bash
source "$(dirname "${BASH_SOURCE[0]}")/host.bash"

# make_keys HOST...: the operator's, one for each host, and what lets ssh use them.
make_keys() {
	local host
	ssh-keygen -q -t ed25519 -N '' -C operator -f "$STATE/id_ed25519"
	for host; do
		ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$STATE/$host/key"
		say "$(address "$host"),$host $(cut_key "$STATE/$host/key.pub")" >>"$STATE/known_hosts"
		printf 'Host %s\n\tHostName %s\n' "$host" "$(address "$host")" >>"$STATE/ssh_config"
	done
	cat >>"$STATE/ssh_config" <<-END
		Host *
			User debian
			IdentityFile $STATE/id_ed25519
			IdentitiesOnly yes
			UserKnownHostsFile $STATE/known_hosts
			StrictHostKeyChecking yes
			BatchMode yes
			LogLevel ERROR
	END
}

# A public key without its comment.
cut_key() { awk '{print $1, $2}' "$1"; }

make_bridge() {
	local net=$NETWORK.0/24 taken
	taken=$({ ip -4 route show to root "$net"; ip -4 route show to match "$net"; } |
		grep -v -m 1 ^default || true)
	[[ -z $taken ]] ||
		die "this machine uses $net already ($taken); choose another: ATOLL_LAB_NETWORK=a.b.c"
	ip link add "$BRIDGE" type bridge
	ip address add "$NETWORK.1/24" dev "$BRIDGE"
	ip link set "$BRIDGE" up
	accept_bridged
}

bridged_rule() { say "FORWARD -i $BRIDGE -o $BRIDGE -m comment --comment $PREFIX -j ACCEPT"; }

# Where bridged packets pass the firewall, one that forwards nothing parts the hosts.
accept_bridged() {
	command -v iptables >/dev/null || return 0
	[[ $(iptables -w -S FORWARD) != '-P FORWARD ACCEPT' ]] || return 0
	# shellcheck disable=SC2046  # words of a rule
	iptables -w -I $(bridged_rule)
}

remove_bridge() {
	# A host whose last process is slow to be reaped keeps its cable, and the next host
	# of that name could not plug in.
	ip -o link show master "$BRIDGE" 2>/dev/null | sed -E 's/^[0-9]+: ([^@:]+).*/\1/' |
		xargs -r -n 1 ip link delete 2>/dev/null || true
	ip link delete "$BRIDGE" 2>/dev/null || true
	if command -v iptables >/dev/null; then
		# shellcheck disable=SC2046
		while iptables -w -D $(bridged_rule) 2>/dev/null; do :; done
	fi
	# Where tests cut the network: a partition must not outlive its lab.
	nft delete table bridge "$PREFIX" 2>/dev/null || true
}

# take_down: all that has this lab's prefix, whoever left it and in whatever state.
take_down() {
	local host
	# shellcheck disable=SC2046
	each pull_plug $(hosts)
	remove_cgroups "$PREFIX-h[0-9]+"
	unmount_below "$STATE"
	remove_bridge
	for host in /run/systemd/nspawn/propagate/"$PREFIX"-h[0-9]*; do
		rmdir "$host" 2>/dev/null || true
	done
	rm -rf --one-file-system "$STATE"
}
