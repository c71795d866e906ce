package seethrough

import (
	"strings"
	"testing"
)

// The boundary is not sealed while nobody could approve a change of it.
func TestSealNeedsApprovers(t *testing.T) {
	kubectl(t, "delete", "clusterrolebinding", "approvers") // this is the last test of the package
	out, code := plugin(t, "admin", "init", "--seal")
	const want = `Error: nothing is sealed, since no change of the boundary could be approved afterwards: nobody holds the verb approve on changewindows in namespace "firebreak-system"; bind the ClusterRole firebreak-approve to a group of persons there` + "\n"
	if code != 2 || out != want {
		t.Errorf("exit %d:\n%s\nwant\n%s", code, out, want)
	}
	if out, code := plugin(t, doc, "doctor"); code != 1 || !strings.Contains(out, "bad     approvers: nobody holds the verb approve on changewindows in namespace \"firebreak-system\"") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
