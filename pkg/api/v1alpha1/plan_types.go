package v1alpha1

// Plan pins what may run.
type Plan struct {
	// workloads has one entry for each object that is pinned.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Workloads []PlannedWorkload `json:"workloads"`
}

// PlannedWorkload pins what one object is to be, and says how often that may happen.
type PlannedWorkload struct {
	// ScopedResource says which objects the entry is for.
	ScopedResource `json:",inline"`
	// digest is the pin: `v2:sha256:…` over the fields that decide what runs. Its first part names the version of the
	// algorithm.
	// +required
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^v[0-9]+:sha256:[0-9a-f]{64}$`
	Digest string `json:"digest"`
	// madeBy names the object whose controller makes the objects of this entry, such as a CronJob for its scheduled Jobs. Such
	// an entry covers nothing else, and an entry that says executions and no madeBy covers nothing that a CronJob's schedule
	// makes.
	// +optional
	MadeBy *Maker `json:"madeBy,omitempty"`
	// rollback is true if the entry is the way back: what was stored when the window was requested. It permits an update
	// without being listed in the operations of the scope, until the window closes and for rollbackWithin after that.
	// +optional
	Rollback bool `json:"rollback,omitempty"`
	// images lists, by repository, the digests of images of which any may run where the plan names one of them. If omitted,
	// only the image in the plan may run.
	// +optional
	// +listType=map
	// +listMapKey=repository
	// +kubebuilder:validation:MaxItems=16
	Images []ImageDigests `json:"images,omitempty"`
	// fields holds one digest for each decisive field, so that Firebreak can name the field that differs.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=512
	Fields []PlannedField `json:"fields,omitempty"`
}

// ImageDigests are images of one repository.
type ImageDigests struct {
	// repository is the name of the images, without tag and digest, as the plan spells it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^@\s]+$`
	Repository string `json:"repository"`
	// digests are those of the images.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=71
	// +kubebuilder:validation:items:Pattern=`^sha256:[0-9a-f]{64}$`
	Digests []string `json:"digests"`
}

// Maker names an object whose controller makes others.
type Maker struct {
	// group of the object's kind. If empty, it is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind of the object, such as CronJob.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// PlannedField is one decisive field of a planned workload.
type PlannedField struct {
	// path of the field, starting at the pod template, or at the object for what has none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path"`
	// digest of the field's value.
	// +required
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{16,64}$`
	Digest string `json:"digest"`
	// text of the field's value, for plans whose digest begins with `v1:`, only where it cannot hold a credential: images, the
	// program, identity, host access.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Text string `json:"text,omitempty"`
	// value of the field as JSON, in which each credential is replaced by a mark with its digest. The digest is that of this
	// text, so that whoever reads it reads what is pinned. It is omitted if it is longer than 32 KiB.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Value string `json:"value,omitempty"`
}
