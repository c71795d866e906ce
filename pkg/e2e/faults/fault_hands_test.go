package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// handFaults are what an administrator does to Firebreak, who may do all that the API server lets them.
func handFaults() []fault {
	return []fault{
		{name: "an administrator deletes the CRDs", expect: seamless, inject: refusedTo("delete", "crd", "environments.firebreak.dev", "datastores.firebreak.dev", "exemptions.firebreak.dev",
			"changewindows.firebreak.dev", "changeapprovals.firebreak.dev", "changeexecutions.firebreak.dev", "changefreezes.firebreak.dev", "changerecords.firebreak.dev")},
		{name: "an administrator deletes Firebreak's namespace", expect: seamless, inject: refusedTo("delete", "namespace", stage.Namespace)},
		{name: "the same while no replica answers", expect: fails, inject: func(x *scene) error {
			if err := scale(0)(x); err != nil {
				return err
			}
			if err := x.deployment("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=firebreak", "--timeout=60s"); err != nil {
				return err
			}
			return refusedTo("delete", "namespace", stage.Namespace)(x)
		}, heal: scale(replicas)},
		{name: "Firebreak's namespace and CRDs are gone", missing: "whoever deletes them must take the registrations away first, and with the namespace there is no Firebreak. That it holds to what was declared while it runs, and after a restart, is tested in pkg/e2e/vanish"},
	}
}

// refusedTo does something that is refused: were it done, nothing would be guarded any more.
func refusedTo(args ...string) func(*scene) error {
	return func(x *scene) error {
		err := x.admins(append(args, "--wait=false")...)
		if err == nil {
			return fmt.Errorf("kubectl %s was admitted", strings.Join(args, " "))
		}
		if !strings.Contains(err.Error(), "denied the request") && !strings.Contains(err.Error(), "failed calling webhook") {
			return fmt.Errorf("it was refused, and not by Firebreak: %w", err)
		}
		return nil
	}
}

// zeroFaults are what happens to every cluster, and what nobody may notice: none of so many requests fails.
func zeroFaults() []fault {
	n := *requests
	if !full() {
		n = 150
	}
	return []fault{
		{name: fmt.Sprintf("none of %d requests fails in a rolling restart", n), short: true, expect: seamless, requests: n, inject: func(x *scene) error {
			if err := x.deployment("rollout", "restart", "deployment/firebreak"); err != nil {
				return err
			}
			return x.deployment("rollout", "status", "deployment/firebreak", "--timeout=120s")
		}},
		{name: fmt.Sprintf("none of %d requests fails in a certificate rotation", n), expect: seamless, requests: n, inject: func(x *scene) error {
			if err := certify(24 * time.Hour)(x); err != nil {
				return err
			}
			return renewed(x)
		}},
		{name: fmt.Sprintf("none of %d requests fails in a change of the leading replica", n), expect: seamless, requests: n, inject: func(x *scene) error {
			leader, err := x.leader()
			if err != nil {
				return err
			}
			if err := x.deployment("delete", "pod", leader, "--timeout=120s"); err != nil {
				return err
			}
			return led(x)
		}},
	}
}
