package insider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// refused compares the whole message of a refusal.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("it is admitted, and must be refused: %s", want)
	case plain(err.Error()) != want:
		t.Errorf("refused in other words:\n got %s\nwant %s", plain(err.Error()), want)
	}
}

// plain removes from a message what listed adds to the estate, whichever test calls it first: a list of approvers, and a second
// environment of production.
func plain(says string) string {
	return strings.NewReplacer(`one of group "sre"; `, "", ` (one of group "sre")`, "", `"production" or "vault"`, `"production"`, `"production" and "vault"`, `"production"`).Replace(policy.WithoutDenialID(says))
}

// cannotRun tries the maintenance as a person, and demands that it is refused for lack of a window and that nothing runs.
func cannotRun(t *testing.T, c client.Client, name string, why reason) {
	t.Helper()
	refused(t, c.Create(t.Context(), fixture.Job(name)), maintenance(name, "is started by a person", why))
	notThere(t, name)
}

// runsNoMore tries the maintenance once more under a used window.
func runsNoMore(t *testing.T, c client.Client, name, window string, whom ...string) {
	t.Helper()
	usedUp(t, c.Create(t.Context(), fixture.Job(name)), name, window, whom...)
}

// usedUp compares the refusal of a run under a used window, which also says who used the window, when and for what, and what gives that use
// back.
func usedUp(t *testing.T, err error, name, window string, whom ...string) {
	t.Helper()
	const release, last = `; or, if that came to nothing, have it given back: kubectl firebreak release [0-9a-f-]{36}-0-0`, `: last by [a-z:-]+, to create Job "[a-z-]+", at [0-9-]{10} [0-9:]{8} UTC`
	says := fmt.Sprint(err)
	for _, part := range []string{release, last} {
		shorter := regexp.MustCompile(part).ReplaceAllString(says, "")
		if shorter == says {
			t.Errorf("the refusal lacks %s:\n%s", part, says)
		}
		says = shorter
	}
	refused(t, errors.New(says), byWebhook(fmt.Sprintf("jobs.batch %q", name), fmt.Sprintf(
		"request another window: %s (ExecutionsExhausted: window %q covers this, but it has been used once, which is all that it allows)", command("-f MANIFEST", "payments", whom...), window)))
	notThere(t, name)
}

func notThere(t *testing.T, name string) {
	t.Helper()
	err := as(t, admin).Get(t.Context(), client.ObjectKey{Namespace: fixture.Production, Name: name}, &batchv1.Job{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("Job %s runs: %v", name, err)
	}
}

// maintenance returns the refusal of a Job that no window covers. who names the starter of the Job, if the refusal does.
func maintenance(name, who string, why reason) string {
	what := `it names data store "orders" and runs psql`
	if who != "" {
		what = `it names data store "orders", runs psql and ` + who
	}
	return byWebhook(fmt.Sprintf("jobs.batch %q", name), fmt.Sprintf(
		`%s (ChangeWindowRequired: this is maintenance in "production": %s%s)`, why.remedy, what, why.why))
}

// reason says why no window covers an object, and what to do then.
type reason struct{ why, remedy string }

// notCovered returns the reason why a window covers nothing, and what to do then.
func notCovered(window, since string, whom ...string) reason {
	return reason{fmt.Sprintf("; window %q does not permit it, since %s", window, since), request("payments", whom...)}
}

// outOfScope returns the reason if there is no window at all.
func outOfScope() reason { return reason{"", request("payments")} }

// unapproved returns the reason why a window covers nothing yet. ignored says which approvals do not count, if any.
func unapproved(w *v1alpha1.ChangeWindow, has, required int, ignored string) reason {
	if ignored != "" {
		ignored = " (" + ignored + ")"
	}
	return reason{
		fmt.Sprintf("; window %q does not permit it, since it has %d of %d approvals%s", w.Name, has, required, ignored),
		fmt.Sprintf("have window %q approved by %s: kubectl firebreak approve %s -n %s", w.Name, others(required-has, w.Spec.RequestedBy.Username, "production"), w.Name, w.Namespace),
	}
}

// others names the users that can approve a window of an environment.
func others(n int, not, environment string) string {
	who := "another member"
	if n > 1 {
		who = fmt.Sprintf("%d other members", n)
	}
	return fmt.Sprintf("%s of %q (not %s)", who, environment, not)
}

// request returns the remedy: the command that requests a window.
func request(where string, whom ...string) string {
	return "request a window: " + command("-f MANIFEST", where, whom...)
}

// command returns the command that requests a window; whom says for which machine.
func command(what, where string, whom ...string) string {
	return strings.Join(append([]string{"kubectl firebreak request", what, "-n", where}, whom...), " ")
}

// own returns the refusal of an approval by the requester of the window.
func own(name, window string) string {
	return byWebhook(fmt.Sprintf("changeapprovals.firebreak.dev %q", name), fmt.Sprintf(
		"spec.approver: Forbidden: user \"sam\" requested change window %q, and nobody approves what they requested; ask another person who holds the verb approve on changewindows", window))
}

// noSuchWindow returns the refusal of an approval of a window that does not exist, by its name and UID.
func noSuchWindow(name, namespace, window, uid string) string {
	return fmt.Sprintf("admission webhook %q denied the request: ChangeApproval.firebreak.dev %q is invalid: spec.window: Invalid value: %q: "+
		"namespace %q has no change window of this name with UID %q: it was deleted, or made again; look at what is there, and approve that", "core.firebreak.dev", name, window, namespace, uid)
}

func byWebhook(object, says string) string {
	return fmt.Sprintf("admission webhook %q denied the request: %s is forbidden: %s", "core.firebreak.dev", object, says)
}

func byPolicy(object, policy, says string) string {
	return fmt.Sprintf("%s is forbidden: ValidatingAdmissionPolicy 'firebreak-%s' with binding 'firebreak-%s' denied request: %s", object, policy, policy, says)
}

// kubectl runs kubectl as sam and returns the API server's message, without the path of the manifest.
func kubectl(t *testing.T, args ...string) error {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), configOf(sam), args...)
	if err == nil {
		return nil
	}
	if _, says, ok := strings.Cut(strings.TrimSpace(out), "manifest.yaml\": "); ok {
		return errors.New(says)
	}
	return err
}

// afterwards returns a context for cleaning up when the context of a test is over.
func afterwards(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}

// window returns a window that lets one Job be created, whose name begins with the window's.
func window(t *testing.T, name string, edit ...func(*v1alpha1.ChangeWindow)) *v1alpha1.ChangeWindow {
	t.Helper()
	w, err := fixture.Window(name, name, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(w)
	}
	return w
}

// requested stores a window as a user.
func requested(t *testing.T, user string, w *v1alpha1.ChangeWindow) *v1alpha1.ChangeWindow {
	t.Helper()
	if err := as(t, user).Create(t.Context(), w); err != nil {
		t.Fatalf("request window %s: %v", w.Name, err)
	}
	return w
}

// approvedBy stores an approval as a user.
func approvedBy(t *testing.T, user string, w *v1alpha1.ChangeWindow) *v1alpha1.ChangeApproval {
	t.Helper()
	return spoken(t, user, w, v1alpha1.DecisionApprove)
}

func spoken(t *testing.T, user string, w *v1alpha1.ChangeWindow, d v1alpha1.ApprovalDecision) *v1alpha1.ChangeApproval {
	t.Helper()
	a := word(w, w.Name+"-"+user, d)
	if err := as(t, user).Create(t.Context(), a); err != nil {
		t.Fatalf("%s of %s by %s: %v", d, w.Name, user, err)
	}
	return a
}

// word returns an approval or rejection of a window with a name of its own, so that refusals of it can be compared.
func word(w *v1alpha1.ChangeWindow, name string, d v1alpha1.ApprovalDecision) *v1alpha1.ChangeApproval {
	a := fixture.Word(w, cmp.Or(d, v1alpha1.DecisionApprove))
	a.Name, a.GenerateName = name, ""
	return a
}
