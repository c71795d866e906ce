package workload

import (
	"path"
	"slices"
	"strings"
)

// launcher is a program whose last words are the command that it starts.
type launcher struct {
	// valued are the flags that take the next word as their value.
	valued string
	// operands is the number of plain words before the command.
	operands int
	// subs are the words, in order, that make it start something; alternatives are separated by |. If it is empty, it always
	// starts something.
	subs string
	// joins is true if it passes its words to a shell, as one line.
	joins bool
}

// launcherOf returns the launcher of a program, from the one list of programs that start others. A program outside of the list
// names what it starts after --.
//
//nolint:gocyclo,funlen // data
func launcherOf(program string) (launcher, bool) {
	switch program {
	case "nohup", "command", "builtin", "setsid", "unbuffer", "torify", "with-contenv", "busybox", "toybox", "k3s", "microk8s", "catatonit", "vault-env", "uvx",
		"docker-entrypoint.sh", "docker-entrypoint", "entrypoint.sh", "entrypoint", "then", "do", "else", "if", "elif", "while", "until", "!", "retry":
		return launcher{}, true
	case "env":
		return launcher{valued: "-u --unset -C --chdir"}, true
	case "exec":
		return launcher{valued: "-a"}, true
	case "sudo":
		return launcher{valued: "-u -g -h -p -C -T -r -t -U -D -R --user --group --host --prompt --chdir --chroot --close-from --role --type --other-user --command-timeout"}, true
	case "doas":
		return launcher{valued: "-u -C"}, true
	case "su-exec", "gosu", "s6-setuidgid", "setuidgid", "envuidgid", "envdir", "s6-envdir", "taskset":
		return launcher{operands: 1}, true
	case "nice":
		return launcher{valued: "-n --adjustment"}, true
	case "ionice":
		return launcher{valued: "-c -n -p --class --classdata --pid"}, true
	case "timeout":
		return launcher{valued: "-s -k --signal --kill-after", operands: 1}, true
	case "time":
		return launcher{valued: "-f -o --format --output"}, true
	case "tini", "tini-static":
		return launcher{valued: "-p -e"}, true
	case "dumb-init":
		return launcher{valued: "-r --rewrite"}, true
	case "stdbuf":
		return launcher{valued: "-i -o -e --input --output --error"}, true
	case "xargs":
		return launcher{valued: "-a -d -E -I -L -n -P -s --arg-file --delimiter --max-args --max-procs --max-chars"}, true
	case "chroot":
		return launcher{valued: "--userspec --groups", operands: 1}, true
	case "nsenter":
		return launcher{valued: "-t --target -S --setuid -G --setgid"}, true
	case "unshare":
		return launcher{valued: "-S --setuid -G --setgid -R --root -w --wd --propagation"}, true
	case "chpst":
		return launcher{valued: "-u -U -b -n -l -L -m -d -o -p -f -c -r -t -e -/"}, true
	case "softlimit":
		return launcher{valued: "-m -d -s -l -a -o -p -c -r -t -f"}, true
	case "strace", "ltrace":
		return launcher{valued: "-e -o -p -s -u -E -a -O -S -P -I -b -X"}, true
	case "setpriv":
		return launcher{valued: "--reuid --regid --ruid --rgid --euid --egid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig"}, true
	case "runuser":
		return launcher{valued: "-u -g -G -s --user --group --supp-group --shell"}, true
	case "flock":
		return launcher{valued: "-w -E --timeout --wait --conflict-exit-code", operands: 1}, true
	case "torsocks":
		return launcher{valued: "-a -u -p -P --address --user --pass --port"}, true
	case "proxychains", "proxychains4":
		return launcher{valued: "-f"}, true
	case "watch":
		return launcher{valued: "-n --interval", joins: true}, true
	case "eval", "trap", "parallel":
		return launcher{valued: "-j --jobs -a --arg-file", joins: true}, true
	case "ssh":
		return launcher{valued: "-p -i -l -o -F -J -L -R -D -b -c -E -e -I -m -O -Q -S -W -w -B", operands: 1, joins: true}, true
	case "direnv", "aws-vault":
		return launcher{subs: "exec", operands: 1}, true
	case "op", "doppler", "poetry", "uv", "pipenv", "pdm", "hatch", "rye", "infisical":
		return launcher{subs: "run", valued: "-p -c -t --project --config --token --env --env-file"}, true
	case "bundle", "chamber":
		return launcher{subs: "exec"}, true
	case "npx", "bunx":
		return launcher{valued: "-p --package"}, true
	case "npm", "pnpm", "bun", "yarn":
		return launcher{subs: "exec|run|x|dlx|run-script"}, true
	case "ip":
		return launcher{subs: "netns exec", operands: 1}, true
	case "docker", "podman", "nerdctl", "crictl":
		return launcher{subs: "exec|run", valued: "-e -u -w -v --env --user --workdir --volume --name --network", operands: 1}, true
	case "python", "python2", "python3", "pypy3":
		return launcher{valued: "-W -X"}, true
	case "ruby", "perl", "php", "node":
		return launcher{valued: "-I -r -d --require"}, true
	case "java":
		return launcher{valued: "-cp -classpath --class-path --module-path"}, true
	}
	return launcher{}, false
}

// isShell reports whether a program runs the script that it is given.
func isShell(program string) bool {
	switch program {
	case "sh", "bash", "rbash", "ash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "pwsh", "busybox", "su", "runuser", "chroot", "script", "flock":
		return true
	}
	return false
}

// interprets reports whether a program runs scripts that are not shell scripts, but may pass texts in them to a shell.
func interprets(program string) bool {
	switch program {
	case "python", "python2", "python3", "pypy3", "ruby", "perl", "php", "node", "awk", "gawk", "mawk":
		return true
	}
	return false
}

// Program returns the name of the program that a word calls, without its folder, its version and the ending of its file.
func Program(word string) string {
	name := path.Base(word)
	if before, _, versioned := strings.Cut(name, "@"); versioned && before != "" {
		name = before
	}
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".jar"), ".exe")
	if i := strings.LastIndexByte(name, '-'); i > 0 && strings.Trim(strings.TrimPrefix(name[i+1:], "v"), "0123456789.") == "" && i+1 < len(name) {
		return name[:i]
	}
	return name
}

// Starts returns the index of the program that a command finally runs: its first word, or the program that this one starts.
// If no program is named, it returns the number of words.
func Starts(words []string) int {
	for i := 0; i < len(words); {
		for i < len(words) && strings.Contains(words[i], "=") && !strings.HasPrefix(words[i], "-") {
			i++ // a variable for the command
		}
		if i == len(words) {
			return i
		}
		l, ok := launcherOf(Program(words[i]))
		if !ok {
			return i
		}
		next, ok := l.command(words, i+1)
		if !ok {
			return i
		}
		i = next
	}
	return len(words)
}

// command returns the index of the command that a launcher starts; the launcher's own words begin at i. It returns false if
// it starts nothing.
func (l launcher) command(words []string, i int) (int, bool) {
	for place := range strings.FieldsSeq(l.subs) {
		i = l.options(words, i)
		if i >= len(words) || !slices.Contains(strings.Split(place, "|"), words[i]) {
			return 0, false
		}
		i++
	}
	i = l.options(words, i)
	for n := 0; n < l.operands && i < len(words); n++ {
		i = l.options(words, i+1)
	}
	for i < len(words) && strings.Trim(words[i], "0123456789.smhd") == "" {
		i++ // a number or a duration is not a program
	}
	return i, true
}

// options skips flags and their values, and variables.
func (l launcher) options(words []string, i int) int {
	for i < len(words) {
		w := words[i]
		switch {
		case w == "--":
			return i + 1
		case w != "-" && strings.HasPrefix(w, "-") && l.takesValue(w):
			i += 2
		case strings.HasPrefix(w, "-"), strings.HasPrefix(w, "+"), strings.Contains(w, "="):
			i++
		default:
			return i
		}
	}
	return len(words)
}

// Plain returns the words of a command that are neither flags nor values of flags.
func Plain(words []string, valued string) []string {
	l := launcher{valued: valued}
	var out []string
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case strings.HasPrefix(w, "-") && l.takesValue(w):
			i++
		case !strings.HasPrefix(w, "-"):
			out = append(out, w)
		}
	}
	return out
}

// takesValue reports whether the next word is the value of a flag, or of the last of several short flags in one word.
func (l launcher) takesValue(w string) bool {
	has := func(flag string) bool { return slices.Contains(strings.Fields(l.valued), flag) }
	if strings.HasPrefix(w, "--") || len(w) <= 2 {
		return has(w)
	}
	return has(w) || !has(w[:2]) && has("-"+w[len(w)-1:])
}
