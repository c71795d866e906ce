package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Server answers reviews over HTTP. It reads the envelope in one pass, and keeps the objects in it as they were sent: what of them is
// decoded, and how, is the handler's business. controller-runtime's server decodes the envelope twice, of which the objects are nearly
// all.
type Server struct{ next admission.Handler }

// NewServer returns a server behind a gate. memory is how many bytes the process may use.
func NewServer(next admission.Handler, memory int64, m *Metrics) http.Handler {
	return NewGate(Server{next}, memory, m)
}

// ServeHTTP implements http.Handler. It answers every request that it can read with a review: an HTTP error would be admitted where the
// registration says Ignore.
func (s Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		write(w, uidIn(body), failed(http.StatusRequestEntityTooLarge, fmt.Sprintf("Firebreak cannot read the review: %v; make the object smaller", err), 0))
		return
	}
	var req admission.Request
	if err := decodeReview(body, &req.AdmissionRequest); err != nil {
		write(w, string(req.UID), failed(http.StatusBadRequest, fmt.Sprintf("Firebreak cannot read the review: %v", err), 0))
		return
	}
	write(w, string(req.UID), s.next.Handle(r.Context(), req))
}

// readBody reads a body at once where its length is known, which it is from API servers.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, errors.New("the body is empty")
	}
	if r.ContentLength < 0 || r.ContentLength > maxBody {
		body, err := io.ReadAll(r.Body)
		_, _ = io.Copy(io.Discard, r.Body) // a client that is still writing may miss the answer
		return body, err
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// uidIn returns the UID of a review of which only the beginning is there; empty: it is not there either.
func uidIn(body []byte) string {
	if m := reviewUID.FindSubmatch(body[:min(len(body), 4<<10)]); m != nil {
		return string(m[1])
	}
	return ""
}

// write answers with a review.
func write(w http.ResponseWriter, uid string, resp admission.Response) {
	out := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Response: &resp.AdmissionResponse,
	}
	out.Response.UID = types.UID(uid)
	if out.Response.Result == nil {
		out.Response.Result = &metav1.Status{Code: http.StatusOK}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a client that is gone cannot be answered
}

// envelope reads the tokens of a review.
type envelope struct {
	*jsontext.Decoder
	body []byte
}

// decodeReview reads a review. The objects of the request are parts of the body.
func decodeReview(body []byte, req *admissionv1.AdmissionRequest) error {
	e := envelope{jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), body}
	var version, kind string
	found := false
	err := e.fields(func(name string) error {
		switch name {
		case "apiVersion":
			return e.value(&version)
		case "kind":
			return e.value(&kind)
		case "request":
			found = true
			return e.request(req)
		}
		return e.SkipValue()
	})
	switch {
	case err != nil:
		return err
	case kind != "AdmissionReview" || version != admissionv1.SchemeGroupVersion.String():
		return fmt.Errorf("it is a %q of %q, and not an AdmissionReview of %s", kind, version, admissionv1.SchemeGroupVersion)
	case !found:
		return errors.New("it holds no request")
	}
	return nil
}

// fields reads an object, and calls read behind the name of each field.
func (e envelope) fields(read func(name string) error) error {
	t, err := e.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '{' {
		return fmt.Errorf("it holds %s where an object must stand", t.Kind())
	}
	for e.PeekKind() != '}' {
		name, err := e.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err = e.ReadToken()
	return err
}

// value decodes a small value.
func (e envelope) value(into any) error { return json2.UnmarshalDecode(e.Decoder, into) }

// object keeps a value as it was sent.
func (e envelope) object(into *runtime.RawExtension) error {
	v, err := e.ReadValue()
	if err == nil && v.Kind() != 'n' {
		end := int(e.InputOffset()) // the value itself is the decoder's
		into.Raw = e.body[end-len(v) : end : end]
	}
	return err
}

func (e envelope) request(req *admissionv1.AdmissionRequest) error {
	return e.fields(func(name string) error {
		switch name {
		case "object":
			return e.object(&req.Object)
		case "oldObject":
			return e.object(&req.OldObject)
		case "options":
			return e.object(&req.Options)
		}
		if into := fieldOf(req, name); into != nil {
			return e.value(into)
		}
		return e.SkipValue()
	})
}

// fieldOf returns a field of a request that is not a Kubernetes object; nil if the request has none of that name.
func fieldOf(req *admissionv1.AdmissionRequest, name string) any {
	switch name {
	case "uid":
		return &req.UID
	case "kind":
		return &req.Kind
	case "resource":
		return &req.Resource
	case "subResource":
		return &req.SubResource
	case "requestKind":
		return &req.RequestKind
	case "requestResource":
		return &req.RequestResource
	case "requestSubResource":
		return &req.RequestSubResource
	case "name":
		return &req.Name
	case "namespace":
		return &req.Namespace
	case "operation":
		return &req.Operation
	case "userInfo":
		return &req.UserInfo
	case "dryRun":
		return &req.DryRun
	}
	return nil
}
