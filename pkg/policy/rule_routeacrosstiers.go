package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// routeAcrossTiers objects to Services, endpoints, routes, network policies and mesh entries that lead across.
func routeAcrossTiers(c *Case, _ *judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleRouteAcrossTiers, c.across(reference.Routes))
}

// across gives what references of one use lead to, data stores and namespaces alike.
func (c *Case) across(use reference.Use) func([]reference.Reference) []lead {
	return func(refs []reference.Reference) []lead {
		return slices.Concat(c.storeLeads(use)(refs), c.namespaceLeads(use)(refs))
	}
}
