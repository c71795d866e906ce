package reference_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// FuzzHosts: no text makes the scanner panic, and whatever it finds is in normal form.
func FuzzHosts(f *testing.F) {
	for _, text := range []string{
		"postgres://app:p@/ss@db.example.com:5432,b/orders?host=c.example.com", "host = db.example.com", "jdbc:oracle:thin:@//db:1521/o",
		"Server=tcp:db.example.com,1433;Database=o", "u:p@tcp(db.example.com)/o", "[2001:db8::1]:80", "::ffff:192.0.2.1", "0xc0000201",
		"- db.example.com:\n  port: 5432\r\n# comment\n", `{"host": "db.example.com"}`, "dns://192.0.2.1/db", "jdbc:mysql://address=(host=db)(port=1)/o",
		"datenbank-größe。example.com", "%6frders.example.com", "a\x01b.example.com", "server.1=a:2888:3888;2181", "/dev/tcp/a/80", "@", "://", "=", ":", "[", "a@b/c@d",
	} {
		f.Add(text, "", 0)
		f.Add(text, "DB_HOST", 1)
		f.Add(text, "", 2)
	}
	f.Fuzz(func(t *testing.T, text, hint string, pos int) {
		for _, h := range reference.Hosts(text, hint, reference.Position(pos&3)) {
			again, ok := reference.NormaliseHost(h.Name, true)
			if !ok || again.Name != h.Name || again.Addr != h.Addr {
				t.Errorf("%q names %q, which is no normal form: %q", text, h.Name, again.Name)
			}
			if !h.Strong && !h.Addr.IsValid() && !strings.Contains(h.Name, ".") {
				t.Errorf("%q names %q, one label, where prose may stand", text, h.Name)
			}
		}
	})
}

// FuzzNormaliseHost: the normal form of a normal form is itself, and short forms only ever add addresses.
func FuzzNormaliseHost(f *testing.F) {
	for _, host := range []string{
		"db.example.com", "DB.Example.COM.", "%64b", "[::1]", "fe80::1%eth0", "::ffff:192.0.2.1", "0300.0x0.513", "3221225985", "1.2.3.4.5",
		"bücher.example.com", "ａ。b", "a..b", "xn--bcher-kva", "_sip._tcp.a", "a.0x1", "\u00ad", "",
	} {
		f.Add(host, false)
		f.Add(host, true)
	}
	f.Fuzz(func(t *testing.T, host string, loose bool) {
		h, ok := reference.NormaliseHost(host, loose)
		if !ok {
			if h.Name != "" || h.Addr.IsValid() {
				t.Errorf("%q is no host, and is %q", host, h.Name)
			}
			return
		}
		if again, ok := reference.NormaliseHost(h.Name, loose); !ok || again != h {
			t.Errorf("%q is %q, whose normal form is %q, %t", host, h.Name, again.Name, ok)
		}
		if strings.ToLower(h.Name) != h.Name || len(h.Name) > 253 || strings.HasSuffix(h.Name, ".") || strings.ContainsAny(h.Name, "/@% ") {
			t.Errorf("%q is %q, which is no normal form", host, h.Name)
		}
		if a, ok := reference.NormaliseHost(host, true); !ok || !loose && a != h {
			t.Errorf("%q is %q, and %q where short forms count", host, h.Name, a.Name)
		}
	})
}

// FuzzExtract: no object makes a source panic, and the path of every reference leads to its text.
func FuzzExtract(f *testing.F) {
	for _, object := range []string{
		`{"metadata":{"namespace":"dev"},"spec":{"containers":[{"name":"c","command":["psql","-h","db.example.com"],"args":["--x=y.example.com"],"env":[{"name":"A","value":"db"},{"name":"B","value":"$(A).example.com"}]}]}}`,
		`{"spec":{"template":{"spec":{"initContainers":[{"name":"i","envFrom":[{"configMapRef":{"name":"known"}}]}],"containers":[{"name":"c","env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"known","key":"host"}}}],"livenessProbe":{"exec":{"command":["sh","-c","H=a; nc $H.example.com 80"]}},"lifecycle":{"preStop":{"exec":{"command":["curl","http://a"]}}}}]}}}}`,
		`{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"args":["db.example.com:1"]}],"ephemeralContainers":[{"name":"e","args":["x.example.com:1"]}]}}}}}}`,
		`{"spec":{"template":{"spec":{"containers":[{"env":null,"command":null},{"env":[{"name":"","value":"$("}]}]}}}}`,
		`{"spec":null}`, `{"metadata":null}`, `{}`,
	} {
		f.Add([]byte(object))
	}
	known := reference.ConfigMap{Keys: map[string]reference.ConfigKey{"host": {Short: "db.example.com", Hosts: []reference.Host{{Name: "db.example.com", Strong: true}}}}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var object map[string]any
		if json.Unmarshal(raw, &object) != nil {
			return
		}
		// The API server sends objects without duplicate fields.
		canonical, err := json.Marshal(object)
		if err != nil {
			return
		}
		for _, gk := range workload.Kinds() {
			w, err := workload.Of(gk, canonical)
			if err != nil {
				continue
			}
			checkExtracted(t, gk, object, reference.Extract(reference.Input{
				Namespace: "dev", Template: &w.Template,
				ConfigMaps: func(_, name string) (reference.ConfigMap, bool) { return known, name == "known" },
			}))
		}
	})
}

func checkExtracted(t *testing.T, gk schema.GroupKind, object any, refs []reference.Reference) {
	t.Helper()
	for _, r := range refs {
		if err := resolves(object, r); err != nil {
			t.Errorf("%s: %v", gk.Kind, err)
		}
		if r.Name == "" {
			t.Errorf("%s: %s names nothing", gk.Kind, r.Path)
		}
	}
	sorted := slices.IsSortedFunc(refs, func(a, b reference.Reference) int {
		if a.Path != b.Path {
			return strings.Compare(a.Path, b.Path)
		}
		return strings.Compare(a.Name, b.Name)
	})
	once := len(slices.CompactFunc(slices.Clone(refs), func(a, b reference.Reference) bool { return a.Path == b.Path && a.Name == b.Name })) == len(refs)
	if !sorted || !once {
		t.Errorf("%s: references are sorted by path and host, each once", gk.Kind)
	}
}
