package controlplane

import (
	"io"
)

// User is a person or automation that the API server knows by a bearer token.
type User struct {
	// Name is the username, as admission sees it.
	Name string
	// UID is the user's UID. If empty, the API server reports none.
	UID string
	// Groups are the groups that the user belongs to. Their names must have no comma. The API server adds system:authenticated.
	Groups []string
}

// Options shape a control plane. The zero value is a plain cluster without token users.
type Options struct {
	// Users are put in the API server's static token file, each with a random token.
	Users []User
	// Log receives every component's output, each line after the component's name. If nil, the output is only in Dir()/logs.
	Log io.Writer
	// KeepDir leaves the scratch folder behind on Stop, for a look at logs and certificates.
	KeepDir bool
	// APIServerArgs are added to the API server's own; of a repeated flag the last one counts.
	APIServerArgs []string
}
