package ownrbac

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// rung are the messages that have arrived.
var rung struct { //nolint:gochecknoglobals // one receiver serves the tests of this package
	sync.Mutex
	all []string
}

// addressed starts a receiver of messages, which ends with the process, and writes its address into a Secret.
func addressed(ctx context.Context) error {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		rung.Lock()
		defer rung.Unlock()
		rung.all = append(rung.all, string(raw))
	}))
	return people.Admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: stage.Namespace, Name: "addresses"}, StringData: map[string]string{"hook": "generic+" + server.URL + "/"},
	})
}

// doesRing asks for a window, of which a message tells.
func doesRing(t *testing.T) func() bool {
	name := fresh("rung")
	w, err := fixture.Window(name, name, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := people.SRE.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		rung.Lock()
		defer rung.Unlock()
		for _, m := range rung.all {
			if strings.Contains(m, "payments/"+name) {
				return true
			}
		}
		return false
	}
}
