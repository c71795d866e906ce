package ownrbac

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// auditPolicy records every request of Firebreak, and of no other user.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, users: ["system:serviceaccount:firebreak-system:firebreak"]}
- {level: None}
`

// asked is one request that Firebreak sent.
type asked struct {
	Verb      string `json:"verb"`
	ObjectRef struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	ResponseStatus struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"responseStatus"`
}

func (a *asked) resource() string {
	if a.ObjectRef.Subresource != "" {
		return a.ObjectRef.Resource + "/" + a.ObjectRef.Subresource
	}
	return a.ObjectRef.Resource
}

// within reports whether a rule of a role allows the request.
func (a *asked) within(r *role, rule *rbacv1.PolicyRule) bool {
	group := slices.Contains(rule.APIGroups, a.ObjectRef.APIGroup) || slices.Contains(rule.APIGroups, rbacv1.APIGroupAll)
	resource := slices.Contains(rule.Resources, a.resource()) || slices.Contains(rule.Resources, "*/"+a.ObjectRef.Subresource)
	return group && resource && slices.Contains(rule.Verbs, a.Verb) &&
		(r.namespace == "" || r.namespace == a.ObjectRef.Namespace) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.ObjectRef.Name))
}

// missed reports whether the request needs the rule. Applying an object that does not exist needs create, too.
func (a *asked) missed(r *role, rule *rbacv1.PolicyRule) bool {
	created := *a
	created.Verb = "create"
	return a.within(r, rule) || a.Verb == "patch" && created.within(r, rule)
}

// since reads the requests after an offset of the audit log, and returns the offset of its end.
func since(t *testing.T, offset int64) ([]asked, int64) {
	t.Helper()
	f, err := os.Open(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(offset, 0); err != nil {
		t.Fatal(err)
	}
	var out []asked
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return out, offset // a line that is half written is read the next time
		}
		offset += int64(len(line))
		var a asked
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !strings.HasPrefix(a.Verb, "connect") {
			out = append(out, a)
		}
	}
}
