package recorded

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// nowhere is the message before the instant at which the window opens, and thereafter the message after it.
const (
	nowhere    = `jobs.batch "reindex-orders" is forbidden: wait: window "nightly" opens at `
	thereafter = ` (ChangeWindowRequired: this is maintenance in "production": it names data store "orders", runs psql and is started by a person)`
)

// On the days on which clocks change, a window opens when its zone's clock says so: at the first instant that exists, and once.
func TestTheDaysOnWhichClocksChange(t *testing.T) {
	type moment struct{ at, opens string } // opens: empty if the Job is admitted
	for name, tc := range map[string]struct {
		reason, zone, cron string
		duration           time.Duration
		moments            []moment
	}{
		"London springs forward over the opening": {
			"01:30 does not exist, so the window opens at 02:00, and is open for its hour", "Europe/London", "30 1 * * *", time.Hour, []moment{
				{"2027-03-28T00:59:59Z", "2027-03-28 02:00:00 BST in Europe/London (2027-03-28 01:00:00 UTC)"}, {"2027-03-28T01:00:00Z", ""}, {"2027-03-28T01:59:59Z", ""},
				{"2027-03-28T02:00:00Z", "2027-03-29 01:30:00 BST in Europe/London (2027-03-29 00:30:00 UTC)"}, {"2027-03-29T00:30:00Z", ""},
			},
		},
		"London falls back over the opening": {
			"01:30 comes twice, and the window opens at the first", "Europe/London", "30 1 * * *", time.Hour, []moment{
				{"2026-10-25T00:29:59Z", "2026-10-25 01:30:00 BST in Europe/London (2026-10-25 00:30:00 UTC)"}, {"2026-10-25T00:30:00Z", ""}, {"2026-10-25T01:29:59Z", ""},
				{"2026-10-25T01:30:00Z", "2026-10-26 01:30:00 GMT in Europe/London (2026-10-26 01:30:00 UTC)"},
			},
		},
		"New York springs forward within": {
			"two hours are two hours, whatever the clock on the wall says", "America/New_York", "0 1 * * *", 2 * time.Hour, []moment{
				{"2027-03-14T05:59:59Z", "2027-03-14 01:00:00 EST in America/New_York (2027-03-14 06:00:00 UTC)"}, {"2027-03-14T06:00:00Z", ""}, {"2027-03-14T07:59:59Z", ""},
				{"2027-03-14T08:00:00Z", "2027-03-15 01:00:00 EDT in America/New_York (2027-03-15 05:00:00 UTC)"},
			},
		},
		"New York falls back within": {
			"two hours are two hours", "America/New_York", "0 1 * * *", 2 * time.Hour, []moment{
				{"2026-11-01T04:59:59Z", "2026-11-01 01:00:00 EDT in America/New_York (2026-11-01 05:00:00 UTC)"}, {"2026-11-01T05:00:00Z", ""}, {"2026-11-01T06:59:59Z", ""},
				{"2026-11-01T07:00:00Z", "2026-11-02 01:00:00 EST in America/New_York (2026-11-02 06:00:00 UTC)"},
			},
		},
		"Berlin springs forward over the opening": {
			"02:15 does not exist", "Europe/Berlin", "15 2 * * 0", 30 * time.Minute, []moment{
				{"2027-03-28T00:59:59Z", "2027-03-28 03:00:00 CEST in Europe/Berlin (2027-03-28 01:00:00 UTC)"}, {"2027-03-28T01:00:00Z", ""},
				{"2027-03-28T01:30:00Z", "2027-04-04 02:15:00 CEST in Europe/Berlin (2027-04-04 00:15:00 UTC)"},
			},
		},
		"Lord Howe springs forward by half an hour": {
			"02:15 does not exist there, 02:30 does", "Australia/Lord_Howe", "15 2 * * *", time.Hour, []moment{
				{"2026-10-03T15:29:59Z", "2026-10-04 02:30:00 +11 in Australia/Lord_Howe (2026-10-03 15:30:00 UTC)"}, {"2026-10-03T15:30:00Z", ""}, {"2026-10-03T16:29:59Z", ""},
				{"2026-10-03T16:30:00Z", "2026-10-05 02:15:00 +11 in Australia/Lord_Howe (2026-10-04 15:15:00 UTC)"},
			},
		},
		"Kathmandu never changes its clocks": {
			"its quarter of an hour is all that is odd about it", "Asia/Kathmandu", "0 3 * * *", time.Hour, []moment{
				{"2026-11-22T21:14:59Z", "2026-11-23 03:00:00 +0545 in Asia/Kathmandu (2026-11-22 21:15:00 UTC)"}, {"2026-11-22T21:15:00Z", ""},
				{"2026-11-22T22:15:00Z", "2026-11-24 03:00:00 +0545 in Asia/Kathmandu (2026-11-23 21:15:00 UTC)"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			review := recording(t, "job-by-sam")
			first := instant(t, tc.moments[0].at)
			w, a := standard(t, review, "reindex-*", v1alpha1.Recurrence{
				Cron: tc.cron, TimeZone: tc.zone, Duration: metav1.Duration{Duration: tc.duration}, ValidUntil: metav1.NewTime(first.AddDate(0, 2, 0)),
			}, first.AddDate(0, -1, 0))
			many := int32(100)
			w.Spec.MaxExecutionsPerOccurrence = &many
			s := serverOf(t, estateOf(nil), w, approvalOf(w, a))
			for _, m := range tc.moments {
				got := s.send(review, instant(t, m.at), nil)
				if want := nowhere + m.opens + thereafter; m.opens == "" && got != "" || m.opens != "" && got != want {
					t.Errorf("at %s: got %q, want %q: %s", m.at, got, m.opens, tc.reason)
				}
			}
		})
	}
}

// A Job of a CronJob must have been due in the window, and be created in it.
func TestRunsOfACronJob(t *testing.T) {
	const run = `jobs.batch "nightly-29922161" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments ` +
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs psql; window "nightly" does not permit it, since `
	for name, tc := range map[string]struct{ reason, due, at, want string }{
		"in time":                 {"the base of all cases", "2026-10-25T00:45:00Z", "2026-10-25T00:45:01Z", ""},
		"due before it opened":    {"the cronjob controller tries a refused run again for as long as it can", "2026-10-25T00:15:00Z", "2026-10-25T00:31:00Z", run + "this run was due at 2026-10-25 00:15:00 UTC, outside the window)"},
		"due in it, spawned late": {"a window is over when it is over", "2026-10-25T01:29:00Z", "2026-10-25T01:30:00Z", run + "it opens at 2026-10-26 01:30:00 GMT in Europe/London (2026-10-26 01:30:00 UTC))"},
		"due in the second 01:45": {"the window opened at the first 01:30, once", "2026-10-25T01:45:00Z", "2026-10-25T01:45:01Z", run + "it opens at 2026-10-26 01:30:00 GMT in Europe/London (2026-10-26 01:30:00 UTC))"},
	} {
		t.Run(name, func(t *testing.T) {
			review := recording(t, "run-by-the-cronjob-controller")
			at := instant(t, tc.at)
			w, a := standard(t, review, "nightly-*", v1alpha1.Recurrence{
				Cron: "30 1 * * *", TimeZone: "Europe/London", Duration: metav1.Duration{Duration: time.Hour}, ValidUntil: metav1.NewTime(at.AddDate(0, 2, 0)),
			}, at.AddDate(0, -1, 0))
			s := serverOf(t, estateOf(nil), w, approvalOf(w, a))
			got := s.send(review, at, func(meta map[string]any) {
				meta["annotations"].(map[string]any)["batch.kubernetes.io/cronjob-scheduled-timestamp"] = tc.due
			})
			if got != tc.want {
				t.Errorf("got  %q\nwant %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
