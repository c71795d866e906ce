package estate_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// estateOfPools has nodes apart in every way there is.
const estateOfPools = `
	env production Production {nodes: {selector: {matchLabels: {pool: prod}}, taints: ["dedicated=prod", "gpu"], priorityClasses: ["prod-*"], runtimeClasses: [kata], schedulers: [prod-scheduler]}}
	env pci Production {nodes: {selector: {matchExpressions: [{key: cards, operator: Exists}, {key: zone, operator: In, values: [z1, z2]}, {key: open, operator: DoesNotExist}]}, taints: ["dedicated=pci"]}}
	env staging NonProduction {nodes: {priorityClasses: [staging]}}
	env web Production
`

func TestPools(t *testing.T) {
	in := input(t, estateOfPools)
	in.Nodes = map[string]estate.Node{
		"by-label": {Labels: map[string]string{"pool": "prod"}}, "by-taint": {Taints: []string{"dedicated=pci"}}, "by-key": {Taints: []string{"gpu=a100"}},
		"both":   {Labels: map[string]string{"pool": "prod"}, Taints: []string{"dedicated=prod", "gpu=a100"}},
		"nobody": {Labels: map[string]string{"pool": "dev"}, Taints: []string{"spot=true"}},
	}
	e := estate.Compile(in)
	for name, test := range map[string]struct {
		reason string
		kind   reference.Kind
		target string
		want   string
	}{
		"a label with its value":       {"the pool's own", reference.NodeLabel, "pool=prod", "production"},
		"a label with another value":   {"another pool's", reference.NodeLabel, "pool=dev", ""},
		"a label of any value":         {"the pool's nodes have it", reference.NodeLabel, "pool", "production"},
		"one of several values":        {"each is the pool's", reference.NodeLabel, "zone=z2", "pci"},
		"none of several values":       {"another pool's", reference.NodeLabel, "zone=z3", ""},
		"a label that must exist":      {"any value of it is the pool's", reference.NodeLabel, "cards=yes", "pci"},
		"the key that must exist":      {"the pool's nodes have it", reference.NodeLabel, "cards", "pci"},
		"a label that must not exist":  {"the pool's nodes do not have it", reference.NodeLabel, "open=yes", ""},
		"a taint":                      {"it lets into the pool", reference.Taint, "dedicated=pci", "pci"},
		"another value of the taint":   {"it does not", reference.Taint, "dedicated=dev", ""},
		"a taint by its key alone":     {"any value of it lets in", reference.Taint, "dedicated", "pci production"},
		"any value of a key":           {"the pool lists the key alone", reference.Taint, "gpu=a100", "production"},
		"every taint":                  {"it lets into each pool that has one, and no other environment has a pool", reference.Taint, "*", "pci production"},
		"a class of priority":          {"by a pattern", reference.PriorityClass, "prod-high", "production"},
		"a class of staging's":         {"pools are no matter of production alone", reference.PriorityClass, "staging", "staging"},
		"a class of nobody's":          {"nobody lists it", reference.PriorityClass, "batch", ""},
		"a runtime":                    {"it is listed", reference.RuntimeClass, "kata", "production"},
		"a scheduler":                  {"it is listed", reference.Scheduler, "prod-scheduler", "production"},
		"a scheduler called otherwise": {"nobody lists it", reference.Scheduler, "kata", ""},
		"a node by its labels":         {"it is in the pool", reference.Node, "by-label", "production"},
		"a node by its taint":          {"it is in the pool", reference.Node, "by-taint", "pci"},
		"a node by the key of a taint": {"it is in the pool", reference.Node, "by-key", "production"},
		"a node by both":               {"it is in the pool once", reference.Node, "both", "production"},
		"a node of nobody's":           {"it is in no pool", reference.Node, "nobody", ""},
		"a node that is not there":     {"nobody knows it", reference.Node, "gone", ""},
		"a host":                       {"it places nothing", reference.Host, "pool=prod", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := environments(e.Pools(reference.Target{Kind: test.kind, Name: test.target})); got != test.want {
				t.Errorf("%s: %s leads into the pool of %q, want %q", test.reason, test.target, got, test.want)
			}
		})
	}
	for text, want := range map[string]bool{
		estateOfPools: true, "env a Production {nodes: {taints: [x]}}": true, "env a Production {nodes: {selector: {matchLabels: {x: y}}}}": true,
		"env a Production {nodes: {priorityClasses: [x]}}": false, "env a NonProduction {nodes: {taints: [x]}}": false, "": false,
	} {
		if got := draft(t, text).DeclaresPool(); got != want {
			t.Errorf("production says which nodes are its own: %t, want %t, in:\n%s", got, want, text)
		}
	}
}
