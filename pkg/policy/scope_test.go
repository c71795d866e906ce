package policy_test

import (
	"encoding/json"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// scoped returns the cluster of one Production environment with a scope.
func scoped(scope v1alpha1.ChangeScope) *policy.ClusterView {
	return policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{{
			ObjectMeta: metav1.ObjectMeta{Name: "production"},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}},
				Identities: v1alpha1.IdentityMembers{
					Groups: []v1alpha1.Glob{"sre"}, Operators: []v1alpha1.ServiceAccountGlob{"cert-manager/*"}, ServiceAccounts: []v1alpha1.ServiceAccountGlob{"argocd/controller"},
				},
				ChangeControl: &v1alpha1.ChangeControl{Scope: scope},
			},
		}},
		Namespaces: map[string]map[string]string{"payments": nil}, Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system",
	}))
}

// TestScope checks, for each scope, which writes of which requesters need a window.
func TestScope(t *testing.T) {
	const (
		web       = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","uid":"u","annotations":{"a":"1"}},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"c","image":"nginx:1"}]}}}}`
		configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web","uid":"u"},"data":{"a":"1"}}`
		secret    = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"web","uid":"u"},"data":{"a":"MQ=="}}`
		claim     = `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"web","uid":"u","labels":{"a":"1"}},"spec":{"resources":{}}}`
		scale     = `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"web","uid":"u"},"spec":{"replicas":2}}`
		pod       = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","uid":"u"},"spec":{"containers":[{"name":"c","image":"nginx:1"}]}}`
		budget    = `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web","uid":"u"},"spec":{"maxUnavailable":1}}`
		running   = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"web","uid":"u"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"nginx:1"}]}}},"status":{"active":1}}`
		ended     = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"web","uid":"u"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"nginx:1"}]}}},"status":{"conditions":[{"type":"Complete","status":"True"}]}}`
		release   = `{"apiVersion":"v1","kind":"Secret","type":"helm.sh/release.v1","metadata":{"name":"sh.helm.release.v1.web.v1","uid":"u"},"data":{"release":"SDRzSQ=="}}`
		custom    = `{"apiVersion":"example.com/v1","kind":"Shop","metadata":{"name":"web","uid":"u"},"spec":{"size":1}}`
	)
	swap := strings.NewReplacer(`"replicas":2`, `"replicas":3`, "nginx:1", "nginx:2", `"a":"1"`, `"a":"2"`, `"MQ=="`, `"Mg=="`, `"size":1`, `"size":2`)
	relabel := strings.NewReplacer(`"annotations":{"a":"1"}`, `"annotations":{"a":"2"}`)
	type request struct {
		reason, object, old, user, subresource string
		// from is the first scope at which the write needs a window.
		from v1alpha1.ChangeScope
	}
	never := v1alpha1.ChangeScope("never")
	for name, r := range map[string]request{
		"a Deployment":              {"it changes what runs", web, "", "sam", "", v1alpha1.ScopeWorkloads},
		"another image":             {"it changes what runs", swap.Replace(web), web, "sam", "", v1alpha1.ScopeWorkloads},
		"another annotation":        {"what runs stays as it is", relabel.Replace(web), web, "sam", "", v1alpha1.ScopeEverything},
		"the same":                  {"GitOps sends it every few minutes", web, web, "argocd", "", never},
		"a Deployment by GitOps":    {"an automation changes it", web, "", "argocd", "", v1alpha1.ScopeWorkloads},
		"a Deployment by operators": {"they look after their own objects", web, "", "cert-manager", "", never},
		"a deletion":                {"it runs no more", "", web, "sam", "", v1alpha1.ScopeWorkloads},
		"a ConfigMap":               {"it decides on what runs", swap.Replace(configMap), configMap, "sam", "", v1alpha1.ScopeWorkloads},
		"a Secret by an operator":   {"a renewal", swap.Replace(secret), secret, "cert-manager", "", never},
		"a Secret":                  {"it decides on what runs", swap.Replace(secret), secret, "sam", "", v1alpha1.ScopeWorkloads},
		"a scale":                   {"as many run as somebody says", swap.Replace(scale), scale, "sam", "scale", v1alpha1.ScopeWorkloads},
		"a disruption budget":       {"it bounds what may be taken away", budget, "", "sam", "", v1alpha1.ScopeWorkloads},
		"labels of a claim":         {"nothing that runs is changed", swap.Replace(claim), claim, "sam", "", v1alpha1.ScopeEverything},
		"a custom resource":         {"nobody has named its kind", swap.Replace(custom), custom, "sam", "", v1alpha1.ScopeWorkloads},
		"the deletion of a Pod":     {"its controller makes another", "", pod, "sam", "", v1alpha1.ScopeEverything},
		"a Job that runs":           {"it is stopped", "", running, "argocd", "", v1alpha1.ScopeWorkloads},
		"a Job that has ended":      {"a hook is cleared up", "", ended, "argocd", "", v1alpha1.ScopeEverything},
		"a Job that has failed":     {"a hook is cleared up", "", strings.Replace(ended, "Complete", "Failed", 1), "argocd", "", v1alpha1.ScopeEverything},
		"a Job that is ending":      {"it may go on still", "", strings.Replace(ended, "Complete", "FailureTarget", 1), "argocd", "", v1alpha1.ScopeWorkloads},
		"a record of Helm's":        {"what the release changes is judged by itself", release, "", "argocd", "", v1alpha1.ScopeEverything},
		"a record that is pruned":   {"Helm keeps ten", "", release, "argocd", "", v1alpha1.ScopeEverything},
		"a record with more in it":  {"a program could read it", strings.Replace(release, `"data":{`, `"data":{"a":"MQ==",`, 1), "", "argocd", "", v1alpha1.ScopeWorkloads},
		"a record in name alone":    {"Helm did not write it", strings.Replace(release, "SDRzSQ==", "MQ==", 1), "", "argocd", "", v1alpha1.ScopeWorkloads},
	} {
		for i, scope := range []v1alpha1.ChangeScope{v1alpha1.ScopeMaintenance, v1alpha1.ScopeWorkloads, v1alpha1.ScopeEverything} {
			t.Run(name+" at "+string(scope), func(t *testing.T) {
				want := r.from != never && (r.from == v1alpha1.ScopeWorkloads && i >= 1 || r.from == v1alpha1.ScopeEverything && i >= 2)
				d, err := policy.Evaluate(*scopedRequest(r.object, r.old, r.user, r.subresource), scoped(scope), nil)
				if err != nil {
					t.Fatal(err)
				}
				denied := len(d.Denied()) > 0
				if denied != want {
					t.Errorf("denied: %t, want %t: %s: %v", denied, want, r.reason, d.Findings)
				}
				if denied && d.Denied()[0].Rule != v1alpha1.RuleChangeWindowRequired {
					t.Errorf("%s objects, want ChangeWindowRequired", d.Denied()[0].Rule)
				}
			})
		}
	}
}

func scopedRequest(object, old, user, subresource string) *policy.Request {
	var meta metav1.TypeMeta
	text := object
	if text == "" {
		text = old
	}
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		panic(err)
	}
	users := map[string]authenticationv1.UserInfo{
		"sam":          {Username: "sam", Groups: []string{"sre"}},
		"argocd":       {Username: "system:serviceaccount:argocd:controller", UID: "a", Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"x"}}},
		"cert-manager": {Username: "system:serviceaccount:cert-manager:cert-manager", UID: "c", Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"x"}}},
	}
	gvk := schema.FromAPIVersionAndKind(meta.APIVersion, meta.Kind)
	req := &policy.Request{
		Operation: policy.Create, Kind: gvk, Resource: gvk.GroupVersion().WithResource("things"), Namespace: "payments", Name: "web", SubResource: subresource,
		User: users[user], Object: []byte(object), OldObject: []byte(old), Now: now(),
	}
	if subresource == "scale" {
		req.Resource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	}
	switch {
	case object == "":
		req.Operation, req.Object = policy.Delete, nil
	case old != "":
		req.Operation = policy.Update
	default:
		req.OldObject = nil
	}
	return req
}

// The sentence says that it is a change and why that needs a window.
func TestScopeIsTold(t *testing.T) {
	req := scopedRequest(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web","uid":"u"},"data":{"a":"1"}}`, "", "sam", "")
	d, err := policy.Evaluate(*req, scoped(v1alpha1.ScopeWorkloads), nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `things "web" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments ` +
		`(ChangeWindowRequired: this is a change in "production": it changes what runs there, and changeControl.scope is Workloads)`
	if got := policy.DenialMessage(*req, d.Denied()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
