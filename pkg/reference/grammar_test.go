package reference_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// form is one way in which texts name hosts. want lists them in order, strong ones with a `!`.
type form struct {
	reason, text, hint string
	pos                reference.Position
	want               string
}

func runForms(t *testing.T, cases map[string]form) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, h := range reference.Hosts(test.text, test.hint, test.pos) {
				name := h.Name
				if h.Unambiguous {
					name += "!"
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s: %q (-want +got):\n%s", test.reason, test.text, diff)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	v := func(reason, text, want string) form { return form{reason: reason, text: text, want: want} }
	runForms(t, map[string]form{
		"a scheme":                   v("the authority is a host", "postgres://db.example.com/orders", "db.example.com!"),
		"a short name":               v("in a URL only a host can stand", "postgres://db/orders", "db!"),
		"a port":                     v("it is cut off", "http://db.example.com:8080", "db.example.com!"),
		"user and password":          v("they are cut off", "amqp://u:p@db.example.com", "db.example.com!"),
		"a password alone":           v("it is cut off", "redis://:p@db.example.com:6379/0", "db.example.com!"),
		"a user alone":               v("it is cut off", "ssh://git@db.example.com/x", "db.example.com!"),
		"a query with a host":        v("parameters may name hosts of their own", "http://a.example.com/?host=b.example.com", "a.example.com! b.example.com!"),
		"a query with a URL":         v("and URLs", "http://a.example.com/?u=http://b.example.com/", "a.example.com! b.example.com!"),
		"a fragment":                 v("it names no host", "http://a.example.com/#b", "a.example.com!"),
		"a path with dots":           v("a path names no host", "http://a.example.com/b.example.org/c", "a.example.com!"),
		"two in a line":              v("both count", "http://a.example.com http://b.example.com", "a.example.com! b.example.com!"),
		"in quotes":                  v("quotes end it", `"http://a.example.com"`, "a.example.com!"),
		"in angle brackets":          v("they end it", "<http://a.example.com>", "a.example.com!"),
		"in a sentence":              v("a URL is never prose", "see http://a.example.com, please", "a.example.com!"),
		"several hosts":              v("each counts", "mongodb://a.example.com:1,b.example.com:2,c/x", "a.example.com! b.example.com! c!"),
		"JDBC":                       v("the scheme has colons", "jdbc:postgresql://a.example.com:5432/o", "a.example.com!"),
		"JDBC of SQL Server":         v("parameters after semicolons", "jdbc:sqlserver://a.example.com:1433;serverName=b.example.com", "a.example.com! b.example.com"),
		"dialect and driver":         v("a plus in the scheme", "postgresql+asyncpg://u:p@a.example.com/o", "a.example.com!"),
		"IPv6":                       v("brackets hold colons", "http://[2001:db8::1]:80/", "2001:db8::1!"),
		"IPv4":                       v("an address", "http://192.0.2.1:80/", "192.0.2.1!"),
		"an address in hexadecimal":  v("inet_aton takes it", "http://0xc0000201/", "192.0.2.1!"),
		"an empty authority":         v("nobody", "file:///etc/passwd", ""),
		"gRPC's resolver":            v("the host stands in the path", "dns:///a.example.com:443", "a.example.com!"),
		"gRPC's resolver, by server": v("both count", "dns://192.0.2.1/a.example.com", "192.0.2.1! a.example.com!"),
		"a UNIX socket":              v("a path", "unix:///var/run/x.sock", ""),
		"a scheme in capitals":       v("schemes know no case", "HTTPS://A.EXAMPLE.COM", "a.example.com!"),
		"Go's MySQL driver in a URL": v("tcp() wraps the host", "mysql://u:p@tcp(a.example.com:3306)/o", "a.example.com!"),
		"an unknown part":            v("a name that only a run can tell is none", "http://\x01.example.com/", ""),
		"an unknown password":        v("the host is known", "postgres://u:\x01@a.example.com/o", "a.example.com!"),
		"a bare scheme":              v("nothing follows", "http://", ""),
	})
}

func TestPairs(t *testing.T) {
	v := func(reason, text, want string) form { return form{reason: reason, text: text, want: want} }
	runForms(t, map[string]form{
		"libpq":                      v("host= says so", "host=a port=5432 dbname=b.example.com", "a! b.example.com"),
		"libpq with blanks":          v("blanks around =", "host = a.example.com", "a.example.com!"),
		"ADO.NET":                    v("Server= says so", "Server=a;Database=b", "a!"),
		"ADO.NET with a protocol":    v("tcp: stands before", "Server=tcp:a.example.com,1433", "a.example.com!"),
		"a key of two words":         v("Data Source", "Data Source=a.example.com;Initial Catalog=b", "a.example.com"),
		"an Oracle descriptor":       v("HOST= in parentheses", "(ADDRESS=(PROTOCOL=TCP)(HOST=a)(PORT=1521))", "a!"),
		"a Java property":            v("the last = counts", "-Dspring.datasource.url=a.example.com", "a.example.com!"),
		"a nested key":               v("two =", "KAFKA_OPTS=-Dbroker.host=a.example.com", "a.example.com!"),
		"YAML":                       v("a key and a colon", "host: a.b", "a.b!"),
		"YAML of another key":        v("the value stands, weakly", "upstream: a.example.com", "a.example.com"),
		"YAML of a sentence":         v("the first word stands, weakly", "description: see a.example.com", ""),
		"JSON":                       v("quoted", `{"host":"a.b","url":"c.d"}`, "a.b! c.d!"),
		"JSON with blanks":           v("quoted", `{ "host" : "a.b" }`, "a.b!"),
		"TOML":                       v("quoted", `host = "a.b"`, "a.b!"),
		"a list behind a key":        v("each is one", "host=a.b,c.d", "a.b! c.d!"),
		"a list behind another key":  v("each stands, weakly", "peersof=a.b.c,d.e.f", "a.b.c d.e.f"),
		"an XML attribute":           v("quoted", `<db host="a.b" name="c"/>`, "a.b"),
		"ZooKeeper":                  v("server.N=host:port:port", "server.1=a:2888:3888", "a!"),
		"a quorum voter":             v("N@host:port", "1@a:9093", "a!"),
		"a directive":                v("nginx: server host;", "server a.example.com;", "a.example.com"),
		"host and port as two words": v("redis.conf", "replicaof a.example.com 6379", "a.example.com"),
		"export":                     v("a word before the pair", "export DB_HOST=a", "a!"),
		"a curly brace":              v("it ends nothing", "Driver={x};Server=a", "a!"),
	})
}

func TestStandings(t *testing.T) {
	runForms(t, map[string]form{
		"a whole value":                 {"one token, nothing else", "a.b", "", reference.Value, "a.b!"},
		"a whole value with a comma":    {"still one token", "a.b,", "", reference.Value, "a.b!"},
		"one label":                     {"a word is no host", "orders", "", reference.Value, ""},
		"one label under a host's name": {"the variable says so", "orders", "DB_HOST", reference.Value, "orders!"},
		"camel case":                    {"the variable says so", "orders", "dbHost", reference.Value, "orders!"},
		"a name that only contains it":  {"GHOST is no host", "orders", "GHOST", reference.Value, ""},
		"a name of a password":          {"no host", "a1", "DB_PASSWORD", reference.Value, ""},
		"host and port":                 {"only hosts have ports", "orders:5432", "", reference.Value, "orders!"},
		"host and a word":               {"a protocol may stand before a host", "tcp:orders", "", reference.Value, "orders!"},
		"image and digest":              {"a digest has no dot, so it leads nowhere but to its own namespace", "reg.example.com/a@sha256:0123abcd", "", reference.Value, "reg.example.com!"},
		"user and host":                 {"the @ says so", "git@a.b", "", reference.Value, "a.b!"},
		"prose":                         {"a mention", "from a.example.com to b.example.com today", "", reference.Value, ""},
		"prose with a port":             {"only hosts have ports", "connects to a.example.com:5432 now", "", reference.Value, "a.example.com!"},
		"a list of hosts":               {"nothing but hosts", "a.example.com b.example.com", "", reference.Value, "a.example.com b.example.com"},
		"a list of short names":         {"commas in a variable for hosts", "a,b", "BROKERS", reference.Value, "a! b!"},
		"a word of a command":           {"words are no prose", "a.example.com", "", reference.Word, "a.example.com!"},
		"a short word of a command":     {"a subcommand is no host", "get", "", reference.Word, ""},
		"a flag with a value":           {"--host= says so", "--host=a", "", reference.Word, "a!"},
		"another flag with a value":     {"weakly", "--other=a.b", "", reference.Word, "a.b"},
		"a place for hosts only":        {"whatever it looks like", "a", "", reference.HostPosition, "a!"},
		"a number there":                {"inet_aton takes it", "3221225985", "", reference.HostPosition, "192.0.2.1!"},
		"a path":                        {"no host", "/etc/a.example.com", "", reference.Value, ""},
		"a relative reference":          {"its authority is a host", "//a.example.com/x", "", reference.Value, "a.example.com!"},
		"a socket of bash":              {"its first part is a host", "/dev/tcp/a/80", "", reference.Value, "a!"},
		"a path behind a host":          {"it is cut off", "a.example.com/x/y", "", reference.Value, "a.example.com!"},
		"an instance":                   {"it is cut off", `a.example.com\SQL`, "", reference.Value, "a.example.com!"},
		"scp":                           {"host:path", "a.example.com:/tmp", "", reference.Word, "a.example.com"},
		"scp to home":                   {"host:", "a.example.com:", "", reference.Word, "a.example.com"},
		"a flag for hosts, as a text":   {"-h says so", "psql -h a.b -c x", "", reference.Value, "a.b!"},
		"IPv6":                          {"colons within", "2001:db8::1", "", reference.Value, "2001:db8::1!"},
		"IPv6 in brackets, a port":      {"colons within", "[2001:db8::1]:80", "", reference.Value, "2001:db8::1!"},
		"a time":                        {"no host", "12:30", "", reference.Value, ""},
		"a wildcard":                    {"policies let whole domains in", "*.example.com", "", reference.Value, "*.example.com"},
		"an underscore":                 {"Kubernetes' DNS takes SRV names", "_sip._tcp.a.example.com", "", reference.Value, "_sip._tcp.a.example.com!"},
		"an empty label":                {"no host", "a..example.com", "", reference.Value, ""},
		"a template":                    {"not filled in yet", "{{ .Values.host }}.example.com", "", reference.Value, ""},
		"a placeholder":                 {"not filled in yet", "<db-host>.example.com", "", reference.Value, ""},
		"nothing":                       {"nothing", "", "DB_HOST", reference.HostPosition, ""},
	})
}

func TestLines(t *testing.T) {
	v := func(reason, text, want string) form { return form{reason: reason, text: text, want: want} }
	runForms(t, map[string]form{
		"each is read by itself":   v("one host a line", "a.example.com\nb.example.com\n", "a.example.com! b.example.com!"),
		"CRLF":                     v("files from Windows", "a.example.com\r\nb.example.com\r\n", "a.example.com! b.example.com!"),
		"comments":                 v("they are prose", "# a.b:1\n; c.d:1\n// e.f:1\n-- g.h:1\n<!-- i.j:1 -->\n/* k.l:1 */\n/*\n * m.n:1\n */\nREM o.p:1\nq.r:1\n", "q.r!"),
		"flags are no comments":    v("two dashes and a word", "--host=a\n--\n-- host=b\n", "a!"),
		"a comment behind a value": v("the rest of the line is a comment", "a.example.com:1 # b.example.com:2\n", "a.example.com!"),
		"items of a list":          v("a dash and a blank", "- a.b\n- host: c\n", "a.b c!"),
		"keys that are hosts":      v("YAML keys", "a.example.com:\n  port: 1\n", "a.example.com"),
		"a key of a mapping":       v("a label is no host", "hosts:\n  orders:\n", ""),
		"one line and its end":     v("the end is no second line", "a.b\n", "a.b!"),
	})
}

func TestNormaliseHost(t *testing.T) {
	for name, test := range map[string]struct {
		reason, host string
		loose        bool
		want         string
	}{
		"plain":                      {"as it is", "a.example.com", false, "a.example.com"},
		"capitals":                   {"DNS knows no case", "A.Example.COM", false, "a.example.com"},
		"a trailing dot":             {"the root", "a.example.com.", false, "a.example.com"},
		"two trailing dots":          {"no host; the readings agree on what is before", "a.example.com..", false, "a.example.com"},
		"percent":                    {"decoded once", "%61.example.com", false, "a.example.com"},
		"percent twice":              {"not twice", "%2561.example.com", false, ""},
		"broken percent":             {"no host", "a%zz.example.com", false, ""},
		"full width":                 {"IDNA maps it", "ａ.example.com", false, "a.example.com"},
		"punycode":                   {"IDNA encodes it", "bücher.example.com", false, "xn--bcher-kva.example.com"},
		"punycode in capitals":       {"the same", "XN--BCHER-KVA.example.com", false, "xn--bcher-kva.example.com"},
		"an invisible character":     {"IDNA drops it", "a\u200b.example.com", false, "a.example.com"},
		"what IDNA refuses":          {"no host", "a\u2028.example.com", false, ""},
		"brackets":                   {"they hold IPv6", "[::1]", false, "::1"},
		"a zone":                     {"no part of the address", "fe80::1%eth0", false, "fe80::1"},
		"mapped":                     {"it is IPv4", "::ffff:192.0.2.1", false, "192.0.2.1"},
		"mapped with a zone":         {"it is IPv4", "::ffff:192.0.2.1%1", false, "192.0.2.1"},
		"compatible":                 {"deprecated, and another address", "::192.0.2.1", false, "::c000:201"},
		"octal":                      {"a leading zero", "0300.0.02.01", false, "192.0.2.1"},
		"decimal beyond a byte":      {"no address", "300.0.2.1", false, ""},
		"five parts":                 {"no address", "1.2.3.4.5", true, ""},
		"one part":                   {"only where a host must stand", "3221225985", true, "192.0.2.1"},
		"one part, strictly":         {"a number", "3221225985", false, ""},
		"one part too many":          {"no address", "4294967296", true, ""},
		"two parts":                  {"the last fills what remains", "192.513", true, "192.0.2.1"},
		"three parts":                {"the last fills what remains", "192.0.513", true, "192.0.2.1"},
		"three parts, strictly":      {"a version", "192.0.513", false, ""},
		"a part too many":            {"no address", "192.0.65536", true, ""},
		"Go's octal":                 {"the C library knows no 0o", "0o300.0.2.1", true, ""},
		"Go's binary":                {"the C library knows no 0b", "0b11.0.2.1", true, ""},
		"Go's underscores":           {"the C library knows none", "1_92.0.2.1", true, ""},
		"signs":                      {"the C library knows none here", "+192.0.2.1", true, ""},
		"a number as the last label": {"no top-level domain is one", "a.example.1", false, ""},
		"hexadecimal as the last":    {"no top-level domain is one", "a.0x1", false, ""},
		"a dash":                     {"a label", "a-b", false, "a-b"},
		"an underscore":              {"DNS takes it", "_a._b", false, "_a._b"},
		"a leading dot":              {"no host", ".example.com", false, ""},
		"a blank":                    {"no host", "a b", false, ""},
		"a star":                     {"no host", "*.a", false, ""},
		"the longest":                {"253 characters", strings.Repeat("a.", 126) + "a", false, strings.Repeat("a.", 126) + "a"},
		"longer than that":           {"no host", strings.Repeat("a.", 127) + "a", false, ""},
		"empty":                      {"no host", "", true, ""},
		"a dot":                      {"no host", ".", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, ok := reference.NormaliseHost(test.host, test.loose)
			if ok != (test.want != "") || h.Name != test.want || h.Addr.IsValid() && h.Addr.String() != h.Name {
				t.Errorf("%s: %q is %q, %t (address %v), want %q", test.reason, test.host, h.Name, ok, h.Addr, test.want)
			}
		})
	}
}
