package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// A DenialID tells one denial from others, in eight hexadecimal digits. Equal requests that are denied for equal reasons have the same one, so that
// their Events are counted together.

// DenialID returns the id of a denial of a request with a message.
func DenialID(req *Request, message string) string {
	h := sha256.New()
	for _, part := range []string{string(req.Operation), req.Resource.String(), req.SubResource, req.Namespace, req.Name, req.User.Username, message} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// WithDenialID adds the id of a denial to its message.
func WithDenialID(message, id string) string { return message + " [denial " + id + "]" }

// denialMark is an id as it ends a message.
var denialMark = regexp.MustCompile(` ?\[denial ([0-9a-f]{8})\]`)

// DenialIDIn returns the id in the text of a denial, as somebody pastes it, and an empty text if it has none. It is the last that stands there: the
// reason before it may quote what anybody wrote, such as the comment of a rejection.
func DenialIDIn(text string) string {
	all := denialMark.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// WithoutDenialID takes the id out of a text, with what follows it.
func WithoutDenialID(text string) string {
	all := denialMark.FindAllStringIndex(text, -1)
	if len(all) == 0 {
		return text
	}
	return text[:all[len(all)-1][0]]
}
