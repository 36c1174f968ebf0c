# shellcheck shell=bash
# Lays what is built from this checkout beside what the cache keeps. Read after lab.bash.

# make_artifacts ATOLL TARGET FOLDER: fills a folder of artifacts with the programs of a
# cargo profile's folder, stripped, and with what stands for NVIDIA's packages.
make_artifacts() {
	local version product
	version=$("$1" --version | cut -d' ' -f2)
	rm -rf "$3"
	mkdir -p "$(dirname "$3")"
	cp -al "$CACHE/artifacts" "$3" 2>/dev/null || cp -a "$CACHE/artifacts" "$3"
	for product in atoll-agent atoll-accounting; do
		install -D -m 0755 -s "$2/$product" "$3/$product/$version/$product"
	done
	install -D -m 0755 "$CACHE/bin/nomad-device-nvidia" "$3/nomad-device-nvidia/1.1.0/nomad-device-nvidia"
	"$LAB/nvidia" "$2/libnvidia_ml.so" "$3"
}
