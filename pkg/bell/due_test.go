package bell

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func at(t *testing.T, clock string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, "2026-11-28T"+clock+":00Z")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// window is one of sam's, from ten to twelve, requested at nine.
func window(t *testing.T, change func(*v1alpha1.ChangeWindow)) v1alpha1.ChangeWindow {
	t.Helper()
	start, end := metav1.NewTime(at(t, "10:00")), metav1.NewTime(at(t, "12:00"))
	w := v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "reindex", Namespace: "payments", UID: "u-w", CreationTimestamp: metav1.NewTime(at(t, "09:00"))},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: "production", Reason: "rebuild postgres://u:hunter2@db/x", Ticket: "CHG-7", Schedule: v1alpha1.Schedule{Start: &start, End: &end},
			RequestedBy: &v1alpha1.Stamp{Username: "sam", UID: "u-sam"},
			Plan:        &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{Fields: []v1alpha1.PlannedField{{Path: "args", Value: `"the plan"`}}}}},
		},
		Status: v1alpha1.ChangeWindowStatus{Phase: v1alpha1.WindowPending, Approvals: "0/1", OpensAt: &start, ClosesAt: &end},
	}
	if change != nil {
		change(&w)
	}
	return w
}

// approved is what the status of an approved or rejected window says.
func approved(t *testing.T, status metav1.ConditionStatus, reason, message, clock string) func(*v1alpha1.ChangeWindow) {
	return func(w *v1alpha1.ChangeWindow) {
		w.Status.Conditions = []metav1.Condition{{Type: "Approved", Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(at(t, clock))}}
	}
}

// lines returns the notices that are due and the first lines of their messages.
func lines(t *testing.T, s *Sources, now time.Time) []string {
	t.Helper()
	words, err := NewTemplates(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range Due(s, now) {
		n.Cluster = "eu"
		m, err := words.Write(n)
		if err != nil {
			t.Fatal(err)
		}
		if whole := m.Title + m.Text; strings.Contains(whole, "hunter2") || strings.Contains(whole, "the plan") {
			t.Errorf("a credential or text of a plan is in %q", whole)
		}
		out = append(out, n.At.Format("15:04 ")+string(n.Kind)+": "+m.Title)
	}
	return out
}

func TestDue(t *testing.T) {
	yes := approved(t, metav1.ConditionTrue, "Approved", "approved by robin", "09:10")
	used := v1alpha1.ChangeExecution{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(at(t, "10:30"))}}
	used.Spec.Window.UID = "u-w"
	glass := *used.DeepCopy()
	glass.Spec.Window.UID, glass.Spec.Window.Name, glass.Spec.Window.Namespace, glass.Spec.Window.Type = "u-gone", "rescue", "payments", v1alpha1.WindowEmergency
	glass.Spec.Window.Environment, glass.Spec.Window.RequestedBy = "production", &v1alpha1.Stamp{Username: "sam"}
	back := *used.DeepCopy()
	back.Status.State = v1alpha1.ExecutionReleased
	rejection := v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", UID: "u-no", CreationTimestamp: metav1.NewTime(at(t, "09:20"))},
		Spec:       v1alpha1.ChangeApprovalSpec{Window: &v1alpha1.LocalReference{Name: "reindex", UID: "u-w"}, Decision: v1alpha1.DecisionReject},
	}
	emergency := func(w *v1alpha1.ChangeWindow) { w.Spec.Type = v1alpha1.WindowEmergency }
	freeze := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "xmas", UID: "u-f", CreationTimestamp: metav1.NewTime(at(t, "09:30"))}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Reason: "trading", RequestedBy: &v1alpha1.Stamp{Username: "kim"}}}
	frozen := Notice{Kind: Frozen, At: at(t, "09:30"), ID: "frozen/u-f/1", ObjectKind: v1alpha1.KindChangeFreeze, Object: "xmas", Environments: []string{"production"}}
	exemption := v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Name: "old", UID: "u-x"}, Spec: v1alpha1.ExemptionSpec{ExpiresAt: metav1.NewTime(at(t, "11:00").Add(24 * time.Hour))}}
	env := v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production", UID: "u-e"}, Spec: v1alpha1.EnvironmentSpec{Gateways: []v1alpha1.Gateway{{Host: "proxy.svc", ExpiresAt: metav1.NewTime(at(t, "10:00").Add(24 * time.Hour))}}}}
	for name, tc := range map[string]struct {
		reason string
		s      Sources
		now    string
		want   []string
	}{
		"requested":         {"it waits for an approval", Sources{Windows: []v1alpha1.ChangeWindow{window(t, nil)}}, "09:01", []string{"09:00 requested: sam asks for a change in production: payments/reindex"}},
		"nothing to decide": {"no approval is required", Sources{Windows: []v1alpha1.ChangeWindow{window(t, func(w *v1alpha1.ChangeWindow) { w.Status.Approvals = "0/0" })}}, "09:01", nil},
		"no status yet":     {"whether it needs approvals is not known", Sources{Windows: []v1alpha1.ChangeWindow{window(t, func(w *v1alpha1.ChangeWindow) { w.Status.Approvals = "" })}}, "09:01", nil},
		"rejected": {"when it was said, whatever the condition says; and nothing opens", Sources{Windows: []v1alpha1.ChangeWindow{window(t, approved(t, metav1.ConditionFalse, "Rejected", "rejected by robin", "09:00"))}, Approvals: []v1alpha1.ChangeApproval{rejection}}, "12:30", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:20 rejected: Rejected: payments/reindex in production"}},
		"the whole day, unused": {"each in its time", Sources{Windows: []v1alpha1.ChangeWindow{window(t, yes)}}, "12:30", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:10 approved: Approved: payments/reindex in production",
			"11:50 closing: payments/reindex closes at 2026-11-28 12:00 UTC and has not been used", "12:00 unused: payments/reindex has closed and was not used"}},
		"soon": {"it opens in a quarter of an hour", Sources{Windows: []v1alpha1.ChangeWindow{window(t, yes)}}, "09:46", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:10 approved: Approved: payments/reindex in production", "09:45 opening: production opens at 2026-11-28 10:00 UTC: payments/reindex"}},
		"frozen all the while": {"people know of the freeze", Sources{Windows: []v1alpha1.ChangeWindow{window(t, yes)}, Freezes: []v1alpha1.ChangeFreeze{freeze}}, "12:30", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:10 approved: Approved: payments/reindex in production", "09:30 frozen: production is frozen"}},
		"in another cluster": {"it opens there", Sources{Windows: []v1alpha1.ChangeWindow{window(t, func(w *v1alpha1.ChangeWindow) {
			yes(w)
			w.Status.Conditions = append(w.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "OtherCluster"})
		})}}, "12:30", []string{"09:00 requested: sam asks for a change in production: payments/reindex"}},
		"an emergency that was closed": {"it is told and reviewed all the same", Sources{Executions: []v1alpha1.ChangeExecution{glass}}, "11:31", []string{
			"10:30 emergency: sam broke the glass in production: payments/rescue", "11:30 unreviewed: Nobody has reviewed the emergency payments/rescue of sam within an hour"}},
		"what was given back": {"it was not used", Sources{Windows: []v1alpha1.ChangeWindow{window(t, yes)}, Executions: []v1alpha1.ChangeExecution{back}}, "12:30", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:10 approved: Approved: payments/reindex in production",
			"11:50 closing: payments/reindex closes at 2026-11-28 12:00 UTC and has not been used", "12:00 unused: payments/reindex has closed and was not used"}},
		"used": {"nobody needs be told that it closes", Sources{Windows: []v1alpha1.ChangeWindow{window(t, yes)}, Executions: []v1alpha1.ChangeExecution{used}}, "12:30", []string{
			"09:00 requested: sam asks for a change in production: payments/reindex", "09:10 approved: Approved: payments/reindex in production"}},
		"opens at once": {"whoever asks knows", Sources{Windows: []v1alpha1.ChangeWindow{window(t, func(w *v1alpha1.ChangeWindow) {
			yes(w)
			w.CreationTimestamp = metav1.NewTime(at(t, "09:59"))
		})}}, "10:01", []string{"09:10 approved: Approved: payments/reindex in production", "09:59 requested: sam asks for a change in production: payments/reindex"}},
		"a day later": {"what nobody could be told in a day is not told", Sources{Windows: []v1alpha1.ChangeWindow{window(t, func(w *v1alpha1.ChangeWindow) {
			yes(w)
			w.CreationTimestamp = metav1.NewTime(at(t, "09:00").AddDate(0, 0, -2))
		})}}, "09:05", nil},
		"an emergency": {"and an hour later, that nobody has reviewed it", Sources{Windows: []v1alpha1.ChangeWindow{window(t, emergency)}}, "10:01", []string{
			"09:00 emergency: sam broke the glass in production: payments/reindex", "10:00 unreviewed: Nobody has reviewed the emergency payments/reindex of sam within an hour"}},
		"an emergency, reviewed": {"somebody else has", Sources{Windows: []v1alpha1.ChangeWindow{window(t, emergency)}, Approvals: []v1alpha1.ChangeApproval{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "payments"},
			Spec:       v1alpha1.ChangeApprovalSpec{Window: &v1alpha1.LocalReference{Name: "reindex", UID: "u-w"}, Approver: &v1alpha1.Stamp{Username: "robin"}},
		}}}, "10:01", []string{"09:00 emergency: sam broke the glass in production: payments/reindex"}},
		"frozen":        {"until somebody lifts it", Sources{Freezes: []v1alpha1.ChangeFreeze{freeze}}, "09:31", []string{"09:30 frozen: production is frozen"}},
		"lifted":        {"the freeze that was told is gone", Sources{Frozen: []Notice{frozen}}, "10:00", []string{"10:00 lifted: production is not frozen any more by xmas"}},
		"what expires":  {"a day before", Sources{Exemptions: []v1alpha1.Exemption{exemption}, Environments: []v1alpha1.Environment{env}}, "11:01", []string{"10:00 expiring: the gateway through proxy.svc expires at 2026-11-29 10:00 UTC", "11:00 expiring: the exemption old expires at 2026-11-29 11:00 UTC"}},
		"not yet, that": {"it is more than a day off", Sources{Exemptions: []v1alpha1.Exemption{exemption}}, "10:59", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, lines(t, &tc.s, at(t, tc.now))); diff != "" {
				t.Errorf("%s: %s", tc.reason, diff)
			}
		})
	}
}

func TestWords(t *testing.T) {
	w := window(t, nil)
	n := Due(&Sources{Windows: []v1alpha1.ChangeWindow{w}}, at(t, "09:01"))[0]
	n.Cluster, n.Link, n.Who = "eu", "https://firebreak.example.com/c/eu/window/payments/reindex", "sam\n\x1b[31mroot"
	words, err := NewTemplates(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := words.Write(n)
	if err != nil {
		t.Fatal(err)
	}
	if m.Title != `sam\n\x1b[31mroot asks for a change in production: payments/reindex` {
		t.Errorf("title %q", m.Title)
	}
	mark := m.Text[strings.Index(m.Text, "u:")+2 : strings.Index(m.Text, "@db")]
	if want := "rebuild postgres://u:" + mark + `@db/x
Ticket: CHG-7
From 2026-11-28 10:00 UTC to 2026-11-28 12:00 UTC
Cluster: eu
kubectl firebreak approve reindex -n payments
https://firebreak.example.com/c/eu/window/payments/reindex`; m.Text != want {
		t.Errorf("%s", cmp.Diff(want, m.Text))
	}
	own, err := NewTemplates(map[string]string{"requested": "{{.Ticket}}", "requested.title": strings.Repeat("long ", 100)})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = own.Write(n); err != nil || m.Text != "CHG-7" || len(m.Title) > mostTitle+4 {
		t.Errorf("%v: %+v", err, m)
	}
	for given, want := range map[string]string{"asked": `template "asked" is for no kind of notice`, "requested": "template requested: "} {
		if _, err := NewTemplates(map[string]string{given: "{{"}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, tc := range map[string]struct{ raw, err string }{
		"nothing":          {"", ""},
		"all":              {"link: https://x\ntargets: [{name: a, environments: [production], namespaces: [pay*], notices: [requested]}]\ntemplates: {requested: x}", ""},
		"a field too many": {"targets: [{name: a, teams: [x]}]", `read the configuration of the bell: error unmarshaling JSON: while decoding JSON: json: unknown field "teams"`},
		"no name":          {"targets: [{}]", "targets[0].name: each target needs a name of its own"},
		"twice":            {"targets: [{name: a}, {name: a}]", "targets[1].name: each target needs a name of its own"},
		"no such notice":   {"targets: [{name: a, notices: [asked]}]", `targets[0].notices: there is no notice "asked"; there are [requested approved rejected opening closing unused frozen lifted emergency unreviewed expiring weakening restored]`},
		"no such template": {"templates: {asked: x}", `template "asked" is for no kind of notice`},
	} {
		t.Run(name, func(t *testing.T) {
			said := ""
			if _, err := ParseConfig(tc.raw); err != nil {
				said = err.Error()
			}
			if said != tc.err {
				t.Errorf("%q, want %q", said, tc.err)
			}
		})
	}
	target := Target{Name: "a", Environments: []string{"production"}, Namespaces: []v1alpha1.Glob{"pay*"}, Notices: []Kind{Requested, Frozen}}
	for _, tc := range []struct {
		n    Notice
		want bool
	}{
		{Notice{Kind: Requested, Environments: []string{"production"}, Namespace: "payments"}, true},
		{Notice{Kind: Requested, Environments: []string{"staging"}, Namespace: "payments"}, false},
		{Notice{Kind: Requested, Environments: []string{"production"}, Namespace: "ledger"}, false},
		{Notice{Kind: Approved, Environments: []string{"production"}, Namespace: "payments"}, false},
		{Notice{Kind: Frozen, Environments: []string{"staging", "production"}}, true},
	} {
		if got := target.Takes(&tc.n); got != tc.want {
			t.Errorf("%+v: %t", tc.n, got)
		}
	}
}

func TestHeard(t *testing.T) {
	about := &corev1.ObjectReference{Kind: "ConfigMap", Namespace: "firebreak-system", Name: "x", UID: types.UID("u")}
	n, ok := Heard(about, "RegistrationRestored", "it was put back", at(t, "10:00"))
	again, _ := Heard(about, "RegistrationRestored", "it was put back", at(t, "10:30"))
	later, _ := Heard(about, "RegistrationRestored", "it was put back", at(t, "11:30"))
	if !ok || n.Kind != Restored || n.ID != again.ID || n.ID == later.ID {
		t.Errorf("%t: %+v, %+v, %+v", ok, n, again, later)
	}
	if _, ok := Heard(about, "FirewallHealed", "", at(t, "10:00")); ok {
		t.Error("people are told of what they need not know")
	}
}

// An error of a delivery holds no part of the address.
func TestErrorsHoldNoAddress(t *testing.T) {
	m := &Message{Title: "t", Text: "x", Notice: Notice{Kind: Requested, ID: "i", Object: "o", Cluster: "eu", At: at(t, "10:00")}}
	for _, address := range []string{
		"generic+http://127.0.0.1:1/hooks/s3cr3t-token?apikey=0123456789\n", "zulip://bot@hunter22:s3cr3t@127.0.0.1:1", "telegram://0123456789:s3cr3t@telegram?chats=hunter22",
		"slack://hook:WNA3PBYV6-F20DUQND3-s3cr3t0123456789012345@webhook", "pagerduty:///s3cr3t0123456789",
		"generic+http://user:hunter22@127.0.0.1:1/hooks/s3cr3t-token?template=json&apikey=0123456789",
		"cloudevents+http://127.0.0.1:1/s3cr3t-token", "alertmanager+http://hunter22@127.0.0.1:1", "smtp://user:hunter22@127.0.0.1:1/?from=a@b.example&to=s3cr3t@b.example",
		"slack://hook:s3cr3t-token@hunter22", "nothing", "://", "smtp://%zz:hunter22@s3cr3t",
	} {
		err := Send(t.Context(), address, m)
		if err == nil {
			t.Errorf("%s: no error", address)
			continue
		}
		for _, secret := range []string{"hunter22", "s3cr3t", "0123456789"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}
