package reference

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// probe finds the hosts that probes and lifecycle hooks call.
func probe(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		for i, p := range [...]*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if p != nil {
				name := [...]string{".livenessProbe", ".readinessProbe", ".startupProbe"}[i]
				out = append(out, in.httpGet(c.Path, name, p.HTTPGet)...)
				out = append(out, in.tcpSocket(c.Path, name, p.TCPSocket)...)
			}
		}
		if c.Lifecycle == nil {
			continue
		}
		for i, h := range [...]*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if h != nil {
				name := [...]string{".lifecycle.postStart", ".lifecycle.preStop"}[i]
				out = append(out, in.httpGet(c.Path, name, h.HTTPGet)...)
				out = append(out, in.tcpSocket(c.Path, name, h.TCPSocket)...)
			}
		}
	}
	return out
}

func (r *reader) httpGet(path, name string, g *corev1.HTTPGetAction) []Reference {
	if g == nil {
		return nil
	}
	out := r.in(path, name+".httpGet.host", g.Host, r.find(g.Host, "host", HostPosition))
	out = append(out, r.in(path, name+".httpGet.path", g.Path, r.find(g.Path, "", Word))...)
	for i, h := range g.HTTPHeaders {
		out = append(out, r.at(fmt.Sprintf("%s%s.httpGet.httpHeaders[%d].value", path, name, i), h.Value, r.find(h.Value, h.Name, Value))...)
	}
	return out
}

func (r *reader) tcpSocket(path, name string, s *corev1.TCPSocketAction) []Reference {
	if s == nil {
		return nil
	}
	return r.in(path, name+".tcpSocket.host", s.Host, r.find(s.Host, "host", HostPosition))
}
