package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Write keeps a record. asked identifies the request, so that a repeat of it makes no second record. Of denied attempts at one object, one a
// person and an hour is kept. now is the server's clock.
func (l *Ledger) Write(ctx context.Context, spec *v1alpha1.ChangeRecordSpec, asked string, now time.Time) error {
	what := asked
	if spec.Act == v1alpha1.ActDenied {
		what = now.UTC().Format("2006-01-02T15")
	}
	o := spec.Object
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", spec.Act, spec.Requester.Username, o.Group, o.Kind, o.Namespace, o.Name, what)
	if spec.Act != v1alpha1.ActDenied {
		fmt.Fprintf(h, "\x00%s", o.UID)
	}
	r := &v1alpha1.ChangeRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "r-" + hex.EncodeToString(h.Sum(nil)[:16])},
		Spec:       *spec,
	}
	if err := l.client.Create(ctx, r); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keep the record %q: %w", spec.Message, err)
	}
	return nil
}
