package falsepositives

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	// writers are the goroutines that write at once, like many operators in a busy cluster.
	writers = 8
	// lives is how many objects are created, changed and deleted in each half.
	lives = 400
)

// BenchmarkOperatorsReplayed measures what it costs a cluster that every write is sent to Firebreak. It creates, changes and
// deletes objects like those that operators were recorded to write, between the leases that their senders renew and the events that
// they write, first with Firebreak and then without. It ends with Firebreak uninstalled. One round is enough: each half is
// thousands of writes.
//
// Deployments (GitOps, restores) are measured separately: for their changes, the webhook reads from the API server whether a freeze
// holds.
func BenchmarkOperatorsReplayed(b *testing.B) {
	routine, deploys := recordedObjects(b)
	before := firebreak(b)
	with := play(b, routine)
	after := firebreak(b)
	deployed := play(b, deploys)
	if _, err := the.Helm(b.Context(), "uninstall", "firebreak", "-n", stage.Namespace, "--wait"); err != nil {
		b.Fatal(err)
	}
	without, deployedWithout := play(b, routine), play(b, deploys)
	b.ReportMetric(with.perSecond(), "writes/s")
	b.ReportMetric(without.perSecond(), "writes/s-without")
	b.ReportMetric(without.perSecond()/with.perSecond(), "ratio")
	b.ReportMetric((after.reviews-before.reviews)/float64(with.writes), "reviews/write")
	b.ReportMetric((after.cpu-before.cpu)*1e6/float64(with.writes), "cpu-us/write")
	b.ReportMetric(deployed.perSecond(), "deploys/s")
	b.ReportMetric(deployedWithout.perSecond(), "deploys/s-without")
	b.ReportMetric(0, "ns/op")
}

type played struct {
	writes int64
	took   time.Duration
}

func (p played) perSecond() float64 { return float64(p.writes) / p.took.Seconds() }

type recordedObject struct {
	as, collection string
	object         map[string]any
}

// recordedObjects returns the objects whose creation was recorded, without those that make Pods: these were always sent.
func recordedObjects(b *testing.B) (routine, deploys []recordedObject) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "requests", "*.yaml"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		var r recording
		if err := yaml.Unmarshal(raw, &r); err != nil {
			b.Fatalf("%s: %v", file, err)
		}
		group := &routine
		if strings.HasPrefix(r.As, "flux-system/") || strings.HasPrefix(r.As, "argocd/") || strings.HasPrefix(r.As, "velero/") {
			group = &deploys
		}
		for _, q := range r.Requests {
			if collection, ok := replayed(q); ok {
				*group = append(*group, recordedObject{r.As, strings.ReplaceAll(collection, "NAMESPACE", r.Rounds[0].Namespace), q.Body})
			}
		}
	}
	return routine, deploys
}

// replayed returns the collection in which a request creates an object, and false if the object makes Pods or cannot be created
// again.
func replayed(q request) (collection string, ok bool) {
	collection, made := strings.CutPrefix(q.Send, "POST ")
	if !made || !strings.Contains(collection, "/namespaces/NAMESPACE/") || strings.Contains(fmt.Sprint(q.Body), "UID(") {
		return "", false
	}
	if strings.HasPrefix(collection, "/apis/apps/") || strings.HasPrefix(collection, "/apis/batch/") {
		return "", false
	}
	return collection, !slices.Contains([]string{"pods", "eviction", "events"}, filepath.Base(collection))
}

// measured holds the metrics of Firebreak.
type measured struct{ reviews, cpu float64 }

func firebreak(b *testing.B) measured {
	b.Helper()
	text, err := the.Metrics(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var out measured
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.ParseFloat(value[strings.LastIndex(value, " ")+1:], 64)
		switch {
		case strings.HasPrefix(name, "process_cpu_seconds_total"):
			out.cpu += n
		case strings.HasPrefix(name, "firebreak_admission_requests_total"):
			out.reviews += n
		}
	}
	return out
}

var names atomic.Int64 //nolint:gochecknoglobals // names that were not used before

// play lets every writer create objects in turn.
func play(b *testing.B, objects []recordedObject) played {
	b.Helper()
	var writes atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for w := range writers {
		all.Go(func() {
			p := &player{b: b, writes: &writes, lease: fmt.Sprintf("writer-%d-%d", w, names.Add(1))}
			for i := w; i < lives; i += writers {
				p.live(objects[i%len(objects)])
			}
		})
	}
	all.Wait()
	return played{writes.Load(), time.Since(start)}
}

// player is one operator at work.
type player struct {
	b       *testing.B
	writes  *atomic.Int64
	lease   string
	renewed bool
}

const (
	plain = "application/json"
	merge = "application/merge-patch+json"
)

// live creates an object, changes it, writes its status, and deletes it.
func (p *player) live(o recordedObject) {
	name := fmt.Sprintf("replayed-%d", names.Add(1))
	o.object = copied(p.b, o.object)
	meta, _ := o.object["metadata"].(map[string]any)
	delete(meta, "generateName")
	delete(meta, "ownerReferences") // the owner does not exist, so the garbage collector would delete the object
	meta["name"] = name
	delete(o.object, "status")
	cfg, one := machines[o.as], o.collection+"/"+name
	namespace := strings.Split(o.collection, "/namespaces/")[1]
	namespace, _, _ = strings.Cut(namespace, "/")
	p.send(cfg, http.MethodPost, o.collection, plain, o.object)
	p.event(cfg, namespace, name)
	p.renew()
	p.send(cfg, http.MethodPatch, one, merge, map[string]any{"metadata": map[string]any{"annotations": map[string]any{"operator/observed": name}}})
	p.renew()
	p.send(cfg, http.MethodPatch, one, merge, map[string]any{"metadata": map[string]any{"labels": map[string]any{"operator/ready": "true"}}})
	p.send(cfg, http.MethodDelete, one, plain, nil)
}

func copied(b *testing.B, o map[string]any) map[string]any {
	raw, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		b.Fatal(err)
	}
	return out
}

func (p *player) event(cfg *rest.Config, namespace, name string) {
	p.send(cfg, http.MethodPost, "/api/v1/namespaces/"+namespace+"/events", plain, map[string]any{
		"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"name": name}, "reason": "Reconciled", "message": "it is as it should be", "type": "Normal",
		"involvedObject": map[string]any{"kind": "ConfigMap", "name": name, "namespace": namespace},
	})
}

// renew renews the lease by which the sender leads, in its own namespace.
func (p *player) renew() {
	const leases = "/apis/coordination.k8s.io/v1/namespaces/ingress-nginx/leases"
	if !p.renewed {
		p.send(machines["ingress-nginx/ingress-nginx"], http.MethodPost, leases, plain, map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": p.lease}, "spec": map[string]any{}})
		p.renewed = true
	}
	p.send(machines["ingress-nginx/ingress-nginx"], http.MethodPatch, leases+"/"+p.lease, merge, map[string]any{"spec": map[string]any{"holderIdentity": fmt.Sprint(names.Add(1))}})
}

// send sends one write, which must be admitted.
func (p *player) send(cfg *rest.Config, verb, path, contentType string, body map[string]any) {
	call := caller(p.b, cfg).Verb(verb).AbsPath(path)
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			p.b.Error(err)
			return
		}
		call = call.SetHeader("Content-Type", contentType).Body(raw)
	}
	if err := call.Do(context.Background()).Error(); err != nil {
		p.b.Errorf("%s %s: %v", verb, path, err)
	}
	p.writes.Add(1)
}

var clients sync.Map //nolint:gochecknoglobals // one connection for each machine, as each has

func caller(b *testing.B, cfg *rest.Config) *rest.RESTClient {
	if c, ok := clients.Load(cfg); ok {
		return c.(*rest.RESTClient)
	}
	fast := rest.CopyConfig(cfg)
	fast.QPS = -1
	c := rawClient(b, fast, &ears{})
	clients.Store(cfg, c)
	return c
}
