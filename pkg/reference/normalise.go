package reference

import (
	"net/netip"
	"net/url"
	"strconv"
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
	_, err := strconv.ParseUint(s, 0, 64)
	return err == nil || strings.Trim(s, "0123456789") == ""
}

func address(s string, loose bool) (netip.Addr, bool) {
	if s == "" || !strings.ContainsAny(s[:1], "0123456789abcdefABCDEF:") {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.WithZone("").Unmap(), true
	}
	return inetAton(strings.TrimRight(s, "."), loose)
}

// inetAton reads an IPv4 address as the C library does: one to four parts, each decimal, octal or hexadecimal, the
// last filling what remains.
func inetAton(s string, loose bool) (netip.Addr, bool) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 || !loose && len(parts) < 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, p := range parts {
		n, err := strconv.ParseUint(octal(p), 0, 64)
		if err != nil || strings.Contains(p, "_") || p == "" {
			return netip.Addr{}, false
		}
		if i == len(parts)-1 {
			rest := uint(8 * (4 - i))
			if n >= 1<<rest {
				return netip.Addr{}, false
			}
			v = v<<rest | n
			break
		}
		if n > 255 {
			return netip.Addr{}, false
		}
		v = v<<8 | n
	}
	if len(parts) < 4 && v < 1<<24 {
		return netip.Addr{}, false // a port, a time, a count: nothing is reached there
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// octal keeps Go's own prefixes (0b, 0o) out: the C library knows neither.
func octal(p string) string {
	if len(p) > 1 && p[0] == '0' && strings.ContainsRune("bBoO", rune(p[1])) {
		return "x"
	}
	return p
}
