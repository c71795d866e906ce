// Package schedule tells when something is open: one interval, or a recurrence by cron in a time zone.
//
// Windows, freezes, exemptions and gateways all use it, so that an instant at a bound is judged alike everywhere. Intervals
// are [start, end). Each pitfall that the package avoids has a test of that name.
//
// The package is pure: it may import the standard library, apimachinery, pkg/api and the cron parser that Kubernetes' own
// CronJob uses. It reads no clock, and only the time zones that are embedded in the binary.
package schedule
