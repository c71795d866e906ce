package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
)

// storageFaults are faults of the API server and of etcd.
func storageFaults() []fault {
	return []fault{
		{name: "API server killed and restarted", short: true, expect: fails, lasts: 2 * time.Second, inject: func(x *scene) error { return x.RestartAPIServer(x.t.Context()) }},
		{name: "API server gone for 12 s", expect: fails, lasts: 12 * time.Second, inject: kill(controlplane.APIServer), heal: revive},
		{name: "etcd killed and restarted", expect: mayFail, lasts: 4 * time.Second, inject: func(x *scene) error { return x.RestartEtcd() }},
		{name: "etcd gone for 12 s", expect: fails, lasts: 12 * time.Second, inject: kill(controlplane.Etcd), heal: revive},
		{name: "etcd out of space", expect: fails, lasts: 6 * time.Second, inject: fill, heal: space},
		{name: "controller manager and scheduler killed", expect: seamless, lasts: 3 * time.Second, inject: kill("kube-controller-manager", "kube-scheduler"), heal: revive},
		{name: "all processes killed, and started again with the same data", expect: fails, lasts: 5 * time.Second, inject: blackout, heal: revive},
	}
}

func kill(names ...string) func(*scene) error {
	return func(x *scene) error { return x.Kill(names...) }
}

// revive starts again what was killed.
func revive(x *scene) error {
	ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Minute)
	defer cancel()
	return x.Revive(ctx)
}

// blackout is a loss of power: every component ends, and so does every replica. The kubelet starts those again by itself.
func blackout(x *scene) error {
	pods, err := x.pods()
	if err != nil {
		return err
	}
	if err := x.Kill(); err != nil {
		return err
	}
	for _, name := range pods {
		if err := x.Pods.Kill(name); err != nil {
			return err
		}
	}
	return nil
}

// fill gives etcd a quota that it has exceeded already, so that the next write raises the alarm.
func fill(x *scene) error { return x.RestartEtcd("--quota-backend-bytes=65536") }

// space gives etcd its quota back and takes the alarm away, as an operator would.
func space(x *scene) error {
	if err := x.RestartEtcd(); err != nil {
		return err
	}
	if err := revive(x); err != nil {
		return err
	}
	var list struct {
		Alarms []struct {
			MemberID, Alarm string
		}
	}
	if err := etcd(x, "/v3/maintenance/alarm", `{"action":"GET"}`, &list); err != nil {
		return err
	}
	if len(list.Alarms) == 0 {
		return fmt.Errorf("etcd raised no alarm: %w", errNotYet)
	}
	for _, a := range list.Alarms {
		if err := etcd(x, "/v3/maintenance/alarm", fmt.Sprintf(`{"action":"DEACTIVATE","memberID":%q,"alarm":%q}`, a.MemberID, a.Alarm), &list); err != nil {
			return err
		}
	}
	return nil
}

// etcd calls etcd's own API.
func etcd(x *scene, path, body string, into any) error {
	request, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, x.EtcdURL()+path, bytes.NewBufferString(body))
	if err != nil {
		return fmt.Errorf("ask etcd: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask etcd: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s at %s: %s %w", response.Status, path, text, err)
	}
	return json.Unmarshal(text, into)
}
