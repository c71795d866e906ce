package boundary_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
)

// decided says which changes of a field weaken, as mutate names them, and why the others do not.
type decided struct{ weakens, reason string }

// environmentFields decides on every field of a Production Environment's spec, changed alone in one in which every field is set and every
// action is Warn. When the API gains a field, the test below fails until the field is listed here.
func environmentFields() map[string]decided {
	const (
		fewer  = "fewer members are a strengthening"
		open   = "no change can be proved harmless"
		softer = "only what is softer weakens"
		longer = "only what is longer weakens, and omission means something shorter here"
	)
	return map[string]decided{
		"tier":                               {"NonProduction Shared", "it is Production already"},
		"namespaces.names":                   {"add remove", open},
		"namespaces.selector":                {"nil other", open},
		"identities.users":                   {"add", fewer},
		"identities.groups":                  {"add", fewer},
		"identities.serviceAccounts":         {"add", fewer},
		"identities.operators":               {"add", fewer},
		"identities.jobLaunchers":            {"add", fewer},
		"identities.impersonated":            {"add", fewer},
		"identities.automation":              {"add remove", "a machine more has routine Jobs, a machine less may approve"},
		"nodes.selector":                     {"nil other", open},
		"nodes.taints":                       {"add remove", open},
		"nodes.provisioners.users":           {"add remove", open},
		"nodes.provisioners.serviceAccounts": {"add remove", open},
		"nodes.priorityClasses":              {"add remove", open},
		"nodes.runtimeClasses":               {"add remove", open},
		"nodes.schedulers":                   {"add remove", open},
		"gateways":                           {"add", "closing a gateway is a strengthening"},
		"gateways[0].host":                   {"other", "another host is another gateway"},
		"gateways[0].from":                   {"add", fewer},
		"gateways[0].reason":                 {"", "words open nothing"},
		"gateways[0].expiresAt":              {"longer", "an earlier end is a strengthening"},
		"enforcement.default":                {"Audit", softer},
		"enforcement.rules":                  {"Audit", "a rule that is no longer named falls back to the default, which is as strict here"},
		"enforcement.selfHealing":            {"Audit", softer},
		"enforcement.unlistedAutomation":     {"Audit", softer},

		"changeControl.scope":                     {"Maintenance nil Workloads", softer},
		"changeControl.maintenance":               {"Labeled nil", softer},
		"changeControl.maintenanceTools":          {"remove", "more tools are more maintenance"},
		"changeControl.requiredApprovals":         {"less nil", "more persons are a strengthening"},
		"changeControl.approvers.users":           {"add", "fewer approvers are a strengthening"},
		"changeControl.approvers.groups":          {"add", "fewer approvers are a strengthening"},
		"changeControl.requiredFrom":              {"remove", "more groups are a strengthening"},
		"changeControl.requiredFrom[0].approvals": {"less", "more persons are a strengthening"},
		"changeControl.requiredFrom[0].group":     {"other", "nobody of the group is asked any more"},
		"changeControl.automatedRequesters":       {"add", "fewer are a strengthening"},
		"changeControl.approvalValidity":          {"longer", longer},
		"changeControl.standardApprovalValidity":  {"longer", longer},
		"changeControl.confirmTarget":             {"other", "omitted it is true"},
		"changeControl.requirePlan":               {"other", "omitted it is true"},
		"changeControl.requireRollback":           {"other", "it is required already"},
		"changeControl.maxWindowDuration":         {"longer", longer},
		"changeControl.emergencyMaxDuration":      {"longer", longer},
		"changeControl.executionRetention":        {"nil shorter", "who keeps records longer loses nothing"},
		"changeControl.interactiveAccess":         {"Allow", "omitted it is WindowRequired, as before"},
		"changeControl.protectedState.selector":   {"nil other", open},
		"changeControl.protectedState.kinds":      {"remove", "more kinds protect more"},

		"changeControl.blastRadius.maxScaleDownPercent": {"more nil", "less at once is a strengthening"},
		"changeControl.blastRadius.maxScaleUpFactor":    {"more", "less at once is a strengthening, and omission means less here"},
		"changeControl.blastRadius.maxScaleUp":          {"more nil", "less at once is a strengthening"},
		"changeControl.blastRadius.maxScaleFromZero":    {"more nil", "less at once is a strengthening"},
		"changeControl.blastRadius.autoscalers":         {"Audit", softer},
	}
}

// storeFields decides on every field of a DataStore's spec.
func storeFields() map[string]decided {
	const more = "a longer list guards more"
	return map[string]decided{
		"environment":            {"other", "it would be guarded as another's"},
		"hosts":                  {"remove", more},
		"cidrs":                  {"remove", more},
		"resourceNames":          {"remove", more},
		"services":               {"remove", more},
		"services[0].namespace":  {"other", "the one before is no longer listed"},
		"services[0].name":       {"other", "the one before is no longer listed"},
		"credentials":            {"nil", "what opened it is no longer guarded"},
		"credentials.secrets":    {"remove", more},
		"credentials.vaultPaths": {"remove", more},
		"credentials.roleNames":  {"remove", more},
	}
}

// wholeEnvironment returns an Environment with every field set, each to a value that can change in both directions.
func wholeEnvironment() *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
	populate(reflect.ValueOf(&e.Spec).Elem())
	e.Spec.Tier = v1alpha1.TierProduction
	e.Spec.ChangeControl.Maintenance = v1alpha1.MaintenanceAll
	e.Spec.ChangeControl.Scope = v1alpha1.ScopeEverything
	e.Spec.ChangeControl.InteractiveAccess = v1alpha1.InteractiveWindowRequired
	return e
}

func wholeStore() *v1alpha1.DataStore {
	d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "orders"}}
	populate(reflect.ValueOf(&d.Spec).Elem())
	d.Spec.Environment = "production"
	d.Spec.Hosts, d.Spec.CIDRs = []string{"a.example.com", "b.example.com"}, []string{"10.1.0.0/16", "10.2.0.0/16"}
	return d
}

func TestEveryFieldOfAnEnvironmentIsDecidedOn(t *testing.T) {
	e := theEstate(t)
	compareDecisions(t, environmentFields(), decisions(wholeEnvironment, func(n *v1alpha1.Environment) any { return &n.Spec }, func(old, new *v1alpha1.Environment) []string {
		return boundary.WeakensEnvironment(old, new, e, now())
	}))
}

func TestEveryFieldOfADataStoreIsDecidedOn(t *testing.T) {
	e := theEstate(t)
	compareDecisions(t, storeFields(), decisions(wholeStore, func(d *v1alpha1.DataStore) any { return &d.Spec }, func(old, new *v1alpha1.DataStore) []string {
		return boundary.WeakensDataStore(old, new, e)
	}))
}

// exemptionFields decides on every field of an Exemption's spec, should one ever be changed.
func exemptionFields() map[string]decided {
	const open = "no change can be proved harmless"
	return map[string]decided{
		"rules":                    {"add", "fewer rules are a strengthening"},
		"subjects.users":           {"add remove", open},
		"subjects.groups":          {"add remove", open},
		"subjects.serviceAccounts": {"add remove", open},
		"objects.group":            {"other", open},
		"objects.kind":             {"other", open},
		"objects.namespaces":       {"add remove", open},
		"objects.names":            {"add remove", open},
		"reason":                   {"", "words exempt from nothing"},
		"ticket":                   {"", "words exempt from nothing"},
		"expiresAt":                {"longer", "an earlier end is a strengthening"},
		"requestedBy":              {"nil", open},
		"requestedBy.username":     {"other", open},
		"requestedBy.uid":          {"other", open},
		"requestedBy.groups":       {"add remove", open},
	}
}

// freezeFields decides on every field of a freeze's spec, should one ever be changed.
func freezeFields() map[string]decided {
	const open = "no change can be proved harmless"
	return map[string]decided{
		"environments":                   {"remove", "more that is frozen is a strengthening"},
		"namespaces":                     {"remove", "more that is frozen is a strengthening"},
		"level":                          {"other", "there is no stricter one"},
		"schedule":                       {"nil", open},
		"schedule.start":                 {"nil", open},
		"schedule.end":                   {"nil", open},
		"schedule.recurrence":            {"nil", open},
		"schedule.recurrence.cron":       {"other", open},
		"schedule.recurrence.duration":   {"longer shorter", open},
		"schedule.recurrence.timeZone":   {"other", open},
		"schedule.recurrence.validUntil": {"longer shorter", open},
		"reason":                         {"", "words freeze nothing"},
		"liftedBy":                       {"other", "there is no stricter one"},
		"requestedBy":                    {"nil", open},
		"requestedBy.username":           {"other", open},
		"requestedBy.uid":                {"other", open},
		"requestedBy.groups":             {"add remove", open},
	}
}

func TestEveryFieldOfAnExemptionIsDecidedOn(t *testing.T) {
	compareDecisions(t, exemptionFields(), decisions(func() *v1alpha1.Exemption {
		x := &v1alpha1.Exemption{}
		populate(reflect.ValueOf(&x.Spec).Elem())
		return x
	}, func(x *v1alpha1.Exemption) any { return &x.Spec }, boundary.WeakensExemption))
}

func TestEveryFieldOfAFreezeIsDecidedOn(t *testing.T) {
	compareDecisions(t, freezeFields(), decisions(func() *v1alpha1.ChangeFreeze {
		f := &v1alpha1.ChangeFreeze{}
		populate(reflect.ValueOf(&f.Spec).Elem())
		f.Spec.Level, f.Spec.LiftedBy = v1alpha1.FreezeEverything, v1alpha1.LiftedByTwoPersons
		return f
	}, func(f *v1alpha1.ChangeFreeze) any { return &f.Spec }, boundary.WeakensFreeze))
}

// decisions changes every field of a spec alone, and notes which changes weaken.
func decisions[T any](whole func() *T, spec func(*T) any, weakens func(old, new *T) []string) map[string][]string {
	got := map[string][]string{}
	walk(reflect.ValueOf(spec(whole())).Elem(), "", func(path string) {
		for _, m := range mutations() {
			changed := whole()
			if !mutate(field(reflect.ValueOf(spec(changed)).Elem(), path), m) {
				continue
			}
			got[path] = append(got[path], "")
			if len(weakens(whole(), changed)) > 0 {
				got[path] = append(got[path], m)
			}
		}
	})
	return got
}

func compareDecisions(t *testing.T, want map[string]decided, got map[string][]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(got)) {
		weakens := strings.Join(slices.DeleteFunc(got[path], func(s string) bool { return s == "" }), " ")
		w, ok := want[path]
		switch {
		case !ok:
			t.Errorf("nobody has decided on spec.%s: changes that weaken are %q", path, weakens)
		case w.reason == "":
			t.Errorf("spec.%s: say why the other changes do not weaken", path)
		case w.weakens != weakens:
			t.Errorf("spec.%s: changes that weaken are %q, want %q (%s)", path, weakens, w.weakens, w.reason)
		}
	}
	for path := range want {
		if _, ok := got[path]; !ok {
			t.Errorf("spec.%s is decided on and does not exist", path)
		}
	}
	if diff := cmp.Diff(len(want), len(got)); diff != "" {
		t.Errorf("number of fields (-want +got):\n%s", diff)
	}
}
