package faults

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// result is a row of the table.
type result struct {
	fault *fault
	*tally
	account
	// postponed is how often a client was asked to send a request again.
	postponed int64
	recovery  time.Duration
	bad       bool
}

// assert says what must hold whatever breaks.
func (r *result) assert(t *testing.T) {
	t.Helper()
	gists := sorted(r.failures)
	for _, gist := range gists[:min(len(gists), 5)] {
		t.Logf("%d failed: %s", r.failures[gist], gist)
	}
	if n := r.wronglyAdmitted(); n > 0 {
		t.Errorf("%d requests that must be denied were stored", n)
	}
	for _, what := range r.lost {
		t.Error("lost:", what)
	}
	if n := r.wronglyDenied(); n > 0 {
		t.Errorf("%d requests that must be admitted were denied", n)
	}
	if len(r.wrong) > 0 {
		t.Log("answers that are not those which must be:", strings.Join(r.wrong, "\n"))
	}
	all := r.of(everything)
	switch {
	case r.fault.expect == seamless && all.failed > 0:
		t.Errorf("%d requests got no decision, want none", all.failed)
	case r.fault.expect == seamless && r.unjudged() > 0:
		t.Errorf("%d requests were admitted unjudged, want none", r.unjudged())
	case r.fault.expect == fails && all.failed == 0 && r.unjudged() == 0 && r.postponed == 0:
		t.Error("every request was judged: the fault was not made")
	}
	if all.sent < max(few/2, r.fault.requests) {
		t.Errorf("only %d requests were sent", all.sent)
	}
}

// wronglyAdmitted is how many requests were stored that must be denied, by what their senders were told or by what is stored.
func (r *result) wronglyAdmitted() int64 {
	told := r.of(func(e *errand) bool { return e.must == isDenied && e.registration != broad }).admitted
	return max(told, int64(r.forbidden))
}

// unjudged is how many requests of machines were admitted that a replica would have denied.
func (r *result) unjudged() int64 {
	return r.of(func(e *errand) bool { return e.must == isDenied && e.registration == broad }).admitted
}

func (r *result) wronglyDenied() int64 {
	return r.of(func(e *errand) bool { return e.must == isAdmitted }).denied
}

const head = "| fault | sent | admitted | denied | failed | postponed | unjudged | held | wrongly admitted | wrongly denied | lost | recovered after |\n" +
	"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"

// table returns the results as a table of Markdown.
func table(all []*result) string {
	var out strings.Builder
	out.WriteString(head)
	for _, r := range all {
		switch {
		case r.fault.missing != "":
			fmt.Fprintf(&out, "| %s | not made: %s | | | | | | | | | | | |\n", r.fault.name, r.fault.missing)
			continue
		case r.tally == nil:
			fmt.Fprintf(&out, "| %s | **it did not come to an end** | | | | | | | | | | | |\n", r.fault.name)
			continue
		}
		c := r.of(everything)
		name := r.fault.name
		if r.bad {
			name += " **(not as expected)**"
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.1f s |\n", name, c.sent, c.admitted, c.denied, c.failed,
			r.postponed, r.unjudged(), r.held, r.wronglyAdmitted(), r.wronglyDenied(), len(r.lost), r.recovery.Seconds())
		if !r.fault.each {
			continue
		}
		for _, registration := range []string{stamp, core, broad} {
			c := r.of(through(registration))
			fmt.Fprintf(&out, "| … through `%s` | %d | %d | %d | %d | | | | | | | |\n", registration, c.sent, c.admitted, c.denied, c.failed)
		}
	}
	return out.String()
}

// keep writes the table of a full run beside the code.
func keep(t *testing.T, text string, took time.Duration) {
	t.Helper()
	text = fmt.Sprintf("<!-- made by make faults -->\n\nThe full form of %s, which took %s.\n\n%s", time.Now().UTC().Format(time.DateOnly), took.Round(time.Second), text)
	if err := os.WriteFile("last.md", []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}
