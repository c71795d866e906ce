package change_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Some of the approvers must be of certain groups; a person who is in two of them counts for both, and requiredApprovals for persons.
func TestApprovalsOfGroups(t *testing.T) {
	of := func(s *v1alpha1.Stamp, groups ...string) *v1alpha1.Stamp { s.Groups = groups; return s }
	for name, tc := range map[string]struct {
		reason  string
		by      []*v1alpha1.Stamp
		persons int32
		want    string // empty: it covers
	}{
		"one of each":            {"as it is asked for", []*v1alpha1.Stamp{of(alice(), "sre"), of(carol(), "dba")}, 2, ""},
		"two of one":             {"none of the others", []*v1alpha1.Stamp{of(alice(), "sre"), of(carol(), "sre")}, 2, `it has 2 of 2 approvals and lacks 1 of group "dba"`},
		"one who is both":        {"the groups are satisfied", []*v1alpha1.Stamp{of(alice(), "sre", "dba")}, 1, ""},
		"one who is both of two": {"and the number is not", []*v1alpha1.Stamp{of(alice(), "sre", "dba")}, 2, "it has 1 of 2 approvals"},
		"nobody":                 {"both are missing", nil, 1, `it has 0 of 1 approvals and lacks 1 of group "dba" and 1 of group "sre"`},
	} {
		t.Run(name, func(t *testing.T) {
			w, q := window(), question()
			q.Controls.RequiredApprovals, q.Controls.RequiredFrom = tc.persons, []v1alpha1.GroupQuorum{{Group: "dba"}, {Group: "sre", Approvals: 1}}
			s := &change.State{}
			for _, by := range tc.by {
				s.Approvals = append(s.Approvals, approval(w, by))
			}
			v := change.Judge(w, q, s)
			if v.Why != tc.want || (v.Stage == change.Covers) != (tc.want == "") {
				t.Errorf("%d %q, want %q: %s", v.Stage, v.Why, tc.want, tc.reason)
			}
			w.Spec.Type, w.Spec.OverridesFreeze = v1alpha1.WindowEmergency, true
			for i := range s.Approvals {
				s.Approvals[i].Spec.Digest = change.WindowDigest(&w.Spec)
			}
			if e := change.Judge(w, q, s); e.Stage != change.Covers || e.Overrides(q) != (tc.want == "") {
				t.Errorf("an emergency covers: %d, and passes a freeze: %t: %s", e.Stage, e.Overrides(q), tc.reason)
			}
		})
	}
	merged := estate.StrictestControls([]*estate.Environment{
		{Controls: &estate.Controls{RequiredFrom: []v1alpha1.GroupQuorum{{Group: "dba"}}}},
		{Controls: &estate.Controls{RequiredFrom: []v1alpha1.GroupQuorum{{Group: "dba", Approvals: 2}, {Group: "sre"}}}},
	})
	if len(merged.RequiredFrom) != 2 || merged.RequiredFrom[0].Approvals != 2 {
		t.Errorf("two environments ask for %+v", merged.RequiredFrom)
	}
}
