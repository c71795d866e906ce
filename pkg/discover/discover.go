package discover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Input is what a proposal is made from.
type Input struct {
	// Objects are those of the cluster: namespaces, Services, workloads, ConfigMaps, bindings, and custom resources that stand for a cloud's. What
	// somebody owns may be left out, since its owner says the same.
	Objects []*unstructured.Unstructured
	// Stores are what inventories list.
	Stores []Inventoried
	// Home is Firebreak's own namespace, which is nobody's.
	Home string
}

// Proposal is what could be declared. Each part has its evidence.
type Proposal struct {
	Environments []Environment `json:"environments"`
	Stores       []Store       `json:"dataStores"`
	// Questions are what nobody but a person can answer, in whole sentences.
	Questions []string `json:"questions"`
	// Unread are objects that could not be read, as kind namespace/name: why.
	Unread []string `json:"unread"`
}

// Environment is a group of namespaces.
type Environment struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
	// Namespaces are its members; Evidence says why each.
	Namespaces []string `json:"namespaces"`
	Evidence   []string `json:"evidence"`
	// Groups, Users and ServiceAccounts are who may write in its namespaces by their bindings, and Managers the programs that have written there.
	Groups          []string `json:"groups,omitempty"`
	Users           []string `json:"users,omitempty"`
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	Managers        []string `json:"managers,omitempty"`
}

// Store is a data store.
type Store struct {
	Name string `json:"name"`
	// Environment is empty if it is not clear whose it is; Question then says so.
	Environment string `json:"environment"`
	Question    string `json:"question,omitempty"`
	// Hosts, Services, Resources and Paths are how it is named. Services are namespace/name.
	Hosts     []string `json:"hosts,omitempty"`
	Services  []string `json:"services,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Paths     []string `json:"secretPaths,omitempty"`
	// Evidence says who names it where; Uses is how often it is named.
	Evidence []string `json:"evidence"`
	Uses     int      `json:"uses"`
}

// namedThing is one target, and where it was found.
type namedThing struct {
	kind reference.Kind
	name string
	uses int
	// stages are those of the namespaces that name it, and evidence the first places.
	stages   map[string]bool
	evidence []string
}

// mostEvidence is how many places are told of one thing.
const mostEvidence = 5

// finder gathers what objects name.
type finder struct {
	in     Input
	stage  map[string]string // by namespace
	things map[string]*namedThing
	out    *Proposal
	// services are those of the cluster, by namespace/name.
	services map[string]bool
	// last is what stands around the words of the text that was looked at last.
	last *around
}

// Discover makes a proposal.
func Discover(in Input) *Proposal {
	f := &finder{in: in, stage: map[string]string{}, things: map[string]*namedThing{}, services: map[string]bool{}, out: &Proposal{Questions: []string{}, Unread: []string{}}}
	f.environments()
	for _, u := range in.Objects {
		f.read(u)
	}
	f.identities()
	f.inventories()
	f.stores()
	return f.out
}

// read finds what one object names.
func (f *finder) read(u *unstructured.Unstructured) {
	gvk := u.GroupVersionKind()
	switch {
	case gvk.Group == "" && (gvk.Kind == "Namespace" || gvk.Kind == "Service" || gvk.Kind == "Secret" || gvk.Kind == "Node"),
		gvk.Group == "rbac.authorization.k8s.io", gvk.Group == "firebreak.dev", gvk.Group == "apiextensions.k8s.io", len(u.GetOwnerReferences()) > 0, u.GetNamespace() == f.in.Home:
		return
	}
	if s, ok := managed(u); ok {
		f.in.Stores = append(f.in.Stores, s)
		return
	}
	raw, err := u.MarshalJSON()
	if err == nil {
		var refs []reference.Reference
		if refs, err = policy.References(gvk, u.GetNamespace(), raw); err == nil {
			for i := range refs {
				f.note(u, &refs[i])
			}
			return
		}
	}
	f.out.Unread = append(f.out.Unread, fmt.Sprintf("%s %s/%s: %v", gvk.Kind, u.GetNamespace(), u.GetName(), err))
}

// note takes in one reference, if it is of something that may be a data store.
func (f *finder) note(u *unstructured.Unstructured, r *reference.Reference) {
	if r.Confidential || r.Answers != nil || r.Use != reference.Connects {
		return
	}
	name := ""
	switch r.Kind {
	case reference.Host:
		name = f.storeHost(u, r)
	case reference.Resource:
		// Any word could be a bucket.
		if cloudName.MatchString(r.Name) && !strings.ContainsFunc(r.Name, func(c rune) bool { return c <= ' ' || c == '$' || c == 0x7f }) {
			name = bucketOf(r.Name)
		}
	case reference.StorePath:
		if strings.Contains(r.Name, "/") && (slices.Contains(secretKinds(), u.GetKind()) || strings.Contains(r.Path, "vault.hashicorp.com")) {
			name = r.Name
		}
	}
	if name != "" {
		f.count(u, r, name)
	}
}

// count counts one place that names a data store.
func (f *finder) count(u *unstructured.Unstructured, r *reference.Reference, name string) {
	key := r.Kind.String() + "|" + name
	t := f.things[key]
	if t == nil {
		t = &namedThing{kind: r.Kind, name: name, stages: map[string]bool{}}
		f.things[key] = t
	}
	where := fmt.Sprintf("%s %s/%s, %s", u.GetKind(), u.GetNamespace(), u.GetName(), r.Path)
	if slices.Contains(t.evidence, where) {
		return // a bucket, by several of its paths
	}
	t.uses++
	t.stages[f.stage[u.GetNamespace()]] = true
	if len(t.evidence) < mostEvidence {
		t.evidence = append(t.evidence, where)
	}
}

// secretKinds are the kinds that name paths in secret stores.
func secretKinds() []string {
	return []string{"ExternalSecret", "ClusterExternalSecret", "PushSecret", "SecretProviderClass", "VaultStaticSecret", "VaultDynamicSecret", "VaultSecret"}
}

// stores makes data stores of what was found, each with whose it is.
func (f *finder) stores() {
	all := make([]*namedThing, 0, len(f.things))
	for _, t := range f.things {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *namedThing) int { return cmp.Or(cmp.Compare(b.uses, a.uses), cmp.Compare(a.name, b.name)) })
	taken := map[string]bool{}
	for _, s := range f.out.Stores {
		taken[s.Name] = true
	}
	known := map[string]int{}
	for i, s := range f.out.Stores {
		for _, n := range slices.Concat(s.Hosts, s.Resources) {
			known[n] = i
		}
	}
	for _, t := range all {
		if i, ok := known[t.name]; ok {
			f.out.Stores[i].Uses += t.uses
			f.out.Stores[i].Evidence = append(f.out.Stores[i].Evidence, t.evidence...)
			continue
		}
		s := Store{Name: storeName(t.name, taken), Evidence: t.evidence, Uses: t.uses}
		s.Environment, s.Question = f.owner(t)
		switch service, isService := strings.CutPrefix(t.name, "service "); {
		case isService:
			s.Services = []string{service}
		case t.kind == reference.Host:
			s.Hosts = []string{t.name}
		case t.kind == reference.StorePath:
			s.Paths = []string{t.name}
		default:
			s.Resources = []string{t.name}
		}
		f.out.Stores = append(f.out.Stores, s)
	}
}

// owner says whose a thing is: that of its own namespace, the one that its name speaks of, or the one whose workloads alone name it.
func (f *finder) owner(t *namedThing) (environment, question string) {
	if service, ok := strings.CutPrefix(t.name, "service "); ok {
		ns, _, _ := strings.Cut(service, "/")
		if s := f.stage[ns]; s != "" {
			return s, ""
		}
	}
	var users []string
	for s := range t.stages {
		if s != "" {
			users = append(users, s)
		}
	}
	slices.Sort(users)
	named := stageOf(t.name)
	switch {
	case named != "" && (len(users) == 0 || slices.Equal(users, []string{named})):
		return named, ""
	case named != "":
		return named, fmt.Sprintf("its name speaks of %s, and %s name it", named, strings.Join(users, " and "))
	case len(users) == 1 && !t.stages[""]:
		return users[0], ""
	case len(users) == 0:
		return "", "only namespaces that no environment claims name it: whose is it?"
	}
	return "", fmt.Sprintf("%s name it: whose is it, or do they share it?", strings.Join(users, " and "))
}

// storeName makes the name of an object of what something is called.
func storeName(name string, taken map[string]bool) string {
	words := tokens(strings.TrimPrefix(name, "service "))
	base := strings.Trim(strings.Join(words[:min(len(words), 4)], "-"), "-")
	base = strings.TrimRight(cmp.Or(base[:min(len(base), 50)], "store"), "-")
	if c := base[0]; c >= '0' && c <= '9' {
		base = "a-" + base
	}
	out := base
	for i := 2; taken[out]; i++ {
		out = fmt.Sprintf("%s-%d", base, i)
	}
	taken[out] = true
	return out
}

// isSystem reports whether a namespace is Kubernetes' own.
func isSystem(ns string) bool {
	return strings.HasPrefix(ns, "kube-") || ns == corev1.NamespaceDefault
}
