package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// The second octet of addresses. All addresses lie in 127.64.0.0/10 and, as objects show them, in 100.64.0.0/10 (RFC 6598): no
// example data store or cluster network uses that range, so nothing is taken for a reference by accident.
const (
	localFirst = 64 // 64 to 95: control planes and Pods that run as local processes
	localCount = 32

	fakePodCIDR = "100.96.0.1/12"  // Pods on kwok's nodes, which nothing can reach
	serviceCIDR = "100.112.0.0/16" // Services
)

// claimPort is bound, for UDP, on every address in use. Nothing else listens on it.
const claimPort = 27183

// address is a loopback address that no other control plane or Pod on this machine uses.
type address struct {
	ip    netip.Addr
	claim net.PacketConn
}

// claimAddress picks a random address and holds it, against other processes too, until release.
func claimAddress() (*address, error) {
	var errs error
	for range 20 {
		ip := netip.AddrFrom4([4]byte{
			127, byte(localFirst + rand.IntN(localCount)), byte(rand.IntN(256)), byte(1 + rand.IntN(254)),
		})
		claim, err := net.ListenPacket("udp4", netip.AddrPortFrom(ip, claimPort).String())
		if err == nil {
			return &address{ip: ip, claim: claim}, nil
		}
		errs = errors.Join(errs, err)
	}
	return nil, fmt.Errorf("claiming a loopback address: %w", errs)
}

func (a *address) release() error { return a.claim.Close() }

// local returns the address where processes listen.
func (a *address) local() string { return a.ip.String() }

// shown returns the address by which objects in the API name the same host.
func (a *address) shown() string { return withFirstOctet(a.ip, 100).String() }

// freePort finds a TCP port that is free on the address. Only a listener on all addresses could take it before it is used, since no
// other process uses the address.
func (a *address) freePort() (int, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(a.local(), "0"))
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, errors.Join(fmt.Errorf("finding a free port: %w", err), l.Close())
	}
	port, err := strconv.Atoi(text)
	return port, errors.Join(err, l.Close())
}

// hostPort joins the local address and a port.
func (a *address) hostPort(port int) string {
	return net.JoinHostPort(a.local(), strconv.Itoa(port))
}

// toLocal translates the host of a dial target from the address in objects to the address where processes listen. It returns any
// other target as it is.
func toLocal(hostPort string) string {
	target, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return hostPort // a name
	}
	if !target.Addr().Unmap().Is4() {
		return hostPort
	}
	octets := target.Addr().Unmap().As4()
	if octets[0] != 100 || octets[1] < localFirst || octets[1] >= localFirst+localCount {
		return hostPort
	}
	return netip.AddrPortFrom(withFirstOctet(target.Addr().Unmap(), 127), target.Port()).String()
}

func withFirstOctet(ip netip.Addr, first byte) netip.Addr {
	octets := ip.As4()
	octets[0] = first
	return netip.AddrFrom4(octets)
}
