package estate_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func TestListing(t *testing.T) {
	in := input(t, `
		env production Production {namespaces: {names: [prod]}}
		env development NonProduction {namespaces: {names: [dev]}}
		store orders production {cidrs: [10.20.0.0/16, "::ffff:10.30.0.0/112"], hosts: [orders.example.com, "*.orders.example.com", 10.20.0.7]}
		store copy development {cidrs: [10.20.0.5/16], hosts: [orders.example.com], services: [{namespace: dev, name: copy}]}
		ns prod
		ns dev
		svc dev/copy
	`)
	in.Services["dev/copy"] = estate.ServiceOf(&corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "copy"}}})
	in.Nodes = map[string]estate.Node{}
	for name, ranges := range map[string][]string{"a": {"10.244.0.9/24", "fd00::/64", "nonsense"}, "b": {"10.244.0.0/24"}} {
		in.Nodes[name] = estate.NodeOf(&corev1.Node{Spec: corev1.NodeSpec{PodCIDRs: ranges}})
	}
	e := estate.Compile(in)
	var ranges, hosts, services []string
	for _, r := range e.Ranges() {
		ranges = append(ranges, r.Prefix.String()+" "+owners(r.Owners))
	}
	for _, h := range e.Hosts() {
		hosts = append(hosts, h.Name+" "+owners(h.Owners))
	}
	for _, s := range e.OwnedServices() {
		services = append(services, s.Namespace+"/"+s.Name+" "+owners(s.Owners))
	}
	service, found := e.ServiceAt("dev", "copy")
	_, missing := e.ServiceAt("prod", "copy")
	for what, c := range map[string][2]string{
		"namespaces":      {strings.Join(e.NamespaceNames(), ", "), "dev, prod"},
		"ranges":          {strings.Join(ranges, ", "), "10.20.0.0/16 copy@development orders@production, 10.20.0.7/32 orders@production, 10.30.0.0/16 orders@production"},
		"hosts":           {strings.Join(hosts, ", "), "*.orders.example.com orders@production, orders.example.com copy@development orders@production"},
		"listed Services": {strings.Join(services, ", "), "dev/copy copy@development"},
		"a Service":       {fmt.Sprint(service.Selector, found), "map[app:copy] true"},
		"a missing one":   {fmt.Sprint(missing), "false"},
		"ranges of Pods":  {fmt.Sprint(e.PodRanges()), "[10.244.0.0/24 fd00::/64]"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %s, want %s", what, c[0], c[1])
		}
	}
}
