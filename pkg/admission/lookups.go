package admission

import (
	"context"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Read implements policy.Reader. It remembers that an account does not exist, so that it asks for it once.
func (r *Reader) Read(ctx context.Context, m *policy.Missing, w *policy.ClusterView, f *policy.Facts) error {
	if m.Controller == "" {
		return view.Read(ctx, r.client, m, w, f)
	}
	uid, err := view.ControllerUID(ctx, r.client, m.Controller)
	if err == nil {
		r.remember(m.Controller, uid)
	}
	return err
}
