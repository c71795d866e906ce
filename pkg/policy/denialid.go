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

// ownDenial finds the id in a message, of which anything may stand before and after.
func ownDenial() *regexp.Regexp { return regexp.MustCompile(`\[denial ([0-9a-f]{8})\]`) }

// DenialIDIn returns the id in the text of a denial, as somebody pastes it, and an empty text if it has none.
func DenialIDIn(text string) string {
	if m := ownDenial().FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// WithoutDenialID takes the ids out of a text, such as to compare what denials say.
func WithoutDenialID(text string) string {
	return regexp.MustCompile(` `+ownDenial().String()).ReplaceAllString(text, "")
}
