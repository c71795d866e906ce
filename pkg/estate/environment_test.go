package estate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// TestControlsOf: an object that no API server has filled in means what a filled-in one means.
func TestControlsOf(t *testing.T) {
	want := estate.Controls{
		Scope: v1alpha1.ScopeMaintenance, Maintenance: v1alpha1.MaintenanceDetect, RequiredApprovals: 1, ConfirmTarget: true, RequirePlan: true,
		ApprovalValidity: 168 * time.Hour, StandardApprovalValidity: 4380 * time.Hour, MaxWindowDuration: 8 * time.Hour,
		EmergencyMaxDuration: 4 * time.Hour, ExecutionRetention: 2160 * time.Hour, InteractiveAccess: v1alpha1.InteractiveWindowRequired,
	}
	for name, c := range map[string]*v1alpha1.ChangeControl{"omitted": nil, "empty": {}} {
		if diff := cmp.Diff(want, estate.ControlsOf(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var zero v1alpha1.ChangeControl
	parse(t, `{maxWindowDuration: 0s, emergencyMaxDuration: "-1h", approvalValidity: 0s, requiredApprovals: 0, confirmTarget: false, requirePlan: false}`, &zero)
	want.RequiredApprovals, want.ConfirmTarget, want.RequirePlan = 0, false, false
	if diff := cmp.Diff(want, estate.ControlsOf(&zero)); diff != "" {
		t.Errorf("what is said is meant, but a duration that is not positive means its default (-want +got):\n%s", diff)
	}
}

// TestStrictestControls joins two Production environments: of every field the stricter holds, whichever comes first.
func TestStrictestControls(t *testing.T) {
	for name, test := range map[string]struct {
		reason, a, b string
		want         func(*estate.Controls)
	}{
		"nothing said":        {"the defaults", "", "", func(*estate.Controls) {}},
		"scope":               {"the wider, whatever maintenance is", "scope: Workloads", "scope: Everything", func(c *estate.Controls) { c.Scope = v1alpha1.ScopeEverything }},
		"scope omitted":       {"omitted is Maintenance", "scope: Workloads", "", func(c *estate.Controls) { c.Scope = v1alpha1.ScopeWorkloads }},
		"maintenance":         {"All is stricter than Detect is than Labeled", "maintenance: Labeled", "maintenance: All", func(c *estate.Controls) { c.Maintenance = v1alpha1.MaintenanceAll }},
		"maintenance omitted": {"omitted is Detect", "maintenance: Labeled", "", func(*estate.Controls) {}},
		"approvals":           {"the more persons", "requiredApprovals: 0", "requiredApprovals: 3", func(c *estate.Controls) { c.RequiredApprovals = 3 }},
		"tools":               {"what either lists", "maintenanceTools: [a]", "maintenanceTools: [b]", func(c *estate.Controls) { c.MaintenanceTools = []string{"a", "b"} }},
		"approvers":           {"a limit wins over none", "", "approvers: {groups: [dba]}", func(c *estate.Controls) { c.Approvers.Groups = []v1alpha1.Glob{"dba"} }},
		"approvers of both sorts": {"two lists are a limit, too", "", "approvers: {users: [x], groups: [dba]}", func(c *estate.Controls) {
			c.Approvers = v1alpha1.Approvers{Users: []v1alpha1.Glob{"x"}, Groups: []v1alpha1.Glob{"dba"}}
		}},
		"requesters":        {"whom both let", `automatedRequesters: ["ci/a", "ci/b"]`, `automatedRequesters: ["ci/b", "ci/c"]`, func(c *estate.Controls) { c.AutomatedRequesters = []v1alpha1.ServiceAccountGlob{"ci/b"} }},
		"requesters of one": {"whom both let", `automatedRequesters: ["ci/a"]`, "", func(*estate.Controls) {}},
		"durations": {"the shorter", "maxWindowDuration: 1h, approvalValidity: 500h", "emergencyMaxDuration: 1h, standardApprovalValidity: 1h", func(c *estate.Controls) {
			c.MaxWindowDuration, c.EmergencyMaxDuration, c.StandardApprovalValidity = time.Hour, time.Hour, time.Hour
		}},
		"retention":        {"the longer", "executionRetention: 24h", "executionRetention: 3000h", func(c *estate.Controls) { c.ExecutionRetention = 3000 * time.Hour }},
		"targets":          {"either demands it", "confirmTarget: false", "confirmTarget: true", func(*estate.Controls) {}},
		"neither confirms": {"neither demands it", "confirmTarget: false", "confirmTarget: false", func(c *estate.Controls) { c.ConfirmTarget = false }},
		"plans":            {"either demands it", "requirePlan: false", "", func(*estate.Controls) {}},
		"rollback":         {"either demands it", "requireRollback: true", "", func(c *estate.Controls) { c.RequireRollback = true }},
		"sessions":         {"Deny is stricter than WindowRequired is than Allow", "interactiveAccess: Allow", "interactiveAccess: Deny", func(c *estate.Controls) { c.InteractiveAccess = v1alpha1.InteractiveDeny }},
	} {
		t.Run(name, func(t *testing.T) {
			want := estate.ControlsOf(nil)
			test.want(&want)
			for _, order := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
				e := draft(t, "env a Production {changeControl: {"+order[0]+"}}\nenv b Production {changeControl: {"+order[1]+"}}\nenv c NonProduction")
				got := estate.StrictestControls(e.Environments())
				if name == "tools" && len(got.MaintenanceTools) == 2 && got.MaintenanceTools[0] == "b" {
					got.MaintenanceTools = want.MaintenanceTools // their order means nothing
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", test.reason, diff)
				}
			}
		})
	}
	if diff := cmp.Diff(estate.ControlsOf(nil), estate.StrictestControls(nil)); diff != "" {
		t.Errorf("of none, the defaults (-want +got):\n%s", diff)
	}
}

func TestStrictestControlsChangesNoEnvironment(t *testing.T) {
	e := draft(t, "env a Production {changeControl: {maintenanceTools: [a], requiredApprovals: 1}}\nenv b Production {changeControl: {maintenanceTools: [b], requiredApprovals: 3}}")
	estate.StrictestControls(e.Environments())
	a, _ := e.Environment("a")
	if a.Controls.RequiredApprovals != 1 || len(a.Controls.MaintenanceTools) != 1 {
		t.Errorf("an estate is immutable: %+v", a.Controls)
	}
}

func TestActions(t *testing.T) {
	const rule = v1alpha1.RuleDataStoreAcrossTiers
	for name, test := range map[string]struct {
		reason, envs string
		want         v1alpha1.Action
	}{
		"none":                   {"nobody has said anything", "", "Deny"},
		"nothing said":           {"omitted is Deny", "env a Production", "Deny"},
		"a default":              {"it holds for every rule that is not named", "env a Production {enforcement: {default: Warn}}", "Warn"},
		"a rule":                 {"its own action wins over the default", "env a Production {enforcement: {default: Warn, rules: {DataStoreAcrossTiers: Audit}}}", "Audit"},
		"another rule":           {"it says nothing of this one", "env a Production {enforcement: {rules: {ChangeFrozen: Audit}}}", "Deny"},
		"an empty action":        {"it says nothing", `env a Production {enforcement: {default: Warn, rules: {DataStoreAcrossTiers: ""}}}`, "Warn"},
		"two environments":       {"the strictest wins", "env a Production {enforcement: {default: Audit}}\nenv b Production {enforcement: {default: Warn}}", "Warn"},
		"two, in another order":  {"the strictest wins", "env a Production {enforcement: {default: Warn}}\nenv b Production {enforcement: {default: Audit}}", "Warn"},
		"an action nobody knows": {"what is unknown is strictest", "env a Production {enforcement: {default: Shout}}\nenv b Production {enforcement: {default: Warn}}", "Shout"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := estate.Strictest(draft(t, test.envs).Environments(), rule); got != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, got, test.want)
			}
		})
	}
	e := draft(t, "env a Production\nenv b Production {enforcement: {selfHealing: Deny, unlistedAutomation: Deny}}")
	a, _ := e.Environment("a")
	b, _ := e.Environment("b")
	if a.SelfHealing() != "Warn" || a.UnlistedAutomation() != "Warn" || b.SelfHealing() != "Deny" || b.UnlistedAutomation() != "Deny" {
		t.Error("both are Warn unless something else is said")
	}
}

func TestEnvironments(t *testing.T) {
	e := draft(t, "env b Production\nenv a NonProduction\nenv c -\nenv d Shared")
	var got []string
	for _, env := range e.Environments() {
		got = append(got, env.Name+" "+string(env.Tier))
	}
	if diff := cmp.Diff([]string{"a NonProduction", "b Production", "c Production", "d Shared"}, got); diff != "" {
		t.Errorf("sorted by name; without a tier, the stricter reading (-want +got):\n%s", diff)
	}
	var prod []string
	for _, env := range e.Production() {
		prod = append(prod, env.Name)
		if env.Controls == nil {
			t.Errorf("%s has change control", env.Name)
		}
	}
	if diff := cmp.Diff([]string{"b", "c"}, prod); diff != "" {
		t.Errorf("Production (-want +got):\n%s", diff)
	}
	if a, ok := e.Environment("a"); !ok || a.Controls != nil {
		t.Error("outside of Production nothing is controlled")
	}
	if _, ok := e.Environment("x"); ok {
		t.Error("x does not exist")
	}
}

// TestEstateIsACopy: whoever keeps writing into the input changes no estate.
func TestEstateIsACopy(t *testing.T) {
	in := input(t, "env a Production {namespaces: {names: [x]}, identities: {groups: [g]}}\nns x")
	e := estate.Compile(in)
	in.Environments[0].Spec.Tier = v1alpha1.TierShared
	in.Environments[0].Spec.Namespaces.Names[0] = "y"
	in.Environments[0].Spec.Identities.Groups[0] = "h"
	if !e.NamespaceOrName("x").In("a") || !e.Identity("u", []string{"g"}).MemberOf("a") || e.Environments()[0].Spec().Namespaces.Names[0] != "x" {
		t.Error("the estate changed with its input")
	}
}

// Of several environments that each limit who approves, each limit holds.
func TestEveryLimitOnApproversHolds(t *testing.T) {
	e := draft(t, "env a Production {changeControl: {approvers: {users: [x], groups: [dba]}}}\nenv b Production {changeControl: {approvers: {groups: [sre]}}}\nenv c Production")
	c := estate.StrictestControls(e.Production())
	got := append([]v1alpha1.Approvers{c.Approvers}, c.AlsoApprovers...)
	want := []v1alpha1.Approvers{{Users: []v1alpha1.Glob{"x"}, Groups: []v1alpha1.Glob{"dba"}}, {Groups: []v1alpha1.Glob{"sre"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDefaultsOfProtection: an omitted field has the default that the schema names.
func TestDefaultsOfProtection(t *testing.T) {
	byDefault := v1alpha1.ProtectedState{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelProtected: "true"}},
		Kinds:    []string{"Namespace", "PersistentVolumeClaim", "StatefulSet", "CustomResourceDefinition"},
	}
	radius := estate.BlastRadius{DownPercent: 50, UpFactor: 4, Up: 10, FromZero: 10, Autoscalers: v1alpha1.ActionWarn}
	for name, c := range map[string]*v1alpha1.ChangeControl{"omitted": nil, "empty": {}} {
		if diff := cmp.Diff(byDefault, estate.ProtectedStateOf(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(radius, estate.BlastRadiusOf(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var said v1alpha1.ChangeControl
	parse(t, "{protectedState: {selector: {}, kinds: []}, blastRadius: {maxScaleDownPercent: 0, maxScaleUpFactor: 2, maxScaleUp: 3, maxScaleFromZero: 1, autoscalers: Deny}}", &said)
	if diff := cmp.Diff(v1alpha1.ProtectedState{Selector: &metav1.LabelSelector{}, Kinds: []string{}}, estate.ProtectedStateOf(&said)); diff != "" {
		t.Errorf("an empty list is no omitted list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(estate.BlastRadius{DownPercent: 0, UpFactor: 2, Up: 3, FromZero: 1, Autoscalers: v1alpha1.ActionDeny}, estate.BlastRadiusOf(&said)); diff != "" {
		t.Errorf("0 is a value (-want +got):\n%s", diff)
	}
}

// TestParseDeclared reads the environments and data stores that the values of the chart declare.
func TestParseDeclared(t *testing.T) {
	got, err := estate.ParseDeclared("environments: {staging: {tier: NonProduction}, production: {tier: Production}, gone: null}\ndataStores: {orders: {environment: production}}")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range got {
		if o.GetLabels()[v1alpha1.LabelDeclared] != "true" || o.GroupVersionKind() != v1alpha1.GVK(o.GetKind()) {
			t.Errorf("%s does not say that values declare it: %v", o.GetName(), o)
		}
		lines = append(lines, fmt.Sprint(o.GetKind(), " ", o.GetName(), " ", o.Object["spec"]))
	}
	want := []string{"Environment production map[tier:Production]", "Environment staging map[tier:NonProduction]", "DataStore orders map[environment:production]"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("sorted by name, without those that are null (-want +got):\n%s", diff)
	}
	for _, text := range []string{"exemptions: {}", "environments: [production]", "{"} {
		if got, err := estate.ParseDeclared(text); err == nil || !strings.HasPrefix(err.Error(), "read the declared estate: ") {
			t.Errorf("%s: %v, %v, want an error", text, got, err)
		}
	}
}
