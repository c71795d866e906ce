package discover

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Input is what a proposal is made from.
type Input struct {
	// Objects are those of the cluster: namespaces, Services, workloads, ConfigMaps, bindings, and custom resources that stand for a cloud's. What
	// somebody owns may be left out, since its owner says the same.
	Objects []*unstructured.Unstructured
	// Stores are what inventories list.
	Stores []Inventoried
	// Home is Firebreak's own namespace, which is nobody's.
	Home string
}

// Proposal is what could be declared. Each part has its evidence.
type Proposal struct {
	Environments []Environment `json:"environments"`
	Stores       []Store       `json:"dataStores"`
	// Questions are what nobody but a person can answer, in whole sentences.
	Questions []string `json:"questions"`
	// Unread are objects that could not be read, as kind namespace/name: why.
	Unread []string `json:"unread"`
}

// Environment is a group of namespaces.
type Environment struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
	// Namespaces are its members; Evidence says why each.
	Namespaces []string `json:"namespaces"`
	Evidence   []string `json:"evidence"`
	// Groups, Users and ServiceAccounts are who may write in its namespaces by their bindings, and Managers the programs that have written there.
	Groups          []string `json:"groups,omitempty"`
	Users           []string `json:"users,omitempty"`
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	Managers        []string `json:"managers,omitempty"`
}

// Store is a data store.
type Store struct {
	Name string `json:"name"`
	// Environment is empty if it is not clear whose it is; Question then says so.
	Environment string `json:"environment"`
	Question    string `json:"question,omitempty"`
	// Hosts, Services, Resources and Paths are how it is named. Services are namespace/name.
	Hosts     []string `json:"hosts,omitempty"`
	Services  []string `json:"services,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Paths     []string `json:"secretPaths,omitempty"`
	// Evidence says who names it where; Uses is how often it is named.
	Evidence []string `json:"evidence"`
	Uses     int      `json:"uses"`
}

// namedThing is one target, and where it was found.
type namedThing struct {
	kind reference.Kind
	name string
	uses int
	// stages are those of the namespaces that name it, and evidence the first places.
	stages   map[string]bool
	evidence []string
}

// mostEvidence is how many places are told of one thing.
const mostEvidence = 5

// finder gathers what objects name.
type finder struct {
	in     Input
	stage  map[string]string // by namespace
	things map[string]*namedThing
	out    *Proposal
	// services are those of the cluster, by namespace/name.
	services map[string]bool
}

// Discover makes a proposal.
func Discover(in Input) *Proposal {
	f := &finder{in: in, stage: map[string]string{}, things: map[string]*namedThing{}, services: map[string]bool{}, out: &Proposal{Questions: []string{}, Unread: []string{}}}
	f.environments()
	for _, u := range in.Objects {
		f.read(u)
	}
	f.identities()
	f.inventories()
	f.stores()
	return f.out
}

// read finds what one object names.
func (f *finder) read(u *unstructured.Unstructured) {
	gvk := u.GroupVersionKind()
	switch {
	case gvk.Group == "" && (gvk.Kind == "Namespace" || gvk.Kind == "Service" || gvk.Kind == "Secret" || gvk.Kind == "Node"),
		gvk.Group == "rbac.authorization.k8s.io", gvk.Group == "firebreak.dev", gvk.Group == "apiextensions.k8s.io", len(u.GetOwnerReferences()) > 0, u.GetNamespace() == f.in.Home:
		return
	}
	if s, ok := managed(u); ok {
		f.in.Stores = append(f.in.Stores, s)
		return
	}
	raw, err := u.MarshalJSON()
	if err == nil {
		var refs []reference.Reference
		if refs, err = policy.References(gvk, u.GetNamespace(), raw); err == nil {
			for i := range refs {
				f.note(u, &refs[i])
			}
			return
		}
	}
	f.out.Unread = append(f.out.Unread, fmt.Sprintf("%s %s/%s: %v", gvk.Kind, u.GetNamespace(), u.GetName(), err))
}

// note takes in one reference, if it is of something that may be a data store.
func (f *finder) note(u *unstructured.Unstructured, r *reference.Reference) {
	if r.Confidential || r.Answers != nil || r.Use != reference.Connects {
		return
	}
	name := ""
	switch r.Kind {
	case reference.Host:
		name = f.storeHost(u, r)
	case reference.Resource:
		// Any word could be a bucket.
		if cloudName.MatchString(r.Name) && !strings.ContainsFunc(r.Name, func(c rune) bool { return c <= ' ' || c == '$' || c == 0x7f }) {
			name = bucketOf(r.Name)
		}
	case reference.StorePath:
		if strings.Contains(r.Name, "/") && (slices.Contains(secretKinds(), u.GetKind()) || strings.Contains(r.Path, "vault.hashicorp.com")) {
			name = r.Name
		}
	}
	if name != "" {
		f.count(u, r, name)
	}
}

// storeHost returns what a host is called if it is a data store's: its name, or that of the Service of the cluster that it is; else an empty text.
func (f *finder) storeHost(u *unstructured.Unstructured, r *reference.Reference) string {
	name := r.Name
	if !r.Unambiguous && strings.Count(name, ".") < 2 || !plausible(name) {
		return ""
	}
	if service, ok := f.serviceOf(name, u.GetNamespace()); ok {
		if speaksOfStore(r.Text, name) || speaksOfStore(service, "") {
			return "service " + service
		}
		return "" // any Service of the cluster talks to others
	}
	if provided(name) || exists(name) && (speaksOfStore(r.Text, name) || speaksOfStore(called(u, r.Path), "")) {
		return name
	}
	return ""
}

// count counts one place that names a data store.
func (f *finder) count(u *unstructured.Unstructured, r *reference.Reference, name string) {
	key := r.Kind.String() + "|" + name
	t := f.things[key]
	if t == nil {
		t = &namedThing{kind: r.Kind, name: name, stages: map[string]bool{}}
		f.things[key] = t
	}
	where := fmt.Sprintf("%s %s/%s, %s", u.GetKind(), u.GetNamespace(), u.GetName(), r.Path)
	if slices.Contains(t.evidence, where) {
		return // a bucket, by several of its paths
	}
	t.uses++
	t.stages[f.stage[u.GetNamespace()]] = true
	if len(t.evidence) < mostEvidence {
		t.evidence = append(t.evidence, where)
	}
}

// cloudName is the full name of a resource at a cloud. Source: the clouds' documentation of ARNs, resource names and OCIDs, and Cloud SQL's of connection names.
var cloudName = regexp.MustCompile(`^(arn:aws[a-z-]*:(rds|dynamodb|s3|sqs|sns|elasticache|kafka|es|redshift|secretsmanager|kinesis|docdb-elastic|memorydb)\b|projects/|/subscriptions/|gs://|s3://|ocid1\.|[a-z][a-z0-9-]{4,28}:[a-z]+-[a-z]+[0-9]:[a-z][a-z0-9-]+$)`)

// secretKinds are the kinds that name paths in secret stores.
func secretKinds() []string {
	return []string{"ExternalSecret", "ClusterExternalSecret", "PushSecret", "SecretProviderClass", "VaultStaticSecret", "VaultDynamicSecret", "VaultSecret"}
}

// bucketOf cuts what lies in a bucket off its URL.
func bucketOf(name string) string {
	for _, scheme := range []string{"gs://", "s3://"} {
		if rest, ok := strings.CutPrefix(name, scheme); ok {
			bucket, _, _ := strings.Cut(rest, "/")
			return scheme + bucket
		}
	}
	return name
}

// privateDomains end names that no public registry knows, as companies use them.
func privateDomains() []string {
	return []string{"local", "internal", "intranet", "corp", "lan", "private", "test", "example", "home", "consul"}
}

// exists reports whether a name can be one of a machine somewhere: an address, or a name of at least two labels below a public or a private domain.
func exists(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	suffix, public := publicsuffix.PublicSuffix(host)
	return strings.Contains(host, ".") && host != suffix && (public || strings.Contains(suffix, ".") || slices.Contains(privateDomains(), suffix))
}

// called returns what the field of a reference is called: the variable of an environment, or the last key of its path.
func called(u *unstructured.Unstructured, path string) string {
	if variable, ok := strings.CutSuffix(path, ".value"); ok && strings.HasSuffix(variable, "]") {
		if m, ok := at(u.Object, variable).(map[string]any); ok {
			name, _ := m["name"].(string)
			return name
		}
	}
	i := strings.LastIndexAny(path, ".[")
	return strings.Trim(path[i+1:], `]"`)
}

// at returns what stands at a path of fields and indexes, such as spec.containers[0].env[1]; nil: nothing does, or a key holds a dot.
func at(tree any, path string) any {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch t := tree.(type) {
		case map[string]any:
			tree = t[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(t) || i < 0 {
				return nil
			}
			tree = t[i]
		default:
			return nil
		}
	}
	return tree
}

// serviceOf returns namespace/name of the Service of the cluster that a host is, if there is one.
func (f *finder) serviceOf(host, namespace string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc"), ".")
	switch len(parts) {
	case 1:
		key := namespace + "/" + parts[0]
		return key, f.services[key]
	case 2:
		key := parts[1] + "/" + parts[0]
		return key, f.services[key]
	case 3: // a Pod of a StatefulSet
		key := parts[2] + "/" + parts[1]
		return key, f.services[key]
	}
	return "", false
}

// plausible reports whether a host can be somebody's data store at all.
func plausible(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast()
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost") && host != "kubernetes" && !strings.HasPrefix(host, "kubernetes.default") && !strings.Contains(host, "*")
}

// storeWords are words by which fields, schemes and names tell of data stores. Source: the client libraries and charts of these products.
var storeWords = regexp.MustCompile(`(?i)(^|[^a-z])(postgres(ql)?|pg_?host|pgbouncer|mysql|mariadb|mssql|sqlserver|oracle|cockroach(db)?|mongo(db)?(\+srv)?|redis|rediss|valkey|memcached?|cassandra|scylla|elasticsearch|opensearch|kafka|rabbitmq|amqps?|nats|pulsar|zookeeper|clickhouse|couchdb|neo4j|influx(db)?|dynamodb|jdbc|database|db|datasource|dsn|bootstrap[._-]?servers?|brokers?)($|[^a-z])`)

// storePorts are those at which data stores listen.
var storePorts = regexp.MustCompile(`:(5432|6432|3306|1433|1521|26257|27017|6379|6380|11211|9042|9092|9093|9094|5671|5672|4222|2181|8123|9000|7687|8086|9200)\b`)

// speaksOfStore reports whether a text, as far as it stands around a name, says that the name is a data store's. Nothing of the text is kept.
func speaksOfStore(text, name string) bool {
	if name != "" {
		i := strings.Index(strings.ToLower(text), name)
		if i < 0 {
			return false
		}
		before, after := text[max(0, i-40):i], text[i+len(name):min(len(text), i+len(name)+8)]
		if storePorts.MatchString(after) {
			return true
		}
		// What stands in the name itself is also in those of API groups and of sites about a product.
		own := strings.Count(name, ".") > 2 || slices.Contains(privateDomains(), name[strings.LastIndex(name, ".")+1:])
		text = before + " " + after
		if own {
			text += " " + strings.ReplaceAll(name, ".", " ")
		}
	}
	return storeWords.MatchString(text)
}

// provided reports whether a name is that of a managed data store at a cloud.
func provided(host string) bool {
	return slices.ContainsFunc([]string{
		".rds.amazonaws.com", ".cache.amazonaws.com", ".docdb.amazonaws.com", ".es.amazonaws.com", ".kafka.amazonaws.com", ".redshift.amazonaws.com", ".memorydb.amazonaws.com", ".mq.amazonaws.com",
		".database.azure.com", ".database.windows.net", ".documents.azure.com", ".redis.cache.windows.net", ".servicebus.windows.net", ".blob.core.windows.net", ".mongo.cosmos.azure.com", ".cassandra.cosmos.azure.com",
		".mongodb.net", ".confluent.cloud", ".aivencloud.com", ".db.ondigitalocean.com", ".neon.tech", ".upstash.io", ".cloud.es.io", ".cockroachlabs.cloud", ".oraclecloud.com", ".sql.goog",
	}, func(s string) bool { return strings.HasSuffix(host, s) })
}

// stores makes data stores of what was found, each with whose it is.
func (f *finder) stores() {
	all := make([]*namedThing, 0, len(f.things))
	for _, t := range f.things {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *namedThing) int { return cmp.Or(cmp.Compare(b.uses, a.uses), cmp.Compare(a.name, b.name)) })
	taken := map[string]bool{}
	for _, s := range f.out.Stores {
		taken[s.Name] = true
	}
	known := map[string]int{}
	for i, s := range f.out.Stores {
		for _, n := range slices.Concat(s.Hosts, s.Resources) {
			known[n] = i
		}
	}
	for _, t := range all {
		if i, ok := known[t.name]; ok {
			f.out.Stores[i].Uses += t.uses
			f.out.Stores[i].Evidence = append(f.out.Stores[i].Evidence, t.evidence...)
			continue
		}
		s := Store{Name: storeName(t.name, taken), Evidence: t.evidence, Uses: t.uses}
		s.Environment, s.Question = f.owner(t)
		switch service, isService := strings.CutPrefix(t.name, "service "); {
		case isService:
			s.Services = []string{service}
		case t.kind == reference.Host:
			s.Hosts = []string{t.name}
		case t.kind == reference.StorePath:
			s.Paths = []string{t.name}
		default:
			s.Resources = []string{t.name}
		}
		f.out.Stores = append(f.out.Stores, s)
	}
}

// owner says whose a thing is: that of its own namespace, the one that its name speaks of, or the one whose workloads alone name it.
func (f *finder) owner(t *namedThing) (environment, question string) {
	if service, ok := strings.CutPrefix(t.name, "service "); ok {
		ns, _, _ := strings.Cut(service, "/")
		if s := f.stage[ns]; s != "" {
			return s, ""
		}
	}
	var users []string
	for s := range t.stages {
		if s != "" {
			users = append(users, s)
		}
	}
	slices.Sort(users)
	named := stageOf(t.name)
	switch {
	case named != "" && (len(users) == 0 || slices.Equal(users, []string{named})):
		return named, ""
	case named != "":
		return named, fmt.Sprintf("its name speaks of %s, and %s name it", named, strings.Join(users, " and "))
	case len(users) == 1 && !t.stages[""]:
		return users[0], ""
	case len(users) == 0:
		return "", "only namespaces that no environment claims name it: whose is it?"
	}
	return "", fmt.Sprintf("%s name it: whose is it, or do they share it?", strings.Join(users, " and "))
}

// storeName makes the name of an object of what something is called.
func storeName(name string, taken map[string]bool) string {
	words := tokens(strings.TrimPrefix(name, "service "))
	base := strings.Trim(strings.Join(words[:min(len(words), 4)], "-"), "-")
	base = strings.TrimRight(cmp.Or(base[:min(len(base), 50)], "store"), "-")
	if c := base[0]; c >= '0' && c <= '9' {
		base = "a-" + base
	}
	out := base
	for i := 2; taken[out]; i++ {
		out = fmt.Sprintf("%s-%d", base, i)
	}
	taken[out] = true
	return out
}

// isSystem reports whether a namespace is Kubernetes' own.
func isSystem(ns string) bool {
	return strings.HasPrefix(ns, "kube-") || ns == corev1.NamespaceDefault
}
