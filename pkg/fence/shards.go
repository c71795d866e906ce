package fence

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Mode says when the fence holds.
type Mode string

// The modes.
const (
	Off Mode = "off"
	// WhenAway lets the fence hold once Firebreak has not said for some minutes that it is there.
	WhenAway Mode = "whenAway"
	Always   Mode = "always"
)

const (
	// Prefix begins the names of everything that the fence consists of.
	Prefix = "firebreak-fence-"
	// Hosts is the name of the policy about names of production, and begins those of its ConfigMaps.
	Hosts = Prefix + "hosts"
	// Members is the name of the policy about writes into production, and of its ConfigMap.
	Members = Prefix + "members"
	// Jobs is the name of the policy about Jobs in production, and of its ConfigMap.
	Jobs = Prefix + "jobs"
	// MaxHosts is how many names one ConfigMap holds: an API server turns all of them into a value for each request.
	MaxHosts = 15000
	// MaxShards is how many ConfigMaps of names there may be. What goes beyond is not in the fence.
	MaxShards = 8
)

// Keys of the ConfigMaps. Keys hold names, since no value of another policy's language can be looked up as fast.
const (
	hostKey      = "host."
	wildKey      = "wild."
	gateKey      = "gate."
	namespaceKey = "ns."
	memberKey    = "env."
	windowKey    = "open."
	aliveKey     = "alive-until"
)

// Input is what the fence is made of.
type Input struct {
	Estate *estate.Estate
	Stores []v1alpha1.DataStore
	// Windows are those that permit Jobs to be created, and are approved.
	Windows []v1alpha1.ChangeWindow
	Mode    Mode
	// AliveUntil is until when Firebreak is known to be there; it matters to the mode WhenAway.
	AliveUntil time.Time
}

// ConfigMaps returns the data of the fence's ConfigMaps by their names, and how many names did not fit.
func ConfigMaps(in Input) (out map[string]*corev1.ConfigMap, left int) {
	namespaces := namespacesOf(in.Estate)
	shards, left := shards(in, namespaces)
	out = map[string]*corev1.ConfigMap{}
	for i, data := range shards {
		out[Shard(i)] = in.configMap(Shard(i), data)
	}
	out[Members] = in.configMap(Members, membersOf(in.Estate))
	out[Jobs] = in.configMap(Jobs, openings(in, namespaces))
	return out, left
}

// Shard returns the name of a ConfigMap of names.
func Shard(i int) string { return fmt.Sprintf("%s-%d", Hosts, i) }

func (in *Input) configMap(name string, data map[string]string) *corev1.ConfigMap {
	if in.Mode == WhenAway || name == Jobs {
		data[aliveKey] = in.AliveUntil.UTC().Format(time.RFC3339)
	}
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: in.Estate.FirebreakNamespace}, Data: data,
	}
}

// namespacesOf returns the namespaces that the fence does not stand around: those of production and the shared ones, by key.
func namespacesOf(e *estate.Estate) map[string]string {
	out := map[string]string{namespaceKey + e.FirebreakNamespace: string(v1alpha1.TierShared)}
	for _, tier := range []v1alpha1.Tier{v1alpha1.TierShared, v1alpha1.TierProduction} {
		for _, ns := range e.InTier(tier) {
			out[namespaceKey+ns] = string(tier)
		}
	}
	// Through a gateway some may reach production until it expires: the fence cannot tell whom, so it leaves that to Firebreak.
	for _, env := range e.Environments() {
		for _, g := range env.Spec().Gateways {
			if key, ok := keyOf(g.Host); ok {
				out[gateKey+strings.TrimPrefix(key, hostKey)] = env.Name
			}
		}
	}
	return out
}

// shards returns the names of production's data stores, with the namespaces in each shard, and how many did not fit. A name's shard follows from the
// name alone as long as their number stays, so that no name is missing while others come and go.
func shards(in Input, namespaces map[string]string) (out []map[string]string, left int) {
	enforced := map[string]bool{}
	for _, e := range in.Estate.Production() {
		enforced[e.Name] = denies(e, v1alpha1.RuleDataStoreAcrossTiers) && !exempted(in.Estate, v1alpha1.RuleDataStoreAcrossTiers)
	}
	owners := map[string]string{}
	for i := range in.Stores {
		d := &in.Stores[i]
		if !enforced[d.Spec.Environment] {
			continue
		}
		for _, h := range d.Spec.Hosts {
			if key, ok := keyOf(h); ok {
				owners[key] = d.Spec.Environment
			}
		}
	}
	n := 1
	for n < MaxShards && len(owners) > n*MaxHosts*3/4 {
		n *= 2
	}
	sizes := make([]int, n)
	for range n {
		out = append(out, maps.Clone(namespaces))
	}
	for _, key := range slices.Sorted(maps.Keys(owners)) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(key)) // it never fails
		i := int(h.Sum32() % uint32(n))
		if sizes[i] == MaxHosts {
			left++
			continue
		}
		out[i][key] = owners[key]
		sizes[i]++
	}
	return out, left
}

// keyOf returns the key of a host; false: it is too short to speak for itself, or an address, of which there are many spellings.
func keyOf(host string) (string, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	key := hostKey
	if rest, wild := strings.CutPrefix(host, "*."); wild {
		key, host = wildKey, rest
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	number := last != "" && strings.Trim(last, "0123456789") == ""
	plain := strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
	return key + host, plain && !number && (len(labels) >= 3 || key == wildKey && len(labels) >= 2) && len(host) < 240
}

func denies(e *estate.Environment, rule v1alpha1.RuleName) bool {
	return estate.Strictest([]*estate.Environment{e}, rule) == v1alpha1.ActionDeny
}

// exempted reports whether somebody is exempted from a rule: the fence cannot tell whom, so it leaves the rule to Firebreak.
func exempted(e *estate.Estate, rule v1alpha1.RuleName) bool {
	return slices.ContainsFunc(e.Exemptions(), func(x v1alpha1.Exemption) bool { return slices.Contains(x.Spec.Rules, rule) })
}

// membersOf returns, for each namespace of production, the environments whose members may write there.
func membersOf(e *estate.Estate) map[string]string {
	out := map[string]string{}
	if exempted(e, v1alpha1.RuleIdentityOutsideEnvironment) {
		return out
	}
	for _, ns := range e.InTier(v1alpha1.TierProduction) {
		var names []string
		for _, env := range e.NamespaceOrName(ns).Production() {
			if !denies(env, v1alpha1.RuleIdentityOutsideEnvironment) {
				names = nil
				break
			}
			names = append(names, env.Name)
		}
		if len(names) > 0 {
			out[memberKey+ns] = strings.Join(names, ",")
		}
	}
	return out
}

// openings returns, for each namespace of production, when windows let persons create Jobs there.
func openings(in Input, namespaces map[string]string) map[string]string {
	out := map[string]string{}
	for key, tier := range namespaces {
		if tier == string(v1alpha1.TierProduction) {
			out[windowKey+strings.TrimPrefix(key, namespaceKey)] = ""
		}
	}
	for i := range in.Windows {
		w := &in.Windows[i]
		if w.Status.OpensAt == nil || w.Status.ClosesAt == nil || !startsJobs(&w.Spec.Scope) {
			continue
		}
		span := w.Status.OpensAt.UTC().Format(time.RFC3339) + "/" + w.Status.ClosesAt.UTC().Format(time.RFC3339)
		places := w.Spec.Scope.Namespaces
		if len(places) == 0 {
			places = []string{w.Namespace}
		}
		for _, ns := range places {
			if have, ok := out[windowKey+ns]; ok && !strings.Contains(have, span) && strings.Count(have, ",") < maxOpenings {
				out[windowKey+ns] = strings.TrimPrefix(have+","+span, ",")
			}
		}
	}
	return out
}

// maxOpenings bounds what one request compares.
const maxOpenings = 63

func startsJobs(s *v1alpha1.Scope) bool {
	return slices.Contains(s.Operations, v1alpha1.OperationCreate) &&
		slices.ContainsFunc(s.Resources, func(r v1alpha1.ScopedResource) bool { return r.Group == "batch" && r.Kind == "Job" })
}
