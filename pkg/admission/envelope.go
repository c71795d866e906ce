package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/workload/typed"
)

// Server answers reviews over HTTP. It decodes a review in one pass, and its objects are parts of the body: what of them is decoded, and how,
// is the handler's business. controller-runtime's server passes over a review four times, of which the objects are nearly all.
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
	review, err := decodeReview(body)
	if err != nil {
		uid := uidIn(body)
		if review != nil && review.Request != nil {
			uid = string(review.Request.UID)
		}
		write(w, uid, failed(http.StatusBadRequest, fmt.Sprintf("Firebreak cannot read the review: %v", err), 0))
		return
	}
	write(w, string(review.Request.UID), s.next.Handle(r.Context(), admission.Request{AdmissionRequest: *review.Request}))
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
	w.Header().Set("Content-Type", "application/json")
	if plain(&resp.AdmissionResponse) {
		_, _ = w.Write(admitted(uid)) // a client that is gone cannot be answered
		return
	}
	out := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Response: &resp.AdmissionResponse,
	}
	out.Response.UID = types.UID(uid)
	if out.Response.Result == nil {
		out.Response.Result = &metav1.Status{Code: http.StatusOK}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// plain reports whether an answer says no more than that the request is admitted, as most do.
func plain(r *admissionv1.AdmissionResponse) bool {
	return r.Allowed && r.Result == nil && r.Patch == nil && r.PatchType == nil && len(r.AuditAnnotations)+len(r.Warnings) == 0
}

// admitted returns the answer that says no more.
func admitted(uid string) []byte {
	const before, after = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`, `,"allowed":true,"status":{"metadata":{},"code":200}}}` + "\n"
	out := append(make([]byte, 0, len(before)+len(uid)+len(after)+8), before...)
	out, _ = jsontext.AppendQuote(out, uid) // what is not UTF-8 is replaced
	return append(out, after...)
}

// decodeReview reads a review that holds a request. The objects of the request are parts of the body. With an error it returns what could be read, or nil.
func decodeReview(body []byte) (*admissionv1.AdmissionReview, error) {
	var review admissionv1.AdmissionReview
	if err := typed.UnmarshalEnvelope(body, &review); err != nil {
		review = admissionv1.AdmissionReview{}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil {
			return nil, typed.Explain(err)
		}
	}
	switch {
	case review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String():
		return &review, fmt.Errorf("it is a %q of %q, and not an AdmissionReview of %s", review.Kind, review.APIVersion, admissionv1.SchemeGroupVersion)
	case review.Request == nil:
		return nil, errors.New("it holds no request")
	}
	return &review, nil
}
