package server

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
)

// expiry reports when the webhook's certificate expires, whether Firebreak manages it or not.
type expiry struct {
	dir   string
	log   logr.Logger
	every time.Duration
	gauge prometheus.Gauge
}

func newExpiry(dir string, r prometheus.Registerer, log logr.Logger) *expiry {
	e := &expiry{dir: dir, log: log, every: 30 * time.Second, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "firebreak", Name: "certificate_expiry_timestamp_seconds",
		Help: "When the webhook's certificate expires, in seconds since 1970; 0: there is none yet.",
	})}
	r.MustRegister(e.gauge)
	return e
}

// Start implements manager.Runnable.
func (e *expiry) Start(ctx context.Context) error {
	t := time.NewTicker(e.every)
	defer t.Stop()
	for {
		if at, err := notAfter(filepath.Join(e.dir, "tls.crt")); err == nil {
			e.gauge.Set(float64(at.Unix()))
		} else {
			e.log.V(1).Info("no certificate to tell the expiry of", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica reports its own certificate.
func (*expiry) NeedLeaderElection() bool { return false }

func notAfter(path string) (time.Time, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the certificate: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return time.Time{}, fmt.Errorf("%s holds no certificate", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the certificate: %w", err)
	}
	return c.NotAfter, nil
}
