package reference

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// Host is a name or an address that stands in a text, normalised.
type Host struct {
	// Name in lower case, without port, user info and trailing dot, in ASCII form. For an address, its canonical
	// text.
	Name string
	// Addr is valid if the host is an address.
	Addr netip.Addr
	// Strong is true where only a host can stand: the authority of a URL, a host flag, host:port, a whole value.
	// A name of one or two labels counts only there (or, of two labels, where such a Service exists).
	Strong bool
}

// Via says through which other object a reference leads.
type Via struct {
	// Kind, such as ConfigMap, and Name of the object, in the workload's own namespace.
	Kind, Name string
	// Key within the object.
	Key string
}

// Reference is one place in an object, and the host it names.
type Reference struct {
	Host
	// Path of the field from the object's root.
	Path string
	// Text of the field, literally. It may hold credentials, so it is never printed.
	Text string
	// Via is set where the text stands in another object that the field points at.
	Via *Via
	// Secret is true where the text came out of a Secret: then not even the host is printed.
	Secret bool
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
	// ConfigMaps gives what is known of a ConfigMap. Nil: nothing is known of any.
	ConfigMaps func(namespace, name string) (ConfigMap, bool)

	budget *budget
}

func (in *Input) configMap(name string) (ConfigMap, bool) {
	if in.ConfigMaps == nil {
		return ConfigMap{}, false
	}
	cm, ok := in.ConfigMaps(in.Namespace, name)
	if !ok {
		return ConfigMap{}, false
	}
	return cm, true
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
		{"configmapref", configMapRef},
		{"data", data},
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
	slices.SortFunc(out, func(a, b Reference) int {
		strong := 0
		if a.Strong != b.Strong {
			strong = 1
			if a.Strong {
				strong = -1
			}
		}
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name), strong)
	})
	return slices.CompactFunc(out, func(a, b Reference) bool { return a.Path == b.Path && a.Name == b.Name })
}

func at(path, text string, hosts []Host) []Reference {
	if len(hosts) == 0 {
		return nil
	}
	out := make([]Reference, len(hosts))
	for i, h := range hosts {
		out[i] = Reference{Host: h, Path: path, Text: text}
	}
	return out
}
