package seethrough

import "testing"

// What somebody lacks is said with the role that gives it.
func TestTheRoleIsNamed(t *testing.T) {
	out, code := plugin(t, nobody, "check", "-f", write(t, across))
	if contains(t, out, "the ClusterRoles firebreak-estate-view and view let you, or give the estate with --with"); code != 2 {
		t.Errorf("exit %d:\n%s", code, out)
	}
	out, code = plugin(t, nobody, "audit")
	if contains(t, out, "the ClusterRole firebreak-doctor lets you, or give the estate with --with"); code != 2 {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if out, code := plugin(t, checks, "check", "-f", write(t, across)); code != 1 {
		t.Errorf("exit %d, want 1, by the roles that are named:\n%s", code, out)
	}
	out, code = plugin(t, doc, "audit")
	if contains(t, out, " judged: "); code == 2 {
		t.Errorf("exit %d, and the role that is named does not let audit see all of it:\n%s", code, out)
	}
}
