package server

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
)

// serveWhenCertified starts the webhook once there is a certificate to serve.
func (p *parts) serveWhenCertified() error {
	certified := make(chan struct{})
	if p.opts.ManageCerts {
		if err := p.manageCerts(certified); err != nil {
			return err
		}
	} else {
		close(certified)
	}
	return p.mgr.Add(allReplicas(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-certified:
		}
		if err := p.mgr.Add(p.server); err != nil {
			return fmt.Errorf("start the webhook: %w", err)
		}
		close(p.listening)
		return nil
	}))
}

func (p *parts) manageCerts(certified chan struct{}) error {
	r := &rotator.CertRotator{
		SecretKey:      types.NamespacedName{Namespace: p.opts.Namespace, Name: p.opts.CertSecret},
		CertDir:        p.opts.CertDir,
		CAName:         "firebreak-ca",
		CAOrganization: "firebreak",
		DNSName:        p.opts.DNSNames[0],
		ExtraDNSNames:  p.opts.DNSNames[1:],
		IsReady:        certified,
		Webhooks: []rotator.WebhookInfo{
			{Name: p.opts.ValidatingConfig, Type: rotator.Validating},
			{Name: p.opts.MutatingConfig, Type: rotator.Mutating},
		},
		FieldOwner: "firebreak",
	}
	if err := rotator.AddRotator(p.mgr, r); err != nil {
		return fmt.Errorf("manage certificates: %w", err)
	}
	return nil
}
