// Package admission turns an AdmissionReview into a request for pkg/policy, and its decision into the answer: status,
// warnings, audit annotations, metrics, log line, event.
//
// Handle decodes a review; decide judges it. A request that is not change-controlled makes no API call. A change-controlled
// one reads live, at most six round trips one after the other: windows and freezes; executions, approvals, ConfigMaps and whether
// the object exists; the reservation; if its slot was lost, the executions and one more try; the approvals and ConfigMaps again. Where one
// slot stands for two limits, it is some tries more.
//
// A request that cannot be judged is denied, always by an AdmissionResponse and never by an HTTP error: an HTTP error would
// lose the message, and the request would be admitted where the registration says Ignore.
//
// This package may change without notice.
package admission
