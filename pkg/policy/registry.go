package policy

import (
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Rule objects to requests. A program that uses this package as a library can give an Evaluator further rules.
type Rule interface {
	// Name returns the name by which environments enforce the rule, exemptions suspend it, and messages and metrics tell of it.
	Name() v1alpha1.RuleName
	// Class returns the class that groups the rule's findings in messages.
	Class() Class
	// Demand returns what the rule wants a window for, or nil if it wants none for this request. It is called once for each request,
	// before windows are read.
	Demand(*PreparedRequest) *Demand
	// Judge returns what the rule objects to. It is called once for each decision. Only exemptions change the actions of its findings.
	Judge(*PreparedRequest, *Judgement) []Finding
}

// rule is a rule of this package.
type rule struct {
	name   v1alpha1.RuleName
	class  Class
	demand func(*PreparedRequest) *Demand // nil if it never wants a window
	judge  func(*PreparedRequest, *Judgement) []Finding
}

func (r rule) Name() v1alpha1.RuleName                          { return r.name }
func (r rule) Class() Class                                     { return r.class }
func (r rule) Judge(c *PreparedRequest, j *Judgement) []Finding { return r.judge(c, j) }
func (r rule) Demand(c *PreparedRequest) *Demand {
	if r.demand == nil {
		return nil
	}
	return r.demand(c)
}

// Rules returns every rule of this package, in the order of the design. A rule name of the API without a line here is not judged yet.
func Rules() []Rule {
	return []Rule{
		rule{v1alpha1.RuleIdentityOutsideEnvironment, Segregation, nil, identityOutsideEnvironment},
		rule{v1alpha1.RuleGrantAcrossTiers, Segregation, nil, grantAcrossTiers},
		rule{v1alpha1.RuleBoundaryTampering, Segregation, boundaryDemand, boundaryTampering},
		rule{v1alpha1.RuleDataStoreAcrossTiers, Segregation, nil, dataStoreAcrossTiers},
		rule{v1alpha1.RuleNamespaceAcrossTiers, Segregation, nil, namespaceAcrossTiers},
		rule{v1alpha1.RuleCredentialAcrossTiers, Segregation, nil, credentialAcrossTiers},
		rule{v1alpha1.RulePlacementAcrossTiers, Segregation, nil, placementAcrossTiers},
		rule{v1alpha1.RuleRouteAcrossTiers, Segregation, nil, routeAcrossTiers},
		rule{v1alpha1.RuleStorageAcrossTiers, Segregation, nil, storageAcrossTiers},
		rule{v1alpha1.RuleChangeWindowRequired, ChangeControl, maintenanceDemand, changeWindowRequired},
		rule{v1alpha1.RulePlanMismatch, ChangeControl, pinnedDemand, planMismatch},
		rule{v1alpha1.RuleTargetNotConfirmed, ChangeControl, nil, targetNotConfirmed},
		rule{v1alpha1.RuleExecutionsExhausted, ChangeControl, nil, executionsExhausted},
		rule{v1alpha1.RuleInteractiveAccess, ChangeControl, sessionDemand, interactiveAccess},
		rule{v1alpha1.RuleChangeFrozen, ChangeControl, nil, changeFrozen},
		rule{v1alpha1.RuleProtectedState, ChangeControl, protectionDemand, protectedState},
		rule{v1alpha1.RuleBlastRadius, ChangeControl, blastDemand, blastRadius},
	}
}
