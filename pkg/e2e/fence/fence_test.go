package fence

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds
var the *stage.Stage

func TestMain(m *testing.M) {
	os.Exit(fixture.On(m, stage.Options{Replicas: 1, Values: []string{"fence.mode=always"}}, &the, away))
}

// away waits for the fence, and then takes Firebreak and its registrations away.
func away(ctx context.Context) error {
	if err := the.Populate(ctx); err != nil {
		return err
	}
	admin := func(args ...string) (string, error) { return the.Kubectl(ctx, the.AdminConfig(), args...) }
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, err := admin("get", "configmap", "firebreak-fence-hosts-0", "-n", stage.Namespace, "-o", "jsonpath={.data}")
		if err == nil && strings.Contains(out, "host.orders.prod.db.example.com") && strings.Contains(out, "ns.payments") {
			if out, err := admin("get", "validatingadmissionpolicybinding", "firebreak-fence-hosts-0", "firebreak-fence-members", "firebreak-fence-jobs"); err == nil {
				break
			} else if time.Now().After(deadline) {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the fence does not know the estate: %w: %s", err, out)
		}
	}
	if _, err := admin("scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=0"); err != nil {
		return err
	}
	if err := the.Pods.WaitReady(ctx, 0); err != nil {
		return err
	}
	_, err := admin("delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "firebreak")
	return err
}

const (
	pod     = `{restartPolicy: Never, containers: [{name: a, image: a, %s}]}`
	refused = `Firebreak's fence refuses this: it names orders.prod.db.example.com, which is production's, and namespace dev is not; use what belongs to its own environment, and ask those who run Firebreak why it is away`
)

func create(t *testing.T, as *rest.Config, manifest string) (string, error) {
	t.Helper()
	return the.KubectlWith(t.Context(), as, manifest, "create", "-f", "-")
}

// What names production is refused where it runs elsewhere, wherever its name stands, and nothing else is.
func TestNamesOfProduction(t *testing.T) {
	const host = "orders.prod.db.example.com"
	job := func(name, container string) string {
		return fmt.Sprintf(`{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: dev}, spec: {template: {spec: %s}}}`, name, fmt.Sprintf(pod, container))
	}
	config := func(name, text string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: dev}, data: {a.conf: %q}}`, name, text)
	}
	for name, tc := range map[string]struct{ manifest, want string }{
		"an environment variable":   {job("env", `env: [{name: DB, value: "postgres://u@`+host+`:5432/o"}]`), refused},
		"in capitals":               {job("capitals", `env: [{name: DB, value: "`+strings.ToUpper(host)+`"}]`), refused},
		"an argument":               {job("arg", `args: ["--host=`+host+`"]`), refused},
		"a command":                 {job("command", `command: [sh, -c, "psql -h `+host+` -c 'drop table orders'"]`), refused},
		"a file":                    {config("file", "[db]\nhost = "+host+"\n"), refused},
		"a CronJob":                 {fmt.Sprintf(`{apiVersion: batch/v1, kind: CronJob, metadata: {name: cron, namespace: dev}, spec: {schedule: "0 0 * * *", jobTemplate: {spec: {template: {spec: %s}}}}}`, fmt.Sprintf(pod, `args: ["`+host+`"]`)), refused},
		"a Deployment":              {`{apiVersion: apps/v1, kind: Deployment, metadata: {name: dep, namespace: dev}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {initContainers: [{name: i, image: i, args: ["` + host + `"]}], containers: [{name: a, image: a}]}}}}`, refused},
		"a Pod":                     {`{apiVersion: v1, kind: Pod, metadata: {name: pod, namespace: dev}, spec: ` + fmt.Sprintf(pod, `args: ["`+host+`"]`) + `}`, refused},
		"a Service of production":   {job("service", `args: ["http://shop.payments.svc.cluster.local:80"]`), "it names shop.payments.svc.cluster.local, which is production's"},
		"a comment":                 {config("comment", "# not "+host+"\n; nor "+host+"\nhost = mine\n"), ""},
		"what is not to be reached": {job("no-proxy", `env: [{name: NO_PROXY, value: "`+host+`"}]`), ""},
		"part of another name":      {config("longer", "host = my-"+host+".example.org and "+host+".example.org"), ""},
		"its own store":             {job("own", `args: ["--host=orders.dev.db.example.com"]`), ""},
		"production in production":  {strings.Replace(job("inside", `args: ["--host=`+host+`"]`), "namespace: dev", "namespace: payments", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			as := the.UserConfig(stage.Developer)
			if strings.Contains(tc.manifest, "namespace: payments") {
				as = the.UserConfig(stage.SRE)
			}
			out, err := create(t, as, tc.manifest)
			if (err != nil) != (tc.want != "") || !strings.Contains(out, tc.want) {
				t.Errorf("%v %s, want %q", err, out, tc.want)
			}
		})
	}
}

// What ran before goes on: an update is refused only for what it adds.
func TestWhatStoodBeforeStays(t *testing.T) {
	sa, err := the.ServiceAccountConfig(t.Context(), stage.Namespace, "firebreak")
	if err != nil {
		t.Fatal(err)
	}
	known := func(patch string) {
		t.Helper()
		if out, err := the.Kubectl(t.Context(), sa, "patch", "configmap", "firebreak-fence-hosts-0", "-n", stage.Namespace, "--type=merge", "-p", patch); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	developer := func(args ...string) (string, error) {
		return the.Kubectl(t.Context(), the.UserConfig(stage.Developer), args...)
	}
	if out, err := create(t, the.UserConfig(stage.Developer), `{apiVersion: v1, kind: ConfigMap, metadata: {name: stood, namespace: dev}, data: {a: later.prod.example.com}}`); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	known(`{"data":{"host.later.prod.example.com":"production"}}`)
	await.True(t, "the new name is known", func() bool {
		_, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), `{apiVersion: v1, kind: ConfigMap, metadata: {name: new, namespace: dev}, data: {a: later.prod.example.com}}`, "create", "--dry-run=server", "-f", "-")
		return err != nil
	})
	if out, err := developer("patch", "configmap", "stood", "-n", "dev", "--type=merge", "-p", `{"data":{"b":"1"}}`); err != nil {
		t.Errorf("%v %s, want what stood there before to stay", err, out)
	}
	if out, err := developer("patch", "configmap", "stood", "-n", "dev", "--type=merge", "-p", `{"data":{"b":"orders.prod.db.example.com"}}`); err == nil || !strings.Contains(out, refused) {
		t.Errorf("%v %s", err, out)
	}
}

// Persons who are not members of production write nothing there, and members do.
func TestWritesIntoProduction(t *testing.T) {
	const harmless = `{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: payments}, data: {a: b}}`
	const stranger = "Firebreak's fence refuses this: dana is not a member of production, to which namespace payments belongs; ask a member to do it"
	if out, err := create(t, the.UserConfig(stage.Developer), fmt.Sprintf(harmless, "danas")); err == nil || !strings.Contains(out, stranger) {
		t.Errorf("%v %s", err, out)
	}
	if out, err := create(t, the.UserConfig(stage.SRE), fmt.Sprintf(harmless, "sams")); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if out, err := the.Kubectl(t.Context(), the.UserConfig(stage.Developer), "delete", "configmap", "sams", "-n", "payments"); err == nil || !strings.Contains(out, stranger) {
		t.Errorf("%v %s", err, out)
	}
	for _, verb := range [][]string{{"delete", "configmap", "firebreak-fence-members"}, {"patch", "configmap", "firebreak-fence-hosts-0", "--type=merge", "-p", `{"data":null}`}} {
		if out, err := the.Kubectl(t.Context(), the.AdminConfig(), append(verb, "-n", stage.Namespace)...); err == nil || !strings.Contains(out, "the fence and Firebreak hold by what stands in these ConfigMaps; only Firebreak writes and deletes them") {
			t.Errorf("%v %s", err, out)
		}
	}
}

// A Job that a person starts in production needs an open window once Firebreak has not said for minutes that it is there.
func TestJobsWithoutAWindow(t *testing.T) {
	sa, err := the.ServiceAccountConfig(t.Context(), stage.Namespace, "firebreak")
	if err != nil {
		t.Fatal(err)
	}
	says := func(patch string) {
		t.Helper()
		if out, err := the.Kubectl(t.Context(), sa, "patch", "configmap", "firebreak-fence-jobs", "-n", stage.Namespace, "--type=merge", "-p", patch); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	const none = "Firebreak's fence refuses this: Firebreak is away, and no approved change window lets Jobs start in namespace payments now; ask those who run Firebreak to bring it back"
	try := func() (string, error) {
		return the.KubectlWith(t.Context(), the.UserConfig(stage.SRE), `{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: payments}, spec: {template: {spec: `+fmt.Sprintf(pod, `args: [a]`)+`}}}`, "create", "--dry-run=server", "-f", "-")
	}
	if out, err := try(); err != nil {
		t.Errorf("while it was there a moment ago: %v %s", err, out)
	}
	says(`{"data":{"alive-until":"2020-01-01T00:00:00Z"}}`)
	await.True(t, "it is away", func() bool { out, err := try(); return err != nil && strings.Contains(out, none) })
	now := time.Now().UTC()
	says(fmt.Sprintf(`{"data":{"open.payments":"2020-01-01T00:00:00Z/2020-01-02T00:00:00Z,%s/%s"}}`, now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)))
	await.True(t, "a window is open", func() bool { _, err := try(); return err == nil })
	says(fmt.Sprintf(`{"data":{"open.payments":"2020-01-01T00:00:00Z/2020-01-02T00:00:00Z,%s/%s"}}`, now.Add(time.Hour).Format(time.RFC3339), now.Add(2*time.Hour).Format(time.RFC3339)))
	await.True(t, "a window opens later", func() bool { out, err := try(); return err != nil && strings.Contains(out, none) })
}
