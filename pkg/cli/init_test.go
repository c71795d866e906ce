package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	compiled "github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
)

// profile reads the production environment of a profile, as init prints it.
func profile(t *testing.T, name string) *v1alpha1.Environment {
	t.Helper()
	out, code := run(t, "", "init", "--profile", name)
	if code != 0 || !strings.HasPrefix(out, "# "+name+": ") {
		t.Fatalf("init --profile %s exits with %d: %s", name, code, out)
	}
	of, err := os.ReadFile(filepath.Join("..", "..", "charts", "firebreak", "profiles", name+".yaml"))
	if err != nil || string(of) != out {
		t.Errorf("the chart's profile %s is not what init prints: run make generate (%v)", name, err)
	}
	var values struct {
		Environments map[string]v1alpha1.EnvironmentSpec `json:"environments"`
		Webhook      map[string]any                      `json:"webhook"`
	}
	if err := yaml.UnmarshalStrict([]byte(out), &values); err != nil {
		t.Fatal(err)
	}
	e := &v1alpha1.Environment{Spec: values.Environments["production"]}
	e.Name = "production"
	return e
}

// A cluster that begins with one profile may go on to the next without a window, but not back.
func TestProfilesBecomeStricter(t *testing.T) {
	none := compiled.Compile(compiled.Input{})
	names := []string{"observe", "standard", "strict"}
	for i, name := range names[1:] {
		before, after := profile(t, names[i]), profile(t, name)
		if why := boundary.WeakensEnvironment(before, after, none, time.Now()); len(why) > 0 {
			t.Errorf("from %s to %s it weakens: %s", names[i], name, strings.Join(why, "; "))
		}
		if why := boundary.WeakensEnvironment(after, before, none, time.Now()); len(why) == 0 {
			t.Errorf("from %s back to %s nothing weakens", name, names[i])
		}
	}
}

func TestInitSaysWhatThereIs(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no such profile": {[]string{"--profile", "lax"}, "--profile lax: there are observe, standard, strict"},
		"nothing":         {nil, "say --profile observe|standard|strict, or --seal"},
		"both":            {[]string{"--profile", "strict", "--seal"}, "if any flags in the group [profile seal] are set none of the others can be"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, code := run(t, "", append([]string{"init"}, tc.args...)...); code != 2 || !strings.Contains(out, tc.want) {
				t.Errorf("exit %d: %s, want %q", code, out, tc.want)
			}
		})
	}
}
