package v1alpha1

import "time"

// The defaults of ChangeControl, for Environments that omit it and for manifests that no API server has filled in.
// They repeat the +kubebuilder:default markers; a test compares the two.
const (
	DefaultRequiredApprovals        int32 = 1
	DefaultApprovalValidity               = 168 * time.Hour
	DefaultStandardApprovalValidity       = 4380 * time.Hour
	DefaultMaxWindowDuration              = 8 * time.Hour
	DefaultEmergencyMaxDuration           = 4 * time.Hour
	DefaultExecutionRetention             = 2160 * time.Hour
)
