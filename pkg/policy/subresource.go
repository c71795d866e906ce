package policy

import (
	"fmt"
	"slices"
)

// UndecidedError says that a request cannot be judged although it was read. A caller that gets it for a request in Production denies the
// request.
type UndecidedError struct{ Why string }

func (e UndecidedError) Error() string { return e.Why }

// subresources lists the subresources of built-in kinds that the rules know. Those of custom resources are judged by the requester. An API
// server newer than this server may serve others, whose effect is not known here; in Production they are refused.
func subresources() []string {
	return []string{"", "status", "scale", "resize", "ephemeralcontainers", "exec", "attach", "portforward", "proxy",
		"binding", "eviction", "token", "finalize", "approval", "log"}
}

func (c *PreparedRequest) knownSubresource() error {
	if len(c.Production()) == 0 || !builtIn(c.req.Resource.Group) || slices.Contains(subresources(), c.req.SubResource) {
		return nil
	}
	return UndecidedError{fmt.Sprintf("the subresource %q is not known to this version of Firebreak, so it is refused in production; update Firebreak", c.req.SubResource)}
}
