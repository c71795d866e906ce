package check

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// Each person is told what they are and may do, and when production is open, with the rights that they have.
func TestWhoIsToldWhat(t *testing.T) {
	p := fixture.Everybody(t, cluster)
	w, err := p.Approved(t.Context(), "told", "told-", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Admin.Delete(t.Context(), w) })
	for name, tc := range map[string]struct {
		who  string
		args []string
		says []string
	}{
		"a requester": {stage.SRE, []string{"whoami", "-n", "payments"}, []string{
			"You are sam, of groups sre, system:authenticated.\n", "production   Production     a member\n", `Namespace "payments" is in "production".`,
			"In it you may request change windows, approve those of others", "Open for you:\n", "payments   told "}},
		"an approver": {stage.SecondSRE, []string{"whoami", "-n", "payments"}, []string{"No window is open for you in namespace \"payments\"."}},
		"a developer": {stage.Developer, []string{"whoami", "-n", "dev"}, []string{
			"You may not list environments, so which you belong to is not known; the ClusterRole firebreak-estate-view gives the right.",
			"In it you may request change windows.\nIn it you may not approve those of others, open emergencies.\n"}},
		"when it is open": {stage.Developer, []string{"windows", "-n", "payments"}, []string{
			"You may not list freezes, so openings may be frozen that look open", "payments   told ", "  open  "}},
		"as a calendar": {stage.SRE, []string{"windows", "--ics", "-n", "payments"}, []string{"BEGIN:VCALENDAR\r\n", "SUMMARY:production: payments/told (open)\r\n", "END:VCALENDAR\r\n"}},
	} {
		out, err := plugin(t, tc.who, tc.args...)
		if err != nil {
			t.Errorf("%s: %v %s", name, err, out)
			continue
		}
		for _, s := range tc.says {
			if !strings.Contains(out, s) {
				t.Errorf("%s: it lacks %q:\n%s", name, s, out)
			}
		}
	}
}
