package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// ValidateEnvironment finds errors that OpenAPI and CEL cannot find: selectors that do not parse, and gateways whose host is not one.
func ValidateEnvironment(e *v1alpha1.Environment) field.ErrorList {
	spec := field.NewPath("spec")
	errs := validSelector(spec.Child("namespaces", "selector"), e.Spec.Namespaces.Selector)
	errs = append(errs, validSelector(spec.Child("nodes", "selector"), e.Spec.Nodes.Selector)...)
	if cc := e.Spec.ChangeControl; cc != nil {
		errs = append(errs, validSelector(spec.Child("changeControl", "protectedState", "selector"), cc.ProtectedState.Selector)...)
	}
	for i, g := range e.Spec.Gateways {
		if _, ok := reference.NormaliseHost(g.Host, true); !ok {
			errs = append(errs, field.Invalid(spec.Child("gateways").Index(i).Child("host"), g.Host, "must be a host name or an address"))
		}
	}
	return errs
}

func validSelector(path *field.Path, s *metav1.LabelSelector) field.ErrorList {
	if s == nil {
		return nil
	}
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

// ValidateDataStore finds errors that OpenAPI and CEL cannot find: hosts and address ranges that do not parse.
func ValidateDataStore(d *v1alpha1.DataStore) field.ErrorList {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	for i, h := range d.Spec.Hosts {
		if _, ok := reference.NormaliseHost(strings.TrimPrefix(h, "*."), true); !ok {
			errs = append(errs, field.Invalid(spec.Child("hosts").Index(i), h, "must be a host name, without scheme and port; a leading *. is allowed"))
		}
	}
	for i, r := range d.Spec.CIDRs {
		if _, err := netip.ParsePrefix(r); err != nil {
			errs = append(errs, field.Invalid(spec.Child("cidrs").Index(i), r, "must be an address range such as 10.20.0.0/16"))
		}
	}
	return errs
}

func (c *PreparedRequest) validateFreeze(f *v1alpha1.ChangeFreeze) field.ErrorList {
	spec := field.NewPath("spec")
	var errs field.ErrorList
	for i, n := range f.Spec.Environments {
		if _, ok := c.est.Environment(n); !ok {
			// A typing error would otherwise be noticed on the day that was to be frozen.
			errs = append(errs, field.NotFound(spec.Child("environments").Index(i), n))
		}
	}
	if s := f.Spec.Schedule; f.Spec.Level == v1alpha1.FreezeEverything && s != nil && s.Start == nil && s.End != nil && s.End.Sub(c.At()) > maxEverything {
		errs = append(errs, field.Invalid(spec.Child("schedule", "end"), change.Instant(s.End.Time), "Everything lasts four hours at most; renew it by creating another one"))
	}
	if s := f.Spec.Schedule; f.Spec.Level == v1alpha1.FreezeEverything && s != nil && s.Recurrence != nil {
		errs = append(errs, field.Forbidden(spec.Child("schedule", "recurrence"), "Everything is the red button: it does not recur"))
	}
	if s := f.Spec.Schedule; s != nil {
		errs = append(errs, c.validFreezeSchedule(spec.Child("schedule"), s)...)
	}
	return errs
}

func (c *PreparedRequest) validFreezeSchedule(path *field.Path, s *v1alpha1.Schedule) field.ErrorList {
	if s.Recurrence != nil {
		return c.validRecurrence(path, s.Recurrence)
	}
	if s.End != nil && !c.At().Before(s.End.Time) {
		return field.ErrorList{field.Invalid(path.Child("end"), s.End.UTC().String(), "must be in the future")}
	}
	return nil
}

// maxEverything is how long a freeze of level Everything may last.
const maxEverything = 4 * time.Hour

const (
	maxAhead     = 366 * 24
	maxExemption = 30 * 24
)

func (c *PreparedRequest) validateExemption(e *v1alpha1.Exemption) field.ErrorList {
	path := field.NewPath("spec", "expiresAt")
	ahead := e.Spec.ExpiresAt.Sub(c.At())
	switch {
	case ahead <= 0:
		return field.ErrorList{field.Invalid(path, e.Spec.ExpiresAt.UTC().String(), "must be in the future")}
	case ahead.Hours() > maxExemption:
		return field.ErrorList{field.Invalid(path, e.Spec.ExpiresAt.UTC().String(), fmt.Sprintf("must be at most %d days ahead", maxExemption/24))}
	}
	return nil
}
