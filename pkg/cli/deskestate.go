package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/overview"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/ui"
)

func (d *desk) Calendar(ctx context.Context, from, until time.Time) (*ui.Calendar, error) {
	e, _, notes := d.quiet()
	windows, _, err := e.windowsToSee(ctx, d.c)
	if err != nil {
		if err := told(notes, "change windows", err); err != nil {
			return nil, err
		}
	}
	freezes, err := e.freezesToSee(ctx, d.c)
	if err != nil {
		return nil, err
	}
	windows = slices.DeleteFunc(windows, func(w v1alpha1.ChangeWindow) bool { return w.Status.Phase == v1alpha1.WindowRejected })
	openings := overview.Openings(windows, freezes, from, until, true)
	out := &ui.Calendar{Openings: overview.Lines(openings, e.clock())}
	for _, h := range overview.Holdings(freezes, from, until) {
		out.Freezes = append(out.Freezes, freezeOf(&h))
	}
	var cal bytes.Buffer
	if err := printICS(&cal, openings, freezes, &windowsOptions{from: from, until: until, location: time.UTC}); err != nil {
		return nil, err
	}
	out.ICS, out.Notes = bytes.Clone(cal.Bytes()), noted(notes)
	cal.Reset()
	public := slices.Clone(openings)
	for i := range public {
		w := *public[i].Window
		w.Spec.Reason, w.Spec.Ticket = "", ""
		public[i].Window = &w
	}
	if err := printICS(&cal, public, freezes, &windowsOptions{from: from, until: until, location: time.UTC}); err != nil {
		return nil, err
	}
	out.PublicICS = cal.Bytes()
	return out, nil
}

func (d *desk) Changes(ctx context.Context, from, until time.Time) (*ui.Changes, error) {
	_, _, notes := d.quiet()
	ns := d.config.overrides.Context.Namespace
	out := &ui.Changes{}
	executions, err := overview.Trail(ctx, d.c, d.home, ns, from, until)
	if err != nil {
		if err := told(notes, "executions", err); err != nil {
			return nil, err
		}
	}
	records, err := overview.Records(ctx, d.c, d.home, ns, from, until)
	if err != nil {
		if err := told(notes, "what was done about windows, freezes and the boundary", err); err != nil {
			return nil, err
		}
	}
	events, err := d.denialsSeen(ctx)
	if err != nil {
		if err := told(notes, "denials", err); err != nil {
			return nil, err
		}
	}
	all := slices.Concat(executions, records)
	overview.Sort(all)
	for i := range all {
		kind := "record"
		if all[i].Execution != "" {
			kind = "execution"
		}
		out.Entries = append(out.Entries, ui.Change{Entry: all[i], Kind: kind})
	}
	for i := range events {
		x := denialOf(&events[i], events[i].Annotations[v1alpha1.AnnotationDenial])
		if x.Last == nil || x.Last.Before(from) || !x.Last.Before(until) {
			continue
		}
		x.read()
		var rules []string
		for _, r := range x.Rules {
			rules = append(rules, r.Rule)
		}
		entry := overview.Entry{At: *x.Last, Who: x.User, Operation: "was denied", Object: x.About, Namespace: x.Namespace, Reason: x.Message}
		if x.Times > 1 {
			entry.State = fmt.Sprintf("%d times", x.Times)
		}
		out.Entries = append(out.Entries, ui.Change{Entry: entry, Kind: "denial", Rule: strings.Join(rules, ", ")})
	}
	slices.SortStableFunc(out.Entries, func(a, b ui.Change) int { return a.At.Compare(b.At) })
	slices.Reverse(out.Entries)
	out.Notes = noted(notes)
	return out, nil
}

func (d *desk) Estate(ctx context.Context) (*ui.Estate, error) {
	e, _, notes := d.quiet()
	out := &ui.Estate{}
	est, _, err := (&patient{Client: d.c, env: e, home: d.home}).compiled(ctx)
	if err != nil {
		if err := told(notes, "environments and namespaces", err); err != nil {
			return nil, err
		}
		out.Notes = noted(notes)
		return out, nil
	}
	index := map[string]int{}
	for _, x := range est.Environments() {
		index[x.Name] = len(out.Environments)
		out.Environments = append(out.Environments, ui.EstateEnvironment{Name: x.Name, Tier: string(x.Tier)})
	}
	for _, ns := range est.NamespaceNames() {
		m, _ := est.Namespace(ns)
		if m.Unassigned() {
			out.Unassigned = append(out.Unassigned, ns)
		}
		for name, i := range index {
			if m.In(name) {
				out.Environments[i].Namespaces = append(out.Environments[i].Namespaces, ns)
			}
		}
	}
	var stores v1alpha1.DataStoreList
	if err := d.c.List(ctx, &stores); err != nil {
		return nil, fmt.Errorf("list data stores: %w", err)
	}
	for i := range stores.Items {
		s := &stores.Items[i]
		if at, ok := index[s.Spec.Environment]; ok {
			out.Environments[at].Stores = append(out.Environments[at].Stores, ui.Store{Name: s.Name, Says: declaredOf(&s.Spec)})
		}
	}
	if out.Permissions, err = d.permissions(ctx); err != nil {
		if err := told(notes, "exemptions", err); err != nil {
			return nil, err
		}
	}
	out.Notes = noted(notes)
	return out, nil
}

// declaredOf says how much of a data store is declared.
func declaredOf(s *v1alpha1.DataStoreSpec) string {
	var out []string
	for _, part := range []struct {
		n    int
		what string
	}{{len(s.Hosts), "host"}, {len(s.CIDRs), "range"}, {len(s.Services), "Service"}, {len(s.ResourceNames), "resource"}} {
		switch part.n {
		case 0:
		case 1:
			out = append(out, "1 "+part.what)
		default:
			out = append(out, fmt.Sprintf("%d %ss", part.n, part.what))
		}
	}
	return strings.Join(out, ", ")
}

// permissions returns the gateways and exemptions, and which of them count now.
func (d *desk) permissions(ctx context.Context) ([]ui.Permission, error) {
	var environments v1alpha1.EnvironmentList
	var exemptions v1alpha1.ExemptionList
	for _, l := range []client.ObjectList{&environments, &exemptions} {
		if err := d.c.List(ctx, l); err != nil {
			return nil, err
		}
	}
	var out []ui.Permission
	for _, t := range policy.TimedPermissionsAt(estate.Compile(estate.Input{Environments: environments.Items, Exemptions: exemptions.Items}), &change.State{}, d.clock()) {
		out = append(out, ui.Permission{Kind: t.Kind, Name: t.Name, Why: t.Why, Counts: t.Counts})
	}
	return out, nil
}

func (d *desk) Crossings(ctx context.Context) (*ui.Crossings, error) {
	e, _, notes := d.quiet()
	at := e.clock()
	k, err := e.snapshot(ctx, &checkOptions{audit: true, home: d.home}, at)
	if err != nil {
		if err := told(notes, "all that audit judges, for which the ClusterRole firebreak-doctor is needed", err); err != nil {
			return nil, err
		}
		return &ui.Crossings{Notes: noted(notes)}, nil
	}
	if len(k.unread) > 0 {
		fmt.Fprintf(notes, "You may not list objects of these kinds, so they are not judged: %s\n", strings.Join(k.unread, ", "))
	}
	out := &ui.Crossings{}
	for _, r := range k.deniedAt(at) {
		from, _ := k.view.Estate.Namespace(r.Namespace)
		for _, f := range r.Findings {
			c := ui.Crossing{Object: strings.ToLower(r.Kind) + "/" + r.Name, Namespace: r.Namespace, Rule: f.Rule, Says: f.Message, To: f.Environment}
			if len(from.Environments) > 0 {
				c.From = from.Environments[0].Name
			}
			out.All = append(out.All, c)
		}
	}
	out.Notes = noted(notes)
	return out, nil
}
