package discover

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Inventoried is a data store that an inventory lists.
type Inventoried struct {
	// Name is what the inventory calls it, and Source which inventory that is.
	Name, Source string
	// Hosts and Resources are how it is named.
	Hosts, Resources []string
	// Tags are its tags or labels.
	Tags map[string]string
}

// ErrUnknownInventory is the error for a file of a form that is not known.
var ErrUnknownInventory = errors.New("it is not what terraform show -json, aws rds describe-db-instances or describe-db-clusters, gcloud sql instances list or az … list print")

// storeTypes are the types of resources that hold data. Source: the registries of the Terraform providers, Crossplane, ACK and Config Connector.
var storeTypes = regexp.MustCompile(`(?i)(db_?instance|db_?cluster|rds|elasticache|replicationgroup|docdb|neptune|redshift|memorydb|msk|mq_?broker|opensearch|elasticsearch|dynamodb|_table|sql|alloydb|spanner|bigtable|redis|postgres|mysql|mariadb|mssql|cosmos|servicebus|eventhub|bucket|storageaccount|storage_account|sqs|sns|pubsub|queue|topic|firestore)`)

// hostFields and resourceFields are the only fields that are read of an inventory's entry: none of them holds a credential.
func hostFields() []string {
	return []string{
		"address", "endpoint", "Endpoint", "Address", "reader_endpoint", "readerEndpoint", "ReaderEndpoint", "primary_endpoint_address", "primaryEndpointAddress", "reader_endpoint_address", "readerEndpointAddress",
		"configuration_endpoint_address", "configurationEndpointAddress", "fqdn", "fullyQualifiedDomainName", "hostname", "hostName", "host", "dns_name", "dnsName", "dns_endpoint",
		"private_ip_address", "privateIpAddress", "public_ip_address", "publicIpAddress", "ip_address", "ipAddress", "documentEndpoint",
	}
}

func resourceFields() []string {
	return []string{"arn", "DBInstanceArn", "DBClusterArn", "connection_name", "connectionName", "url"}
}

// Inventory reads a file of an inventory. Nothing but the names, addresses and tags of entries is taken from it.
func Inventory(file string, raw []byte) ([]Inventoried, error) {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var out []Inventoried
	switch t := tree.(type) {
	case map[string]any:
		switch {
		case t["format_version"] != nil || t["terraform_version"] != nil:
			values, _ := t["values"].(map[string]any)
			module, _ := values["root_module"].(map[string]any)
			return terraform(file, module), nil
		case t["DBInstances"] != nil:
			out = entries(file, t["DBInstances"], "DBInstanceIdentifier")
		case t["DBClusters"] != nil:
			out = entries(file, t["DBClusters"], "DBClusterIdentifier")
		default:
			return nil, fmt.Errorf("read %s: %w", file, ErrUnknownInventory)
		}
	case []any:
		for _, e := range t {
			m, ok := e.(map[string]any)
			id, _ := m["id"].(string)
			if !ok || m["connectionName"] == nil && !strings.HasPrefix(id, "/subscriptions/") {
				return nil, fmt.Errorf("read %s: %w", file, ErrUnknownInventory)
			}
		}
		out = entries(file, t, "name")
	default:
		return nil, fmt.Errorf("read %s: %w", file, ErrUnknownInventory)
	}
	return out, nil
}

// terraform reads the resources of a module and of those below it.
func terraform(file string, module map[string]any) []Inventoried {
	var out []Inventoried
	resources, _ := module["resources"].([]any)
	for _, r := range resources {
		m, _ := r.(map[string]any)
		kind, _ := m["type"].(string)
		values, _ := m["values"].(map[string]any)
		if !storeTypes.MatchString(kind) || values == nil {
			continue
		}
		address, _ := m["address"].(string)
		if i := entry(file+", "+address, address, values); len(i.Hosts)+len(i.Resources) > 0 {
			out = append(out, i)
		}
	}
	children, _ := module["child_modules"].([]any)
	for _, c := range children {
		m, _ := c.(map[string]any)
		out = append(out, terraform(file, m)...)
	}
	return out
}

func entries(file string, list any, name string) []Inventoried {
	var out []Inventoried
	all, _ := list.([]any)
	for _, e := range all {
		m, _ := e.(map[string]any)
		id, _ := m[name].(string)
		if i := entry(file+", "+id, id, m); len(i.Hosts)+len(i.Resources) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// entry reads what one entry is named by.
func entry(source, name string, fields map[string]any) Inventoried {
	i := Inventoried{Name: name, Source: source, Tags: map[string]string{}}
	i.gather(fields, 0)
	slices.Sort(i.Hosts)
	slices.Sort(i.Resources)
	i.Hosts, i.Resources = slices.Compact(i.Hosts), slices.Compact(i.Resources)
	return i
}

// deepest is how deep addresses lie in what an inventory says of an entry.
const deepest = 3

// gather takes the known fields, and those of what is nested in lists and objects that hold addresses.
func (i *Inventoried) gather(fields map[string]any, depth int) {
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		switch v := fields[k].(type) {
		case string:
			i.take(k, v)
		case map[string]any:
			if slices.Contains([]string{"tags", "tags_all", "labels", "user_labels", "userLabels"}, k) {
				i.tag(v)
			} else if depth < deepest && slices.Contains([]string{"Endpoint", "endpoint", "settings", "atProvider", "ackResourceMetadata", "network", "networkInfo"}, k) {
				i.gather(v, depth+1)
			}
		case []any:
			i.list(k, v, depth)
		}
	}
}

// take takes a field that names the entry.
func (i *Inventoried) take(field, text string) {
	switch {
	case slices.Contains(resourceFields(), field) && text != "":
		i.Resources = append(i.Resources, text)
	case slices.Contains(hostFields(), field):
		if t, ok := reference.NormaliseHost(hostOf(text), true); ok {
			i.Hosts = append(i.Hosts, t.Name)
		}
	}
}

func (i *Inventoried) tag(tags map[string]any) {
	for t, text := range tags {
		if s, ok := text.(string); ok {
			i.Tags[t] = s
		}
	}
}

func (i *Inventoried) list(field string, list []any, depth int) {
	if slices.Contains([]string{"TagList", "Tags"}, field) {
		i.tagList(list)
	}
	if depth >= deepest || !slices.Contains([]string{"ip_address", "ipAddresses", "settings", "cache_nodes", "nodeGroups", "instances"}, field) {
		return
	}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			i.gather(m, depth+1)
		}
	}
}

func (i *Inventoried) tagList(list []any) {
	for _, e := range list {
		m, _ := e.(map[string]any)
		k, _ := m["Key"].(string)
		v, _ := m["Value"].(string)
		i.Tags[k] = v
	}
}

// hostOf takes the host out of host:port and of a URL.
func hostOf(text string) string {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	text, _, _ = strings.Cut(text, "/")
	if host, port, ok := strings.Cut(text, ":"); ok && !strings.Contains(port, ":") {
		return host
	}
	return text
}

// IsCloud reports whether a group is one of Crossplane's, ACK's or Config Connector's, whose resources stand for a cloud's.
func IsCloud(group string) bool {
	return slices.ContainsFunc([]string{".upbound.io", ".crossplane.io", ".services.k8s.aws", ".cnrm.cloud.google.com"}, func(s string) bool { return strings.HasSuffix(group, s) })
}

// managed returns the data store that a custom resource of Crossplane, ACK or Config Connector stands for.
func managed(u *unstructured.Unstructured) (Inventoried, bool) {
	group := u.GroupVersionKind().Group
	if !IsCloud(group) || !storeTypes.MatchString(u.GetKind()) && !storeTypes.MatchString(group) {
		return Inventoried{}, false
	}
	status, _ := u.Object["status"].(map[string]any)
	i := entry(fmt.Sprintf("%s %s", u.GetKind(), strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/")), u.GetName(), status)
	tags, _, _ := unstructured.NestedStringMap(u.Object, "spec", "forProvider", "tags")
	maps.Copy(i.Tags, tags)
	maps.Copy(i.Tags, u.GetLabels())
	return i, len(i.Hosts)+len(i.Resources) > 0
}

// inventories makes data stores of what inventories list.
func (f *finder) inventories() {
	taken := map[string]bool{}
	all := slices.Clone(f.in.Stores)
	slices.SortStableFunc(all, func(a, b Inventoried) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
	for _, i := range all {
		s := Store{Name: storeName(i.Name, taken), Hosts: i.Hosts, Resources: i.Resources, Evidence: []string{i.Source}}
		stage, key := stageOfLabels(i.Tags)
		if stage == "" {
			stage, key = stageOf(i.Name), "name"
		}
		if s.Environment = stage; stage == "" {
			s.Question = "neither its tags nor its name say whose it is"
		} else if key != "name" {
			s.Evidence = append(s.Evidence, fmt.Sprintf("its tag %s=%s", key, i.Tags[key]))
		}
		f.out.Stores = append(f.out.Stores, s)
	}
}
