package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// BenchmarkHandle measures the handlers without their connections, to find where time and allocations go; main.go measures what counts.
func BenchmarkHandle(b *testing.B) {
	servers := []struct {
		name string
		http.Handler
	}{{"controller-runtime", &webhook.Admission{Handler: allow{}}}, {"firebreak", firebreak(1000, 0)}}
	for _, body := range bodies() {
		for _, s := range servers {
			b.Run(body.name+"/"+s.name, func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					raw := body.clean
					if n++; n%5 == 0 {
						raw = body.violates
					}
					r := httptest.NewRequest(http.MethodPost, "/?timeout=10s", bytes.NewReader(raw))
					r.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					if s.ServeHTTP(w, r); w.Code != http.StatusOK {
						b.Fatalf("%d %s", w.Code, w.Body)
					}
				}
			})
		}
	}
}
