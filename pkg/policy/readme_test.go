package policy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
)

// The list of tools is for people to read too.
func TestReadmeListsEveryTool(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(raw), "adds to this list:\n\n")
	if !ok {
		t.Fatal("README.md has no list of tools")
	}
	var want []string
	for _, tool := range tools.Names() {
		want = append(want, "`"+tool+"`")
	}
	if got := strings.TrimSpace(list); got != strings.Join(want, ", ") {
		t.Errorf("README.md lists\n%s\nwant\n%s", got, strings.Join(want, ", "))
	}
	for _, r := range policy.Rules() {
		if !strings.Contains(string(raw), "`"+string(r.Name())+"`") {
			t.Errorf("README.md does not describe %s", r.Name())
		}
	}
}
