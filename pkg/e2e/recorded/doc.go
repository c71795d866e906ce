// Package recorded replays AdmissionReviews that a real API server sent, through the HTTP handler, at instants that a test chooses:
// the days on which clocks change, and those on which a permission expires. It sets the creationTimestamp of the object and the
// server's clock, and leaves the rest as it was sent.
//
// This package may change without notice.
package recorded
