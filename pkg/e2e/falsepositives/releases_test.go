package falsepositives

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAReleaseIsUpgraded upgrades a release as a member with real helm. Its hook is admitted with the one documented warning.
func TestAReleaseIsUpgraded(t *testing.T) {
	t.Parallel()
	const namespace = "shop-helm"
	unobjected(t, namespace)
	const hook = `jobs.batch "web-warm" is admitted as a deployment hook that touches no data store and runs no maintenance tool; anything more needs a change window`
	chart := filepath.Join("testdata", "chart")
	steps := []struct {
		name, reason string
		args         []string
		warns        bool
	}{
		{"install", "the first release has no hook yet", []string{"install", "web", chart, "--wait", "--timeout=60s"}, false},
		{"upgrade", "the hook runs before it", []string{"upgrade", "web", chart, "--set=tag=4.2", "--wait", "--timeout=60s"}, true},
		{"upgrade again", "the hook of before is deleted and made anew", []string{"upgrade", "web", chart, "--set=tag=4.3", "--wait", "--timeout=60s"}, true},
		{"roll back", "no hook runs", []string{"rollback", "web", "1", "--wait", "--timeout=60s"}, false},
	}
	for _, step := range steps {
		out, warnings, err := program(t, "helm", sam(), namespace, "", step.args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", step.name, err, out)
		}
		if warned := len(warnings) == 1 && strings.Contains(warnings[0], strings.ReplaceAll(hook, `"`, `\"`)); warned != step.warns || !warned && len(warnings) > 0 {
			t.Errorf("%s warns of %q although %s", step.name, warnings, step.reason)
		}
	}
	out, _, err := program(t, "helm", sam(), namespace, "", "status", "web", "-o", "json")
	var release struct {
		Version int
		Info    struct{ Status string }
	}
	if err != nil || json.Unmarshal([]byte(out), &release) != nil || release.Version != 4 || release.Info.Status != "deployed" {
		t.Errorf("the release is %+v, want version 4, deployed: %v", release, err)
	}
}

// stored returns the kind, UID, spec and data of each object of the release.
func stored(t *testing.T, namespace string) string {
	t.Helper()
	return silently(t, sam(), namespace, "", "get", "deployment,configmap,service,cronjob,rolebinding", "-l", "app.kubernetes.io/instance=web",
		"-o", `jsonpath={range .items[*]}{.kind} {.metadata.uid} {.spec} {.data}{"\n"}{end}`)
}

// TestAnUnchangedReapplyPasses applies the same again as a GitOps controller and as persons, before and during a freeze.
func TestAnUnchangedReapplyPasses(t *testing.T) {
	manifests := filepath.Join("testdata", "gitops.yaml")
	cases := map[string]struct {
		reason, namespace string
		account           string
		apply             []string
	}{
		"by a GitOps controller": {
			reason:    "it server-side-applies its manifests every few minutes, changed or not",
			namespace: "shop-gitops", account: "argocd/argocd-application-controller",
			apply: []string{"apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts", "-f", manifests},
		},
		"by a person": {
			reason:    "who is not sure whether the last one went through",
			namespace: "shop-person-gitops", apply: []string{"apply", "-f", manifests},
		},
		"by a person, on the server": {
			reason:    "every object is written, whatever it holds",
			namespace: "shop-person-server", apply: []string{"apply", "--server-side", "-f", manifests},
		},
		"by a person who replaces": {
			reason:    "the whole object is sent",
			namespace: "shop-person-replace", apply: []string{"replace", "-f", manifests},
		},
	}
	for sentence, tc := range cases {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			unobjected(t, tc.namespace, `"name":"frozen"`) // the control object of the freeze
			who := sam()
			if tc.account != "" {
				who = machines[tc.account]
			}
			if tc.apply[0] == "replace" {
				silently(t, who, tc.namespace, "", "create", "-f", manifests)
			} else {
				silently(t, who, tc.namespace, "", tc.apply...)
			}
			silently(t, who, tc.namespace, "", "rollout", "status", "deployment/web", "--timeout=60s")
			before := stored(t, tc.namespace)
			silently(t, who, tc.namespace, "", tc.apply...)
			freeze(t, "shop", tc.namespace)
			for range 3 {
				silently(t, who, tc.namespace, "", tc.apply...)
			}
			if diff := cmp.Diff(before, stored(t, tc.namespace)); diff != "" || strings.Count(before, "\n") != 5 {
				t.Errorf("the re-apply was to change nothing of five objects, since %s: %s\n%s", tc.reason, before, diff)
			}
		})
	}
}
