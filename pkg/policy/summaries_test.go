package policy_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func TestEveryRuleHasASummary(t *testing.T) {
	for _, r := range v1alpha1.RuleNames() {
		if !strings.HasSuffix(policy.RuleSummary(r), ".") {
			t.Errorf("%s has no sentence: %q", r, policy.RuleSummary(r))
		}
	}
	if got := policy.RuleSummary("Unheard"); got != "" {
		t.Errorf("a rule that does not exist is said to refuse: %s", got)
	}
}
