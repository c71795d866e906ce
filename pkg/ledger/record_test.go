package ledger_test

import (
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
)

// A repeat of a request makes no second record; of denied attempts at one object, one a person and an hour is kept.
func TestRecords(t *testing.T) {
	hour := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	lifted := v1alpha1.ChangeRecordSpec{
		Act: v1alpha1.ActDeleted, Requester: v1alpha1.Stamp{Username: "sam"}, Message: "lifted it",
		Object: v1alpha1.ExecutedObject{Kind: "ChangeFreeze", Name: "stop", UID: "f-1"},
	}
	again, other, denied, elsewhere := lifted, lifted, lifted, lifted
	other.Object.UID, denied.Act, elsewhere.Act, elsewhere.Object.Name = "f-2", v1alpha1.ActDenied, v1alpha1.ActDenied, "other"
	for name, tc := range map[string]struct {
		reason string
		specs  []v1alpha1.ChangeRecordSpec
		asked  []string
		after  time.Duration
		want   int
	}{
		"a repeat":                 {"the API server sends a request again", []v1alpha1.ChangeRecordSpec{lifted, again}, []string{"a", "a"}, 0, 1},
		"another request":          {"it does something else", []v1alpha1.ChangeRecordSpec{lifted, again}, []string{"a", "b"}, 0, 2},
		"another of the same name": {"it is another object", []v1alpha1.ChangeRecordSpec{lifted, other}, []string{"a", "a"}, 0, 2},
		"an attempt again":         {"a script tries all night", []v1alpha1.ChangeRecordSpec{denied, denied}, []string{"a", "b"}, time.Minute, 1},
		"an attempt an hour later": {"it is not forgotten", []v1alpha1.ChangeRecordSpec{denied, denied}, []string{"a", "b"}, time.Hour, 2},
		"an attempt elsewhere":     {"it is another attempt", []v1alpha1.ChangeRecordSpec{denied, elsewhere}, []string{"a", "a"}, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := opened()
			for i := range tc.specs {
				if err := l.Write(t.Context(), &tc.specs[i], tc.asked[i], hour.Add(time.Duration(i)*tc.after)); err != nil {
					t.Fatal(err)
				}
			}
			if got := len(apistore.All[v1alpha1.ChangeRecord](s, home)); got != tc.want {
				t.Errorf("%d records, want %d: %s", got, tc.want, tc.reason)
			}
		})
	}
	s, l := opened()
	s.Set(apistore.Unwritten)
	if err := l.Write(t.Context(), &lifted, "a", hour); err == nil || err.Error() != `keep the record "lifted it": connection reset by peer` {
		t.Errorf("%v", err)
	}
}
