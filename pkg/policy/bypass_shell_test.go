package policy_test

import (
	"encoding/base64"
	"fmt"
	"testing"
)

func TestBypassVariables(t *testing.T) {
	// copied is a ConfigMap of dev: host, label, domain and an empty key.
	const fromMap = `envFrom: [{configMapRef: {name: copied}}]`
	runEvasions(t, map[string]evasion{
		"two variables": {"the kubelet joins them", inContainer(`env: [{name: A, value: orders}, {name: B, value: "$(A).prod.db.example.com"}]`), "env[1].value " + host},
		"a chain of three": {"each may use the ones before", inContainer(`env: [{name: A, value: orders}, {name: B, value: "$(A).prod"}, {name: C, value: "$(B).db.example.com"}]`),
			"env[2].value " + host},
		"a URL of parts":             {"user, host and port", inContainer(`env: [{name: H, value: orders}, {name: P, value: "5432"}, {name: U, value: "postgres://$(USER):$(PW)@$(H).prod.db.example.com:$(P)/o"}]`), "env[2].value " + host},
		"in an argument":             {"arguments are expanded with all variables", inContainer(`args: [--host, "$(A).prod.db.example.com"], env: [{name: A, value: orders}]`), "args[1] " + host},
		"in a command":               {"and so are commands", inContainer(`command: [connect, "$(A).prod.db.example.com"], env: [{name: A, value: orders}]`), "command[1] " + host},
		"in an argument, from a map": {"envFrom comes first", inContainer(`args: ["--host=$(label).$(domain)"], ` + fromMap), "args[0] " + host + "; envFrom[0].configMapRef " + host},
		"from a map":                 {"more than half of the workloads name their database only so", inContainer(fromMap), "envFrom[0].configMapRef " + host},
		"joined from a map": {"neither key is a host of its own", inContainer(`env: [{name: L, valueFrom: {configMapKeyRef: {name: copied, key: label}}}, {name: D, valueFrom: {configMapKeyRef: {name: copied, key: domain}}}, {name: H, value: "$(L).$(D)"}]`),
			"env[2].value " + host},
		"one key of a map":  {"as a whole value", inContainer(`env: [{name: X, valueFrom: {configMapKeyRef: {name: copied, key: host}}}]`), "env[0].valueFrom.configMapKeyRef " + host},
		"a prefix":          {"names change, values do not", inContainer(`envFrom: [{prefix: DB_, configMapRef: {name: copied}}], env: [{name: U, value: "http://$(DB_label).$(DB_domain)/"}]`), "envFrom[0].configMapRef " + host + "; env[0].value " + host},
		"three dollars":     {"an escaped dollar, then a variable", inContainer(`env: [{name: A, value: "@orders"}, {name: B, value: "u:$$$(A).prod.db.example.com"}]`), "env[1].value " + host},
		"an empty variable": {"the kubelet puts nothing in its place", inContainer(`env: [{name: E}, {name: DB, value: "orders.$(E)prod.db.example.com"}]`), "env[1].value " + host},
		"an empty value":    {"written out", inContainer(`env: [{name: E, value: ""}, {name: DB, value: "orders.$(E)prod.db.example.com"}]`), "env[1].value " + host},
		"an empty key":      {"from a map", inContainer(`env: [{name: DB, value: "orders.$(empty)prod.db.example.com"}], ` + fromMap), "envFrom[0].configMapRef " + host + "; env[0].value " + host},
		"a name twice": {"the first was used before the last replaced it", inContainer(`env: [{name: A, value: orders}, {name: DB, value: "$(A).prod.db.example.com"}, {name: A, value: dev}]`),
			"env[1].value " + host},
		"a name twice, used later":   {"the last one counts from there on", inContainer(`env: [{name: A, value: dev}, {name: A, value: orders}, {name: DB, value: "$(A).prod.db.example.com"}]`), "env[2].value " + host},
		"a name twice, in arguments": {"arguments see the last one", inContainer(`args: ["$(A).prod.db.example.com"], env: [{name: A, value: x y}, {name: A, value: orders}]`), "args[0] " + host},
		"a variable over a map":      {"env wins over envFrom", inContainer(`args: ["$(label).prod.db.example.com"], env: [{name: label, value: stock}], ` + fromMap), "args[0] stock.prod.db.example.com; envFrom[0].configMapRef " + host},
		"the namespace": {"fieldRef gives it", `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x,
  env: [{name: NS, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}, {name: DB, value: "replica-$(NS).prod.db.example.com"}]}]}}`, "spec.containers[0].env[1].value replica-dev.prod.db.example.com"},
		"a literal beside an unknown": {"a Secret's value is not known; what stands beside it is", inContainer(`env: [{name: PW, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: DB, value: "postgres://u:$(PW)@orders.prod.db.example.com/o"}]`), "env[1].value " + host},
	})
}

func TestBypassShell(t *testing.T) {
	const found = "command[2] " + host
	runEvasions(t, map[string]evasion{
		"a word":                    {"the base of all cases below", inShell("psql -h orders.prod.db.example.com"), found},
		"quotes within a word":      {"the shell joins them", inShell(`psql -h 'ord'"ers".prod'.db.example.'com`), found},
		"backslashes":               {"the shell drops them", inShell(`psql -h or\ders.p\rod.db.example.com`), found},
		"a broken line":             {"the shell joins the lines", inShell("psql -h orders.prod.\\\ndb.example.com"), found},
		"hexadecimal escapes":       {"$'…' is ANSI C", inShell(`psql -h $'orders\x2eprod.db.example.com'`), found},
		"octal escapes":             {"$'…' is ANSI C", inShell(`psql -h $'orders\056prod.db.example.com'`), found},
		"an assignment":             {"it is used later", inShell("H=orders; psql -h $H.prod.db.example.com"), found},
		"an assignment that grows":  {"+= appends", inShell("H=orders; H+=.prod.db.example.com; psql -h $H"), found},
		"an exported assignment":    {"export takes one", inShell(`export H=orders.prod; psql -h "$H.db.example.com"`), found},
		"a local assignment":        {"local takes one", inShell(`f() { local H=orders; psql -h ${H}.prod.db.example.com; }; f`), found},
		"an assignment of itself":   {"the old value is in it", inShell("H=orders; H=$H.prod; H=$H.db.example.com; psql -h $H"), found},
		"an assignment for one":     {"before a command", inShell("PGHOST=orders.prod.db.example.com psql"), found},
		"a variable of the Pod":     {"the container's own", inShell("psql -h orders.$DOMAIN"), found},
		"in braces":                 {"the same", inShell(`psql -h "orders.${DOMAIN}"`), found},
		"a default":                 {"what stands when nothing is set", inShell("psql -h ${H:-orders.prod.db.example.com}"), found},
		"a default in part":         {"joined with the rest", inShell("psql -h ${H:-orders}.prod.db.example.com"), found},
		"a default that assigns":    {"the same", inShell(": ${H:=orders}; psql -h ${H:=orders}.prod.db.example.com"), found},
		"a here-document":           {"clients read commands from it", inShell("psql <<EOF\n\\c postgres://orders.$DOMAIN/o\nEOF"), found},
		"a quoted here-document":    {"nothing expands in it", inShell("psql <<'EOF'\n\\c host=orders.prod.db.example.com\nEOF"), found},
		"a here-string":             {"clients read a line from it", inShell(`bash connect.sh <<< "orders.$DOMAIN"`), found},
		"a loop over hosts":         {"each is used in turn", inShell(`for h in orders.dev.db.example.com orders.prod.db.example.com; do psql -h "$h"; done`), found},
		"a socket of the shell":     {"bash connects by itself", inContainer(`command: [bash, -c, "until </dev/tcp/orders.prod.db.example.com/5432; do sleep 1; done"]`), found},
		"a socket, written to":      {"bash connects by itself", inContainer(`command: [bash, -c, "exec 3<>/dev/tcp/orders.prod.db.example.com/5432"]`), found},
		"a substitution":            {"what it prints is used", inShell("psql -h $(echo orders.prod.db.example.com)"), found},
		"backquotes":                {"the old spelling of it", inShell("psql -h `echo orders.prod.db.example.com`"), found},
		"a function":                {"its arguments", inShell("q() { psql -h \"$1\"; }; q orders.prod.db.example.com"), found},
		"a branch":                  {"both count", inShell("if true; then psql -h orders.prod.db.example.com; else true; fi"), found},
		"a pipe":                    {"both sides count", inShell("pg_dump -h orders.prod.db.example.com o | psql -h orders.dev.db.example.com o"), found},
		"in the background":         {"it runs", inShell("psql -h orders.prod.db.example.com & wait"), found},
		"eval":                      {"a word that is a script", inShell(`eval "psql -h orders.prod.db.example.com"`), found},
		"a shell in a shell":        {"at any depth", inShell(`sh -c "sh -c 'psql -h orders.prod.db.example.com'"`), found},
		"copied to":                 {"scp writes host:path", inShell("scp dump.sql orders.prod.db.example.com:"), found},
		"copied to a folder":        {"scp writes host:path", inShell("scp dump.sql app@orders.prod.db.example.com:/tmp/"), found},
		"a positional parameter":    {"arguments behind the script", inContainer(`command: [sh, -c, 'psql -h "$1"', _, orders.prod.db.example.com]`), "command[4] " + host},
		"several flags":             {"-e and -c in one", inContainer(`command: [bash, -ec, "H=orders; psql -h $H.prod.db.example.com"]`), found},
		"several flags, c first":    {"-c and -e in one", inContainer(`command: [bash, -ceu, "H=orders; psql -h $H.prod.db.example.com"]`), found},
		"a login shell":             {"-l and -c in one", inContainer(`command: [bash, -lc, "H=orders; psql -h $H.prod.db.example.com"]`), found},
		"an option before":          {"options may come first", inContainer(`command: [bash, -o, pipefail, -c, "H=orders; psql -h $H.prod.db.example.com"]`), "command[4] " + host},
		"busybox":                   {"its first argument is the program", inContainer(`command: [busybox, sh, -c, "H=orders; nc $H.prod.db.example.com 5432"]`), "command[3] " + host},
		"behind a starter":          {"tini runs what follows", inContainer(`command: [tini, --, /bin/sh, -c, "H=orders; nc $H.prod.db.example.com 5432"]`), "command[4] " + host},
		"a script in args":          {"the image's entry point is a shell", inContainer(`args: [-c, "H=orders; psql -h $H.prod.db.example.com"]`), "args[1] " + host},
		"split over both":           {"command and args are one line", inContainer(`command: [sh, -c], args: ["H=orders; psql -h $H.prod.db.example.com"]`), "args[0] " + host},
		"the kubelet's and its own": {"$(A) before the shell sees it", inContainer(`command: [sh, -c, "psql -h $(A).$B"], env: [{name: A, value: orders}, {name: B, value: prod.db.example.com}]`), found},
		"no valid script":           {"it is read line by line", inShell("if psql -h orders.prod.db.example.com; then ((("), found},
		"python":                    {"another interpreter's script is a text", inContainer(`command: [python3, -c, 'import psycopg2; psycopg2.connect("host=orders.prod.db.example.com")']`), found},
		"python, key and value":     {"keyword arguments", inContainer(`command: [python3, -c, 'psycopg2.connect(host="orders.prod.db.example.com", port=5432)']`), found},
	})
}

func TestBypassFlags(t *testing.T) {
	runEvasions(t, map[string]evasion{
		"the first argument":       {"without a command it is no program", inArgs("--host=" + host), "args[0] " + host},
		"the first argument, bare": {"without a command it is no program", inArgs(host + ":5432"), "args[0] " + host},
		"a flag and its value":     {"two words", inArgs("--host", host), "args[1] " + host},
		"a short flag":             {"two words", inArgs("-h", host), "args[1] " + host},
		"a flag with its value":    {"one word", inArgs("--db-host=" + host), "args[0] " + host},
		"an unknown flag":          {"whatever it is called", inArgs("--upstream", host), "args[1] " + host},
		"a property":               {"Java takes it so", inArgs("-Dspring.datasource.url=jdbc:postgresql://" + host + "/o"), "args[0] " + host},
		"a short name by flag":     {"a host flag takes a host of one label or two", inArgs("--host", "orders-db.payments"), "args[1] orders-db.payments"},
		"a bare word":              {"words of commands are no prose", inArgs("ping", host), "args[1] " + host},
		"in one word with blanks":  {"a text of its own", inArgs("psql -h " + host + " -c 'select 1'"), "args[0] " + host},
		"JSON":                     {"a text of its own", inArgs(`{"db": {"host": "` + host + `"}}`), "args[0] " + host},
	})
}

func TestBypassFiles(t *testing.T) {
	found := func(key string) string { return fmt.Sprintf("data[%q] %s", key, host) }
	file := func(reason, key, text string) evasion { return evasion{reason, inConfigMap(key, text), found(key)} }
	runEvasions(t, map[string]evasion{
		"a whole value":             file("one key, one host", "host", host),
		"properties":                file("key=value", "a.properties", "db.user=app\ndb.host="+host+"\n"),
		"properties with blanks":    file("key = value", "a.properties", "db.user = app\ndb.host = "+host+"\n"),
		"properties with colons":    file("key: value", "a.properties", "db.user: app\ndb.host: "+host+"\n"),
		"ini":                       file("sections are lines", "my.cnf", "[client]\nport = 3306\nhost = "+host+"\n"),
		"windows line ends":         file("CRLF", "my.ini", "[client]\r\nhost="+host+"\r\nport=3306\r\n"),
		"YAML":                      file("nested", "a.yaml", "db:\n  host: "+host+"\n  port: 5432\n"),
		"a YAML list":               file("items", "a.yaml", "hosts:\n- "+host+"\n- b.dev.example.com\n"),
		"a YAML flow list":          file("brackets", "a.yaml", "hosts: ["+host+", b.dev.example.com]\n"),
		"a YAML key":                file("a host may be a key", "a.yaml", "servers:\n  "+host+":\n    port: 5432\n"),
		"JSON":                      file("in one line", "a.json", `{"db":{"host":"`+host+`","port":5432}}`),
		"JSON in many lines":        file("indented", "a.json", "{\n  \"db\": {\n    \"host\": \""+host+"\",\n    \"port\": 5432\n  }\n}\n"),
		"a JSON key":                file("a host may be a key", "a.json", `{"`+host+`": {"port": 5432}}`),
		"TOML":                      file("key = \"value\"", "a.toml", "[db]\nhost = \""+host+"\"\n"),
		"XML, an attribute":         file("quoted", "a.xml", `<db host="`+host+`"/>`),
		"XML, a text":               file("between tags", "hive-site.xml", "<value>\n"+host+"\n</value>"),
		"XML, a text in one line":   file("between tags", "hive-site.xml", "<property><name>db</name><value>jdbc:mysql://"+host+"/h</value></property>"),
		"flags in a file":           file("two dashes and a word are a flag, no comment", "flags", "--port=5432\n--host="+host+"\n"),
		"a script":                  file("a shell script", "run.sh", "#!/bin/sh\nexec psql -h "+host+" -f /a.sql\n"),
		"a comment behind it":       file("only what comes first on a line is a comment", "a.conf", "host = "+host+" # production\n"),
		"HAProxy":                   file("server name host:port", "haproxy.cfg", "backend db\n  server primary "+host+":5432 check\n"),
		"nginx":                     file("a semicolon ends it", "nginx.conf", "upstream db {\n  server "+host+";\n}\n"),
		"pgbouncer":                 file("a DSN behind a name", "pgbouncer.ini", "[databases]\norders = host="+host+" port=5432 dbname=o\n"),
		"tnsnames":                  file("an alias and a descriptor", "tnsnames.ora", "ORDERS =\n  (DESCRIPTION =\n    (ADDRESS = (PROTOCOL = TCP)(HOST = "+host+")(PORT = 1521))\n  )\n"),
		"dotenv":                    file("export in front", ".env", "export DB_HOST="+host+"\n"),
		"odbc":                      file("braces in front", "odbc", "Driver={ODBC Driver 18};Server="+host+";Database=o"),
		"key and host":              file("whatever the key is called", "x", "x y "+host+":5432"),
		"JSON with escaped slashes": file("some encoders escape every slash", "a.json", `{"url":"postgres:\/\/`+host+`\/o"}`),
		"JSON with escaped letters": file("any letter may be escaped", "a.json", `{"host":"orders\u002eprod.db.example.com"}`),
		"XML behind a comment":      file("what follows a comment is none", "a.xml", "<a>\n<!-- x --><v>"+host+":1</v>\n</a>"),
		"a password file":           file("libpq: host:port:database:user:password", ".pgpass", host+":5432:*:app:hunter2\n"),
		"a Secret's text":           {"the key is named, the host is not", fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {dsn: "host=%s"}}`, host), `stringData["dsn"] `},
		"a Secret's data":           {"base64 is how Secrets are sent", fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, data: {dsn: %s}}`, base64.StdEncoding.EncodeToString([]byte("host="+host))), `data["dsn"] `},
		"binary data":               {"binaryData is data", fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: s, namespace: dev}, binaryData: {dsn: %s}}`, base64.StdEncoding.EncodeToString([]byte("host="+host))), `binaryData["dsn"] ` + host},
		"a type of Helm's":          {"only Helm's own release records are skipped, not what borrows their name", fmt.Sprintf(`{apiVersion: v1, kind: Secret, type: helm.sh/release.v2, metadata: {name: s, namespace: dev}, stringData: {dsn: "host=%s"}}`, host), `stringData["dsn"] `},
	})
}

func TestBypassPlaces(t *testing.T) {
	const command = `command: [psql, -h, orders.prod.db.example.com]`
	pod := func(spec string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {` + spec + `}}`
	}
	const c = `containers: [{name: c, image: x}]`
	template := func(apiVersion, kind, pre, post string) evasion {
		return evasion{"every kind that runs Pods", fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: x, namespace: dev}, spec: %s{spec: {containers: [{name: c, image: x, %s}]}}%s}`, apiVersion, kind, pre, command, post), ""}
	}
	cases := map[string]evasion{
		"an init container":      {"it runs first", pod(`initContainers: [{name: i, image: x, ` + command + `}], ` + c), "spec.initContainers[0].command[2] " + host},
		"a sidecar":              {"it runs beside", pod(`initContainers: [{name: i, image: x, restartPolicy: Always, env: [{name: DB, value: ` + host + `}]}], ` + c), "spec.initContainers[0].env[0].value " + host},
		"the second container":   {"all containers count", pod(`containers: [{name: c, image: x}, {name: d, image: x, ` + command + `}]`), "spec.containers[1].command[2] " + host},
		"an ephemeral container": {"it runs in a running Pod", pod(c + `, ephemeralContainers: [{name: e, image: x, ` + command + `}]`), "spec.ephemeralContainers[0].command[2] " + host},
		"a liveness probe":       {"it runs again and again", pod(`containers: [{name: c, image: x, livenessProbe: {exec: {` + command + `}}}]`), "spec.containers[0].livenessProbe.exec.command[2] " + host},
		"a readiness probe":      {"it runs again and again", pod(`containers: [{name: c, image: x, readinessProbe: {exec: {` + command + `}}}]`), "spec.containers[0].readinessProbe.exec.command[2] " + host},
		"a startup probe":        {"it runs until it succeeds", pod(`containers: [{name: c, image: x, startupProbe: {exec: {` + command + `}}}]`), "spec.containers[0].startupProbe.exec.command[2] " + host},
		"a hook at the start":    {"it runs once", pod(`containers: [{name: c, image: x, lifecycle: {postStart: {exec: {` + command + `}}}}]`), "spec.containers[0].lifecycle.postStart.exec.command[2] " + host},
		"a hook at the end":      {"it runs once", pod(`containers: [{name: c, image: x, lifecycle: {preStop: {exec: {` + command + `}}}}]`), "spec.containers[0].lifecycle.preStop.exec.command[2] " + host},
	}
	for kind, test := range map[string]evasion{
		"Deployment":            template("apps/v1", "Deployment", "{template: ", "}"),
		"StatefulSet":           template("apps/v1", "StatefulSet", "{template: ", "}"),
		"DaemonSet":             template("apps/v1", "DaemonSet", "{template: ", "}"),
		"ReplicaSet":            template("apps/v1", "ReplicaSet", "{template: ", "}"),
		"ReplicationController": template("v1", "ReplicationController", "{template: ", "}"),
		"Job":                   template("batch/v1", "Job", "{template: ", "}"),
		"an old version":        template("apps/v1beta1", "Deployment", "{template: ", "}"),
		"staged at zero":        template("apps/v1", "Deployment", "{replicas: 0, template: ", "}"),
		"a suspended Job":       template("batch/v1", "Job", "{suspend: true, template: ", "}"),
	} {
		test.want = "command[2] " + host
		cases[kind] = test
	}
	cronJob := template("batch/v1", "CronJob", `{schedule: "0 0 1 1 *", suspend: true, jobTemplate: {spec: {template: `, "}}}")
	cronJob.want = "spec.jobTemplate.spec.template.spec.containers[0].command[2] " + host
	cases["CronJob"] = cronJob
	runEvasions(t, cases)
}
