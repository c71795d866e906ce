package change_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func sha(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// runsImage returns the plan of a Job that runs an image, with an argument.
func runsImage(t *testing.T, image, arg string) *change.Plan {
	t.Helper()
	raw := fmt.Sprintf(`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":%q,"args":[%q]}]}}}}`, image, arg)
	w, err := workload.Of(schema.GroupKind{Group: "batch", Kind: "Job"}, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return change.PlanOf(w, func(string) (map[string][]byte, bool) { return nil, false })
}

func TestAnyOfTheListedImagesRuns(t *testing.T) {
	const repository = "registry.example.com:5000/tools/report"
	approved := runsImage(t, repository+":1@"+sha("a"), "--all")
	entry := v1alpha1.PlannedWorkload{
		Digest: approved.Digest, Fields: approved.Fields,
		Images: []v1alpha1.ImageDigests{{Repository: repository, Digests: []string{sha("a"), sha("b")}}},
	}
	for name, tc := range map[string]struct {
		reason, image, arg string
		entry              func(*v1alpha1.PlannedWorkload)
		differs            string
	}{
		"the approved one":         {reason: "it was seen", image: repository + ":1@" + sha("a"), arg: "--all"},
		"a listed one":             {reason: "it is as good", image: repository + "@" + sha("b"), arg: "--all"},
		"a listed one, by its tag": {reason: "the digest decides", image: repository + ":2@" + sha("b"), arg: "--all"},
		"another digest": {reason: "nobody listed it", image: repository + "@" + sha("c"), arg: "--all",
			differs: fmt.Sprintf(`containers["c"].image: approved %q, submitted %q`, repository+":1@"+sha("a"), repository+"@"+sha("c"))},
		"another repository": {reason: "the same digest elsewhere is another image", image: "registry.example.com/tools/report@" + sha("b"), arg: "--all",
			differs: fmt.Sprintf(`containers["c"].image: approved %q, submitted %q`, repository+":1@"+sha("a"), "registry.example.com/tools/report@"+sha("b"))},
		"another argument": {reason: "the list is of images", image: repository + "@" + sha("b"), arg: "--none",
			differs: `containers["c"].args: approved ["--all"], submitted ["--none"]`},
		"without a list": {reason: "then one image was approved", image: repository + "@" + sha("b"), arg: "--all", entry: func(e *v1alpha1.PlannedWorkload) { e.Images = nil },
			differs: fmt.Sprintf(`containers["c"].image: approved %q, submitted %q`, repository+":1@"+sha("a"), repository+"@"+sha("b"))},
		"a list without the approved one": {reason: "it does not say in whose place they run", image: repository + "@" + sha("b"), arg: "--all",
			entry:   func(e *v1alpha1.PlannedWorkload) { e.Images[0].Digests = []string{sha("b")} },
			differs: fmt.Sprintf(`containers["c"].image: approved %q, submitted %q`, repository+":1@"+sha("a"), repository+"@"+sha("b"))},
	} {
		t.Run(name, func(t *testing.T) {
			e := entry.DeepCopy()
			if tc.entry != nil {
				tc.entry(e)
			}
			var got []string
			for _, d := range change.Differences(e, runsImage(t, tc.image, tc.arg)) {
				got = append(got, d.String())
			}
			if strings.Join(got, "; ") != tc.differs {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.differs)
			}
		})
	}
}

func TestImageName(t *testing.T) {
	for image, want := range map[string]string{
		"nginx@" + sha("a"):                      "nginx " + sha("a") + " true",
		"nginx:1@" + sha("a"):                    "nginx " + sha("a") + " true",
		"localhost:5000/nginx@" + sha("a"):       "localhost:5000/nginx " + sha("a") + " true",
		"localhost:5000/nginx:1@" + sha("a"):     "localhost:5000/nginx " + sha("a") + " true",
		"nginx:1":                                "  false",
		"nginx@sha512:" + strings.Repeat("a", 9): "  false",
		"":                                       "  false",
	} {
		repository, digest, ok := change.ImageName(image)
		if got := fmt.Sprintf("%s %s %t", repository, digest, ok); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}
