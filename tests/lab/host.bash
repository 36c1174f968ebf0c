# shellcheck shell=bash
# One lab host, from its root file system to its end. Everything it is made of lies in
# $STATE/<host>:
#   key, key.pub      its ssh host key: outlives a reset, as known_hosts does
#   upper, work       what it wrote, over the base root; the kernel's work folder
#   lib, opt          its /var/lib and /opt
#   root              where all this is mounted
#   pid, console      of its nspawn

# shellcheck source-path=SCRIPTDIR source=lab.bash
source "$(dirname "${BASH_SOURCE[0]}")/lab.bash"

# Docker refuses overlay2 on an overlay, and Nomad and Consul sync their files there:
# these folders are copies of the base's on the machine's own file system. The whole of
# /var/lib, since a host before its first apply must not show an empty /var/lib/docker.
REAL_FOLDERS=(var/lib opt)

address() { say "$NETWORK.$((10 + ${1#h}))"; }

# hosts: those that this lab has, in order.
hosts() { find "$STATE" -mindepth 1 -maxdepth 1 -name 'h[0-9]*' -printf '%f\n' 2>/dev/null | sort -V; }

# known HOST...: that this lab has them; from here on its addresses are those of its `up`.
known() {
	local host
	for host; do
		[[ $host =~ ^h[0-9]+$ && -d $STATE/$host ]] ||
			die "no host \"$host\" in this lab; it has: $(hosts | xargs)"
	done
	NETWORK=$(<"$STATE/network")
}

# One program at a time changes a lab.
lock() {
	exec 9>"/run/lock/$PREFIX.lock"
	flock -w 120 9 || die "another program has been changing this lab for two minutes"
}

# lay HOST BASE: a bare root file system with the host's own name, key and address.
lay() {
	local host=$1 base=$2 dir=$STATE/$1 folder
	mkdir -p "$dir"/{upper,work,root}
	# A file system that cannot hold an upper layer gets a copy: slower, and the same.
	mount -t overlay "$PREFIX-$host" "$dir/root" \
		-o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" 2>/dev/null ||
		cp -a --reflink=auto "$base/." "$dir/root"
	for folder in "${REAL_FOLDERS[@]}"; do
		cp -a --reflink=auto "$base/$folder" "$dir/$(basename "$folder")"
	done
	identify "$host" "$dir/root"
}

identify() {
	local host=$1 root=$2 address
	address=$(address "$host")
	echo "$host" >"$root/etc/hostname"
	# sudo looks its own host up, and would wait for a resolver.
	printf '127.0.0.1 localhost\n%s %s\n' "$address" "$host" >"$root/etc/hosts"
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	install -m 0600 "$STATE/$host/key" "$root/etc/ssh/ssh_host_ed25519_key"
	install -m 0644 "$STATE/$host/key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
	install -m 0600 -o 1000 -g 1000 "$STATE/id_ed25519.pub" "$root/home/debian/.ssh/authorized_keys"
	# The gateway leads nowhere: agents take the default route's address for theirs.
	cat >"$root/etc/systemd/network/10-host0.network" <<-END
		[Match]
		Name=host0

		[Network]
		Address=$address/24
		Gateway=$NETWORK.1
		LinkLocalAddressing=no
		IPv6AcceptRA=no
	END
}

# start_host HOST: in the background; `await` tells when it is there.
start_host() {
	local host=$1 dir=$STATE/$1 folder binds=()
	for folder in "${REAL_FOLDERS[@]}"; do
		binds+=("--bind=$dir/$(basename "$folder"):/$folder")
	done
	# What a host of this name has left when its plug was pulled.
	ip link delete "vb-$PREFIX-$host" 2>/dev/null || true
	(
		exec 9>&-
		# Before it is nspawn, so that no moment leaves one unrecorded.
		echo "$BASHPID" >"$dir/pid"
		enter_cgroups "$host"
		exec setsid systemd-nspawn -q -D "$dir/root" --boot --register=no --keep-unit \
			--network-bridge="$BRIDGE" --machine="$PREFIX-$host" "${binds[@]}" \
			--capability=all --system-call-filter='@keyring bpf' \
			--resolv-conf=off --timezone=off --link-journal=no
	) </dev/null >>"$dir/console" 2>&1 &
	disown
}

# enter_cgroups HOST: on cgroup v1, moves the calling shell into groups of the host's
# own: its cgroup namespace takes them for the root, and hosts do not meet in, say,
# /nomad of the freezer hierarchy. Version 2 namespaces need no help.
enter_cgroups() {
	local line controllers path parent own file lines
	[[ -f /sys/fs/cgroup/cgroup.controllers ]] && return
	mapfile -t lines </proc/self/cgroup
	for line in "${lines[@]}"; do
		IFS=: read -r _ controllers path <<<"$line"
		parent=/sys/fs/cgroup/${controllers#name=}
		[[ $controllers ]] || parent=/sys/fs/cgroup/unified
		parent+=${path%/}
		own=$parent/$PREFIX-$1
		[[ -d $parent ]] || continue
		mkdir -p "$own"
		# An empty set of processors takes no process.
		for file in cpuset.cpus cpuset.mems; do
			[[ ! -f $own/$file ]] || cat "$parent/$file" >"$own/$file"
		done
		echo "$BASHPID" >"$own/cgroup.procs"
	done
}

# remove_cgroups REGEX: removes the groups of that name, and ends what still is in them.
remove_cgroups() { until_or 10 "cgroups $1 stay in use" clear_cgroups "$1"; }

clear_cgroups() {
	local groups pids
	mapfile -t groups < <(find /sys/fs/cgroup -depth -type d -regex ".*/$1\(/.*\)?" 2>/dev/null)
	((${#groups[@]})) || return 0
	! rmdir "${groups[@]}" 2>/dev/null || return 0
	pids=$(cat "${groups[@]/%//cgroup.procs}" 2>/dev/null | sort -u)
	# shellcheck disable=SC2086  # a list of numbers
	[[ -z $pids ]] || kill -KILL $pids 2>/dev/null
	return 1
}

# The host's nspawn, if its recorded process still is that: numbers are used again.
nspawn_of() {
	local pid
	pid=$(cat "$STATE/$1/pid" 2>/dev/null) || return 0
	if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$STATE/$1/root"; then
		say "$pid"
	fi
}

# pull_plug HOST: pulls the plug. What the host wrote stays.
pull_plug() {
	local host=$1 pid leader
	pid=$(nspawn_of "$host" 2>/dev/null)
	if [[ $pid ]]; then
		leader=$(ps -o pid= --ppid "$pid" || true)
		# shellcheck disable=SC2086  # none, or a number
		kill -KILL "$pid" $leader 2>/dev/null || true
		# The host's first process is gone only when all its others are.
		# shellcheck disable=SC2086
		until_or 15 "$host does not end" gone "$pid" $leader
	fi
	remove_cgroups "$PREFIX-$host"
	rm -f "$STATE/$host/pid"
	# What nspawn itself would remove at an orderly end.
	rmdir "/run/systemd/nspawn/propagate/$PREFIX-$host" 2>/dev/null || true
	rm -f "/run/systemd/nspawn/locks/inode-$(stat -c %d:%i "$STATE/$host/root" 2>/dev/null)"
}

# gone PID...: ended, if perhaps not yet buried: that is up to this machine's init.
gone() {
	local pid stat
	for pid; do
		{ read -r stat <"/proc/$pid/stat"; } 2>/dev/null || continue
		[[ $stat == *') Z '* ]] || return 1
	done
}

# wipe HOST: forgets what it wrote; keeps its key.
wipe() {
	local dir=$STATE/$1
	unmount_below "$dir"
	rm -rf --one-file-system "${dir:?}"/{upper,work,root,lib,opt,console}
}

unmount_below() {
	local mount
	while read -r mount; do
		umount "$mount" 2>/dev/null || umount -l "$mount"
	done < <(awk -v below="$1/" 'index($5, below) == 1 {print $5}' /proc/self/mountinfo | sort -r)
}

to_host() { ssh -F "$STATE/ssh_config" -o ConnectTimeout=1 "$@"; }

lets_in() { to_host "$1" true 2>/dev/null; }

# await HOST: until it lets the operator in and has started all it starts.
await() {
	local host=$1 state
	until_or 60 "$host does not let the operator in; see $STATE/$host/console" \
		lets_in "$host" || return
	state=$(to_host "$host" systemctl is-system-running --wait || true)
	say "$host  $(address "$host")  $state after $SECONDS s"
	[[ $state == running ]] || to_host "$host" systemctl --failed --plain --no-legend || true
}

# each COMMAND HOST...: for all hosts at once; fails if one does.
each() {
	local command=$1 host pid pids=() failed=0
	shift
	for host; do
		"$command" "$host" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	return "$failed"
}
