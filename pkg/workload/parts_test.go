package workload_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func TestCountParts(t *testing.T) {
	for sentence, tc := range map[string]struct {
		text string
		want int
	}{
		"an object in no list":                  {`{"spec":{"containers":{}}}`, 0},
		"objects in a list":                     {`{"env":[{},{}, {"a":{"b":1}}]}`, 3},
		"containers":                            {`{"containers":[{}],"initContainers":[{}],"ephemeralContainers":[{}]}`, 24},
		"a list behind containers":              {`{"containers":[{}],"volumes":[{}]}`, 9},
		"a list in a container":                 {`{"containers":[{"env":[{},{}]},{}]}`, 18},
		"in another case":                       {`{"CONTAINERS" : [{}]}`, 8},
		"in escapes":                            {`{"\u0063ontainers":[{}]}`, 8},
		"brackets in a text":                    {`{"a":"[{\"containers\":[{}]}]","b":[{}]}`, 1},
		"a text that ends with an escape":       {`{"a":"[{\\","b":[{}]}`, 1},
		"no JSON":                               {`]]}}[{"`, 1},
		"a text without an end":                 {`{"a":[{},{},"\`, 2},
		"a list as a value of another's":        {`{"containers":"x","a":[{}]}`, 1},
		"lists in a list called containers":     {`{"containers":[[{}]]}`, 1},
		"an escape at the end of a long key":    {`{"` + strings.Repeat("a", 159) + `\n":[{}]}`, 8},
		"an escape behind the end of one":       {`{"` + strings.Repeat("a", 160) + `\n":[{}]}`, 1},
		"a key that is longer than any of ours": {`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":[{}]}`, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := workload.CountParts([]byte(tc.text)); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

// A status that a controller writes runs nothing, nor does anything in the metadata.
func TestStatusRunsNothing(t *testing.T) {
	template := map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "a", "image": "b:1"}}}}}
	for _, key := range []string{"status", "metadata"} {
		if got := workload.Embedded(map[string]any{key: template}, budget.New()); len(got) != 0 {
			t.Errorf("in the %s %d templates are found", key, len(got))
		}
	}
	if got := workload.Embedded(map[string]any{"spec": template}, budget.New()); len(got) != 1 {
		t.Errorf("in the spec %d templates are found, want 1", len(got))
	}
}
