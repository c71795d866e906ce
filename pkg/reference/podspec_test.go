package reference_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// harmless lists the text fields of a Pod's spec from which nothing is read, with the reason. A pattern covers what lies
// below it.
func harmless() map[string]string {
	return map[string]string{
		`.*\.name`:                    "the name of a part of the Pod itself, or of an object that is judged on its own",
		`.*[cC]ontainers\[0\]\.image`: "images are pulled by the kubelet, not connected to; a registry is no data store",
		`.*[cC]ontainers\[0\]\.(imagePullPolicy|terminationMessagePath|terminationMessagePolicy|workingDir|restartPolicy|targetContainerName)`: "how a container runs",
		`.*[cC]ontainers\[0\]\.restartPolicyRules.*`:                        "when a container is started again",
		`.*[cC]ontainers\[0\]\.resizePolicy.*`:                              "how a container is resized",
		`.*[cC]ontainers\[0\]\.resources.*`:                                 "amounts, and the claims of the Pod by their own names",
		`.*[cC]ontainers\[0\]\.(volumeMounts|volumeDevices).*`:              "where a volume of the Pod is put",
		`.*[cC]ontainers\[0\]\.ports.*`:                                     "what the container listens on; hostIP is an address of its own node",
		`.*[cC]ontainers\[0\]\.lifecycle\.stopSignal`:                       "a signal",
		`.*\.(securityContext)(\..*|\[.*)?`:                                 "what the process may do",
		`.*\.env\[0\]\.valueFrom\.(fieldRef|resourceFieldRef|fileKeyRef).*`: "values of the Pod itself and files that its own containers write",
		`.*\.env\[0\]\.valueFrom\.(configMapKeyRef|secretKeyRef)\.key`:      "a key of an object that the name beside it says",
		`.*\.env\[0\]\.valueFrom\.configMapKeyRef\.name`:                    "what the ConfigMap names is read by the source contents",
		`.*\.envFrom\[0\]\.(prefix|configMapRef\.name)`:                     "what the ConfigMap names is read by the source contents",
		`.*\.(httpGet|tcpSocket|grpc)\.(port|scheme|service)`:               "a port and a protocol of the host beside it",
		`.*\.httpGet\.httpHeaders\[0\]\.name`:                               "the name of a header",
		`spec\.volumes\[0\]\.(configMap|secret|downwardAPI|projected\.sources\[0\]\.(configMap|secret|downwardAPI))\.items.*`:                               "keys, and where they are put",
		`spec\.volumes\[0\]\.(configMap|projected\.sources\[0\]\.configMap)\.name`:                                                                          "what the ConfigMap names is read by the source contents",
		`spec\.volumes\[0\]\.projected\.sources\[0\]\.(serviceAccountToken|clusterTrustBundle|podCertificate).*`:                                            "tokens and certificates of the Pod's own account; who takes the account is IdentityOutsideEnvironment's business",
		`spec\.volumes\[0\]\.(emptyDir|hostPath\.type|downwardAPI|image).*`:                                                                                 "the node's own, the Pod's own, or an image",
		`spec\.(hostname|hostnameOverride|subdomain|restartPolicy|dnsPolicy|preemptionPolicy|os\.name|setHostnameAsFQDN|serviceAccount|serviceAccountName)`: "the Pod's own name and behaviour; whose account it takes is IdentityOutsideEnvironment's business",
		`spec\.(resourceClaims|readinessGates|schedulingGates|topologySpreadConstraints|overhead|resources|schedulingGroup|workloadRef)(\..*|\[.*)?`:        "devices, gates and amounts that the scheduler knows by name",
		`spec\.dnsConfig\.options.*`:                   "how the resolver asks, not whom",
		`spec\.affinity\.podAntiAffinity\.preferred.*`: "what would rather keep away keeps nobody away",
		`spec\.affinity\.pod(Anti)?Affinity.*\.(labelSelector|topologyKey|matchLabelKeys|mismatchLabelKeys|namespaceSelector).*`: "which Pods, by labels; a workload is drawn to namespaces by their names",
		`spec\.affinity\.nodeAffinity.*\.(operator|key)`:                                                             "read with the values beside it",
		`spec\.volumes\[0\]\.ephemeral\.volumeClaimTemplate\.(metadata|spec\.(selector|dataSource|dataSourceRef)).*`: "the claim's own name and labels, and sources of its own namespace; what names another namespace is read",
		`spec\.volumes\[0\]\.(gitRepo\.revision|rbd\.image|azureDisk\.kind|iscsi\.initiatorName|vsphereVolume\.storagePolicy(Name|ID)|scaleIO\.volumeName|storageos\.volumeName|ephemeral\.volumeClaimTemplate\.spec\.(storageClassName|volumeAttributesClassName))`: "what is taken of the server, array or account beside it, and classes of storage",
	}
}

// TestEveryTextOfAPodIsDecidedOn sets each text field of a PodSpec, one at a time, to what names production in every way
// at once, and wants a reference at that field; or a written reason why there is none. It goes red when Kubernetes adds a
// field.
func TestEveryTextOfAPodIsDecidedOn(t *testing.T) {
	reasons := harmless()
	patterns := map[string]*regexp.Regexp{}
	for p := range reasons {
		patterns[p] = regexp.MustCompile(`^` + p + `$`)
	}
	used := map[string]bool{}
	fields := 0
	leaves(reflect.TypeFor[corev1.PodSpec](), "spec", nil, func(path string, build func() any) {
		fields++
		if found(t, path, build) {
			return
		}
		covered := false
		for p, re := range patterns {
			if re.MatchString(path) {
				used[p], covered = true, true
			}
		}
		if covered {
			return
		}
		t.Errorf("%s: no source reads it, and no reason is written why none does", path)
	})
	for _, p := range slices.Sorted(maps.Keys(reasons)) {
		if !used[p] {
			t.Errorf("the reason for %s covers nothing", p)
		}
	}
	t.Logf("%d fields", fields)
}

// bait names something in every way in which a text can.
const bait = "orders.prod.db.example.com"

// found builds a Pod in which one field holds the bait and asks whether a reference comes of it.
func found(t *testing.T, path string, build func() any) bool {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"spec": build()})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	w, err := workload.Of(podKind(), raw)
	if err != nil {
		t.Fatalf("%s: %v in %s", path, err, raw)
	}
	for _, r := range reference.Extract(reference.Input{Namespace: "dev", Template: &w.Template}) {
		if r.Path == path || strings.HasPrefix(path, r.Path+".") || strings.HasPrefix(r.Path, path+"[") || strings.HasPrefix(r.Path, path+".") {
			return true
		}
	}
	return false
}

// leaves calls f for every text below a type. wrap builds the Pod's spec around a value.
func leaves(typ reflect.Type, path string, wrap func(any) any, f func(path string, build func() any)) {
	if wrap == nil {
		wrap = func(v any) any { return v }
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[resource.Quantity]() || typ == reflect.TypeFor[metav1.Time]() || typ == reflect.TypeFor[intstr.IntOrString]():
		return // amounts, instants and ports
	case typ.Kind() == reflect.String:
		text := bait
		if strings.HasSuffix(strings.ToLower(path), "namespace") {
			text = "payments"
		}
		f(path, func() any { return wrap(text) })
	case typ == reflect.TypeFor[[]string]():
		// The first word of a command is its program.
		f(path+"[1]", func() any { return wrap([]any{"x", bait}) })
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
		leaves(typ.Elem(), path+"[0]", func(v any) any { return wrap([]any{v}) }, f)
	case typ.Kind() == reflect.Map && typ.Elem().Kind() == reflect.String:
		f(path, func() any { return wrap(map[string]any{"k": bait}) })
	case typ.Kind() == reflect.Struct:
		structLeaves(typ, path, wrap, f)
	}
}

func structLeaves(typ reflect.Type, path string, wrap func(any) any, f func(string, func() any)) {
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" { // inline
			leaves(field.Type, path, wrap, f)
			continue
		}
		leaves(field.Type, path+"."+name, func(v any) any { return wrap(beside(path, name, v)) }, f)
	}
}

// beside adds what a field needs beside it to mean anything.
func beside(path, name string, v any) map[string]any {
	out := map[string]any{name: v}
	switch {
	case strings.HasSuffix(path, "matchExpressions[0]") && name == "values":
		out["key"], out["operator"] = "pool", "In"
	case strings.HasSuffix(path, "matchFields[0]") && name == "values":
		out["key"], out["operator"] = "metadata.name", "In"
	}
	return out
}

func podKind() schema.GroupKind { return schema.GroupKind{Kind: "Pod"} }
