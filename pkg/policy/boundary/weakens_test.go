package boundary_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
)

func ptr[T any](v T) *T { return &v }

// TestWeakensEnvironment asserts the clauses that a person reads when an update of an Environment weakens.
func TestWeakensEnvironment(t *testing.T) {
	e := theEstate(t)
	type spec = v1alpha1.EnvironmentSpec
	for name, test := range map[string]struct {
		reason   string
		old, new func(*spec)
		want     []string
	}{
		"nothing changes":         {reason: "what is the same weakens nothing"},
		"tier":                    {reason: "it would no longer be production", new: func(s *spec) { s.Tier = v1alpha1.TierShared }, want: []string{"it changes tier from Production to Shared"}},
		"namespaces":              {reason: "members would leave", new: func(s *spec) { s.Namespaces.Names = s.Namespaces.Names[1:] }, want: []string{"it changes namespaces"}},
		"more namespaces":         {reason: "another's members would come", new: func(s *spec) { s.Namespaces.Names = append(s.Namespaces.Names, "dev") }, want: []string{"it changes namespaces"}},
		"a selector":              {reason: "labels move members", new: func(s *spec) { s.Namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}} }, want: []string{"it changes namespaces"}},
		"a user":                  {reason: "who was none is a member", new: func(s *spec) { s.Identities.Users = []v1alpha1.Glob{"*"} }, want: []string{`it adds "*" to identities.users`}},
		"a group":                 {reason: "who was none is a member", new: func(s *spec) { s.Identities.Groups = append(s.Identities.Groups, "everybody") }, want: []string{`it adds "everybody" to identities.groups`}},
		"a group for another":     {reason: "the one that goes makes up for nothing", new: func(s *spec) { s.Identities.Groups = []v1alpha1.Glob{"everybody"} }, want: []string{`it adds "everybody" to identities.groups`}},
		"groups in another order": {reason: "an order means nothing", old: func(s *spec) { s.Identities.Groups = []v1alpha1.Glob{"a", "b"} }, new: func(s *spec) { s.Identities.Groups = []v1alpha1.Glob{"b", "a"} }},
		"a service account":       {reason: "a machine more", new: func(s *spec) { s.Identities.ServiceAccounts = []v1alpha1.ServiceAccountGlob{"dev/*"} }, want: []string{`it adds "dev/*" to identities.serviceAccounts`}},
		"an operator":             {reason: "a machine that freezes do not bind", new: func(s *spec) { s.Identities.Operators = []v1alpha1.ServiceAccountGlob{"dev/x"} }, want: []string{`it adds "dev/x" to identities.operators`}},
		"a launcher":              {reason: "its Jobs would be routine", new: func(s *spec) { s.Identities.JobLaunchers = []v1alpha1.ServiceAccountGlob{"dev/x"} }, want: []string{`it adds "dev/x" to identities.jobLaunchers`}},
		"automation":              {reason: "a person's Jobs would be routine", new: func(s *spec) { s.Identities.Automation = append(s.Identities.Automation, "oidc:*") }, want: []string{"it changes identities.automation"}},
		"less automation":         {reason: "a machine would be a person, who may approve", new: func(s *spec) { s.Identities.Automation = nil }, want: []string{"it changes identities.automation"}},
		"nodes":                   {reason: "workloads of the other side would be scheduled there", new: func(s *spec) { s.Nodes.Taints = nil }, want: []string{"it changes nodes"}},
		"a gateway":               {reason: "data could cross", new: func(s *spec) { s.Gateways = append(s.Gateways, v1alpha1.Gateway{Host: "x.example.com"}) }, want: []string{`it opens a gateway through "x.example.com"`}},
		"a gateway's end":         {reason: "nothing temporary stays for ever", new: func(s *spec) { s.Gateways[0].ExpiresAt.Time = s.Gateways[0].ExpiresAt.Add(time.Second) }, want: []string{`it prolongs the gateway through "proxy.example.com"`}},
		"a gateway's users":       {reason: "another environment would use it", new: func(s *spec) { s.Gateways[0].From = append(s.Gateways[0].From, "development") }, want: []string{`it adds "development" to gateways[].from`}},
		"a gateway's reason":      {reason: "words open nothing", new: func(s *spec) { s.Gateways[0].Reason = "another" }},
		"a gateway closed":        {reason: "a strengthening", new: func(s *spec) { s.Gateways = nil }},
		"the default action":      {reason: "every rule that is not named is softer", new: func(s *spec) { s.Enforcement.Default = v1alpha1.ActionWarn }, want: []string{"it lowers enforcement.default from Deny to Warn"}},
		"a rule's action": {reason: "one rule is softer", new: func(s *spec) {
			s.Enforcement.Rules = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RulePlanMismatch: v1alpha1.ActionAudit}
		}, want: []string{"it lowers enforcement of PlanMismatch from Deny to Audit"}},
		"a rule unnamed": {reason: "the default is softer than what was named", old: func(s *spec) {
			s.Enforcement.Default = v1alpha1.ActionAudit
			s.Enforcement.Rules = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RulePlanMismatch: v1alpha1.ActionWarn}
		}, new: func(s *spec) { s.Enforcement.Default = v1alpha1.ActionAudit }, want: []string{"it lowers enforcement of PlanMismatch from Warn to Audit"}},
		"an omitted action":   {reason: "omitted is Deny", new: func(s *spec) { s.Enforcement.Default = "" }},
		"self-healing":        {reason: "Deny to omitted is Deny to Warn", old: func(s *spec) { s.Enforcement.SelfHealing = v1alpha1.ActionDeny }, want: []string{"it lowers enforcement.selfHealing from Deny to Warn"}},
		"unlisted automation": {reason: "Deny to omitted is Deny to Warn", old: func(s *spec) { s.Enforcement.UnlistedAutomation = v1alpha1.ActionDeny }, want: []string{"it lowers enforcement.unlistedAutomation from Deny to Warn"}},

		"fewer approvals": {reason: "the evening of 24 December 2012", new: func(s *spec) { s.ChangeControl.RequiredApprovals = ptr(int32(0)) }, want: []string{"it lowers changeControl.requiredApprovals from 1 to 0"}},
		"no change control": {reason: "omitted is every default", old: func(s *spec) {
			s.ChangeControl.RequiredApprovals = ptr(int32(3))
			s.ChangeControl.Maintenance = v1alpha1.MaintenanceAll
		}, new: func(s *spec) { s.ChangeControl = nil }, want: []string{"it lowers changeControl.maintenance from All to Detect", "it lowers changeControl.requiredApprovals from 3 to 1"}},
		"maintenance":             {reason: "less is taken for maintenance", new: func(s *spec) { s.ChangeControl.Maintenance = v1alpha1.MaintenanceLabeled }, want: []string{"it lowers changeControl.maintenance from Detect to Labeled"}},
		"a tool":                  {reason: "what runs it would be routine", old: func(s *spec) { s.ChangeControl.MaintenanceTools = []string{"shard-mover"} }, want: []string{`it removes "shard-mover" from changeControl.maintenanceTools`}},
		"approvers unlimited":     {reason: "an empty list lets everybody approve whom RBAC lets", old: func(s *spec) { s.ChangeControl.Approvers.Groups = []v1alpha1.Glob{"dba"} }, want: []string{"it lifts the limit on changeControl.approvers"}},
		"approvers limited":       {reason: "whoever puts himself there alone could hold all others to ransom", new: func(s *spec) { s.ChangeControl.Approvers.Groups = []v1alpha1.Glob{"dba"} }, want: []string{"it takes the right to approve from all but changeControl.approvers"}},
		"another approver":        {reason: "who was none may approve", old: func(s *spec) { s.ChangeControl.Approvers.Groups = []v1alpha1.Glob{"dba"} }, new: func(s *spec) { s.ChangeControl.Approvers.Users = []v1alpha1.Glob{"*"} }, want: []string{`it adds "*" to changeControl.approvers.users`}},
		"a machine that asks":     {reason: "windows are requested by persons", new: func(s *spec) { s.ChangeControl.AutomatedRequesters = []v1alpha1.ServiceAccountGlob{"ci/x"} }, want: []string{`it adds "ci/x" to changeControl.automatedRequesters`}},
		"a longer validity":       {reason: "an approval grows stale", new: func(s *spec) { s.ChangeControl.ApprovalValidity = &metav1.Duration{Duration: 169 * time.Hour} }, want: []string{"it raises changeControl.approvalValidity from 168h to 169h"}},
		"a longer one of routine": {reason: "the same", new: func(s *spec) { s.ChangeControl.StandardApprovalValidity = &metav1.Duration{Duration: 9000 * time.Hour} }, want: []string{"it raises changeControl.standardApprovalValidity from 4380h to 9000h"}},
		"longer windows":          {reason: "access that is set to be persistent", new: func(s *spec) { s.ChangeControl.MaxWindowDuration = &metav1.Duration{Duration: 720 * time.Hour} }, want: []string{"it raises changeControl.maxWindowDuration from 8h to 720h"}},
		"longer emergencies":      {reason: "the same", new: func(s *spec) { s.ChangeControl.EmergencyMaxDuration = &metav1.Duration{Duration: 5 * time.Hour} }, want: []string{"it raises changeControl.emergencyMaxDuration from 4h to 5h"}},
		"a duration of zero":      {reason: "what is not positive means the default", new: func(s *spec) { s.ChangeControl.MaxWindowDuration = &metav1.Duration{} }},
		"unconfirmed targets":     {reason: "nothing would ask whether this is production", new: func(s *spec) { s.ChangeControl.ConfirmTarget = ptr(false) }, want: []string{"it switches changeControl.confirmTarget off"}},
		"no plans":                {reason: "what is executed need not be what was planned", new: func(s *spec) { s.ChangeControl.RequirePlan = ptr(false) }, want: []string{"it switches changeControl.requirePlan off"}},
		"no rollback":             {reason: "nobody need say how it is undone", old: func(s *spec) { s.ChangeControl.RequireRollback = true }, want: []string{"it switches changeControl.requireRollback off"}},
		"shorter records":         {reason: "yesterday's changes must be told", new: func(s *spec) { s.ChangeControl.ExecutionRetention = &metav1.Duration{Duration: 24 * time.Hour} }, want: []string{"it lowers changeControl.executionRetention from 2160h0m0s to 24h0m0s"}},
		"sessions":                {reason: "sessions without a window", new: func(s *spec) { s.ChangeControl.InteractiveAccess = v1alpha1.InteractiveAllow }, want: []string{"it lowers changeControl.interactiveAccess from WindowRequired to Allow"}},
		"protected state":         {reason: "what was protected is not", new: func(s *spec) { s.ChangeControl.ProtectedState.Selector = &metav1.LabelSelector{} }, want: []string{"it changes changeControl.protectedState.selector"}},
		"protected kinds":         {reason: "omitted is the default list, which has no Secrets", old: func(s *spec) { s.ChangeControl.ProtectedState.Kinds = []string{"Namespace", "Secret"} }, want: []string{`it removes "Secret" from changeControl.protectedState.kinds`}},
		"scaling down":            {reason: "more at once", new: func(s *spec) { s.ChangeControl.BlastRadius.MaxScaleDownPercent = ptr(int32(51)) }, want: []string{"it raises changeControl.blastRadius.maxScaleDownPercent from 50 to 51"}},
		"scaling up":              {reason: "more at once", new: func(s *spec) { s.ChangeControl.BlastRadius.MaxScaleUpFactor = ptr(int32(5)) }, want: []string{"it raises changeControl.blastRadius.maxScaleUpFactor from 4 to 5"}},
		"scaling from zero":       {reason: "more at once", new: func(s *spec) { s.ChangeControl.BlastRadius.MaxScaleFromZero = ptr(int32(11)) }, want: []string{"it raises changeControl.blastRadius.maxScaleFromZero from 10 to 11"}},
		"autoscalers":             {reason: "nobody is told", new: func(s *spec) { s.ChangeControl.BlastRadius.Autoscalers = v1alpha1.ActionAudit }, want: []string{"it lowers changeControl.blastRadius.autoscalers from Warn to Audit"}},
		"defaults written out": {reason: "the API server fills them in", new: func(s *spec) {
			c := s.ChangeControl
			c.Maintenance, c.InteractiveAccess, c.RequiredApprovals = v1alpha1.MaintenanceDetect, v1alpha1.InteractiveWindowRequired, ptr(int32(1))
			c.ConfirmTarget, c.RequirePlan, c.MaxWindowDuration = ptr(true), ptr(true), &metav1.Duration{Duration: 8 * time.Hour}
			c.BlastRadius = v1alpha1.BlastRadius{MaxScaleDownPercent: ptr(int32(50)), MaxScaleUpFactor: ptr(int32(4)), MaxScaleFromZero: ptr(int32(10)), Autoscalers: v1alpha1.ActionWarn}
			s.Enforcement = v1alpha1.Enforcement{Default: v1alpha1.ActionDeny, SelfHealing: v1alpha1.ActionWarn, UnlistedAutomation: v1alpha1.ActionWarn}
		}},
		"everything stricter": {reason: "a strengthening is nobody's loss", new: func(s *spec) {
			c := s.ChangeControl
			c.Maintenance, c.RequiredApprovals, c.MaxWindowDuration = v1alpha1.MaintenanceAll, ptr(int32(2)), &metav1.Duration{Duration: time.Hour}
			c.RequireRollback, c.InteractiveAccess, c.MaintenanceTools = true, v1alpha1.InteractiveDeny, []string{"x"}
			s.Enforcement.SelfHealing, s.Identities.Groups, s.Gateways = v1alpha1.ActionDeny, nil, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			base := func(f func(*spec)) *v1alpha1.Environment {
				out := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: spec{
					Tier:          v1alpha1.TierProduction,
					Namespaces:    v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments", "prod-*"}},
					Identities:    v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}, Automation: []v1alpha1.Glob{"jenkins"}},
					Nodes:         v1alpha1.NodePool{Taints: []v1alpha1.Glob{"dedicated=prod"}},
					Gateways:      []v1alpha1.Gateway{{Host: "proxy.example.com", From: []string{"staging"}, Reason: "copy", ExpiresAt: metav1.NewTime(now())}},
					ChangeControl: &v1alpha1.ChangeControl{},
				}}
				if f != nil {
					f(&out.Spec)
				}
				return out
			}
			if diff := cmp.Diff(test.want, boundary.WeakensEnvironment(base(test.old), base(test.new), e, now())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
