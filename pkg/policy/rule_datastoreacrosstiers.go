package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// dataStoreAcrossTiers objects to a reference to a data store of the other tier, in both directions: non-production to production and,
// less noticeable, production to non-production.
func dataStoreAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleDataStoreAcrossTiers, c.storeLeads(reference.Connects))
}

// storeLeads returns a function that finds the data stores to which references of one use lead.
func (c *PreparedRequest) storeLeads(use reference.Use) func([]reference.Reference) []crossing {
	return func(refs []reference.Reference) []crossing {
		var out []crossing
		for _, r := range refs {
			if r.Use != use || r.Answers != nil {
				continue
			}
			for _, o := range c.est.Resolve(r.Target, c.req.Namespace).Owners {
				out = append(out, c.storeLead(r, o))
			}
		}
		return out
	}
}

func (c *PreparedRequest) storeLead(r reference.Reference, o estate.Owner) crossing {
	l := crossing{
		ref: r, target: o.Store, environment: o.EnvironmentName, env: o.Environment, tier: o.Tier(),
		what:   fmt.Sprintf("data store %q of %s", o.Store, estate.Described(o.EnvironmentName, o.Tier())),
		remedy: "use that environment's own data store",
	}
	if o.Environment == nil {
		l.what = fmt.Sprintf("data store %q of %q, which does not exist", o.Store, o.EnvironmentName)
		if c.subject().SubjectTier() == v1alpha1.TierProduction {
			// For production it is a warning: nobody knows whose it is, and production must not stop for that.
			l.tier, l.uncertain = v1alpha1.TierNonProduction, true
		}
	}
	if envs := c.subject().Environments; len(envs) == 1 {
		l.remedy = fmt.Sprintf("use a data store of %q", envs[0].Name)
	}
	if r.Kind == reference.Claim || r.Kind == reference.Volume {
		l.what, l.remedy = "a volume of "+l.what, volumeRemedy
	}
	return l
}

const volumeRemedy = "use a volume of its own environment"
