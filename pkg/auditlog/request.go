package auditlog

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Judged says of an event how much of the request it holds.
type Judged int

// These constants say how much is known of a request.
const (
	// Whole requests are known as the webhook saw them.
	Whole Judged = iota
	// NoContent is for requests of which the log says who did what to which object, and not what it holds.
	NoContent
	// NoBefore is for updates of objects whose earlier state is not known: they are judged as if the object was made anew.
	NoBefore
	// Unjudgeable is for requests that cannot be judged from the log.
	Unjudgeable
)

// Kinds returns the kind of a resource, and whether it is known.
type Kinds func(schema.GroupVersionResource) (schema.GroupVersionKind, bool)

// Request is a write of the log.
type Request struct {
	policy.Request
	Judged Judged
	// Why says, as a clause, what is missing, unless the request is known whole.
	Why string
	// After is the object as it is stored afterwards; nil: it is not known, or there is none.
	After []byte
}

// Done reports whether the API server did what it was asked.
func (e *Event) Done() bool { return e.ResponseStatus != nil && e.ResponseStatus.Code < 300 }

// Requester returns the user that the request was judged as.
func (e *Event) Requester() authenticationv1.UserInfo {
	if e.ImpersonatedUser != nil {
		return *e.ImpersonatedUser
	}
	return e.User
}

// connects are the subresources that admission sees as CONNECT.
func connects() []string { return []string{"exec", "attach", "portforward", "proxy"} }

// The stages of events about requests that were answered. A session that goes on is told of when it starts, and again when it ends, with the same audit id.
const (
	StageStarted  = "ResponseStarted"
	StageComplete = "ResponseComplete"
)

// Write reports whether an admission webhook may have been asked about the event: it is a write, or a session, that was answered.
func (e *Event) Write() bool {
	if e.Stage != StageComplete && e.Stage != StageStarted || e.ObjectRef == nil || e.ObjectRef.Resource == "" {
		return false
	}
	if slices.Contains(connects(), e.ObjectRef.Subresource) {
		return true
	}
	return e.Stage == StageComplete && slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb)
}

// Refused reports whether a request ended before admission, or for a reason that admission has no part in: it was malformed, unauthorised, in conflict,
// or for an object that is not there.
func (e *Event) Refused() bool {
	if e.ResponseStatus == nil || e.ResponseStatus.Code < http.StatusBadRequest {
		return false
	}
	asked := strings.Contains(e.ResponseStatus.Message, "admission webhook")
	return !asked
}

// Request returns the request of an event. before is the object as the log has told of it earlier, or nil.
func (e *Event) Request(kinds Kinds, before []byte) *Request {
	ref := e.ObjectRef
	gvr := schema.GroupVersionResource{Group: ref.APIGroup, Version: ref.APIVersion, Resource: ref.Resource}
	r := &Request{Request: policy.Request{
		Resource: gvr, SubResource: ref.Subresource, Namespace: ref.Namespace, Name: ref.Name, User: e.Requester(), Now: e.Received.Time, OldObject: before,
	}}
	if ref.Resource == "namespaces" && ref.APIGroup == "" {
		r.Namespace = ref.Name
	}
	if u, err := url.Parse(e.RequestURI); err == nil && u.Query().Get("dryRun") != "" {
		r.DryRun = true
	}
	switch {
	case slices.Contains(connects(), ref.Subresource):
		e.connect(r, kinds)
	case e.Verb == "create":
		r.Operation = policy.Create
		e.content(r, kinds)
	case e.Verb == "update", e.Verb == "patch":
		r.Operation = policy.Update
		e.content(r, kinds)
	case e.Verb == "delete":
		r.Operation = policy.Delete
		e.deletion(r, kinds)
	default:
		r.Operation = policy.Delete
		r.lacks(Unjudgeable, "it deletes a collection, and the log does not say of which objects")
	}
	return r
}

func (r *Request) lacks(j Judged, why string) { r.Judged, r.Why = j, why }

// head is what every object has.
type head struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
}

// headOf reads the head of an object, and reports whether it is an object of a kind, and not a status.
func headOf(raw []byte) (head, bool) {
	var h head
	if len(raw) == 0 || json.Unmarshal(raw, &h) != nil || h.Kind == "" || h.Kind == "Status" {
		return head{}, false
	}
	return h, true
}

// content finds the object of a write: as it was stored or, if the request was refused, as it was sent.
func (e *Event) content(r *Request, kinds Kinds) {
	sent, whole := headOf(e.RequestObject)
	stored, known := headOf(e.ResponseObject)
	switch {
	case known && e.Done():
		r.Object, r.After = e.ResponseObject, e.ResponseObject
		r.take(stored)
	case whole && e.Verb != "patch":
		r.Object = e.RequestObject
		if e.Verb == "create" {
			r.Object = asMade(e.RequestObject)
		}
		r.take(sent)
	case e.Verb == "patch" && e.patches(r):
	default:
		r.bare(kinds, "the log does not hold the object")
		return
	}
	if ref := e.ObjectRef; ref.Subresource != "" && ref.Subresource != "status" && ref.Subresource != "scale" && ref.Subresource != "ephemeralcontainers" {
		r.After = nil // what is stored is another kind of object
		if whole {
			r.Object = e.RequestObject
			r.take(sent)
		}
	}
	if r.Operation == policy.Update && len(r.OldObject) == 0 {
		r.Operation = policy.Create
		r.lacks(NoBefore, "the log does not say how the object was before")
	}
}

// asMade returns an object without what the API server sets itself, whatever a client sends.
func asMade(raw []byte) []byte {
	var o map[string]any
	if json.Unmarshal(raw, &o) != nil {
		return raw
	}
	metadata, _ := o["metadata"].(map[string]any)
	for _, field := range []string{"uid", "creationTimestamp", "resourceVersion", "generation", "managedFields"} {
		delete(metadata, field)
	}
	out, err := json.Marshal(o)
	if err != nil {
		return raw
	}
	return out
}

// patches finds what a patch would have made of the object that the log told of earlier, and reports whether it could.
func (e *Event) patches(r *Request) bool {
	was, ok := headOf(r.OldObject)
	if !ok || len(e.RequestObject) == 0 || r.SubResource == "scale" {
		return false
	}
	after, err := patched(r.OldObject, e.RequestObject, was.GroupVersionKind())
	if err != nil {
		return false
	}
	r.Object = after
	r.take(was)
	return true
}

func (r *Request) take(h head) {
	r.Kind = h.GroupVersionKind()
	if r.Name == "" {
		r.Name = h.Metadata.Name
	}
	if r.Resource.Resource == "namespaces" && r.Resource.Group == "" {
		r.Namespace = r.Name
	}
}

// bare has a request judged by who sends it and what it is about.
func (r *Request) bare(kinds Kinds, why string) {
	gvk, ok := kinds(r.Resource)
	if !ok {
		r.lacks(Unjudgeable, fmt.Sprintf("the kind of resource %q is not known", r.Resource.GroupResource()))
		return
	}
	r.Kind = gvk
	r.lacks(NoContent, why)
	r.Object = r.stand(false)
	r.OldObject = nil
	switch r.Operation {
	case policy.Update:
		r.OldObject = r.stand(true)
	case policy.Delete:
		r.OldObject, r.Object = r.Object, nil
	}
}

// stand returns an object of which nothing but the name is known.
func (r *Request) stand(before bool) []byte {
	metadata := map[string]any{"name": r.Name}
	if r.Namespace != "" && r.Kind.Kind != "Namespace" {
		metadata["namespace"] = r.Namespace
	}
	if before {
		metadata["annotations"] = map[string]any{"replayed": "before"} // so that something is changed
	}
	raw, err := json.Marshal(map[string]any{"apiVersion": r.Kind.GroupVersion().String(), "kind": r.Kind.Kind, "metadata": metadata})
	if err != nil {
		return nil // cannot happen: it is a tree of texts
	}
	return raw
}

func (e *Event) deletion(r *Request, kinds Kinds) {
	if h, ok := headOf(r.OldObject); ok {
		r.take(h)
		return
	}
	if h, ok := headOf(e.ResponseObject); ok && e.Done() {
		r.OldObject = e.ResponseObject
		r.take(h)
		return
	}
	r.bare(kinds, "the log does not say what is deleted")
}

// connect finds the options of a session in the address that was asked for.
func (e *Event) connect(r *Request, _ Kinds) {
	r.Operation, r.OldObject = policy.Connect, nil
	kind := map[string]string{"exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions", "proxy": "PodProxyOptions"}[r.SubResource]
	if r.SubResource == "proxy" && r.Resource.Resource != "pods" {
		kind = map[string]string{"services": "ServiceProxyOptions", "nodes": "NodeProxyOptions"}[r.Resource.Resource]
	}
	u, err := url.Parse(e.RequestURI)
	if kind == "" || err != nil {
		r.lacks(Unjudgeable, "the log does not say what session this is")
		return
	}
	r.Kind = schema.GroupVersionKind{Version: "v1", Kind: kind}
	q := u.Query()
	options := map[string]any{"kind": kind, "apiVersion": "v1"}
	for _, name := range []string{"stdin", "stdout", "stderr", "tty"} {
		if q.Get(name) == "true" || q.Get(name) == "1" {
			options[name] = true
		}
	}
	if c := q.Get("container"); c != "" {
		options["container"] = c
	}
	if c := q["command"]; len(c) > 0 {
		options["command"] = c
	}
	raw, err := json.Marshal(options)
	if err != nil {
		r.lacks(Unjudgeable, "the log does not say what session this is")
		return
	}
	r.Options = raw
}
