package discover

import (
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// stage is an environment as people call it, with the words that they use for it.
type stage struct {
	name  string
	tier  v1alpha1.Tier
	words []string
}

func stages() []stage {
	return []stage{
		{"production", v1alpha1.TierProduction, []string{"production", "prod", "prd", "live"}},
		{"staging", v1alpha1.TierNonProduction, []string{"staging", "stage", "stg", "preprod", "preproduction", "uat", "acceptance"}},
		{"test", v1alpha1.TierNonProduction, []string{"test", "testing", "tst", "qa", "integration"}},
		{"development", v1alpha1.TierNonProduction, []string{"development", "dev", "sandbox", "preview", "feature", "demo"}},
	}
}

// shared are namespaces that commonly serve all environments. Each is a question all the same.
func shared() []string {
	return []string{
		"argocd", "cert-manager", "external-dns", "external-secrets", "flux-system", "gatekeeper-system", "ingress", "ingress-nginx", "istio-system", "keda", "kyverno",
		"linkerd", "logging", "loki", "monitoring", "observability", "prometheus", "sealed-secrets", "traefik", "vault", "velero",
	}
}

// stageLabels are the keys of labels and tags that people write environments under.
func stageLabels() []string {
	return []string{"environment", "env", "stage", "tier", "app.kubernetes.io/environment", "Environment", "Env", "Stage"}
}

// tokens splits a name into its words.
func tokens(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' })
}

// stageOf returns the name of the stage that a name speaks of; it is empty if it speaks of none, or of several.
func stageOf(name string) string {
	var found []string
	for _, t := range tokens(name) {
		for _, s := range stages() {
			if slices.Contains(s.words, t) || slices.Contains(s.words, strings.TrimRight(t, "0123456789")) {
				found = append(found, s.name)
			}
		}
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) == 1 {
		return found[0]
	}
	return ""
}

// stageOfLabels returns the stage that labels or tags speak of, and the key that does.
func stageOfLabels(labels map[string]string) (stage, key string) {
	for _, k := range stageLabels() {
		if s := stageOf(labels[k]); s != "" {
			return s, k
		}
	}
	return "", ""
}
