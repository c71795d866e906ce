package admission

import (
	"context"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Read implements policy.Reader. An account that does not exist is remembered as such, so that it is asked for once.
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
