package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
	"github.com/firebreak-dev/firebreak/pkg/version"
)

// deploymentName is the name of Firebreak's Deployment, of its certificate's registrations, and of its leader's Lease.
const deploymentName = "firebreak"

// definitions looks whether Firebreak's kinds are served. The mapper of the plugin knows them beforehand, so they are asked for.
func (p *patient) definitions(ctx context.Context) ([]Diagnosis, error) {
	var missing []string
	for _, kind := range []string{v1alpha1.KindEnvironment, v1alpha1.KindDataStore, v1alpha1.KindExemption, v1alpha1.KindChangeWindow, v1alpha1.KindChangeApproval,
		v1alpha1.KindChangeDelegation, v1alpha1.KindChangeFreeze, v1alpha1.KindChangeExecution, v1alpha1.KindChangeRecord} {
		l := listOf(v1alpha1.GVK(kind + "List"))
		err := p.List(ctx, l, client.Limit(1))
		switch {
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			missing = append(missing, kind)
		case apierrors.IsForbidden(err), err == nil:
		default:
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
	}
	if len(missing) > 0 {
		return []Diagnosis{bad("helm upgrade of the chart installs them; a Firebreak that runs holds to what it knew", "the API server does not serve %s", strings.Join(missing, ", "))}, nil
	}
	return well("the API server serves all nine kinds"), nil
}

// replicas looks at the Deployment, where its Pods run, and which version they are.
func (p *patient) replicas(ctx context.Context) ([]Diagnosis, error) {
	var d appsv1.Deployment
	err := p.Get(ctx, client.ObjectKey{Namespace: p.home, Name: deploymentName}, &d)
	if apierrors.IsNotFound(err) {
		return []Diagnosis{bad("install the chart, or name the namespace with --firebreak-namespace", "there is no Deployment %q in namespace %q", deploymentName, p.home)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the Deployment: %w", err)
	}
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	remedy := fmt.Sprintf("kubectl get pods -n %s shows them; kubectl rollout undo deployment/%s -n %s takes the last change back", p.home, deploymentName, p.home)
	var out []Diagnosis
	switch ready := d.Status.ReadyReplicas; {
	case ready == 0:
		out = append(out, bad(remedy, "none of %d replicas is ready: what persons write in production is refused", wanted))
	case ready < wanted:
		out = append(out, warn(remedy, "%d of %d replicas are ready", ready, wanted))
	default:
		out = append(out, well("%d of %d replicas are ready", ready, wanted)...)
	}
	if wanted < 2 {
		out = append(out, warn("set replicas to 3 in the chart's values", "it runs as one replica: nothing judges while that is replaced"))
	}
	if v := d.Labels["app.kubernetes.io/version"]; v != "" && released(version.Read().Version) && strings.TrimPrefix(v, "v") != strings.TrimPrefix(version.Read().Version, "v") {
		out = append(out, warn("use the plugin of the release that is installed", "the chart is of version %s, and this plugin of %s", v, version.Read().Version))
	}
	placed, err := p.placed(ctx, &d)
	return append(out, placed...), err
}

// released reports whether a version is that of a release, and not of a build from a working copy.
func released(v string) bool { return v != "" && !strings.ContainsAny(v, "(+") }

// placed looks whether replicas are apart from each other, and of one image.
func (p *patient) placed(ctx context.Context, d *appsv1.Deployment) ([]Diagnosis, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("read the Deployment: %w", err)
	}
	var pods corev1.PodList
	if err := p.List(ctx, &pods, client.InNamespace(p.home), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("list the replicas: %w", err)
	}
	nodes, images := map[string]bool{}, map[string]bool{}
	for i := range pods.Items {
		nodes[pods.Items[i].Spec.NodeName] = true
		for _, c := range pods.Items[i].Spec.Containers {
			images[c.Image] = true
		}
	}
	var out []Diagnosis
	if len(pods.Items) > 1 && len(nodes) == 1 {
		out = append(out, warn("look at nodeSelector and tolerations in the chart's values, and at how many nodes there are", "all %d replicas run on one node, and go with it", len(pods.Items)))
	}
	if len(images) > 1 {
		out = append(out, warn("wait until the rollout has ended: kubectl rollout status deployment/"+deploymentName+" -n "+p.home, "replicas of %d images run side by side", len(images)))
	}
	var budgets policyv1.PodDisruptionBudgetList
	if err := p.List(ctx, &budgets, client.InNamespace(p.home)); err != nil {
		return out, fmt.Errorf("list disruption budgets: %w", err)
	}
	if len(pods.Items) > 1 && len(budgets.Items) == 0 {
		out = append(out, warn("helm upgrade of the chart makes it", "there is no PodDisruptionBudget: a drain may evict all replicas at once"))
	}
	return out, nil
}

// registered compares the registrations and policies with those that the chart has rendered.
func (p *patient) registered(ctx context.Context) ([]Diagnosis, error) {
	var cm corev1.ConfigMap
	if err := p.Get(ctx, client.ObjectKey{Namespace: p.home, Name: registrations.ConfigMapName}, &cm); err != nil {
		return nil, fmt.Errorf("read what the chart has rendered: %w", err)
	}
	rendered, err := registrations.Parse(cm.Data[registrations.Key])
	if err != nil {
		return nil, fmt.Errorf("read what the chart has rendered: %w", err)
	}
	var out []Diagnosis
	remedy := "Firebreak puts it back within ten seconds where webhook.restore is true and a replica runs; helm upgrade of the chart does, too"
	for _, want := range rendered {
		have := &unstructured.Unstructured{}
		have.SetGroupVersionKind(want.GroupVersionKind())
		err := p.Get(ctx, client.ObjectKeyFromObject(want), have)
		switch {
		case apierrors.IsNotFound(err):
			out = append(out, bad(remedy, "%s %q is gone", want.GetKind(), want.GetName()))
		case err != nil:
			return out, fmt.Errorf("read %s %q: %w", want.GetKind(), want.GetName(), err)
		default:
			if differs := differsFrom(want.Object, have.Object); differs != "" {
				out = append(out, bad(remedy, "%s %q is not as it was rendered: %s differs", want.GetKind(), want.GetName(), differs))
			}
		}
	}
	if len(out) == 0 {
		return well("%d registrations, policies and bindings are as they were rendered", len(rendered)), nil
	}
	return out, nil
}

// differsFrom returns the path of the first field that was rendered and that is stored otherwise. What the API server or a keeper of certificates adds
// does not count.
func differsFrom(want, have any) string {
	switch w := want.(type) {
	case map[string]any:
		return differsIn(w, have)
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return "it"
		}
		for i := range w {
			if at := differsFrom(w[i], h[i]); at != "" {
				return strings.TrimSuffix(fmt.Sprintf("[%d].%s", i, at), ".it")
			}
		}
		return ""
	}
	if equality.Semantic.DeepEqual(want, have) || fmt.Sprint(want) == fmt.Sprint(have) || want == "" && have == nil {
		return ""
	}
	return "it"
}

// differsIn compares the fields of an object.
func differsIn(want map[string]any, have any) string {
	h, ok := have.(map[string]any)
	if !ok {
		return "it"
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if slices.Contains([]string{"metadata", "caBundle", "apiVersion", "kind"}, k) {
			continue
		}
		if at := differsFrom(want[k], h[k]); at != "" {
			return strings.TrimSuffix(k+"."+at, ".it")
		}
	}
	return ""
}

// answers sends dry runs that must be refused, and looks who refuses them.
func (p *patient) answers(ctx context.Context) ([]Diagnosis, error) {
	ns, _, err := p.env.config.loader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the namespace of the kubeconfig: %w", err)
	}
	start, end := metav1.NewTime(p.env.clock()), metav1.NewTime(p.env.clock().Add(time.Hour))
	w := &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "firebreak-doctor"}, Spec: v1alpha1.ChangeWindowSpec{
		Environment: "firebreak-doctor-no-such-environment", Reason: "kubectl firebreak doctor looks whether this is refused",
		Schedule: v1alpha1.Schedule{Start: &start, End: &end},
		Scope:    v1alpha1.Scope{Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"firebreak-doctor"}}}},
	}}
	err = p.Create(ctx, w, client.DryRunAll)
	silent := fmt.Sprintf("kubectl get pods -n %s shows the replicas; the certificate authority in the registration must be that of their certificate", p.home)
	switch {
	case err == nil:
		return []Diagnosis{bad("look at the registrations: kubectl get validatingwebhookconfigurations firebreak -o yaml", "a window for an environment that does not exist was admitted: the API server does not ask Firebreak")}, nil
	case strings.Contains(err.Error(), "firebreak-doctor-no-such-environment"):
		return well("a request that must be refused is refused, by the webhooks stamp and core"), nil
	case strings.Contains(err.Error(), "failed calling webhook"), apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err):
		return []Diagnosis{bad(silent, "Firebreak does not answer: %v", err)}, nil
	case apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "denied"):
		return nil, fmt.Errorf("whether it answers: you may not request windows in namespace %q, which the ClusterRole firebreak-request allows: %w", ns, err)
	}
	return []Diagnosis{warn(silent, "a request that must be refused was refused for another reason: %v", err)}, nil
}

// certificate looks when the certificate authority in the registrations ends.
func (p *patient) certificate(ctx context.Context) ([]Diagnosis, error) {
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := p.Get(ctx, client.ObjectKey{Name: registrations.Name}, &v); err != nil {
		return nil, fmt.Errorf("read the registration: %w", err)
	}
	remedy := "a replica that runs makes a new one; with cert-manager, look at the Certificate firebreak-webhook-cert"
	ca := registrations.CABundle(&v)
	if ca == nil {
		return []Diagnosis{bad(remedy, "the registration holds no certificate authority, so the API server trusts no answer")}, nil
	}
	var last time.Time
	for rest := ca; ; {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && c.NotAfter.After(last) {
			last = c.NotAfter
		}
		rest = more
	}
	switch left := last.Sub(p.env.clock()); {
	case last.IsZero():
		return []Diagnosis{bad(remedy, "the certificate authority in the registration cannot be read")}, nil
	case left <= 0:
		return []Diagnosis{bad(remedy, "the certificate authority ended at %s", change.Instant(last))}, nil
	case left < 14*24*time.Hour:
		return []Diagnosis{warn(remedy, "the certificate authority ends at %s", change.Instant(last))}, nil
	}
	return well("the certificate authority holds until %s", change.Instant(last)), nil
}

// maxApart is how far clocks may be apart: beyond it Firebreak opens no window.
const maxApart = 5 * time.Second

// clocks compares the clock of this machine with that of the API server.
func (p *patient) clocks(ctx context.Context) ([]Diagnosis, error) {
	cfg, err := p.env.config.loader().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	before := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(cfg.Host, "/")+"/version", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask the API server for the time: %w", err)
	}
	resp, err := h.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API server for the time: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil, fmt.Errorf("read the time of the API server: %w", err)
	}
	// The answer gives whole seconds.
	if apart := before.Sub(at); apart > maxApart+time.Second || apart < -maxApart-time.Second {
		return []Diagnosis{warn("set the clock of this machine or of the API server's; Firebreak compares its own with the API server's, and says so in firebreak_clock_skew_seconds", "the clocks of this machine and of the API server are %s apart", apart.Round(time.Second))}, nil
	}
	return well("the clocks of this machine and of the API server agree"), nil
}

// leader looks when the leading replica last said that it leads.
func (p *patient) leader(ctx context.Context) ([]Diagnosis, error) {
	var l coordinationv1.Lease
	err := p.Get(ctx, client.ObjectKey{Namespace: p.home, Name: deploymentName}, &l)
	if apierrors.IsNotFound(err) {
		return []Diagnosis{bad("look at the log of the replicas", "no replica leads: reservations are not settled, statuses stand still, and nothing is put back")}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the Lease: %w", err)
	}
	if l.Spec.RenewTime == nil {
		return []Diagnosis{warn("look at the log of the replicas", "no replica leads at the moment")}, nil
	}
	switch ago := p.env.clock().Sub(l.Spec.RenewTime.Time); {
	case ago > time.Minute:
		return []Diagnosis{bad("look at the log of the replicas", "the leading replica last renewed its Lease at %s", change.Instant(l.Spec.RenewTime.Time))}, nil
	case ago < -maxApart:
		return []Diagnosis{warn("set the clock of its node", "the leading replica's clock is ahead of this machine's by %s", (-ago).Round(time.Second))}, nil
	}
	return well("a replica leads"), nil
}
