package discover_test

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/discover"
	"github.com/firebreak-dev/firebreak/pkg/e2e/company"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func objects(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq(text, "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
		if u.Object != nil {
			out = append(out, u)
		}
	}
	return out
}

const cluster = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {environment: production}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop-dev}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: mystery}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
---
{apiVersion: v1, kind: Service, metadata: {name: redis, namespace: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, managedFields: [{manager: argocd-controller, operation: Apply}]}, spec: {selector: {}, template: {spec: {containers: [{name: m, image: x, env: [{name: DATABASE_URL, value: "postgres://shop:hunter2@shop.abc.eu-west-1.rds.amazonaws.com:5432/shop"}, {name: CACHE, value: "redis:6379"}, {name: SELF, value: "http://web"}, {name: DOCS, value: "https://docs.example.com/postgres"}, {name: BUCKET, value: "s3://shop-invoices/2026"}]}]}}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop-dev}, data: {application.properties: "spring.datasource.url=jdbc:postgresql://orders-dev.corp.internal:5432/o\nspring.kafka.bootstrap-servers=kafka.corp.internal:9092"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}, data: {application.properties: "spring.kafka.bootstrap-servers=kafka.corp.internal:9092"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}, data: {url: cG9zdGdyZXM6Ly9zZWNyZXQuY29ycC5pbnRlcm5hbDo1NDMyLw==}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: edit}, rules: [{apiGroups: [apps], resources: [deployments], verbs: [create, update]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: view}, rules: [{apiGroups: [apps], resources: [deployments], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a, namespace: shop}, roleRef: {kind: ClusterRole, name: edit}, subjects: [{kind: Group, name: sre}, {kind: ServiceAccount, name: deployer, namespace: ci}, {kind: ServiceAccount, name: own}, {kind: Group, name: "system:masters"}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b, namespace: shop}, roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: Group, name: everybody}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: c}, roleRef: {kind: ClusterRole, name: edit}, subjects: [{kind: ServiceAccount, name: argocd, namespace: argocd}]}
---
{apiVersion: rds.aws.upbound.io/v1beta1, kind: Instance, metadata: {name: ledger, labels: {env: prod}}, status: {atProvider: {address: ledger.abc.eu-west-1.rds.amazonaws.com, password: hunter2}}}
`

const proposed = `# Proposed from what runs. Read every comment: whoever reads this knows more than what could be found.
# QUESTION: Do the namespaces monitoring serve production and non-production alike? Then they are Shared, as proposed.
# QUESTION: To which environment do the namespaces mystery belong? Until one claims them they count as NonProduction.
# QUESTION: These may write in every namespace, production's among them: serviceaccount argocd/argocd. Which of them are members of production?
environments:
  # shop has the label environment=production
  # these programs have written there: argocd-controller
  production:
    tier: Production
    namespaces: {names: ["shop"]}
    # their bindings let these write there
    identities: {groups: ["sre"], serviceAccounts: ["ci/deployer"]}
  # shop-dev speaks of it
  development:
    tier: NonProduction
    namespaces: {names: ["shop-dev"]}
  # these commonly serve all environments
  platform:
    tier: Shared
    namespaces: {names: ["monitoring"]}
dataStores:
  #   Instance ledger
  #   its tag env=prod
  ledger:
    environment: production
    hosts: ["ledger.abc.eu-west-1.rds.amazonaws.com"]
  # QUESTION: kafka-corp-internal: development and production name it: whose is it, or do they share it?
  # named 2 times, such as by
  #   ConfigMap shop-dev/c, data["application.properties"]
  #   ConfigMap shop/c, data["application.properties"]
  # kafka-corp-internal:
  #   environment: WHOSE
  #   hosts: ["kafka.corp.internal"]
  # named 1 times, such as by
  #   ConfigMap shop-dev/c, data["application.properties"]
  orders-dev-corp-internal:
    environment: development
    hosts: ["orders-dev.corp.internal"]
  # named 1 times, such as by
  #   Deployment shop/web, spec.template.spec.containers[0].env[4].value
  s3-shop-invoices:
    environment: production
    resourceNames: ["s3://shop-invoices"]
  # named 1 times, such as by
  #   Deployment shop/web, spec.template.spec.containers[0].env[1].value
  shop-redis:
    environment: production
    services: [{namespace: "shop", name: "redis"}]
  # named 1 times, such as by
  #   Deployment shop/web, spec.template.spec.containers[0].env[0].value
  shop-abc-eu-west:
    environment: production
    hosts: ["shop.abc.eu-west-1.rds.amazonaws.com"]
`

func TestDiscover(t *testing.T) {
	var out bytes.Buffer
	if err := discover.Discover(discover.Input{Objects: objects(t, cluster), Home: "firebreak-system"}).WriteValues(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != proposed {
		t.Errorf("it proposes\n%s", got)
	}
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "secret.corp.internal") {
		t.Error("a credential, or what a Secret holds, is in the proposal")
	}
	declared, err := estate.ParseDeclared(out.String())
	if err != nil || len(declared) != 8 {
		t.Errorf("%d objects are declared by the proposal: %v", len(declared), err)
	}
}

// What comes from elsewhere never ends a comment, and never begins a line of YAML.
func TestNamesThatBreakLines(t *testing.T) {
	evil := objects(t, `{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {env: "prod\nevil: true"}}}`)
	var out bytes.Buffer
	if err := discover.Discover(discover.Input{Objects: evil}).WriteValues(&out); err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(out.Bytes(), &tree); err != nil || len(tree) != 2 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestInventory(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"terraform": {`{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"aws_vpc.a","type":"aws_vpc","values":{"arn":"arn:aws:ec2:a"}}],"child_modules":[{"resources":[
			{"address":"module.db.aws_db_instance.orders","type":"aws_db_instance","values":{"address":"orders.abc.rds.amazonaws.com","endpoint":"orders.abc.rds.amazonaws.com:5432","arn":"arn:aws:rds:eu-west-1:1:db:orders","password":"hunter2","tags":{"Environment":"prod"}}}]}]}}}`,
			"module.db.aws_db_instance.orders [orders.abc.rds.amazonaws.com] [arn:aws:rds:eu-west-1:1:db:orders] Environment=prod"},
		"aws rds describe-db-instances": {`{"DBInstances":[{"DBInstanceIdentifier":"orders","MasterUsername":"root","Endpoint":{"Address":"orders.abc.rds.amazonaws.com","Port":5432},"DBInstanceArn":"arn:aws:rds:eu-west-1:1:db:orders","TagList":[{"Key":"env","Value":"staging"}]}]}`,
			"orders [orders.abc.rds.amazonaws.com] [arn:aws:rds:eu-west-1:1:db:orders] env=staging"},
		"aws rds describe-db-clusters": {`{"DBClusters":[{"DBClusterIdentifier":"c","Endpoint":"c.cluster-abc.rds.amazonaws.com","ReaderEndpoint":"c.cluster-ro-abc.rds.amazonaws.com","TagList":[]}]}`,
			"c [c.cluster-abc.rds.amazonaws.com c.cluster-ro-abc.rds.amazonaws.com] [] "},
		"gcloud sql instances list": {`[{"name":"ledger","connectionName":"acme:europe-west1:ledger","ipAddresses":[{"ipAddress":"10.1.2.3","type":"PRIVATE"}],"settings":{"userLabels":{"env":"prod"}}}]`,
			"ledger [10.1.2.3] [acme:europe-west1:ledger] env=prod"},
		"az … list":        {`[{"id":"/subscriptions/1/resourceGroups/a/providers/Microsoft.DBforPostgreSQL/flexibleServers/x","name":"x","fullyQualifiedDomainName":"x.postgres.database.azure.com","administratorLogin":"root","tags":{"stage":"dev"}}]`, "x [x.postgres.database.azure.com] [] stage=dev"},
		"nothing":          {`[]`, ""},
		"another form":     {`{"a":1}`, "read f: " + discover.ErrUnknownInventory.Error()},
		"another list":     {`[{"a":1}]`, "read f: " + discover.ErrUnknownInventory.Error()},
		"a text":           {`"x"`, "read f: " + discover.ErrUnknownInventory.Error()},
		"what is not JSON": {`{`, "read f: unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := discover.Inventory("f", []byte(c.text))
			var got []string
			for _, i := range all {
				var tags []string
				for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
					tags = append(tags, k+"="+i.Tags[k])
				}
				got = append(got, fmt.Sprintf("%s %v %v %s", i.Name, i.Hosts, i.Resources, strings.Join(tags, ",")))
			}
			if err != nil {
				got = []string{err.Error()}
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

// A company of 300 namespaces, whose data stores are known: what is proposed of them, and what besides.
func TestPrecisionAndRecall(t *testing.T) {
	acme := company.New(100)
	stores, err := discover.Inventory("rds.json", []byte(acme.Inventory))
	if err != nil {
		t.Fatal(err)
	}
	p := discover.Discover(discover.Input{Objects: objects(t, strings.Join(append(acme.Namespaces, acme.Objects...), "\n---\n")), Stores: stores})
	var found []string
	owned := 0
	for _, s := range p.Stores {
		for _, h := range s.Hosts {
			if found = append(found, h); acme.Hosts[h] == "" {
				t.Logf("it proposes %s, %v", h, s.Evidence)
			}
			if s.Environment != "" && s.Question == "" {
				owned++
			}
		}
	}
	score := acme.Score(found)
	t.Logf("%s; %d have an environment", score, owned)
	if !score.Good() || owned < score.Right {
		t.Error("fewer than 80 % are found, or more than 5 % are wrong, or one that is found has no environment")
	}
}

// What one text costs grows with its length, however many names stand in it.
func TestATextOfManyHosts(t *testing.T) {
	cost := func(n int) float64 {
		var data strings.Builder
		for i := range n {
			fmt.Fprintf(&data, "db%d.corp.internal:5432 ", i)
		}
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "namespace": "dev"}, "data": map[string]any{"hosts": data.String()}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p := discover.Discover(discover.Input{Objects: []*unstructured.Unstructured{u}})
		runtime.ReadMemStats(&after)
		if len(p.Stores) < n*9/10 {
			t.Errorf("%d of %d are found, %q", len(p.Stores), n, p.Unread)
		}
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(data.Len())
	}
	few, many := cost(200), cost(4_000)
	t.Logf("%.0f bytes for each of a short text, %.0f for each of one that is twenty times as long", few, many)
	if many > 2*few {
		t.Errorf("a byte costs %.0f bytes in a short text, and %.0f in a long one", few, many)
	}
}
