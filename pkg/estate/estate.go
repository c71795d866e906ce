package estate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Input is everything that an Estate is compiled from.
type Input struct {
	Environments []v1alpha1.Environment
	DataStores   []v1alpha1.DataStore
	Exemptions   []v1alpha1.Exemption
	// Namespaces of the cluster: name to labels.
	Namespaces map[string]map[string]string
	// Services of the cluster, by namespace/name.
	Services map[string]Service
	// Volumes are the PersistentVolumes of the cluster, by name, and Nodes its nodes.
	Volumes map[string]Volume
	Nodes   map[string]Node
	// Priorities are the PriorityClasses of the cluster, by name.
	Priorities map[string]PriorityClass

	// Cluster is the cluster's own name.
	Cluster string
	// DefaultEnvironment is the environment of namespaces that none claims. Empty: they are unassigned.
	DefaultEnvironment string
	// FirebreakNamespace is the namespace in which Firebreak itself runs.
	FirebreakNamespace string
	// FirebreakAccount is the service account that Firebreak runs as, in its own namespace.
	FirebreakAccount string

	// compiled counts the names since the last call of Yield.
	compiled int
	// Yield is called now and then during the compilation, which takes a tenth of a second for 100,000 hosts, so that a program with one core can do
	// other work. It may be nil.
	Yield func()
}

// yieldEvery is how many names are compiled between two calls of Yield: half a millisecond.
const yieldEvery = 2048

// yield counts n names, and calls Yield where it is due.
func (in *Input) yield(n int) {
	in.compiled += n
	if in.Yield != nil && in.compiled >= yieldEvery {
		in.compiled = 0
		in.Yield()
	}
}

// Problem is something in the input that could not be compiled. What it stood in is read as the stricter of what it
// could mean, and the rest is in force.
type Problem struct {
	// Kind and Name of the object.
	Kind, Name string
	// Path of the field, and what is wrong with it.
	Path, Message string
}

// Estate is the compiled picture. It is immutable.
type Estate struct {
	// Cluster, DefaultEnvironment, FirebreakNamespace and FirebreakAccount repeat the input.
	Cluster, DefaultEnvironment, FirebreakNamespace, FirebreakAccount string

	environments map[string]*Environment
	ordered      []*Environment
	namespaces   map[string]Membership
	labels       map[string]map[string]string
	services     map[string]Service
	network      network
	volumes      map[string]Volume
	claimed      map[string]string
	nodes        map[string]Node
	priorities   map[string]PriorityClass
	pools        pools
	// production: some namespace of the cluster is of that tier.
	production bool
	exemptions []v1alpha1.Exemption
	stores     stores
	needles    needles
	members    members
	claims     claims
	problems   []Problem
	conflicts  map[objectKey]string
	notes      map[objectKey]string
}

type objectKey struct{ kind, name string }

// Compile builds an Estate. It never fails: what is malformed is reported by Problems.
func Compile(in Input) *Estate {
	e := &Estate{
		Cluster:            in.Cluster,
		DefaultEnvironment: in.DefaultEnvironment,
		FirebreakNamespace: in.FirebreakNamespace,
		FirebreakAccount:   in.FirebreakAccount,
		environments:       make(map[string]*Environment, len(in.Environments)),
		namespaces:         make(map[string]Membership, len(in.Namespaces)),
		labels:             in.Namespaces,
		nodes:              in.Nodes,
		priorities:         in.Priorities,
		exemptions:         in.Exemptions,
		conflicts:          map[objectKey]string{},
		notes:              map[objectKey]string{},
	}
	for i := range in.Environments {
		e.addEnvironment(&in.Environments[i])
	}
	slices.SortFunc(e.ordered, func(a, b *Environment) int { return cmp.Compare(a.Name, b.Name) })
	for _, env := range e.ordered {
		e.claim(env)
		e.members.add(env)
		e.addPool(env)
	}
	for name, l := range in.Namespaces {
		in.yield(1)
		m := e.membership(name, l)
		e.namespaces[name] = m
		e.production = e.production || m.Tier == v1alpha1.TierProduction
		e.noteConflict(name, m)
	}
	e.addServices(in.Services)
	e.addVolumes(in.Volumes)
	e.addStores(&in)
	e.compileNeedles(&in)
	return e
}

func (e *Estate) addEnvironment(o *v1alpha1.Environment) {
	env := &Environment{
		Name:    o.Name,
		Tier:    o.Spec.Tier,
		Created: o.CreationTimestamp.Time,
		Sealed:  o.Annotations[v1alpha1.AnnotationSealed] == "true",
		spec:    *o.Spec.DeepCopy(),
	}
	if env.Tier == "" {
		env.Tier = v1alpha1.TierProduction // malformed: the stricter reading
	}
	if env.Tier == v1alpha1.TierProduction {
		c := ControlsOf(o.Spec.ChangeControl)
		env.Controls = &c
	}
	e.environments[env.Name] = env
	e.ordered = append(e.ordered, env)
}

func (e *Estate) problem(kind, name, path, format string, args ...any) {
	e.problems = append(e.problems, Problem{Kind: kind, Name: name, Path: path, Message: fmt.Sprintf(format, args...)})
}

// Problems returns what could not be compiled.
func (e *Estate) Problems() []Problem { return e.problems }

// Note returns what is worth knowing of a declaration that is in force; empty: nothing.
func (e *Estate) Note(kind, name string) string { return e.notes[objectKey{kind, name}] }

// Conflict returns why an object of a kind is in conflict with another, or an empty text.
func (e *Estate) Conflict(kind, name string) string { return e.conflicts[objectKey{kind, name}] }

// Environment returns an environment by name.
func (e *Estate) Environment(name string) (*Environment, bool) {
	env, ok := e.environments[name]
	return env, ok
}

// Environments returns all environments, sorted by name.
func (e *Estate) Environments() []*Environment { return e.ordered }

// Exemptions returns all exemptions, expired ones included: whoever asks compares expiresAt with the instant that is
// judged. They must not be changed.
func (e *Estate) Exemptions() []v1alpha1.Exemption { return e.exemptions }

// Production returns the Production environments, sorted by name.
func (e *Estate) Production() []*Environment {
	var out []*Environment
	for _, env := range e.ordered {
		if env.Tier == v1alpha1.TierProduction {
			out = append(out, env)
		}
	}
	return out
}

// freeBoundary is how long after the first Production Environment the boundary may be edited freely.
const freeBoundary = time.Hour

// BoundaryFree reports whether the boundary may be edited without a window at an instant: until the oldest Production
// Environment is an hour old, or one is sealed.
func (e *Estate) BoundaryFree(at time.Time) bool {
	for _, env := range e.Production() {
		if env.Sealed || at.Sub(env.Created) >= freeBoundary {
			return false
		}
	}
	return true
}

// selectorOf compiles a label selector. Omitted and empty ones match nothing: an empty selector in Kubernetes matches
// everything, which nobody means who declares what belongs to production.
func (e *Estate) selectorOf(env, path string, s *metav1.LabelSelector) labels.Selector {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return labels.Nothing()
	}
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		e.problem(v1alpha1.KindEnvironment, env, path, "%v", err)
		return labels.Nothing()
	}
	return sel
}
