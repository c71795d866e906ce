package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
	"github.com/firebreak-dev/firebreak/pkg/ui"
)

// desk reads and acts for the page in one cluster, as the commands do and with the same rights.
type desk struct {
	*env
	c    client.Client
	home string

	mu sync.Mutex
	// diagnoses are what doctor found at examined: its many looks are not repeated for every page.
	diagnoses []Diagnosis
	examined  time.Time

	// vmu guards version, which was the present one at versioned.
	vmu       sync.Mutex
	version   string
	versioned time.Time
}

const (
	// examineAgain is how long what doctor found is shown, and examineWithin how long its looks may take.
	examineAgain, examineWithin = 30 * time.Second, 30 * time.Second
	// versionAgain is how long a version is taken for the present one: all pages of a viewer ask for it.
	versionAgain = 2 * time.Second
)

// quiet returns an environment whose output is kept, for one reading.
func (d *desk) quiet() (e *env, said, notes *bytes.Buffer) {
	said, notes = &bytes.Buffer{}, &bytes.Buffer{}
	quiet := *d.env
	quiet.Out, quiet.ErrOut, quiet.In, quiet.fixed = said, notes, strings.NewReader(""), d.c
	return &quiet, said, notes
}

// noted returns what was said on the side, a line each.
func noted(b *bytes.Buffer) []string {
	var out []string
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// told keeps what somebody may not see as a note. Any other error is one.
func told(notes *bytes.Buffer, what string, err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		fmt.Fprintf(notes, "You may not see %s: %v\n", what, err)
		return nil
	}
	return err
}

func (d *desk) Now(ctx context.Context) (*ui.Now, error) {
	e, _, notes := d.quiet()
	out := &ui.Now{}
	self, err := whoAmI(ctx, d.c)
	if err != nil {
		return nil, err
	}
	out.Viewer = self.Username
	if err := d.environments(ctx, e, notes, out); err != nil {
		return nil, err
	}
	out.Diagnoses = d.worst(ctx, &patient{Client: d.c, env: e, home: d.home})
	if out.Denials, err = d.deniedLately(ctx); err != nil {
		if err := told(notes, "denials", err); err != nil {
			return nil, err
		}
	}
	out.Notes = noted(notes)
	return out, nil
}

// environments says of each environment what is open and frozen.
func (d *desk) environments(ctx context.Context, e *env, notes *bytes.Buffer, out *ui.Now) error {
	est, _, err := (&patient{Client: d.c, env: e, home: d.home}).compiled(ctx)
	if err != nil {
		if err := told(notes, "environments and namespaces", err); err != nil {
			return err
		}
	}
	windows, _, err := e.windowsToSee(ctx, d.c)
	if err != nil {
		if err := told(notes, "change windows", err); err != nil {
			return err
		}
	}
	freezes, err := e.freezesToSee(ctx, d.c)
	if err != nil {
		return err
	}
	if est != nil {
		at := e.clock()
		openings, holdings := overview.Openings(windows, freezes, at, at.Add(horizon), false), overview.Holdings(freezes, at, at.Add(horizon))
		for _, x := range est.Environments() {
			row := nowOf(x.Name, openings, holdings, at)
			row.Tier = string(x.Tier)
			for _, ns := range est.NamespaceNames() {
				if m, _ := est.Namespace(ns); m.In(x.Name) {
					row.Namespaces++
				}
			}
			out.Environments = append(out.Environments, row)
		}
		slices.SortStableFunc(out.Environments, func(a, b ui.Environment) int { return tierRank(a.Tier) - tierRank(b.Tier) })
	}
	return nil
}

// tierRank orders tiers, production first.
func tierRank(tier string) int {
	return slices.Index([]string{string(v1alpha1.TierProduction), string(v1alpha1.TierShared), string(v1alpha1.TierNonProduction)}, tier)
}

// nowOf says of an environment what is open and frozen: an opening counts while no freeze over it holds.
func nowOf(name string, openings []overview.Opening, holdings []overview.Holding, at time.Time) ui.Environment {
	row := ui.Environment{Name: name}
	for i := range holdings {
		if h := &holdings[i]; h.At(at) && slices.Contains(h.Freeze.Spec.Environments, name) {
			row.Frozen = append(row.Frozen, freezeOf(h))
		}
	}
	for i := range openings {
		o := &openings[i]
		if o.Window.Spec.Environment != name {
			continue
		}
		line := o.Line(at)
		switch {
		case !o.At(at):
			if row.Next == nil {
				row.Next = &line
			}
		case strings.HasPrefix(line.State, "open"):
			row.Open = append(row.Open, line)
			if end := usableUntil(o, at); end.After(row.Until) {
				row.Until = end
			}
		}
	}
	return row
}

// usableUntil returns when an opening that is in progress ends, or a freeze over it begins.
func usableUntil(o *overview.Opening, at time.Time) time.Time {
	end := o.End
	for _, f := range o.Frozen {
		if f.Start.After(at) && f.Start.Before(end) && !o.Window.Spec.OverridesFreeze {
			end = f.Start
		}
	}
	return end
}

func freezeOf(h *overview.Holding) ui.Freeze {
	f := ui.Freeze{Name: h.Freeze.Name, Namespaces: join(h.Freeze.Spec.Namespaces), Reason: h.Freeze.Spec.Reason, Environments: h.Freeze.Spec.Environments, Start: h.Start, End: h.End}
	if by := h.Freeze.Spec.RequestedBy; by != nil {
		f.By = by.Username
	}
	return f
}

// worst returns what doctor finds wrong, as far as the viewer may see.
func (d *desk) worst(ctx context.Context, p *patient) []ui.Diagnosis {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := d.clock(); at.Sub(d.examined) > examineAgain {
		// Whoever asked may leave; what is found is for others, too.
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), examineWithin)
		defer cancel()
		found := p.diagnose(within)
		if within.Err() != nil {
			return []ui.Diagnosis{{Level: levelUnknown, About: "doctor", Says: "its looks took too long", Remedy: "kubectl firebreak doctor"}}
		}
		d.diagnoses, d.examined = found, at
	}
	var out []ui.Diagnosis
	for _, x := range d.diagnoses {
		if x.Level == levelBad || x.Level == levelWarn {
			out = append(out, ui.Diagnosis(x))
		}
	}
	return out[:min(len(out), 8)]
}

// denialsSeen returns the Events that tell of denials, of all namespaces, or of the present one where the viewer may not see all.
func (d *desk) denialsSeen(ctx context.Context) ([]corev1.Event, error) {
	all, err := listEvents(ctx, d.c, d.config.overrides.Context.Namespace, client.MatchingFields{"source": "firebreak"})
	if apierrors.IsForbidden(err) {
		ns, _, nsErr := d.config.loader().Namespace()
		if nsErr != nil {
			return nil, fmt.Errorf("read the namespace of the kubeconfig: %w", nsErr)
		}
		all, err = listEvents(ctx, d.c, ns, client.MatchingFields{"source": "firebreak"})
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e corev1.Event) bool { return e.Annotations[v1alpha1.AnnotationDenial] == "" }), nil
}

func (d *desk) deniedLately(ctx context.Context) ([]ui.Denials, error) {
	events, err := d.denialsSeen(ctx)
	if err != nil {
		return nil, err
	}
	since := d.clock().Add(-time.Hour)
	byRule := map[string]*ui.Denials{}
	for i := range events {
		x := denialOf(&events[i], events[i].Annotations[v1alpha1.AnnotationDenial])
		if x.Last == nil || x.Last.Before(since) {
			continue
		}
		x.read()
		for _, r := range x.Rules {
			row := byRule[r.Rule]
			if row == nil {
				row = &ui.Denials{Rule: r.Rule}
				byRule[r.Rule] = row
			}
			row.Count += int(x.Times)
			if x.Last.After(row.Last) {
				row.Last, row.Example = *x.Last, x.Message
			}
		}
	}
	var out []ui.Denials
	for _, row := range byRule {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b ui.Denials) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Rule, b.Rule)) })
	return out, nil
}

func (d *desk) Waiting(ctx context.Context) (*ui.Waiting, error) {
	e, _, notes := d.quiet()
	self, err := whoAmI(ctx, d.c)
	if err != nil {
		return nil, err
	}
	out := &ui.Waiting{}
	all, err := e.waiting(ctx, d.c)
	if err != nil {
		if err := told(notes, "change windows", err); err != nil {
			return nil, err
		}
		out.Notes = noted(notes)
		return out, nil
	}
	done, err := overview.Trail(ctx, d.c, d.home, "", time.Time{}, e.clock())
	if err != nil {
		if err := told(notes, "what was done under emergencies", err); err != nil {
			return nil, err
		}
	}
	for i := range all {
		line := overview.LineOf(&all[i])
		if all[i].Spec.Type != v1alpha1.WindowEmergency {
			out.Approve = append(out.Approve, line)
			continue
		}
		out.Review = append(out.Review, ui.Emergency{WindowLine: line, Done: doneUnder(&all[i], done)})
	}
	windows, _, err := e.windowsToSee(ctx, d.c)
	if err != nil {
		return nil, err
	}
	me := v1alpha1.Stamp{Username: self.Username, UID: self.UID}
	for i := range windows {
		if w := &windows[i]; w.Spec.RequestedBy != nil && change.SamePerson(w.Spec.RequestedBy, &me) && !overview.Dead(w) {
			out.Own = append(out.Own, overview.LineOf(w))
		}
	}
	out.Notes = noted(notes)
	return out, nil
}

// doneUnder returns what was done under a window.
func doneUnder(w *v1alpha1.ChangeWindow, all []overview.Entry) []overview.Entry {
	var out []overview.Entry
	for i := range all {
		if all[i].Window == w.Namespace+"/"+w.Name {
			out = append(out, all[i])
		}
	}
	return out
}

// Version is made of the names and versions of what the pages show, and of the minute, in which windows open and close.
func (d *desk) Version(ctx context.Context) (string, error) {
	d.vmu.Lock()
	defer d.vmu.Unlock()
	at := d.clock()
	if at.Sub(d.versioned) < versionAgain {
		return d.version, nil
	}
	h := fnv.New64a()
	fmt.Fprintln(h, at.Unix()/60)
	for _, kind := range []string{v1alpha1.KindChangeWindow, v1alpha1.KindChangeApproval, v1alpha1.KindChangeFreeze, v1alpha1.KindChangeExecution, v1alpha1.KindChangeRecord, v1alpha1.KindEnvironment} {
		l := &metav1.PartialObjectMetadataList{}
		l.SetGroupVersionKind(v1alpha1.GVK(kind + "List"))
		ns := ""
		if kind == v1alpha1.KindChangeExecution || kind == v1alpha1.KindChangeRecord {
			ns = d.home
		}
		err := d.c.List(ctx, l, client.InNamespace(ns))
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("look for changes: %w", err)
		}
		for i := range l.Items {
			fmt.Fprintln(h, l.Items[i].UID, l.Items[i].ResourceVersion)
		}
	}
	d.version, d.versioned = fmt.Sprintf("%x", h.Sum64()), at
	return d.version, nil
}
