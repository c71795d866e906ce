package policy

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// certificateGrants objects to a certificate whose subject is a name or group of production's: its holder becomes that person, so the
// requester would be two persons and could approve their own requests. Members are not excepted.
func (c *PreparedRequest) certificateGrants() []Finding {
	if c.requester.Controller || len(c.est.Production()) == 0 || c.req.SubResource != "" && c.req.SubResource != "approval" {
		return nil
	}
	var csr certificatesv1.CertificateSigningRequest
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &csr) != nil {
		return nil
	}
	name, groups := subjectOf(csr.Spec.Request)
	if joins(&csr, name, groups) || renews(&csr, name, groups) {
		return nil
	}
	f := Finding{
		Rule: v1alpha1.RuleGrantAcrossTiers, Action: estate.Strictest(c.est.Production(), v1alpha1.RuleGrantAcrossTiers),
		Path: "spec.request", Value: name, Target: "user/" + name, Environment: c.productionIdentity(name, groups),
	}
	ns, account, _ := estate.ServiceAccount(name)
	switch {
	case c.systemAccount(ns, account) != "":
		f.Environment = c.est.Production()[0].Name
		f.Message, f.Remedy = "is for a certificate of "+c.systemAccount(ns, account), "use a token of a service account of your own"
	case slices.Contains([]string{userControllerManager, userScheduler, userAPIServer}, name):
		f.Environment = c.est.Production()[0].Name
		f.Message = fmt.Sprintf("is for a certificate of user %q, a part of the control plane, which is not judged as people are", name)
		f.Remedy = "ask for a certificate of your own name: those of the control plane are made with the cluster"
	case slices.Contains(groups, groupNodes), strings.HasPrefix(name, nodePrefix):
		f.Environment = c.est.Production()[0].Name
		f.Message = fmt.Sprintf("is for a certificate of user %q in groups %q, and what nodes send is not judged", name, groups)
		f.Remedy = fmt.Sprintf("ask signer %s, as system:node:NAME in group %s alone", certificatesv1.KubeAPIServerClientKubeletSignerName, groupNodes)
	case f.Environment != "":
		f.Message = fmt.Sprintf("is for a certificate of user %q in groups %q, a member of %s, and whoever has it is that user",
			name, groups, estate.Described(f.Environment, v1alpha1.TierProduction))
		f.Remedy = "let people sign in as themselves, and renew their own certificate for a day at most (spec.expirationSeconds)"
	default:
		return nil
	}
	return []Finding{f}
}

// joins reports whether a kubelet asks for the certificate of the node that it is to be.
func joins(csr *certificatesv1.CertificateSigningRequest, name string, groups []string) bool {
	signer := csr.Spec.SignerName
	return isNode(name, groups) && (signer == certificatesv1.KubeAPIServerClientKubeletSignerName || signer == certificatesv1.KubeletServingSignerName)
}

// renews reports whether the requester asks for a short-lived certificate of their own identity.
func renews(csr *certificatesv1.CertificateSigningRequest, name string, groups []string) bool {
	short := csr.Spec.ExpirationSeconds != nil && *csr.Spec.ExpirationSeconds <= maxRenewal
	return short && name == csr.Spec.Username && subset(groups, csr.Spec.Groups)
}

// maxRenewal is for how many seconds a requester may get a certificate of their own identity: access that was meant to be temporary must
// not become permanent.
const maxRenewal = 24 * 60 * 60

func (c *PreparedRequest) productionIdentity(name string, groups []string) string {
	id := c.est.Identity(name, groups)
	for _, e := range c.est.Production() {
		// The administrators' group is bound by nothing.
		if id.MemberOf(e.Name) || slices.Contains(groups, "system:masters") {
			return e.Name
		}
	}
	return ""
}

// subjectOf returns the user and the groups that a certificate would stand for; they are empty if the request for it cannot be read.
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
