package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// balancer stands for a Service: it sends each connection to a backend picked at random.
type balancer struct {
	listener net.Listener
	backends func() []string
	conns    splicer
}

// newBalancer listens on a free port. It asks for the backends at each connection.
func newBalancer(backends func() []string) (*balancer, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the balancer: %w", err)
	}
	b := &balancer{listener: listener, backends: backends}
	go b.serve()
	return b, nil
}

func (b *balancer) serve() {
	for {
		conn, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		go b.forward(conn)
	}
}

// forward resets the connection if there is no backend, as a Service without endpoints does.
func (b *balancer) forward(conn net.Conn) {
	backends := b.backends()
	if len(backends) == 0 {
		reset(conn)
		return
	}
	backend, err := net.DialTimeout("tcp", backends[rand.IntN(len(backends))], 5*time.Second)
	if err != nil {
		reset(conn)
		return
	}
	b.conns.splice(conn, backend)
}

// reset closes a connection so that the client sees it refused rather than ended.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (b *balancer) address() string { return b.listener.Addr().String() }

func (b *balancer) close() {
	_ = b.listener.Close()
	b.conns.closeAll()
}
