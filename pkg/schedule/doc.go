// Package schedule tells when something is open: one interval, or a recurrence by cron in a time zone.
//
// Windows, freezes, exemptions and gateways all ask here, so that an instant at a bound is judged alike everywhere.
// Intervals are [start, end). Each of the pitfalls that it avoids is a test of that name.
//
// It is pure: it may import the standard library, apimachinery, pkg/api and the cron parser that Kubernetes' own CronJob
// uses. It reads no clock, and no zone but those that are embedded in the binary.
package schedule
