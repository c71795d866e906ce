package policy

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// OwnerObject is the custom resource that controls the judged object, as it was read for the request.
type OwnerObject struct {
	// JSON is the custom resource; it is nil if there is none of that name.
	JSON []byte
	// Unreadable is true if Firebreak has no right to read it, or does not know its kind.
	Unreadable bool
}

// customOwner returns the custom resource that an automation names as the controlling owner of a Job or Pod in Production, or nil if there
// is none.
func (c *PreparedRequest) customOwner() *metav1.OwnerReference {
	if c.req.Operation != Create || c.req.SubResource != "" || !c.isKind(podKind(), jobKind()) || len(c.Production()) == 0 || !c.operates() && !c.launches() {
		return nil
	}
	owner := c.new.controller()
	if owner == nil {
		return nil
	}
	gv, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || builtIn(gv.Group) {
		return nil
	}
	return owner
}

// knownOwner notes the custom resource that the object is made of as missing or, once it was read, compares the object with it.
func (c *PreparedRequest) knownOwner() {
	owner := c.customOwner()
	switch {
	case owner == nil || c.req.Stored:
	case c.req.Facts.Owner == nil:
		c.lack(Missing{Owner: &MissingOwner{c.req.Namespace, *owner}})
	default:
		c.made = c.madeOf(*owner, c.req.Facts.Owner)
	}
}

// made says how an object relates to the custom resource that an automation names as its owner.
type made int

const (
	// unowned means that the object names no owner, or none that exists.
	unowned made = iota
	// housekeeping means that the resource exists and has no templates of its own; what is made of it is its operator's business.
	housekeeping
	// planned means that the object is what the resource's templates say, which were judged when the resource was written.
	planned
	// strayed means that the object is something else.
	strayed
	// unread means that Firebreak may not read the resource, which exists by the word of the requester alone.
	unread
)

func (c *PreparedRequest) madeOf(owner metav1.OwnerReference, o *OwnerObject) made {
	if o.Unreadable {
		return unread
	}
	var tree map[string]any
	var meta metav1.PartialObjectMetadata
	if o.JSON == nil || !c.spend(o.JSON) || json.Unmarshal(o.JSON, &tree) != nil || json.Unmarshal(o.JSON, &meta) != nil || meta.UID != owner.UID {
		return unowned
	}
	workload.Unfold(tree, c.budget)
	embedded := workload.Embedded(tree, c.budget)
	templates := templatesOf(embedded)
	if len(templates) == 0 && !refersToTemplates(tree["spec"], 1) && !runsElsewhere(owner.Kind, tree, embedded) {
		return housekeeping
	}
	in := c.input()
	in.Object, in.Embedded, in.Kind = tree, embedded, schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
	stores := reference.Extract(in)
	// Its controller has put values in the place of its parameters.
	workload.Fill(tree, c.budget)
	filled := workload.Embedded(tree, c.budget)
	in.Object, in.Embedded = tree, filled
	if c.followsStores(append(stores, reference.Extract(in)...)) && c.follows(append(templates, templatesOf(filled)...)) {
		return planned
	}
	return strayed
}

// spend charges the budget for reading another object, and reports whether the budget suffices.
func (c *PreparedRequest) spend(raw []byte) bool {
	c.budget.Sent(len(raw))
	return c.budget.Spend(len(raw))
}

// followsStores reports whether the owner names each of production's data stores that the object names.
func (c *PreparedRequest) followsStores(owners []reference.Reference) bool {
	named := map[string]bool{}
	for _, r := range owners {
		for _, o := range c.est.Resolve(r.Target, c.req.Namespace).Owners {
			named[o.Store] = true
		}
	}
	for _, r := range c.new.refs {
		for _, o := range c.est.Resolve(r.Target, c.req.Namespace).Owners {
			if o.Tier() == v1alpha1.TierProduction && !named[o.Store] {
				return false
			}
		}
	}
	return true
}

// follows reports whether each container is one of the templates' own, or a helper that runs no tool. A controller may put its own
// program before the words of a template, and values in the place of its parameters; a tool that no template runs was never judged.
func (c *PreparedRequest) follows(templates []*workload.Template) bool {
	controls := estate.StrictestControls(c.Production())
	var all []said
	for _, t := range templates {
		for _, o := range t.Containers() {
			all = append(all, c.says(o, &controls))
		}
	}
	for _, container := range c.new.work.Template.Containers() {
		runs := c.says(container, &controls)
		if !c.budget.Spend(len(all) * compareCost) {
			return false
		}
		if slices.ContainsFunc(all, func(o said) bool { return c.explains(o, runs, &controls) }) {
			continue
		}
		if runs.tool != "" || slices.ContainsFunc(all, func(o said) bool { return o.Image != "" && o.Image == container.Image }) {
			return false
		}
	}
	return true
}

// compareCost is the least that comparing two containers costs the budget.
const compareCost = 32

// said is a container, and what it says that it runs.
type said struct {
	workload.Container
	// words are those of its command, without each -- that ends flags.
	words []string
	// tool is the maintenance tool that it runs, besides the one that it runs apart from its command; each is empty if there is none.
	tool, besides string
}

func (c *PreparedRequest) says(o workload.Container, controls *estate.Controls) said {
	out := said{Container: o, words: bare(slices.Concat(o.Command, o.Args))}
	in := c.input()
	in.Template = templateOf(o)
	if o.Image == "" && o.Script != "" {
		in.Template = templateOf(scripted(o.Script))
	}
	out.tool = tools.Find(in, controls.MaintenanceTools)
	hooks := *o.Container
	hooks.Command, hooks.Args, hooks.Image = nil, nil, ""
	in.Template = templateOf(workload.Container{Container: &hooks})
	out.besides = tools.Find(in, controls.MaintenanceTools)
	return out
}

// scripted returns a container that runs a script.
func scripted(script string) workload.Container {
	return workload.Container{Container: &corev1.Container{Command: []string{"sh", "-c", script}}}
}

// templateOf returns a template of one container.
func templateOf(o workload.Container) *workload.Template {
	t := &workload.Template{}
	t.Spec.Containers = append(t.Spec.Containers, *o.Container)
	return t
}

func bare(words []string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "--" })
}

// explains reports whether a container runs what a template says.
func (c *PreparedRequest) explains(t, runs said, controls *estate.Controls) bool {
	if t.Image != "" && !fills(t.Image, runs.Image) || runs.tool != t.tool || runs.besides != t.besides {
		return false
	}
	in := c.input()
	if t.Image == "" && t.Script != "" { // a script without an image, which the controller has another container start
		start, ends := strings.CutSuffix(strings.Join(runs.words, " "), t.Script)
		in.Template = templateOf(scripted(start))
		return ends && tools.Find(in, controls.MaintenanceTools) == ""
	}
	words := runs.words
	before, ends := t.ends(words)
	if !ends || before > 0 && len(t.Command) == 0 && len(runs.Command) > 0 && !strings.Contains(words[0], "/") {
		return false
	}
	if t.tool == "" || before == 0 {
		return true
	}
	in.Template = templateOf(workload.Container{Container: &corev1.Container{Command: words[:before]}})
	return tools.Find(in, controls.MaintenanceTools) == ""
}

// ends reports whether a command ends with the words of a template, and how many words come before them.
func (t said) ends(words []string) (before int, ends bool) {
	if t.Script != "" && len(words) > 0 && strings.HasPrefix(words[len(words)-1], "/") {
		words = words[:len(words)-1] // the script, which the controller has put into a file
	}
	before = len(words) - len(t.words)
	if before < 0 {
		return 0, false
	}
	for i, w := range t.words {
		if !fills(w, words[before+i]) {
			return before, false
		}
	}
	return before, true
}

// fills reports whether a text is that of a template with any value in the place of each {{parameter}} and $(parameter).
func fills(template, text string) bool {
	before, _, rest, open := workload.CutParameter(template)
	if !open {
		return template == text
	}
	if !strings.HasPrefix(text, before) {
		return false
	}
	text = text[len(before):]
	for {
		literal, _, more, again := workload.CutParameter(rest)
		if !again {
			return strings.HasSuffix(text, literal)
		}
		i := strings.Index(text, literal)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(literal):], more
	}
}
