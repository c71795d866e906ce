package bell

import (
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Target is where messages go. Its address is in a Secret, under its name.
type Target struct {
	Name string `json:"name"`
	// Environments, Namespaces (globs) and Notices narrow down what goes there. If empty, everything does; notices without a namespace go to targets that
	// name namespaces, too.
	Environments []string        `json:"environments,omitempty"`
	Namespaces   []v1alpha1.Glob `json:"namespaces,omitempty"`
	Notices      []Kind          `json:"notices,omitempty"`
}

// Config is what the ConfigMap of the bell says.
type Config struct {
	Targets   []Target          `json:"targets,omitempty"`
	Templates map[string]string `json:"templates,omitempty"`
	// Link is the address of a page that people reach, such as https://firebreak.example.com.
	Link string `json:"link,omitempty"`
}

// ParseConfig reads a Config. An unknown field or kind of notice is an error: it would be a message that never comes.
func ParseConfig(raw string) (*Config, error) {
	c := &Config{}
	if err := yaml.UnmarshalStrict([]byte(raw), c); err != nil {
		return nil, fmt.Errorf("read the configuration of the bell: %w", err)
	}
	seen := map[string]bool{}
	for i, t := range c.Targets {
		if t.Name == "" || seen[t.Name] {
			return nil, fmt.Errorf("targets[%d].name: each target needs a name of its own", i)
		}
		seen[t.Name] = true
		for _, k := range t.Notices {
			if !slices.Contains(Kinds(), k) {
				return nil, fmt.Errorf("targets[%d].notices: there is no notice %q; there are %v", i, k, Kinds())
			}
		}
	}
	if _, err := NewTemplates(c.Templates); err != nil {
		return nil, err
	}
	return c, nil
}

// Takes reports whether a notice goes to a target.
func (t *Target) Takes(n *Notice) bool {
	in := func(env string) bool { return slices.Contains(t.Environments, env) }
	return (len(t.Environments) == 0 || len(n.Environments) == 0 || slices.ContainsFunc(n.Environments, in)) &&
		(len(t.Namespaces) == 0 || n.Namespace == "" || slices.ContainsFunc(t.Namespaces, func(g v1alpha1.Glob) bool { return estate.Match(g, n.Namespace) })) &&
		(len(t.Notices) == 0 || slices.Contains(t.Notices, n.Kind))
}
