package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// What the flags ask for, and the sentence that the person reads.
func TestWhenAWindowIsOpen(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	e := &env{clock: func() time.Time { return now }}
	for name, tc := range map[string]struct {
		reason     string
		asked      when
		says, fail string
		kind       v1alpha1.WindowType
	}{
		"once":           {"from an instant on", when{start: "+30m", duration: time.Hour}, "It opens at 2026-11-28 12:30:00 UTC and closes at 2026-11-28 13:30:00 UTC.", "", v1alpha1.WindowNormal},
		"every Saturday": {"in the zone in which it was written", when{cron: "0 2 * * 6", timeZone: "Europe/London", validUntil: "+4000h", duration: 2 * time.Hour}, `It opens by "0 2 * * 6" in Europe/London, each time for 2h, until 2027-05-14 04:00:00 UTC; the next time at 2026-12-05 02:00:00 UTC.`, "", v1alpha1.WindowStandard},
		"never":          {"a schedule that never fires is a mistake", when{cron: "0 0 30 2 *", timeZone: "UTC", validUntil: "+4000h", duration: time.Hour}, "", `--cron: 0 0 30 2 *: never fires`, ""},
		"in no zone":     {"a bad zone is never read as UTC", when{cron: "0 0 * * *", timeZone: "Nowhere/Land", validUntil: "+4000h", duration: time.Hour}, "", "", ""},
		"no instant":     {"which flag it was is said", when{start: "tomorrow"}, "", `--start: parsing time "tomorrow" as "2006-01-02T15:04:05Z07:00": cannot parse "tomorrow" as "2006"; give RFC 3339, now, or +DURATION`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var spec v1alpha1.ChangeWindowSpec
			_, err := tc.asked.set(&spec, e)
			if tc.says == "" {
				if err == nil || tc.fail != "" && err.Error() != tc.fail {
					t.Errorf("%s: got %v, want %q", tc.reason, err, tc.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.says, describe(&spec.Schedule, now)); diff != "" || spec.Type != tc.kind {
				t.Errorf("%s, type %s (-want +got):\n%s", tc.reason, spec.Type, diff)
			}
		})
	}
}
