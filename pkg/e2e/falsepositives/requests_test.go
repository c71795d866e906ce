package falsepositives

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// recording holds the requests of a machine, in order.
type recording struct {
	// As is its service account, namespace/name.
	As string `json:"as"`
	// Rounds are the namespaces of production in which the recording is played.
	Rounds []struct {
		Namespace string `json:"namespace"`
		// Freeze is the environment that is frozen meanwhile. If empty, none is.
		Freeze string `json:"freeze,omitempty"`
	} `json:"rounds"`
	// Before are requests that a person sends first.
	Before   []request `json:"before,omitempty"`
	Requests []request `json:"requests"`
}

// TestWhatOperatorsSend shows that the requests of testdata/requests are admitted without a warning.
func TestWhatOperatorsSend(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "requests", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := yaml.UnmarshalStrict(raw, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, round := range r.Rounds {
			t.Run(filepath.Base(file)+" in "+round.Namespace, func(t *testing.T) {
				t.Parallel()
				unobjected(t, round.Namespace, `"name":"frozen"`, `"rules":"BlastRadius=Warn"`, `"rules":"IdentityOutsideEnvironment=Warn"`)
				for _, q := range r.Before {
					q.passes(t, sam(), round.Namespace)
				}
				if round.Freeze != "" {
					freeze(t, round.Freeze, round.Namespace)
				}
				for _, q := range r.Requests {
					as := r.As
					if q.As != "" {
						as = q.As
					}
					t.Run(q.Name, func(t *testing.T) { q.passes(t, machines[as], round.Namespace) })
				}
			})
		}
	}
}

func (r request) passes(t *testing.T, cfg *rest.Config, namespace string) {
	t.Helper()
	warnings, err := r.send(t, cfg, namespace)
	if err != nil {
		t.Errorf("%s is refused although %s: %v", r.Name, r.Reason, err)
	}
	if !slices.Equal(warnings, r.Warns) {
		t.Errorf("%s, and %s; it is told %q, want %q", r.Name, r.Reason, warnings, r.Warns)
	}
}
