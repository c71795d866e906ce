package tools

import (
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// Names lists the command words that make a run maintenance. An entry of two words matches a program and
// its first argument, whose `*` stands for anything. README.md of pkg/policy shows the same list.
func Names() []string {
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

// Find returns the first maintenance tool that a template would run, in a container, hook or exec probe; it is empty if there is none.
// The tools in more are added to the built-in list. Words are compared, never parts of words.
func Find(in reference.Input, more []string) string {
	return First(Programs(in), more)
}

// First returns the first maintenance tool among some programs; it is empty if there is none. The tools in more are added to the built-in
// list.
func First(runs iter.Seq[Program], more []string) string {
	tools := append(Names(), more...)
	for p := range runs {
		if t := p.tool(tools, more); t != "" {
			return t
		}
	}
	return ""
}

// Program is a program that a template runs, as far as it matters for whether that is maintenance.
type Program struct {
	// Name is the program's name, and File the name of its file, which may differ. For an image, Name is the image's.
	Name, File string
	// Arguments are the words that may say what it does.
	Arguments []string
	// Asks is true if the program only asks whether a server lives, or is an agent.
	Asks bool
	// Image is true for the image of a container, and Alone if that container has no command of its own.
	Image, Alone bool
}

// tool returns the first of some tools that the program is; it is empty if there is none.
func (p Program) tool(tools, more []string) string {
	if p.Image {
		if tool, ok := toolImages()[p.Name]; ok && p.Alone {
			return tool
		}
		if slices.Contains(more, p.Name) {
			return p.Name
		}
		return ""
	}
	for _, t := range tools {
		program, arg, two := strings.Cut(t, " ")
		if (program == p.Name || program == p.File) && (!two || hasArgument(p.Arguments, arg)) && !p.Asks {
			return t
		}
	}
	return ""
}

// Programs yields the programs that the templates of an input run.
func Programs(in reference.Input) iter.Seq[Program] {
	return func(yield func(Program) bool) {
		for _, c := range in.Containers() {
			if c.Image != "" && !yield(Program{Name: imageName(c.Image), Image: true, Alone: len(c.Command) == 0}) {
				return
			}
			vars := in.Environment(c)
			lookup := func(n string) (string, bool) { v, ok := vars[n]; return v, ok }
			for _, cmd := range c.Commands() {
				for call := range in.Calls(in.Expanded(cmd, lookup), lookup) {
					for p := range programsOf(call.Words) {
						if !yield(p) {
							return
						}
					}
				}
			}
		}
	}
}

// imageName returns the last part of an image's repository.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := path.Base(image)
	name, _, _ = strings.Cut(name, ":")
	return name
}

// programsOf yields the program of a command, behind programs that only start another one.
func programsOf(words []string) iter.Seq[Program] {
	return func(yield func(Program) bool) {
		for len(words) > 0 {
			i := workload.Starts(words)
			if i >= len(words) {
				return
			}
			name, rest := workload.Program(words[i]), words[i+1:]
			if !yield(Program{Name: name, File: path.Base(words[i]), Arguments: rest[:min(len(rest), maxFlags)], Asks: asks(name, rest)}) {
				return
			}
			// A program behind -- is started by one that is on no list: an executor, or one that waits or reads secrets first.
			end := slices.Index(words[i:], "--")
			if end < 0 {
				return
			}
			words = words[i+end+1:]
		}
	}
}

// MaxPrograms is how many programs of one template are remembered.
const MaxPrograms = 64

// maxWord is how many bytes of a word are remembered.
const maxWord = 64

// Remembered returns a copy of the program with shortened words, which keeps no text of the template in memory.
func (p Program) Remembered() Program {
	short := func(w string) string { return strings.Clone(w[:min(len(w), maxWord)]) }
	p.Name, p.File = short(p.Name), short(p.File)
	var kept []string
	for _, w := range p.Arguments {
		kept = append(kept, short(w))
	}
	p.Arguments = kept
	return p
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

// hasArgument reports whether the first plain word of a command is the given argument. A word behind a flag may be the flag's value, or
// not.
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

// maxFlags is the number of words in which the argument that says what a program does is looked for.
const maxFlags = 16
