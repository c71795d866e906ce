package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const declaredEstate = `
environments:
  production: {tier: Production, namespaces: {names: [prod]}, gateways: [{host: 10.20.0.9, from: [development], reason: copies, expiresAt: "2026-12-01T00:00:00Z"}]}
  development: {tier: NonProduction, namespaces: {names: [dev]}}
  platform: {tier: Shared, namespaces: {names: [ingress]}}
dataStores:
  orders: {environment: production, cidrs: [10.20.0.0/16]}
`

const knownCluster = `
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: dev}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ingress}}
---
{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {clusterIP: 10.96.0.1}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}, addressType: IPv4, endpoints: [{addresses: [172.18.0.2]}], ports: [{name: https, port: 6443, protocol: TCP}]}
`

const node = "\n---\n{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDRs: [10.244.0.0/24]}}\n"

const summary = `ENVIRONMENT  TIER           NAMESPACES  MAY TALK TO  POLICIES  OWN RANGES  DENIED RANGES  GATEWAYS
development  NonProduction  1           2            1         0           1              10.20.0.9
platform     Shared         1           3            0         0           0              -
production   Production     1           2            1         1           0              -
2 policies in 2 namespaces, 2 KiB; the addresses of Pods lie in 10.244.0.0/24
`

// folder writes files and returns the arguments that give them as the estate.
func folder(t *testing.T, texts ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var args []string
	for i, text := range texts {
		file := filepath.Join(dir, string(rune('a'+i))+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--with", file)
	}
	return args
}

func TestFirewallSays(t *testing.T) {
	const at = "--at=2026-11-28T02:30:00Z"
	for name, tc := range map[string]struct {
		reason string
		files  []string
		args   []string
		code   int
		want   string
	}{
		"a summary":             {"what is done for each environment", []string{declaredEstate, knownCluster + node}, []string{"-o", "summary", at}, 0, summary},
		"ranges that are given": {"the nodes state none, or others", []string{declaredEstate, knownCluster}, []string{"-o", "summary", at, "--pod-cidr", "10.244.0.0/24"}, 0, summary},
		"an expired gateway":    {"it no longer counts", []string{declaredEstate, knownCluster + node}, []string{"-o", "summary", "--at", "2026-12-01T00:00:00Z"}, 0, strings.Replace(strings.Replace(summary, "10.20.0.9", "-", 1), "2 KiB", "1 KiB", 1)},
		"no ranges of Pods": {"the policies would be worth nothing", []string{declaredEstate, knownCluster}, nil, 2,
			"the policies cannot be made: The addresses of Pods are not known, since no node states spec.podCIDRs; set firewall.podCIDRs of the chart, or --pod-cidr. Without them the policies would let everybody reach every Pod by its address."},
		"a range that is none":    {"it is said before anything is read", []string{declaredEstate}, []string{"--pod-cidr", "10.244.0.0"}, 2, `--pod-cidr: "10.244.0.0" is not an address range such as 10.244.0.0/16`},
		"an unknown form":         {"it is said", []string{declaredEstate}, []string{"-o", "wide"}, 2, `--output is yaml, json or summary, not "wide"`},
		"an instant that is none": {"it is said", []string{declaredEstate}, []string{"--at", "soon"}, 2, `--at: parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"`},
		"yes without remove":      {"it must not look like a preview", []string{declaredEstate}, []string{"--yes"}, 2, "--yes deletes policies, and goes with --remove only"},
		"remove from files":       {"files hold nothing to delete", []string{declaredEstate}, []string{"--remove"}, 2, "--remove is about the policies of a cluster; it goes with neither --diff nor --with"},
		"a namespace of nobody": {"somebody may miss it", []string{declaredEstate, knownCluster + node + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: scratch}}\n"}, []string{"-o", "summary", at}, 0,
			`Warning: No environment claims namespace "scratch", which counts as NonProduction: Production cannot reach it, nor be reached from it. What serves both sides, such as an ingress controller, belongs into an environment of tier Shared.
ENVIRONMENT  TIER           NAMESPACES  MAY TALK TO  POLICIES  OWN RANGES  DENIED RANGES  GATEWAYS
development  NonProduction  1           3            1         0           1              10.20.0.9
platform     Shared         1           4            0         0           0              -
production   Production     1           2            1         1           0              -
(none)       NonProduction  1           3            1         0           1              -
3 policies in 3 namespaces, 3 KiB; the addresses of Pods lie in 10.244.0.0/24
`},
		"a declaration that is malformed": {"its range is not denied", []string{strings.Replace(declaredEstate, "10.20.0.0/16", "10.20.0.0/33", 1), knownCluster + node}, []string{"-o", "summary", at}, 0,
			`Warning: DataStore "orders", spec.cidrs[0]: "10.20.0.0/33" is not an address range, so what it declares cannot be found.` + "\n" +
				strings.Replace(strings.Replace(summary, "0           1              10", "0           0              10", 1), "1         1           0", "1         0           0", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, "", append(append([]string{"firewall"}, folder(t, tc.files...)...), tc.args...)...)
			if d := cmp.Diff(tc.want, out); d != "" || code != tc.code {
				t.Errorf("exit %d, want %d: %s: %s", code, tc.code, tc.reason, d)
			}
		})
	}
}

// planned returns the policies of the estate as YAML.
func planned(t *testing.T) string {
	t.Helper()
	out, code := run(t, "", append([]string{"firewall", "--at=2026-11-28T02:30:00Z"}, folder(t, declaredEstate, knownCluster+node)...)...)
	text, found := strings.CutPrefix(out, summary)
	if code != 0 || !found {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	return text
}

func TestFirewallDiff(t *testing.T) {
	policies := planned(t)
	if n := strings.Count(policies, "kind: NetworkPolicy\n"); n != 2 {
		t.Fatalf("%d policies, want one of each side:\n%s", n, policies)
	}
	const foreign = "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: firebreak-firewall, namespace: dev}, spec: {podSelector: {}}}\n"
	const old = "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: firebreak-gateway-1, namespace: dev, labels: {app.kubernetes.io/managed-by: firebreak, firebreak.dev/firewall: Gateway}}, spec: {podSelector: {}}}\n"
	onlyProd := policies[strings.LastIndex(policies, "---\n"):]
	for name, tc := range map[string]struct {
		stored string
		code   int
		says   []string
		lists  string
	}{
		"as planned": {policies, 0, []string{"0 to add, 0 to change, 0 to remove, 0 in the way\n"}, `[]`},
		"nothing":    {"", 1, []string{"--- stored/dev/firebreak-firewall\n+++ planned/dev/firebreak-firewall\n", "2 to add, 0 to change, 0 to remove, 0 in the way\n"}, `[{"what":"add","kind":"NetworkPolicy","namespace":"dev","name":"firebreak-firewall"},{"what":"add","kind":"NetworkPolicy","namespace":"prod","name":"firebreak-firewall"}]`},
		"changed by hand": {strings.Replace(policies, "        - 10.20.0.0/16\n", "", 1), 1, []string{"+        - 10.20.0.0/16\n", "0 to add, 1 to change, 0 to remove, 0 in the way\n"},
			`[{"what":"change","kind":"NetworkPolicy","namespace":"dev","name":"firebreak-firewall"}]`},
		"more than planned": {policies + old, 1, []string{"-spec:\n", "0 to add, 0 to change, 1 to remove, 0 in the way\n"}, `[{"what":"remove","kind":"NetworkPolicy","namespace":"dev","name":"firebreak-gateway-1"}]`},
		"another's": {onlyProd + foreign, 1, []string{"Warning: NetworkPolicy dev/firebreak-firewall is another's and has a name that Firebreak needs, so it is left alone, and the namespace is not kept apart; delete or rename it.\n", "0 to add, 0 to change, 0 to remove, 1 in the way\n"},
			`[{"what":"foreign","kind":"NetworkPolicy","namespace":"dev","name":"firebreak-firewall"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"firewall", "--diff", "--at=2026-11-28T02:30:00Z"}, folder(t, declaredEstate, knownCluster+node+"---\n"+tc.stored)...)
			out, code := run(t, "", args...)
			for _, want := range tc.says {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			if code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			out, code = run(t, "", append(args, "-o", "json")...)
			var got struct{ Changes json.RawMessage }
			if i := strings.Index(out, "{\n"); i < 0 || json.NewDecoder(strings.NewReader(out[i:])).Decode(&got) != nil || code != tc.code {
				t.Fatalf("exit %d, and no JSON:\n%s", code, out)
			}
			var list, want any
			_ = json.Unmarshal(got.Changes, &list)
			_ = json.Unmarshal([]byte(tc.lists), &want)
			if d := cmp.Diff(want, list); d != "" {
				t.Error(d)
			}
		})
	}
}

// A list as kubectl reads it.
func TestFirewallJSON(t *testing.T) {
	out, code := run(t, "", append([]string{"firewall", "-o", "json", "--at=2026-11-28T02:30:00Z"}, folder(t, declaredEstate, knownCluster+node)...)...)
	var list struct {
		Kind  string
		Items []struct{ Kind string }
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(out, summary)), &list); err != nil || code != 0 || list.Kind != "List" || len(list.Items) != 2 || list.Items[0].Kind != "NetworkPolicy" {
		t.Errorf("exit %d, %v, %+v", code, err, list)
	}
}

// The webhook admits what the server writes, gateways included, if the estate lists the server's account; else it says what is missing.
func TestFirewallIsAdmitted(t *testing.T) {
	const services = "---\n{apiVersion: v1, kind: Service, metadata: {name: proxy, namespace: prod}, spec: {clusterIP: 10.96.0.9, selector: {app: proxy}}}\n"
	gateways := strings.Replace(declaredEstate, "gateways: [", `gateways: [{host: proxy.prod.svc, from: [development], reason: copies, expiresAt: "2026-12-01T00:00:00Z"}, `, 1)
	refusing := strings.Replace(gateways, "names: [prod]}", "names: [prod]}, enforcement: {unlistedAutomation: Deny}", 1)
	for name, tc := range map[string]struct {
		estate string
		code   int
		says   string
	}{
		"listed":     {strings.Replace(refusing, "names: [prod]}", "names: [prod]}, identities: {operators: [firebreak-system/firebreak]}", 1), 0, "3 judged: 3 admitted, 0 admitted with warnings, 0 denied, 0 undecided"},
		"not listed": {refusing, 1, `service account "firebreak-system/firebreak" is not a member of "production", to which namespace "prod" belongs`},
	} {
		t.Run(name, func(t *testing.T) {
			with := folder(t, tc.estate, knownCluster+node+services)
			out, code := run(t, "", append([]string{"firewall", "--at=2026-11-28T02:30:00Z"}, with...)...)
			i := strings.Index(out, "---\napiVersion")
			if code != 0 || i < 0 {
				t.Fatalf("exit %d:\n%s", code, out)
			}
			out, code = run(t, out[i:], append([]string{"check", "-f", "-", "--at=2026-11-28T02:30:00Z", "--as=system:serviceaccount:firebreak-system:firebreak"}, with...)...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, tc.code, tc.says, out)
			}
		})
	}
}
