package reference

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// object walks over every text of an object that has no template of its own: routes, volumes, accounts and whatever
// custom resources say.
func object(in *Input) []Reference {
	if in.Object == nil {
		return nil
	}
	w := walker{reader: in.reader, use: useOf(in.Kind.Group, in.Kind.Kind), group: in.Kind.Group, kind: in.Kind.Kind}
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
	if len(w.parameters) > 0 {
		w.fill(in.Object["spec"], trail{nil, "spec", 0}, "", 1)
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
	case "Endpoints", "EndpointSlice", "Ingress", "NetworkPolicy", "EgressFirewall", "ClusterNetworkPolicy", "AdminNetworkPolicy", "Gateway", "ReferenceGrant", "VirtualService",
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

// maxKey is how many characters of a key a path shows: nobody reads more, and each reference has a path of its own.
const maxKey = 128

// size returns how long the text is at most.
func (p trail) size() int {
	n := 0
	for at := &p; at != nil; at = at.up {
		n += min(len(at.key), maxKey) + 16
	}
	return n
}

func (p trail) String() string {
	own := p.key
	if len(own) > maxKey {
		own = strings.ToValidUTF8(own[:maxKey], "") + "…"
	}
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
	use         Use
	group, kind string
	out         []Reference
	// parameters are those that stand in the place of a namespace, whose values the object may hold elsewhere.
	parameters map[string]bool
}

func (w *walker) found(p trail, text string, targets []Target) {
	path := ""
	if len(targets) > 0 {
		if !w.budget.Spend(p.size()) {
			return
		}
		path = p.String()
	}
	refs := w.at(path, text, targets)
	for i := range refs {
		refs[i].Use = w.use
	}
	w.out = append(w.out, refs...)
}

// field returns a key as far as it can be the name of a field: each text below it is read by it, however long it is.
func field(key string) string {
	if len(key) > maxKey {
		return ""
	}
	return key
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
		w.flags(v, p, key)
		for i, item := range v {
			w.value(item, trail{&p, "", i}, key, above, depth+1)
		}
	case string:
		if v != "" {
			w.text(v, p, key, above)
		}
	case workload.Text:
		w.text(v.Raw, p, key, above)
		w.folded(v, p, key, depth)
	}
}

// folded reads the objects that a text holds. What they name, the text as a whole names.
func (w *walker) folded(text workload.Text, p trail, key string, depth int) {
	inside := walker{reader: w.reader, use: w.use, group: w.group, kind: w.kind}
	for _, tree := range text.Trees {
		inside.value(tree, trail{nil, "", 0}, key, "", depth+1)
	}
	var targets []Target
	for _, r := range inside.out {
		targets = append(targets, r.Target)
	}
	w.found(p, text.Raw, targets)
	for name := range inside.parameters {
		w.parameter("{{" + name + "}}")
	}
}

func (w *walker) node(m map[string]any, p trail, key string, depth int) {
	if w.keepsOut(m) || isAlert(m) {
		return
	}
	if key == "matchLabels" {
		w.podLabels(m, p)
		return
	}
	if selector(key) {
		w.selects(m, p)
		return
	}
	if key == "namespaces" && w.allowed(m, p) {
		return
	}
	if _, ok := m["operator"]; ok {
		w.requirement(m, p)
	}
	w.blocks(m, p, key)
	if name, ok := m["name"].(string); ok {
		w.refersTo(m, name, p, key)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.spoken(k, trail{&p, k, 0})
		if w.skips(k, m[k], p) || abroad(m, k, key) {
			continue
		}
		hint := field(k)
		if name, ok := m["name"].(string); ok && (k == "value" || k == "default") {
			hint = name // a parameter: its name says what the value is
		}
		w.value(m[k], trail{&p, k, 0}, hint, key, depth+1)
	}
}

// keepsOut reports whether a rule of a policy says what is not let through.
func (w *walker) keepsOut(m map[string]any) bool {
	action, _ := m["action"].(string)
	kind, _ := m["type"].(string)
	switch strings.ToLower(action) {
	case "deny", "drop", "reject", "log":
		return w.use == Routes
	}
	return strings.EqualFold(kind, "deny") && strings.HasPrefix(w.kind, "Egress")
}

// isAlert reports whether a node is a rule of Prometheus, which asks and tells, and reaches nothing.
func isAlert(m map[string]any) bool {
	_, asks := m["expr"]
	_, alert := m["alert"]
	_, record := m["record"]
	return asks && (alert || record)
}

// skips reports whether what stands under a key names nothing, apart from what it says by itself.
func (w *walker) skips(key string, v any, p trail) bool {
	out := w.use == Routes && keptOut(key) || w.group == "monitoring.coreos.com" && quietBlock(strings.ToLower(key))
	if !isIgnoredField(key) && !out {
		return false
	}
	if text, ok := v.(string); ok && !wordless(key) {
		w.spoken(text, trail{&p, key, 0})
	}
	return out || !keeps(key, v)
}

// spoken reads a text that names a part of the object, such as a key, and takes it for an address only where it says so by itself.
func (w *walker) spoken(text string, p trail) {
	if strings.Contains(text, "://") || strings.Contains(text, "@kubernetescrd") || strings.HasPrefix(text, "arn:") || strings.Contains(text, ".") && (fullName(text) || strings.Contains(text, ":") || isAddress(text)) {
		w.found(p, text, w.find(text, "", Word))
	}
}

// refersTo reads {name, namespace} as the reference that the field's own name says it is.
func (w *walker) refersTo(m map[string]any, name string, p trail, key string) {
	kind, _ := m["kind"].(string)
	namespace, _ := m["namespace"].(string)
	l := strings.ToLower(key)
	_, keyed := m["key"].(string)
	secretive := strings.Contains(l, "secret") || l == "imagepullsecrets" || keyed && len(m) <= 3 && namesSecretKey(l)
	if kind == "Secret" || kind == "" && secretive && !strings.Contains(l, "store") {
		w.found(trail{&p, "name", 0}, name, w.keep(nil, Target{Kind: Secret, Name: name, Namespace: namespace, Unambiguous: true}))
	}
}

func (w *walker) text(v string, p trail, key, above string) {
	l := strings.ToLower(key)
	if selector(key) {
		w.expression(v, p)
		return
	}
	switch placeOf(w.kind, key, p.above) {
	case foreignNamespace, inboundPlace:
		return
	case namespacePlace:
		w.parameter(v)
		w.found(p, v, w.namespaceList(strings.TrimPrefix(v, ".")))
		return
	case pairPlace:
		w.found(p, v, w.pair(v))
		return
	case publicHost:
		w.base = hushShort
		defer func() { w.base = 0 }()
	}
	if digits(key) {
		w.found(p, v, w.portMapping(v))
	}
	if key == "selector" && strings.Contains(v, "projectcalico.org/namespace") {
		w.expression(v, p)
		return
	}
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
		w.parameter(v)
		return w.namespaceList(v), !fullName(v)
	case l == "volumename" && (w.kind == "PersistentVolumeClaim" || above == "spec" && w.use == Stores):
		return w.keep(nil, Target{Kind: Volume, Name: v, Unambiguous: true}), true
	case l == "cidr" || l == "cidrs":
		return w.keep(nil, Target{Kind: Range, Name: v, Unambiguous: true}), true
	case w.use == Stores && handleKey(l):
		return w.handles(v), false
	case secretNameKey(l):
		ns, name, ok := namespacedName(v)
		if !ok {
			name = v
		}
		return w.keep(nil, Target{Kind: Secret, Namespace: ns, Name: name, Unambiguous: true}), false
	case storeKey(l, above):
		return w.keep(nil, StorePathTarget(v)), false
	case roleKey(l):
		return w.keep(nil, Target{Kind: Role, Name: v, Unambiguous: true}), false
	}
	return nil, false
}

// free reads a text for all that texts can name.
func (w *walker) free(v string, p trail, key string) {
	targets := append(w.find(v, key, position(key)), w.namespaceVariable(key, v)...)
	targets = append(targets, w.find(unwrapped(v), key, Value)...)
	if workload.IsScript(key, v) {
		targets = append(targets, w.scriptText(v)...)
	}
	if ns, _, ok := namespacedName(v); ok && (pointsElsewhere(key) || key == "hosts" && w.use == Routes) {
		targets = append(targets, w.namespace(ns)...)
	}
	w.found(p, v, append(targets, w.meshIdentities(v)...))
}

// handles reads a handle, and the parts that drivers join in one.
func (r *reader) handles(v string) []Target {
	if len(v) > maxResource {
		return nil
	}
	out := r.keep(nil, Target{Kind: Instance, Name: strings.ToLower(v), Unambiguous: true})
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune(":#/", r) }) {
		if part != v {
			out = r.keep(out, Target{Kind: Instance, Name: strings.ToLower(part), Unambiguous: true})
		}
	}
	return out
}
