package reference

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// probe finds the hosts that probes and lifecycle hooks call.
func probe(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		for name, p := range map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe} {
			if p != nil {
				out = append(out, httpGet(c.Path+"."+name, p.HTTPGet)...)
				out = append(out, tcpSocket(c.Path+"."+name, p.TCPSocket)...)
			}
		}
		if c.Lifecycle == nil {
			continue
		}
		for name, h := range map[string]*corev1.LifecycleHandler{"postStart": c.Lifecycle.PostStart, "preStop": c.Lifecycle.PreStop} {
			if h != nil {
				out = append(out, httpGet(c.Path+".lifecycle."+name, h.HTTPGet)...)
				out = append(out, tcpSocket(c.Path+".lifecycle."+name, h.TCPSocket)...)
			}
		}
	}
	return out
}

func httpGet(path string, g *corev1.HTTPGetAction) []Reference {
	if g == nil {
		return nil
	}
	out := at(path+".httpGet.host", g.Host, Find(g.Host, "host", HostPosition))
	out = append(out, at(path+".httpGet.path", g.Path, Find(g.Path, "", Word))...)
	for i, h := range g.HTTPHeaders {
		out = append(out, at(fmt.Sprintf("%s.httpGet.httpHeaders[%d].value", path, i), h.Value, Find(h.Value, h.Name, Value))...)
	}
	return out
}

func tcpSocket(path string, s *corev1.TCPSocketAction) []Reference {
	if s == nil {
		return nil
	}
	return at(path+".tcpSocket.host", s.Host, Find(s.Host, "host", HostPosition))
}
