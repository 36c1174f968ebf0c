// cadvisor answers /metrics with what cAdvisor's own library samples, as its own program
// does when no flag is given: that program is in a module which only its own checkout can build.
package main

import (
	"flag"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	_ "github.com/google/cadvisor/container/containerd/install"
	_ "github.com/google/cadvisor/container/crio/install"
	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/container/podman/install"
	_ "github.com/google/cadvisor/container/systemd/install"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// What the program leaves out unless it is asked for.
var leftOut = set(
	container.CPUSetMetrics,
	container.CPUTopologyMetrics,
	container.HugetlbUsageMetrics,
	container.MemoryNumaMetrics,
	container.NetworkAdvancedTcpUsageMetrics,
	container.NetworkTcpUsageMetrics,
	container.NetworkUdpUsageMetrics,
	container.ProcessMetrics,
	container.ProcessSchedulerMetrics,
	container.ReferencedMemoryMetrics,
	container.ResctrlMetrics,
)

func set(kinds ...container.MetricKind) container.MetricSet {
	all := container.MetricSet{}
	for _, kind := range kinds {
		all[kind] = struct{}{}
	}
	return all
}

// answer collects anew for each question, as the labels differ with the containers.
func answer(sampled manager.Manager, kinds container.MetricSet) http.HandlerFunc {
	newest := v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true}
	machine := metrics.NewPrometheusMachineCollector(sampled, kinds)
	runtime := collectors.NewGoCollector()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	return func(w http.ResponseWriter, r *http.Request) {
		registry := prometheus.NewRegistry()
		registry.MustRegister(machine, runtime, process, metrics.NewPrometheusCollector(
			sampled, metrics.DefaultContainerLabels, kinds, clock.RealClock{}, newest))
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	}
}

func main() {
	klog.InitFlags(nil)
	_ = flag.Set("v", "2")
	listen := flag.String("listen", ":8080", "address to answer on")
	flag.Parse()

	kinds := container.AllMetrics.Difference(leftOut)
	sampled, err := manager.New(memory.New(2*time.Minute, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags,
		kinds, http.DefaultClient, []string{""}, []string{""}, "", 0)
	if err == nil {
		err = sampled.Start()
	}
	if err != nil {
		klog.Fatalf("cannot sample: %v", err)
	}
	http.Handle("/metrics", answer(sampled, kinds))

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { klog.Fatal(http.ListenAndServe(*listen, nil)) }()
	<-stop
	_ = sampled.Stop()
}
