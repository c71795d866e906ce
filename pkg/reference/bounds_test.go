package reference_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// The cost of a text is linear in its length, whatever it is made of: a ConfigMap that took minutes would stop every
// replica that reads it. Each of these took minutes once; a machine that is only slow still ends in time.
func TestTextsThatOnceTookMinutes(t *testing.T) {
	for name, text := range map[string]string{
		"colons":             strings.Repeat("a:", 450_000) + "a",
		"many URLs":          strings.Repeat("a://b ", 150_000),
		"URLs with users":    strings.Repeat("a://b:c/d@e ", 80_000),
		"resolvers":          strings.Repeat("dns://a/b ", 90_000),
		"at signs":           strings.Repeat("a@", 450_000),
		"an endless address": strings.Repeat("1.", 450_000),
	} {
		t.Run(name, func(t *testing.T) {
			b := budget.New()
			found := reference.ExtractAll(reference.Input{
				Namespace: "dev", Kind: schema.GroupKind{Kind: "ConfigMap"}, Budget: b,
				Data: []reference.DataKey{{Path: "data", Key: "text", Value: text + " orders.prod.db.example.com:5432"}},
			})
			seen := slices.ContainsFunc(found.References, func(r reference.Reference) bool { return r.Name == "orders.prod.db.example.com" })
			if !seen && found.Limit == "" {
				t.Error("the host at the end is neither found, nor is it said that the text is too much")
			}
			if most := 16 * len(text); b.Units() > most {
				t.Errorf("reading %d bytes took %d units of work, more than %d", len(text), b.Units(), most)
			}
		})
	}
}

// Behind more colons than any connection string has, a host is still found.
func TestManyColonsHideNothing(t *testing.T) {
	text := strings.Repeat("a:", 20) + "orders.prod.db.example.com:5432"
	for _, h := range reference.Hosts(text, "", reference.Value) {
		if h.Name == "orders.prod.db.example.com" {
			return
		}
	}
	t.Error("the host was not found")
}

// A password that looks like a host is none.
func TestPasswordsAreNoHosts(t *testing.T) {
	for _, text := range []string{"host=db password=hunter2.payments", "postgres://db/x?password=hunter2.payments", "mysql --password=hunter2.payments"} {
		for _, h := range reference.Hosts(text, "DATABASE_URL", reference.Value) {
			if strings.Contains(h.Name, "hunter2") {
				t.Errorf("%q: %+v", text, h)
			}
		}
	}
}
