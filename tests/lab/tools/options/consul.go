// What Consul's agent reads.
package main

import (
	"reflect"

	"github.com/hashicorp/consul/agent/config"
)

func main() {
	found := options{}
	found.walk(reflect.TypeFor[config.Config](), "mapstructure", nil)
	found.print()
}
