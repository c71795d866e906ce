package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func (e *env) whoami() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Say which environments you belong to, what you may do in a namespace, and which windows are open for you",
		Long: `Says who the cluster takes you for, of which environments that makes you a member, what you may do about changes in the namespace (of -n, or the
present one), and which windows you could use now.`,
		Example: "  kubectl firebreak whoami -n payments",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.runWhoami(cmd.Context()) },
	}
}

func (e *env) runWhoami(ctx context.Context) error {
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	if named := e.config.overrides.Context.Namespace; named != "" {
		ns = named
	}
	self, err := whoAmI(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "You are %s", plain(self.Username))
	if len(self.Groups) > 0 {
		fmt.Fprintf(e.Out, ", of groups %s", plain(strings.Join(self.Groups, ", ")))
	}
	fmt.Fprint(e.Out, ".\n\n")
	if err := e.printMemberships(ctx, c, ns, self); err != nil {
		return err
	}
	if err := e.printRights(ctx, c, ns); err != nil {
		return err
	}
	return e.printOpenFor(ctx, c, self)
}

// printMemberships says of each environment whether the user is a member, and to which the namespace belongs.
func (e *env) printMemberships(ctx context.Context, c client.Client, ns string, self *authenticationv1.UserInfo) error {
	var all v1alpha1.EnvironmentList
	err := c.List(ctx, &all)
	if apierrors.IsForbidden(err) {
		_, err := fmt.Fprint(e.Out, "You may not list environments, so which you belong to is not known; the ClusterRole firebreak-estate-view gives the right.\n\n")
		return err
	}
	if err != nil {
		return fmt.Errorf("list environments: %w", err)
	}
	labels, labelled := e.labelsOf(ctx, c, ns)
	est := estate.Compile(estate.Input{Environments: all.Items, Namespaces: map[string]map[string]string{ns: labels}})
	id := est.Identity(self.Username, self.Groups)
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENVIRONMENT\tTIER\tYOU ARE")
	for _, env := range est.Environments() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", env.Name, env.Tier, roleIn(id, env))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	m, _ := est.Namespace(ns)
	fmt.Fprintf(e.Out, "\nNamespace %q is in %s", ns, m)
	if !labelled && est.Selecting() != "" {
		fmt.Fprint(e.Out, ", as far as its name tells: you may not see its labels")
	}
	_, err = fmt.Fprintln(e.Out, ".")
	return err
}

func roleIn(id *estate.Identity, env *estate.Environment) string {
	switch {
	case id.Operator[env.Name]:
		return "an operator"
	case id.JobLauncher[env.Name]:
		return "a launcher of Jobs"
	case id.MemberOf(env.Name):
		return "a member"
	}
	return "not a member"
}

// labelsOf returns the labels of a namespace, and false if the user may not see them.
func (e *env) labelsOf(ctx context.Context, c client.Client, ns string) (map[string]string, bool) {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := c.Get(ctx, client.ObjectKey{Name: ns}, o); err != nil {
		return nil, apierrors.IsNotFound(err)
	}
	return o.Labels, true
}

// printRights says what the user may do about changes in a namespace.
func (e *env) printRights(ctx context.Context, c client.Client, ns string) error {
	var may, not []string
	for _, r := range []struct{ verb, what string }{
		{"create", "request change windows"}, {"approve", "approve those of others"}, {"breakglass", "open emergencies"},
	} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: ns, Verb: r.verb, Group: v1alpha1.GroupName, Resource: "changewindows",
		}}}
		if err := c.Create(ctx, review); err != nil {
			return fmt.Errorf("ask what you may do in namespace %q: %w", ns, err)
		}
		if review.Status.Allowed {
			may = append(may, r.what)
		} else {
			not = append(not, r.what)
		}
	}
	if len(may) > 0 {
		fmt.Fprintf(e.Out, "In it you may %s.\n", strings.Join(may, ", "))
	}
	if len(not) > 0 {
		fmt.Fprintf(e.Out, "In it you may not %s.\n", strings.Join(not, ", "))
	}
	return nil
}

// printOpenFor lists the windows that are open and serve the user.
func (e *env) printOpenFor(ctx context.Context, c client.Client, self *authenticationv1.UserInfo) error {
	windows, _, err := e.windowsToSee(ctx, c)
	if err != nil {
		return err
	}
	me := change.Party{Username: self.Username, UID: self.UID, Groups: self.Groups}
	var lines []string
	for i := range windows {
		w := &windows[i]
		if w.Status.Phase != v1alpha1.WindowOpen || !change.Serves(&w.Spec, me) {
			continue
		}
		until := ""
		if w.Status.ClosesAt != nil {
			until = change.Instant(w.Status.ClosesAt.Time)
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s", w.Namespace, w.Name, until, plain(w.Spec.Reason)))
	}
	if len(lines) == 0 {
		_, err := fmt.Fprintf(e.Out, "\nNo window is open for you in %s. kubectl firebreak windows lists what is to come.\n", e.scopeOf())
		return err
	}
	fmt.Fprint(e.Out, "\nOpen for you:\n")
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tWINDOW\tUNTIL\tREASON")
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
