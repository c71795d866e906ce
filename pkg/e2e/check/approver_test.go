package check

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// Who is away lets somebody else approve for a time. Both are named in the record, and what was approved counts no more once the delegation
// is withdrawn.
func TestSomebodyApprovesInAnothersStead(t *testing.T) {
	folder := t.TempDir()
	first, second := jobFile(t, folder, "stead-one", "migrate"), jobFile(t, folder, "stead-two", "migrate")
	ask(t, folder, "stead-w")
	delegation := delegated(t, "stead-w")
	if out, err := plugin(t, stage.ThirdSRE, "pending", "-n", "payments"); err != nil || !strings.Contains(out, "stead-w") {
		t.Errorf("%v %s, want the window to wait for noor now", err, out)
	}
	out, err := plugin(t, stage.ThirdSRE, "approve", "stead-w", "-n", "payments", "--yes")
	if err != nil || !strings.Contains(out, "You decide in the stead of robin, who delegated it to you until ") || !strings.Contains(out, "stead-w approved") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := apply(t, first); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	logTells(t, "noor for robin", "delegated the right to approve to noor until ", `approved window "stead-w" by delegation "`+delegation+`" of robin`)
	if out, err := plugin(t, stage.SecondSRE, "approve", "stead-w", "-n", "payments", "--yes"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	says(t, "stead-w", "Open") // one person in two voices is one approver still
	for name, by := range map[string]string{"changedelegation/" + delegation: stage.SecondSRE, "changeapproval/" + robins(t, "stead-w"): stage.SRE} {
		if out, err := cluster.Kubectl(t.Context(), cluster.UserConfig(by), "delete", name, "-n", "payments"); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	if out, err := apply(t, second); err == nil || !strings.Contains(out, `it has 0 of 1 approvals (delegation "`+delegation+`" is not there: it was withdrawn, or made again)`) {
		t.Errorf("%v %s", err, out)
	}
}

// delegated has robin delegate to noor, who could not approve a window before, and returns the delegation.
func delegated(t *testing.T, window string) string {
	t.Helper()
	if out, err := plugin(t, stage.ThirdSRE, "approve", window, "-n", "payments", "--yes"); err == nil || !strings.Contains(out,
		"noor may not approve change windows in namespace payments: that needs the RBAC verb approve on changewindows.firebreak.dev, or a delegation by somebody who holds it") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.ThirdSRE, "delegate", "--to", "dana", "-n", "payments"); err == nil || !strings.Contains(out, "noor may not approve change windows in namespace payments, so there is nothing to delegate: that needs the RBAC verb approve on changewindows.firebreak.dev") {
		t.Errorf("%v %s, want nobody to delegate what they do not hold", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "delegate", "--to", "noor", "--for", "800h", "-n", "payments"); err == nil || !strings.Contains(out, "a delegation is to another person, and for 31 days at most") {
		t.Errorf("%v %s", err, out)
	}
	for _, args := range [][]string{{"--to", "robin"}, {"--to", "noor", "--for", "800h"}, {"--to", "noor", "--for", "-1h"}, {"--to", "noor", "--for", "0s"}, {"--to", "system:serviceaccount:payments:release-bot"}, {"--to", "noor\n"}, {}} {
		if out, err := plugin(t, stage.SecondSRE, append([]string{"delegate", "-n", "payments"}, args...)...); err == nil {
			t.Errorf("delegate %q: %s, want it refused", args, out)
		}
	}
	out, err := plugin(t, stage.SecondSRE, "delegate", "--to", "noor", "--for", "2h", "-n", "payments", "--comment", "I am away")
	if err != nil || !strings.Contains(out, "noor may approve change windows of namespace payments in your stead until ") {
		t.Fatalf("%v %s", err, out)
	}
	return regexp.MustCompile(`delegation-[a-z0-9]+`).FindString(out)
}

// logTells compares parts of the log of payments.
func logTells(t *testing.T, parts ...string) {
	t.Helper()
	out, err := plugin(t, stage.SRE, "log", "-n", "payments")
	for _, part := range parts {
		if err != nil || !strings.Contains(out, part) {
			t.Errorf("%v %s, want %q", err, out, part)
		}
	}
}

// robins returns the approval of a window that robin has given herself.
func robins(t *testing.T, window string) string {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "get", "changeapprovals", "-n", "payments", "-o",
		`jsonpath={range .items[?(@.spec.approver.username=="robin")]}{.metadata.name}{" "}{end}`)
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, name := range strings.Fields(out) {
		if strings.HasPrefix(name, window+"-") {
			return name
		}
	}
	t.Fatalf("robin has not approved %s: %s", window, out)
	return ""
}

// An approver who has lost the right to approve has not approved.
func TestAnApproverWhoLostTheRight(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	bind := func(verb string, args ...string) {
		t.Helper()
		if out, err := cluster.Kubectl(ctx, cluster.AdminConfig(), append([]string{verb, "clusterrolebinding", "noor-approves"}, args...)...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	bind("create", "--clusterrole=firebreak-approve", "--group=sre")
	bound := true
	t.Cleanup(func() {
		if bound {
			bind("delete")
		}
	})
	folder := t.TempDir()
	file := jobFile(t, folder, "lost-right", "migrate")
	ask(t, file, "lost-w")
	if out, err := plugin(t, stage.ThirdSRE, "approve", "lost-w", "-n", "payments", "--yes"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := kubectl(t, "apply", "--dry-run=server", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	bind("delete")
	bound = false
	// The API server's authorizer hears of the binding by a watch of its own.
	await.True(t, "the approval counts no more", func() bool {
		out, err := kubectl(t, "apply", "--dry-run=server", "-f", file)
		return err == nil && strings.Contains(out, "0 of 1 approvals (noor no longer holds the verb approve)")
	})
	if out, err := apply(t, file); err == nil || !strings.Contains(out, "0 of 1 approvals (noor no longer holds the verb approve)") {
		t.Errorf("%v %s", err, out)
	}
}
