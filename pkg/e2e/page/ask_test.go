package page

import (
	"net/http"
	"strings"
	"testing"
)

// ask sends a request, and returns the status and the content security policy of the answer.
func ask(t *testing.T, address, method, host, origin string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }() // the head is enough
	return got.StatusCode, got.Header.Get("Content-Security-Policy")
}
