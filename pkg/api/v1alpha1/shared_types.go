package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Glob is a name in which `*` stands for any run of characters (none included) and `?` for exactly one. There is
// no escape: no Kubernetes name, user or group that Firebreak matches needs one.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
type Glob string

// ServiceAccountGlob is `namespace/name`, each half a Glob.
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=317
// +kubebuilder:validation:Pattern=`^[^/]+/[^/]+$`
type ServiceAccountGlob string

// Stamp is the sender of a request, as the API server authenticated it. Firebreak's stamping webhook writes it when the
// object is created and overwrites any text that the sender put there; it never changes afterwards.
type Stamp struct {
	// username is the authenticated name of the sender.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username"`
	// uid is the sender's UID, if the authenticator gives one. If a service account has none, another user impersonated
	// it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	UID string `json:"uid,omitempty"`
	// groups are all groups of the sender at that moment, in the order in which the API server gave them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=1024
	Groups []string `json:"groups,omitempty"`
}

// Subjects names requesters. If all of its fields are empty, it means what the field that holds it says; it never means
// everyone.
type Subjects struct {
	// users are names as the API server authenticates them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Users []Glob `json:"users,omitempty"`
	// groups are names of groups as the API server authenticates them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Groups []Glob `json:"groups,omitempty"`
	// serviceAccounts are `namespace/name`.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ServiceAccounts []ServiceAccountGlob `json:"serviceAccounts,omitempty"`
}

// Empty reports whether no subject is named.
func (s Subjects) Empty() bool {
	return len(s.Users) == 0 && len(s.Groups) == 0 && len(s.ServiceAccounts) == 0
}

// ObjectReference names one object. The UID tells it from a deleted and re-created object of the same name.
type ObjectReference struct {
	// namespace of the object. It is empty for cluster-scoped objects and where the field that holds the reference
	// implies it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid"`
}

// OpenAPI accepts instants that Go cannot read, such as 2027-03-31t00:00:00z. One of them in a list stops every client
// from reading the list. CEL cannot read them either, so every instant of a spec is in a rule.

// Recurrence says when a schedule opens again and again. It opens at the instants of Kubernetes' own CronJob dialect.
// +kubebuilder:validation:XValidation:rule="!self.cron.startsWith('TZ=') && !self.cron.startsWith('CRON_TZ=')",message="the zone has a field of its own: use timeZone, not a TZ= prefix",reason="FieldValueInvalid",fieldPath=".cron"
// +kubebuilder:validation:XValidation:rule="self.duration.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".duration"
// +kubebuilder:validation:XValidation:rule="self.timeZone != 'Local'",message="must be an IANA zone such as Europe/London; the server's own zone is never meant",reason="FieldValueInvalid",fieldPath=".timeZone"
type Recurrence struct {
	// cron has five fields: minute, hour, day of month, month, day of week. Restricting both kinds of day is
	// refused, since cron joins them with "or", which nobody expects.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=128
	Cron string `json:"cron"`
	// duration is how long each occurrence lasts, in elapsed time. It must be shorter than the distance between
	// two occurrences.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	Duration metav1.Duration `json:"duration"`
	// timeZone is the IANA name of the zone in which cron is read, such as Europe/London or UTC.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone"`
	// validUntil ends the recurrence: no occurrence starts at or after it. It is required, since nothing temporary
	// stays for ever.
	// +required
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	ValidUntil metav1.Time `json:"validUntil"`
}

// Schedule is either one interval or a recurrence. Intervals include their start and exclude their end.
// +kubebuilder:validation:XValidation:rule="!(has(self.recurrence) && (has(self.start) || has(self.end)))",message="give either start and end, or a recurrence",reason="FieldValueForbidden",fieldPath=".recurrence"
// +kubebuilder:validation:XValidation:rule="!has(self.start) || !has(self.end) || self.start < self.end",message="must be after start",reason="FieldValueInvalid",fieldPath=".end"
type Schedule struct {
	// start is the first instant of the interval.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	Start *metav1.Time `json:"start,omitempty"`
	// end is the first instant after the interval.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	End *metav1.Time `json:"end,omitempty"`
	// recurrence replaces start and end.
	// +optional
	Recurrence *Recurrence `json:"recurrence,omitempty"`
}
