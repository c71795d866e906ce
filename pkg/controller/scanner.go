package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Scanner judges the stored objects, as an audit does, and writes the findings as OpenReports, for the viewers that people have. It runs in the leading
// replica. It reads page by page and rests after each for nine times as long as the page took, so that it takes no more than a tenth of a core.
type Scanner struct {
	memory *Cache
	client client.Client
	// windows reads windows and approvals from caches.
	windows client.Reader
	log     logr.Logger
	// role is the ClusterRole that gives the right to write reports, and that they belong to.
	role  string
	every time.Duration
	found *prometheus.GaugeVec
	took  prometheus.Gauge
	// next is when the next scan is due.
	next time.Time
}

const (
	// scanPage is how many objects are read at once, and leastRest how long a scan rests at least after each page.
	scanPage, leastRest = 100, 20 * time.Millisecond
	// mostResults is how many results a report holds, and mostOfAll how many all hold together. The others are counted in the report's summary.
	mostResults, mostOfAll = 500, 20_000
	// scanAgain is after what time a scan is tried again that has failed, or for which the kinds of reports were missing.
	scanAgain = 5 * time.Minute
	// reportName is the name of every report.
	reportName = "firebreak"
	// scanOwner owns the fields of reports.
	scanOwner = "firebreak-scanner"
)

// NewScanner returns the scanner, and registers its metrics. c must not read from a cache; windows reads from one.
func NewScanner(m *Cache, c client.Client, windows client.Reader, role string, every time.Duration, r prometheus.Registerer, log logr.Logger) *Scanner {
	s := &Scanner{
		memory: m, client: c, windows: windows, role: role, every: every, log: log,
		found: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "scan_results", Help: "What the last scan of stored objects found, by result: fail, warn, skip, error. The leading replica reports it.",
		}, []string{"result"}),
		took: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "firebreak", Name: "scan_duration_seconds", Help: "How long the last scan of stored objects took, its rests included. The leading replica reports it."}),
	}
	r.MustRegister(s.found, s.took)
	return s
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Scanner) NeedLeaderElection() bool { return true }

// Start scans until the context ends.
func (s *Scanner) Start(ctx context.Context) error {
	s.memory.onceSynced(ctx, min(s.every, recheck), s.due, func(err error) { s.log.Error(err, "could not scan the stored objects; the scan is tried again") })
	return nil
}

// due scans if it is time to.
func (s *Scanner) due(ctx context.Context) error {
	if s.memory.clock().Before(s.next) {
		return nil
	}
	s.next = s.memory.clock().Add(min(s.every, scanAgain)) // if this one fails
	if _, err := s.client.RESTMapper().RESTMapping(schema.GroupKind{Group: openreports.GroupVersion.Group, Kind: "Report"}, openreports.GroupVersion.Version); meta.IsNoMatchError(err) {
		return nil // nobody has installed the kinds yet
	}
	began := time.Now()
	f, err := s.scan(ctx)
	if err != nil {
		return err
	}
	if err := s.write(ctx, f); err != nil {
		return err
	}
	s.next = s.memory.clock().Add(s.every)
	s.took.Set(time.Since(began).Seconds())
	total := f.total()
	for result, n := range map[string]int{"fail": total.Fail, "warn": total.Warn, "skip": total.Skip, "error": total.Error} {
		s.found.WithLabelValues(result).Set(float64(n))
	}
	return nil
}

// scannedKinds are those that the server may list anyway.
func scannedKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "Pod"}, {Version: "v1", Kind: "ReplicationController"},
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "apps", Version: "v1", Kind: "ReplicaSet"}, {Group: "apps", Version: "v1", Kind: "StatefulSet"}, {Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Group: "batch", Version: "v1", Kind: "CronJob"}, {Group: "batch", Version: "v1", Kind: "Job"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
	}
}

// findings are those of a scan, by namespace; the empty one is for objects without a namespace.
type findings struct {
	results map[string][]openreports.ReportResult
	summary map[string]*openreports.ReportSummary
	all     int
}

func (f *findings) total() openreports.ReportSummary {
	var t openreports.ReportSummary
	for _, s := range f.summary {
		t.Fail, t.Warn, t.Skip, t.Error = t.Fail+s.Fail, t.Warn+s.Warn, t.Skip+s.Skip, t.Error+s.Error
	}
	return t
}

// scan judges every stored object.
func (s *Scanner) scan(ctx context.Context) (*findings, error) {
	state := &change.State{}
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	for _, l := range []client.ObjectList{&windows, &approvals} {
		if err := s.windows.List(ctx, l); err != nil {
			return nil, fmt.Errorf("list windows and approvals: %w", err)
		}
	}
	state.Windows, state.Approvals = windows.Items, approvals.Items
	f := &findings{results: map[string][]openreports.ReportResult{}, summary: map[string]*openreports.ReportSummary{}}
	for _, gvk := range scannedKinds() {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		for next := ""; ; {
			began := time.Now()
			if err := s.client.List(ctx, l, client.Limit(scanPage), client.Continue(next)); err != nil {
				return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
			}
			view, err := s.memory.View()
			if err != nil {
				return nil, fmt.Errorf("judge the stored objects: %w", err)
			}
			for i := range l.Items {
				f.judge(&l.Items[i], view, state, s.memory.clock())
			}
			if next = l.GetContinue(); next == "" {
				break
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(max(9*time.Since(began), leastRest)):
			}
		}
	}
	return f, nil
}

// judge judges one object, unless its controller is scanned, too, and says the same.
func (f *findings) judge(u *unstructured.Unstructured, view *policy.ClusterView, state *change.State, at time.Time) {
	if o := metav1.GetControllerOf(u); o != nil && slices.Contains(scannedKinds(), schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)) {
		return
	}
	gvk := u.GroupVersionKind()
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	var d *policy.Decision
	raw, err := json.Marshal(u.Object)
	if err == nil {
		d, err = policy.Audit(gvk, plural, u.GetNamespace(), u.GetName(), raw, view, state, at)
	}
	if err != nil {
		f.add(u, openreports.ReportResult{Policy: reportName, Result: "error", Description: clip(err.Error(), maxEvent)}, at)
		return
	}
	for i := range d.Findings {
		x := &d.Findings[i]
		r := openreports.ReportResult{Policy: string(x.Rule), Category: x.Class.String(), Result: "warn", Severity: "medium", Scored: true, Description: clip(x.Path+" "+x.Message, maxEvent), Properties: map[string]string{"environment": x.Environment, "action": string(x.Action), "path": clip(x.Path, maxEvent)}}
		switch {
		case x.Exempted:
			r.Result, r.Severity = "skip", "info"
		case x.Action == v1alpha1.ActionDeny:
			r.Result, r.Severity = "fail", "high"
		}
		f.add(u, r, at)
	}
}

func (f *findings) add(u *unstructured.Unstructured, r openreports.ReportResult, at time.Time) {
	ns := u.GetNamespace()
	sum := f.summary[ns]
	if sum == nil {
		sum = &openreports.ReportSummary{}
		f.summary[ns] = sum
	}
	switch r.Result {
	case "fail":
		sum.Fail++
	case "warn":
		sum.Warn++
	case "skip":
		sum.Skip++
	default:
		sum.Error++
	}
	if len(f.results[ns]) >= mostResults || f.all >= mostOfAll {
		return
	}
	f.all++
	r.Source, r.Timestamp = reportName, metav1.Timestamp{Seconds: at.Unix()}
	r.Subjects = []corev1.ObjectReference{{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: ns, Name: u.GetName(), UID: u.GetUID()}}
	f.results[ns] = append(f.results[ns], r)
}

// write makes the stored reports those of a scan.
func (s *Scanner) write(ctx context.Context, f *findings) error {
	owner, err := ownerOf(ctx, s.client, s.role)
	if err != nil {
		return err
	}
	labels := map[string]string{"app.kubernetes.io/managed-by": reportName}
	var stored openreports.ReportList
	if err := s.client.List(ctx, &stored, client.MatchingLabels(labels)); err != nil {
		return fmt.Errorf("list reports: %w", err)
	}
	have := map[string]*openreports.Report{}
	for i := range stored.Items {
		if r := &stored.Items[i]; r.Name == reportName {
			have[r.Namespace] = r
		}
	}
	for ns, results := range f.results {
		if ns == "" {
			continue
		}
		r := &openreports.Report{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: reportName, Labels: labels, OwnerReferences: []metav1.OwnerReference{owner}}, Source: reportName, Summary: *f.summary[ns], Results: sorted(results)}
		if err := s.put(ctx, r, have[ns] != nil, func() { r.ResourceVersion = have[ns].ResourceVersion }); err != nil {
			return err
		}
		delete(have, ns)
	}
	for _, r := range have {
		if err := s.client.Delete(ctx, r); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete report %s/%s: %w", r.Namespace, r.Name, err)
		}
	}
	return s.writeOfCluster(ctx, f, labels, owner)
}

// writeOfCluster writes the report about objects without a namespace.
func (s *Scanner) writeOfCluster(ctx context.Context, f *findings, labels map[string]string, owner metav1.OwnerReference) error {
	stored := &openreports.ClusterReport{}
	err := s.client.Get(ctx, client.ObjectKey{Name: reportName}, stored)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read the report of the cluster: %w", err)
	}
	r := &openreports.ClusterReport{ObjectMeta: metav1.ObjectMeta{Name: reportName, Labels: labels, OwnerReferences: []metav1.OwnerReference{owner}}, Source: reportName, Results: sorted(f.results[""])}
	if sum := f.summary[""]; sum != nil {
		r.Summary = *sum
	}
	return s.put(ctx, r, err == nil, func() { r.ResourceVersion = stored.ResourceVersion })
}

// put creates or updates a report. take has it replace the one that is stored. A namespace that goes needs none.
func (s *Scanner) put(ctx context.Context, r client.Object, there bool, take func()) error {
	var err error
	if there {
		take()
		err = s.client.Update(ctx, r, client.FieldOwner(scanOwner))
	} else {
		err = s.client.Create(ctx, r, client.FieldOwner(scanOwner))
	}
	if err == nil {
		return nil
	}
	if why, err := hindrance(err); err == nil {
		if why.reason != "" {
			s.log.Info("a report is refused", "namespace", r.GetNamespace(), "why", why.message)
		}
		return nil
	}
	return fmt.Errorf("write the report of namespace %q: %w", r.GetNamespace(), err)
}

func sorted(results []openreports.ReportResult) []openreports.ReportResult {
	slices.SortStableFunc(results, func(a, b openreports.ReportResult) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Subjects[0].Kind, b.Subjects[0].Kind), cmp.Compare(a.Subjects[0].Name, b.Subjects[0].Name), cmp.Compare(a.Description, b.Description))
	})
	return results
}
