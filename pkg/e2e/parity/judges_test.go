package parity

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/auditlog"
	"github.com/firebreak-dev/firebreak/pkg/cli"
)

// deniedBy returns the rules by which a result denies.
func deniedBy(r *cli.Result) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Action == "deny" && slices.Contains(v1alpha1.RuleNames(), v1alpha1.RuleName(f.Rule)) && !slices.Contains(out, f.Rule) {
			out = append(out, f.Rule)
		}
	}
	slices.Sort(out)
	return out
}

// report runs a command that prints a report as JSON.
func report(t *testing.T, args ...string) *cli.Report {
	t.Helper()
	out, _ := the.Plugin(t.Context(), the.AdminConfig(), append(args, "-o", "json")...)
	var r cli.Report
	if _, answer, ok := strings.Cut(out, "{"); !ok || json.Unmarshal([]byte("{"+answer), &r) != nil || len(r.Results) == 0 {
		t.Fatalf("%q: %s", args, out)
	}
	return &r
}

// check returns the rules that deny, as the command reports them against the live cluster.
func (s *sent) check(t *testing.T) []string {
	t.Helper()
	var denied []string
	for _, r := range report(t, append([]string{"check", "-f", s.path, "-n", "dev", "--operation", "create"}, s.as()...)...).Results {
		if r.Decision == "undecided" {
			t.Fatalf("check: %s", r.Message)
		}
		denied = append(denied, deniedBy(&r)...)
	}
	slices.Sort(denied)
	return slices.Compact(denied)
}

// stored are the rules that audit judges a stored object by, whoever has written it.
func stored(rules []string) []string {
	return slices.DeleteFunc(slices.Clone(rules), func(r string) bool {
		return !slices.Contains([]v1alpha1.RuleName{
			v1alpha1.RuleDataStoreAcrossTiers, v1alpha1.RuleCredentialAcrossTiers, v1alpha1.RuleNamespaceAcrossTiers, v1alpha1.RuleRouteAcrossTiers,
			v1alpha1.RuleStorageAcrossTiers, v1alpha1.RulePlacementAcrossTiers, v1alpha1.RuleGrantAcrossTiers,
		}, v1alpha1.RuleName(r))
	})
}

// notAudited are the fixtures of which audit says something else than the webhook, and why.
func notAudited() map[string]string {
	return map[string]string{
		"aggregated-into-a-bound-role.yaml": "once it is stored, the role that takes its rules in has them, and audit tells of that role's binding",
		"claim-bound-long-ago.yaml":         "the cluster of this test has no claim that is bound, and the estate of audit has",
	}
}

// audit returns the rules that a stored object breaks, as the command reports them by the same estate.
func (s *sent) audit(t *testing.T) []string {
	t.Helper()
	var denied []string
	for _, r := range report(t, "audit", "--with", testdata("estate.yaml"), "--with", s.path, "--cluster-name", "prod-eu-1").Results {
		if strings.Contains(s.manifest, "name: "+r.Name) && r.Decision == "deny" {
			denied = append(denied, deniedBy(&r)...)
		}
	}
	slices.Sort(denied)
	return slices.Compact(denied)
}

// marked finds the mark of a request in the address that it went to.
var marked = regexp.MustCompile(`[?&]fieldManager=([a-z]+[0-9]+)(?:&|$)`)

// replayed returns the rules by which replay denies, of each marked request in the API server's audit log.
func replayed(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := log.Replay(t.Context(), the, nil, func(ev *auditlog.Event, d *cli.ReplayDecision) {
		if m := marked.FindStringSubmatch(ev.RequestURI); m != nil {
			out[m[1]] = deniedBy(&d.Result)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAllJudgesAgree shows that the webhook, asked by the API server, check against the same cluster, audit of the same objects and replay of the API
// server's own log deny by the same rules: every fixture that a person creates, and every document of the corpus.
func TestAllJudgesAgree(t *testing.T) {
	reached, denied := 0, 0
	wanted := map[string][]string{}
	all := append(fixtures(t), corpus(t)...)
	for i := range all {
		s := &all[i]
		s.mark = fmt.Sprintf("fixture%d", i)
		t.Run(filepath.Base(filepath.Dir(s.path))+"/"+filepath.Base(s.path), func(t *testing.T) {
			want, ok := s.webhook(t)
			if !ok {
				t.Skip("the API server itself refuses it")
			}
			reached++
			if len(want) > 0 {
				denied++
			}
			wanted[s.mark] = want
			if filepath.Base(s.path) == "role-that-is-not-there.yaml" {
				return // a dry run stores the role no more than its binding; check judges the real run
			}
			if got := s.check(t); !slices.Equal(got, want) {
				t.Errorf("check denies by %v, the webhook by %v", got, want)
			}
			if got := s.audit(t); notAudited()[filepath.Base(s.path)] == "" && !slices.Equal(stored(got), stored(want)) {
				t.Errorf("audit denies by %v, the webhook by %v", got, want)
			}
		})
	}
	got := replayed(t)
	for i := range all {
		want, ok := wanted[all[i].mark]
		if rules, judged := got[all[i].mark]; ok && (!judged || !slices.Equal(rules, want)) {
			t.Errorf("%s: replay denies by %v (judged: %v), the webhook by %v", all[i].path, rules, judged, want)
		}
	}
	t.Logf("%d of %d reached Firebreak, of which it denied %d", reached, len(all), denied)
	if reached < 75 || denied < 30 {
		t.Error("so few show nothing")
	}
}
