package estate_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// A data store whose environment does not exist is an orphan once it is an hour old.
func TestOrphans(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	store := func(name, environment string, age time.Duration) v1alpha1.DataStore {
		return v1alpha1.DataStore{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(at.Add(-age))}, Spec: v1alpha1.DataStoreSpec{Environment: environment},
		}
	}
	e := estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction}}},
		DataStores: []v1alpha1.DataStore{
			store("a", "production", 2*time.Hour), store("b", "gone", 2*time.Hour), store("c", "gone", time.Hour), store("d", "gone", time.Hour-time.Second),
			{ObjectMeta: metav1.ObjectMeta{Name: "e"}, Spec: v1alpha1.DataStoreSpec{Environment: "undated"}},
		},
	})
	for environment, want := range map[string]int{"production": 0, "gone": 2, "undated": 1, "other": 0} {
		if got := e.CountOrphans(environment, at); got != want {
			t.Errorf("%d data stores of %q are orphans, want %d", got, environment, want)
		}
	}
}
