package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/hashicorp/nomad/plugins/device"
	"github.com/hashicorp/nomad/plugins/shared/structs"
)

// driver is the only door to NVML. It is opened at the first look, and again after it was lost.
type driver struct {
	lock sync.Mutex
	nvml nvml.Interface
	open bool
}

// inventory is what the driver shows at one moment.
type inventory struct {
	driver string
	gpus   []gpu
}

// gpu is one of them. A fault that is not empty says why it must get no work.
type gpu struct {
	uuid, model, pci, fault string
	memoryMiB               int64
}

func newDriver(library string) *driver {
	if library == "" {
		return &driver{nvml: nvml.New()}
	}
	return &driver{nvml: nvml.New(nvml.WithLibraryPath(library))}
}

// inventory looks at all GPUs. An error says that there is no driver to ask.
func (d *driver) inventory() (inventory, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if !d.open {
		if ret := d.nvml.Init(); ret != nvml.SUCCESS {
			return inventory{}, fmt.Errorf("opening NVML: %s", nvml.ErrorString(ret))
		}
		d.open = true
	}
	found, err := d.look()
	if err != nil {
		// A driver that comes back needs a library that is opened again.
		d.nvml.Shutdown()
		d.open = false
	}
	return found, err
}

func (d *driver) look() (inventory, error) {
	version, ret := d.nvml.SystemGetDriverVersion()
	if ret != nvml.SUCCESS {
		return inventory{}, fmt.Errorf("asking for the driver's version: %s", nvml.ErrorString(ret))
	}
	count, ret := d.nvml.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return inventory{}, fmt.Errorf("counting GPUs: %s", nvml.ErrorString(ret))
	}
	found := inventory{driver: version}
	for index := 0; index < count; index++ {
		one, ret := d.describe(index)
		switch ret {
		case nvml.SUCCESS:
			found.gpus = append(found.gpus, one)
		case nvml.ERROR_UNINITIALIZED, nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_LIB_RM_VERSION_MISMATCH:
			return inventory{}, fmt.Errorf("asking who GPU %d is: %s", index, nvml.ErrorString(ret))
		default:
			// That GPU is lost, and cannot even say who it was. The others go on.
		}
	}
	return found, nil
}

// describe asks who a GPU is; after that, an error is that GPU's fault.
func (d *driver) describe(index int) (one gpu, ret nvml.Return) {
	handle, ret := d.nvml.DeviceGetHandleByIndex(index)
	if ret != nvml.SUCCESS {
		return one, ret
	}
	if one.uuid, ret = handle.GetUUID(); ret != nvml.SUCCESS {
		return one, ret
	}
	if one.model, ret = handle.GetName(); ret != nvml.SUCCESS {
		return one, ret
	}
	memory, ret := handle.GetMemoryInfo()
	if ret != nvml.SUCCESS {
		return one, ret
	}
	one.memoryMiB = int64(memory.Total >> 20)
	pci, ret := handle.GetPciInfo()
	if ret != nvml.SUCCESS {
		return one, ret
	}
	for _, char := range pci.BusId {
		if char == 0 {
			break
		}
		one.pci += string(rune(char))
	}
	if _, ret = handle.GetUtilizationRates(); ret != nvml.SUCCESS && ret != nvml.ERROR_NOT_SUPPORTED {
		one.fault = nvml.ErrorString(ret)
	}
	return one, nvml.SUCCESS
}

// read gives the readings of one GPU; those that it refuses are left out.
func (d *driver) read(one gpu, now time.Time) *device.DeviceStats {
	d.lock.Lock()
	defer d.lock.Unlock()
	values := make(map[string]*structs.StatValue)
	stats := &device.DeviceStats{Stats: &structs.StatObject{Attributes: values}, Timestamp: now}
	if !d.open {
		return stats
	}
	handle, ret := d.nvml.DeviceGetHandleByUUID(one.uuid)
	if ret != nvml.SUCCESS {
		return stats
	}
	if power, ret := handle.GetPowerUsage(); ret == nvml.SUCCESS {
		values["Power usage"] = whole(int64(power)/1000, "W", "Power that the GPU draws")
	}
	if rates, ret := handle.GetUtilizationRates(); ret == nvml.SUCCESS {
		values["GPU utilization"] = whole(int64(rates.Gpu), "%", "Time in which a kernel ran")
	}
	if memory, ret := handle.GetMemoryInfo(); ret == nvml.SUCCESS {
		state := whole(int64(memory.Used>>20), "MiB", "Memory in use, of all there is")
		total := int64(memory.Total >> 20)
		state.IntDenominatorVal = &total
		values["Memory state"] = state
		stats.Summary = state
	}
	return stats
}

func whole(value int64, unit, meaning string) *structs.StatValue {
	return &structs.StatValue{IntNumeratorVal: &value, Unit: unit, Desc: meaning}
}
