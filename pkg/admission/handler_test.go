package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// memory holds one small estate.
type memory struct {
	cluster *policy.ClusterView
	err     error
}

func (m memory) View() (*policy.ClusterView, error) { return m.cluster, m.err }
func (memory) Seen(types.UID)                       {}

func degraded() *policy.ClusterView {
	w := small()
	w.Degraded = func() string { return "1 data store vanished" }
	return w
}

func small() *policy.ClusterView {
	environment := func(name string, tier v1alpha1.Tier, ns string) v1alpha1.Environment {
		return v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{v1alpha1.Glob(ns)}},
				Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}},
			},
		}
	}
	return policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{
			environment("production", v1alpha1.TierProduction, "payments"), environment("development", v1alpha1.TierNonProduction, "dev"),
		},
		DataStores: []v1alpha1.DataStore{{
			ObjectMeta: metav1.ObjectMeta{Name: "orders"},
			Spec:       v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.db.example.com"}},
		}},
		Namespaces: map[string]map[string]string{"payments": nil, "dev": nil},
		Cluster:    "prod-eu-1", FirebreakNamespace: "firebreak-system",
	}))
}

// live answers every live read with an error, or panics.
type live struct{ panics bool }

var errDown = errors.New("the API server does not answer")

func (l live) State(context.Context, *policy.PreparedRequest, string) (*change.State, error) {
	if l.panics {
		panic("boom")
	}
	return nil, errDown
}
func (live) Again(context.Context, *change.State, time.Time, string, string, []string) error {
	return errDown
}
func (live) Read(context.Context, *policy.Missing, *policy.ClusterView, *policy.Facts) error {
	return errDown
}

type noLedger struct{}

func (noLedger) Reserve(context.Context, ledger.ReservationRequest) (*ledger.Reservation, error) {
	return nil, errDown
}
func (noLedger) Write(context.Context, *v1alpha1.ChangeRecordSpec, string, time.Time) error {
	return errDown
}
func (noLedger) Release(context.Context, *ledger.Reservation) error { return errDown }

type witness struct{ outcomes []admission.Outcome }

func (w *witness) Record(_ context.Context, o admission.Outcome) { w.outcomes = append(w.outcomes, o) }

func newHandler(m memory, l admission.Live) *admission.Handler {
	return &admission.Handler{
		Cache: m, Live: l, Ledger: noLedger{}, Recorder: &witness{}, Metrics: admission.NewMetrics(prometheus.NewRegistry()),
		Clock: time.Now, Log: logr.Discard(), Deadline: 200 * time.Millisecond,
		Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Second, 2),
	}
}

func review(user, group, ns string, op admissionv1.Operation, object string) ctrladmission.Request {
	return ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "r", Operation: op, Namespace: ns, Name: "reindex",
		Kind:     metav1.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"},
		Resource: metav1.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"},
		UserInfo: authenticationv1.UserInfo{Username: user, Groups: []string{group}},
		Object:   runtime.RawExtension{Raw: []byte(object)},
	}}
}

const jobFor = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"reindex"},"spec":{"template":{"spec":{"containers":[` +
	`{"name":"main","image":"x","env":[{"name":"URL","value":"postgres://u:sentinel-password@%s/orders"}]}]}}}}`

func TestAnswers(t *testing.T) {
	prod := fmt.Sprintf(jobFor, "orders.prod.db.example.com")
	cases := map[string]struct {
		reason  string
		memory  memory
		live    live
		req     ctrladmission.Request
		code    int32
		retry   int32
		message string
	}{
		"a denial": {
			reason: "the sentence is for a person at a terminal", memory: memory{small(), nil},
			req: review("dana", "developers", "dev", admissionv1.Create, prod), code: http.StatusForbidden,
			message: `jobs.batch "reindex" is forbidden: use a data store of "development" (DataStoreAcrossTiers: env "URL" names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development")`,
		},
		"a denial by what vanished": {
			reason: "whoever is denied should not look in vain for the data store", memory: memory{degraded(), nil},
			req: review("dana", "developers", "dev", admissionv1.Create, prod), code: http.StatusForbidden,
			message: `jobs.batch "reindex" is forbidden: use a data store of "development" (DataStoreAcrossTiers: env "URL" names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"); note: 1 data store vanished`,
		},
		"before the caches are synced": {
			reason: "a replica that knows nothing must not admit", memory: memory{small(), errors.New("Firebreak has just started and does not know the cluster yet; try again")},
			req: review("sam", "sre", "payments", admissionv1.Create, prod), code: http.StatusServiceUnavailable, retry: 2,
			message: "Firebreak has just started and does not know the cluster yet; try again",
		},
		"a failed live read": {
			reason: "that nothing could be read is not that there is no window", memory: memory{small(), nil},
			req: review("sam", "sre", "payments", admissionv1.Create, prod), code: http.StatusServiceUnavailable, retry: 2,
			message: `jobs.batch "reindex" is refused for now: Firebreak could not read from the API server what it judges this by; try again`,
		},
		"an unknown namespace that cannot be read": {
			reason: "unknown is not unassigned", memory: memory{small(), nil},
			req: review("sam", "sre", "brand-new", admissionv1.Create, prod), code: http.StatusServiceUnavailable, retry: 2,
			message: `jobs.batch "reindex" is refused for now: Firebreak could not read from the API server what it judges this by; try again`,
		},
		"a panic": {
			reason: "it denies the one request that caused it", memory: memory{small(), nil}, live: live{panics: true},
			req: review("sam", "sre", "payments", admissionv1.Create, prod), code: http.StatusInternalServerError,
			message: "Firebreak failed while judging this request; it is refused, and the failure is in Firebreak's log",
		},
		"an object that is none": {
			reason: "what cannot be read is refused", memory: memory{small(), nil},
			req: review("sam", "sre", "payments", admissionv1.Create, `{"spec":{"template":7}}`), code: http.StatusBadRequest,
			message: `jobs.batch "reindex" is refused: Firebreak cannot read it (`,
		},
		"no object at all": {
			reason: "malformed reviews must not panic", memory: memory{small(), nil},
			req: review("sam", "sre", "payments", admissionv1.Create, ``), code: http.StatusBadRequest,
			message: `jobs.batch "reindex" is refused: Firebreak cannot read it (the request carries no object); correct the manifest, or tell those who run Firebreak`,
		},
		"null objects": {
			reason: "malformed reviews must not panic", memory: memory{small(), nil},
			req: review("sam", "sre", "payments", admissionv1.Delete, `null`), code: http.StatusBadRequest,
			message: `jobs.batch "reindex" is refused: Firebreak cannot read it (the request carries no object); correct the manifest, or tell those who run Firebreak`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			resp := newHandler(tc.memory, tc.live).Handle(t.Context(), tc.req)
			if resp.Allowed {
				t.Fatalf("admitted: %s", tc.reason)
			}
			if resp.Result.Code != tc.code || !strings.HasPrefix(resp.Result.Message, tc.message) {
				t.Errorf("got %d %q,\nwant %d %q: %s", resp.Result.Code, resp.Result.Message, tc.code, tc.message, tc.reason)
			}
			var retry int32
			if resp.Result.Details != nil {
				retry = resp.Result.Details.RetryAfterSeconds
			}
			if retry != tc.retry {
				t.Errorf("retry after %d s, want %d: %s", retry, tc.retry, tc.reason)
			}
			if raw, err := json.Marshal(resp); err != nil || strings.Contains(string(raw), "sentinel-password") {
				t.Errorf("the answer repeats a credential: %s (%v)", raw, err)
			}
		})
	}
}

func TestControllersAreThrottled(t *testing.T) {
	h := newHandler(memory{small(), nil}, live{})
	req := review("system:kube-controller-manager", "system:authenticated", "payments", admissionv1.Create, fmt.Sprintf(jobFor, "orders.prod.db.example.com"))
	var codes []int32
	for range 3 {
		codes = append(codes, h.Handle(t.Context(), req).Result.Code)
	}
	if codes[0] != http.StatusServiceUnavailable || codes[2] != http.StatusTooManyRequests {
		t.Errorf("got %v: the third set of reads within a second is refused with a retry", codes)
	}
}

func TestLimiter(t *testing.T) {
	l := admission.NewLimiter(time.Second, 2)
	at := time.Unix(0, 0)
	got := []bool{l.Allow("a", at), l.Allow("a", at), l.Allow("a", at), l.Allow("b", at), l.Allow("a", at.Add(time.Second)), l.Allow("a", at.Add(time.Second))}
	want := []bool{true, true, false, true, true, false}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStamper(t *testing.T) {
	cases := map[string]struct {
		reason, kind, object string
		path                 string
	}{
		"a window without a stamp":   {"it is put in", v1alpha1.KindChangeWindow, `{"spec":{}}`, "/spec/requestedBy"},
		"a window with a forged one": {"it is overwritten", v1alpha1.KindChangeWindow, `{"spec":{"requestedBy":{"username":"robin"}}}`, "/spec/requestedBy"},
		"an approval":                {"its field has another name", v1alpha1.KindChangeApproval, `{"spec":{}}`, "/spec/approver"},
		"a kind without stamps":      {"nothing is changed", v1alpha1.KindEnvironment, `{"spec":{}}`, ""},
		"an object without a spec":   {"the schema refuses it", v1alpha1.KindChangeWindow, `{}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := review("sam", "sre", "payments", admissionv1.Create, tc.object)
			req.Kind.Kind = tc.kind
			resp := admission.Stamper{}.Handle(t.Context(), req)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			if tc.path == "" {
				if len(resp.Patches) != 0 {
					t.Errorf("patched %v: %s", resp.Patches, tc.reason)
				}
				return
			}
			if len(resp.Patches) != 1 || resp.Patches[0].Path != tc.path {
				t.Fatalf("patched %v, want %s: %s", resp.Patches, tc.path, tc.reason)
			}
			if s, ok := resp.Patches[0].Value.(v1alpha1.Stamp); !ok || s.Username != "sam" {
				t.Errorf("stamped %+v, want sam: %s", resp.Patches[0].Value, tc.reason)
			}
		})
	}
}

// seen remembers which objects a request proved to exist.
type seen struct {
	memory
	uids *[]types.UID
}

func (s seen) Seen(uid types.UID) { *s.uids = append(*s.uids, uid) }

// A namespace that was made a moment ago is read once, and then its requests are judged as those of any other.
func TestANewNamespaceIsReadOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		labels map[string]string
		code   int32
	}{
		"of production": {"its label makes it production's: this is maintenance", map[string]string{"env": "production"}, http.StatusForbidden},
		"of nobody":     {"it may not reach production's store either", map[string]string{}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "brand-new", Labels: tc.labels}})
			req := reindex()
			req.Namespace = "brand-new"
			resp := x.Handle(t.Context(), req)
			if resp.Allowed || resp.Result.Code != tc.code {
				t.Fatalf("the answer is %+v: %s", resp.AdmissionResponse, tc.reason)
			}
			maintenance := strings.Contains(resp.Result.Message, `this is maintenance in "production"`)
			if maintenance != (tc.labels["env"] == "production") {
				t.Errorf("it says %q: %s", resp.Result.Message, tc.reason)
			}
			n := 0
			for _, c := range x.api.sorted() {
				if c == "get Namespace /brand-new" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("the namespace is read %d times", n)
			}
		})
	}
}

// A request whose time is over is refused with a retry, whatever it still waits for.
func TestTheDeadline(t *testing.T) {
	x := newTrial(t)
	goOn := make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	x.Deadline = 20 * time.Millisecond
	x.api.meanwhile = func(string) error {
		<-goOn
		return nil
	}
	checkAnswer(t, x.Handle(t.Context(), reindex()), http.StatusServiceUnavailable, notNow, "it must be answered before the API server gives it up")
	if got := x.logged(); !strings.Contains(got, `"error"="context deadline exceeded"`) {
		t.Errorf("the log says %s", got)
	}
}

// A panic is counted and logged with its place, and the next request is judged as ever.
func TestAPanicIsAccounted(t *testing.T) {
	x := newTrial(t)
	fine := x.Live
	x.Live = live{panics: true}
	resp := x.Handle(t.Context(), reindex())
	const want = "Firebreak failed while judging this request; it is refused, and the failure is in Firebreak's log"
	checkAnswer(t, resp, http.StatusInternalServerError, want, "what cannot be judged is refused")
	if got := x.logged(); !strings.HasPrefix(got, `"msg"="judging a request panicked" "error"="panic: boom" "resource"="jobs" "namespace"="payments" "name"="reindex" "stack"=`) || !strings.Contains(got, "handler_test.go") {
		t.Errorf("the log says %s", got)
	}
	if x.counted("panics_total") != 1 || x.counted("admission_requests_total") != 1 || len(x.told.outcomes) != 0 {
		t.Errorf("%v panics of %v requests are counted", x.counted("panics_total"), x.counted("admission_requests_total"))
	}
	x.Live = fine
	if resp := x.Handle(t.Context(), reindex()); resp.Result.Code != http.StatusForbidden || x.counted("panics_total") != 1 {
		t.Errorf("the next request is answered %+v", resp.Result)
	}
}

// A request that no further read can decide is forbidden, not put off.
func TestTheUndecidable(t *testing.T) {
	x := newTrial(t)
	var maps []string
	for i := range 17 {
		maps = append(maps, fmt.Sprintf(`{"configMapRef":{"name":"large-%02d"}}`, i))
	}
	w := guarded()
	w.ConfigMaps = func(string, string) (reference.Contents, bool) { return reference.Contents{Large: true}, true }
	x.Cache = memory{w, nil}
	req := reindex()
	req.Object.Raw = []byte(strings.Replace(reindexJob, `"image":"postgres:17"`, `"image":"postgres:17","envFrom":[`+strings.Join(maps, ",")+`]`, 1))
	resp := x.Handle(t.Context(), req)
	if resp.Allowed || resp.Result.Code != http.StatusForbidden || resp.Result.Details != nil || len(x.api.calls) != 0 ||
		!strings.HasPrefix(resp.Result.Message, `jobs.batch "reindex" is forbidden: ConfigMap "large-00", `) ||
		!strings.HasSuffix(said(resp), `cannot be read for what it names: it is too large; split it, or take out of it what no program reads`) {
		t.Errorf("the answer is %+v, the calls are %q", resp.Result, x.api.calls)
	}
	if x.counted("undecided_total") != 1 {
		t.Errorf("%v undecided", x.counted("undecided_total"))
	}
}

// An object that a request proves to exist is noted before the request is judged.
func TestWhatExistsIsNoted(t *testing.T) {
	for name, tc := range map[string]struct {
		op   admissionv1.Operation
		want string
	}{
		"a creation proves nothing":       {admissionv1.Create, "[]"},
		"a deletion proves what goes":     {admissionv1.Delete, "[job-1]"},
		"an update proves what was there": {admissionv1.Update, "[job-1]"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t)
			uids := []types.UID{}
			x.Cache = seen{memory{guarded(), nil}, &uids}
			req := reindex()
			req.Operation = tc.op
			if tc.op != admissionv1.Create {
				req.OldObject.Raw = []byte(reindexJob)
			}
			if tc.op == admissionv1.Delete {
				req.Object.Raw = nil
			}
			x.Handle(t.Context(), req)
			if got := fmt.Sprint(uids); got != tc.want {
				t.Errorf("noted: %s, want %s", got, tc.want)
			}
		})
	}
}

// An object whose name is to be generated is called by its prefix, also where it could not be judged.
func TestAnObjectWithoutANameIsCalledByWhatItBeginsWith(t *testing.T) {
	x := newTrial(t)
	req := reindex()
	req.Name = ""
	req.Object.Raw = []byte(`{"metadata":{"generateName":"reindex-"},"spec":{"template":{"spec":{"containers":7}}}}`)
	if resp := x.Handle(t.Context(), req); resp.Allowed || !strings.HasPrefix(resp.Result.Message, `jobs.batch "reindex-" is refused: Firebreak cannot read it`) {
		t.Errorf("admitted: %t, %v", resp.Allowed, resp.Result)
	}
}
