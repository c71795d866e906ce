package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// credentialAcrossTiers objects to the use of the other tier's credentials: its Secrets, its paths in a secret store, its
// roles in a cloud. Requests for tokens of its service accounts are IdentityOutsideEnvironment's business.
func credentialAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleCredentialAcrossTiers, c.credentialLeads)
}

func (c *PreparedRequest) credentialLeads(refs []reference.Reference) []crossing {
	var out []crossing
	for _, r := range refs {
		switch {
		case r.Kind == reference.Secret && r.Namespace != "" && r.Namespace != c.req.Namespace:
			if l, ok := c.namespaceLead(r, r.Namespace); ok {
				l.target = "secret/" + r.Namespace + "/" + r.Name
				l.what = "a Secret " + l.what
				l.remedy = "use a Secret of its own environment"
				out = append(out, l)
			}
		case r.Kind == reference.Secret, r.Kind == reference.StorePath, r.Kind == reference.Role:
			for _, o := range c.est.Credential(r.Target) {
				l := c.storeLead(r, o)
				l.target = "credential/" + o.Store
				l.what = fmt.Sprintf("%s of %s", credentialWord(r.Kind), l.what)
				l.remedy = "use credentials of its own environment"
				out = append(out, l)
			}
		}
	}
	return out
}

func credentialWord(k reference.Kind) string {
	switch k {
	case reference.Role:
		return "a role"
	case reference.StorePath:
		return "a path in the secret store"
	default:
		return "a credential"
	}
}
