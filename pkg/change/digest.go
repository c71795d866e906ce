package change

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// DigestVersion is the algorithm of the digests of windows and specs, and the first one of those of plans.
const DigestVersion = "v1"

// WindowDigest returns the digest of a window's canonical spec: what an approver saw, including the stamp of its requester.
// Omitted fields do not count, so a field that is later added to the API voids no approval.
func WindowDigest(spec *v1alpha1.ChangeWindowSpec) string {
	raw, err := json.Marshal(spec)
	if err != nil {
		// Plain data always marshals. If it ever did not, the digest would match no approval.
		return ""
	}
	return digest(raw)
}

func digest(raw []byte) string { return digestBy(DigestVersion, raw) }

func digestBy(version string, raw []byte) string {
	sum := sha256.Sum256(raw)
	return fmt.Sprintf("%s:sha256:%s", version, hex.EncodeToString(sum[:]))
}
