# The one door to everything; `just` lists it. `tests/run` needs no just.

_default:
    @just --list

# All that proves Atoll: checks, tests, documents, licences, and the lab.
test:
    tests/run

# What needs no host: format, clippy, tests.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- --deny warnings
    cargo test --workspace

# From bare hosts to a URL that answers, narrated.
demo:
    tests/lab/demo

# Against Ansible, mitogen and pyinfra, on four hosts.
bench:
    tests/lab/bench/provision

# What check and render cost a host, for ten hosts to ten thousand.
bench-render:
    cargo bench --package atoll --bench render

# What the agent takes of a node, beside node_exporter and cAdvisor.
footprint:
    tests/lab/bench/agent

# The tables of options, out of the products themselves.
options:
    tests/lab/tools/options/update

# What is rendered for the lines before, judged by their own programs. For the night.
older:
    tests/lab/tools/older

# Known vulnerabilities, on machines that reach the database.
advisories:
    cargo deny check advisories
