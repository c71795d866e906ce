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
				out = append(out, in.httpGet(c.Path+"."+name, p.HTTPGet)...)
				out = append(out, in.tcpSocket(c.Path+"."+name, p.TCPSocket)...)
			}
		}
		if c.Lifecycle == nil {
			continue
		}
		for name, h := range map[string]*corev1.LifecycleHandler{"postStart": c.Lifecycle.PostStart, "preStop": c.Lifecycle.PreStop} {
			if h != nil {
				out = append(out, in.httpGet(c.Path+".lifecycle."+name, h.HTTPGet)...)
				out = append(out, in.tcpSocket(c.Path+".lifecycle."+name, h.TCPSocket)...)
			}
		}
	}
	return out
}

func (r *reader) httpGet(path string, g *corev1.HTTPGetAction) []Reference {
	if g == nil {
		return nil
	}
	out := r.at(path+".httpGet.host", g.Host, r.find(g.Host, "host", HostPosition))
	out = append(out, r.at(path+".httpGet.path", g.Path, r.find(g.Path, "", Word))...)
	for i, h := range g.HTTPHeaders {
		out = append(out, r.at(fmt.Sprintf("%s.httpGet.httpHeaders[%d].value", path, i), h.Value, r.find(h.Value, h.Name, Value))...)
	}
	return out
}

func (r *reader) tcpSocket(path string, s *corev1.TCPSocketAction) []Reference {
	if s == nil {
		return nil
	}
	return r.at(path+".tcpSocket.host", s.Host, r.find(s.Host, "host", HostPosition))
}
