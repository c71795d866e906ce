package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// ScaleTarget names what an autoscaler scales, in its own namespace.
type ScaleTarget struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// TargetScale is what was read, for one request, of the workload that an autoscaler scales.
type TargetScale struct {
	// Replicas that it asks for; 0 as well where there is none of that name, or where it cannot be scaled.
	Replicas int64
	// Unreadable is true where Firebreak has no right to read it.
	Unreadable bool
}

// autoscalerBounds is what of an autoscaler is judged.
type autoscalerBounds struct {
	Spec struct {
		ScaleTargetRef ScaleTarget `json:"scaleTargetRef"`
		MinReplicas    *int64      `json:"minReplicas"`
		MaxReplicas    int64       `json:"maxReplicas"`
	} `json:"spec"`
}

// autoscalerBounds returns the bounds of an autoscaler whose effect is judged; false: it is none, or it changes nothing in
// Production.
func (c *PreparedRequest) autoscalerBounds() (autoscalerBounds, bool) {
	var a autoscalerBounds
	if !c.boundsAreJudged() || !c.isKind(autoscalerKind()) || kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &a) != nil {
		return a, false
	}
	return a, true
}

// knownTarget asks for the scale of what an autoscaler scales.
func (c *PreparedRequest) knownTarget() {
	a, ok := c.autoscalerBounds()
	if !ok || c.req.Stored {
		return
	}
	if _, known := c.targetReplicas(a.Spec.ScaleTargetRef); !known {
		c.lack(Missing{Scale: &MissingScale{c.req.Namespace, a.Spec.ScaleTargetRef}})
	}
}

// targetReplicas is how many replicas the workload asks for that an autoscaler scales; false: nothing is known of it.
func (c *PreparedRequest) targetReplicas(t ScaleTarget) (int64, bool) {
	if c.req.Facts.Scale != nil {
		return c.req.Facts.Scale.Replicas, true
	}
	if k, ok := workload.KindOf(t.groupKind()); !ok || !k.Scaled {
		return 0, false
	}
	p, ok := c.view.ScaledWorkloads(c.req.Namespace, t.Kind, t.Name)
	return p.Replicas, ok
}

func (t *ScaleTarget) groupKind() schema.GroupKind {
	return schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind()
}

// autoscales compares the bounds of an autoscaler with what its workload asks for, and asked for within the last hour: in small
// steps as well, it must not take away what one step may not.
func (c *PreparedRequest) autoscales(prod []*estate.Environment) string {
	a, ok := c.autoscalerBounds()
	if !ok {
		return ""
	}
	t := a.Spec.ScaleTargetRef
	running, known := c.targetReplicas(t)
	if !known || c.req.Facts.Scale != nil && c.req.Facts.Scale.Unreadable {
		return fmt.Sprintf("may let far fewer of %s %q run than do: Firebreak cannot read how many do", t.Kind, t.Name)
	}
	least, most := int64(1), a.Spec.MaxReplicas
	if a.Spec.MinReplicas != nil {
		least = *a.Spec.MinReplicas
	}
	peak := max(running, c.view.Peaks(c.req.Namespace, t.groupKind().String(), t.Name))
	for _, e := range prod {
		b := estate.BlastRadiusOf(e.Spec().ChangeControl)
		switch {
		case most < peak && (peak-most)*100 > peak*b.DownPercent:
			return fmt.Sprintf("lets at most %d run where %d did within the last hour, fewer by more than %d %%", most, peak, b.DownPercent)
		case running > 0 && least > running*b.UpFactor && least-running > b.Up:
			return fmt.Sprintf("has at least %d run where %d do, beyond %d times as many", least, running, b.UpFactor)
		}
	}
	return ""
}
