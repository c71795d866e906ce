package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// cluster is a cluster on which steps are done.
type cluster interface {
	// now returns the instant of the next step. No boundary is so near to it that it could be on either side.
	now(boundaries []time.Time) time.Time
	do(s step, at time.Time) outcome
	executions() []v1alpha1.ChangeExecution
	// freezes returns the names of the freezes, in order. It may wait a while for those that are wanted: a freeze that two persons have
	// lifted does not end at once.
	freezes(want []string) []string
}

// sequence is how many steps are done on one cluster in memory: long enough for stories, short enough for names to be used again.
const (
	sequence  = 200
	sequences = 60
)

func TestModelInMemory(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	seen, met := occurs{}, occurs{}
	sc := scale{soon: 10 * time.Minute, short: time.Hour, long: 3 * time.Hour, faults: true}
	all := stories(sc)
	for i := range sequences {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(i))), scale: sc, next: all[i%len(all)]}
		play(t, newMemory(t), g, sequence, seen, met)
		if t.Failed() {
			t.Fatalf("seed %d, sequence %d", seed, i)
		}
	}
	report(t, seen, met, 10_000)
	// A generator whose steps are never admitted would find nothing.
	for _, must := range []string{
		"request admitted []", "approve admitted []", "run admitted []", "resume admitted []", "require admitted []", "forget invalid []",
		"extend admitted []", "run denied [ChangeWindowRequired]", "run denied [ExecutionsExhausted]", "run denied [PlanMismatch]", "run exists []", "run retry []",
		"require denied [BoundaryTampering]", "run denied [IdentityOutsideEnvironment]", "remove denied [ChangeFrozen]",
	} {
		if seen[must] == 0 {
			t.Errorf("in %d steps nothing came to %q", sequences*sequence, must)
		}
	}
	for _, must := range situations() {
		if met[must] == 0 {
			t.Errorf("in %d steps this did not occur: %s", sequences*sequence, must)
		}
	}
}

// report says how often each outcome and each situation occurred, the latter also if it never did.
func report(t *testing.T, seen, met occurs, per int) {
	t.Helper()
	total := 0
	for _, n := range seen {
		total += n
	}
	for _, what := range situations() {
		met[what] += 0
	}
	t.Logf("%d steps, no divergence. In %d steps:\n%s\n\n%s", total, per, seen.in(per, total), met.in(per, total))
}

// in tells how often each occurs in so many of all steps.
func (n occurs) in(steps, of int) string {
	var lines []string
	for what, times := range n {
		lines = append(lines, fmt.Sprintf("%7.1f %s", float64(times*steps)/float64(of), what))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// play does the steps of a generator, and compares each outcome and the ledger after it with the reference.
func play(t *testing.T, c cluster, g *generator, steps int, seen, met occurs) {
	t.Helper()
	m := newReference()
	var story []string
	for range steps {
		s := g.step()
		if !g.faults && s.op == run && m.jobs[s.name] != nil {
			// A run that is refused after admission holds a slot until nobody can have seen its object, which takes minutes.
			s.op = remove
		}
		if s.op == forget && len(m.words) > 0 {
			s.name = m.words[len(m.words)-1].name
		}
		s = m.named(s)
		at := c.now(m.boundaries())
		want, then := m.expect(s, at)
		met.note(m, s, at, want)
		got := c.do(s, at)
		story = append(story, fmt.Sprintf("%s  %s: %s", at.Format(time.TimeOnly), s, got))
		seen[fmt.Sprintf("%s %s", s.op, got)]++
		if !agrees(want, got) {
			t.Fatalf("the reference says %s (%d of a burst):\n%s", want, len(want.uids), strings.Join(story, "\n"))
		}
		then(got)
		if diff := m.settle(got, c.executions()); diff != "" {
			t.Fatalf("the ledger differs (-want +got):\n%s\n%s", diff, strings.Join(story, "\n"))
		}
		frozen := slices.Sorted(maps.Keys(m.freezes))
		if diff := cmp.Diff(frozen, c.freezes(frozen), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the freezes differ (-want +got):\n%s\n%s", diff, strings.Join(story, "\n"))
		}
	}
}

func agrees(want, got outcome) bool {
	if want.kind != got.kind || len(want.uids) != len(got.uids) {
		return false
	}
	return slices.Equal(want.rules, got.rules)
}

// settle adopts the executions of a burst, and compares how many each window has, including deleted windows. Each Job that was
// created has exactly one.
func (m *reference) settle(got outcome, all []v1alpha1.ChangeExecution) string {
	have, records := map[string]int{}, map[string]int{}
	for i := range all {
		x := &all[i].Spec
		have[all[i].Labels[v1alpha1.LabelWindowUID]]++
		if x.Operation == v1alpha1.OperationCreate {
			records[string(x.Object.UID)]++
		}
		if slices.Contains(got.uids, string(x.Object.UID)) {
			ledger := all[i].Labels[v1alpha1.LabelWindowUID]
			m.used[ledger] = append(m.used[ledger], use{string(x.Object.UID), "a", string(x.Window.UID)}) // bursts are of plan a
		}
	}
	want := map[string]int{}
	for uid, keys := range m.used {
		if len(keys) > 0 {
			want[uid] = len(keys)
		}
	}
	for _, uid := range append(slices.Clone(got.uids), m.created()...) {
		if records[uid] != 1 {
			return fmt.Sprintf("Job %s has %d records", uid, records[uid])
		}
	}
	return cmp.Diff(want, have)
}

func (m *reference) created() []string {
	var out []string
	for _, j := range m.jobs {
		out = append(out, j.uid)
	}
	return out
}
