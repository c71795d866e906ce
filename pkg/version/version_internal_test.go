package version

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuild(t *testing.T) {
	for name, tc := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"a release":          {debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.2.0"}}, "v0.2.0, go1.26.8"},
		"a checkout":         {debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "9ff713e"}, {Key: "vcs.modified", Value: "false"}}}, "(devel), commit 9ff713e, go1.26.8"},
		"a changed checkout": {debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "9ff713e"}, {Key: "vcs.modified", Value: "true"}}}, "(devel), commit 9ff713e with changes, go1.26.8"},
		"nothing recorded":   {debug.BuildInfo{}, "(devel)"},
	} {
		if got := of(&tc.info).String(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestCommand(t *testing.T) {
	var out bytes.Buffer
	if err := Command(&out).Execute(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != Read().String()+"\n" || !strings.Contains(got, "go1.") {
		t.Errorf("it prints %q", got)
	}
}
