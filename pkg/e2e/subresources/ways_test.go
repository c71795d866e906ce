package subresources

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// way is one request of a developer, who may do everything by RBAC.
type way struct {
	reason string
	verb   string
	path   string
	// body is the body as YAML.
	body string
	// want are parts of the message of the refusal: the rule, and the place.
	want []string
}

const (
	outsider  = `IdentityOutsideEnvironment: user "dana" is not a member of "production", to which namespace "payments" belongs`
	boundary  = "BoundaryTampering: this weakens the boundary"
	host      = "orders.prod.db.example.com"
	container = "containers: [{name: a, image: a}]"
)

func send(t *testing.T, cfg *rest.Config, w way) error {
	t.Helper()
	cfg = rest.CopyConfig(cfg)
	cfg.GroupVersion, cfg.APIPath, cfg.NegotiatedSerializer = &schema.GroupVersion{}, "/", scheme.Codecs.WithoutConversion()
	cfg.WarningHandler = rest.NoWarnings{}
	c, err := rest.RESTClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	verb := w.verb
	if verb == "CONNECT" {
		verb = "GET"
	}
	path, query, _ := strings.Cut(w.path, "?")
	r := c.Verb(verb).AbsPath(path)
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			r = r.Param(k, v)
		}
	}
	if w.body != "" {
		raw, err := yaml.YAMLToJSON([]byte(w.body))
		if err != nil {
			t.Fatalf("%v in %s", err, w.body)
		}
		contentType := "application/json"
		if verb == "PATCH" {
			contentType = string(types.StrategicMergePatchType)
			if strings.Contains(path, "argoproj.io") || strings.Contains(path, "gateway.networking") {
				contentType = string(types.MergePatchType) // the API server has no strategy to merge custom resources
			}
		}
		r = r.SetHeader("Content-Type", contentType).Body(raw)
	}
	return r.Do(t.Context()).Error()
}

func runWays(t *testing.T, cases map[string]way) {
	t.Helper()
	dana := the.UserConfig(stage.Developer)
	for name, w := range cases {
		t.Run(name, func(t *testing.T) {
			err := send(t, dana, w)
			if err == nil {
				t.Fatalf("%s: it was admitted: %s %s\n%s", w.reason, w.verb, w.path, w.body)
			}
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "firebreak.dev") {
				t.Fatalf("%s: refused by somebody else: %v", w.reason, err)
			}
			for _, part := range w.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: the sentence lacks %q:\n%v", w.reason, part, err)
				}
			}
		})
	}
}

func in(group, resource string) string {
	if group == "v1" {
		return "/api/v1/namespaces/payments/" + resource
	}
	return "/apis/" + group + "/namespaces/payments/" + resource
}

func inDev(group, resource string) string {
	return strings.Replace(in(group, resource), "/payments/", "/dev/", 1)
}

// TestSessionsAndSubresources shows that no side door to production opens for a user that is not a member.
func TestSessionsAndSubresources(t *testing.T) {
	pod := in("v1", "pods/web")
	cases := map[string]way{
		"exec":                        {"CONNECT has no labels in its payload", "CONNECT", pod + "/exec?command=sh&container=web&stdout=true", "", []string{outsider}},
		"exec, by POST":               {"kubectl sent this before WebSockets", "POST", pod + "/exec?command=sh&container=web&stdout=true", "", []string{outsider}},
		"attach":                      {"a session of its own", "CONNECT", pod + "/attach?container=web&stdout=true", "", []string{outsider}},
		"portforward":                 {"a session of its own", "CONNECT", pod + "/portforward?ports=80", "", []string{outsider}},
		"proxy of a Pod":              {"HTTP through the API server", "CONNECT", pod + "/proxy/", "", []string{outsider}},
		"proxy of a Pod, by POST":     {"any verb", "POST", pod + "/proxy/admin", "{}", []string{outsider}},
		"proxy of a Service":          {"the same through a Service", "CONNECT", in("v1", "services/ledger/proxy/"), "", []string{outsider}},
		"an ephemeral container":      {"it runs in the Pod's namespaces", "PATCH", pod + "/ephemeralcontainers", "spec: {ephemeralContainers: [{name: d, image: busybox}]}", []string{outsider}},
		"resize":                      {"a change of what runs", "PATCH", pod + "/resize", "spec: {containers: [{name: web, resources: {requests: {cpu: 2m}}}]}", []string{outsider}},
		"eviction":                    {"a deletion by another name", "POST", pod + "/eviction", "{apiVersion: policy/v1, kind: Eviction, metadata: {name: web, namespace: payments}}", []string{outsider}},
		"a token":                     {"whoever has it is the account", "POST", in("v1", "serviceaccounts/deployer/token"), "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {}}", []string{outsider}},
		"the image of a running Pod":  {"possible in Kubernetes", "PATCH", pod, "spec: {containers: [{name: web, image: evil}]}", []string{outsider}},
		"a label of the namespace":    {"membership by label", "PATCH", "/api/v1/namespaces/payments", "metadata: {labels: {env: dev}}", nil},
		"the namespace's status":      {"a status write may carry labels", "PATCH", "/api/v1/namespaces/dev/status", "metadata: {labels: {env: prod}}", []string{boundary}},
		"the namespace's finalizers":  {"and so may this", "PUT", "/api/v1/namespaces/dev/finalize", "{apiVersion: v1, kind: Namespace, metadata: {name: dev, labels: {env: prod}}, spec: {finalizers: [kubernetes]}}", []string{boundary}},
		"a node's labels":             {"the pool is production's", "PATCH", "/api/v1/nodes/prod-1", "metadata: {labels: {pool: dev}}", []string{boundary}},
		"a binding":                   {"around the scheduler", "POST", inDev("v1", "pods/shop/binding"), "{apiVersion: v1, kind: Binding, metadata: {name: shop}, target: {kind: Node, name: prod-1}}", []string{"PlacementAcrossTiers: target.name"}},
		"a binding, the old resource": {"the older door", "POST", inDev("v1", "bindings"), "{apiVersion: v1, kind: Binding, metadata: {name: shop}, target: {kind: Node, name: prod-1}}", []string{"PlacementAcrossTiers: target.name"}},
	}
	for kind, path := range map[string]string{
		"Deployment": in("apps/v1", "deployments/web"), "StatefulSet": in("apps/v1", "statefulsets/web"),
		"ReplicaSet": in("apps/v1", "replicasets/web"), "ReplicationController": in("v1", "replicationcontrollers/web"),
	} {
		cases["scale of a "+kind] = way{"its payload carries no labels and no template", "PATCH", path + "/scale", "spec: {replicas: 3}", []string{outsider}}
	}
	runWays(t, cases)
}

// TestEveryKindOfProduction shows that a user that is not a member neither changes nor deletes any kind there, one by one or all at
// once.
func TestEveryKindOfProduction(t *testing.T) {
	cases := map[string]way{}
	for kind, path := range map[string]string{
		"Pod": in("v1", "pods"), "Deployment": in("apps/v1", "deployments"), "StatefulSet": in("apps/v1", "statefulsets"), "ReplicaSet": in("apps/v1", "replicasets"),
		"ReplicationController": in("v1", "replicationcontrollers"), "CronJob": in("batch/v1", "cronjobs"), "ConfigMap": in("v1", "configmaps"), "Secret": in("v1", "secrets"),
		"PersistentVolumeClaim": in("v1", "persistentvolumeclaims"), "Ingress": in("networking.k8s.io/v1", "ingresses"), "NetworkPolicy": in("networking.k8s.io/v1", "networkpolicies"),
		"Role": in("rbac.authorization.k8s.io/v1", "roles"), "RoleBinding": in("rbac.authorization.k8s.io/v1", "rolebindings"),
		"HTTPRoute": in("gateway.networking.k8s.io/v1", "httproutes"), "HTTPRoute, another version": in("gateway.networking.k8s.io/v1beta1", "httproutes"),
		"Workflow": in("argoproj.io/v1alpha1", "workflows"),
	} {
		cases["a changed "+kind] = way{"UPDATE", "PATCH", path + "/web", "metadata: {labels: {changed: 'yes'}}", []string{outsider}}
		cases["a deleted "+kind] = way{"DELETE: the object is null, the old one is not", "DELETE", path + "/web", "", []string{outsider}}
		cases["every "+kind+" deleted"] = way{"deletecollection: the name is empty", "DELETE", path, "", []string{outsider}}
	}
	runWays(t, cases)
}

// TestEveryKindThatLeadsAcross shows that, in development, a reference to production is refused in whatever kind it is written.
func TestEveryKindThatLeadsAcross(t *testing.T) {
	template := fmt.Sprintf("template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a, env: [{name: DB, value: %s}]}]}}", host)
	workload := func(version, kind, more string) string {
		return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: a}, spec: {selector: {matchLabels: {app: a}}, %s%s}}", version, kind, more, template)
	}
	store := []string{`DataStoreAcrossTiers: env "DB" names "` + host + `"`}
	object := func(version, kind, body string) string {
		return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: a}, %s}", version, kind, body)
	}
	runWays(t, map[string]way{
		"Deployment":            {"a template", "POST", inDev("apps/v1", "deployments"), workload("apps/v1", "Deployment", ""), store},
		"StatefulSet":           {"a template", "POST", inDev("apps/v1", "statefulsets"), workload("apps/v1", "StatefulSet", "serviceName: a, "), store},
		"DaemonSet":             {"a template", "POST", inDev("apps/v1", "daemonsets"), workload("apps/v1", "DaemonSet", ""), store},
		"ReplicaSet":            {"a template", "POST", inDev("apps/v1", "replicasets"), workload("apps/v1", "ReplicaSet", ""), store},
		"ReplicationController": {"a template", "POST", inDev("v1", "replicationcontrollers"), strings.Replace(workload("v1", "ReplicationController", ""), "{matchLabels: {app: a}}", "{app: a}", 1), store},
		"Job":                   {"a template", "POST", inDev("batch/v1", "jobs"), object("batch/v1", "Job", "spec: {"+strings.Replace(template, "spec: {", "spec: {restartPolicy: Never, ", 1)+"}"), store},
		"CronJob": {"a template in a template", "POST", inDev("batch/v1", "cronjobs"), object("batch/v1", "CronJob", "spec: {schedule: '@daily', jobTemplate: {spec: {"+strings.Replace(template, "spec: {", "spec: {restartPolicy: Never, ", 1)+"}}}"),
			store},
		"Pod":                    {"no template", "POST", inDev("v1", "pods"), object("v1", "Pod", "spec: {containers: [{name: a, image: a, args: ['"+host+":5432']}]}"), []string{"DataStoreAcrossTiers: args[0]"}},
		"an ephemeral container": {"added to a Pod that runs", "PATCH", inDev("v1", "pods/shop/ephemeralcontainers"), "spec: {ephemeralContainers: [{name: d, image: d, env: [{name: DB, value: " + host + "}]}]}", []string{`DataStoreAcrossTiers: env "DB" of container "d"`}},
		"ConfigMap":              {"configuration", "POST", inDev("v1", "configmaps"), object("v1", "ConfigMap", "data: {url: 'postgres://"+host+"/o'}"), []string{`DataStoreAcrossTiers: data["url"]`}},
		"Secret":                 {"its value is not told", "POST", inDev("v1", "secrets"), object("v1", "Secret", "stringData: {url: 'postgres://u:p@"+host+"/o'}"), []string{`DataStoreAcrossTiers: data["url"] names data store "orders"`}},
		"what a Secret brings in": {"it was there first, and Firebreak may read it", "POST", inDev("apps/v1", "deployments"), strings.Replace(workload("apps/v1", "Deployment", ""), "env: [{name: DB, value: "+host+"}]", "envFrom: [{secretRef: {name: legacy}}]", 1),
			[]string{`DataStoreAcrossTiers: envFrom[0].secretRef (key "dsn" of Secret "legacy") names data store "orders"`}},
		"a Secret that copies":          {"a replicator acts on it", "POST", inDev("v1", "secrets"), "{apiVersion: v1, kind: Secret, metadata: {name: a, annotations: {replicator.v1.mittwald.de/replicate-from: payments/web}}}", []string{"CredentialAcrossTiers: metadata.annotations"}},
		"ServiceAccount":                {"a role in a cloud", "POST", inDev("v1", "serviceaccounts"), "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::1234:role/prod-a'}}}", []string{"CredentialAcrossTiers: metadata.annotations"}},
		"Service":                       {"an alias", "POST", inDev("v1", "services"), object("v1", "Service", "spec: {type: ExternalName, externalName: "+host+"}"), []string{"RouteAcrossTiers: spec.externalName"}},
		"Endpoints":                     {"by hand", "POST", inDev("v1", "endpoints"), object("v1", "Endpoints", "subsets: [{addresses: [{ip: 10.20.3.4}]}]"), []string{"RouteAcrossTiers: subsets[0].addresses[0].ip"}},
		"EndpointSlice":                 {"by hand, to a Service of production", "POST", inDev("discovery.k8s.io/v1", "endpointslices"), object("discovery.k8s.io/v1", "EndpointSlice", "addressType: IPv4, endpoints: [{addresses: [100.112.0.77]}]"), []string{`RouteAcrossTiers: endpoints[0].addresses[0] names "100.112.0.77", in namespace "payments"`}},
		"Ingress":                       {"an annotation", "POST", inDev("networking.k8s.io/v1", "ingresses"), "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a, annotations: {nginx.ingress.kubernetes.io/auth-url: 'http://ledger.payments.svc.cluster.local/'}}, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}}", []string{"NamespaceAcrossTiers: metadata.annotations"}},
		"NetworkPolicy":                 {"by the namespace's label", "POST", inDev("networking.k8s.io/v1", "networkpolicies"), object("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: payments}}}]}]}"), []string{"RouteAcrossTiers: spec.egress[0].to[0].namespaceSelector"}},
		"HTTPRoute":                     {"a backend", "POST", inDev("gateway.networking.k8s.io/v1", "httproutes"), object("gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {rules: [{backendRefs: [{name: ledger, namespace: payments}]}]}"), []string{"RouteAcrossTiers: spec.rules[0].backendRefs[0].namespace"}},
		"HTTPRoute, older":              {"a resource is served in several versions", "POST", inDev("gateway.networking.k8s.io/v1beta1", "httproutes"), object("gateway.networking.k8s.io/v1beta1", "HTTPRoute", "spec: {rules: [{backendRefs: [{name: ledger, namespace: payments}]}]}"), []string{"RouteAcrossTiers: spec.rules[0].backendRefs[0].namespace"}},
		"Workflow":                      {"a custom kind", "POST", inDev("argoproj.io/v1alpha1", "workflows"), object("argoproj.io/v1alpha1", "Workflow", "spec: {templates: [{name: a, container: {image: a, command: [psql, -h, "+host+"]}}]}"), []string{"DataStoreAcrossTiers: spec.templates[0].container.command[2]"}},
		"PersistentVolumeClaim":         {"of production's volume", "POST", inDev("v1", "persistentvolumeclaims"), object("v1", "PersistentVolumeClaim", "spec: {volumeName: ledger, storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"), []string{`StorageAcrossTiers: spec.volumeName names "ledger", a volume of namespace "payments"`}},
		"PersistentVolume":              {"on production's server", "POST", "/api/v1/persistentvolumes", object("v1", "PersistentVolume", "spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], claimRef: {namespace: dev, name: a}, nfs: {server: 10.20.3.4, path: /x}}"), []string{"StorageAcrossTiers: spec.nfs.server"}},
		"RoleBinding":                   {"power in production for herself", "POST", in("rbac.authorization.k8s.io/v1", "rolebindings"), object("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]"), []string{"GrantAcrossTiers: subjects[0]"}},
		"ClusterRoleBinding":            {"power everywhere", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: default, namespace: dev}]"), []string{"GrantAcrossTiers: subjects[0] gives service account \"dev/default\""}},
		"a certificate of an SRE":       {"whoever has it is a member", "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", object("certificates.k8s.io/v1", "CertificateSigningRequest", "spec: {signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], request: "+request(t, "mallory", "sre")+"}"), []string{"GrantAcrossTiers: spec.request"}},
		"a Pod on production's node":    {"around the scheduler", "POST", inDev("v1", "pods"), object("v1", "Pod", "spec: {nodeName: prod-1, hostPID: true, "+container+"}"), []string{"PlacementAcrossTiers: spec.nodeName"}},
		"a generated name":              {"the name is empty at admission", "POST", inDev("v1", "pods"), "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}, spec: {containers: [{name: a, image: a, args: ['" + host + ":5432']}]}}", []string{"DataStoreAcrossTiers: args[0]"}},
		"a Pod that is updated into it": {"created compliant", "PATCH", inDev("v1", "pods/shop"), "metadata: {annotations: {vault.hashicorp.com/agent-inject-template-a: 'postgres://" + host + "/o'}}", []string{"DataStoreAcrossTiers: metadata.annotations"}},
		"a namespace of production's":   {"its labels make it so", "POST", "/api/v1/namespaces", "{apiVersion: v1, kind: Namespace, metadata: {name: new, labels: {env: prod}}}", []string{boundary}},
		"a CRD of Firebreak's":          {"on which every decision rests", "DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/environments.firebreak.dev", "", []string{boundary}},
	})
}

// request returns a certificate request in base64.
func request(t *testing.T, name string, groups ...string) string {
	t.Helper()
	raw, err := certificate(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func certificate(name string, groups ...string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Organization: groups}}, key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), err
}

// TestApprovalOfCertificates shows that nobody can approve a certificate that was requested before Firebreak judged, and that a
// user may renew a certificate of their own name, for a day.
func TestApprovalOfCertificates(t *testing.T) {
	const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	body := func(name, request string) string {
		return "{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: " + name + "}, spec: {signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], request: " + request + "}}"
	}
	approval := func(name, request string) way {
		return way{"the approver makes the identity", "PUT", path + "/" + name + "/approval", strings.TrimSuffix(body(name, request), "}") +
			", status: {conditions: [{type: Approved, status: 'True', reason: x, message: x}]}}", []string{`GrantAcrossTiers: spec.request is for a certificate of user "pat"`}}
	}
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "create", "clusterrolebinding", "sre-all", "--clusterrole=cluster-admin", "--group=sre"); err != nil {
		t.Fatal(err)
	}
	sam := the.UserConfig(stage.SRE)
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	var pat certificatesv1.CertificateSigningRequest
	if err := c.Get(t.Context(), client.ObjectKey{Name: "pat"}, &pat); err != nil {
		t.Fatal(err)
	}
	stored := base64.StdEncoding.EncodeToString(pat.Spec.Request)
	runWays(t, map[string]way{"approved by a developer": approval("pat", stored)})
	if err := send(t, sam, approval("pat", stored)); err == nil || !strings.Contains(err.Error(), "GrantAcrossTiers") {
		t.Errorf("approved by a member: %v, want it refused: he could approve as pat what he requests", err)
	}
	own := request(t, stage.SRE, "sre")
	renewal := strings.Replace(body("renewal", own), "usages:", "expirationSeconds: 86400, usages:", 1)
	if err := send(t, sam, way{verb: "POST", path: path, body: renewal}); err != nil {
		t.Fatalf("somebody may renew what he is: %v", err)
	}
	approved := approval("renewal", own)
	approved.body = strings.Replace(approved.body, "usages:", "expirationSeconds: 86400, usages:", 1)
	if err := send(t, sam, approved); err != nil {
		t.Errorf("and it may be approved: %v", err)
	}
	runWays(t, map[string]way{"what was temporary made permanent": {"a year is no renewal", "POST", path, body("forever", request(t, stage.Developer, "sre")), []string{"GrantAcrossTiers: spec.request"}}})
}

// TestHarmlessWritesPass shows that the same requests are admitted if nothing in them is of production.
func TestHarmlessWritesPass(t *testing.T) {
	dana := the.UserConfig(stage.Developer)
	for name, w := range map[string]way{
		"a Deployment":        {verb: "POST", path: inDev("apps/v1", "deployments"), body: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: fine}, spec: {replicas: 0, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {" + container + "}}}}"},
		"a Service":           {verb: "POST", path: inDev("v1", "services"), body: "{apiVersion: v1, kind: Service, metadata: {name: fine}, spec: {ports: [{port: 80}]}}"},
		"an endpoint slice":   {verb: "POST", path: inDev("discovery.k8s.io/v1", "endpointslices"), body: "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: fine}, addressType: IPv4, endpoints: [{addresses: [10.99.0.1]}]}"},
		"a workflow":          {verb: "POST", path: inDev("argoproj.io/v1alpha1", "workflows"), body: "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: fine}, spec: {templates: [{name: a, container: {image: a}}]}}"},
		"a binding of a role": {verb: "POST", path: inDev("rbac.authorization.k8s.io/v1", "rolebindings"), body: "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: fine}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]}"},
		"a certificate":       {verb: "POST", path: "/apis/certificates.k8s.io/v1/certificatesigningrequests", body: "{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: fine}, spec: {signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], request: " + request(t, "dana", "developers") + "}}"},
		"her own exec":        {verb: "CONNECT", path: inDev("v1", "pods/shop/exec?command=sh")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := send(t, dana, w); err != nil && strings.Contains(err.Error(), "firebreak.dev") {
				t.Error(err)
			}
		})
	}
}

// TestNothingIsServedUnjudged goes through everything that the API server serves, including a kind that is installed meanwhile. A
// user that is not a member of production, even the administrator, writes no resource there, except those that are named here with
// the reason. If a new version of Kubernetes serves more, this test fails.
func TestNothingIsServedUnjudged(t *testing.T) {
	admin := the.AdminConfig()
	if _, err := the.KubectlWith(t.Context(), admin, widgets, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	if _, err := the.Kubectl(t.Context(), admin, "wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=60s"); err != nil {
		t.Fatal(err)
	}
	unsent := map[string]string{
		"events": "a record of what happened", "events.events.k8s.io": "a record of what happened", "leases.coordination.k8s.io": "elections; a person's are sent, and the administrator's name is one of the system's",
		"localsubjectaccessreviews.authorization.k8s.io": "a question", "changeexecutions.firebreak.dev": "only Firebreak writes them: a policy in the API server says so", "changerecords.firebreak.dev": "only Firebreak writes them: a policy in the API server says so",
		"changewindows.firebreak.dev": "who may request is judged by other rules", "changeapprovals.firebreak.dev": "who may approve is judged by other rules", "changedelegations.firebreak.dev": "who may delegate is judged by other rules", "bindings": "the scheduler's; it takes a Pod that waits",
	}
	out, err := the.Kubectl(t.Context(), admin, "api-resources", "--namespaced=true", "--verbs=create", "--no-headers", "-o", "wide")
	if err != nil {
		t.Fatal(err)
	}
	walked := 0
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		at := slices.Index(fields, "true")
		if at < 2 {
			t.Fatalf("api-resources says %q", line)
		}
		version, kind, resource := fields[at-1], fields[at+1], fields[0]
		name := resource
		if group, _, ok := strings.Cut(version, "/"); ok {
			name = resource + "." + group
		}
		if unsent[name] != "" {
			continue
		}
		walked++
		body := "{apiVersion: " + version + ", kind: " + kind + ", metadata: {name: walked}" + bodies()[kind] + "}"
		err := send(t, admin, way{verb: "POST", path: in(version, resource) + "?dryRun=All", body: body})
		if err == nil || !strings.Contains(err.Error(), "IdentityOutsideEnvironment") {
			t.Errorf("%s can be written in production by who is no member, or needs a body here: %v", name, err)
		}
	}
	if walked < 25 {
		t.Errorf("only %d resources were walked", walked)
	}
}

const widgets = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, scope: Namespaced,
  names: {plural: widgets, singular: widget, kind: Widget}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

// bodies are what objects of a kind must contain for the API server to call a webhook.
func bodies() map[string]string {
	const pod = "spec: {containers: [{name: a, image: a}]}"
	const template = "template: {metadata: {labels: {app: a}}, " + pod + "}"
	const selected = ", spec: {selector: {matchLabels: {app: a}}, " + template + "}"
	once := strings.Replace(template, "spec: {", "spec: {restartPolicy: Never, ", 1)
	return map[string]string{
		"Pod": ", " + pod, "Deployment": selected, "DaemonSet": selected, "ReplicaSet": selected, "StatefulSet": strings.Replace(selected, "spec: {", "spec: {serviceName: a, ", 1),
		"ReplicationController": ", spec: {selector: {app: a}, " + template + "}", "Job": ", spec: {" + once + "}", "CronJob": ", spec: {schedule: '@daily', jobTemplate: {spec: {" + once + "}}}",
		"PodTemplate": ", " + template, "LimitRange": ", spec: {limits: [{type: Pod, max: {cpu: 1}}]}", "ResourceQuota": ", spec: {hard: {pods: 1}}",
		"PersistentVolumeClaim": ", spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", "Service": ", spec: {ports: [{port: 80}]}", "Endpoints": "",
		"EndpointSlice": ", addressType: IPv4, endpoints: []", "Ingress": ", spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}", "NetworkPolicy": ", spec: {podSelector: {}}",
		"PodDisruptionBudget": ", spec: {maxUnavailable: 1, selector: {matchLabels: {app: a}}}", "HorizontalPodAutoscaler": ", spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}",
		"ControllerRevision": ", revision: 1, data: {a: 1}", "RoleBinding": ", roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}", "CSIStorageCapacity": ", storageClassName: a",
		"ResourceClaim": ", spec: {devices: {requests: [{name: a, exactly: {deviceClassName: a}}]}}", "ResourceClaimTemplate": ", spec: {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: a}}]}}}",
		"Workload": ", spec: {podGroupTemplates: [{name: a, schedulingPolicy: {basic: {}}}]}", "PodGroup": ", spec: {schedulingPolicy: {basic: {}}}",
	}
}
