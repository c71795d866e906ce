package workload_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// TestStarts has a row for each program that starts others, with its flags and the words before the command.
func TestStarts(t *testing.T) {
	for line, want := range map[string]string{
		"psql -c x": "psql", "PGHOST=a psql": "psql", "PGHOST=a": "", "server psql": "server", "": "",
		"nohup psql": "psql", "command -p psql": "psql", "builtin psql": "psql", "setsid -f psql": "psql", "unbuffer psql": "psql", "torify psql": "psql",
		"with-contenv psql": "psql", "busybox env psql": "psql", "toybox env psql": "psql", "k3s kubectl get": "kubectl", "microk8s kubectl get": "kubectl", "catatonit -- psql": "psql",
		"vault-env psql": "psql", "uvx alembic": "alembic", "docker-entrypoint.sh psql": "psql", "/usr/local/bin/docker-entrypoint psql": "psql", "entrypoint.sh psql": "psql", "entrypoint psql": "psql",
		"then psql": "psql", "do psql": "psql", "else psql": "psql", "if psql": "psql", "elif psql": "psql", "while psql": "psql", "until psql": "psql", "! psql": "psql", "retry 3 psql": "psql",
		"env -i -u A B=c psql": "psql", "exec -a name psql": "psql", "sudo -u postgres psql": "psql", "sudo -iu postgres psql": "psql", "sudo -upostgres psql": "psql", "sudo --user=postgres psql": "psql",
		"doas -u postgres psql": "psql", "su-exec postgres psql": "psql", "gosu postgres psql": "psql", "s6-setuidgid app psql": "psql", "setuidgid app psql": "psql", "envuidgid app psql": "psql",
		"envdir /env psql": "psql", "s6-envdir /env psql": "psql", "taskset 0x3 psql": "psql", "nice -n 5 psql": "psql", "nice -10 psql": "psql", "ionice -c best-effort -n 7 psql": "psql",
		"timeout -k 5 30s psql": "psql", "timeout --signal KILL 10 psql": "psql", "time -f %e psql": "psql", "tini -g -- psql": "psql", "tini-static -p SIGTERM psql": "psql", "dumb-init -r 15:3 psql": "psql",
		"stdbuf -o L psql": "psql", "stdbuf -oL psql": "psql", "xargs -a f -I {} psql": "psql", "xargs -n1 psql": "psql", "chroot --userspec a:b /host psql": "psql", "nsenter -t 1 -m psql": "psql",
		"unshare -R / psql": "psql", "chpst -u app psql": "psql", "softlimit -m 1000000 psql": "psql", "strace -f -o log psql": "psql", "ltrace -e x psql": "psql", "setpriv --reuid 1 psql": "psql",
		"runuser -u app -- psql": "psql", "flock -w 5 /tmp/l psql": "psql", "torsocks -p 9050 psql": "psql", "proxychains -f c psql": "psql", "proxychains4 psql": "psql", "watch -n 5 psql": "psql",
		"eval psql": "psql", "trap psql": "psql", "parallel -j 4 psql": "psql", "ssh -p 22 host psql": "psql", "direnv exec . psql": "psql", "direnv allow psql": "direnv", "aws-vault exec prod -- psql": "psql",
		"op run -- psql": "psql", "doppler run -p a -c b -- psql": "psql", "poetry run alembic": "alembic", "uv run alembic": "alembic", "pipenv run alembic": "alembic", "pdm run alembic": "alembic",
		"hatch run alembic": "alembic", "rye run alembic": "alembic", "infisical run -- psql": "psql", "op item get": "op", "bundle exec rake": "rake", "chamber exec psql": "psql", "npx -p prisma prisma": "prisma",
		"bunx prisma": "prisma", "npm exec -- prisma": "prisma", "pnpm dlx prisma": "prisma", "bun x prisma": "prisma", "yarn run prisma": "prisma", "npm run-script prisma": "prisma", "ip netns exec blue psql": "psql",
		"docker exec -u postgres db psql": "psql", "podman run db psql": "psql", "nerdctl exec db psql": "psql", "crictl exec db psql": "psql", "docker ps": "docker",
		"python -m alembic": "alembic", "python2 manage.py": "manage.py", "python3 -W x manage.py": "manage.py", "pypy3 manage.py": "manage.py", "ruby -I lib rake": "rake", "perl x.pl": "x.pl", "php artisan": "artisan",
		"node -r a knex": "knex", "java -cp a -jar flyway.jar": "flyway", "sudo env timeout 5 nice psql": "psql", "sudo sudo": "",
		"/usr/bin/psql-17": "psql", "kubectl-v1.30 get": "kubectl", "prisma@5": "prisma", "sqlcmd.exe": "sqlcmd", "mariadb-dump": "mariadb-dump", "@scope/x": "x", "-17": "-17", "psql-": "psql-", "docker": "docker", "docker run": "", "sudo -u": "",
	} {
		words := strings.Fields(line)
		got := ""
		if i := workload.Starts(words); i < len(words) {
			got = workload.Program(words[i])
		}
		if got != want {
			t.Errorf("%s: it runs %q, want %q", line, got, want)
		}
	}
}
