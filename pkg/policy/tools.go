package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// MaintenanceTools lists the command words that make a run maintenance. An entry of two words matches a program and
// its first argument, whose `*` stands for anything. README.md beside this file shows the same list.
func MaintenanceTools() []string {
	return []string{
		"psql", "pg_dump", "pg_dumpall", "pg_restore", "pgbench", "vacuumdb", "reindexdb", "createdb", "dropdb", "pg_basebackup",
		"mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "mariadb-admin",
		"mongo", "mongosh", "mongodump", "mongorestore", "mongoimport", "mongoexport",
		"redis-cli", "valkey-cli", "memcached-tool", "cqlsh", "nodetool", "sqlcmd", "bcp", "sqlplus", "impdp", "expdp", "rman",
		"clickhouse-client", "influx", "etcdctl", "consul", "vault",
		"kafka-topics", "kafka-topics.sh", "kafka-reassign-partitions", "kafka-reassign-partitions.sh", "kafka-consumer-groups",
		"kafka-consumer-groups.sh", "rabbitmqctl", "rabbitmqadmin",
		"flyway", "liquibase", "alembic", "sqitch", "dbmate", "goose", "atlas", "golang-migrate", "migrate", "prisma migrate",
		"knex migrate:*", "typeorm migration:*", "sequelize db:*", "rails db:*", "rake db:*", "artisan migrate*", "manage.py migrate",
		"manage.py flush", "dotnet-ef", "gh-ost", "pt-online-schema-change", "pt-archiver", "pgloader",
		"kubectl", "oc", "helm", "terraform", "tofu", "pulumi", "ansible", "ansible-playbook", "crossplane",
		"aws", "gcloud", "gsutil", "bq", "az", "doctl", "ibmcloud", "aliyun", "s3cmd", "rclone",
	}
}

// toolImages maps image names to the tool that is their entry point, for containers without a command of their own.
func toolImages() map[string]string {
	return map[string]string{
		"flyway": "flyway", "liquibase": "liquibase", "kubectl": "kubectl", "aws-cli": "aws", "google-cloud-cli": "gcloud",
		"cloud-sdk": "gcloud", "azure-cli": "az", "terraform": "terraform", "opentofu": "tofu", "mongosh": "mongosh", "atlas": "atlas",
		"migrate": "migrate", "pgloader": "pgloader", "gh-ost": "gh-ost", "sqitch": "sqitch", "dbmate": "dbmate", "rclone": "rclone",
	}
}

// FindTool names the first maintenance tool that a template would run, in a container, hook or exec probe; empty if
// there is none. more are added to the built-in list. Words are compared, never parts of words.
func FindTool(in reference.Input, more []string) string {
	tools := append(MaintenanceTools(), more...)
	for _, c := range in.Containers() {
		name := imageName(c.Image)
		if tool, ok := toolImages()[name]; ok && len(c.Command) == 0 {
			return tool
		}
		if slices.Contains(more, name) {
			return name
		}
		vars := in.Environment(c)
		lookup := func(n string) (string, bool) { v, ok := vars[n]; return v, ok }
		for _, cmd := range c.Commands() {
			for call := range in.Calls(in.Expanded(cmd, lookup), lookup) {
				if t := toolOf(call.Words, tools); t != "" {
					return t
				}
			}
		}
	}
	return ""
}

// imageName returns the last part of an image's repository.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := path.Base(image)
	name, _, _ = strings.Cut(name, ":")
	return name
}

// toolOf looks at the program of a command and, behind programs that only start another one, at what they start.
func toolOf(words []string, tools []string) string {
	for len(words) > 0 {
		i := workload.Starts(words)
		if i >= len(words) {
			return ""
		}
		name, file := workload.Program(words[i]), path.Base(words[i])
		for _, t := range tools {
			program, arg, two := strings.Cut(t, " ")
			if (program == name || program == file) && (!two || hasArgument(words[i+1:], arg)) && !asks(program, words[i+1:]) {
				return t
			}
		}
		// Behind -- stands what a program starts that nobody has told of: an executor's, or one that waits or reads secrets first.
		end := slices.Index(words[i:], "--")
		if end < 0 {
			return ""
		}
		words = words[i+end+1:]
	}
	return ""
}

// asks reports whether a tool is only asked whether its server lives, as probes do, or runs beside a workload, as an agent does. Each
// of its plain words must say so: mysqladmin takes several commands at once.
func asks(program string, words []string) bool {
	valued, commands := "", ""
	switch program {
	case "redis-cli", "valkey-cli":
		valued, commands = "-h -p -a -n -u -s --user --pass", "ping PING"
	case "mysqladmin", "mariadb-admin":
		valued, commands = "-h -P -u -S", "ping status"
	case "rabbitmqctl":
		valued, commands = "-n -t", "status ping node_health_check version"
	case "etcdctl":
		commands = "endpoint health status version"
	case "vault":
		return len(words) > 0 && (words[0] == "agent" || words[0] == "proxy" || words[0] == "status")
	case "consul":
		return len(words) > 0 && (words[0] == "agent" || words[0] == "connect")
	}
	plain := workload.Plain(words, valued)
	return len(plain) > 0 && !slices.ContainsFunc(plain, func(w string) bool { return !slices.Contains(strings.Fields(commands), w) })
}

// hasArgument reports whether the first plain word of a command is an argument. What stands behind a flag may be its value, or not.
func hasArgument(words []string, arg string) bool {
	prefix, open := strings.CutSuffix(arg, "*")
	for i, w := range words[:min(len(words), maxFlags)] {
		switch {
		case strings.HasPrefix(w, "-"):
		case w == prefix || open && strings.HasPrefix(w, prefix):
			return true
		case i == 0 || !strings.HasPrefix(words[i-1], "-"):
			return false
		}
	}
	return false
}

// maxFlags is among how many words the argument is looked for that says what a program does.
const maxFlags = 16
