package discover

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// storeHost returns what a host is called if it is a data store's: its name, or that of the Service of the cluster that it is; else an empty text.
func (f *finder) storeHost(u *unstructured.Unstructured, r *reference.Reference) string {
	name := r.Name
	if !r.Unambiguous && strings.Count(name, ".") < 2 || !plausible(name) {
		return ""
	}
	if service, ok := f.serviceOf(name, u.GetNamespace()); ok {
		if f.around(r.Text).speaksOfStore(name) || storeWords.MatchString(service) {
			return "service " + service
		}
		return "" // any Service of the cluster talks to others
	}
	if provided(name) || exists(name) && (f.around(r.Text).speaksOfStore(name) || storeWords.MatchString(called(u, r.Path))) {
		return name
	}
	return ""
}

// cloudName is the full name of a resource at a cloud. Source: the clouds' documentation of ARNs, resource names and OCIDs, and Cloud SQL's of connection names.
var cloudName = regexp.MustCompile(`^(arn:aws[a-z-]*:(rds|dynamodb|s3|sqs|sns|elasticache|kafka|es|redshift|secretsmanager|kinesis|docdb-elastic|memorydb)\b|projects/|/subscriptions/|gs://|s3://|ocid1\.|[a-z][a-z0-9-]{4,28}:[a-z]+-[a-z]+[0-9]:[a-z][a-z0-9-]+$)`)

// around returns what stands around the words of a text. References come text by text, so the last is kept.
func (f *finder) around(text string) *around {
	if f.last == nil || f.last.text != text {
		f.last = aroundWords(text)
	}
	return f.last
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

// around is what stands around the words of one text: what is before a word, and what follows it. It is made once for each text, since a text may hold very
// many names.
type around struct {
	text string
	// at is where each word begins that a name could be, in lower case: the first place of it.
	at map[string]int
}

// word is what a name can be in a text.
var word = regexp.MustCompile(`[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`)

func aroundWords(text string) *around {
	a := &around{text: text, at: map[string]int{}}
	for _, m := range word.FindAllStringIndex(text, -1) {
		if w := strings.ToLower(text[m[0]:m[1]]); a.at[w] == 0 {
			a.at[w] = m[0] + 1
		}
	}
	return a
}

// speaksOfStore reports whether what stands around a name says that it is a data store's. Nothing of the text is kept.
func (a *around) speaksOfStore(name string) bool {
	i := a.at[name] - 1
	if i < 0 {
		return false
	}
	end := i + len(name)
	before, after := a.text[max(0, i-40):i], a.text[end:min(len(a.text), end+8)]
	if storePorts.MatchString(after) {
		return true
	}
	// What stands in the name itself is also in those of API groups and of sites about a product.
	if strings.Count(name, ".") > 2 || slices.Contains(privateDomains(), name[strings.LastIndex(name, ".")+1:]) {
		after += " " + strings.ReplaceAll(name, ".", " ")
	}
	return storeWords.MatchString(before + " " + after)
}

// provided reports whether a name is that of a managed data store at a cloud.
func provided(host string) bool {
	return slices.ContainsFunc([]string{
		".rds.amazonaws.com", ".cache.amazonaws.com", ".docdb.amazonaws.com", ".es.amazonaws.com", ".kafka.amazonaws.com", ".redshift.amazonaws.com", ".memorydb.amazonaws.com", ".mq.amazonaws.com",
		".database.azure.com", ".database.windows.net", ".documents.azure.com", ".redis.cache.windows.net", ".servicebus.windows.net", ".blob.core.windows.net", ".mongo.cosmos.azure.com", ".cassandra.cosmos.azure.com",
		".mongodb.net", ".confluent.cloud", ".aivencloud.com", ".db.ondigitalocean.com", ".neon.tech", ".upstash.io", ".cloud.es.io", ".cockroachlabs.cloud", ".oraclecloud.com", ".sql.goog",
	}, func(s string) bool { return strings.HasSuffix(host, s) })
}
