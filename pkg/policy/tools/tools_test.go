package tools_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func TestFind(t *testing.T) {
	for name, test := range map[string]struct{ reason, container, want string }{
		"a program":                      {"on the list", "command: [psql, -c, x]", "psql"},
		"a program by its path":          {"the last part names it", "command: [/usr/lib/postgresql/16/bin/pg_dump]", "pg_dump"},
		"a first argument":               {"entry points run what follows", "args: [mysqldump, --all-databases]", "mysqldump"},
		"an argument":                    {"a word that is no program", "command: [echo, psql]", ""},
		"a part of a word":               {"words are compared, never parts", "command: [psql-exporter]", ""},
		"another word":                   {"not on the list", "command: [server]", ""},
		"in a script":                    {"any command of it", `command: [sh, -c, "set -e; cd /tmp && exec redis-cli FLUSHALL"]`, "redis-cli"},
		"in a pipe":                      {"both sides", `command: [sh, -c, "cat x | mongosh"]`, "mongosh"},
		"in a substitution":              {"it runs", `command: [sh, -c, "x=$(kubectl get pods)"]`, "kubectl"},
		"in a function":                  {"it may run", `command: [sh, -c, "f() { terraform apply; }; f"]`, "terraform"},
		"quoted":                         {"the shell unquotes", `command: [sh, -c, "\"psql\" -c x"]`, "psql"},
		"by a variable":                  {"the container's own", `command: [sh, -c, "$TOOL -c x"], env: [{name: TOOL, value: psql}]`, "psql"},
		"by the kubelet's variable":      {"expanded before it runs", `command: ["$(TOOL)"], env: [{name: TOOL, value: psql}]`, "psql"},
		"behind env":                     {"it starts what follows", "command: [env, PGHOST=x, psql]", "psql"},
		"behind sudo":                    {"it starts what follows", "command: [sudo, -u, postgres, psql]", "psql"},
		"behind gosu":                    {"a user comes first", "command: [gosu, postgres, psql]", "psql"},
		"behind timeout":                 {"a duration comes first", "command: [timeout, 30s, psql]", "psql"},
		"behind tini":                    {"it starts what follows", "command: [tini, --, psql]", "psql"},
		"behind an executor":             {"what stands behind -- is started", "command: [/var/run/argo/argoexec, emissary, --loglevel, info, --, psql]", "psql"},
		"behind two of them":             {"each starts the next", "command: [vault-env, --, dockerize, -wait, 'tcp://x:1', --, bash, -c, psql]", "psql"},
		"behind -- of something else":    {"its first word is another program", "command: [kubelogin, --, server, psql]", ""},
		"behind xargs":                   {"it starts what follows", `command: [sh, -c, "ls | xargs -n1 psql -f"]`, "psql"},
		"by two words":                   {"the program and its first argument", "command: [rails, db:migrate]", "rails db:*"},
		"by two words, another":          {"rails does much else", "command: [rails, server]", ""},
		"behind bundle exec":             {"it starts what follows", "command: [bundle, exec, rake, db:drop]", "rake db:*"},
		"behind an interpreter":          {"a script by name", "command: [python, manage.py, migrate]", "manage.py migrate"},
		"behind an interpreter, another": {"manage.py does much else", "command: [python, manage.py, runserver]", ""},
		"npx":                            {"it starts what follows", "command: [npx, prisma, migrate, deploy]", "prisma migrate"},
		"an image":                       {"its entry point is the tool", `image: "bitnami/kubectl:1.30"`, "kubectl"},
		"an image by digest":             {"its entry point is the tool", `image: "registry:5000/x/flyway@sha256:00"`, "flyway"},
		"an image and a command":         {"the command replaces the entry point", `image: "bitnami/kubectl:1.30", command: [sleep, "1"]`, ""},
		"an image's part":                {"names are compared whole", `image: "x/kubectl-proxy"`, ""},
		"a probe":                        {"it only asks whether the server lives", "command: [server], livenessProbe: {exec: {command: [mysqladmin, -uroot, ping]}}", ""},
		"a probe that does more":         {"it runs again and again", "command: [server], livenessProbe: {exec: {command: [mysqladmin, ping, shutdown]}}", "mysqladmin"},
		"a probe with a second command":  {"each command counts", `command: [server], livenessProbe: {exec: {command: [sh, -c, "mysqladmin ping && mysqladmin shutdown"]}}`, "mysqladmin"},
		"a probe with a password":        {"shutdown is not its value", "command: [server], livenessProbe: {exec: {command: [mysqladmin, -p, shutdown]}}", "mysqladmin"},
		"a probe of a cache":             {"it only asks whether the server lives", `command: [server], readinessProbe: {exec: {command: [sh, -c, "redis-cli -h localhost -p 6379 ping"]}}`, ""},
		"a cache's command":              {"it does more", "command: [redis-cli, -h, ping, flushall]", "redis-cli"},
		"a broker's probe":               {"it only asks whether the server lives", "command: [rabbitmqctl, -n, rabbit, status]", ""},
		"a key-value store's probe":      {"it only asks whether the server lives", "command: [etcdctl, endpoint, health]", ""},
		"a key-value store's command":    {"it does more", "command: [etcdctl, del, endpoint]", "etcdctl"},
		"an agent":                       {"it runs beside a workload", "command: [vault, agent, -config=x]", ""},
		"another word of it":             {"it does more", "command: [vault, write, x]", "vault"},
		"a proxy":                        {"it runs beside a workload", "command: [consul, connect, envoy]", ""},
		"another one of it":              {"it does more", "command: [consul, kv, delete, agent]", "consul"},
		"a word that asks nothing":       {"flags alone say nothing", "command: [redis-cli, -h, x]", "redis-cli"},
		"a hook":                         {"it runs once", `command: [server], lifecycle: {preStop: {exec: {command: [sh, -c, "etcdctl del x"]}}}`, "etcdctl"},
		"an added word":                  {"the environment's own", "command: [shard-mover]", "shard-mover"},
		"an added image":                 {"the environment's own", "image: x/shard-mover:2, command: [run]", "shard-mover"},
		"no command":                     {"nothing is known", `image: "postgres:16"`, ""},
		"nothing behind a launcher":      {"it starts nothing", "command: [sudo]", ""},
		"nothing before the dashes":      {"what stands behind them is started", "command: [--, psql]", "psql"},
		"a tool without a word":          {"it is not asked for its status", "command: [vault]", "vault"},
		"another without a word":         {"nor is this one an agent", "command: [consul]", "consul"},
		"empty words":                    {"they name nothing", `command: ["", ""]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := yaml.YAMLToJSON([]byte("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, " + test.container + "}]}}"))
			if err != nil {
				t.Fatal(err)
			}
			w, err := workload.Of(schema.GroupKind{Kind: "Pod"}, raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := tools.Find(reference.Input{Namespace: "dev", Template: &w.Template}, []string{"shard-mover"}); got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
}

// TestFindLooksEverywhere checks that a tool is found in every kind of container of a Pod.
func TestFindLooksEverywhere(t *testing.T) {
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		raw, err := yaml.YAMLToJSON([]byte("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {" + list + ": [{name: a, command: [x]}, {name: b, command: [psql]}]}}"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := workload.Of(schema.GroupKind{Kind: "Pod"}, raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := tools.Find(reference.Input{Template: &w.Template}, nil); got != "psql" {
			t.Errorf("the second of %s: got %q", list, got)
		}
	}
}

func TestNamesAreNotShared(t *testing.T) {
	names := tools.Names()
	names[0] = "changed"
	if tools.Names()[0] == "changed" {
		t.Error("a change of a list that somebody was given changes that of others")
	}
}
