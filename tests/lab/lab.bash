# shellcheck shell=bash
# Where the lab keeps things, what it calls them, and how its programs speak.
# Read by every program of this folder; makes and changes nothing by itself.
# shellcheck disable=SC2034  # most names are for those programs

set -euo pipefail
# Words of one machine's language or settings must not leak into what is parsed here.
export LC_ALL=C.UTF-8
# An upper layer's own mode becomes that of the host's /.
umask 022

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${ATOLL_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/atoll-lab}
SUITE=bookworm

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# A program's help is the comment at its head.
help() { sed -n '2,/^$/{s/^# \{0,1\}//;p}' "$0"; }

# Names everything that one lab makes: its bridge, hosts, cgroups and folders.
use_prefix() {
	[[ $1 =~ ^[a-z][a-z0-9-]{0,12}$ ]] ||
		die "prefix \"$1\": at most 13 of a-z, 0-9 and -, first a letter"
	PREFIX=$1
	STATE=${ATOLL_LAB_STATE:-/var/tmp/$PREFIX}
	BRIDGE=${PREFIX}0
}

# RFC 5737's second documentation network: the first is in use on some machines,
# and a bridge that takes a machine's own gateway address cuts it off.
NETWORK=${ATOLL_LAB_NETWORK:-198.51.100}
use_prefix "${ATOLL_LAB_PREFIX:-atoll-lab}"

# Takes `--prefix NAME` and `--help` from anywhere before the first `--` or host;
# leaves the rest in ARGUMENTS.
read_arguments() {
	ARGUMENTS=()
	while (($#)); do
		case $1 in
		--help | -h) help; exit 0 ;;
		--prefix) use_prefix "${2:?--prefix needs a name}"; shift 2 ;;
		--prefix=*) use_prefix "${1#*=}"; shift ;;
		-*) die "no option $1; --help tells" ;;
		*)
			ARGUMENTS+=("$1"); shift
			# What follows a host's name is that host's command, options and all.
			if [[ ${ARGUMENTS[0]} == h* ]]; then ARGUMENTS+=("$@"); return; fi ;;
		esac
	done
}

need_root() { ((EUID == 0)) || die "needs root: it makes mounts, a bridge and namespaces"; }

# need PACKAGE...: installs those that this machine lacks.
need() {
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
			missing+=("$package")
	done
	((${#missing[@]})) || return 0
	say "installing ${missing[*]}" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		"${missing[@]}" >/dev/null
}

# The Debian mirror that this machine is set up to use.
mirror() {
	local site
	# shellcheck disable=SC2016  # apt's own fields
	site=$(apt-get indextargets --format '$(SITE)' \
		'Created-By: Packages' "Release: $SUITE" 'Component: main' | head -n 1)
	[[ $site ]] || die "apt has no source for Debian $SUITE"
	say "$site"
}

# Which base root the present settings ask for; `base` makes it.
base_root() { say "$CACHE/base/$("$LAB/base" --key)"; }

# until_or DEADLINE_S WHAT COMMAND...: polls; fails by naming what did not happen.
until_or() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		((SECONDS < deadline)) || { say "gave up: $what" >&2; return 1; }
		sleep 0.1
	done
}
