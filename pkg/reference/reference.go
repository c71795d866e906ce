package reference

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

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
	// Confidential is true where the text came out of a Secret: then not even the host is printed.
	Confidential bool
}

// Datum is one key of a ConfigMap or Secret.
type Datum struct {
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
	// Data of a ConfigMap or Secret; nil for other objects.
	Data []Datum
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

	budget *budget
}

func (in *Input) configMap(name string) Contents { return in.contents(in.ConfigMaps, name) }

func (in *Input) secret(name string) Contents { return in.contents(in.Secrets, name) }

// contents is empty where nothing is known.
func (in *Input) contents(of func(namespace, name string) (Contents, bool), name string) Contents {
	if of == nil || name == "" {
		return Contents{}
	}
	if c, ok := of(in.Namespace, name); ok {
		return c
	}
	return Contents{}
}

// templates returns every pod template of the object.
func (in *Input) templates() []*workload.Template {
	var out []*workload.Template
	if in.Template != nil {
		out = append(out, in.Template)
	}
	for i := range in.Embedded {
		out = append(out, &in.Embedded[i])
	}
	return out
}

// containers returns every container of every template.
func (in *Input) containers() []workload.Container {
	var out []workload.Container
	for _, t := range in.templates() {
		out = append(out, t.Containers()...)
	}
	return out
}

// Source is one kind of place in which references stand.
type Source struct {
	// Name of the source; its fixtures lie in testdata/<name>.
	Name string
	// Find returns the references of an input. It must not panic, whatever the input.
	Find func(*Input) []Reference
}

// Sources lists every source, in the order in which they are asked.
func Sources() []Source {
	return []Source{
		{"env", env},
		{"command", command},
		{"probe", probe},
		{"contents", contents},
		{"secretref", secretRef},
		{"hostalias", hostAlias},
		{"dnsconfig", dnsConfig},
		{"volume", volume},
		{"placement", placement},
		{"annotation", annotation},
		{"data", data},
		{"object", object},
	}
}

// Extract returns all references of an input, sorted by path and host, each once.
func Extract(in Input) []Reference {
	out, _ := ExtractAll(in)
	return out
}

// ExtractAll does the same, and reports whether everything was read: false where variables that repeat each other grow
// beyond what any real template needs. Such an object cannot be judged.
func ExtractAll(in Input) ([]Reference, bool) {
	in.budget = &budget{left: maxGrowth}
	out := extract(in)
	return out, !in.budget.exceeded
}

func extract(in Input) []Reference {
	var out []Reference
	for _, s := range Sources() {
		out = append(out, s.Find(&in)...)
	}
	slices.SortFunc(out, func(a, b Reference) int { return cmp.Or(place(a, b), strongest(a, b)) })
	return slices.CompactFunc(out, func(a, b Reference) bool { return place(a, b) == 0 })
}

// place orders references by where they stand and what they name.
func place(a, b Reference) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Use, b.Use))
}

func strongest(a, b Reference) int {
	switch {
	case a.Strong == b.Strong:
		return 0
	case a.Strong:
		return -1
	}
	return 1
}

// at makes references of what a text at a path names.
func at(path, text string, targets []Target) []Reference {
	if len(targets) == 0 {
		return nil
	}
	out := make([]Reference, 0, len(targets))
	for _, t := range targets {
		if t.Name != "" {
			out = append(out, Reference{Target: t, Path: path, Text: text})
		}
	}
	return out
}
