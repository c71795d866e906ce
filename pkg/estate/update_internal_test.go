package estate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

func updatedInput(stores map[string]*v1alpha1.DataStore) Input {
	in := Input{Namespaces: map[string]map[string]string{"payments": nil, "dev": nil}}
	for name, tier := range map[string]v1alpha1.Tier{"production": v1alpha1.TierProduction, "development": v1alpha1.TierNonProduction} {
		in.Environments = append(in.Environments, v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{Tier: tier}})
	}
	for _, d := range stores {
		in.DataStores = append(in.DataStores, *d.DeepCopy())
	}
	return in
}

// someStore is made of so few entries that stores meet.
func someStore(random *rand.Rand, name string) *v1alpha1.DataStore {
	some := func(all ...string) (out []string) {
		for _, s := range all {
			if random.IntN(3) == 0 {
				out = append(out, s)
			}
		}
		return out
	}
	d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: name}}
	d.Spec.Environment = []string{"production", "development", "production", "production", "nowhere"}[random.IntN(20)%5*random.IntN(2)]
	d.Spec.Hosts = some("a.shop.example.com", "b.shop.example.com", name+".shop.example.com", "*.wild.shop.example.com", "*."+name+".example.org", "deep.er.down.example.net", "A.SHOP.example.com.", name+"acc.blob.core.windows.net",
		"10.0.0.1", "2001:db8::1", "single", "x.local")
	d.Spec.CIDRs = some("10.0.0.1/32", "10.1.0.0/16", "10.1.2.0/24", "2001:db8:1::/48")
	if random.IntN(3) == 0 {
		d.Spec.Services = []v1alpha1.ServiceReference{{Namespace: "payments", Name: "db"}, {Namespace: "dev", Name: name}}
	}
	if random.IntN(4) == 0 {
		d.Spec.ResourceNames = some("arn:aws:s3:::orders-"+name, "arn:aws:rds:eu-west-1:123456789012:db:orders", "shop:europe-west1:orders", "https://"+name+"acc.blob.core.windows.net")
	}
	switch random.IntN(12) {
	case 0:
		d.Spec.Hosts = append(d.Spec.Hosts, "no host")
	case 1:
		d.Spec.Credentials = &v1alpha1.Credentials{Secrets: []v1alpha1.Glob{"orders-*"}}
	}
	return d
}

// picture is everything that an estate says of data stores.
type picture struct {
	Hosts, Wild, Services, Resources, Instances, Prefixes map[string][]string
	Parents, Domains                                      map[string][]string
	Names                                                 map[string]int32
	Problems                                              []Problem
	Conflicts                                             []string
	Notes                                                 map[objectKey]string
	Secrets                                               []string
}

func pictureOf(e *Estate) picture {
	owners := func(all []Owner) (out []string) {
		for _, o := range all {
			out = append(out, o.Store+" of "+o.EnvironmentName)
		}
		return out
	}
	tableOf := func(t *table) map[string][]string {
		out := map[string][]string{}
		for name, all := range t.all() {
			out[name] = owners(all)
		}
		return out
	}
	tiersOf := func(t *table) map[string][]string { // which of several stands for a domain is open
		out := map[string][]string{}
		for name, all := range t.all() {
			for _, o := range all {
				out[name] = append(out[name], string(o.Tier()))
			}
			slices.Sort(out[name])
		}
		return out
	}
	p := picture{
		Hosts: tableOf(&e.stores.tables[inHosts]), Wild: tableOf(&e.stores.tables[inWildcards]), Services: tableOf(&e.stores.tables[inServices]),
		Resources: tableOf(&e.stores.tables[inResources]), Instances: tableOf(&e.stores.tables[inInstances]), Prefixes: map[string][]string{},
		Parents: tiersOf(&e.stores.parents), Domains: tiersOf(&e.stores.domains), Names: map[string]int32{}, Problems: e.problems, Notes: e.notes,
	}
	for key := range e.conflicts { // which of several entries is named is open
		p.Conflicts = append(p.Conflicts, key.name)
	}
	slices.Sort(p.Conflicts)
	for prefix, all := range e.stores.prefixes {
		p.Prefixes[prefix.String()] = owners(all)
	}
	for name, n := range e.stores.names {
		if n > 0 {
			p.Names[name] = n
		}
	}
	e.stores.credentials.secrets.all(func(g v1alpha1.Glob, o Owner) { p.Secrets = append(p.Secrets, string(g)+" "+o.Store) })
	slices.Sort(p.Secrets)
	return p
}

// An estate that is updated says what one says that is compiled anew, and leaves the one before as it was.
func TestUpdateAgreesWithCompile(t *testing.T) {
	updates := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1)) // the same each time
		stores := map[string]*v1alpha1.DataStore{}
		for i := range 4 + random.IntN(4) {
			d := someStore(random, fmt.Sprintf("s%d", i))
			stores[d.Name] = d
		}
		e := Compile(updatedInput(stores))
		for step := range 40 {
			changes := someChanges(random, stores)
			before, compiled := pictureOf(e), Compile(updatedInput(stores))
			next := e.Update(changes)
			if diff := cmp.Diff(before, pictureOf(e)); diff != "" {
				t.Fatalf("seed %d, step %d: the estate before has changed:\n%s", seed, step, diff)
			}
			if next == nil {
				e = compiled
				continue
			}
			updates++
			if diff := cmp.Diff(pictureOf(compiled), pictureOf(next)); diff != "" {
				t.Fatalf("seed %d, step %d, %+v (-compiled +updated):\n%s", seed, step, changes, diff)
			}
			wantFound(t, next)
			e = next
		}
	}
	if updates < 300 {
		t.Errorf("only %d changes were simple", updates)
	}
}

// someChanges changes some stores.
func someChanges(random *rand.Rand, stores map[string]*v1alpha1.DataStore) map[string]StoreChange {
	changes := map[string]StoreChange{}
	for range 1 + random.IntN(2) {
		name := fmt.Sprintf("s%d", random.IntN(9))
		c := StoreChange{Before: stores[name]}
		if was, again := changes[name]; again {
			c.Before = was.Before
		}
		if c.After = someStore(random, name); random.IntN(4) == 0 {
			c.After = nil
		}
		if c.Before == nil && c.After == nil {
			continue
		}
		changes[name] = c
		if stores[name] = c.After; c.After == nil {
			delete(stores, name)
		}
	}
	return changes
}

// wantFound fails if something is declared that no text is read for, or that no fingerprint tells.
func wantFound(t *testing.T, e *Estate) {
	t.Helper()
	for name := range e.namesToFind() {
		if !mayName(e, name) {
			t.Errorf("%q is not found by any of its words", name)
		}
	}
	for name := range e.stores.tables[inHosts].all() {
		if !e.Declares(reference.Target{Name: name}.Print()) {
			t.Errorf("%q has no fingerprint", name)
		}
	}
}

func mayName(e *Estate, name string) bool {
	for w, h := range reference.Words(name) {
		if e.MayName("dev")(w, h, strings.Contains(name, "."+w)) || e.MayName("payments")(w, h, false) || e.needles.anchors(h) != 0 {
			return true
		}
	}
	return false
}

// What does not fit what was compiled is compiled anew.
func TestUpdateGivesUp(t *testing.T) {
	store := func(edit func(d *v1alpha1.DataStore)) *v1alpha1.DataStore {
		d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.example.com"}}}
		edit(d)
		return d
	}
	as := func(hosts ...string) func(*v1alpha1.DataStore) {
		return func(d *v1alpha1.DataStore) { d.Spec.Hosts = hosts }
	}
	same := func(*v1alpha1.DataStore) {}
	dev := store(func(d *v1alpha1.DataStore) {
		d.Name, d.Spec.Environment = "dev", "development"
		d.Spec.Hosts = []string{"dev.example.com"}
	})
	e := Compile(updatedInput(map[string]*v1alpha1.DataStore{"orders": store(same), "dev": dev}))
	for name, c := range map[string]StoreChange{
		"neither before nor after":        {},
		"what was never compiled":         {Before: store(as("other.example.com")), After: store(as("third.example.com"))},
		"new, and compiled already":       {After: store(same)},
		"gone, and never compiled":        {Before: store(as("other.example.com"))},
		"of another environment":          {Before: store(same), After: store(func(d *v1alpha1.DataStore) { d.Spec.Environment = "development" })},
		"of no environment":               {Before: store(same), After: store(func(d *v1alpha1.DataStore) { d.Spec.Environment = "nowhere" })},
		"no host":                         {Before: store(same), After: store(as("no host"))},
		"a resource of no known form":     {Before: store(same), After: store(func(d *v1alpha1.DataStore) { d.Spec.ResourceNames = []string{"gibberish:a/b"} })},
		"other credentials":               {Before: store(same), After: store(func(d *v1alpha1.DataStore) { d.Spec.Credentials = &v1alpha1.Credentials{} })},
		"a host of another environment's": {Before: store(same), After: store(as("orders.prod.example.com", "dev.example.com"))},
		"nothing that anybody could find": {Before: store(as()), After: store(as())},
	} {
		if got := e.Update(map[string]StoreChange{"orders": c}); got != nil {
			t.Errorf("%s: it is updated", name)
		}
	}
	many := map[string]StoreChange{}
	for i := range maxUpdated + 1 {
		d := store(as(fmt.Sprintf("h%d.example.com", i)))
		d.Name = fmt.Sprintf("s%d", i)
		many[d.Name] = StoreChange{After: d}
	}
	if e.Update(many) != nil {
		t.Error("many stores are updated one by one")
	}
	// Words that come later are looked up apart, so that there may not be many of them.
	for i, next := 0, e; ; i++ {
		before := store(as("orders.prod.example.com", fmt.Sprintf("word%d.example.com", i)))
		if i == 0 {
			before = store(same)
		}
		if next = next.Update(map[string]StoreChange{"orders": {Before: before, After: store(as("orders.prod.example.com", fmt.Sprintf("word%d.example.com", i+1)))}}); next == nil {
			if i < 1000 {
				t.Errorf("it gives up after %d changes", i)
			}
			break
		}
		if i > 10*maxLater {
			t.Fatal("words come later without end")
		}
	}
}
