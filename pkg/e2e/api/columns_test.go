package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// Printer columns answer a person's first question. The test compares what kubectl prints for the short name of each kind.
func TestColumns(t *testing.T) {
	window := create(t, sam, object(t, v1alpha1.KindChangeWindow))
	create(t, robin, object(t, v1alpha1.KindChangeApproval, about(t, window, "Approve"), edits{"spec.comment": "ok"}))
	ready := []string{"status", "conditions"}
	cases := map[string]struct {
		reason, short string
		object        *unstructured.Unstructured
		// awaited is the part of the status that Firebreak must have written first. It may be empty.
		awaited []string
		want    map[string]string
	}{
		"an environment": {
			reason: "is it compiled, and what is in it?", short: "fbenv", awaited: ready,
			object: create(t, sam, object(t, v1alpha1.KindEnvironment)),
			want:   map[string]string{"NAME": "sandbox", "TIER": "NonProduction", "NAMESPACES": "", "DATASTORES": "", "READY": "True", "CONFLICT": "False", "AGE": "*"},
		},
		"a data store": {
			reason: "whose is it, and by what is it known?", short: "fbds", awaited: ready,
			object: create(t, sam, object(t, v1alpha1.KindDataStore)),
			want: map[string]string{"NAME": "cache", "ENVIRONMENT": "staging", "TIER": "NonProduction",
				"HOSTS": `["cache.staging.example.com"]`, "CONFLICT": "False", "AGE": "*"},
		},
		"a window that opens in an hour": {
			reason: "when does it open? A column of type date prints an instant to come as <invalid>", short: "cw", awaited: []string{"status", "phase"},
			object: window,
			want: map[string]string{"NAME": "rebuild", "TYPE": "Normal", "PHASE": "Approved", "OPENS": in(time.Hour), "CLOSES": in(2 * time.Hour),
				"APPROVALS": "1/1", "USED": "", "REQUESTER": sam},
		},
		"an approval": {
			reason: "who said what about which window?", short: "cwa", awaited: []string{"status", "observedGeneration"},
			object: object(t, v1alpha1.KindChangeApproval),
			want:   map[string]string{"NAME": "word", "DECISION": "Approve", "APPROVER": robin, "WINDOW": "rebuild", "COUNTS": "True", "COMMENT": "ok", "AGE": "*"},
		},
		"an execution": {
			reason: "who used which window for what?", short: "cwx", awaited: []string{"status", "state"},
			object: create(t, firebreak, object(t, v1alpha1.KindChangeExecution)),
			want: map[string]string{"NAME": "2c9a2b0e-0-0", "WINDOW": "rebuild", "NAMESPACE": "payments", "KIND": "Job", "OBJECT": "reindex",
				"OPERATION": "Delete", "REQUESTER": sam, "STATE": "Used", "AGE": "*"},
		},
		"a record": {
			reason: "who did what about which freeze?", short: "cwr",
			object: create(t, firebreak, object(t, v1alpha1.KindChangeRecord)),
			want:   map[string]string{"NAME": "r-2c9a2b0e", "ACT": "Deleted", "REQUESTER": sam, "NAMESPACE": "", "KIND": "ChangeFreeze", "OBJECT": "christmas", "SAYS": "lifted the freeze of staging", "AGE": "*"},
		},
		"a freeze": {
			reason: "does it hold, where, whose is it and why?", short: "cf", awaited: ready,
			object: create(t, sam, object(t, v1alpha1.KindChangeFreeze)),
			want: map[string]string{"NAME": "christmas", "LEVEL": "Changes", "ENVIRONMENTS": `["staging"]`, "ACTIVE": "True", "BY": sam,
				"REASON": "Christmas trading", "AGE": "*"},
		},
		"an exemption": {
			reason: "does it count, from what, until when?", short: "fbex", awaited: ready,
			object: create(t, sam, object(t, v1alpha1.KindExemption)),
			want: map[string]string{"NAME": "migration", "RULES": `["DataStoreAcrossTiers"]`, "EXPIRES": in(24 * time.Hour), "ACTIVE": "True", "BY": sam,
				"REASON": "The importer reads production until it has moved"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := []string{"get", tc.short, tc.object.GetName(), "-n", "default"}
			if ns := tc.object.GetNamespace(); ns != "" {
				args[4] = ns
			}
			if len(tc.awaited) > 0 {
				await.True(t, "the status of "+name, func() bool {
					_, ok, _ := unstructured.NestedFieldNoCopy(stored(t, tc.object).Object, tc.awaited...)
					return ok && (tc.short != "cw" || strings.Contains(kubectl(t, args...), "1/1"))
				})
			}
			got := row(t, kubectl(t, args...))
			if got["AGE"] != "" {
				got["AGE"] = "*"
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: kubectl get %s (-want +got):\n%s", tc.reason, tc.short, diff)
			}
		})
	}
}

// kubectl runs kubectl as sam and returns what it prints.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := the.Kubectl(t.Context(), configOf(t, sam), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// row reads the one row of a table by its header.
func row(t *testing.T, table string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimRight(table, "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("not a header and one row:\n%s", table)
	}
	out := map[string]string{}
	header := strings.Fields(lines[0])
	for i, column := range header {
		from, to := strings.Index(lines[0], column), len(lines[1])
		if i+1 < len(header) {
			to = strings.Index(lines[0], header[i+1])
		}
		out[column] = strings.TrimSpace(lines[1][min(from, len(lines[1])):min(to, len(lines[1]))])
	}
	return out
}

// All kinds have one category, so one command lists all objects of Firebreak.
func TestCategory(t *testing.T) {
	out := kubectl(t, "get", "firebreak", "-A", "-o", "name")
	for _, want := range []string{"environment.firebreak.dev/production", "environment.firebreak.dev/ledger"} {
		if !strings.Contains(out, want) {
			t.Errorf("kubectl get firebreak does not list %s:\n%s", want, out)
		}
	}
	resources := kubectl(t, "api-resources", "--api-group=firebreak.dev", "--categories=firebreak", "--no-headers", "-o", "name")
	if n := len(strings.Fields(resources)); n != 9 {
		t.Errorf("%d kinds are of category firebreak, want 9:\n%s", n, resources)
	}
}
