// A device plugin for Nomad that shows what NVML shows: for the lab, whose GPUs are those of
// tests/fake-nvml. Models and UUIDs come from the library, so that allocations carry real
// device IDs.
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/plugins"
	"github.com/hashicorp/nomad/plugins/base"
	"github.com/hashicorp/nomad/plugins/device"
	"github.com/hashicorp/nomad/plugins/shared/hclspec"
	"github.com/hashicorp/nomad/plugins/shared/structs"
)

const (
	pluginName = "nvidia-gpu"
	vendor     = "nvidia"
)

var info = &base.PluginInfoResponse{
	Type:              base.PluginTypeDevice,
	PluginApiVersions: []string{device.ApiVersion010},
	PluginVersion:     "v0.1.0",
	Name:              pluginName,
}

var schema = hclspec.NewObject(map[string]*hclspec.Spec{
	"enabled": hclspec.NewDefault(
		hclspec.NewAttr("enabled", "bool", false), hclspec.NewLiteral("true")),
	"ignored_gpu_ids": hclspec.NewDefault(
		hclspec.NewAttr("ignored_gpu_ids", "list(string)", false), hclspec.NewLiteral("[]")),
	"fingerprint_period": hclspec.NewDefault(
		hclspec.NewAttr("fingerprint_period", "string", false), hclspec.NewLiteral("\"5s\"")),
	"library": hclspec.NewDefault(
		hclspec.NewAttr("library", "string", false), hclspec.NewLiteral("\"\"")),
})

// settings is the plugin's block in the agent's configuration.
type settings struct {
	Enabled           bool     `codec:"enabled"`
	IgnoredGPUs       []string `codec:"ignored_gpu_ids"`
	FingerprintPeriod string   `codec:"fingerprint_period"`
	// Library is the path of NVML; empty: where the dynamic linker finds it.
	Library string `codec:"library"`
}

// gpus is the plugin.
type gpus struct {
	log     hclog.Logger
	enabled bool
	ignored map[string]bool
	period  time.Duration
	driver  *driver
}

func main() {
	plugins.Serve(func(log hclog.Logger) interface{} {
		return &gpus{log: log.Named(pluginName)}
	})
}

func (g *gpus) PluginInfo() (*base.PluginInfoResponse, error) { return info, nil }

func (g *gpus) ConfigSchema() (*hclspec.Spec, error) { return schema, nil }

// SetConfig leaves NVML alone: the agent does not start if this fails.
func (g *gpus) SetConfig(c *base.Config) error {
	var s settings
	if len(c.PluginConfig) != 0 {
		if err := base.MsgPackDecode(c.PluginConfig, &s); err != nil {
			return err
		}
	}
	period, err := time.ParseDuration(s.FingerprintPeriod)
	if err != nil || period <= 0 {
		return fmt.Errorf("fingerprint_period %q is no duration such as \"5s\"", s.FingerprintPeriod)
	}
	g.enabled, g.period, g.driver = s.Enabled, period, newDriver(s.Library)
	g.ignored = make(map[string]bool)
	for _, id := range s.IgnoredGPUs {
		g.ignored[id] = true
	}
	return nil
}

// Fingerprint sends the devices at once, and again when they are others. Without a driver they
// are none: an error would end the plugin until the agent starts again.
func (g *gpus) Fingerprint(ctx context.Context) (<-chan *device.FingerprintResponse, error) {
	if !g.enabled {
		return nil, device.ErrPluginDisabled
	}
	stream := make(chan *device.FingerprintResponse)
	go every(ctx, g.period, func() { close(stream) }, g.differs(stream))
	return stream, nil
}

// differs returns what to do each period: look, and speak if something is new.
func (g *gpus) differs(stream chan<- *device.FingerprintResponse) func(context.Context) {
	said := ""
	return func(ctx context.Context) {
		found, err := g.driver.inventory()
		now := fmt.Sprintf("%+v %v", found, err)
		if now == said {
			return
		}
		if err != nil {
			g.log.Warn("no GPUs", "reason", err)
		}
		select {
		case stream <- device.NewFingerprint(g.groups(found)...):
			said = now
		case <-ctx.Done():
		}
	}
}

// groups sorts GPUs by model, as Nomad wants them.
func (g *gpus) groups(found inventory) []*device.DeviceGroup {
	byModel := make(map[string]*device.DeviceGroup)
	groups := []*device.DeviceGroup{}
	for _, one := range found.gpus {
		if g.ignored[one.uuid] {
			continue
		}
		key := fmt.Sprintf("%s %d", one.model, one.memoryMiB)
		group := byModel[key]
		if group == nil {
			group = &device.DeviceGroup{
				Vendor: vendor,
				Type:   device.DeviceTypeGPU,
				Name:   one.model,
				Attributes: map[string]*structs.Attribute{
					"memory":         structs.NewIntAttribute(one.memoryMiB, structs.UnitMiB),
					"driver_version": structs.NewStringAttribute(found.driver),
				},
			}
			byModel[key] = group
			groups = append(groups, group)
		}
		group.Devices = append(group.Devices, &device.Device{
			ID:         one.uuid,
			Healthy:    one.fault == "",
			HealthDesc: one.fault,
			HwLocality: &device.DeviceLocality{PciBusID: one.pci},
		})
	}
	return groups
}

// Reserve says what a task needs to see its GPUs, and no others.
func (g *gpus) Reserve(ids []string) (*device.ContainerReservation, error) {
	if !g.enabled {
		return nil, device.ErrPluginDisabled
	}
	found, err := g.driver.inventory()
	if err != nil {
		return nil, fmt.Errorf("reserving %s: %w", strings.Join(ids, ", "), err)
	}
	there := make(map[string]bool)
	for _, one := range found.gpus {
		there[one.uuid] = !g.ignored[one.uuid]
	}
	for _, id := range ids {
		if !there[id] {
			return nil, fmt.Errorf("there is no GPU %s on this machine", id)
		}
	}
	return &device.ContainerReservation{
		Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(ids, ",")},
	}, nil
}

// Stats sends readings of each GPU. A round without the driver is left out.
func (g *gpus) Stats(ctx context.Context, interval time.Duration) (<-chan *device.StatsResponse, error) {
	if !g.enabled {
		return nil, device.ErrPluginDisabled
	}
	stream := make(chan *device.StatsResponse)
	go every(ctx, interval, func() { close(stream) }, func(ctx context.Context) {
		found, err := g.driver.inventory()
		if err != nil {
			return
		}
		select {
		case stream <- &device.StatsResponse{Groups: g.stats(found, time.Now())}:
		case <-ctx.Done():
		}
	})
	return stream, nil
}

func (g *gpus) stats(found inventory, now time.Time) []*device.DeviceGroupStats {
	byModel := make(map[string]*device.DeviceGroupStats)
	groups := []*device.DeviceGroupStats{}
	for _, one := range found.gpus {
		if g.ignored[one.uuid] || one.fault != "" {
			continue
		}
		group := byModel[one.model]
		if group == nil {
			group = &device.DeviceGroupStats{
				Vendor: vendor, Type: device.DeviceTypeGPU, Name: one.model,
				InstanceStats: make(map[string]*device.DeviceStats),
			}
			byModel[one.model] = group
			groups = append(groups, group)
		}
		group.InstanceStats[one.uuid] = g.driver.read(one, now)
	}
	return groups
}

// every does something now and after each period, until the context ends; then calls last.
func every(ctx context.Context, period time.Duration, last func(), do func(context.Context)) {
	defer last()
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
