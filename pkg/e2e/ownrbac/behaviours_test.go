package ownrbac

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

type pod = controlplane.RunningPod

// behaviour is something that Firebreak does by its rights. does begins it, and returns a function that reports whether it was
// done; it is nil for getting ready. afresh is true if a replica needs the right only when it starts. heals is true if the
// behaviour is done after all once the right is back.
type behaviour struct {
	does          func(t *testing.T) func() bool
	afresh, heals bool
}

// The behaviours, named by what breaks without a rule.
const (
	getsReady     = "it gets ready"
	writesStatus  = "it writes statuses"
	lifts         = "it lifts a freeze that two persons have lifted"
	applies       = "it applies, changes and takes back what the values declare"
	tells         = "it tells of denials by Events, and counts them"
	injects       = "it puts its CA into the registrations"
	recreates     = "it puts a registration back"
	mends         = "it mends a registration that was changed"
	mendsPolicies = "it mends a policy that was changed"
	fences        = "the fence knows the estate"
	mendsFence    = "it puts the fence back"
	authorises    = "it honours a window whose approver may still approve"
	records       = "it keeps a record of what persons do about freezes"
	settles       = "it settles a reservation"
	sees          = "it sees that what was reserved for is there"
	releases      = "it gives an execution back that an approver has released"
	certifies     = "it keeps its certificate"
	leads         = "one replica leads"
	ranks         = "it knows which priority classes come before production's"
	measures      = "it remembers what autoscalers of custom resources saw"
	scales        = "it reads how many of a custom resource an autoscaler would take away"
	scans         = "it reports its findings in the stored objects"
	rings         = "it sends messages to where a Secret says"
	names         = "it keeps Cilium's policies as they are planned"
	walls         = "it keeps the network policies of a namespace as they are planned"
	forgets       = "it forgets what somebody has deleted"
	compares      = "it compares what a controller makes of a custom resource with the resource"
)

// expected says what breaks without each rule.
func expected() map[string]string {
	const (
		hooks    = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
		policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
	)
	return map[string]string{
		"list,watch environments,datastores,exemptions,changewindows,changeapprovals,changedelegations,changefreezes everywhere":                    getsReady,
		"patch environments/status,datastores/status,exemptions/status,changewindows/status,changeapprovals/status,changefreezes/status everywhere": writesStatus,
		"get,delete changefreezes everywhere":                                           lifts,
		"create,patch,delete environments,datastores everywhere":                        applies,
		"get,list,watch namespaces,configmaps everywhere":                               getsReady,
		"list,watch services,persistentvolumes,persistentvolumeclaims,nodes everywhere": getsReady,
		"get customresourcedefinitions everywhere":                                      forgets,
		"list,watch priorityclasses everywhere":                                         ranks,
		"list,watch horizontalpodautoscalers everywhere":                                measures,
		"get */scale everywhere":                                                        scales,
		"get,list,watch roles,clusterroles everywhere":                                  getsReady,
		"list,watch rolebindings,clusterrolebindings everywhere":                        getsReady,
		"get,list,watch secrets everywhere":                                             getsReady,
		"create,patch,delete " + policies + " everywhere":                               mendsFence,
		"create,patch,delete configmaps in firebreak-system":                            fences,
		"create subjectaccessreviews everywhere":                                        authorises,
		"get workflows everywhere":                                                      compares,
		"get,list,watch pods,replicationcontrollers everywhere":                         getsReady,
		"get,list,watch deployments,replicasets,statefulsets,daemonsets everywhere":     getsReady,
		"get,list,watch jobs,cronjobs everywhere":                                       sees,
		"create,patch events everywhere":                                                tells,
		"get,list,watch " + hooks + " everywhere":                                       getsReady,
		"update " + hooks + " everywhere":                                               injects,
		"create,patch " + hooks + " everywhere":                                         recreates,
		"get,create,patch,update " + policies + " everywhere":                           mendsPolicies,
		"get,list,watch,create,delete changeexecutions in firebreak-system":             getsReady,
		"list,create,delete changerecords in firebreak-system":                          records,
		"patch changeexecutions/status in firebreak-system":                             settles,
		"get,create,update leases in firebreak-system":                                  leads,
		"list,watch secrets in firebreak-system":                                        getsReady,
		"update secrets in firebreak-system":                                            certifies,
		"get secrets in firebreak-system":                                               rings,
		"get,list,watch serviceaccounts in kube-system":                                 getsReady,
		"get,list,watch,create,update,delete networkpolicies everywhere":                walls,
		"list endpointslices everywhere":                                                walls,
		"get,list,create,update,delete ciliumnetworkpolicies everywhere":                names,
		"list,create,update,delete reports everywhere":                                  scans,
		"get,create,update clusterreports everywhere":                                   scans,
	}
}

func behaviours() map[string]behaviour {
	return map[string]behaviour{
		getsReady:     {afresh: true},
		writesStatus:  {does: doesWriteStatus},
		leads:         {does: doesWriteStatus, afresh: true},
		lifts:         {does: doesLift},
		applies:       {does: doesApply},
		tells:         {does: doesTell},
		injects:       {does: doesInject, heals: true},
		recreates:     {does: doesRecreate, heals: true},
		mends:         {does: doesMend, heals: true},
		mendsPolicies: {does: doesMendPolicies, heals: true},
		records:       {does: doesRecord},
		authorises:    {does: doesAuthorise},
		fences:        {does: doesFence},
		mendsFence:    {does: doesMendFence},
		settles:       {does: doesSettle},
		sees:          {does: doesSee, afresh: true},
		releases:      {does: doesRelease},
		certifies:     {does: doesCertify, heals: true},
		compares:      {does: doesCompare},
		forgets:       {does: doesForget},
		ranks:         {does: doesRank, afresh: true},
		measures:      {does: doesMeasure, afresh: true},
		scales:        {does: doesScale},
		walls:         {does: doesWall},
		names:         {does: doesName},
		scans:         {does: doesScan},
		rings:         {does: doesRing, heals: true},
	}
}

// inOrder returns the behaviours in an order in which none disturbs another: after one that removes the registrations or the
// certificate, it takes a moment until requests are judged again.
func inOrder() []string {
	return []string{writesStatus, forgets, lifts, applies, tells, compares, ranks, measures, scales, walls, names, scans, rings, records, authorises, fences, mendsFence, settles, releases, mendsPolicies, injects, mends, recreates, certifies}
}

// doesWriteStatus creates one object of each kind that has a status.
func doesWriteStatus(t *testing.T) func() bool {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: fresh("written")}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierNonProduction}}
	d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fresh("written")}, Spec: v1alpha1.DataStoreSpec{Environment: e.Name, Hosts: []string{e.Name + ".example.com"}}}
	w, err := fixture.Window(fresh("written"), "written-", 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: fresh("written")}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{e.Name}, Reason: "test"}}
	for _, o := range []client.Object{e, d, w} {
		if err := people.SRE.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	// A replica that has not seen the Environment yet refuses the freeze that names it.
	await.True(t, "the freeze is written", func() bool { return people.SRE.Create(t.Context(), f) == nil })
	return func() bool {
		for _, o := range []client.Object{e, d, w, f} {
			if err := people.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				t.Fatal(err)
			}
		}
		return e.Status.ObservedGeneration > 0 && d.Status.ObservedGeneration > 0 && w.Status.ObservedGeneration > 0 && f.Status.ObservedGeneration > 0
	}
}

// doesApply declares one environment in place of the one declared before.
func doesApply(t *testing.T) func() bool {
	var l v1alpha1.EnvironmentList
	if err := people.Admin.List(t.Context(), &l, client.MatchingLabels{v1alpha1.LabelDeclared: "true"}); err != nil {
		t.Fatal(err)
	}
	name := fresh("declared")
	if err := declare(t.Context(), fmt.Sprintf("environments: {%s: {tier: NonProduction}}", name)); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		for i := range l.Items {
			if !apierrors.IsNotFound(people.Admin.Get(t.Context(), client.ObjectKeyFromObject(&l.Items[i]), &v1alpha1.Environment{})) {
				return false
			}
		}
		return people.Admin.Get(t.Context(), client.ObjectKey{Name: name}, &v1alpha1.Environment{}) == nil
	}
}

func declare(ctx context.Context, text string) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "firebreak-estate", Namespace: stage.Namespace}}
	return people.Admin.Patch(ctx, cm, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"data":{"estate.yaml":%q}}`, text)))
}

// declareAndTakeBack declares and deletes a data store while there is no boundary: afterwards, deleting it needs a window.
func declareAndTakeBack(ctx context.Context) error {
	for _, step := range []struct {
		text string
		is   int
	}{{"environments: {early: {tier: NonProduction}}\ndataStores: {early: {environment: early, hosts: [early.example.com]}}\n", 1}, {"environments: {early: {tier: NonProduction}}", 0}} {
		if err := declare(ctx, step.text); err != nil {
			return err
		}
		for tries := 0; ; tries++ {
			var l v1alpha1.DataStoreList
			if err := people.Admin.List(ctx, &l); err != nil {
				return err
			}
			if len(l.Items) == step.is {
				break
			}
			if tries > 300 {
				return fmt.Errorf("%d data stores are there, and %d declared", len(l.Items), step.is)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}

// doesTell has a request refused twice: the second time, the Event is counted.
func doesTell(t *testing.T) func() bool {
	name := fresh("refused")
	for range 2 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "dev"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}}}
		if err := people.Developer.Create(t.Context(), p); err == nil {
			t.Fatal("it was admitted")
		}
	}
	return func() bool {
		var l corev1.EventList
		if err := people.Admin.List(t.Context(), &l, client.InNamespace("dev")); err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Items {
			if e.InvolvedObject.Name == name && e.Count == 2 {
				return true
			}
		}
		return false
	}
}

const validating = "validatingwebhookconfiguration"

func doesInject(t *testing.T) func() bool {
	kubectl(t, "patch", validating, "firebreak", "--type=json", "-p", `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)
	return func() bool {
		return kubectl(t, "get", validating, "firebreak", "--ignore-not-found", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}") != ""
	}
}

func doesRecreate(t *testing.T) func() bool {
	kubectl(t, "delete", validating+",mutatingwebhookconfiguration", "firebreak")
	kubectl(t, "delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "firebreak-status")
	return func() bool {
		out := kubectl(t, "get", validating+",mutatingwebhookconfiguration,validatingadmissionpolicy,validatingadmissionpolicybinding", "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.webhooks[*].clientConfig.caBundle}\n{end}")
		for _, want := range []string{"ValidatingWebhookConfiguration/firebreak LS", "MutatingWebhookConfiguration/firebreak LS", "ValidatingAdmissionPolicy/firebreak-status", "ValidatingAdmissionPolicyBinding/firebreak-status"} {
			if !strings.Contains(out, want) {
				return false
			}
		}
		return true
	}
}

func doesMend(t *testing.T) func() bool {
	for _, kind := range []string{validating, "mutatingwebhookconfiguration"} {
		kubectl(t, "patch", kind, "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
	}
	return func() bool {
		out := kubectl(t, "get", validating+",mutatingwebhookconfiguration", "-o", "jsonpath={range .items[*]}{.webhooks[0].failurePolicy}{.webhooks[0].clientConfig.caBundle}\n{end}")
		return strings.Count(out, "FailLS") == 2
	}
}

func doesMendPolicies(t *testing.T) func() bool {
	kubectl(t, "patch", "validatingadmissionpolicy", "firebreak-status", "--type=json", "-p", `[{"op":"replace","path":"/spec/failurePolicy","value":"Ignore"}]`)
	kubectl(t, "patch", "validatingadmissionpolicybinding", "firebreak-status", "--type=json", "-p", `[{"op":"replace","path":"/spec/validationActions","value":["Audit"]}]`)
	return func() bool {
		return kubectl(t, "get", "validatingadmissionpolicy", "firebreak-status", "--ignore-not-found", "-o", "jsonpath={.spec.failurePolicy}") == "Fail" &&
			kubectl(t, "get", "validatingadmissionpolicybinding", "firebreak-status", "--ignore-not-found", "-o", "jsonpath={.spec.validationActions[0]}") == "Deny"
	}
}

// doesSee creates a Job that makes no Pods: only a watch shows that it exists.
func doesSee(t *testing.T) func() bool { return settled(t, true) }

func settled(t *testing.T, suspended bool) func() bool {
	t.Helper()
	name := fresh("settled")
	w, err := people.Approved(t.Context(), name, name, 1)
	if err != nil {
		t.Fatal(err)
	}
	job := fixture.Job(name)
	job.Spec.Suspend = &suspended
	if err := people.SRE.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		x, err := people.Executions(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return len(x) == 1 && x[0].Status.State == v1alpha1.ExecutionUsed
	}
}

func doesRelease(t *testing.T) func() bool {
	name := fresh("released")
	w, err := people.Approved(t.Context(), name, name, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := people.SRE.Create(t.Context(), fixture.Job(name)); err != nil {
		t.Fatal(err)
	}
	used, err := people.Executions(t.Context(), w)
	if err != nil || len(used) != 1 {
		t.Fatalf("%d executions: %v", len(used), err)
	}
	if _, err := the.Plugin(t.Context(), the.UserConfig(stage.SecondSRE), "release", used[0].Name); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		left, err := people.Executions(t.Context(), w)
		return err == nil && len(left) == 0
	}
}

// doesCertify empties the Secret of the certificate.
func doesCertify(t *testing.T) func() bool {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "firebreak-webhook-cert", Namespace: stage.Namespace}}
	robot, err := the.Client(the.UserConfig("ci-deployer")) // a person may not
	if err != nil {
		t.Fatal(err)
	}
	if err := robot.Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(`{"data":null}`))); err != nil {
		t.Fatal(err)
	}
	var since time.Time
	return func() bool {
		if err := people.Admin.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			t.Fatal(err)
		}
		// Until the registrations have the new authority, the API server still trusts the old certificate: the behaviour is not
		// done yet.
		in := kubectl(t, "get", validating, "firebreak", "--ignore-not-found", "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}")
		if len(s.Data["tls.crt"]) == 0 || in != base64.StdEncoding.EncodeToString(s.Data["ca.crt"]) || !judges(t) {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) > 2*time.Second
	}
}

// judges reports whether the API server trusts the webhook's certificate.
func judges(t *testing.T) bool {
	err := people.Developer.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "a-", Namespace: "dev"}, Data: map[string]string{"url": "postgres://orders.prod.db.example.com/a"}})
	return err != nil && strings.Contains(err.Error(), "DataStoreAcrossTiers")
}

// operator is an account that production lists as an operator, with a token from before there was a boundary.
var operator client.Client //nolint:gochecknoglobals // written once, before the tests

const employed = `
{apiVersion: v1, kind: Namespace, metadata: {name: cert-manager}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: cert-manager, namespace: cert-manager}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: employed}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: cert-manager, namespace: cert-manager}]}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: workflows.argoproj.io}, spec: {group: argoproj.io, scope: Namespaced, names: {plural: workflows, singular: workflow, kind: Workflow},
  versions: [{name: v1, served: true, storage: true, subresources: {scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .spec.selector}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}
`

func employ(ctx context.Context, s *stage.Stage) error {
	if err := s.Apply(ctx, employed); err != nil {
		return err
	}
	cfg, err := s.ServiceAccountConfig(ctx, "cert-manager", "cert-manager")
	if err != nil {
		return err
	}
	operator, err = s.Client(cfg)
	return err
}

func doesRank(t *testing.T) func() bool {
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: fresh("first")}, Value: 1000}
	admin, err := the.Client(the.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		labels := map[string]string{"a": "b"}
		err := people.Developer.Create(t.Context(), &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: fresh("first"), Namespace: "dev"},
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{PriorityClassName: class.Name, Containers: []corev1.Container{{Name: "a", Image: fixture.Image}}},
			}},
		}, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "PlacementAcrossTiers")
	}
}

// doesCompare has an operator make a Pod that differs from the templates of a custom resource. Firebreak refuses it only if it can
// read the resource.
func doesCompare(t *testing.T) func() bool {
	w := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1", "kind": "Workflow", "metadata": map[string]any{"name": fresh("compared"), "namespace": fixture.Production},
		"spec": map[string]any{"templates": []any{map[string]any{"container": map[string]any{"image": fixture.Image, "command": []any{"make"}}}}},
	}}
	if err := operator.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	differs := func() bool {
		yes := true
		err := operator.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fresh("compared"), Namespace: fixture.Production, OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "argoproj.io/v1", Kind: "Workflow", Name: w.GetName(), UID: w.GetUID(), Controller: &yes},
			}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: fixture.Image, Command: []string{"psql", "-h", "orders.prod.db.example.com"}}}},
		})
		return err != nil && strings.Contains(err.Error(), "is not what Workflow")
	}
	differs() // Firebreak reads the resource now. Without the rule, the API server refuses that.
	return differs
}
