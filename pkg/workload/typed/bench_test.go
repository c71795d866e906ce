package typed_test

import (
	"math"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/workload/typed"
)

// BenchmarkUnmarshal decodes a Deployment, and in the same run has Kubernetes' own decoder do it.
func BenchmarkUnmarshal(b *testing.B) {
	raw, err := os.ReadFile("testdata/deployment.json")
	if err != nil {
		b.Fatal(err)
	}
	for name, decode := range map[string]func(into any) error{
		"typed":      func(into any) error { _, err := typed.Unmarshal(raw, into, math.MaxInt); return err },
		"Kubernetes": func(into any) error { return kjson.UnmarshalCaseSensitivePreserveInts(raw, into) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				var d appsv1.Deployment
				if err := decode(&d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
