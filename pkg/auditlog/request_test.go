package auditlog_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/auditlog"
)

func kinds(gvr schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
	if gvr.Resource == "deployments" {
		return gvr.GroupVersion().WithKind("Deployment"), true
	}
	return schema.GroupVersionKind{}, false
}

// read returns the event of a text in which only what matters is given.
func read(t *testing.T, fields string) *auditlog.Event {
	t.Helper()
	e, err := auditlog.NewReader(strings.NewReader(`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + fields + `}`)).Next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWrite(t *testing.T) {
	for name, c := range map[string]struct {
		fields string
		want   bool
	}{
		"a creation":             {`"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"}`, true},
		"before it is answered":  {`"stage":"RequestReceived","verb":"create","objectRef":{"resource":"pods"}`, false},
		"a look":                 {`"stage":"ResponseComplete","verb":"get","objectRef":{"resource":"pods"}`, false},
		"no resource":            {`"stage":"ResponseComplete","verb":"create","requestURI":"/version"`, false},
		"a session that starts":  {`"stage":"ResponseStarted","verb":"create","objectRef":{"resource":"pods","subresource":"exec"}`, true},
		"the same when it ends":  {`"stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods","subresource":"exec"},"responseStatus":{"code":101}`, true},
		"one that was refused":   {`"stage":"ResponseComplete","verb":"get","objectRef":{"resource":"pods","subresource":"exec"},"responseStatus":{"code":403}`, true},
		"what panicked":          {`"stage":"Panic","verb":"create","objectRef":{"resource":"pods"}`, false},
		"deletion of collection": {`"stage":"ResponseComplete","verb":"deletecollection","objectRef":{"resource":"pods"}`, true},
	} {
		if got := read(t, c.fields).Write(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestRequest(t *testing.T) {
	const (
		ref    = `"objectRef":{"resource":"deployments","apiGroup":"apps","apiVersion":"v1","namespace":"prod","name":"web"},`
		done   = `"stage":"ResponseComplete","responseStatus":{"code":200},`
		not    = `"stage":"ResponseComplete","responseStatus":{"code":403,"message":"admission webhook \"core.firebreak.dev\" denied the request: no"},`
		stored = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"prod","uid":"u-1"},"spec":{"replicas":3}}`
		sent   = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","uid":"chosen"},"spec":{"replicas":3}}`
		before = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":1}}`
		custom = `{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"a":1,"b":[1,2]}}`
		own    = `"objectRef":{"resource":"things","apiGroup":"example.com","apiVersion":"v1","namespace":"prod","name":"x"},`
	)
	for name, c := range map[string]struct {
		fields, before string
		want           string
	}{
		"a creation": {done + ref + `"verb":"create","requestObject":` + sent + `,"responseObject":` + stored, "",
			`CREATE Deployment prod/web: ` + stored},
		"one that was refused": {not + ref + `"verb":"create","requestObject":` + sent, "",
			`CREATE Deployment prod/web: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3}}`},
		"an update of what is known": {done + ref + `"verb":"update","requestObject":` + sent + `,"responseObject":` + stored, before,
			`UPDATE Deployment prod/web: ` + stored + ` before ` + before},
		"an update of what is not": {done + ref + `"verb":"update","requestObject":` + sent + `,"responseObject":` + stored, "",
			`CREATE Deployment prod/web: ` + stored + ` (the log does not say how the object was before)`},
		"a patch that was refused": {not + ref + `"verb":"patch","requestObject":{"spec":{"replicas":0}}`, before,
			`UPDATE Deployment prod/web: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":0}} before ` + before},
		"a JSON patch": {not + ref + `"verb":"patch","requestObject":[{"op":"replace","path":"/spec/replicas","value":0}]`, before,
			`UPDATE Deployment prod/web: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":0}} before ` + before},
		"a JSON patch that doubles the object": {not + ref + `"verb":"patch","requestObject":[{"op":"copy","from":"/spec","path":"/spec/a"},{"op":"copy","from":"/spec","path":"/spec/b"}]`, before,
			`UPDATE Deployment prod/web: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"prod"}} before {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{"replayed":"before"},"name":"web","namespace":"prod"}} (the log does not hold the object)`},
		"a patch of a custom resource": {not + own + `"verb":"patch","requestObject":{"spec":{"b":[3]}}`, custom,
			`UPDATE Thing prod/x: {"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"a":1,"b":[3]}} before ` + custom},
		"a patch of what is not known": {not + ref + `"verb":"patch","requestObject":{"spec":{"replicas":0}}`, "",
			`UPDATE Deployment prod/web: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"prod"}} before {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{"replayed":"before"},"name":"web","namespace":"prod"}} (the log does not hold the object)`},
		"level Metadata": {done + ref + `"verb":"delete"`, "",
			`DELETE Deployment prod/web:  before {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"prod"}} (the log does not say what is deleted)`},
		"a deletion of what is known": {done + ref + `"verb":"delete","responseObject":{"kind":"Status","apiVersion":"v1"}`, before,
			`DELETE Deployment prod/web:  before ` + before},
		"a kind that is not known": {done + own + `"verb":"create"`, "", `CREATE  prod/x:  (the kind of resource "things.example.com" is not known)`},
		"a collection":             {done + ref + `"verb":"deletecollection"`, "", `DELETE  prod/web:  (it deletes a collection, and the log does not say of which objects)`},
		"a session": {`"stage":"ResponseStarted","verb":"create","requestURI":"/api/v1/namespaces/prod/pods/p/exec?command=psql&command=-c&container=m&stdin=true","objectRef":{"resource":"pods","apiVersion":"v1","namespace":"prod","name":"p","subresource":"exec"}`, "",
			`CONNECT PodExecOptions prod/p:  with {"apiVersion":"v1","command":["psql","-c"],"container":"m","kind":"PodExecOptions","stdin":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, strings.TrimSuffix(c.fields, ",")).Request(kinds, []byte(c.before))
			got := fmt.Sprintf("%s %s %s/%s: %s", r.Operation, r.Kind.Kind, r.Namespace, r.Name, r.Object)
			if len(r.OldObject) > 0 {
				got += " before " + string(r.OldObject)
			}
			if len(r.Options) > 0 {
				got += " with " + string(r.Options)
			}
			if r.Why != "" {
				got += " (" + r.Why + ")"
			}
			if got != c.want {
				t.Errorf("it is\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// The user is the one that was acted as, a dry run is one, and what the API server refused for its own reasons is no question of the webhook's.
func TestRequester(t *testing.T) {
	e := read(t, `"stage":"ResponseComplete","verb":"create","requestURI":"/api/v1/namespaces/x/pods?dryRun=All","user":{"username":"ray"},"impersonatedUser":{"username":"bot"},"objectRef":{"resource":"pods","apiVersion":"v1"},"responseStatus":{"code":403,"message":"pods is forbidden: User \"bot\" cannot create"}`)
	if r := e.Request(kinds, nil); r.User.Username != "bot" || !r.DryRun {
		t.Errorf("%+v", r)
	}
	if !e.Refused() {
		t.Error("it was refused before admission")
	}
}
