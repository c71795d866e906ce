package firewall_test

import (
	"fmt"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

func TestAPIServers(t *testing.T) {
	slice := func(namespace, service string, ports []*int32, addresses ...string) discoveryv1.EndpointSlice {
		s := discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: addresses}},
		}
		for _, p := range ports {
			s.Ports = append(s.Ports, discoveryv1.EndpointPort{Port: p})
		}
		return s
	}
	got := fmt.Sprint(firewall.APIServers(story(t, "story").input().Estate, []discoveryv1.EndpointSlice{
		slice("default", "kubernetes", []*int32{new(int32(6443)), nil}, "172.18.0.2", "fd00::2", "a.example.com"),
		slice("default", "other", []*int32{new(int32(80))}, "172.18.0.9"),
		slice("dev", "kubernetes", []*int32{new(int32(80))}, "172.18.0.10"), // anybody may call a Service so
	}))
	if want := "[10.96.0.1:443 172.18.0.2:6443 [fd00::2]:6443]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
