// What Nomad's agent reads, with what each built-in plugin says of its own block.
package main

import (
	"context"
	"log"
	"reflect"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/command/agent"
	"github.com/hashicorp/nomad/helper/pluginutils/catalog"
	"github.com/hashicorp/nomad/nomad/structs/config"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
)

func main() {
	found := options{}
	found.walk(reflect.TypeFor[agent.Config](), "hcl", nil)
	// The agent takes these apart by hand.
	found.walk(reflect.TypeFor[config.ConsulConfig](), "mapstructure", nil, "consul")
	found.walk(reflect.TypeFor[config.VaultConfig](), "mapstructure", nil, "vault")
	// A provider of keys has options of its own, which no struct says.
	found.note("keyring", anything, anything)
	for id, plugin := range catalog.Catalog() {
		// The API of a driver is gone when its context is, and here it never was.
		made := plugin.Config.Factory(context.Background(), hclog.NewNullLogger())
		schema, err := made.(base.BasePlugin).ConfigSchema()
		if err != nil {
			log.Fatalf("%s does not say what it reads: %v", id.Name, err)
		}
		found.note("plugin", id.Name, "args")
		found.schema(schema, "plugin", id.Name, "config")
	}
	found.print()
}

// schema notes what a plugin's own description of its block names.
func (o options) schema(spec *hclspec.Spec, path ...string) {
	switch block := spec.Block.(type) {
	case *hclspec.Spec_Object:
		for name, inner := range block.Object.Attributes {
			o.schema(inner, below(path, name)...)
		}
	case *hclspec.Spec_BlockValue:
		o.schema(block.BlockValue.Nested, path...)
	case *hclspec.Spec_BlockList:
		o.schema(block.BlockList.Nested, path...)
	case *hclspec.Spec_BlockSet:
		o.schema(block.BlockSet.Nested, path...)
	case *hclspec.Spec_BlockMap:
		o.schema(block.BlockMap.Nested, below(path, anything)...)
	case *hclspec.Spec_BlockAttrs:
		o.note(below(path, anything)...)
	case *hclspec.Spec_Default:
		o.schema(block.Default.Primary, path...)
	default:
		o.note(path...)
	}
}
