package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func (e *env) audit() *cobra.Command {
	o := checkOptions{audit: true}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Look at what is stored already: what crosses tiers, and which permissions stand",
		Long: `Judges what is stored by the rules of segregation, as of now or --at: objects that were there before a rule spoke, or
whose exemption or gateway has expired since. Then it lists what stands for a time: exemptions, gateways and windows, and
which of them count; and the service accounts with power over production that no Environment lists.

The objects come from --with, or from the cluster of the current kubeconfig; --as-if says what would cross if environments
and data stores were declared otherwise. What an environment only observes or warns of is told, too. Exit status: 0, nothing
crosses; 1, something does; 2, something cannot be judged.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runAudit(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.with, "with", nil, "file or folder with what is stored, the estate included (repeatable)")
	f.StringArrayVar(&o.asIf, "as-if", nil, "file or folder with environments and data stores, such as values of the chart, to judge by instead of those of the same names (repeatable)")
	f.StringVar(&o.at, "at", "", "instant to judge by, in RFC 3339; default: now")
	e.worldFlags(f, &o)
	return cmd
}

func (e *env) runAudit(ctx context.Context, o *checkOptions) error {
	at, err := o.instant(e.clock())
	if err != nil {
		return err
	}
	known, err := e.snapshot(ctx, o, at)
	if err != nil {
		return err
	}
	report := Report{Results: []Result{}}
	for _, r := range known.malformed(declaredFile) {
		report.add(r)
	}
	looked := make(map[types.UID]bool, len(known.stored))
	for _, u := range known.stored {
		looked[u.GetUID()] = true
	}
	for i, u := range known.stored {
		// If the object's controller was read too, its template says the same, and it is audited itself.
		owner := metav1.GetControllerOf(u)
		made := owner != nil && owner.UID != "" && looked[owner.UID]
		if u.GroupVersionKind().Group != v1alpha1.GroupName && !made {
			report.add(known.auditOne(i, u, at))
		}
	}
	for _, kind := range known.unread {
		report.add(Result{File: stored, Kind: kind, Findings: []ResultFinding{}}.undecided(errors.New("you may not list objects of this kind, which the ClusterRole firebreak-doctor allows, so they were not looked at")))
	}
	for _, s := range policy.TimedPermissionsAt(known.view.Estate, known.state, at) {
		report.Standing = append(report.Standing, StandingResult(s))
	}
	for _, s := range policy.UnlistedAt(known.view, known.boundAccounts()) {
		report.Standing = append(report.Standing, StandingResult(s))
	}
	report.worstFirst()
	if err := report.print(e.Out, o.output); err != nil {
		return err
	}
	return report.exit("any")
}

// boundAccounts returns the service accounts that are bound to a role, in the order of their names.
func (k *snapshot) boundAccounts() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(k.accounts), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
}

func (k *snapshot) auditOne(index int, u *unstructured.Unstructured, at time.Time) Result {
	gvk := u.GroupVersionKind()
	r := Result{File: stored, Document: index, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()}
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return r.undecided(fmt.Errorf("encode: %w", err))
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	ns := u.GetNamespace()
	if gvk.Kind == "Namespace" {
		ns = u.GetName()
	}
	d, err := policy.Audit(gvk, plural, ns, u.GetName(), raw, k.view, k.state, at)
	if err != nil {
		return r.undecided(err)
	}
	return r.decided(&policy.Request{Kind: gvk, Resource: plural, Namespace: ns, Name: u.GetName()}, d)
}
