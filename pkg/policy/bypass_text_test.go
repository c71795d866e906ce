package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// evasion is one way to spell a reference so that a careless reader misses it. A developer sends it to dev, where everything of production
// is out of bounds; want lists the references that must be found, as `path value`, without the part of the path that all have in common.
type evasion struct {
	reason   string
	manifest string
	want     string
}

// inContainer returns a Deployment whose one container has the given fields.
func inContainer(format string, args ...any) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: dev}, spec: {selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: "registry.example.com/shop:1", ` + fmt.Sprintf(format, args...) + `}]}}}}`
}

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// inEnv gives the container one variable; inArgs one argument each; inShell a script.
func inEnv(name, value string) string {
	return inContainer("env: [{name: %s, value: %s}]", name, quoted(value))
}

func inArgs(args ...string) string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = quoted(a)
	}
	return inContainer("args: [%s]", strings.Join(list, ", "))
}

func inShell(script string) string {
	return inContainer(`command: [/bin/sh, -c, %s], env: [{name: DOMAIN, value: prod.db.example.com}]`, quoted(script))
}

// inConfigMap returns a ConfigMap with one key.
func inConfigMap(key, value string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: dev}, data: {%s: %s}}", quoted(key), quoted(value))
}

// judged sends a manifest as a person and returns the findings that deny, as `path value`, with the rule behind each that is not of
// DataStoreAcrossTiers.
func judged(t *testing.T, s *stage, requester, manifest string) string {
	t.Helper()
	req := newRequest(t, s, header{Requester: requester}, documents(t, []byte(manifest)), now())
	d, err := policy.Evaluate(*req, s.cluster, s.state(t))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range d.Denied() {
		said := strings.TrimPrefix(f.Path, "spec.template.spec.containers[0].") + " " + f.Value
		if f.Rule != v1alpha1.RuleDataStoreAcrossTiers {
			said += " " + string(f.Rule)
		}
		out = append(out, said)
	}
	return strings.Join(out, "; ")
}

func runEvasions(t *testing.T, cases map[string]evasion) {
	t.Helper()
	s := newStage(t)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, judged(t, s, "dora", test.manifest)); diff != "" {
				t.Errorf("%s (-want +got):\n%s\n%s", test.reason, diff, test.manifest)
			}
		})
	}
}

const (
	// host is one that production owns, and hostFirst is what a finding about a variable says of it.
	host      = "orders.prod.db.example.com"
	hostFirst = "env[0].value " + host
)

func TestBypassSpelling(t *testing.T) {
	runEvasions(t, map[string]evasion{
		"plain":                       {"the base of all cases below", inEnv("DB", host), hostFirst},
		"capitals":                    {"DNS knows no case", inEnv("DB", "ORDERS.Prod.DB.Example.COM"), hostFirst},
		"a trailing dot":              {"the root is part of every name", inEnv("DB", host+"."), hostFirst},
		"a port":                      {"a port is no part of the name", inEnv("DB", host+":5432"), hostFirst},
		"a trailing dot and a port":   {"both", inEnv("DB", host+".:5432"), hostFirst},
		"user info":                   {"the host begins after the @", inEnv("DB", "postgres://app:hunter2@"+host+"/orders"), hostFirst},
		"an @ in the password":        {"the last @ counts", inEnv("DB", "postgres://app:p@ss@"+host+"/orders"), hostFirst},
		"a slash in the password":     {"a password may hold what ends an authority elsewhere", inEnv("DB", "postgres://app:p/ss@"+host+"/orders"), hostFirst},
		"a question mark in it":       {"the same", inEnv("DB", "postgres://app:p?ss@"+host+"/orders"), hostFirst},
		"a number sign in it":         {"the same", inEnv("DB", "postgres://app:p#ss@"+host+"/orders"), hostFirst},
		"@, slash and colon in it":    {"all of them", inEnv("DB", "postgres://app:p@/:ss@"+host+"/orders"), hostFirst},
		"an @ in the path":            {"then the first reading is the host", inEnv("DB", "postgres://"+host+":5432/orders@v2"), hostFirst},
		"an @ in the path, no scheme": {"without a scheme as well", inEnv("DB", host+":5432/orders@v2"), hostFirst},
		"user info without a scheme":  {"clients take it so", inEnv("DB", "app:hunter2@"+host+":5432/orders"), hostFirst},
		"percent-encoded dots":        {"clients decode hosts", inEnv("DB", "postgres://orders%2Eprod%2edb%2Eexample%2ecom/orders"), hostFirst},
		"percent-encoded letters":     {"any letter may be encoded", inEnv("DB_HOST", "%6frders.prod.db.example.com"), hostFirst},
		"a capital scheme":            {"schemes know no case", inEnv("DB", "POSTGRES://"+host), hostFirst},
		"no scheme but slashes":       {"a relative reference has an authority", inEnv("DB", "//"+host+":1521/orders"), hostFirst},
		"blanks around it":            {"clients trim", inEnv("DB", "  "+host+"\t"), hostFirst},
		"a line break behind it":      {"files end so", inEnv("DB", host+"\r\n"), hostFirst},
		"inside quotes":               {"programs unquote", inEnv("DB", `'`+host+`'`), hostFirst},
		"a deeper label":              {"a wildcard covers any number of labels", inEnv("DB", "replica.eu.orders.prod.db.example.com"), "env[0].value replica.eu.orders.prod.db.example.com"},
		"full-width letters":          {"IDNA maps them to ASCII", inEnv("DB", "ｏｒｄｅｒｓ.prod.db.example.com"), hostFirst},
		"an ideographic full stop":    {"resolvers take it for a dot", inEnv("DB", "orders。prod．db｡example.com"), hostFirst},
		"a soft hyphen":               {"IDNA drops it", inEnv("DB", "ord\u00aders.prod.db.example.com"), hostFirst},
		"an umlaut as it is typed":    {"what was registered so is found so", inEnv("DB", "datenbank-größe.example.com"), "env[0].value xn--datenbank-gre-mdb85a.example.com"},
		"an umlaut as it is sent":     {"its ASCII form is the same host", inEnv("DB", "XN--datenbank-gre-mdb85a.example.com"), "env[0].value xn--datenbank-gre-mdb85a.example.com"},
		"a decomposed umlaut":         {"Unicode has two spellings of it", inEnv("DB", "datenbank-gro\u0308ße.example.com"), "env[0].value xn--datenbank-gre-mdb85a.example.com"},
	})
}

func TestBypassAddresses(t *testing.T) {
	const v4 = "env[0].value 10.20.3.4"
	const v6 = "env[0].value 2001:db8:20::5"
	runEvasions(t, map[string]evasion{
		"dotted":                       {"the base of all cases below", inEnv("DB", "10.20.3.4"), v4},
		"with a port":                  {"a port is no part of it", inEnv("DB", "10.20.3.4:5432"), v4},
		"octal":                        {"inet_aton reads a leading zero so", inEnv("DB_HOST", "012.024.003.004"), v4},
		"hexadecimal":                  {"inet_aton takes it", inEnv("DB_HOST", "0x0a.0x14.0x3.0x4"), v4},
		"one hexadecimal number":       {"inet_aton takes it", inEnv("DB_HOST", "0x0A140304"), v4},
		"one decimal number":           {"inet_aton takes it", inEnv("DB_HOST", "169083652"), v4},
		"one number in a URL":          {"there only a host can stand", inEnv("TARGET", "http://169083652:8080/"), v4},
		"one octal number":             {"inet_aton takes it", inEnv("DB_HOST", "01205001404"), v4},
		"two parts":                    {"the last fills what remains", inEnv("DB_HOST", "10.1311492"), v4},
		"three parts":                  {"the last fills what remains", inEnv("DB_HOST", "10.20.772"), v4},
		"three parts behind a flag":    {"a host flag takes a host", inArgs("-h", "10.20.772"), "args[1] 10.20.3.4"},
		"three parts with a port":      {"only hosts have ports", inEnv("TARGET", "10.20.772:5432"), v4},
		"mapped into IPv6":             {"the socket connects to the IPv4 address", inEnv("DB", "::ffff:10.20.3.4"), v4},
		"mapped, in hexadecimal":       {"the same address", inEnv("DB", "::ffff:a14:304"), v4},
		"mapped, in brackets":          {"URLs write it so", inEnv("DB", "http://[::FFFF:10.20.3.4]:5432/"), v4},
		"mapped, at full length":       {"no zero is left out", inEnv("DB", "0:0:0:0:0:ffff:0a14:0304"), v4},
		"IPv6 at full length":          {"zeros may be written", inEnv("DB", "2001:0db8:0020:0000:0000:0000:0000:0005"), v6},
		"IPv6 in capitals":             {"digits know no case", inEnv("DB", "2001:DB8:20::5"), v6},
		"IPv6 in brackets with a port": {"URLs write it so", inEnv("DB", "[2001:db8:20::5]:5432"), v6},
		"IPv6 with a zone":             {"a zone is no part of the address", inEnv("DB", "postgres://[2001:db8:20::5%25eth0]/"), v6},
		"IPv6 with a dotted end":       {"the last two groups may be written so", inEnv("DB", "2001:db8:20::0.0.0.5"), v6},
		"in a list":                    {"each is one", inEnv("DB", "192.0.2.1,10.20.3.4"), v4},
		"in full-width digits":         {"IDNA maps them to ASCII", inEnv("DB_HOST", "１０.20.3.4"), v4},
		"with a trailing dot":          {"resolvers take it", inEnv("DB_HOST", "10.20.3.4."), v4},
	})
}

func TestBypassConnectionStrings(t *testing.T) {
	runEvasions(t, map[string]evasion{
		"second of two hosts":              {"clients try all", inEnv("DB", "postgres://u:p@orders.dev.db.example.com:5432,"+host+":5432/o"), hostFirst},
		"second of two hosts, no port":     {"ports may be left out", inEnv("DB", "postgres://orders.dev.db.example.com,"+host+"/o"), hostFirst},
		"a seed list":                      {"mongodb+srv looks it up", inEnv("DB", "mongodb+srv://u:p@"+host+"/o?retryWrites=true"), hostFirst},
		"a replica set":                    {"every member counts", inEnv("DB", "mongodb://a.dev.db.example.com,b.dev.db.example.com,"+host+"/?replicaSet=rs0"), hostFirst},
		"a list of brokers":                {"Kafka takes one", inEnv("BROKERS", "a.dev.db.example.com:9092,"+host+":9092"), hostFirst},
		"a list with blanks":               {"some take blanks", inEnv("SEEDS", "a.dev.db.example.com "+host), hostFirst},
		"a list with semicolons":           {"some take semicolons", inEnv("SEEDS", "a.dev.db.example.com;"+host), hostFirst},
		"ZooKeeper's server.1=":            {"the host stands between = and :", inEnv("ZOO_SERVERS", "server.1="+host+":2888:3888;2181"), hostFirst},
		"a quorum voter":                   {"the host stands between @ and :", inEnv("VOTERS", "0@"+host+":9093"), hostFirst},
		"JDBC":                             {"a URL within a URL", inEnv("DB", "jdbc:postgresql://"+host+":5432/o"), hostFirst},
		"JDBC with a parameter first":      {"parameters may hold hosts", inEnv("DB", "jdbc:postgresql:///o?host="+host), hostFirst},
		"JDBC load balancing":              {"every member counts", inEnv("DB", "jdbc:mysql:loadbalance://a.dev.db.example.com,"+host+":3306/o"), hostFirst},
		"JDBC with an address":             {"MySQL takes key and value", inEnv("DB", "jdbc:mysql://address=(host="+host+")(port=3306)/o"), hostFirst},
		"JDBC with addresses in a list":    {"MySQL takes key and value", inEnv("DB", "jdbc:mysql://(host="+host+",port=3306,user=u)/o"), hostFirst},
		"JDBC of SQL Server":               {"a semicolon ends the host", inEnv("DB", "jdbc:sqlserver://"+host+";databaseName=o"), hostFirst},
		"JDBC of SQL Server, an instance":  {"a backslash ends the host", inEnv("DB", `jdbc:sqlserver://`+host+`\SQLEXPRESS:1433;databaseName=o`), hostFirst},
		"JDBC of Oracle, by SID":           {"two colons follow", inEnv("DB", "jdbc:oracle:thin:@"+host+":1521:ORCL"), hostFirst},
		"JDBC of Oracle, by service":       {"slashes follow the @", inEnv("DB", "jdbc:oracle:thin:@//"+host+":1521/orders"), hostFirst},
		"JDBC of Oracle, with a password":  {"the password stands before a slash", inEnv("DB", "jdbc:oracle:thin:app/hunter2@"+host+":1521/orders"), hostFirst},
		"a TNS descriptor":                 {"in parentheses", inEnv("DB", "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST="+host+")(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=o)))"), hostFirst},
		"key and value":                    {"libpq takes it", inEnv("DB", "dbname=orders host="+host+" port=5432"), hostFirst},
		"key and value, quoted":            {"libpq takes quotes", inEnv("DB", "dbname='orders' host='"+host+"'"), hostFirst},
		"key and value with a list":        {"libpq takes a list", inEnv("DB", "host=a.dev.db.example.com,"+host+" dbname=o"), hostFirst},
		"an address beside the host":       {"hostaddr wins over host", inEnv("DB", "host=orders.dev.db.example.com hostaddr=10.20.3.4"), "env[0].value 10.20.3.4"},
		"ADO.NET":                          {"a protocol may stand before, a comma before the port", inEnv("DB", "Server=tcp:"+host+",1433;Database=o"), hostFirst},
		"ADO.NET, data source":             {"the key has two words", inEnv("DB", "Data Source="+host+";Initial Catalog=o"), hostFirst},
		"Go's MySQL driver":                {"tcp(host:port)", inEnv("DB", "app:hunter2@tcp("+host+":3306)/orders?parseTime=true"), hostFirst},
		"Go's MySQL driver, no port":       {"the port may be left out", inEnv("DATABASE", "app:hunter2@tcp("+host+")/orders"), hostFirst},
		"Go's MySQL driver, odd passwords": {"@, / and ( in it", inEnv("DB", "app:p@/(ss@tcp("+host+":3306)/orders"), hostFirst},
		"SQLAlchemy":                       {"dialect+driver", inEnv("DB", "postgresql+psycopg2://u:p@"+host+"/o"), hostFirst},
		"Redis":                            {"a password without a user", inEnv("DB", "rediss://:hunter2@"+host+":6379/0"), hostFirst},
		"AMQP":                             {"a virtual host follows", inEnv("DB", "amqps://u:p@"+host+":5671/%2f"), hostFirst},
		"LDAP":                             {"a base follows", inEnv("DB", "ldaps://"+host+"/dc=example,dc=com"), hostFirst},
		"a gRPC resolver":                  {"dns:/// names a host in its path", inEnv("TARGET", "dns:///"+host+":443"), hostFirst},
		"a URL as a parameter":             {"proxies take one", inEnv("DB", "http://proxy.dev.example.com/?target=postgres://"+host+"/o"), hostFirst},
		"two URLs in a row":                {"both count", inEnv("DB", "postgres://orders.dev.db.example.com/o postgres://"+host+"/o"), hostFirst},
	})
}

// TestLookAlikes checks that texts which only look like production are admitted: otherwise nobody would keep the webhook.
func TestLookAlikes(t *testing.T) {
	runEvasions(t, map[string]evasion{
		"prose":                         {"a mention is no reference", inEnv("NOTE", "we moved off orders.prod.db.example.com in May"), ""},
		"prose in an annotation":        {"nobody reads annotations as hosts", `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev, annotations: {note: orders.prod.db.example.com}}, spec: {containers: [{name: c, image: x}]}}`, ""},
		"a longer name, before":         {"the last labels decide", inEnv("DB", host+".dev.example.org"), ""},
		"a longer name, behind":         {"a label is a whole one", inEnv("DB", "notorders.cluster-c1.eu-west-1.rds.amazonaws.com"), ""},
		"a sibling of the wildcard":     {"the wildcard covers what is below, not itself", inEnv("DB", "prod.db.example.com"), ""},
		"another top-level domain":      {"whole names are compared", inEnv("DB", "orders.prod.db.example.community"), ""},
		"a dash for a dot":              {"another name", inEnv("DB", "orders-prod.db.example.com"), ""},
		"a path":                        {"files have dots", inEnv("FILE", "/etc/orders.prod.db.example.com/ca.crt"), ""},
		"the path of a URL":             {"a path names no host", inEnv("DOCS", "https://docs.example.com/orders.prod.db.example.com/index.html"), ""},
		"a version":                     {"three numbers are a version, not inet_aton's short form", inEnv("APP_VERSION", "10.20.3"), ""},
		"a version with a letter":       {"v is no digit", inEnv("APP_VERSION", "v10.20.3"), ""},
		"a version as a flag":           {"another flag", inArgs("--version=10.20.3"), ""},
		"a number":                      {"replicas are no address", inEnv("REPLICAS", "169083652"), ""},
		"a ratio":                       {"two numbers are a ratio", inEnv("RATIO", "10.1311492"), ""},
		"an address outside":            {"the range ends before it", inEnv("DB", "10.21.0.1"), ""},
		"a date":                        {"dots between numbers", inEnv("SINCE", "28.11.2026"), ""},
		"a java package":                {"a package is no host", inEnv("MAIN_CLASS", "com.example.payments.orders.Main"), ""},
		"a java package in a flag":      {"the same", inArgs("-Dlogging.level.com.example.payments=debug"), ""},
		"an image":                      {"images are pulled, not connected to", `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: "orders.prod.db.example.com/shop:1"}]}}`, ""},
		"schema and table":              {"prose with a two-label name that is no Service", inEnv("QUERY", "select id from invoices.payments where id > 5"), ""},
		"a file name":                   {"two labels, and no such namespace", inEnv("CONFIG", "application.properties"), ""},
		"localhost":                     {"oneself", inEnv("DB", "postgres://localhost:5432/orders"), ""},
		"an address to listen on":       {"all interfaces", inEnv("LISTEN", "0.0.0.0:8080"), ""},
		"a comment in a ConfigMap":      {"comments are prose", inConfigMap("my.cnf", "[client]\n# host=orders.prod.db.example.com\nhost=orders.dev.db.example.com\n"), ""},
		"a comment in SQL":              {"comments are prose", inConfigMap("a.sql", "-- run on orders.prod.db.example.com only\nselect 1;\n"), ""},
		"a comment in XML":              {"comments are prose", inConfigMap("a.xml", "<a>\n<!-- orders.prod.db.example.com:5432 -->\n</a>\n"), ""},
		"a comment in a script":         {"the shell skips it", inShell("# psql -h orders.prod.db.example.com\necho done"), ""},
		"an escaped variable":           {"$$ is a dollar, and the kubelet expands nothing", inContainer(`env: [{name: A, value: orders.prod}, {name: B, value: "$$(A).db.example.com"}]`), ""},
		"a variable that comes later":   {"the kubelet leaves what it does not know yet", inContainer(`env: [{name: B, value: "$(A).db.example.com"}, {name: A, value: orders.prod}]`), ""},
		"a variable outside of a shell": {"$DOMAIN is expanded by shells only", inContainer(`command: [psql, -h, orders.$DOMAIN], env: [{name: DOMAIN, value: prod.db.example.com}]`), ""},
		"single quotes in a shell":      {"nothing expands within them", inShell(`echo 'orders.$DOMAIN'`), ""},
		"the API server":                {"never a finding", inEnv("API", "https://kubernetes.default.svc.cluster.local"), ""},
		"its own Service":               {"its own namespace", inEnv("DB", "http://orders-db.dev.svc:5432"), ""},
		"the same Service elsewhere":    {"staging is of its own tier", inEnv("DB", "http://orders-db.staging.svc:5432"), ""},
	})
}
