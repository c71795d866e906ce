package scheme

import (
	"errors"
	"fmt"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// New returns the scheme. It fails if two kinds claim one name.
func New() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s), openreports.Install(s)); err != nil {
		return nil, fmt.Errorf("build the scheme: %w", err)
	}
	return s, nil
}
