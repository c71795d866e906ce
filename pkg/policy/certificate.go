package policy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// certificateGrants: a certificate whose subject is a name or group of production's makes whoever has it that person. Who
// asks for one, and who approves it, must be of production.
func (c *Case) certificateGrants() []Finding {
	if c.requester.MemberOfTier(v1alpha1.TierProduction) || c.requester.Controller || len(c.est.Production()) == 0 {
		return nil
	}
	if c.req.SubResource != "" && c.req.SubResource != "approval" {
		return nil
	}
	var csr certificatesv1.CertificateSigningRequest
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &csr) != nil {
		return nil
	}
	name, groups := subjectOf(csr.Spec.Request)
	env := c.productionIdentity(name, groups)
	if env == "" {
		return nil
	}
	return []Finding{{
		Rule: v1alpha1.RuleGrantAcrossTiers, Action: estate.Strictest(c.est.Production(), v1alpha1.RuleGrantAcrossTiers),
		Path: "spec.request", Value: name, Target: "user/" + name, Environment: env,
		Message: fmt.Sprintf("asks for a certificate of user %q in groups %q, a member of environment %q (Production), but %s is a member of no Production environment; ask one of its members",
			name, groups, env, c.requester),
	}}
}

func (c *Case) productionIdentity(name string, groups []string) string {
	id := c.est.Identity(name, groups)
	for _, e := range c.est.Production() {
		// The administrators' group is bound by nothing.
		if id.MemberOf(e.Name) || slices.Contains(groups, "system:masters") {
			return e.Name
		}
	}
	return ""
}

// subjectOf returns the user and the groups that a certificate would stand for.
func subjectOf(request []byte) (name string, groups []string) {
	block, _ := pem.Decode(request)
	if block == nil {
		return "", nil
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return "", nil
	}
	return r.Subject.CommonName, r.Subject.Organization
}
