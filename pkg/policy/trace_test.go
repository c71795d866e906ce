package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestTheTraceOfACoveredJob checks that each state of the object is decoded once, that the plan is made once, and that each rule is asked
// once what it demands, and judges once for each state of knowledge.
func TestTheTraceOfACoveredJob(t *testing.T) {
	s := newStage(t)
	x := readFixture(t, "testdata/changewindowrequired/allow/approved.yaml")
	c, err := policy.Prepare(*x.request(t, s), s.cluster)
	if err != nil {
		t.Fatal(err)
	}
	rules := len(policy.Rules())
	before := s.state(t, x.State...)
	c.Questions(before)
	first := c.Decide(before)
	if first.Use == nil {
		t.Fatalf("no window covers it: %v", first.Findings)
	}
	if diff := cmp.Diff(policy.Trace{Decoded: 1, Demanded: rules, Judged: rules, Planned: 1}, c.Trace()); diff != "" {
		t.Errorf("the look at the window (-want +got):\n%s", diff)
	}
	if again := c.Decide(s.state(t, x.State...)); again.Use == nil {
		t.Errorf("no window covers it any more: %v", again.Findings)
	}
	if diff := cmp.Diff(policy.Trace{Decoded: 1, Demanded: rules, Judged: 2 * rules, Planned: 1}, c.Trace()); diff != "" {
		t.Errorf("and the approvals once more, after the reservation (-want +got):\n%s", diff)
	}
}
