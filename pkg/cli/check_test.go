package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/firebreak-dev/firebreak/pkg/cli"
)

const estate = "../../config/samples/estate"

// run runs the plugin and returns its output and exit status.
func run(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	var b bytes.Buffer
	root, err := cli.New(genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &b, ErrOut: &b})
	if err != nil {
		t.Fatal(err)
	}
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	var silent cli.ExitError
	if err != nil && !errors.As(err, &silent) {
		b.WriteString(err.Error())
	}
	return b.String(), cli.Code(err)
}

func deployment(host string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: dev}
spec: {template: {spec: {containers: [{name: main, image: x, env: [{name: DATABASE_URL, value: "postgres://u:sentinel@` + host + `/orders"}]}]}}}
`
}

func TestCheck(t *testing.T) {
	across, within := deployment("orders.prod.db.example.com"), deployment("orders.dev.db.example.com")
	file := filepath.Join(t.TempDir(), "old.yaml")
	if err := os.WriteFile(file, []byte(across), 0o600); err != nil {
		t.Fatal(err)
	}
	const denial = `deny  DataStoreAcrossTiers: spec.template.spec.containers[0].env[0].value names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"` + "\n        use a data store of \"development\"\n"
	cases := map[string]struct {
		reason, stdin string
		args          []string
		code          int
		says          string
	}{
		"what is admitted":                 {"exit 0", within, nil, 0, "1 judged: 1 admitted, 0 admitted with warnings, 0 denied, 0 undecided"},
		"what is denied":                   {"exit 1, with the whole sentence", across, nil, 1, denial},
		"what is not sent":                 {"it is said", "{apiVersion: v1, kind: Event, metadata: {name: e, namespace: dev}}", nil, 0, "warn  the API server does not ask Firebreak about this kind, since records of what happened and questions of who may do what decide nothing"},
		"an old sin":                       {"an update that keeps it is a warning", strings.Replace(across, "image: x", "image: z", 1), []string{"--old", file}, 0, "warn  DataStoreAcrossTiers"},
		"a re-apply":                       {"what changes nothing passes every rule", across, []string{"--old", file}, 0, "1 admitted, 0 admitted with warnings"},
		"a new sin":                        {"an update that adds it is denied", across, []string{"--operation", "create"}, 1, denial},
		"a violator is deleted":            {"deleting is never blocked by a content rule", across, []string{"--operation", "delete"}, 0, "1 admitted"},
		"an update of nothing":             {"without the object before nothing can be said", within, []string{"--operation", "update"}, 2, "the object before the update is not known; give it with --old"},
		"an operation that is no":          {"a typing error must not pass", within, []string{"--operation", "upsert"}, 2, `--operation is create, update or delete, not "upsert"`},
		"no YAML":                          {"exit 2", "a: [", nil, 2, "it is not valid YAML"},
		"no kind":                          {"exit 2", "a: b", nil, 2, "it has no apiVersion and kind"},
		"nothing at all":                   {"comments and separators are no documents", "# nothing\n---\n# here\n", nil, 2, "there is nothing to judge in -; use --allow-empty if that is meant\n0 judged"},
		"nothing, as is meant":             {"a repository may hold no manifests yet", "", []string{"--allow-empty"}, 0, "0 judged"},
		"what is warned of":                {"some want no warnings", "{apiVersion: v1, kind: Event, metadata: {name: e, namespace: dev}}", []string{"--fail-on", "warn"}, 1, "1 admitted with warnings"},
		"a bound that is none":             {"a typing error must not pass", within, []string{"--fail-on", "deny,warn"}, 2, `--fail-on is deny or warn, not "deny,warn"`},
		"a namespace of nobody":            {"its labels may make it production's", strings.Replace(within, "namespace: dev", "namespace: new", 1), nil, 2, `environment "production" claims namespaces by their labels, and those of namespace "new" are not known; give the namespace with --namespaces FILE, as kubectl get namespaces -o yaml prints it`},
		"a namespace of the same manifest": {"its labels are known", "{apiVersion: v1, kind: Namespace, metadata: {name: new}}\n---\n" + strings.Replace(within, "namespace: dev", "namespace: new", 1), nil, 0, "2 judged: 2 admitted"},
		"a kustomization":                  {"it is not what would be sent", "{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [a.yaml]}", nil, 2, "it is a kustomization, which says what other files become; give its folder to have it rendered: -f ."},
		"a List":                           {"its items are judged one by one", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: dev}, data: {HOST: orders.prod.db.example.com}}\n", nil, 1, `ConfigMap "a" in namespace "dev": deny`},
		"an instant that is none":          {"judging by another instant would mislead", within, []string{"--at", "yesterday"}, 2, "--at: "},
		"a format that is none":            {"a pipeline must not read text for JSON", within, []string{"-o", "xml"}, 2, `--output is text, json, yaml, sarif, junit or github, not "xml"`},
		"values that are null":             {"odd but real", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: dev}\nspec: {template: {spec: {containers: [{name: x, env: null, args: null}]}}}\n", nil, 0, "1 admitted"},
		"line ends of Windows":             {"odd but real", strings.ReplaceAll(across, "\n", "\r\n"), nil, 1, denial},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, tc.stdin, append([]string{"check", "-f", "-", "--with", estate}, tc.args...)...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("exit %d, want %d: %s\n%s\nwant it to say %q", code, tc.code, tc.reason, out, tc.says)
			}
			if strings.Contains(out, "sentinel") {
				t.Errorf("a password is repeated: %s", out)
			}
		})
	}
}

// The form of the JSON is stable, since other programs read it.
func TestCheckJSON(t *testing.T) {
	out, code := run(t, deployment("orders.prod.db.example.com"), "check", "-f", "-", "--with", estate, "-o", "json")
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const message = `names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"`
	want := map[string]any{
		"results": []any{map[string]any{
			"file": "-", "document": 0.0, "line": 1.0, "kind": "Deployment", "namespace": "dev", "name": "shop", "allowed": false, "decision": "deny",
			"findings": []any{map[string]any{
				"rule": "DataStoreAcrossTiers", "action": "deny", "path": "spec.template.spec.containers[0].env[0].value", "line": 4.0,
				"value": "orders.prod.db.example.com", "target": "orders", "environment": "production", "message": message, "remedy": `use a data store of "development"`,
			}},
			"message": `deployments.apps "shop" is forbidden: use a data store of "development" (DataStoreAcrossTiers: env "DATABASE_URL" ` + message + ")",
		}},
		"summary": map[string]any{"total": 1.0, "allow": 0.0, "warn": 0.0, "deny": 1.0, "undecided": 0.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got: %s", diff)
	}
}

// An estate that cannot be read completely is not used at all: a part of it would admit what the whole denies.
func TestCheckRefusesHalfAnEstate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "estate.yaml")
	if err := os.WriteFile(file, []byte("a: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := run(t, deployment("x.example.com"), "check", "-f", "-", "--with", file)
	if code != 2 || !strings.Contains(out, "it is not valid YAML") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestCheckSeesWhatTheServerSees covers Pods, nodes, cluster-scoped custom resources and autoscalers.
func TestCheckSeesWhatTheServerSees(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	const objects = `{apiVersion: v1, kind: Pod, metadata: {name: till, namespace: payments}, spec: {nodeName: node-7, containers: [{name: c, image: x}]}, status: {podIPs: [{ip: 10.1.2.3}]}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: shops.example.com}, spec: {group: example.com, scope: Cluster, names: {kind: Shop, plural: shopz}}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: seen, namespace: payments}, spec: {scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: seen}, maxReplicas: 10}, status: {currentReplicas: 10}}
`
	if err := os.WriteFile(file, []byte(objects), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ reason, as, stdin, says string }{
		"an endpoint": {"it leads to production's Pod", "dana", `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: till, namespace: dev, labels: {kubernetes.io/service-name: till}}, addressType: IPv4, endpoints: [{addresses: [10.1.2.3]}]}`,
			`deny  RouteAcrossTiers: endpoints[0].addresses[0] names "10.1.2.3", in namespace "payments"`},
		"a node": {"production's Pods run on it", "dana", `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {nodeName: node-7, containers: [{name: c, image: x}]}}`,
			`deny  PlacementAcrossTiers: spec.nodeName`},
		"a kind of no namespace": {"its definition says so", "dana", `{apiVersion: example.com/v1, kind: Shop, metadata: {name: all}, spec: {}}`, `Shop "all": allow`},
		"an autoscaler": {"what another one saw", "sam", `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: new, namespace: payments}, spec: {scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: seen}, maxReplicas: 1}}`,
			`deny  BlastRadius: this lets at most 1 run where 10 did within the last hour`},
	} {
		t.Run(name, func(t *testing.T) {
			group := map[string]string{"dana": "developers", "sam": "sre"}[tc.as]
			out, _ := run(t, tc.stdin, "check", "-f", "-", "--with", estate, "--with", file, "--as", tc.as, "--as-group", group)
			if !strings.Contains(out, tc.says) {
				t.Errorf("%s: it lacks %q:\n%s", tc.reason, tc.says, out)
			}
		})
	}
}

// An audit tells what crosses, the worst first, also of an environment that only observes, and what would cross if more were declared.
func TestAuditObserves(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "stored.yaml"), "{apiVersion: v1, kind: Namespace, metadata: {name: dev}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: payments}}\n---\n"+
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: dev}, data: {db: orders.prod.db.example.com}}\n---\n"+
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: dev}, data: {db: ledger.prod.db.example.com}}\n")
	values := func(more string) string {
		return "environments: {production: {tier: Production, namespaces: {names: [payments]}, enforcement: {default: Deny, rules: {DataStoreAcrossTiers: Audit}}}, development: {tier: NonProduction, namespaces: {names: [dev]}}}\n" +
			"dataStores: {orders: {environment: production, hosts: [orders.prod.db.example.com]}" + more + "}\n"
	}
	write(t, filepath.Join(folder, "values.yaml"), values(""))
	out, code := run(t, "", "audit", "--with", folder)
	if code != 1 || !strings.HasPrefix(out, `stored: ConfigMap "a" in namespace "dev": allow`+"\n  audit DataStoreAcrossTiers: data[\"db\"] names") || strings.Contains(out, `"b"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "", "audit", "--with", filepath.Join(folder, "stored.yaml")); code != 0 || !strings.Contains(out, "names no Environment") {
		t.Errorf("exit %d: %s", code, out)
	}
	stricter := strings.Replace(values(", ledger: {environment: production, hosts: [ledger.prod.db.example.com]}"), "Audit", "Deny", 1)
	write(t, filepath.Join(folder, "more", "values.txt"), stricter)
	out, code = run(t, "", "audit", "--with", filepath.Join(folder, "stored.yaml"), "--with", filepath.Join(folder, "values.yaml"), "--as-if", filepath.Join(folder, "more", "values.txt"))
	if code != 1 || !strings.Contains(out, "2 denied") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// The files of --namespaces come beside those of --with, in whatever order the flags stand.
func TestNamespacesComeBesideTheEstate(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	est := write("estate.yaml", `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {selector: {matchLabels: {tier: prod}}}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [orders.prod.example.com]}}
`)
	namespaces := write("namespaces.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: team}}\n")
	object := write("object.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: team}, data: {HOST: orders.prod.example.com}}\n")
	for _, args := range [][]string{{"--with", est, "--namespaces", namespaces}, {"--namespaces", namespaces, "--with", est}} {
		out, code := run(t, "", append([]string{"check", "-f", object, "--as", "dana"}, args...)...)
		if code != 1 || !strings.Contains(out, `names "orders.prod.example.com", data store "orders" of "production"`) {
			t.Errorf("%v: exit status %d\n%s", args, code, out)
		}
	}
}
