package firewall

import (
	"net/netip"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// The Service in front of the API server. The API server writes it and its endpoints itself.
const (
	APIServerNamespace = metav1.NamespaceDefault
	APIServerService   = "kubernetes"
	apiServerPort      = 443
)

// APIServers returns the addresses of the API server: that of its Service, at the port that Kubernetes gives it, and those of its endpoints.
// Network plugins mostly see the latter. Slices of other Services are left out.
func APIServers(e *estate.Estate, slices []discoveryv1.EndpointSlice) []netip.AddrPort {
	var out []netip.AddrPort
	service, _ := e.ServiceAt(APIServerNamespace, APIServerService)
	for _, a := range service.Addresses {
		out = append(out, netip.AddrPortFrom(a, apiServerPort))
	}
	for _, s := range slices {
		if s.Namespace != APIServerNamespace || s.Labels[discoveryv1.LabelServiceName] != APIServerService {
			continue
		}
		for _, endpoint := range s.Endpoints {
			for _, text := range endpoint.Addresses {
				a, err := netip.ParseAddr(text)
				if err != nil {
					continue // a name, which no policy can open
				}
				for _, p := range s.Ports {
					if p.Port != nil && *p.Port > 0 && *p.Port < 1<<16 {
						out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(*p.Port)))
					}
				}
			}
		}
	}
	return out
}
