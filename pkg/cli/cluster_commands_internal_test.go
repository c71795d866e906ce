package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

const (
	theSpec = `{"environment":"production","reason":"rebuild","ticket":"CHG-7","rollback":"restore","maxExecutions":1,"schedule":{"start":"2026-11-28T02:00:00Z","end":"2026-11-28T04:00:00Z"},` +
		`"scope":{"operations":["Create","Delete"],"resources":[{"group":"batch","kind":"Job","names":["a","b-*"]}]},"requestedBy":{"username":"sam"}}`
	theWindow = `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeWindow","metadata":{"name":"w","namespace":"payments","uid":"w-1"},"spec":` + theSpec + `}`
	shown     = `Window payments/w, requested by sam for environment production
  reason      rebuild
  ticket      CHG-7
  rollback    restore
  open        2026-11-28 02:00:00 UTC to 2026-11-28 04:00:00 UTC
  used by     sam
  clusters    every cluster that has this window
  namespaces  payments
  executions  1
  may         Create,Delete Job a,b-*
  plan        none: whatever is in scope may run
`
	ask   = "\nType the name of the environment to approve: "
	words = "POST " + own + "/namespaces/payments/changeapprovals "
)

// An approval of a window carries the digest of what was shown, and is created only if the approver typed the environment.
func TestWords(t *testing.T) {
	var spec v1alpha1.ChangeWindowSpec
	if err := json.Unmarshal([]byte(theSpec), &spec); err != nil {
		t.Fatal(err)
	}
	word := func(decision, comment string) string {
		return words + fmt.Sprintf(`{"kind":"ChangeApproval","metadata":{"generateName":"w-","namespace":"payments"},"spec":{"window":{"name":"w","uid":"w-1"},"digest":%q,"decision":%q%s}}`, change.WindowDigest(&spec), decision, comment)
	}
	for name, tc := range map[string]struct {
		reason, stdin string
		args          []string
		out, fails    string
		written       []string
		refuses       string
	}{
		"approved by hand":      {"the hand knows what the eye passed over", "production\n", []string{"approve", "w"}, shown + ask + "changewindow.firebreak.dev/w approved (w-abcde)\n", "", []string{word("Approve", "")}, ""},
		"approved by a script":  {"it was told not to ask", "", []string{"approve", "w", "--yes", "--comment", "fine"}, shown + "changewindow.firebreak.dev/w approved (w-abcde)\n", "", []string{word("Approve", `,"comment":"fine"`)}, ""},
		"the wrong environment": {"it is not where the hand thought", "staging\n", []string{"approve", "w"}, shown + ask, `"staging" was typed, and the window is for "production"; nothing is approved`, nil, ""},
		"nothing typed":         {"nobody is there", "", []string{"approve", "w"}, shown + ask, "nothing was typed, so nothing is approved; use --yes where nobody can type", nil, ""},
		"rejected":              {"rejecting is always safe", "", []string{"reject", "w", "--comment", "no"}, shown + "changewindow.firebreak.dev/w rejected (w-abcde)\n", "", []string{word("Reject", `,"comment":"no"`)}, ""},
		"an unknown window":     {"there is nothing to look at", "", []string{"approve", "x"}, "", "look at the window: not there", nil, ""},
		"refused":               {"what the API server says is passed on", "", []string{"reject", "w"}, shown, "reject the window: you may not", []string{word("Reject", "")}, "you may not"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, map[string]string{own + "/namespaces/payments/changewindows/w": theWindow})
			c.refuses = tc.refuses
			out, err := c.run(tc.stdin, tc.args...)
			checkRun(t, out, err, tc.out, tc.fails, tc.reason)
			c.wrote(tc.written...)
		})
	}
}

func checkRun(t *testing.T, out string, err error, want, fails, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("the output differs: %s: %s", reason, diff)
	}
	if (err != nil || fails != "") && fmt.Sprint(err) != fails {
		t.Errorf("%v, want %q: %s", err, fails, reason)
	}
}

// An approver sees each digest and text of a plan, and when a window recurs.
func TestShowAPlan(t *testing.T) {
	const window = `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeWindow","metadata":{"name":"w","namespace":"payments"},"spec":{"environment":"production","reason":"r","maxExecutionsPerOccurrence":2,` +
		`"schedule":{"recurrence":{"cron":"0 2 * * 6","timeZone":"Europe/London","duration":"2h","validUntil":"2027-01-01T00:00:00Z"}},"scope":{"operations":["Create"],"resources":[]},` +
		`"plan":{"workloads":[{"group":"batch","kind":"Job","names":["a"],"digest":"v1:1","fields":[{"path":"image","digest":"x","text":"reindex:1"},{"path":"args","digest":"y"}]}]}}}`
	c := newCluster(t, map[string]string{own + "/namespaces/payments/changewindows/w": window})
	out, err := c.run("", "reject", "w")
	checkRun(t, out, err, `Window payments/w, requested by somebody for environment production
  reason      r
  open        by "0 2 * * 6" in Europe/London, each time for 2h, until 2027-01-01 00:00:00 UTC
  used by     somebody
  clusters    every cluster that has this window
  namespaces  payments
  executions  2 each time
  plan        Job a v1:1
                image = reindex:1
                args: pinned by digest y, and not said: the window was requested with an older version
                (no window was used for it before)
changewindow.firebreak.dev/w rejected (w-abcde)
`, "", "the approver decides by it")
}

// A freeze says for which environments it holds, from when and until when; a freeze of level Everything ends by itself.
func TestFreezes(t *testing.T) {
	const post = "POST " + own + "/changefreezes "
	for name, tc := range map[string]struct {
		args           []string
		written, fails string
	}{
		"until it is lifted": {nil, post + `{"kind":"ChangeFreeze","metadata":{"name":"freeze-production"},"spec":{"environments":["production","edge"],"reason":"r"}}`, ""},
		"for a time":         {[]string{"--for", "2h", "--name", "x"}, post + `{"kind":"ChangeFreeze","metadata":{"name":"x"},"spec":{"environments":["production","edge"],"schedule":{"end":"2026-11-28T04:30:00Z"},"reason":"r"}}`, ""},
		"later":              {[]string{"--start", "+1h", "--for", "2h"}, post + `{"kind":"ChangeFreeze","metadata":{"name":"freeze-production"},"spec":{"environments":["production","edge"],"schedule":{"start":"2026-11-28T03:30:00Z","end":"2026-11-28T05:30:00Z"},"reason":"r"}}`, ""},
		"of some namespaces": {[]string{"--only-namespace", "a-*,b", "--two-persons"}, post + `{"kind":"ChangeFreeze","metadata":{"name":"freeze-production"},"spec":{"environments":["production","edge"],"namespaces":["a-*","b"],"reason":"r","liftedBy":"TwoPersons"}}`, ""},
		"the red button":     {[]string{"--everything"}, post + `{"kind":"ChangeFreeze","metadata":{"name":"freeze-production"},"spec":{"environments":["production","edge"],"level":"Everything","schedule":{"end":"2026-11-28T06:29:00Z"},"reason":"r"}}`, ""},
		"a start that is no": {[]string{"--start", "soon"}, "", "--start"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, nil)
			out, err := c.run("", append([]string{"freeze", "production", "edge", "--reason", "r"}, tc.args...)...)
			if tc.fails != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tc.fails) {
					t.Errorf("%v, want %s", err, tc.fails)
				}
				c.wrote()
				return
			}
			if err != nil || !strings.HasPrefix(out, "changefreeze.firebreak.dev/") || !strings.HasSuffix(out, "\nA member of the environment lifts it with:\n\n  kubectl firebreak unfreeze "+strings.Split(strings.SplitN(out, "/", 2)[1], ":")[0]+"\n") {
				t.Errorf("%v\n%s", err, out)
			}
			c.wrote(tc.written)
		})
	}
}

// A freeze that needs two persons to lift it is not deleted by one: each creates a Lift.
func TestUnfreeze(t *testing.T) {
	two := map[string]string{own + "/changefreezes/f": `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeFreeze","metadata":{"name":"f","uid":"f-1"},"spec":{"environments":["production"],"reason":"r","liftedBy":"TwoPersons"}}`}
	c := newCluster(t, two)
	out, err := c.run("", "unfreeze", "f")
	checkRun(t, out, err, "your word to lift freeze f is given; it takes two persons\n", "", "one is not enough")
	c.wrote("POST " + own + `/namespaces/firebreak-system/changeapprovals {"kind":"ChangeApproval","metadata":{"generateName":"word-","namespace":"firebreak-system"},"spec":{"freeze":{"name":"f","uid":"f-1"},"decision":"Lift"}}`)
	c = newCluster(t, nil)
	out, err = c.run("", "unfreeze", "f")
	checkRun(t, out, err, "changefreeze.firebreak.dev/f lifted\n", "", "anybody may")
	c.wrote("DELETE " + own + `/changefreezes/f {"kind":"DeleteOptions","apiVersion":"firebreak.dev/v1alpha1"}`)
	c.refuses = "no"
	_, err = c.run("", "unfreeze", "f")
	checkRun(t, "", err, "", "lift the freeze: no", "what the API server says is passed on")
}

// granting answers with the roles and bindings of a cluster in which subjects may approve.
func granting(subjects string) map[string]string {
	const group = "/apis/rbac.authorization.k8s.io/v1"
	list := func(kind, items string) string {
		return `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"` + kind + `List","items":[` + items + `]}`
	}
	return map[string]string{
		"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"rbac.authorization.k8s.io","versions":[{"groupVersion":"rbac.authorization.k8s.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"rbac.authorization.k8s.io/v1","version":"v1"}}]}`,
		group: `{"kind":"APIResourceList","groupVersion":"rbac.authorization.k8s.io/v1","resources":[{"name":"roles","kind":"Role","namespaced":true,"verbs":["list"]},{"name":"rolebindings","kind":"RoleBinding","namespaced":true,"verbs":["list"]},` +
			`{"name":"clusterroles","kind":"ClusterRole","namespaced":false,"verbs":["list"]},{"name":"clusterrolebindings","kind":"ClusterRoleBinding","namespaced":false,"verbs":["list"]}]}`,
		group + "/roles": list("Role", ""), group + "/rolebindings": list("RoleBinding", ""),
		group + "/clusterroles":        list("ClusterRole", `{"metadata":{"name":"approve"},"rules":[{"apiGroups":["firebreak.dev"],"resources":["changewindows"],"verbs":["approve"]}]}`),
		group + "/clusterrolebindings": list("ClusterRoleBinding", `{"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"approve"},"subjects":[`+subjects+`]}`),
	}
}

// The boundary is not sealed while nobody could approve a change of it: nobody approves their own request, and machines approve nothing.
func TestSealWithoutApprovers(t *testing.T) {
	const none = `nothing is sealed, since no change of the boundary could be approved afterwards: nobody holds the verb approve on changewindows in namespace "firebreak-system"; bind the ClusterRole firebreak-approve to a group of persons there`
	for name, tc := range map[string]struct{ subjects, want string }{
		"nobody":           {"", none},
		"a machine":        {`{"kind":"ServiceAccount","name":"bot","namespace":"ci"}`, none},
		"the masters":      {`{"kind":"Group","name":"system:masters"}`, none},
		"a program's name": {`{"kind":"User","name":"system:node:a"}`, none},
		"one person": {`{"kind":"User","name":"sam"},{"kind":"User","name":"sam"}`,
			`nothing is sealed, since no change of the boundary could be approved afterwards: only user "sam" holds the verb approve on changewindows in namespace "firebreak-system", and nobody approves their own request; bind the ClusterRole firebreak-approve to a second person`},
		"two persons": {`{"kind":"User","name":"sam"},{"kind":"User","name":"kim"}`, ""},
		"a group":     {`{"kind":"Group","name":"sre"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newCluster(t, granting(tc.subjects)).run("", "seal", "production")
			if got := fmt.Sprint(err); err == nil && tc.want != "" || err != nil && got != tc.want {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// An environment is sealed by its annotation alone.
func TestSeal(t *testing.T) {
	c := newCluster(t, granting(`{"kind":"Group","name":"sre"}`))
	out, err := c.run("", "seal", "production")
	checkRun(t, out, err, "environment.firebreak.dev/production sealed: weakening the boundary needs an approved window from now on\n", "", "it is asked for")
	c.wrote("PATCH " + own + `/environments/production {"metadata":{"annotations":{"firebreak.dev/sealed":"true"}}}`)
	c.refuses = "no"
	out, err = c.run("", "seal", "production")
	checkRun(t, out, err, "", "seal: no", "what the API server says is passed on")
}

// The user of an execution, and the requester of its window, do not give it back.
func TestRelease(t *testing.T) {
	for who, fails := range map[string]string{
		"kim":   "",
		"sam":   "you used execution x yourself, or requested its window; another member of the environment who holds the verb approve gives it back",
		"robin": "you used execution x yourself, or requested its window; another member of the environment who holds the verb approve gives it back",
	} {
		t.Run(who, func(t *testing.T) {
			c := newCluster(t, map[string]string{
				own + "/namespaces/firebreak-system/changeexecutions/x": `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeExecution","metadata":{"name":"x","namespace":"firebreak-system","uid":"x-1"},"spec":{"slot":"0","key":"k","requester":{"username":"sam"},"window":{"name":"w","requestedBy":{"username":"robin"}}}}`,
				"/apis/authentication.k8s.io/v1/selfsubjectreviews":     `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":"` + who + `"}}}`,
			})
			out, err := c.run("", "release", "x")
			if fails != "" {
				checkRun(t, out, err, "", fails, "it would be their own gain")
				c.wrote()
				return
			}
			checkRun(t, out, err, "your word to give execution x back is given\n", "", "somebody else may")
			c.wrote("POST " + own + `/namespaces/firebreak-system/changeapprovals {"kind":"ChangeApproval","metadata":{"generateName":"word-","namespace":"firebreak-system"},"spec":{"execution":{"name":"x","uid":"x-1"},"decision":"Release"}}`)
		})
	}
	_, err := newCluster(t, nil).run("", "release", "x")
	checkRun(t, "", err, "", "look at the execution: not there", "there is none")
}

// An emergency window is opened for the environment of the namespace, then the command runs, and its status is the plugin's.
func TestEmergency(t *testing.T) {
	environments := `{"apiVersion":"firebreak.dev/v1alpha1","kind":"EnvironmentList","items":[{"metadata":{"name":"production"},"spec":{"tier":"Production","namespaces":{"selector":{"matchLabels":{"env":"prod"}}}}}]}`
	namespace := func(env string) string {
		return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"payments","labels":{"env":"` + env + `"}}}`
	}
	for name, tc := range map[string]struct {
		answers map[string]string
		args    []string
		fails   string
		code    int
		opened  bool
		out     string
	}{
		"without a command":      {map[string]string{own + "/environments": environments, "/api/v1/namespaces/payments": namespace("prod")}, nil, "", 0, true, ""},
		"with a command":         {nil, []string{"--environment", "production", "--", "sh", "-c", "echo repaired"}, "", 0, true, "repaired\n"},
		"a command that fails":   {nil, []string{"--environment", "production", "--", "sh", "-c", "exit 3"}, "exit status 3", 3, true, ""},
		"a command that is none": {nil, []string{"--environment", "production", "--", "./no-such-command"}, "run ./no-such-command: fork/exec ./no-such-command: no such file or directory", 2, true, ""},
		"nobody's namespace":     {map[string]string{own + "/environments": environments, "/api/v1/namespaces/payments": namespace("dev")}, nil, `namespace "payments" belongs to no Production environment, where no window is needed`, 2, false, ""},
		"an unknown namespace":   {map[string]string{own + "/environments": environments}, nil, "look at the namespace: not there; or give --environment", 2, false, ""},
		"unknown environments":   {nil, nil, "list environments: not there; or give --environment", 2, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, tc.answers)
			out, err := c.run("", append([]string{"emergency", "--reason", "fire"}, tc.args...)...)
			want := ""
			if tc.opened {
				want = "Emergency window emergency-abcde is open until 2026-11-28 03:30:00 UTC. It stays unreviewed until somebody else looks at it:\n\n  kubectl firebreak approve emergency-abcde -n payments\n\n" + tc.out
			}
			checkRun(t, out, err, want, tc.fails, name)
			if Code(err) != tc.code {
				t.Errorf("exit %d, want %d", Code(err), tc.code)
			}
			if opened := len(c.written) == 1 && strings.Contains(c.written[0], `"spec":{"type":"Emergency","environment":"production","reason":"fire","schedule":{"start":"2026-11-28T02:29:50Z","end":"2026-11-28T03:30:00Z"}`); opened != tc.opened {
				t.Errorf("written: %q", c.written)
			}
		})
	}
}

// While a freeze holds, an emergency says what it still needs, and runs nothing before it has it.
func TestEmergencyInAFreeze(t *testing.T) {
	const (
		frozen   = `sam froze production until somebody lifts it (freeze "stop": "r")`
		opened   = "Emergency window emergency-abcde is open until 2026-11-28 03:30:00 UTC. It stays unreviewed until somebody else looks at it:\n\n  kubectl firebreak approve emergency-abcde -n payments\n\n"
		approved = `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeWindow","metadata":{"name":"emergency-abcde","namespace":"payments"},"spec":{"environment":"production"},"status":{"approvals":"1/0"}}`
	)
	answers := map[string]string{
		own + "/changefreezes": `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeFreezeList","items":[{"metadata":{"name":"stop","creationTimestamp":"2026-11-28T01:00:00Z"},` +
			`"spec":{"environments":["production"],"reason":"r","requestedBy":{"username":"sam"}}}]}`,
		own + "/environments/production":                           `{"apiVersion":"firebreak.dev/v1alpha1","kind":"Environment","metadata":{"name":"production"},"spec":{"tier":"Production"}}`,
		own + "/namespaces/payments/changewindows/emergency-abcde": approved,
	}
	for name, tc := range map[string]struct {
		flags      []string
		out, fails string
	}{
		"one that passes none": {nil, opened + "A freeze holds, and this window does not override it: " + frozen + ". Changes need an emergency with --override-freeze, which somebody else approves.\nrepaired\n", ""},
		"one that is not approved": {[]string{"--override-freeze"}, opened + "A freeze holds: " + frozen + ". This window passes it once another member of the environment has approved it.\n",
			"it is not approved yet, so nothing was run; ask somebody to approve it, and run the command itself then, without another emergency; or use --wait"},
		"one that waits": {[]string{"--override-freeze", "--wait"}, opened + "A freeze holds: " + frozen + ". This window passes it once another member of the environment has approved it.\nIt is approved.\nrepaired\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, answers)
			out, err := c.run("", append(append([]string{"emergency", "--reason", "fire", "--environment", "production"}, tc.flags...), "--", "sh", "-c", "echo repaired")...)
			checkRun(t, out, err, tc.out, tc.fails, name)
		})
	}
}

// The log lists what began in the interval and the namespace, the oldest first.
func TestLog(t *testing.T) {
	execution := func(name, at, ns, rest string) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"creationTimestamp":%q},"spec":{"slot":"0","key":"k","requester":{"username":"sam"},"operation":"Create","object":{"kind":"Job","namespace":%q,"name":"reindex"},"window":{"namespace":"payments","name":"w","reason":"rebuild"%s`, name, at, ns, rest)
	}
	list := `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeExecutionList","items":[` + strings.Join([]string{
		execution("late", "2026-11-28T02:00:00Z", "payments", `,"approvedBy":["kim","robin"]}},"status":{"state":"Used","result":"Succeeded","startedAt":"2026-11-28T02:00:00Z","finishedAt":"2026-11-28T02:01:30Z"}}`),
		execution("early", "2026-11-27T12:00:00Z", "payments", `}}}`), execution("old", "2026-11-20T00:00:00Z", "payments", `}}}`), execution("other", "2026-11-28T02:00:00Z", "edge", `}}}`),
	}, ",") + `]}`
	records := `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeRecordList","items":[` +
		`{"metadata":{"name":"r-1","creationTimestamp":"2026-11-27T18:00:00Z"},"spec":{"act":"Deleted","requester":{"username":"kim"},"object":{"kind":"ChangeFreeze","name":"stop"},"message":"lifted the freeze of production"}}]}`
	const lists = own + "/namespaces/firebreak-system/"
	c := newCluster(t, map[string]string{lists + "changeexecutions": list, lists + "changerecords": records})
	out, err := c.run("", "log")
	checkRun(t, out, err, `In all namespaces, from 2026-11-27 02:30:00 UTC to 2026-11-28 02:30:00 UTC:
WHEN                 WHO  WHAT     OBJECT                WINDOW      APPROVED BY  STATE    RESULT     REASON
2026-11-27 12:00:00  sam  Create   payments/job/reindex  payments/w  nobody       Pending             rebuild
2026-11-27 18:00:00  kim  Deleted  changefreeze/stop                                                  lifted the freeze of production
2026-11-28 02:00:00  sam  Create   payments/job/reindex  payments/w  kim, robin   Used     Succeeded  rebuild
2026-11-28 02:00:00  sam  Create   edge/job/reindex      payments/w  nobody       Pending             rebuild
`, "", "the day before")
	out, err = c.run("", "log", "--since", "2026-11-28T01:00:00Z", "-n", "edge")
	checkRun(t, out, err, `In namespace "edge", from 2026-11-28 01:00:00 UTC to 2026-11-28 02:30:00 UTC:
WHEN                 WHO  WHAT    OBJECT            WINDOW      APPROVED BY  STATE    RESULT  REASON
2026-11-28 02:00:00  sam  Create  edge/job/reindex  payments/w  nobody       Pending          rebuild
`, "", "one namespace")
	out, err = c.run("", "log", "--since", "2026-11-28T01:00:00Z", "-A", "-o", "json")
	var entries []overview.Entry
	if err != nil || json.Unmarshal([]byte(out), &entries) != nil || len(entries) != 2 || entries[0].Execution != "late" || entries[0].Duration != "1m30s" || entries[1].Namespace != "edge" {
		t.Errorf("%v %s", err, out)
	}
	out, err = c.run("", "log", "--until", "2026-11-27T12:00:00Z")
	checkRun(t, out, err, "In all namespaces, from 2026-11-27 02:30:00 UTC to 2026-11-27 12:00:00 UTC, nothing was changed under a window, and nothing was done about one.\n", "", "the end is not in the interval")
	out, err = newCluster(t, map[string]string{lists + "changeexecutions": list}).run("", "log", "--until", "2026-11-27T12:00:00Z")
	checkRun(t, out, err, "Warning: what was done about windows, freezes and the boundary is not shown: list records: not there\n"+
		"In all namespaces, from 2026-11-27 02:30:00 UTC to 2026-11-27 12:00:00 UTC, nothing was changed under a window, and nothing was done about one.\n", "", "an older chart")
	for flag, want := range map[string]string{"--since": "--since: ", "--until": "--until: "} {
		if _, err := c.run("", "log", flag, "lately"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	_, err = newCluster(t, nil).run("", "log")
	checkRun(t, "", err, "", "list executions: not there", "that nothing could be read is not that nothing was done")
}

// A window is requested for resources by name, or only printed. An unknown operation is refused before anything is written.
func TestRequestByName(t *testing.T) {
	base := []string{"request", "--resource", "Pod/web-*", "--operation", "Exec", "--environment", "production", "--start", "now", "--duration", "30m", "--reason", "look"}
	c := newCluster(t, nil)
	out, err := c.run("", append(base, "--for-user", "kim", "--for-group", "oncall", "--for-service-account", "payments/bot", "--start-before", "10m")...)
	checkRun(t, out, err, `changewindow.firebreak.dev/web-20261128-023000 requested in namespace payments
It opens at 2026-11-28 02:30:00 UTC and closes at 2026-11-28 03:00:00 UTC.
Somebody else approves it with:

  kubectl firebreak approve web-20261128-023000 -n payments
`, "", "it is asked for")
	c.wrote("POST " + own + `/namespaces/payments/changewindows {"kind":"ChangeWindow","metadata":{"name":"web-20261128-023000","namespace":"payments"},"spec":{"type":"Normal","environment":"production","reason":"look","schedule":{"start":"2026-11-28T02:30:00Z","end":"2026-11-28T03:00:00Z"},"scope":{"operations":["Exec"],"resources":[{"kind":"Pod","names":["web-*"]}]},"subjects":{"users":["kim"],"groups":["oncall"],"serviceAccounts":["payments/bot"]},"startBefore":"10m0s"}}`)
	c = newCluster(t, nil)
	out, err = c.run("", append(base, "--print", "--name", "mine", "--digest", "d-1")...)
	if err != nil || !strings.Contains(out, "  name: mine\n") || !strings.Contains(out, "  plan:\n    workloads:\n    - digest: d-1\n      executions: 1\n      kind: Pod\n      names:\n      - web-*\n") {
		t.Errorf("%v\n%s", err, out)
	}
	for fails, args := range map[string][]string{
		"--operation Lick: ":                     {"--operation", "Lick"},
		"--digest is for exactly one --resource": {"--resource", "Pod/x", "--digest", "d"},
		"request the window: you may not":        {},
		"-, document 0: it is not valid YAML":    {"-f", "-"},
	} {
		c.refuses = "you may not"
		if _, err := c.run("a: [", append(base[:len(base):len(base)], args...)...); err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("%v, want %s", err, fails)
		}
	}
	if len(c.written) != 1 {
		t.Errorf("written: %q, want the one that was refused", c.written)
	}
}
