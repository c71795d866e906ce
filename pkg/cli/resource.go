package cli

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// defined is what a CustomResourceDefinition says about its kind.
type defined struct {
	plural      string
	clusterWide bool
}

// define takes in a CustomResourceDefinition and ignores other objects.
func (k *snapshot) define(u *unstructured.Unstructured) error {
	if u == nil || u.GroupVersionKind().GroupKind() != (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
		return nil
	}
	return with(u, func(crd *definition) {
		gk := schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}
		k.defined[gk] = defined{crd.Spec.Names.Plural, crd.Spec.Scope == "Cluster"}
	})
}

// definition is the part of a CustomResourceDefinition that names its resource and its scope.
type definition struct {
	Spec struct {
		Group string `json:"group"`
		Scope string `json:"scope"`
		Names struct {
			Kind   string `json:"kind"`
			Plural string `json:"plural"`
		} `json:"names"`
	} `json:"spec"`
}

// resource returns the resource of a kind, and whether the kind is cluster-scoped. It asks a given definition, then the cluster,
// and otherwise follows Kubernetes' conventions.
func (k *snapshot) resource(gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
	if d, ok := k.defined[gvk.GroupKind()]; ok {
		return gvk.GroupVersion().WithResource(d.plural), d.clusterWide
	}
	if k.cluster != nil {
		if m, err := k.cluster.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); err == nil {
			return m.Resource, m.Scope.Name() == meta.RESTScopeNameRoot
		}
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return plural, clusterWide(gvk.GroupKind())
}

// clusterWide reports whether a kind is cluster-scoped: of Kubernetes' and Firebreak's own kinds, and of custom ones that are widely used,
// since their definitions are seldom at hand where their objects are.
func clusterWide(gk schema.GroupKind) bool {
	kinds, all := map[string][]string{
		"":                               {"Namespace", "Node", "PersistentVolume"},
		v1alpha1.GroupName:               {v1alpha1.KindEnvironment, v1alpha1.KindDataStore, v1alpha1.KindChangeFreeze, v1alpha1.KindExemption},
		"rbac.authorization.k8s.io":      {"ClusterRole", "ClusterRoleBinding"},
		"storage.k8s.io":                 {"StorageClass", "VolumeAttachment", "VolumeAttributesClass", "CSIDriver", "CSINode"},
		"networking.k8s.io":              {"IngressClass", "IPAddress", "ServiceCIDR"},
		"resource.k8s.io":                {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
		"certificates.k8s.io":            {"CertificateSigningRequest", "ClusterTrustBundle"},
		"external-secrets.io":            {"ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret"},
		"generators.external-secrets.io": {"ClusterGenerator"},
		"cert-manager.io":                {"ClusterIssuer"},
		"trust.cert-manager.io":          {"Bundle"},
		"argoproj.io":                    {"ClusterWorkflowTemplate", "ClusterAnalysisTemplate"},
		"kyverno.io":                     {"ClusterPolicy", "ClusterCleanupPolicy"},
		"gateway.networking.k8s.io":      {"GatewayClass"},
		"cilium.io":                      {"CiliumClusterwideNetworkPolicy", "CiliumClusterwideEnvoyConfig", "CiliumLoadBalancerIPPool", "CiliumNode"},
		"projectcalico.org":              {"GlobalNetworkPolicy", "GlobalNetworkSet", "HostEndpoint", "IPPool"},
		"crd.projectcalico.org":          {"GlobalNetworkPolicy", "GlobalNetworkSet", "HostEndpoint", "IPPool"},
		"policy.networking.k8s.io":       {"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"},
		"snapshot.storage.k8s.io":        {"VolumeSnapshotClass", "VolumeSnapshotContent"},
		"karpenter.sh":                   {"NodePool", "NodeClaim"},
		"tekton.dev":                     {"ClusterTask"},
		"capsule.clastix.io":             {"Tenant"},
	}, []string{"constraints.gatekeeper.sh", "templates.gatekeeper.sh", "pkg.crossplane.io", "apiextensions.crossplane.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io", "scheduling.k8s.io", "node.k8s.io", "flowcontrol.apiserver.k8s.io"}
	return slices.Contains(kinds[gk.Group], gk.Kind) || slices.Contains(all, gk.Group)
}
