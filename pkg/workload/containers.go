package workload

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Container is a container of any kind, with its path.
type Container struct {
	// Path leads from the object's root, such as spec.template.spec.initContainers[0].
	Path string
	// Container is the container itself; an ephemeral container is converted to this form.
	*corev1.Container
	// Template is the template that holds the container.
	Template *Template
	// Script is a script that the command runs as a file, or a shell if there is no command, as in the steps of workflows. It is
	// empty if there is none.
	Script string
	// scriptKey is the field of the script.
	scriptKey string
}

// Containers returns every container of a template: init containers, containers, then ephemeral ones.
func (t *Template) Containers() []Container {
	out := make([]Container, 0, len(t.Spec.InitContainers)+len(t.Spec.Containers)+len(t.Spec.EphemeralContainers)+len(t.loose))
	path := t.SpecPath()
	add := func(list string, i int, c *corev1.Container) {
		out = append(out, Container{Path: Item(path+"."+list, i), Container: c, Template: t})
	}
	for i := range t.Spec.InitContainers {
		add("initContainers", i, &t.Spec.InitContainers[i])
	}
	for i := range t.Spec.Containers {
		add("containers", i, &t.Spec.Containers[i])
	}
	for i := range t.Spec.EphemeralContainers {
		c := corev1.Container(t.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		add("ephemeralContainers", i, &c)
	}
	for _, c := range t.loose {
		c.Template = t
		out = append(out, c)
	}
	return out
}

// Item returns the path of one item of a list.
func Item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// ServiceAccount returns the name of the account that the Pods run as.
func (t *Template) ServiceAccount() string {
	switch {
	case t.Spec.ServiceAccountName != "":
		return t.Spec.ServiceAccountName
	case t.Spec.DeprecatedServiceAccount != "":
		return t.Spec.DeprecatedServiceAccount
	}
	return "default"
}

// Commands returns every command line that a container may run: its own, its hooks' and its exec probes', each with its path.
// The first is the container's own, and may be empty.
func (c Container) Commands() []Command {
	out := []Command{{Path: c.Path, Words: append(append([]string{}, c.Command...), c.Args...), split: len(c.Command)}}
	if c.Script != "" {
		words := append(append([]string{}, c.Command...), "-c", c.Script)
		if len(c.Command) == 0 {
			words = append([]string{"sh"}, words...)
		}
		out = append(out, Command{Path: c.Path, Words: words, split: len(words), script: c.scriptKey})
	}
	probe := func(name string, p *corev1.Probe) {
		if p != nil && p.Exec != nil {
			out = append(out, Command{Path: c.Path + "." + name + ".exec", Words: p.Exec.Command, split: len(p.Exec.Command)})
		}
	}
	probe("livenessProbe", c.LivenessProbe)
	probe("readinessProbe", c.ReadinessProbe)
	probe("startupProbe", c.StartupProbe)
	hook := func(name string, h *corev1.LifecycleHandler) {
		if h != nil && h.Exec != nil {
			out = append(out, Command{Path: c.Path + ".lifecycle." + name + ".exec", Words: h.Exec.Command, split: len(h.Exec.Command)})
		}
	}
	if c.Lifecycle != nil {
		hook("postStart", c.Lifecycle.PostStart)
		hook("preStop", c.Lifecycle.PreStop)
	}
	return out
}

// Command is one command line.
type Command struct {
	// Path is that of the container, probe or hook that holds the command.
	Path string
	// Words are the command and its arguments.
	Words []string
	split int
	// script is the field of the script if the command is one.
	script string
}

// CommandOf returns a command line outside of any container, such as that of an exec.
func CommandOf(words []string) Command { return Command{Words: words, split: len(words)} }

// HasProgram reports whether the first word is a program. A container that gives only arguments runs its image's own program.
func (c Command) HasProgram() bool { return c.split > 0 }

// WordPath returns the path of one word.
func (c Command) WordPath(i int) string {
	if c.Path == "" {
		return fmt.Sprintf("command[%d]", i)
	}
	if c.script != "" {
		return c.Path + "." + c.script
	}
	if i < c.split {
		return fmt.Sprintf("%s.command[%d]", c.Path, i)
	}
	return fmt.Sprintf("%s.args[%d]", c.Path, i-c.split)
}
