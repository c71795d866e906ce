package policy

import "github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"

// RuleSummary says in a sentence what a rule refuses; it is empty for a name that no rule has. README.md beside this file says it in full.
func RuleSummary(r v1alpha1.RuleName) string {
	return map[v1alpha1.RuleName]string{
		v1alpha1.RuleIdentityOutsideEnvironment: "Only members of a Production environment write in its namespaces.",
		v1alpha1.RuleGrantAcrossTiers:           "A right over production goes to members of production only.",
		v1alpha1.RuleBoundaryTampering:          "What the boundary rests on changes only under a window in Firebreak's own namespace.",
		v1alpha1.RuleDataStoreAcrossTiers:       "A workload uses the data stores of its own tier, or Shared ones.",
		v1alpha1.RuleNamespaceAcrossTiers:       "A workload talks to namespaces of its own tier, or Shared ones.",
		v1alpha1.RuleCredentialAcrossTiers:      "A workload uses the secrets, roles and cloud resources of its own tier.",
		v1alpha1.RulePlacementAcrossTiers:       "A workload runs on the nodes of its own tier.",
		v1alpha1.RuleRouteAcrossTiers:           "A route leads to Services of its own tier.",
		v1alpha1.RuleStorageAcrossTiers:         "A volume belongs to the tier of the workload that mounts it.",
		v1alpha1.RuleChangeWindowRequired:       "Maintenance in production, and whatever else the environment says, needs an approved, open window.",
		v1alpha1.RulePlanMismatch:               "What runs under a window is what was approved.",
		v1alpha1.RuleTargetNotConfirmed:         "A manifest goes to the environment that it is meant for, and maintenance to a target that something confirms.",
		v1alpha1.RuleExecutionsExhausted:        "A window is used as often as it allows.",
		v1alpha1.RuleInteractiveAccess:          "Sessions in production need an approved, open window.",
		v1alpha1.RuleChangeFrozen:               "During a freeze nothing changes, but for an approved emergency that overrides it.",
		v1alpha1.RuleProtectedState:             "What cannot be made again is deleted or changed only under a window.",
		v1alpha1.RuleBlastRadius:                "Nothing scales production by more at once than its environment allows.",
	}[r]
}
