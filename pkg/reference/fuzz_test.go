package reference_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
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
			plain := strings.TrimPrefix(h.Name, "*.") // a whole domain
			again, ok := reference.NormaliseHost(plain, true)
			if !ok || again.Name != plain || again.Addr != h.Addr {
				t.Errorf("%q names %q, which is no normal form: %q", text, h.Name, again.Name)
			}
			if !h.Unambiguous && !h.Addr.IsValid() && !strings.Contains(h.Name, ".") {
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
	known := reference.Contents{Keys: []reference.Content{{Name: "host", Short: "db.example.com", Targets: []reference.Target{{Name: "db.example.com", Unambiguous: true}}}}}
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
		for _, k := range workload.Kinds() {
			gk := k.GroupKind
			w, err := workload.Of(gk, canonical)
			if err != nil {
				continue
			}
			b := budget.New()
			checkExtracted(t, gk, object, reference.Extract(reference.Input{
				Namespace: "dev", Template: &w.Template, Kind: gk, Budget: b,
				ConfigMaps: func(_, name string) (reference.Contents, bool) { return known, name == "known" },
			}))
			bounded(t, b, raw)
		}
	})
}

// FuzzObject: the same for the walk over custom resources and for the templates that lie in them.
func FuzzObject(f *testing.F) {
	for _, object := range []string{
		`{"spec":{"templates":[{"name":"a","container":{"image":"x","command":["psql","-h","db.example.com"]}},{"script":{"image":"x","source":"H=a\npsql -h $H.example.com"}}]}}`,
		`{"spec":{"template":{"metadata":{"annotations":{"vault.hashicorp.com/agent-inject-secret-a":"database/creds/a"}},"spec":{"containers":[{"env":[{"name":"A","value":"db.example.com"}]}],"volumes":[{"nfs":{"server":"a.example.com"}}]}}}}`,
		`{"spec":{"claimRef":{"namespace":"payments"},"csi":{"volumeHandle":"fs-1::fsap-2"},"namespaceSelector":{"matchLabels":{"a":"b"}}}}`,
		`{"spec":{"data":[{"remoteRef":{"key":"a/b"}}],"secretRef":{"name":"a","namespace":"b"},"a.b/c":{"host":"x"},"":{"":[[["db.example.com:1"]]]}}}`,
		`{"metadata":{"annotations":{"replicator.v1.mittwald.de/replicate-from":"a/b"}},"spec":null}`,
	} {
		f.Add([]byte(object), "example.org", "Thing")
		f.Add([]byte(object), "", "PersistentVolume")
		f.Add([]byte(object), "gateway.networking.k8s.io", "HTTPRoute")
	}
	f.Fuzz(func(t *testing.T, raw []byte, group, kind string) {
		var object map[string]any
		if json.Unmarshal(raw, &object) != nil {
			return
		}
		gk := schema.GroupKind{Group: group, Kind: kind}
		b := budget.New()
		b.Sent(len(raw))
		workload.Unfold(object, b)
		refs := reference.Extract(reference.Input{Namespace: "dev", Kind: gk, Object: object, Embedded: workload.Embedded(object, b), Budget: b})
		bounded(t, b, raw)
		for _, r := range refs {
			if r.Name == "" || r.Path == "" {
				t.Errorf("%s: %q names %q", gk, r.Path, r.Name)
			}
		}
	})
}

// bounded: an object costs what its length allows. A byte of the costliest text that the generator of pkg/e2e/hostile makes costs
// 50 units.
func bounded(t *testing.T, b *budget.Budget, raw []byte) {
	t.Helper()
	const most, base = 500, 64 << 10
	if units := b.Units(); units > most*len(raw)+base {
		t.Errorf("%d bytes cost %d units, want at most %d for each: %.200q", len(raw), units, most, raw)
	}
}

// FuzzResource: the names of cloud resources are found in the form in which they are declared, and a declared name is
// its own canonical form.
func FuzzResource(f *testing.F) {
	for _, text := range []string{
		"arn:aws:s3:::bucket/key*", "arn:aws:iam::1:role/x", "s3a://b/c/d", "gs://b", "https://b.s3.eu-west-1.amazonaws.com/k", "https://s3.amazonaws.com/b/k",
		"wasbs://c@a.blob.core.windows.net/x", "proj:europe-west1:db=tcp:5432", "/cloudsql/p:us-east1:i/.s.PGSQL.5432", "projects/p/instances/i/databases/d",
		"/subscriptions/s/resourceGroups/r/providers/p", "x@p.iam.gserviceaccount.com", `{{ with secret "database/creds/x" }}`, "arn:aws:secretsmanager:r:1:secret:a/b-XX", "vault kv get a/b",
	} {
		f.Add(text, "")
		f.Add(text, "VAULT_PATH")
	}
	f.Fuzz(func(t *testing.T, text, hint string) {
		for _, found := range reference.Find(text, hint, reference.Value) {
			if found.Name == "" {
				t.Errorf("%q names nothing", text)
			}
			if found.Kind != reference.Resource {
				continue
			}
			if once := reference.CanonicalResource(found.Name); reference.CanonicalResource(once) != once {
				t.Errorf("%q names %q, whose canonical form %q is none", text, found.Name, once)
			}
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
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Name, b.Name))
	})
	type spot struct {
		path string
		reference.Target
		reference.Use
	}
	seen := map[spot]bool{}
	for _, r := range refs {
		r.Unambiguous = false
		at := spot{r.Path, r.Target, r.Use}
		if seen[at] {
			t.Errorf("%s: %s names %q twice", gk.Kind, r.Path, r.Name)
		}
		seen[at] = true
	}
	if !sorted {
		t.Errorf("%s: references are not sorted by path and name", gk.Kind)
	}
}
