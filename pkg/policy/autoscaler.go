package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// ScaleTarget names the workload that an autoscaler scales, in the autoscaler's own namespace.
type ScaleTarget struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// TargetScale is the scale of the workload that an autoscaler scales, as it was read for one request.
type TargetScale struct {
	// Replicas is how many the workload asks for. It is also 0 if there is no workload of that name, or if it cannot be scaled.
	Replicas int64
	// Unreadable is true if Firebreak has no right to read the scale.
	Unreadable bool
}

// autoscalerBounds is the part of an autoscaler that is judged.
type autoscalerBounds struct {
	Spec struct {
		ScaleTargetRef ScaleTarget `json:"scaleTargetRef"`
		MinReplicas    *int64      `json:"minReplicas"`
		MaxReplicas    int64       `json:"maxReplicas"`
	} `json:"spec"`
}

// autoscalerBounds returns the bounds of an autoscaler whose effect is judged, and false if the object is not an autoscaler, or if the
// request changes nothing in Production.
func (c *PreparedRequest) autoscalerBounds() (autoscalerBounds, bool) {
	var a autoscalerBounds
	if !c.boundsAreJudged() || !c.isKind(autoscalerKind()) || kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &a) != nil {
		return a, false
	}
	return a, true
}

// knownTarget notes the scale of an autoscaler's target as missing if it is not known.
func (c *PreparedRequest) knownTarget() {
	a, ok := c.autoscalerBounds()
	if !ok || c.req.Stored {
		return
	}
	if _, known := c.targetReplicas(a.Spec.ScaleTargetRef); !known {
		c.lack(Missing{Scale: &MissingScale{c.req.Namespace, a.Spec.ScaleTargetRef}})
	}
}

// targetReplicas returns how many replicas an autoscaler's target asks for, and false if that is not known.
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

// autoscales says, as a predicate, which bounds of an autoscaler let it take away or add too many replicas; it is empty if none do. It
// compares them with the replicas that the workload asks for, and asked for within the last hour: small steps must not take away what one
// step may not.
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
