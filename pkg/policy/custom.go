package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// templatesOf returns the templates of a custom resource in which a container runs something.
func templatesOf(all []workload.Template) []*workload.Template {
	var out []*workload.Template
	for i := range all {
		if slices.ContainsFunc(all[i].Containers(), func(c workload.Container) bool {
			return c.Image != "" || len(c.Command)+len(c.Args) > 0 || c.Script != ""
		}) {
			out = append(out, &all[i])
		}
	}
	return out
}

// Custom returns the templates in which a custom resource runs something, and whether it runs anything: it may also run those of another
// object. It returns an error for JSON that is not an object.
func Custom(gk schema.GroupKind, raw []byte) (templates []*workload.Template, runs bool, err error) {
	if builtIn(gk.Group) || gk.Group == v1alpha1.GroupName {
		return nil, false, nil
	}
	o, err := decode(gk, raw, true, budget.New())
	if err != nil || o == nil {
		return nil, false, err
	}
	templates = templatesOf(o.embedded)
	return templates, len(templates) > 0 || runsElsewhere(gk.Kind, o.tree, o.embedded), nil
}

// runsCustom reports whether the request writes a custom resource whose templates run something that did not run so before.
func (c *PreparedRequest) runsCustom() bool {
	if c.new == nil || c.new.work != nil || c.req.SubResource != "" || !c.runsTemplates() ||
		c.requester.Controller || c.operates() || c.launches() {
		return false
	}
	switch {
	case c.req.Operation == Create:
		return true
	case c.req.Operation != Update || c.old == nil:
		return false
	}
	return suspended(c.old) && !suspended(c.new) || !reflect.DeepEqual(c.new.embedded, c.old.embedded) || c.borrows() && !reflect.DeepEqual(c.new.tree["spec"], c.old.tree["spec"])
}

// writesCustom reports whether the request writes a custom resource that runs something: it is pinned like a workload.
func (c *PreparedRequest) writesCustom() bool {
	return c.req.SubResource == "" && c.req.Operation != Delete && c.req.Operation != Connect && !builtIn(c.req.Kind.Group) && c.req.Kind.Group != v1alpha1.GroupName && c.runsTemplates()
}

// runsTemplates reports whether a custom resource has templates of its own, or runs those of another object.
func (c *PreparedRequest) runsTemplates() bool {
	return len(templatesOf(c.new.embedded)) > 0 || c.borrows()
}

// borrows reports whether a custom resource whose kind is named like a run runs templates that are in another object.
func (c *PreparedRequest) borrows() bool { return c.elsewhere }

// runsElsewhere reports whether a kind is named like a run, and its object names the templates of another one, or has none at all although
// it is not a backup or restore.
func runsElsewhere(kind string, tree map[string]any, embedded []workload.Template) bool {
	if !recurs(kind) && !runsByName(kind) {
		return false
	}
	return refersToTemplates(tree["spec"], 1) || len(templatesOf(embedded)) == 0 && !keepsData(kind)
}

// keepsData reports whether a kind is a backup or restore: a database operator's own work on its own objects, which has no templates.
func keepsData(kind string) bool {
	return strings.HasSuffix(kind, "Backup") || strings.HasSuffix(kind, "Restore")
}

func suspended(o *object) bool {
	spec, _ := o.tree["spec"].(map[string]any)
	held, _ := spec["suspend"].(bool)
	return held
}

// whyCustomIsMaintenance says why a custom resource is maintenance; it is empty if it is not. Its templates are judged like those of a Job
// if it runs them once, and like those of a Deployment if it keeps them running or only defines them for later.
func (c *PreparedRequest) whyCustomIsMaintenance(controls *estate.Controls) string {
	if !lasts(c.req.Kind.GroupKind(), c.new.tree, controls) {
		return c.whyRunIsMaintenance(controls)
	}
	if controls.Maintenance == v1alpha1.MaintenanceLabeled || !c.touchesStore() {
		return ""
	}
	if tool := c.tool(controls); tool != "" {
		return fmt.Sprintf("it runs %s and names %s", tool, c.storeTouched())
	}
	return ""
}

// lasts reports whether a custom resource keeps its Pods running, or is a definition that something else runs. A kind that runs something
// once has a name that says so, or fields for its end. Where every run is maintenance, an unlisted kind counts as lasting only if it has a
// field such as replicas.
func lasts(gk schema.GroupKind, tree map[string]any, controls *estate.Controls) bool {
	if known(gk) || strings.HasSuffix(gk.Kind, "Template") {
		return true
	}
	spec, _ := tree["spec"].(map[string]any)
	has := func(fields ...string) bool {
		return slices.ContainsFunc(fields, func(field string) bool { _, ok := spec[field]; return ok })
	}
	if recurs(gk.Kind) || runsByName(gk.Kind) || has("backoffLimit", "completions", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "jobTemplate", "runPolicy", "restartPolicy") {
		return false
	}
	return controls.Maintenance != v1alpha1.MaintenanceAll || has("replicas", "instances", "size", "minReplicas", "replicaCount", "workloadRef", "serviceName")
}

// known reports whether a kind is on the list of those that last.
func known(gk schema.GroupKind) bool {
	kinds := map[string][]string{
		"argoproj.io":                 {"Rollout", "Sensor", "EventSource", "EventBus", "Application", "ApplicationSet"},
		"tekton.dev":                  {"Task", "ClusterTask", "StepAction", "Pipeline"},
		"serving.knative.dev":         {"Service", "Configuration"},
		"ray.io":                      {"RayCluster", "RayService"},
		"kafka.strimzi.io":            {"Kafka", "KafkaConnect", "KafkaBridge", "KafkaMirrorMaker2"},
		"monitoring.coreos.com":       {"Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"},
		"flink.apache.org":            {"FlinkDeployment"},
		"keda.sh":                     {"ScaledJob", "ScaledObject"},
		"postgresql.cnpg.io":          {"Cluster", "Pooler"},
		"helm.toolkit.fluxcd.io":      {"HelmRelease"},
		"kustomize.toolkit.fluxcd.io": {"Kustomization"},
		"apps.kruise.io":              {"CloneSet", "StatefulSet", "DaemonSet", "UnitedDeployment", "SidecarSet"},
		"leaderworkerset.x-k8s.io":    {"LeaderWorkerSet"},
	}
	return slices.Contains(kinds[gk.Group], gk.Kind)
}

// runsByName reports whether the name of a kind says that it runs something: the authors of a kind name it after what it does.
func runsByName(kind string) bool {
	return slices.ContainsFunc([]string{"Workflow", "Run", "Job", "JobSet", "JobFlow", "Task", "Build", "Test", "Backup", "Restore", "Migration", "Execution",
		"OpsRequest", "Experiment", "Trial", "ActionSet", "SparkApplication"}, func(s string) bool {
		return strings.HasSuffix(kind, s)
	})
}

// recurs reports whether a kind starts its runs by the clock, as a CronJob does. Writing such an object starts nothing.
func recurs(kind string) bool {
	return strings.HasPrefix(kind, "Cron") || strings.HasPrefix(kind, "Scheduled")
}

// refersToTemplates reports whether a custom resource runs the templates of another object, which is not read to judge it.
func refersToTemplates(v any, depth int) bool {
	switch v := v.(type) {
	case workload.Text:
		return depth < maxRefers && refersToTemplates(v.Trees, depth+1)
	case []any:
		return depth < maxRefers && slices.ContainsFunc(v, func(item any) bool { return refersToTemplates(item, depth+1) })
	case map[string]any:
		for key, value := range v {
			if templateKey(key) && value != nil || depth < maxRefers && refersToTemplates(value, depth+1) {
				return true
			}
		}
	}
	return false
}

// templateKey reports whether a field names the templates of another object.
func templateKey(key string) bool {
	switch l := strings.ToLower(key); l {
	case "taskref", "pipelineref", "workflowref", "customref", "templatename", "opsdefinitionname", "blueprint":
		return true
	default:
		return strings.HasSuffix(l, "templateref")
	}
}

// maxRefers is the depth to which references to templates are looked for; an object that nests deeper than is read is refused elsewhere.
const maxRefers = 128
