module atoll.invalid/lab/consul

go 1.26

tool github.com/hashicorp/consul

require github.com/hashicorp/consul v1.22.3

// The product's own exclusions: Go ignores them in a dependency.
exclude (
	github.com/hashicorp/go-msgpack v1.1.5
	github.com/hashicorp/go-msgpack v1.1.6
)
