package reference

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// object walks over every text of an object that has no template of its own: routes, volumes, accounts and whatever
// custom resources say.
func object(in *Input) []Reference {
	if in.Object == nil {
		return nil
	}
	w := walker{reader: in.reader, use: useOf(in.Kind.Group, in.Kind.Kind), kind: in.Kind.Kind}
	if in.Template != nil {
		w.use = Stores // the claims of a StatefulSet
	}
	for _, key := range slices.Sorted(maps.Keys(in.Object)) {
		switch key {
		case "apiVersion", "kind", "metadata", "status":
		default:
			w.value(in.Object[key], trail{nil, key, 0}, key, "", 1)
		}
	}
	return w.out
}

// RoutesOf reports whether objects of a kind say where traffic goes.
func RoutesOf(gk schema.GroupKind) bool { return useOf(gk.Group, gk.Kind) == Routes }

// useOf says what the references of a kind are for.
func useOf(group, kind string) Use {
	switch kind {
	case "Service", "PersistentVolume", "PersistentVolumeClaim":
		if group != "" {
			return Connects
		}
		if kind != "Service" {
			return Stores
		}
		return Routes
	case "Endpoints", "EndpointSlice", "Ingress", "NetworkPolicy", "Gateway", "ReferenceGrant", "VirtualService",
		"ServiceEntry", "DestinationRule", "Sidecar", "AuthorizationPolicy", "WorkloadEntry", "IngressRoute", "IngressRouteTCP":
		return Routes
	case "StorageClass", "VolumeSnapshot", "VolumeSnapshotContent", "VolumeAttachment":
		return Stores
	}
	if strings.HasSuffix(kind, "Route") || strings.HasSuffix(kind, "NetworkPolicy") || strings.HasPrefix(group, "gateway.networking.") {
		return Routes
	}
	return Connects
}

// trail is the way to a node, made into text only where something is found.
type trail struct {
	up    *trail
	key   string
	index int
}

func segments(text string) trail { return trail{nil, text, 0} }

func (p trail) String() string {
	own := p.key
	if own == "" {
		own = "[" + strconv.Itoa(p.index) + "]"
	}
	if p.up == nil {
		return own
	}
	if p.key == "" {
		return p.up.String() + own
	}
	if strings.ContainsAny(own, "./[") {
		return p.up.String() + "[" + strconv.Quote(own) + "]"
	}
	return p.up.String() + "." + own
}

// maxNesting is how deep an object may be nested: no real one comes near, and what lies deeper is not read.
const maxNesting = 128

type walker struct {
	*reader
	use  Use
	kind string
	out  []Reference
	// inner: what is read stands in a text itself.
	inner bool
}

func (w *walker) found(p trail, text string, targets []Target) {
	path := ""
	if len(targets) > 0 {
		path = p.String()
	}
	refs := w.at(path, text, targets)
	for i := range refs {
		refs[i].Use = w.use
	}
	w.out = append(w.out, refs...)
}

// value reads a node. key is the nearest name above it, and above the one above that.
func (w *walker) value(v any, p trail, key, above string, depth int) {
	if depth > maxNesting {
		w.budget.TooDeep()
		return
	}
	if !w.budget.Spend(tokenCost) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		w.node(v, p, key, depth)
	case []any:
		for i, item := range v {
			w.value(item, trail{&p, "", i}, key, above, depth+1)
		}
	case string:
		if v != "" {
			w.text(v, p, key, above)
		}
	}
}

func (w *walker) node(m map[string]any, p trail, key string, depth int) {
	if action, _ := m["action"].(string); strings.EqualFold(action, "deny") {
		return // what is kept out
	}
	if key == "matchLabels" {
		w.podLabels(m, p)
		return
	}
	if selector(key) {
		w.selects(m, p)
		return
	}
	if name, ok := m["name"].(string); ok {
		w.refersTo(m, name, p, key)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if silent(k) {
			continue
		}
		hint := k
		if name, ok := m["name"].(string); ok && (k == "value" || k == "default") {
			hint = name // a parameter: its name says what the value is
		}
		w.value(m[k], trail{&p, k, 0}, hint, key, depth+1)
	}
}

// silent: fields that name the object's own parts, or that are written for people.
func silent(key string) bool {
	switch key {
	case "name", "apiVersion", "apiGroup", "apiGroups", "kind", "labels", "labelSelector", "finalizers", "ownerReferences",
		"image", "description", "documentation", "summary", "help", "title", "comment", "displayName", "openAPIV3Schema", "creationTimestamp",
		"managedFields", "uid", "resourceVersion", "fieldPath", "protocol", "caBundle", "nodeName", "clusterIP", "clusterIPs", "loadBalancerSourceRanges", "except", "egressDeny", "ingressDeny", "exclude", "notes":
		return true
	}
	return false
}

// refersTo reads {name, namespace} as the reference that the field's own name says it is.
func (w *walker) refersTo(m map[string]any, name string, p trail, key string) {
	kind, _ := m["kind"].(string)
	namespace, _ := m["namespace"].(string)
	l := strings.ToLower(key)
	_, keyed := m["key"].(string)
	secretive := strings.Contains(l, "secret") || l == "imagepullsecrets" || keyed && len(m) <= 3 && opens(l)
	if kind == "Secret" || kind == "" && secretive && !strings.Contains(l, "store") {
		w.found(trail{&p, "name", 0}, name, w.keep(nil, Target{Kind: Secret, Name: name, Namespace: namespace, Strong: true}))
	}
}

func (w *walker) text(v string, p trail, key, above string) {
	l := strings.ToLower(key)
	if targets, only := w.byName(v, l, strings.ToLower(above)); len(targets) > 0 || only {
		w.found(p, v, targets)
		if only {
			return
		}
	}
	w.free(v, p, key)
}

// byName reads a text for what the field's own name says that it is; only that, for some.
func (w *walker) byName(v, l, above string) (targets []Target, only bool) {
	switch {
	case namespaceKey(l):
		return w.namespaceList(v), true
	case l == "volumename" && (w.kind == "PersistentVolumeClaim" || above == "spec" && w.use == Stores):
		return w.keep(nil, Target{Kind: Volume, Name: v, Strong: true}), true
	case l == "cidr" || l == "cidrs":
		return w.keep(nil, Target{Kind: Range, Name: v, Strong: true}), true
	case w.use == Stores && handleKey(l):
		return w.handles(v), false
	case secretNameKey(l):
		ns, name, ok := namespacedName(v)
		if !ok {
			name = v
		}
		return w.keep(nil, Target{Kind: Secret, Namespace: ns, Name: name, Strong: true}), false
	case storeKey(l, above):
		return w.keep(nil, StorePathTarget(v)), false
	case roleKey(l):
		return w.keep(nil, Target{Kind: Role, Name: v, Strong: true}), false
	}
	return nil, false
}

// opens: fields whose {name, key} is that of a Secret.
func opens(l string) bool {
	for _, word := range []string{"password", "token", "credential", "accesskey", "secretkey", "username", "auth", "privatekey", "key"} {
		if strings.Contains(l, word) {
			return true
		}
	}
	return false
}

// podLabels reads the labels by which some policies choose the namespace of Pods.
func (w *walker) podLabels(m map[string]any, p trail) {
	for _, key := range []string{"k8s:io.kubernetes.pod.namespace", "io.kubernetes.pod.namespace", "kubernetes.io/metadata.name"} {
		if ns, ok := m[key].(string); ok {
			w.found(trail{&p, key, 0}, ns, w.namespace(ns))
		}
	}
}

func roleKey(l string) bool {
	return strings.HasSuffix(l, "rolearn") || strings.HasSuffix(l, "iamrole") || l == "gcpserviceaccount" || l == "clientid"
}

// free reads a text for all that texts can name.
func (w *walker) free(v string, p trail, key string) {
	targets := append(w.find(v, key, position(key)), w.namespaceVariable(key, v)...)
	targets = append(targets, w.find(unwrapped(v), key, Value)...)
	if isScript(key, v) {
		targets = append(targets, w.scriptText(v)...)
	}
	if ns, _, ok := namespacedName(v); ok && (pointsElsewhere(key) || key == "hosts" && w.use == Routes) {
		targets = append(targets, w.namespace(ns)...)
	}
	w.nested(v, p, key)
	w.found(p, v, append(targets, w.meshIdentities(v)...))
}

// nested reads texts that hold an object of their own: values of a chart, manifests, templates.
func (w *walker) nested(v string, p trail, key string) {
	if w.inner || !strings.Contains(v, ":") || !strings.Contains(strings.TrimSpace(v), "\n") || isScript(key, v) {
		return
	}
	if !w.spend(v) || !w.budget.Node(countNodes(v)) {
		return
	}
	var tree map[string]any
	if yaml.Unmarshal([]byte(v), &tree) != nil {
		return
	}
	inside := walker{reader: w.reader, use: w.use, kind: w.kind, inner: true}
	inside.node(tree, trail{nil, "", 0}, key, 1)
	var targets []Target
	for _, r := range inside.out {
		targets = append(targets, r.Target)
	}
	w.found(p, v, targets)
}

// countNodes returns how many values a text in YAML can hold at most.
func countNodes(text string) int {
	n := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n', ',', '[', '{', '*', '-', ':', '?':
			n++
		}
	}
	return n
}

// position: the fields in which only a host can stand, whatever it looks like.
func position(key string) Position {
	switch strings.ToLower(key) {
	case "host", "hosts", "hostname", "hostnames", "externalname", "externalips", "addresses", "ip", "server", "monitors", "targetportal", "portals", "endpoint", "endpoints":
		return HostPosition
	}
	return Value
}

// handleKey: the fields by which a volume's driver finds it, in the cloud's or the array's own words.
func handleKey(l string) bool {
	switch l {
	case "volumehandle", "volumeid", "pdname", "pdid", "diskname", "diskuri", "fsid", "filesystemid", "sharename", "datasetname", "datasetuuid",
		"volume", "share", "iqn", "targetwwns", "wwids", "volumepath", "location", "source", "snapshothandle", "subsystemnqn":
		return true
	}
	return false
}

// handles reads a handle, and the parts that drivers join in one.
func (r *reader) handles(v string) []Target {
	if len(v) > maxResource {
		return nil
	}
	out := r.keep(nil, Target{Kind: Instance, Name: strings.ToLower(v), Strong: true})
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune(":#/", r) }) {
		if part != v {
			out = r.keep(out, Target{Kind: Instance, Name: strings.ToLower(part), Strong: true})
		}
	}
	return out
}

func namespaceKey(l string) bool {
	if strings.HasSuffix(l, "namespace") && !strings.Contains(l, "metric") && !strings.Contains(l, "exclud") && !strings.Contains(l, "ignor") {
		return true
	}
	switch l {
	case "includednamespaces", "matchnamespace", "intons", "appns", "namespaceoverride":
		return true
	}
	switch l {
	case "namespace", "namespaces", "targetnamespace", "targetnamespaces", "destinationnamespace", "sourcenamespace", "sourcenamespaces",
		"watchnamespace", "watchnamespaces", "jobnamespace", "jobnamespaces", "namespacename", "namespacenames", "matchnames", "fromnamespaces",
		"allowednamespaces", "secretnamespace", "releasenamespace", "storagenamespace", "installnamespace", "namespacesallow":
		return true
	}
	return false
}

func secretNameKey(l string) bool {
	return strings.HasSuffix(l, "secretname") || strings.HasSuffix(l, "secret-name") || strings.HasSuffix(l, "varssecret") || strings.HasSuffix(l, "fromsecret") || l == "existingsecret" || l == "credentialssecret" || l == "credentialname" ||
		l == "secretref" || l == "tlssecret" || l == "passwordsecret" || l == "authsecret"
}

// storeKey: where ExternalSecrets, SecretProviderClasses and their like say which entry of a store they read.
func storeKey(l, above string) bool {
	switch l {
	case "key":
		return above == "remoteref" || above == "extract"
	case "secretpath", "objectname", "vaultpath", "secretkeypath", "path", "remotekey", "property":
		return l != "path" && l != "property" || strings.Contains(above, "vault") || above == "kv" || above == "find"
	}
	return false
}

func selector(key string) bool {
	return key == "namespaceSelector"
}

// selects reads a selector of namespaces, of labels or by names.
func (w *walker) selects(m map[string]any, p trail) {
	if names, ok := m["matchNames"]; ok {
		w.value(names, trail{&p, "matchNames", 0}, "matchNames", "", 1)
		return
	}
	var s metav1.LabelSelector
	if runtime.DefaultUnstructuredConverter.FromUnstructured(m, &s) != nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return
	}
	text := metav1.FormatLabelSelector(&s)
	w.found(p, text, w.keep(nil, Target{Kind: NamespaceSelector, Name: text, Strong: true}))
}
