package policy

import (
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// storageAcrossTiers objects to volumes that lead across: those of the other tier's claims, and those whose server,
// portal or handle is the other tier's.
func storageAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleStorageAcrossTiers, c.across(reference.Stores))
}
