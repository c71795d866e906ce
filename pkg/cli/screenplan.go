package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// plan prints everything that the plan pins, and for what exists already, what changes.
func (s *screen) plan(ctx context.Context) {
	if s.w.Spec.Plan == nil {
		if planned(s.w.Spec.Scope.Operations) {
			s.line("plan", "none: whatever is in scope may run")
		} else {
			s.line("plan", "none: it runs nothing new")
		}
		return
	}
	printed := map[string]string{}
	for i := range s.w.Spec.Plan.Workloads {
		p := &s.w.Spec.Plan.Workloads[i]
		name := plain(fmt.Sprintf("%s %s", p.Kind, join(p.Names)))
		s.line("plan", entryLine(p, name))
		if p.Rollback && s.isStored(ctx, p) {
			fmt.Fprintf(s.Out, "                (what is stored now)\n")
			continue
		}
		if same := printed[p.Digest]; same != "" && len(p.Fields) > 0 {
			fmt.Fprintf(s.Out, "                the same as %s\n", same)
			continue
		}
		printed[p.Digest] = name
		for _, l := range append(fieldLines(p), imageLines(p)...) {
			fmt.Fprintf(s.Out, "                %s\n", l)
		}
		s.compare(ctx, p)
	}
}

// entryLine says what an entry is for, and how often.
func entryLine(p *v1alpha1.PlannedWorkload, name string) string {
	out := name
	if p.MadeBy != nil {
		out += plain(fmt.Sprintf(", as the schedule of %s %s makes it", p.MadeBy.Kind, p.MadeBy.Name))
	}
	if p.Rollback {
		out = "the way back of " + out
	}
	out += " " + p.Digest
	return out + timesOf(p.Executions)
}

func timesOf(n *int32) string {
	if n == nil || *n == 1 {
		return ""
	}
	return fmt.Sprintf(", %d times", *n)
}

// isStored reports whether what an entry pins is what is stored now.
func (s *screen) isStored(ctx context.Context, p *v1alpha1.PlannedWorkload) bool {
	_, now := s.stored(ctx, p)
	return now != nil && now.Digest == p.Digest
}

// fieldLines returns the lines of all fields of an entry.
func fieldLines(p *v1alpha1.PlannedWorkload) []string {
	if len(p.Fields) == 0 {
		return []string{"NOT SHOWN, since the window says nothing but the digest; compare it with: kubectl firebreak approve WINDOW -f FILE"}
	}
	var out []string
	for _, f := range p.Fields {
		out = append(out, fieldOf(p, f)...)
	}
	return out
}

// imageLines says which other images may run in the place of those in the plan.
func imageLines(p *v1alpha1.PlannedWorkload) []string {
	var out []string
	for _, l := range p.Images {
		out = append(out, plain(fmt.Sprintf("image %s may be any of:", l.Repository)))
		for _, d := range l.Digests {
			out = append(out, "  "+plain(d))
		}
	}
	return out
}

func fieldOf(p *v1alpha1.PlannedWorkload, f v1alpha1.PlannedField) []string {
	path := plain(f.Path)
	switch old := strings.HasPrefix(p.Digest, change.DigestVersion+":"); {
	case old && f.Text == "":
		return []string{path + ": pinned by digest " + plain(f.Digest) + ", and not said: the window was requested with an older version"}
	case !old && f.Value == "":
		return []string{path + ": NOT SHOWN (digest " + plain(f.Digest) + "), since the window does not say it; compare it with: kubectl firebreak approve WINDOW -f FILE"}
	case old:
		return []string{path + " = " + plain(f.Text)}
	}
	lines := said(f.Value)
	if len(lines) == 1 {
		return []string{path + " = " + lines[0]}
	}
	out := []string{path + ":"}
	for _, l := range lines {
		out = append(out, "  | "+l)
	}
	return out
}

// unsaid returns what a window pins and does not say, but for the entries whose digests were compared with a manifest.
func unsaid(w *v1alpha1.ChangeWindow, compared []string) []string {
	if w.Spec.Plan == nil {
		return nil
	}
	var out []string
	for _, p := range w.Spec.Plan.Workloads {
		name := plain(fmt.Sprintf("%s %s", p.Kind, join(p.Names)))
		switch {
		case slices.Contains(compared, p.Digest):
			continue
		case len(p.Fields) == 0:
			out = append(out, "all of "+name)
		}
		for _, f := range p.Fields {
			if f.Text == "" && f.Value == "" {
				out = append(out, plain(f.Path)+" of "+name)
			}
		}
	}
	if len(out) > maxUnsaid {
		out = append(out[:maxUnsaid], fmt.Sprintf("and %d more", len(out)-maxUnsaid))
	}
	return out
}

// maxUnsaid is how many fields an error names.
const maxUnsaid = 8

// compare prints how an entry differs from what is stored under its name, or else from what ran last under that name.
func (s *screen) compare(ctx context.Context, p *v1alpha1.PlannedWorkload) {
	if len(p.Fields) == 0 || p.Rollback || len(p.Names) != 1 || strings.ContainsAny(string(p.Names[0]), "*?") {
		return
	}
	what, before := s.stored(ctx, p)
	if before == nil && !change.Pins(p.Group, p.Kind) {
		what, before = s.last(ctx, p)
	}
	if before == nil {
		fmt.Fprintf(s.Out, "                (%s)\n", what)
		return
	}
	then := strings.Join(fieldLines(before), "\n") + "\n"
	now := strings.Join(fieldLines(p), "\n") + "\n"
	if before.Digest == p.Digest {
		fmt.Fprintf(s.Out, "                (the same as %s)\n", what)
		return
	}
	fmt.Fprintf(s.Out, "                (what changes, compared with %s)\n", what)
	for l := range strings.Lines(udiff.Unified(what, "this plan", then, now)) {
		fmt.Fprintf(s.Out, "                %s\n", strings.TrimSuffix(l, "\n"))
	}
}

// stored returns the plan of the object that exists under the name of an entry, by the entry's algorithm.
func (s *screen) stored(ctx context.Context, p *v1alpha1.PlannedWorkload) (string, *v1alpha1.PlannedWorkload) {
	gvk, namespace, err := served(s.c, schema.GroupKind{Group: p.Group, Kind: p.Kind}, opened(s.w)[0])
	if err != nil {
		return err.Error(), nil
	}
	of, why, err := storedPlan(ctx, s.c, namespace, gvk, string(p.Names[0]))
	switch {
	case err != nil:
		return err.Error(), nil
	case why != "":
		return why, nil
	case of == nil || of.By(p.Digest) == nil:
		return "what is stored cannot be compared", nil
	}
	by := of.By(p.Digest)
	return "what is stored", &v1alpha1.PlannedWorkload{ScopedResource: p.ScopedResource, Digest: by.Digest, Fields: by.Fields}
}

// served returns the version in which a kind is served, and the namespace of its objects: none if they lie in no namespace.
func served(c client.Client, gk schema.GroupKind, namespace string) (schema.GroupVersionKind, string, error) {
	if k, ok := workload.KindOf(gk); ok {
		return k.GroupVersionKind(), namespace, nil
	}
	m, err := c.RESTMapper().RESTMapping(gk)
	if err != nil {
		return schema.GroupVersionKind{}, "", fmt.Errorf("what is stored cannot be read: %w", err)
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		namespace = ""
	}
	return m.GroupVersionKind, namespace, nil
}

// last returns the entry for an object of the same name in the window that was used for it last.
func (s *screen) last(ctx context.Context, p *v1alpha1.PlannedWorkload) (string, *v1alpha1.PlannedWorkload) {
	var list v1alpha1.ChangeWindowList
	if err := s.c.List(ctx, &list, client.InNamespace(s.w.Namespace)); err != nil {
		return fmt.Sprintf("nothing of that name exists, and earlier windows cannot be read: %v", err), nil
	}
	var used *v1alpha1.ChangeWindow
	var entry *v1alpha1.PlannedWorkload
	for i := range list.Items {
		w := &list.Items[i]
		if w.UID == s.w.UID || w.Spec.Plan == nil || w.Status.Executions.Count == 0 || used != nil && w.CreationTimestamp.Before(&used.CreationTimestamp) {
			continue
		}
		for k := range w.Spec.Plan.Workloads {
			if e := &w.Spec.Plan.Workloads[k]; e.Group == p.Group && e.Kind == p.Kind && join(e.Names) == join(p.Names) && len(e.Fields) > 0 {
				used, entry = w, e
			}
		}
	}
	if used == nil {
		return "no window was used for it before", nil
	}
	return fmt.Sprintf("what ran under window %s", used.Name), entry
}
