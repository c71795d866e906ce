package estate

import (
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// credentials says which names open which data stores.
type credentials struct{ secrets, paths, roles globSet[Owner] }

func (e *Estate) addCredentials(c *v1alpha1.Credentials, o Owner) {
	if c == nil {
		return
	}
	for _, g := range c.Secrets {
		e.stores.credentials.secrets.add(g, o)
	}
	for _, p := range c.VaultPaths {
		e.stores.credentials.paths.add(v1alpha1.Glob(reference.StorePathTarget(p).Name), o)
	}
	for _, r := range c.RoleNames {
		e.stores.credentials.roles.add(v1alpha1.Glob(r), o)
	}
}

// Credential returns the data stores that a Secret, a path of a secret store or a cloud role opens: those whose glob is
// the most precise.
func (e *Estate) Credential(t reference.Target) []Owner {
	c := &e.stores.credentials
	switch t.Kind {
	case reference.Secret:
		return c.secrets.best(t.Name)
	case reference.StorePath:
		return c.paths.best(t.Name)
	case reference.Role:
		return c.roles.best(t.Name)
	default:
		return nil
	}
}

// OverlappingCredentials returns the data stores whose credentials a glob could name too. It looks at every entry: it is
// asked when a DataStore is written.
func (e *Estate) OverlappingCredentials(kind reference.Kind, glob string) []Owner {
	var set *globSet[Owner]
	switch kind {
	case reference.Secret:
		set = &e.stores.credentials.secrets
	case reference.StorePath:
		set, glob = &e.stores.credentials.paths, reference.StorePathTarget(glob).Name
	case reference.Role:
		set = &e.stores.credentials.roles
	default:
		return nil
	}
	var out []Owner
	set.all(func(g v1alpha1.Glob, o Owner) {
		if globsMeet(glob, string(g)) {
			out = append(out, o)
		}
	})
	return byName(out)
}

// precision is how many characters of a glob are literal; an exact name is more precise than any glob.
func precision(glob string) int {
	if !strings.ContainsAny(glob, "*?") {
		return 1 << 20
	}
	return len(glob) - strings.Count(glob, "*") - strings.Count(glob, "?")
}
