package controlplane

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// clusterNetwork connects the API server to what runs in the cluster: the kubelets, and the webhooks and API services that are
// registered by Service. It is an HTTP CONNECT proxy on a socket in the scratch folder, configured as the API server's "cluster"
// egress. It translates addresses with toLocal.
type clusterNetwork struct {
	server *http.Server
	conns  splicer
}

// maxSocketPath is the longest path that sockaddr_un holds on Linux, without the closing zero.
const maxSocketPath = 107

func newClusterNetwork(socket string) (*clusterNetwork, error) {
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("the path %q is too long for a socket: choose a shorter TMPDIR", socket)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listening for the API server's connections into the cluster: %w", err)
	}
	n := &clusterNetwork{}
	n.server = &http.Server{Handler: http.HandlerFunc(n.connect), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = n.server.Serve(listener) }() // ends with close
	return n, nil
}

// egressConfig returns the configuration with which the API server uses the network.
func egressConfig(socket string) string {
	return `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: ` + socket + "\n"
}

func (n *clusterNetwork) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served", http.StatusMethodNotAllowed)
		return
	}
	target := toLocal(r.RequestURI)
	upstream, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(r.Context(), "tcp", target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		_ = upstream.Close()
		http.Error(w, "the connection cannot be taken over", http.StatusInternalServerError)
		return
	}
	client, _, err := hijacker.Hijack()
	if err != nil {
		_ = upstream.Close()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// The client waits for this line before it sends anything, so nothing is lost in buffers.
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = errors.Join(client.Close(), upstream.Close())
		return
	}
	n.conns.splice(client, upstream)
}

func (n *clusterNetwork) close() error {
	err := n.server.Close()
	n.conns.closeAll()
	return err
}

// splicer joins pairs of connections, and remembers them so that it can close them all.
type splicer struct {
	mu     sync.Mutex
	open   map[net.Conn]net.Conn
	closed bool
}

// splice copies in both directions until either side is done, and closes both.
func (s *splicer) splice(a, b net.Conn) {
	if !s.add(a, b) {
		_ = errors.Join(a.Close(), b.Close())
		return
	}
	defer s.remove(a)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // only the two ends care how it ends
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	_ = errors.Join(a.Close(), b.Close())
}

func (s *splicer) add(a, b net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[net.Conn]net.Conn{}
	}
	s.open[a] = b
	return true
}

func (s *splicer) remove(a net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, a)
}

// closeAll closes every connection, also those that are added later.
func (s *splicer) closeAll() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cut()
}

// cut closes the connections that are open.
func (s *splicer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, b := range s.open {
		_ = errors.Join(a.Close(), b.Close())
	}
}
