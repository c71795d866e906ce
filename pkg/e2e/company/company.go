package company

import (
	"fmt"
	"strings"
)

// Company is a company whose data stores are known.
type Company struct {
	// Namespaces and Objects are its manifests, a YAML document each.
	Namespaces, Objects []string
	// Hosts are the data stores, each with its environment.
	Hosts map[string]string
	// Crossing are the Deployments that name a data store of the other tier, as namespace/name.
	Crossing map[string]bool
	// Inventory is what `aws rds describe-db-instances` prints of the data stores that two environments name.
	Inventory string
}

// Deployers is the group that may write in every namespace of the company, by a binding in each.
const Deployers = "deployers"

// environments are those of each team.
func environments() []string { return []string{"prod", "staging", "dev"} }

// forms are how a workload names its data store.
func forms() []string {
	return []string{
		`{name: DATABASE_URL, value: "postgresql://u:p@%s:5432/db"}`, `{name: PGHOST, value: "%s"}`, `{name: REDIS_HOST, value: "%s"}`, `{name: KAFKA_BROKERS, value: "%s:9092,%[1]s:9093"}`,
		`{name: SPRING_DATASOURCE_URL, value: "jdbc:mysql://%s/orders"}`, `{name: MONGO_URI, value: "mongodb+srv://%s/x"}`, `{name: BACKEND, value: "%s"}`, `{name: DB_ADDR, value: "%s"}`,
	}
}

const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: app, namespace: %s}, spec: {replicas: 0, selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}}, spec: {containers: [` +
	`{name: m, image: "registry.acme.example.com/app:1", env: [%s, {name: DOCS_URL, value: "https://docs.acme.example.com/databases"}, {name: SENTRY, value: "https://sentry.acme.example.com"}, {name: OTEL, value: "http://otel.monitoring.svc:4317"}]}]}}}}`

const binding = `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: deployers, namespace: %s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: ` + Deployers + `}]}`

// New returns a company of as many teams, each with a namespace in three environments. In every tenth team, staging names production's data store, which
// the inventory says is production's.
func New(teams int) *Company {
	c := &Company{Hosts: map[string]string{}, Crossing: map[string]bool{}}
	var inventory []string
	for i := range teams {
		host := func(env string) string {
			return fmt.Sprintf("team%d-%s.%s", i, env, []string{"abc.eu-west-1.rds.amazonaws.com", "db.corp.internal", "stores.acme.example.com"}[i%3])
		}
		for j, env := range environments() {
			ns := fmt.Sprintf("team%d-%s", i, env)
			c.Hosts[host(env)] = env
			names := fmt.Sprintf(forms()[(i*3+j)%len(forms())], host(env))
			if i%10 == 9 && env == "staging" {
				names += fmt.Sprintf(`, {name: LEGACY_DATABASE_URL, value: "postgresql://u:p@%s:5432/db"}`, host("prod"))
				c.Crossing[ns+"/app"] = true
				inventory = append(inventory, fmt.Sprintf(`{"DBInstanceIdentifier":"team%d","Endpoint":{"Address":%q,"Port":5432},"TagList":[{"Key":"env","Value":"prod"}]}`, i, host("prod")))
			}
			c.Namespaces = append(c.Namespaces, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
			c.Objects = append(c.Objects, fmt.Sprintf(deployment, ns, names), fmt.Sprintf(binding, ns))
		}
	}
	c.Inventory = `{"DBInstances":[` + strings.Join(inventory, ",") + `]}`
	return c
}

// Score is how well hosts that were found match those of the company.
type Score struct{ Right, Wrong, All int }

// Score compares hosts that were found with the company's.
func (c *Company) Score(found []string) Score {
	s := Score{All: len(c.Hosts)}
	for _, h := range found {
		if c.Hosts[h] != "" {
			s.Right++
		} else {
			s.Wrong++
		}
	}
	return s
}

// Good reports whether at least 80 % are found, and at most 5 % of what is found is wrong.
func (s Score) Good() bool { return s.Right >= s.All*8/10 && s.Wrong <= s.Right/20 }

func (s Score) String() string {
	return fmt.Sprintf("of %d hosts %d are found (recall %.2f); of %d that are proposed %d are wrong (precision %.2f)",
		s.All, s.Right, float64(s.Right)/float64(s.All), s.Right+s.Wrong, s.Wrong, float64(s.Right)/float64(max(1, s.Right+s.Wrong)))
}
