package ledger

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// ask sends one replica a dry run, which reserves nothing, and returns what the replica says would be needed. It is empty if the
// request would be admitted as it is.
func ask(t *testing.T, ip string, job *batchv1.Job) string {
	t.Helper()
	job = job.DeepCopy()
	job.UID, job.CreationTimestamp = types.UID(fmt.Sprint(time.Now().UnixNano())), metav1.Now()
	raw, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	dry := true
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Operation: admissionv1.Create, Namespace: job.Namespace, Name: job.Name, DryRun: &dry,
			Kind:     metav1.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"},
			Resource: metav1.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"},
			UserInfo: authenticationv1.UserInfo{Username: stage.SRE, UID: "u-sam", Groups: []string{"sre", "system:authenticated"}},
			Object:   runtime.RawExtension{Raw: raw},
		},
	}
	body, err := json.Marshal(review)
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the replica is asked by its address, which no certificate names
	}}
	resp, err := c.Post("https://"+ip+":9443/admit", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	if !out.Response.Allowed {
		return policy.WithoutDenialID(out.Response.Result.Message)
	}
	return strings.Join(out.Response.Warnings, "\n")
}

// everyReplica asks all replicas and demands that each answers with says, or with nothing if says is empty.
func everyReplica(t *testing.T, job *batchv1.Job, when, says string) {
	t.Helper()
	for _, pod := range cluster.Pods.Pods() {
		got := ask(t, pod.IP, job)
		if says == "" && got != "" || says != "" && !strings.Contains(got, says) {
			t.Errorf("%s, replica %s says %q, want %q", when, pod.Name, got, says)
		}
	}
}

func TestTheFirstRequestAfterAnAnswerKnowsIt(t *testing.T) {
	p := people(t)
	ctx := t.Context()
	for round := range 10 {
		prefix := fmt.Sprintf("fresh-%d-", round)
		w, err := fixture.Window(fmt.Sprintf("fresh-%d", round), prefix, 1)
		if err != nil {
			t.Fatal(err)
		}
		job := fixture.Job(prefix + "x")
		if err := p.SRE.Create(ctx, w); err != nil {
			t.Fatal(err)
		}
		everyReplica(t, job, "before the approval", "it has 0 of 1 approvals")
		if err := p.SecondSRE.Create(ctx, fixture.Word(w, v1alpha1.DecisionApprove)); err != nil {
			t.Fatal(err)
		}
		everyReplica(t, job, "after the approval", "")

		freeze := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: w.Name}, Spec: v1alpha1.ChangeFreezeSpec{
			Environments: []string{"production"}, Reason: "Christmas trading",
		}}
		if err := p.SecondSRE.Create(ctx, freeze); err != nil {
			t.Fatal(err)
		}
		everyReplica(t, job, "during the freeze", `robin froze "production" `)
		if err := p.SecondSRE.Delete(ctx, freeze); err != nil {
			t.Fatal(err)
		}
		everyReplica(t, job, "after the freeze", "")

		if err := p.SecondSRE.Create(ctx, fixture.Word(w, v1alpha1.DecisionReject)); err != nil {
			t.Fatal(err)
		}
		everyReplica(t, job, "after the rejection", "it was rejected by robin")
		if err := p.SRE.Create(ctx, job); err == nil {
			t.Error("a run under a rejected window was admitted")
		}
	}
}
