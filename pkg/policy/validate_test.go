package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// words is a request for an object of one of Firebreak's own kinds, which is refused as malformed if it would not count.
type words struct {
	reason string
	header
	object string
	// edit changes the object's text; it may be nil.
	edit func(string) string
	want string
}

func replacing(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

func runWords(t *testing.T, cases map[string]words) {
	t.Helper()
	s := newStage(t)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			text := test.object
			if test.edit != nil {
				text = test.edit(text)
			}
			req := newRequest(t, s, test.header, documents(t, []byte(text)), now())
			d, err := policy.Evaluate(*req, s.cluster, s.state(t, test.State...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range d.Invalid {
				got = append(got, e.Error())
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if d.Allowed != (test.want == "" && len(d.Denied()) == 0) {
				t.Errorf("%s: admitted: %t", test.reason, d.Allowed)
			}
		})
	}
}

const plainWindow = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeWindow, metadata: {name: w, namespace: payments}, spec: {type: Normal, environment: production, reason: r,
  schedule: {start: "2026-11-28T03:00:00Z", end: "2026-11-28T04:00:00Z"}, scope: {operations: [Delete], resources: [{group: batch, kind: Job, names: ["*"]}]}}}`

func TestWindowsThatAreRefused(t *testing.T) {
	home := replacing("namespace: payments", "namespace: firebreak-system")
	both := func(f ...func(string) string) func(string) string {
		return func(s string) string {
			for _, g := range f {
				s = g(s)
			}
			return s
		}
	}
	runWords(t, map[string]words{
		"a plain one":  {reason: "the base of all cases below", header: by("bob"), object: plainWindow},
		"an emergency": {reason: "it needs no plan; who may open one is RBAC's", header: by("bob"), object: plainWindow, edit: replacing("type: Normal", "type: Emergency")},
		"an emergency that lasts too long": {
			reason: "four hours are the default", header: by("bob"), object: plainWindow, edit: both(replacing("type: Normal", "type: Emergency"), replacing(`end: "2026-11-28T04:00:00Z"`, `end: "2026-11-28T08:00:00Z"`)),
			want: `spec.schedule.end: Invalid value: "2026-11-28 08:00:00 UTC": the window would last 5h0m0s, and the environment allows 4h0m0s`,
		},
		"a standard one without recurrence": {
			reason: "it would be open once, and be approved for half a year", header: by("bob"), object: plainWindow, edit: replacing("type: Normal", "type: Standard"),
			want: `spec.schedule.recurrence: Required value: a Standard window recurs`,
		},
		"of no environment": {
			reason: "a typing error confirms nothing", header: by("bob"), object: plainWindow, edit: replacing("environment: production", "environment: prodution"),
			want: `spec.environment: Not found: "prodution"`,
		},
		"of an environment that needs none": {
			reason: "changes there need no window", header: by("bob"), object: plainWindow, edit: replacing("environment: production", "environment: staging"),
			want: `spec.environment: Invalid value: "staging": changes need windows in environments of tier Production only`,
		},
		"of another environment than its namespace's": {
			reason: "the requester typed where it will happen, and that is elsewhere", header: by("bob"), object: plainWindow, edit: replacing("environment: production", "environment: edge"),
			want: `spec.environment: Invalid value: "edge": namespace "payments" belongs to "production"`,
		},
		"by a machine": {
			reason: "windows are requested by persons", header: by("deployer"), object: plainWindow,
			want: `spec.requestedBy: Forbidden: service account "payments/deployer" is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it`,
		},
		"by listed automation": {
			reason: "windows are requested by persons", header: by("jenkins"), object: plainWindow,
			want: `spec.requestedBy: Forbidden: user "jenkins" is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it`,
		},
		"by a borrowed identity": {
			reason: "it never requests", header: by("releaser-long-lived"), object: plainWindow,
			want: `spec.requestedBy: Forbidden: service account "payments/releaser" is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself`,
		},
		"that lists namespaces": {
			reason: "a window opens its own namespace", header: by("bob"), object: plainWindow, edit: replacing("scope: {", "scope: {namespaces: [prod-web], "),
			want: `spec.scope.namespaces: Forbidden: a window opens its own namespace; only one in namespace "firebreak-system" may list others`,
		},
		"in Firebreak's namespace": {
			reason: "there it may list namespaces, and must name its clusters", header: by("bob"), object: plainWindow,
			edit: both(home, replacing("scope: {", "scope: {clusters: [prod-eu-1], namespaces: [prod-web, payments], ")),
		},
		"in Firebreak's namespace, for no cluster": {
			reason: "such windows are copied into every cluster", header: by("bob"), object: plainWindow, edit: home,
			want: `spec.scope.clusters: Required value: a window in Firebreak's own namespace names its clusters`,
		},
		"in Firebreak's namespace, for others' namespaces": {
			reason: "each must be of the environment", header: by("bob"), object: plainWindow,
			edit: both(home, replacing("scope: {", "scope: {clusters: [prod-eu-1], namespaces: [cards, nowhere, payments], ")),
			want: `spec.scope.namespaces[0]: Invalid value: "cards": is not a namespace of environment "production"` + "\n" +
				`spec.scope.namespaces[1]: Invalid value: "nowhere": is not a namespace of environment "production"`,
		},
		"without a start": {
			reason: "nothing says when", header: by("bob"), object: plainWindow, edit: replacing(`start: "2026-11-28T03:00:00Z", `, ""),
			want: "spec.schedule: Required value: give start and end",
		},
		"that ends before it starts": {
			reason: "it would never open", header: by("bob"), object: plainWindow, edit: replacing("T04:00:00Z", "T02:59:59Z"),
			want: `spec.schedule.end: Invalid value: "2026-11-28 02:59:59 UTC": must be after start`,
		},
		"that is over": {
			reason: "it would never open", header: by("bob"), object: plainWindow, edit: both(replacing("T03:00:00Z", "T01:00:00Z"), replacing("T04:00:00Z", "T02:30:00Z")),
			want: `spec.schedule.end: Invalid value: "2026-11-28 02:30:00 UTC": must be in the future`,
		},
		"far ahead": {
			reason: "nobody knows what production will be then", header: by("bob"), object: plainWindow, edit: both(replacing("2026-11-28T03", "2027-11-29T03"), replacing("2026-11-28T04", "2027-11-29T04")),
			want: `spec.schedule.end: Invalid value: "2027-11-29 04:00:00 UTC": must be at most a year ahead`,
		},
		"too long": {
			reason: "access that is set to be persistent", header: by("bob"), object: plainWindow, edit: replacing("T04:00:00Z", "T11:00:01Z"),
			want: `spec.schedule.end: Invalid value: "2026-11-28 11:00:01 UTC": the window would last 8h0m1s, and the environment allows 8h0m0s`,
		},
		"as long as is allowed": {reason: "the bound is included", header: by("bob"), object: plainWindow, edit: replacing("T04:00:00Z", "T11:00:00Z")},
		"without a plan": {
			reason: "what runs must be pinned", header: by("bob"), object: plainWindow, edit: replacing("[Delete]", "[Create]"),
			want: "spec.plan: Required value: the environment requires that a window which creates or updates workloads pins what may run; kubectl firebreak request computes it from the manifest",
		},
		"without a plan, for what runs nothing": {
			reason: "a Service runs nothing", header: by("bob"), object: plainWindow, edit: both(replacing("[Delete]", "[Create]"), replacing("{group: batch, kind: Job", "{kind: Service")),
		},
		"with fields that are not its digest's": {
			reason: "the approver would read what is not approved", header: by("bob"), object: plainWindow,
			edit: replacing("scope: {", "plan: {workloads: [{group: batch, kind: Job, names: [a], digest: \"v2:sha256:"+strings.Repeat("0", 64)+"\", fields: [{path: image, digest: \"0123456789abcdef\"}]}]}, scope: {"),
			want: `spec.plan.workloads[0].digest: Invalid value: "v2:sha256:` + strings.Repeat("0", 64) + `": is not the digest of the fields beside it`,
		},
		"with a plan of the first algorithm": {
			reason: "it would pin less than what is pinned today", header: by("bob"), object: plainWindow,
			edit: replacing("scope: {", "plan: {workloads: [{group: batch, kind: Job, names: [a], digest: \"v1:sha256:"+strings.Repeat("0", 64)+"\"}]}, scope: {"),
			want: `spec.plan.workloads[0].digest: Invalid value: "v1:sha256:` + strings.Repeat("0", 64) + `": is of another algorithm than v2, which pins all that decides what runs; request the window with kubectl firebreak of this version`,
		},
		"without a rollback": {
			reason: "environment pci requires one", header: by("pia"), object: plainWindow, edit: both(replacing("namespace: payments", "namespace: cards"), replacing("environment: production", "environment: pci")),
			want: `spec.rollback: Required value: environment "pci" requires that a window says how it is undone`,
		},
		"of several faults": {
			reason: "every one at once", header: by("deployer"), object: plainWindow, edit: both(replacing("[Delete]", "[Create]"), replacing("T04:00:00Z", "T02:59:59Z")),
			want: `spec.requestedBy: Forbidden: service account "payments/deployer" is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it` + "\n" +
				`spec.schedule.end: Invalid value: "2026-11-28 02:59:59 UTC": must be after start` + "\n" +
				"spec.plan: Required value: the environment requires that a window which creates or updates workloads pins what may run; kubectl firebreak request computes it from the manifest",
		},
	})
}

func TestApprovalsThatAreRefused(t *testing.T) {
	s := newStage(t)
	w := s.state(t, "unapproved").Windows[0]
	digest := change.WindowDigest(&w.Spec)
	approve := `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {window: {name: reindex, uid: reindex-uid}, decision: Approve, digest: "` + digest + `"}}`
	const delegate = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeDelegation, metadata: {name: a, namespace: payments}, spec: {to: "oidc:dba-carol", until: "2026-12-01T00:00:00Z"}}`
	of := func(requester, state string) header { return header{Requester: requester, State: []string{state}} }
	gone := func(requester string) header {
		return header{Requester: requester, Operation: "delete", State: []string{"rejected"}}
	}
	reject := replacing("decision: Approve", "decision: Reject")
	runWords(t, map[string]words{
		"of another person": {reason: "the base of all cases below", header: of("alice", "unapproved"), object: approve},
		"of the requester": {
			reason: "nobody approves what they requested", header: of("bob", "unapproved"), object: approve,
			want: `spec.approver: Forbidden: user "oidc:sre-bob" requested change window "reindex", and nobody approves what they requested; ask another person who holds the verb approve on changewindows`,
		},
		"a rejection of the requester": {reason: "who requested may take it back", header: of("bob", "unapproved"), object: approve, edit: reject},
		"of a machine": {
			reason: "windows are approved by persons", header: of("deployer", "unapproved"), object: approve,
			want: `spec.approver: Forbidden: service account "payments/deployer" is not a person, and windows are approved by persons; let one approve it`,
		},
		"of an impersonated account": {
			reason: "windows are approved by persons", header: of("releaser-impersonated", "unapproved"), object: approve,
			want: `spec.approver: Forbidden: service account "payments/releaser" is not a person, and windows are approved by persons; let one approve it`,
		},
		"of listed automation": {
			reason: "windows are approved by persons", header: of("jenkins", "unapproved"), object: approve,
			want: `spec.approver: Forbidden: user "jenkins" is not a person, and windows are approved by persons; let one approve it`,
		},
		"of other words": {
			reason: "what was seen is not what stands there", header: of("alice", "unapproved"), object: approve, edit: replacing(digest, "v1:sha256:"+strings.Repeat("0", 64)),
			want: `spec.digest: Invalid value: "v1:sha256:` + strings.Repeat("0", 64) + `": change window "reindex" has digest ` + digest + `; look at it again before you approve it`,
		},
		"of a deleted and re-created window": {
			reason: "it starts unapproved", header: of("alice", "unapproved"), object: approve, edit: replacing("reindex-uid", "reindex-before"),
			want: `spec.window: Invalid value: "reindex": namespace "payments" has no change window of this name with UID "reindex-before": it was deleted, or made again; look at what is there, and approve that`,
		},
		"of a window that is closed": {
			reason: "it helps nobody", header: of("alice", "closed"), object: approve, edit: func(a string) string {
				w := s.state(t, "closed").Windows[0]
				return strings.Replace(a, digest, change.WindowDigest(&w.Spec), 1)
			},
			want: `spec.window: Forbidden: change window "reindex" closed at 2026-11-28 02:30:00 UTC`,
		},
		"of a freeze": {
			reason: "whether it counts is told when it is heeded", header: of("alice", "unapproved"),
			object: `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {freeze: {name: f, uid: u}, decision: Lift}}`,
		},
		"to oneself": {
			reason: "that delegates nothing", header: of("alice", "unapproved"), object: delegate, edit: replacing("oidc:dba-carol", "oidc:sre-alice"),
			want: `spec.to: Invalid value: "oidc:sre-alice": is yourself; delegate to another person`,
		},
		"to a name with a line break": {
			reason: "a name that was copied with its line would be nobody's", header: of("alice", "unapproved"), object: delegate, edit: replacing(`"oidc:dba-carol"`, `"oidc:dba-carol\n"`),
			want: `spec.to: Invalid value: "oidc:dba-carol\n": has a space at an end or a control character in it, which the name of no person has; nobody could use the delegation`,
		},
		"to another person": {reason: "the base of all cases about delegations", header: of("alice", "unapproved"), object: delegate},
		"to a machine": {
			reason: "windows are approved by persons", header: of("alice", "unapproved"), object: delegate, edit: replacing("oidc:dba-carol", "system:serviceaccount:payments:deployer"),
			want: `spec.to: Invalid value: "system:serviceaccount:payments:deployer": is not a person, and windows are approved by persons`,
		},
		"to listed automation": {
			reason: "windows are approved by persons", header: of("alice", "unapproved"), object: delegate, edit: replacing("oidc:dba-carol", "jenkins"),
			want: `spec.to: Invalid value: "jenkins": is not a person, and windows are approved by persons`,
		},
		"by a machine": {
			reason: "it holds nothing to delegate", header: of("deployer", "unapproved"), object: delegate,
			want: `spec.delegator: Forbidden: service account "payments/deployer" is not a person, and windows are approved by persons; let one delegate`,
		},
		"a delegation for good": {
			reason: "a right for good is RBAC's", header: of("alice", "unapproved"), object: delegate, edit: replacing("2026-12-01", "2027-12-01"),
			want: `spec.until: Invalid value: "2027-12-01 00:00:00 UTC": must be at most 31 days ahead`,
		},
		"a delegation that is over": {
			reason: "it would say nothing", header: of("alice", "unapproved"), object: delegate, edit: replacing("2026-12-01", "2025-12-01"),
			want: `spec.until: Invalid value: "2025-12-01 00:00:00 UTC": must be in the future`,
		},
		"in the stead of nobody": {
			reason: "a name alone delegates nothing", header: of("alice", "unapproved"), object: approve, edit: replacing("decision: Approve", "decision: Approve, onBehalfOf: {name: away, uid: away-1}"),
			want: `spec.onBehalfOf: Invalid value: "away": delegation "away" is not there: it was withdrawn, or made again`,
		},
		"a rejection in somebody's stead": {
			reason: "a veto needs a right of one's own", header: of("alice", "unapproved"), object: approve, edit: replacing("decision: Approve", "decision: Reject, onBehalfOf: {name: away, uid: away-1}"),
			want: `spec.onBehalfOf: Forbidden: only windows are approved in somebody's stead, and nothing else is done`,
		},
		"a rejection is deleted": {
			reason: "one Reject blocks for good", header: gone("bob"), object: approve, edit: reject,
			want: `spec.decision: Forbidden: a rejection cannot be taken back while change window "reindex" exists; delete the window and request another`,
		},
		"a rejection is deleted by the garbage collector": {reason: "refusing it wedges namespaces", header: gone("garbage-collector"), object: approve, edit: reject},
		"a rejection of a window that is gone is deleted": {reason: "it blocks nothing any more", header: gone("bob"), object: approve, edit: func(a string) string {
			return replacing("reindex-uid", "reindex-before")(reject(a))
		}},
		"an approval is deleted": {reason: "taking a word back only ever closes", header: gone("alice"), object: approve},
	})
}

func TestOtherWordsThatAreRefused(t *testing.T) {
	const freeze = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: f}, spec: {environments: [production], reason: r}}`
	const exemption = `{apiVersion: firebreak.dev/v1alpha1, kind: Exemption, metadata: {name: x}, spec: {rules: [ChangeFrozen], subjects: {users: [a]}, objects: {kind: Pod, names: [b]}, reason: r, expiresAt: "2026-12-28T02:30:00Z"}}`
	const environment = `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: qa}, spec: {tier: NonProduction}}`
	const store = `{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: s}, spec: {environment: development, hosts: [s.example.org]}}`
	runWords(t, map[string]words{
		"a freeze": {reason: "immediate, until it is lifted", header: by("dora"), object: freeze},
		"a freeze of nothing": {
			reason: "a typing error would be found out on the day that was to be frozen", header: by("dora"), object: freeze, edit: replacing("[production]", "[production, prodution]"),
			want: `spec.environments[1]: Not found: "prodution"`,
		},
		"the red button": {reason: "for four hours", header: by("dora"), object: freeze,
			edit: replacing("reason: r", `reason: r, level: Everything, schedule: {end: "2026-11-28T06:30:00Z"}`)},
		"the red button, for longer": {
			reason: "nothing may stay so for long", header: by("dora"), object: freeze, edit: replacing("reason: r", `reason: r, level: Everything, schedule: {end: "2026-11-28T06:30:01Z"}`),
			want: `spec.schedule.end: Invalid value: "2026-11-28 06:30:01 UTC": Everything lasts four hours at most; renew it by creating another one`,
		},
		"lifted by two": {reason: "their words are heeded", header: by("dora"), object: freeze, edit: replacing("reason: r", "reason: r, liftedBy: TwoPersons")},
		"a recurring freeze": {
			reason: "every weekend", header: by("dora"), object: freeze,
			edit: replacing("reason: r", `reason: r, schedule: {recurrence: {cron: "0 0 * * 0", duration: 24h, timeZone: UTC, validUntil: "2027-01-01T00:00:00Z"}}`),
		},
		"a freeze that never comes": {
			reason: "a protection that is not there", header: by("dora"), object: freeze,
			edit: replacing("reason: r", `reason: r, schedule: {recurrence: {cron: "0 0 30 2 *", duration: 24h, timeZone: UTC, validUntil: "2027-01-01T00:00:00Z"}}`),
			want: `spec.schedule.recurrence.cron: Invalid value: "0 0 30 2 *": never fires`,
		},
		"a freeze that is over": {
			reason: "it would never hold", header: by("dora"), object: freeze, edit: replacing("reason: r", `reason: r, schedule: {end: "2026-11-28T02:30:00Z"}`),
			want: `spec.schedule.end: Invalid value: "2026-11-28 02:30:00 +0000 UTC": must be in the future`,
		},
		"a freeze that needs two is deleted": {
			reason: "it is lifted by two persons", header: header{Requester: "bob", Operation: "delete"},
			object: `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: f, creationTimestamp: "2026-11-28T00:00:00Z"}, spec: {environments: [production], reason: r, liftedBy: TwoPersons}}`,
			want:   "spec.liftedBy: Forbidden: this freeze is lifted by two persons, not by deleting it",
		},
		"a freeze that needs two is deleted when it is over": {
			reason: "then it holds nothing", header: header{Requester: "bob", Operation: "delete"},
			object: `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: f}, spec: {environments: [production], reason: r, liftedBy: TwoPersons, schedule: {end: "2026-11-28T02:00:00Z"}}}`,
		},
		"an exemption of thirty days": {reason: "the bound is included; it weakens, which is another rule's business", header: by("bob"), object: exemption},
		"an exemption of more": {
			reason: "nothing temporary stays for ever", header: by("bob"), object: exemption, edit: replacing("12-28T02:30:00Z", "12-28T02:30:01Z"),
			want: `spec.expiresAt: Invalid value: "2026-12-28 02:30:01 +0000 UTC": must be at most 30 days ahead`,
		},
		"an exemption that has expired": {
			reason: "it would exempt nobody", header: by("bob"), object: exemption, edit: replacing("2026-12-28T02:30:00Z", "2026-11-28T02:30:00Z"),
			want: `spec.expiresAt: Invalid value: "2026-11-28 02:30:00 +0000 UTC": must be in the future`,
		},
		"an environment": {reason: "well formed", header: by("dora"), object: environment},
		"an environment whose selectors are none": {
			reason: "OpenAPI cannot tell", header: by("dora"), object: environment,
			edit: replacing("tier: NonProduction", "tier: NonProduction, namespaces: {selector: {matchExpressions: [{key: k, operator: Like}]}}, nodes: {selector: {matchLabels: {a: \"b c\"}}}"),
			want: `spec.namespaces.selector: Invalid value: "Like" is not a valid label selector operator` + "\n" +
				`spec.nodes.selector: Invalid value: values[0][a]: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
		},
		"a gateway that is no host": {
			reason: "data would never cross there", header: by("dora"), object: environment,
			edit: replacing("tier: NonProduction", `tier: NonProduction, gateways: [{host: "a..b", from: [x], reason: r, expiresAt: "2027-01-01T00:00:00Z"}]`),
			want: `spec.gateways[0].host: Invalid value: "a..b": must be a host name or an address`,
		},
		"a data store": {reason: "well formed", header: by("dora"), object: store},
		"a data store of odd hosts": {
			reason: "no reference could ever match", header: by("dora"), object: store, edit: replacing("[s.example.org]", `["a..b", "*.x.example.org", "1.2.3.4.5"], cidrs: [10.0.0.0]`),
			want: `spec.hosts[0]: Invalid value: "a..b": must be a host name, without scheme and port; a leading *. is allowed` + "\n" +
				`spec.hosts[2]: Invalid value: "1.2.3.4.5": must be a host name, without scheme and port; a leading *. is allowed` + "\n" +
				`spec.cidrs[0]: Invalid value: "10.0.0.0": must be an address range such as 10.20.0.0/16`,
		},
	})
}
