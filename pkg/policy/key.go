package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/change"
)

// key returns the key of the execution, which is the same for a repeat of the same request. The request's own UID is never part of it: it
// differs from one try of the API server to the next.
func (c *PreparedRequest) key(q *change.Query) string {
	if q.Session {
		// A session is recorded once for each person, object and container: every one that is denied arrives twice.
		sum := sha256.Sum256([]byte(strings.Join([]string{c.req.Username(), c.req.User.UID, c.req.Namespace, c.req.Resource.Resource, c.req.Name, c.req.SubResource, containerOf(c.req.Options)}, "\x00")))
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	if c.req.Operation == Create && c.new.meta.UID != "" {
		return string(c.new.meta.UID)
	}
	h := sha256.New()
	o := c.old
	if o == nil {
		o = c.new
	}
	asked := sha256.Sum256(c.req.Object)
	if q.Plan != nil {
		// By the first algorithm, so that replicas of two versions give a repeated request the same key.
		text := q.Plan.First().Digest + fmt.Sprint(c.wanted())
		if c.old != nil && c.old.work != nil && c.new.work != nil && c.wanted() == c.old.work.Wanted && sameTemplate(c.new.work, c.old.work) {
			text += c.besides() // what the plan does not pin tells two such writes apart
		}
		asked = sha256.Sum256([]byte(text))
	}
	fmt.Fprintf(h, "%s\x00%d\x00%s\x00%s\x00%x", o.meta.UID, o.meta.Generation, c.req.Operation, c.req.SubResource, asked)
	return "sha256-" + hex.EncodeToString(h.Sum(nil))
}

// besides returns what a write sets of an object's metadata, apart from what the API server writes at each try.
func (c *PreparedRequest) besides() string {
	m := c.new.meta
	raw, err := json.Marshal([]any{m.Labels, m.Annotations, m.OwnerReferences, m.Finalizers})
	if err != nil {
		return err.Error() // cannot happen: the metadata came from JSON
	}
	return string(raw)
}

// containerOf returns the container that a session is opened in.
func containerOf(options []byte) string {
	var o struct {
		Container string `json:"container"`
	}
	_ = kjson.UnmarshalCaseSensitivePreserveInts(options, &o) // options that cannot be read name none
	return o.Container
}
