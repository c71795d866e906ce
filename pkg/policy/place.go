package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// places notes the places of findings in the words of the manifest's author: the variable and the container by name, where the path has
// numbers. The path itself is for machines.
func (c *PreparedRequest) places(findings []Finding) {
	if c.new == nil || len(findings) == 0 || c.req.Operation == Connect {
		return
	}
	for i := range findings {
		switch f := &findings[i]; {
		case f.Action == v1alpha1.ActionAudit: // only machines read it
		case inContainer.MatchString(f.Path):
			m := inContainer.FindStringSubmatch(f.Path)
			if c.new.work != nil && strings.TrimSuffix(m[1], ".") == c.new.work.Template.SpecPath() {
				f.place = placeInSpec(&c.new.work.Template.Spec, m)
			} else {
				f.place = placeIn(c.new.generic(), m)
			}
		default:
			f.place = strings.TrimPrefix(f.Path, c.templatePrefix())
		}
	}
}

// templatePrefix returns the beginning of all paths into the object's template; it is empty if the object has none.
func (c *PreparedRequest) templatePrefix() string {
	if c.new.work == nil || c.new.work.Template.Path == "" {
		return ""
	}
	return c.new.work.Template.Path + ".spec."
}

// inContainer matches a path into a container, in parts: the path of the spec, the list, the index in it, the index of the variable, if
// it is one, and the rest.
var inContainer = regexp.MustCompile(`^((?:[A-Za-z]+(?:\[\d+\])?\.)*)(containers|initContainers|ephemeralContainers)\[(\d+)\]\.(?:env\[(\d+)\])?(.*)$`)

// placeInSpec describes a path into a container of a decoded spec.
func placeInSpec(spec *corev1.PodSpec, m []string) string {
	var c *corev1.Container
	switch i, _ := strconv.Atoi(m[3]); { // digits
	case m[2] == "containers" && i < len(spec.Containers):
		c = &spec.Containers[i]
	case m[2] == "initContainers" && i < len(spec.InitContainers):
		c = &spec.InitContainers[i]
	case m[2] == "ephemeralContainers" && i < len(spec.EphemeralContainers):
		common := corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
		c = &common
	default:
		return ""
	}
	variable := ""
	if i, err := strconv.Atoi(m[4]); err == nil && i < len(c.Env) {
		variable = c.Env[i].Name
	}
	return described(c.Name, variable, m, len(spec.Containers)+len(spec.InitContainers)+len(spec.EphemeralContainers) > 1)
}

// placeIn describes a path into a container: env "DB_HOST" of container "app", args[0]. The container is named if the template has
// several. It is empty if the path leads to no container, or if a name is too long to be read.
func placeIn(tree map[string]any, m []string) string {
	spec := at(tree, strings.TrimSuffix(m[1], "."))
	container := member(spec, m[2], m[3])
	name, _ := container["name"].(string)
	variable := ""
	if m[4] != "" {
		variable, _ = member(container, "env", m[4])["name"].(string)
	}
	return described(name, variable, m, several(spec))
}

// described puts a place into words.
func described(name, variable string, m []string, several bool) string {
	where := m[5]
	if m[4] != "" {
		if variable == "" || len(variable) > maxNamed {
			return ""
		}
		where = fmt.Sprintf("env %q", variable)
	}
	switch {
	case name == "" || len(name) > maxNamed:
		return ""
	case several:
		where += fmt.Sprintf(" of container %q", name)
	}
	return where
}

// maxNamed is the longest name that a sentence repeats: a custom resource may give names of any length.
const maxNamed = 128

// at follows a path of names and numbers to an object, and returns nil if there is none.
func at(tree map[string]any, path string) map[string]any {
	if path == "" {
		return tree
	}
	for _, segment := range strings.Split(path, ".") {
		field, index, listed := strings.Cut(strings.TrimSuffix(segment, "]"), "[")
		if listed {
			tree = member(tree, field, index)
		} else {
			tree, _ = tree[field].(map[string]any)
		}
	}
	return tree
}

// member returns an object of a list, or nil if there is none.
func member(of map[string]any, field, index string) map[string]any {
	list, _ := of[field].([]any)
	i, err := strconv.Atoi(index)
	if err != nil || i >= len(list) {
		return nil
	}
	out, _ := list[i].(map[string]any)
	return out
}

// several reports whether a template has more than one container.
func several(spec map[string]any) bool {
	n := 0
	for _, field := range []string{"containers", "initContainers", "ephemeralContainers"} {
		list, _ := spec[field].([]any)
		n += len(list)
	}
	return n > 1
}
