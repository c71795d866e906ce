package reference

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// Via says through which other object a reference leads.
type Via struct {
	// Kind, such as ConfigMap, and Name of the object, in the workload's own namespace.
	Kind, Name string
	// Key within the object.
	Key string
}

// Reference is one place in an object, and what it names.
type Reference struct {
	Target
	// Use that is made of it.
	Use Use
	// Path of the field from the object's root.
	Path string
	// Text of the field, literally. It may hold credentials, so it is never printed.
	Text string
	// Via is set where the text stands in another object that the field points at.
	Via *Via
	// Answers is what the reference is given as the answer for: the name that a name server changes into it. Nil: for nothing.
	Answers *Target
	// Confidential is true where the text came out of a Secret: then not even the host is printed.
	Confidential bool
}

// DataKey is one key of a ConfigMap or Secret.
type DataKey struct {
	// Path of the key from the object's root.
	Path string
	// Key and its value, decoded.
	Key, Value string
	// Secret is true for keys of Secrets.
	Secret bool
}

// Input is what the sources read.
type Input struct {
	// Namespace of the object.
	Namespace string
	// Template of a workload; nil for other objects.
	Template *workload.Template
	// Command that a session runs; nil for objects.
	Command []string
	// Data of a ConfigMap or Secret; nil for other objects.
	Data []DataKey
	// Object is what custom resources and the built-in kinds without a pod template say, decoded; nil for others.
	Object map[string]any
	// Kind of the object.
	Kind schema.GroupKind
	// Annotations of the object itself.
	Annotations map[string]string
	// Embedded are the pod templates and containers that stand in a custom resource.
	Embedded []workload.Template
	// ConfigMaps and Secrets give what is known of one. Nil: nothing is known of any.
	ConfigMaps, Secrets func(namespace, name string) (Contents, bool)
	// Budget that reading is paid from; nil: one of its own.
	Budget *budget.Budget
	// Known reports whether anybody must look at a target. What is known of none is not kept. Nil: all are.
	Known func(Target) bool
	// Declared reports whether a fingerprint is that of something declared. Nil: each may be.
	Declared func(Print) bool
	// Word reports whether a word, given with its hash and whether it follows a dot, is one of a declared name's. Nil: each may be.
	Word func(word string, hash uint64, dotted bool) bool

	*reader
	// boxes are the containers of every template, once they were asked for.
	boxes []workload.Container
	// all are all templates, once they were asked for.
	all []*workload.Template
}

// begin makes ready to read.
func (in *Input) begin() {
	if in.reader == nil {
		in.reader = newReader(in.Budget, in.Known)
		in.word = in.Word
	}
}

func (in *Input) configMap(name string) Contents {
	return in.contents(in.ConfigMaps, configMapKind, name)
}

func (in *Input) secret(name string) Contents { return in.contents(in.Secrets, secretKind, name) }

// contents is empty where nothing is known. What is too large to be remembered is noted: somebody must read it.
func (in *Input) contents(of func(namespace, name string) (Contents, bool), kind, name string) Contents {
	if of == nil || name == "" {
		return Contents{}
	}
	c, ok := of(in.Namespace, name)
	if !ok {
		return Contents{}
	}
	if via := (Via{Kind: kind, Name: name}); (c.Large || in.declares(c.Prints)) && !slices.Contains(in.unread, via) {
		in.unread = append(in.unread, via)
	}
	return c
}

// declares reports whether one of the fingerprints is that of something declared.
func (in *Input) declares(prints []Print) bool {
	return len(prints) > 0 && in.budget.Spend(len(prints)) && (in.Declared == nil || slices.ContainsFunc(prints, in.Declared))
}

// templates returns every pod template of the object.
func (in *Input) templates() []*workload.Template {
	if in.all != nil {
		return in.all
	}
	out := make([]*workload.Template, 0, len(in.Embedded)+1)
	if in.Template != nil {
		out = append(out, in.Template)
	}
	for i := range in.Embedded {
		out = append(out, &in.Embedded[i])
	}
	in.all = out
	return out
}

// Containers returns every container of every template.
func (in *Input) Containers() []workload.Container { return in.containers() }

func (in *Input) containers() []workload.Container {
	if in.boxes == nil {
		in.boxes = []workload.Container{}
		for _, t := range in.templates() {
			in.boxes = append(in.boxes, t.Containers()...)
		}
	}
	return in.boxes
}

// Source is one kind of place in which references stand.
type Source struct {
	// Name of the source; its fixtures lie in testdata/<name>.
	Name string
	// find returns the references of an input that has begun. It must not panic, whatever the input.
	find func(*Input) []Reference
}

// Find returns the references of an input that stand in this kind of place.
func (s Source) Find(in *Input) []Reference {
	in.begin()
	return s.find(in)
}

// Sources lists every source, in the order in which they are asked.
func Sources() []Source {
	return []Source{
		{"env", env},
		{"downward", downward},
		{"command", commands},
		{"probe", probe},
		{"contents", contents},
		{"secretref", secretRef},
		{"hostalias", hostAlias},
		{"dnsconfig", dnsConfig},
		{"volume", volume},
		{"placement", placement},
		{"annotation", annotation},
		{"data", data},
		{"corefile", corefile},
		{"object", object},
	}
}

// Extraction is what reading an input comes to.
type Extraction struct {
	// References, sorted by path and host, each once.
	References []Reference
	// Limit that ended the reading; empty: everything was read. Such an object cannot be judged.
	Limit budget.Limit
	// Prints are the fingerprints of what was found by chance, where only these are remembered.
	Prints []Print
	// Unread are the ConfigMaps and Secrets in use that are too large to be remembered. Until they are read, the object
	// cannot be judged.
	Unread []Via
}

// Extract returns the references of an input, as far as it can be read.
func Extract(in Input) []Reference { return ExtractAll(in).References }

// ExtractRemembered reads an input that is judged later, by an estate that is not known yet: of what is found by chance it keeps only the
// fingerprints.
func ExtractRemembered(in Input) Extraction {
	in.reader = newReader(in.Budget, in.Known)
	in.prints = map[Print]struct{}{}
	return ExtractAll(in)
}

// ExtractAll reads an input.
func ExtractAll(in Input) Extraction {
	in.begin()
	var out []Reference
	for _, s := range Sources() {
		out = append(out, s.Find(&in)...)
	}
	slices.SortFunc(out, func(a, b Reference) int { return cmp.Or(order(a, b), strongest(a, b)) })
	out = slices.CompactFunc(out, func(a, b Reference) bool { return order(a, b) == 0 })
	return Extraction{References: out, Limit: in.budget.Exceeded(), Unread: in.unread, Prints: slices.Sorted(maps.Keys(in.prints))}
}

// order orders references by where they stand and what they name.
func order(a, b Reference) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Use, b.Use), cmp.Compare(a.answered(), b.answered()))
}

// answered returns the name that the reference is the answer for; empty: for none.
func (r *Reference) answered() string {
	if r.Answers == nil {
		return ""
	}
	return r.Answers.Name
}

func strongest(a, b Reference) int {
	switch {
	case a.Unambiguous == b.Unambiguous:
		return 0
	case a.Unambiguous:
		return -1
	}
	return 1
}
