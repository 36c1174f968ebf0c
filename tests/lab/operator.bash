# shellcheck shell=bash
# What an operator of the lab has: an inventory, an identity, artifacts, a key.
# Read by `demo` and `suite`, after lab.bash.

TARGET=${CARGO_TARGET_DIR:-$LAB/../../target}/debug
ATOLL=${ATOLL:-$TARGET/atoll}
SITE=$STATE/site
export ATOLL_IDENTITY_FILE=$STATE/identity
export ATOLL_SSH_KEY=$STATE/id_ed25519
export ATOLL_ARTIFACTS=$STATE/artifacts

# The example's second site has no hosts here. Its machines are in the plan of the first all the
# same, and are left out.
ON=(--on @site:example-one)

build_atoll() { (cd "$LAB/../.." && cargo build --quiet --locked --bins -p fake-nvml -p atoll -p atoll-agent -p atoll-accounting --lib); }

# shellcheck source=programs.bash
source "$LAB/programs.bash"

# The example federation as committed, but for two things that only this machine
# knows: its lab's network, and which Docker its Debian has today.
make_site() {
	local docker
	make_artifacts "$ATOLL" "$TARGET" "$ATOLL_ARTIFACTS"
	docker=$(ls "$ATOLL_ARTIFACTS/docker")
	rm -rf "$SITE"
	cp -r "$LAB/../../inventories/example" "$SITE"
	sed -i "s/198\.51\.100\./$NETWORK./" "$SITE"/sites/*.yaml
	sed -i -E "s/^(docker:.*version: *)[^ ,}]+/\1\"$docker\"/" "$SITE/federation.yaml"
	cp "$STATE/known_hosts" "$SITE/known_hosts"
	rm -f "$ATOLL_IDENTITY_FILE"
	"$ATOLL" secrets keygen "$ATOLL_IDENTITY_FILE"
	"$ATOLL" artifacts lock "$SITE"
}

on() { "$LAB/ssh" --prefix "$PREFIX" "$@"; }

# Whatever of Docker, Consul, Nomad or Atoll a host has; a bare one has nothing.
traces() { # host
	on "$1" 'sudo sh -c "
		find / -xdev \( -path /proc -o -path /sys \) -prune -o \
			\( -iname \"*docker*\" -o -iname \"*consul*\" -o -iname \"*nomad*\" -o -iname \"*atoll*\" \) -print 2>/dev/null |
			grep -v -e ^/usr/share/ -e ^/usr/lib/python3 -e ^/usr/lib/systemd/ -e ^/usr/lib/x86_64 -e ^/etc/apparmor
		getent passwd consul nomad atoll docker
		systemctl list-unit-files --no-legend \"docker*\" \"consul*\" \"nomad*\" \"atoll*\""'
}
