package seethrough

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/cli"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

// The evidence that an auditor with firebreak-doctor gets: a change with its request, approval and outcome, and what nobody may see is said.
func TestEvidence(t *testing.T) {
	people := fixture.Everybody(t, the)
	if _, err := people.Approved(t.Context(), "evidenced", "evidenced-", 1); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the maintenance runs", func() bool { return people.SRE.Create(t.Context(), fixture.Job("evidenced-1")) == nil })
	out, code := plugin(t, doc, "evidence", "--from", "1h")
	var x cli.Evidence
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != 0 {
		t.Fatalf("exit %d, %v:\n%s", code, err, out)
	}
	if len(x.Missing) > 0 {
		t.Errorf("its role does not let evidence see: %q", x.Missing)
	}
	found := slices.ContainsFunc(x.Changes, func(c cli.EvidencedChange) bool {
		return c.Object == "job/evidenced-1" && c.Window == "payments/evidenced" && len(c.Approvers) == 1 && c.Approvers[0] != c.Who && c.Digest != ""
	})
	counts := fmt.Sprint(len(x.Environments) >= 3, len(x.Acts) >= 2, len(x.Approvers) > 0, len(x.Controls) == 9, len(x.NotJudged) >= 4)
	if !found || strings.Contains(counts, "false") {
		t.Errorf("it lacks what an auditor asks for (%s):\n%s", counts, out)
	}
}

func TestEvidencePage(t *testing.T) {
	page, code := plugin(t, doc, "evidence", "--from", "1h", "-o", "html")
	if contains(t, page, "<h2 id=\"changes\">", "A.8.32", "CC8.1"); code != 0 || strings.Contains(page, "<script") || strings.Contains(page, "src=") || strings.Contains(page, "href=\"http") {
		t.Errorf("exit %d, or the page needs other files", code)
	}
	if to := os.Getenv("KEEP_EVIDENCE"); to != "" {
		if err := os.WriteFile(to, []byte(page), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// What somebody may not see is said, part by part.
func TestEvidenceWithoutRights(t *testing.T) {
	var x cli.Evidence
	out, code := plugin(t, nobody, "evidence")
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != 0 || len(x.Missing) != 6 {
		t.Errorf("exit %d, %v: a user who may see nothing is not told of each of six parts:\n%s", code, err, out)
	}
	if out, code := plugin(t, doc, "evidence", "--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"); code != 2 || !strings.Contains(out, "--from is not before --to") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
