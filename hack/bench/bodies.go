package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// body is a review, in a clean and in a violating form.
type body struct {
	name            string
	clean, violates []byte
	// stored is true if the violation is stored already, and so admitted.
	stored bool
}

const databases = "production.rds.example.com"

// bodies are reviews like those that API servers send: with managed fields, probes, resources and annotations.
func bodies() []body {
	job, deployment, cron := workloadOf(6), workloadOf(75), workloadOf(620)
	return []body{
		of("job", "Job", "batch", "jobs", func(host string) string {
			return object("batch/v1", "Job", `"backoffLimit":3,"template":`+job(host))
		}, ""),
		of("deployment", "Deployment", "apps", "deployments", func(host string) string {
			return object("apps/v1", "Deployment", `"replicas":3,"selector":{"matchLabels":{"app":"shop"}},"template":`+deployment(host))
		}, ""),
		of("cronjob", "CronJob", "batch", "cronjobs", func(host string) string {
			return object("batch/v1", "CronJob", `"schedule":"0 3 * * *","jobTemplate":{"spec":{"template":`+cron(host)+"}}")
		}, ""),
		of("configmap", "ConfigMap", "", "configmaps", settings, ""),
		of("update-same", "Deployment", "apps", "deployments", func(host string) string {
			return object("apps/v1", "Deployment", `"replicas":3,"selector":{"matchLabels":{"app":"shop"}},"template":`+deployment(host))
		}, "same"),
		of("update-image", "Deployment", "apps", "deployments", func(host string) string {
			return object("apps/v1", "Deployment", `"replicas":3,"selector":{"matchLabels":{"app":"shop"}},"template":`+deployment(host))
		}, "image"),
	}
}

func of(name, kind, group, resource string, with func(host string) string, update string) body {
	return body{
		name, review(kind, group, resource, with("db-10.development.rds.example.com"), update),
		review(kind, group, resource, with("db-0."+databases), update), update != "",
	}
}

func object(version, kind, spec string) string {
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":"shop","namespace":"dev","uid":"5f0c8a52-6f0e-4b1c-9e0b-0d1c2b3a4f5e",`+
		`"resourceVersion":"184467","generation":7,"creationTimestamp":"2026-11-20T08:15:30Z","labels":{"app.kubernetes.io/name":"shop","app.kubernetes.io/managed-by":"Helm"},`+
		`"annotations":{"meta.helm.sh/release-name":"shop","meta.helm.sh/release-namespace":"dev"},"managedFields":[{"manager":"helm","operation":"Update",`+
		`"apiVersion":%q,"time":"2026-11-20T08:15:30Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/name":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{}}}}}}]},"spec":{%s}}`,
		version, kind, version, spec)
}

// workloadOf returns a pod template with so many variables and containers.
func workloadOf(variables int) func(host string) string {
	return func(host string) string {
		containers := max(1, variables/14)
		var out []string
		for c := range containers {
			var env []string
			for i := range variables / containers {
				env = append(env, variable(c, i))
			}
			env = append(env, fmt.Sprintf(`{"name":"DATABASE_URL","value":"postgres://app@%s:5432/shop?sslmode=require"}`, host),
				`{"name":"POD_NAME","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}`,
				`{"name":"PASSWORD","valueFrom":{"secretKeyRef":{"name":"shop","key":"password"}}}`)
			out = append(out, fmt.Sprintf(`{"name":"c%d","image":"registry.example.com/team/shop-%d@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","command":["/app/server"],`+
				`"args":["--listen=:8080","--config=/etc/shop/config.yaml","--upstream=http://catalog.dev.svc.cluster.local:8080","--log-level=info"],`+
				`"ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[%s],"resources":{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},`+
				`"livenessProbe":{"httpGet":{"path":"/healthz","port":"http","scheme":"HTTP"},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10},`+
				`"readinessProbe":{"httpGet":{"path":"/ready","port":"http","scheme":"HTTP"},"periodSeconds":5},"volumeMounts":[{"name":"config","mountPath":"/etc/shop","readOnly":true}],`+
				`"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{"runAsNonRoot":true,"readOnlyRootFilesystem":true}}`,
				c, c, strings.Join(env, ",")))
		}
		return `{"metadata":{"creationTimestamp":null,"labels":{"app":"shop"},"annotations":{"checksum/config":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","prometheus.io/scrape":"true"}},` +
			`"spec":{"volumes":[{"name":"config","configMap":{"name":"shop","defaultMode":420}}],"containers":[` + strings.Join(out, ",") +
			`],"restartPolicy":"Never","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"shop","serviceAccount":"shop","securityContext":{"fsGroup":1000},` +
			`"schedulerName":"default-scheduler","affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"podAffinityTerm":{"labelSelector":{"matchLabels":{"app":"shop"}},"topologyKey":"kubernetes.io/hostname"}}]}}}}`
	}
}

func variable(c, i int) string {
	switch i % 7 {
	case 0:
		return fmt.Sprintf(`{"name":"SERVICE_%d_%d_URL","value":"http://service-%d.dev.svc.cluster.local:8080/api/v1"}`, c, i, i)
	case 1:
		return fmt.Sprintf(`{"name":"FEATURE_%d_%d","value":"true"}`, c, i)
	case 2:
		return fmt.Sprintf(`{"name":"CACHE_HOST_%d","value":"redis-%d.dev.svc:6379"}`, i, c)
	case 3:
		return fmt.Sprintf(`{"name":"TIMEOUT_%d","value":"30s"}`, i)
	case 4:
		return fmt.Sprintf(`{"name":"JAVA_OPTS_%d","value":"-Xms256m -Xmx512m -XX:+UseG1GC -Dfile.encoding=UTF-8 -Duser.timezone=UTC"}`, i)
	case 5:
		return fmt.Sprintf(`{"name":"BUCKET_%d","value":"s3://shop-dev-assets-%d/uploads"}`, i, c)
	}
	return fmt.Sprintf(`{"name":"MESSAGE_%d","value":"Welcome to the shop, please sign in to see your orders"}`, i)
}

// settings is a ConfigMap of 1 MB, as applications mount it.
func settings(host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "spring.datasource.url=jdbc:postgresql://%s:5432/shop\n", host)
	for i := 0; b.Len() < 1<<20-128; i++ {
		fmt.Fprintf(&b, "feature.%d.endpoint=http://service-%d.dev.svc.cluster.local:8080/api # see the handbook\nfeature.%d.limit=%d\n", i, i%100, i, i)
	}
	v, _ := json.Marshal(b.String()) // a string
	return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shop","namespace":"dev","uid":"5f0c8a52-6f0e-4b1c-9e0b-0d1c2b3a4f5e","creationTimestamp":"2026-11-20T08:15:30Z"},"data":{"application.properties":` + string(v) + `}}`
}

func review(kind, group, resource, object, update string) []byte {
	operation, old := "CREATE", "null"
	if update != "" {
		operation, old = "UPDATE", object
	}
	if update == "image" {
		object = strings.ReplaceAll(object, "shop-0@sha256:9f86", "shop-0@sha256:1111")
	}
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","kind":{"group":%q,"version":"v1","kind":%q},`+
		`"resource":{"group":%q,"version":"v1","resource":%q},"requestKind":{"group":%q,"version":"v1","kind":%q},"requestResource":{"group":%q,"version":"v1","resource":%q},"name":"shop","namespace":"dev",`+
		`"operation":%q,"userInfo":{"username":"dana","uid":"u-1","groups":["developers","system:authenticated"]},"object":%s,"oldObject":%s,"dryRun":false,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}`,
		group, kind, group, resource, group, kind, group, resource, operation, object, old)
}
