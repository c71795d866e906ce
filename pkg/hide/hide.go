package hide

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
)

// Hidden reports whether a text holds the mark of something hidden.
func Hidden(text string) bool { return strings.Contains(text, markBegin) }

const markBegin, markEnd = "(hidden, sha256 ", ")"

// literal takes the sign out of what is written like a mark, so that nothing but a credential has one, and no two texts become the same.
func literal(text string) string {
	return strings.NewReplacer(markBegin, "(written: hidden, sha256 ", "(written: ", "(written: written: ").Replace(text)
}

// markOf returns what stands in the place of a credential. place is where it stood: equal passwords in two places have different digests.
func markOf(place, secret string) string {
	sum := sha256.Sum256([]byte(place + "\x00" + secret))
	return markBegin + hex.EncodeToString(sum[:16]) + markEnd
}

// Value hides what is secret in the value of a name: of a variable, a key of a ConfigMap, a header. place tells equal values apart.
func Value(place, name, value string) string {
	if value == "" {
		return value
	}
	if line := strings.TrimRight(value, "\r\n"); Names(name) && !strings.ContainsAny(line, " \t\n") && !runs(line) {
		return markOf(place, value)
	}
	return Text(place, value)
}

// runs reports whether a shell would put something in the place of a value, or of a part of it: what it runs must be seen.
func runs(value string) bool {
	return strings.ContainsAny(value, "`\n\x00") || expands.MatchString(value) || reference.MatchString(value)
}

// expands is what a shell replaces: $(…), ${…} and $NAME; $$ and $1 within a password are not.
var expands = regexp.MustCompile(`\$[({A-Za-z_]`)

// reference is a value that is put in from elsewhere: $(VAR), ${VAR}, {{ .Values.x }}.
var reference = regexp.MustCompile(`^(?:\$\([A-Za-z_][A-Za-z0-9_]*\)|\$\{?[A-Za-z_][A-Za-z0-9_]*\}?|\{\{.*\}\})$`)

// begins is the beginning of such a value in a longer text.
var begins = regexp.MustCompile(`^(?:\$[({]|\$[A-Z_]+\b|\{\{)`)

// Text hides what is secret in a text, wherever it stands.
func Text(place, text string) string {
	text = literal(text)
	for _, f := range forms() {
		if f.mayMatch(text) {
			text = marked(place, text, f.pattern)
		}
	}
	return values(place, text)
}

// JSON hides what is secret in the texts of a JSON value: each by the key that it stands under, or by the name beside it, as in a list of
// headers. It hides a text that is not JSON completely.
func JSON(place string, raw []byte) any { return Named(place, "", raw) }

// Named does the same with a value that stands under a name.
func Named(place, name string, raw []byte) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	if d.Decode(&tree) != nil {
		return markOf(place, string(raw))
	}
	return walk(place, name, tree)
}

func walk(place, name string, v any) any {
	switch v := v.(type) {
	case string:
		return Value(place, name, v)
	case json.Number:
		if Names(name) {
			return markOf(place, v.String())
		}
	case []any:
		if words := wordsIn(v); len(words) > 0 && !Names(name) {
			return Words(place, words)
		}
		for i := range v {
			v[i] = walk(place, name, v[i])
		}
	case map[string]any:
		return walkObject(place, v)
	}
	return v
}

// walkObject hides what is secret in an object: by its keys, by the name or key beside a value, and in the words of a command with its
// arguments.
func walkObject(place string, v map[string]any) any {
	beside, named := v["name"].(string)
	if key, ok := v["key"].(string); ok && !named {
		beside, named = key, true
	}
	command, _ := v["command"].([]any)
	list, _ := v["args"].([]any)
	if words, args := wordsIn(command), wordsIn(list); len(words) > 0 && len(args) > 0 {
		hidden := Words(place+".args", append(words, args...))
		v["command"], v["args"] = hidden[:len(words)], hidden[len(words):]
	}
	for k := range v {
		name := k
		if k == "value" && named {
			name = beside
		}
		v[k] = walk(under(place, k), name, v[k])
	}
	return v
}

// under returns the place of a field. Far below, all have the same place, so that places cost no more than the object.
func under(place, key string) string {
	if len(place)+len(key) > maxPlace {
		return place
	}
	return place + "." + key
}

const maxPlace = 512

// wordsIn returns the words of a list; nil: it holds something else.
func wordsIn(list []any) []string {
	out := make([]string, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil
		}
		out[i] = s
	}
	return out
}

// Words hides what is secret in the words of a command.
func Words(place string, words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		name := ""
		if i > 0 {
			name = flagBefore(words, i)
		}
		switch {
		case name != "" && !strings.HasPrefix(w, "-"):
			out[i] = Value(place, name, w)
		case joined(words, w) && !runs(w[2:]):
			out[i] = w[:2] + markOf(place, w[2:])
		default:
			out[i] = Text(place, w)
		}
	}
	return out
}

// flagBefore returns the name of a flag whose value is the word at i, if that is a credential; empty: it is not.
func flagBefore(words []string, i int) string {
	flag := words[i-1]
	if !strings.HasPrefix(flag, "-") || strings.Contains(flag, "=") {
		return ""
	}
	if name := strings.TrimLeft(flag, "-"); Names(name) {
		return name
	}
	switch base(words[0]) + " " + flag {
	case "redis-cli -a", "curl -u", "curl --user", "curl -U", "curl --proxy-user", "ldapsearch -w", "ldapmodify -w", "ldapadd -w", "ldapdelete -w", "mongo -p",
		"mongosh -p", "mongodump -p", "mongorestore -p", "mongoexport -p", "mongoimport -p", "sshpass -p", "sqlcmd -P", "isql -P", "bcp -P", "cqlsh -p":
		return "password"
	}
	return ""
}

// joined reports whether a word is a flag with a password behind it, as the clients of MySQL take it.
func joined(words []string, w string) bool {
	if len(w) < 3 || w[:2] != "-p" || strings.HasPrefix(w, "-p=") {
		return false
	}
	switch base(words[0]) {
	case "mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mariadb", "mariadb-dump", "mariadb-admin", "mydumper", "sshpass":
		return true
	}
	return false
}

func base(program string) string { return program[strings.LastIndexByte(program, '/')+1:] }

// Names reports whether a name says that its value is a credential. SECRET_NAME and TOKEN_PATH say where one is, and PASSWORD_LENGTH what
// it is like.
func Names(name string) bool {
	if len(name) > maxName || script.MatchString(name) {
		return false
	}
	squeezed := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	return strings.HasSuffix(squeezed, "webhookurl") || credential.MatchString(squeezed) && !about.MatchString(squeezed)
}

const maxName = 256

// script is a name of something that runs, though it may speak of passwords: V7__password_reset.sql, TOKEN_CMD.
var script = regexp.MustCompile(`(?i)(?:\.(?:sql|sh|bash|py|js|ts|rb|pl|lua|php|groovy|ya?ml|json|xml|conf|cfg|ini|properties|tf|hcl|txt|md)|cmd|command|sql|script|query|exec|hook)$`)

var (
	credential = regexp.MustCompile(`password|passwd|passphrase|(?:^|db|user|admin|root|smtp|ldap|mysql|pg|redis|postgres|mongo|default|auth)(?:pass|pwd)$|^(?:auth|redisauth|basicauth|passcode|dbpw)$|(?:stripe|app|jwt|fernet|storage)key$|sentrydsn$|pwd$|secret|token|credential|apikey|accesskey|privatekey|secretkey|encryptionkey|signingkey|authkey|masterkey|accountkey|sharedkey|licensekey|connectionkey|saskey|authorization$|^cookie$`)
	about      = regexp.MustCompile(`(?:name|names|path|file|files|dir|ref|url|uri|endpoint|host|issuer|ttl|expiry|expiration|lifetime|length|size|enabled|required|type|mount|mountpath|policy|version|keyid|id|namespace|provider|store|algorithm|header|count|limit|rotation|hash)$`)
)
