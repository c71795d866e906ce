package admission

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// seriesOf returns the values of a counter, by its labels.
func seriesOf(t *testing.T, r prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += l.GetName() + "=" + l.GetValue() + " "
			}
			out[labels] = m.GetCounter().GetValue()
		}
	}
	return out
}

// Requests are counted by operation, resource and answer.
func TestRequestsAreCounted(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	dry := true
	req := &admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Update, SubResource: "scale", Resource: metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
	}}
	allowed, refused := admission.Allowed(""), failed(503, "later", 2)
	allowed.Result = nil
	m.observe(req, &allowed, 0)
	m.observe(req, &refused, 0)
	req.DryRun = &dry
	m.observe(req, &allowed, 0)
	want := map[string]float64{
		"code=200 dry_run=false group=apps operation=UPDATE resource=deployments subresource=scale ": 1,
		"code=503 dry_run=false group=apps operation=UPDATE resource=deployments subresource=scale ": 1,
		"code=200 dry_run=true group=apps operation=UPDATE resource=deployments subresource=scale ":  1,
	}
	if diff := cmp.Diff(want, seriesOf(t, r, "firebreak_admission_requests_total")); diff != "" {
		t.Errorf("the requests counted differ: %s", diff)
	}
}

// Each finding is counted, and automation that no environment lists is counted by account.
func TestFindingsAreCounted(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	f := policy.Finding{Rule: v1alpha1.RuleGrantAcrossTiers, Action: v1alpha1.ActionWarn, Environment: "production"}
	m.findings("payments", &policy.Decision{Findings: []policy.Finding{f, f}, Unlisted: "tools/stranger"})
	m.findings("payments", &policy.Decision{})
	if diff := cmp.Diff(map[string]float64{"action=Warn environment=production namespace=payments rule=GrantAcrossTiers ": 2}, seriesOf(t, r, "firebreak_findings_total")); diff != "" {
		t.Errorf("the findings counted differ: %s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"account=tools/stranger ": 1}, seriesOf(t, r, "firebreak_unlisted_automation_total")); diff != "" {
		t.Errorf("the accounts counted differ: %s", diff)
	}
}

// A person who may create service accounts cannot create as many time series.
func TestAccountsAreBounded(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	for i := range maxNames + 100 {
		m.findings("payments", &policy.Decision{Unlisted: fmt.Sprintf("dev/a-%d", i)})
	}
	m.findings("payments", &policy.Decision{Unlisted: "dev/a-7"})
	got := seriesOf(t, r, "firebreak_unlisted_automation_total")
	if len(got) != maxNames+1 || got["account=others "] != 100 || got["account=dev/a-7 "] != 2 {
		t.Errorf("%d series, %v of others, %v of the seventh", len(got), got["account=others "], got["account=dev/a-7 "])
	}
}

// A name that is taken is a programming error, and is found when the program starts.
func TestMetricsAreRegisteredOnce(t *testing.T) {
	r := prometheus.NewRegistry()
	NewMetrics(r)
	defer func() {
		if recover() == nil {
			t.Error("the same names are registered twice")
		}
	}()
	NewMetrics(r)
}
