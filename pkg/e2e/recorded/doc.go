// Package recorded replays AdmissionReviews that a real API server has sent, through the HTTP handler, at instants of a
// test's choosing: the days on which clocks change, and those on which a permission expires. The creationTimestamp of the
// object and the server's clock are set; the rest is as it was sent.
//
// This package may change without notice.
package recorded
