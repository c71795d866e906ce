package reference

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// maxHost is the longest DNS name.
const maxHost = 253

// NormaliseHost brings a host into the form in which hosts are compared: lower case, ASCII, no brackets, zone,
// percent-encoding or trailing dot; addresses in canonical form, IPv4-mapped ones as IPv4. loose also takes the forms
// of an IPv4 address that only inet_aton understands in full: fewer than four parts, octal, hexadecimal. It reports
// false for what can be no host.
func NormaliseHost(s string, loose bool) (Target, bool) {
	if len(s) > maxSpelling {
		return Target{}, false
	}
	if strings.Contains(s, "%") {
		if d, err := url.PathUnescape(s); err == nil {
			s = d
		}
	}
	s = toASCII(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if a, ok := address(s, loose); ok {
		return Target{Name: a.String(), Addr: a}, true
	}
	s = strings.TrimRight(s, ".")
	if s == "" || len(s) > maxHost || !isName(s) || numeric(s[strings.LastIndexByte(s, '.')+1:]) {
		return Target{}, false
	}
	return Target{Name: s}, true
}

// maxSpelling is the longest that the longest DNS name can be spelled: each byte as %00, and brackets around it.
const maxSpelling = 3*maxHost + 2

func toASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			// Lookup maps full-width letters and the ideographic full stops that resolvers accept for a dot.
			if a, err := idna.Lookup.ToASCII(s); err == nil {
				return strings.ToLower(a)
			}
			return ""
		}
	}
	return strings.ToLower(s)
}

func isName(s string) bool {
	label := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c == '-' || c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			label++
		default:
			return false
		}
	}
	return label > 0
}

// numeric reports whether a last label can only be part of an address: no top-level domain is a number.
func numeric(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	if digits(s) {
		return true
	}
	_, ok := part(s)
	return ok
}

func address(s string, loose bool) (netip.Addr, bool) {
	switch {
	case s == "":
	case strings.Contains(s, ":"):
		if len(s) > 64 || !strings.ContainsAny(s[:1], "0123456789abcdef:") {
			break // no address is so long, or begins so
		}
		if a, err := netip.ParseAddr(s); err == nil {
			return a.WithZone("").Unmap(), true
		}
	case s[0] >= '0' && s[0] <= '9':
		return inetAton(strings.TrimRight(s, "."), loose)
	}
	return netip.Addr{}, false
}

// inetAton reads an IPv4 address as the C library does: one to four parts, each decimal, octal or hexadecimal, the
// last filling what remains. Four plain decimal parts are never octal.
func inetAton(s string, loose bool) (netip.Addr, bool) {
	n := strings.Count(s, ".") + 1
	if n > 4 || !loose && n < 4 {
		return netip.Addr{}, false
	}
	if n == 4 {
		if a, ok := dotted(s); ok {
			return a, true
		}
	}
	var v uint64
	for i := range n {
		p, rest, _ := strings.Cut(s, ".")
		s = rest
		x, ok := part(p)
		bits := uint(8)
		if i == n-1 {
			bits = uint(8 * (4 - i))
		}
		if !ok || x >= 1<<bits {
			return netip.Addr{}, false
		}
		v = v<<bits | x
	}
	if n < 4 && v < 1<<24 {
		return netip.Addr{}, false // a port, a time, a count: nothing is reached there
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// dotted reads four decimal parts without leading zeros.
func dotted(s string) (netip.Addr, bool) {
	var out [4]byte
	for i := range out {
		p, rest, _ := strings.Cut(s, ".")
		s = rest
		x, ok := part(p)
		if !ok || !digits(p) || len(p) > 1 && p[0] == '0' || x > 255 {
			return netip.Addr{}, false
		}
		out[i] = byte(x)
	}
	return netip.AddrFrom4(out), true
}

// part reads one part of an address: decimal, octal behind a 0, hexadecimal behind 0x. It makes nothing that must be cleared
// away, since most of what it is asked about is no number.
func part(p string) (uint64, bool) {
	base, rest := uint64(10), p
	switch {
	case len(p) > 2 && p[0] == '0' && p[1] == 'x':
		base, rest = 16, p[2:]
	case len(p) > 1 && p[0] == '0':
		base, rest = 8, p[1:]
	}
	if rest == "" || len(rest) > 11 {
		return 0, false
	}
	var v uint64
	for i := 0; i < len(rest); i++ {
		d := uint64(99)
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c >= 'a' && c <= 'f':
			d = uint64(c-'a') + 10
		}
		if d >= base {
			return 0, false
		}
		v = v*base + d
	}
	return v, true
}

// namedAddress reads the name that a cloud gives an instance by its address: ip-10-20-0-5.eu-west-1.compute.internal.
func namedAddress(name string) (netip.Addr, bool) {
	first, rest, ok := strings.Cut(name, ".")
	digits, has := strings.CutPrefix(first, "ip-")
	if !ok || !has || strings.Count(digits, "-") != 3 || !strings.HasSuffix(rest, ".internal") {
		return netip.Addr{}, false
	}
	return dotted(strings.ReplaceAll(digits, "-", "."))
}
