package policy_test

import (
	"encoding/base64"
	"fmt"
	"testing"
)

// inPod is a Deployment whose Pods have these further fields in their spec.
func inPod(format string, args ...any) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: dev}, spec: {selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: "registry.example.com/shop:1"}], ` + fmt.Sprintf(format, args...) + `}}}}`
}

func inVolume(format string, args ...any) string {
	return inPod("volumes: [{name: v, "+format+"}]", args...)
}

// inPodAnnotation is a Deployment whose Pods carry an annotation.
func inPodAnnotation(key, value string) string {
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: dev}, spec: {selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}, annotations: {%q: %s}}, spec: {containers: [{name: shop, image: x}]}}}}`, key, quoted(value))
}

// inObject is an object of any kind in dev.
func inObject(version, kind, body string) string {
	return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: shop, namespace: dev}, %s}`, version, kind, body)
}

func inClusterObject(version, kind, body string) string {
	return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: shop}, %s}`, version, kind, body)
}

func inService(body string) string { return inObject("v1", "Service", "spec: {"+body+"}") }

func TestBypassPodSpec(t *testing.T) {
	runEvasions(t, map[string]evasion{
		"the host of an HTTP probe":              {"kubelets call it", inContainer("livenessProbe: {httpGet: {host: %s, port: 80}}", host), "livenessProbe.httpGet.host " + host},
		"the host of a TCP probe":                {"kubelets connect to it", inContainer("readinessProbe: {tcpSocket: {host: %s, port: 5432}}", host), "readinessProbe.tcpSocket.host " + host},
		"a header of a probe":                    {"a Host header chooses the site", inContainer("startupProbe: {httpGet: {port: 80, httpHeaders: [{name: Host, value: %s}]}}", host), "startupProbe.httpGet.httpHeaders[0].value " + host},
		"a hook that calls":                      {"kubelets call it", inContainer("lifecycle: {preStop: {httpGet: {host: %s, port: 80}}}", host), "lifecycle.preStop.httpGet.host " + host},
		"a hook that connects":                   {"the old form of it", inContainer("lifecycle: {postStart: {tcpSocket: {host: %s, port: 80}}}", host), "lifecycle.postStart.tcpSocket.host " + host},
		"an alias of an address":                 {"its own name for production's address", inPod("hostAliases: [{ip: 10.20.3.4, hostnames: [db.local]}]"), "spec.template.spec.hostAliases[0].ip 10.20.3.4"},
		"an alias of a name":                     {"it claims to be production's", inPod("hostAliases: [{ip: 192.0.2.1, hostnames: [%s]}]", host), "spec.template.spec.hostAliases[0].hostnames[0] " + host},
		"a name server":                          {"it answers for every name", inPod("dnsConfig: {nameservers: [10.20.3.4]}"), "spec.template.spec.dnsConfig.nameservers[0] 10.20.3.4"},
		"a search domain, a namespace":           {"short names are production's then", inPod("dnsConfig: {searches: [payments.svc.cluster.local]}"), "spec.template.spec.dnsConfig.searches[0] payments NamespaceAcrossTiers"},
		"a search domain, of the data stores":    {"short names are production's then", inPod("dnsConfig: {searches: [prod.db.example.com]}"), "spec.template.spec.dnsConfig.searches[0] *.prod.db.example.com"},
		"an NFS server":                          {"its files are production's", inVolume("nfs: {server: %s, path: /x}", host), "spec.template.spec.volumes[0].nfs.server " + host + " StorageAcrossTiers"},
		"an NFS server by address":               {"the same by number", inVolume("nfs: {server: 10.20.3.4, path: /x}"), "spec.template.spec.volumes[0].nfs.server 10.20.3.4 StorageAcrossTiers"},
		"an iSCSI portal":                        {"its blocks are production's", inVolume("iscsi: {targetPortal: '10.20.3.4:3260', iqn: 'iqn.2001-04.com.example:x', lun: 0}"), "spec.template.spec.volumes[0].iscsi.targetPortal 10.20.3.4 StorageAcrossTiers"},
		"a second iSCSI portal":                  {"any portal will do", inVolume("iscsi: {targetPortal: 192.0.2.1, portals: ['10.20.3.4:3260'], iqn: 'iqn.2001-04.com.example:x', lun: 0}"), "spec.template.spec.volumes[0].iscsi.portals[0] 10.20.3.4 StorageAcrossTiers"},
		"a Ceph monitor":                         {"each of them", inVolume("cephfs: {monitors: ['192.0.2.1:6789', '%s:6789']}", host), "spec.template.spec.volumes[0].cephfs.monitors[1] " + host + " StorageAcrossTiers"},
		"an RBD monitor":                         {"each of them", inVolume("rbd: {monitors: ['%s:6789'], image: x}", host), "spec.template.spec.volumes[0].rbd.monitors[0] " + host + " StorageAcrossTiers"},
		"a CSI attribute":                        {"drivers take what they like", inVolume("csi: {driver: nfs.csi.k8s.io, volumeAttributes: {server: %s, share: /x}}", host), "spec.template.spec.volumes[0].csi.volumeAttributes.server " + host + " StorageAcrossTiers"},
		"a CSI bucket":                           {"a bucket by its URL", inVolume("csi: {driver: s3.csi.aws.com, volumeAttributes: {bucket: 's3://prod-orders-dumps'}}"), "spec.template.spec.volumes[0].csi.volumeAttributes.bucket s3://prod-orders-dumps StorageAcrossTiers"},
		"a flex volume":                          {"options are free", inVolume("flexVolume: {driver: x/y, options: {source: '//%s/share'}}", host), "spec.template.spec.volumes[0].flexVolume.options.source " + host + " StorageAcrossTiers"},
		"a claim that was bound long ago":        {"the claim is dev's, the volume is production's", inVolume("persistentVolumeClaim: {claimName: old-orders}"), "spec.template.spec.volumes[0].persistentVolumeClaim.claimName old-orders StorageAcrossTiers"},
		"a volume by name, ephemeral":            {"a generic ephemeral volume has a claim of its own", inVolume("ephemeral: {volumeClaimTemplate: {spec: {volumeName: pv-orders, accessModes: [ReadWriteOnce]}}}"), "spec.template.spec.volumes[0].ephemeral.volumeClaimTemplate.spec.volumeName pv-orders StorageAcrossTiers"},
		"an EBS volume by its id":                {"an id is as good as a host", inVolume("awsElasticBlockStore: {volumeID: fs-0prod}"), "spec.template.spec.volumes[0].awsElasticBlockStore.volumeID fs-0prod StorageAcrossTiers"},
		"a ConfigMap, mounted":                   {"its files are read", inVolume("configMap: {name: copied}"), "spec.template.spec.volumes[0].configMap " + host},
		"a ConfigMap, one item":                  {"the item is the one that names it", inVolume("configMap: {name: copied, items: [{key: host, path: h}]}"), "spec.template.spec.volumes[0].configMap " + host},
		"a ConfigMap, projected":                 {"the same through a projection", inVolume("projected: {sources: [{configMap: {name: copied}}]}"), "spec.template.spec.volumes[0].projected.sources[0].configMap " + host},
		"a ConfigMap through envFrom":            {"every key is a variable", inContainer("envFrom: [{configMapRef: {name: copied}}]"), "envFrom[0].configMapRef " + host},
		"a Secret by name, envFrom":              {"often the name is the only hint", inContainer("envFrom: [{secretRef: {name: orders-prod-db}}]"), "envFrom[0].secretRef.name orders-prod-db CredentialAcrossTiers"},
		"a Secret by name, one key":              {"one key of it", inContainer("env: [{name: DB, valueFrom: {secretKeyRef: {name: orders-prod-db, key: dsn}}}]"), "env[0].valueFrom.secretKeyRef.name orders-prod-db CredentialAcrossTiers"},
		"a Secret by name, mounted":              {"a file", inVolume("secret: {secretName: orders-prod-db}"), "spec.template.spec.volumes[0].secret.secretName orders-prod-db CredentialAcrossTiers"},
		"a Secret by name, projected":            {"a projected file", inVolume("projected: {sources: [{secret: {name: orders-prod-db}}]}"), "spec.template.spec.volumes[0].projected.sources[0].secret.name orders-prod-db CredentialAcrossTiers"},
		"a Secret that pulls images":             {"a credential like any other", inPod("imagePullSecrets: [{name: orders-prod-registry}]"), "spec.template.spec.imagePullSecrets[0].name orders-prod-registry CredentialAcrossTiers"},
		"a Secret of a CSI volume":               {"the driver uses it", inVolume("csi: {driver: x, nodePublishSecretRef: {name: orders-prod-db}}"), "spec.template.spec.volumes[0].csi.nodePublishSecretRef.name orders-prod-db CredentialAcrossTiers"},
		"a Secret of an Azure share":             {"the kubelet uses it", inVolume("azureFile: {secretName: orders-prod-share, shareName: x}"), "spec.template.spec.volumes[0].azureFile.secretName orders-prod-share CredentialAcrossTiers"},
		"a role in a variable":                   {"SDKs take it", inEnv("AWS_ROLE_ARN", "arn:aws:iam::1234:role/prod-orders"), "env[0].value arn:aws:iam::1234:role/prod-orders CredentialAcrossTiers"},
		"a role in an argument":                  {"CLIs take it", inArgs("--role-arn=arn:aws:iam::1234:role/prod-orders"), "args[0] arn:aws:iam::1234:role/prod-orders CredentialAcrossTiers"},
		"a service account of Google":            {"an e-mail address is an identity", inArgs("--impersonate-service-account", "orders@proj-prod.iam.gserviceaccount.com"), "args[1] orders@proj-prod.iam.gserviceaccount.com CredentialAcrossTiers"},
		"kube2iam":                               {"the agent assumes the role", inPodAnnotation("iam.amazonaws.com/role", "arn:aws:iam::1234:role/prod-orders"), `spec.template.metadata.annotations["iam.amazonaws.com/role"] arn:aws:iam::1234:role/prod-orders CredentialAcrossTiers`},
		"Vault's agent":                          {"it fetches the path", inPodAnnotation("vault.hashicorp.com/agent-inject-secret-db", "database/creds/prod-orders"), `spec.template.metadata.annotations["vault.hashicorp.com/agent-inject-secret-db"] database/creds/prod-orders CredentialAcrossTiers`},
		"a template of Vault's agent":            {"the path stands in the template", inPodAnnotation("vault.hashicorp.com/agent-inject-template-db", `{{ with secret "secret/data/prod/orders" }}{{ .Data.data.dsn }}{{ end }}`), `spec.template.metadata.annotations["vault.hashicorp.com/agent-inject-template-db"] secret/prod/orders CredentialAcrossTiers`},
		"a proxy's instances in an annotation":   {"injectors take them", inPodAnnotation("cloudsql.example.com/instances", "proj-prod:europe-west1:orders=tcp:5432"), `spec.template.metadata.annotations["cloudsql.example.com/instances"] proj-prod:europe-west1:orders`},
		"a proxy beside the application":         {"localhost is production then", inPod("initContainers: [{name: proxy, image: cloud-sql-proxy, args: ['--port=5432', 'proj-prod:europe-west1:orders']}]"), "spec.template.spec.initContainers[0].args[1] proj-prod:europe-west1:orders"},
		"a proxy's socket":                       {"the name stands in a path", inEnv("DB_SOCKET", "/cloudsql/proj-prod:europe-west1:orders"), "env[0].value proj-prod:europe-west1:orders"},
		"a pooler beside the application":        {"localhost is production then", inPod("initContainers: [{name: pgbouncer, image: pgbouncer, restartPolicy: Always, env: [{name: DB_HOST, value: %s}]}]", host), "spec.template.spec.initContainers[0].env[0].value " + host},
		"an ephemeral container":                 {"a third kind of containers", `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x}], ephemeralContainers: [{name: d, image: x, env: [{name: DB, value: ` + host + `}]}]}}`, "spec.ephemeralContainers[0].env[0].value " + host},
		"a node by name":                         {"it goes around the scheduler", inPod("nodeName: prod-node-1"), "spec.template.spec.nodeName prod-node-1 PlacementAcrossTiers"},
		"a node selector":                        {"production's label", inPod("nodeSelector: {pool: prod}"), `spec.template.spec.nodeSelector["pool"] pool=prod PlacementAcrossTiers`},
		"a required affinity":                    {"production's label", inPod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [dev, prod]}]}]}}}"), "spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[1] pool=prod PlacementAcrossTiers"},
		"a preferred affinity":                   {"it goes there if it can", inPod("affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: pool, operator: In, values: [prod]}]}}]}}"), "spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0] pool=prod PlacementAcrossTiers"},
		"an affinity to a node's name":           {"a node by name", inPod("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [prod-node-1]}]}]}}}"), "spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values[0] prod-node-1 PlacementAcrossTiers"},
		"an affinity to production's Pods":       {"it runs where they do", inPod("affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, namespaces: [payments], labelSelector: {matchLabels: {app: orders}}}]}}"), "spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces[0] payments PlacementAcrossTiers"},
		"a toleration of production's taint":     {"the taint keeps others out", inPod("tolerations: [{key: dedicated, value: prod, effect: NoSchedule}]"), "spec.template.spec.tolerations[0] dedicated=prod PlacementAcrossTiers"},
		"a toleration of any value of it":        {"production's among them", inPod("tolerations: [{key: dedicated, operator: Exists}]"), "spec.template.spec.tolerations[0] dedicated PlacementAcrossTiers"},
		"a toleration of everything":             {"production's among them", inPod("tolerations: [{operator: Exists}]"), "spec.template.spec.tolerations[0] * PlacementAcrossTiers"},
		"a priority class":                       {"it evicts others", inPod("priorityClassName: prod-critical"), "spec.template.spec.priorityClassName prod-critical PlacementAcrossTiers"},
		"a runtime class":                        {"its nodes are production's", inPod("runtimeClassName: hardened"), "spec.template.spec.runtimeClassName hardened PlacementAcrossTiers"},
		"a scheduler":                            {"it is production's", inPod("schedulerName: prod-scheduler"), "spec.template.spec.schedulerName prod-scheduler PlacementAcrossTiers"},
		"an alias Service of its own namespace":  {"stored before the store was registered", inEnv("DB_HOST", "legacy-db"), "env[0].value legacy-db"},
		"a namespace in a variable":              {"operators watch it", inEnv("WATCH_NAMESPACE", "payments"), "env[0].value payments NamespaceAcrossTiers"},
		"a namespace among others in a variable": {"a list", inEnv("WATCH_NAMESPACES", "dev,payments"), "env[0].value payments NamespaceAcrossTiers"},
		"a namespace in a flag":                  {"operators watch it", inArgs("--namespace=payments"), "args[0] payments NamespaceAcrossTiers"},
		"a namespace behind a flag":              {"kubectl takes it so", inContainer("command: [kubectl, -n, payments, delete, pod, x]"), "command[2] payments NamespaceAcrossTiers"},
		"a cluster address of production's":      {"a Service by number", inEnv("LEDGER", "172.20.0.5:8080"), "env[0].value 172.20.0.5 NamespaceAcrossTiers"},
		"a cluster address, IPv6":                {"the second family", inEnv("LEDGER", "http://[fd00:20::5]:8080"), "env[0].value fd00:20::5 NamespaceAcrossTiers"},
		"a load balancer's address":              {"production from outside", inEnv("LEDGER", "203.0.113.9"), "env[0].value 203.0.113.9 NamespaceAcrossTiers"},
		"a load balancer's name":                 {"production from outside", inEnv("LEDGER", "https://ledger-prod.elb.eu-west-1.amazonaws.com/"), "env[0].value ledger-prod.elb.eu-west-1.amazonaws.com NamespaceAcrossTiers"},
		"an external address":                    {"production from outside", inEnv("LEDGER", "192.0.2.77:80"), "env[0].value 192.0.2.77 NamespaceAcrossTiers"},
		"a member of a StatefulSet":              {"its Pod's own name", inEnv("DB", "orders-db-0.orders-db.payments.svc.cluster.local:5432"), "env[0].value orders-db-0.orders-db.payments.svc.cluster.local"},
		"a member, three labels":                 {"the search domain adds the rest", inEnv("DB_HOST", "orders-db-0.orders-db.payments"), "env[0].value orders-db-0.orders-db.payments"},
		"a Pod by its address":                   {"the cluster's DNS knows it", inEnv("DB", "http://10-244-1-7.payments.pod.cluster.local"), "env[0].value 10-244-1-7.payments.pod.cluster.local NamespaceAcrossTiers"},
		"an SRV name":                            {"a port of a Service", inEnv("DB_HOST", "_postgresql._tcp.orders-db.payments.svc.cluster.local"), "env[0].value _postgresql._tcp.orders-db.payments.svc.cluster.local"},
		"an SRV name with a prefix":              {"Thanos writes it so", inArgs("--store=dnssrv+_grpc._tcp.ledger.payments.svc"), "args[0] _grpc._tcp.ledger.payments.svc NamespaceAcrossTiers"},
		"a bucket":                               {"by its URL", inEnv("DUMPS", "s3://prod-orders-dumps/2026/11/dump.gz"), "env[0].value s3://prod-orders-dumps"},
		"a bucket, Hadoop's scheme":              {"s3a is s3", inEnv("WAREHOUSE", "s3a://prod-orders-dumps/w"), "env[0].value s3://prod-orders-dumps"},
		"a bucket, virtual host":                 {"the host names it", inEnv("DUMPS", "https://prod-orders-dumps.s3.eu-west-1.amazonaws.com/x"), "env[0].value s3://prod-orders-dumps"},
		"a bucket, path style":                   {"the path names it", inEnv("DUMPS", "https://s3.eu-west-1.amazonaws.com/prod-orders-dumps/x"), "env[0].value s3://prod-orders-dumps"},
		"a bucket by its ARN":                    {"policies write it so", inEnv("DUMPS", "arn:aws:s3:::prod-orders-dumps/*"), "env[0].value s3://prod-orders-dumps"},
		"a bucket of Google":                     {"by its URL", inArgs("gs://prod-orders-exports/x"), "args[0] gs://prod-orders-exports"},
		"a bucket of Google on the web":          {"the path names it", inArgs("https://storage.googleapis.com/prod-orders-exports/x"), "args[0] gs://prod-orders-exports"},
		"a container of Azure":                   {"by its URL", inEnv("DUMPS", "https://prodorders.blob.core.windows.net/dumps/x?sv=2020"), "env[0].value https://prodorders.blob.core.windows.net/dumps"},
		"a container of Azure's data lake":       {"the same account", inEnv("DUMPS", "abfss://dumps@prodorders.dfs.core.windows.net/x"), "env[0].value https://prodorders.blob.core.windows.net/dumps"},
		"an instance of Spanner":                 {"a database in it", inEnv("SPANNER", "projects/proj-prod/instances/ledger/databases/main"), "env[0].value projects/proj-prod/instances/ledger"},
		"an ARN in capitals":                     {"ARNs are compared without case", inEnv("DB", "ARN:aws:rds:eu-west-1:1234:db:orders"), "env[0].value arn:aws:rds:eu-west-1:1234:db:orders"},
		"a cloud CLI, by identifier":             {"no host at all", inContainer("command: [aws, rds, delete-db-instance, --db-instance-identifier, orders-prod-1]"), "command[4] orders-prod-1"},
		"a cloud CLI, in a script":               {"no host at all", inShell("aws rds reboot-db-instance --db-instance-identifier=orders-prod-1"), "command[2] orders-prod-1"},
		"a cloud CLI, a variable":                {"the shell puts it in", inShell("ID=orders-prod-1; aws rds reboot-db-instance --db-instance-identifier $ID"), "command[2] orders-prod-1"},
		"gcloud, an instance":                    {"the word behind the verb", inShell("gcloud sql instances delete orders-prod-1 --quiet"), "command[2] orders-prod-1"},
		"gcloud, a connection name":              {"its whole name", inShell("gcloud sql connect proj-prod:europe-west1:orders"), "command[2] proj-prod:europe-west1:orders"},
		"az, a server":                           {"by its name", inShell("az postgres flexible-server restart -g rg -n dbserver-prod"), "command[2] dbserver-prod"},
		"kubectl in a script":                    {"another namespace", inShell("kubectl -n payments scale deploy/orders --replicas=0"), "command[2] payments NamespaceAcrossTiers"},
		"kubectl with a long flag":               {"another namespace", inShell("kubectl scale deploy/orders --replicas=0 --namespace payments"), "command[2] payments NamespaceAcrossTiers"},
		"kubectl, the flag and value in one":     {"-npayments", inShell("kubectl get pods -npayments"), "command[2] payments NamespaceAcrossTiers"},
		"kubectl behind a wrapper":               {"timeout runs it", inShell("timeout 5 kubectl -n payments get pods"), "command[2] payments NamespaceAcrossTiers"},
		"helm in a script":                       {"another namespace", inShell("helm uninstall shop -n payments"), "command[2] payments NamespaceAcrossTiers"},
		"vault in a script":                      {"it reads production's", inShell("vault kv get -field=dsn secret/prod/orders"), "command[2] secret/prod/orders CredentialAcrossTiers"},
		"vault over HTTP":                        {"the same without its client", inShell("curl -H \"X-Vault-Token: $T\" https://vault.example.com/v1/secret/data/prod/orders"), "command[2] secret/prod/orders CredentialAcrossTiers"},
		"the secrets manager in a script":        {"by its id", inShell("aws secretsmanager get-secret-value --secret-id secret/prod/orders"), "command[2] secret/prod/orders CredentialAcrossTiers"},
		"a value in base64":                      {"programs decode it", inEnv("DB", base64.StdEncoding.EncodeToString([]byte("postgres://u:p@"+host+"/o"))), hostFirst},
		"a script in a ConfigMap":                {"a shell puts it together", inConfigMap("run.sh", "H=orders\npsql -h $H.prod.db.example.com\n"), `data["run.sh"] ` + host},
		"XML in a ConfigMap":                     {"an element's text is a value", inConfigMap("hive-site.xml", "<configuration><property><name>db.host</name><value>"+host+"</value></property></configuration>"), `data["hive-site.xml"] ` + host},
		"a YAML anchor":                          {"the anchor is no part of the value", inConfigMap("a.yaml", "db:\n  host: &h "+host+"\n"), `data["a.yaml"] ` + host},
		"a YAML tag":                             {"nor is a tag", inConfigMap("a.yaml", "db:\n  host: !!str "+host+"\n"), `data["a.yaml"] ` + host},
		"a namespace in a ConfigMap":             {"envFrom brings it in", inConfigMap("WATCH_NAMESPACE", "payments"), `data["WATCH_NAMESPACE"] payments NamespaceAcrossTiers`},
	})
}

func TestBypassOtherObjects(t *testing.T) {
	const workflow = "argoproj.io/v1alpha1"
	runEvasions(t, map[string]evasion{
		"an alias":                              {"a name of one's own for production's", inService("type: ExternalName, externalName: " + host), "spec.externalName " + host + " RouteAcrossTiers"},
		"an alias of a Service":                 {"through the cluster's DNS", inService("type: ExternalName, externalName: ledger.payments.svc.cluster.local"), "spec.externalName ledger.payments.svc.cluster.local RouteAcrossTiers"},
		"an external address":                   {"it takes production's traffic", inService("ports: [{port: 80}], externalIPs: [10.20.3.4]"), "spec.externalIPs[0] 10.20.3.4 RouteAcrossTiers"},
		"endpoints by hand":                     {"a Service without selector follows them", inObject("v1", "Endpoints", "subsets: [{addresses: [{ip: 10.20.3.4}], ports: [{port: 5432}]}]"), "subsets[0].addresses[0].ip 10.20.3.4 RouteAcrossTiers"},
		"an endpoint slice by hand":             {"the newer form", inObject("discovery.k8s.io/v1", "EndpointSlice", "addressType: IPv4, endpoints: [{addresses: [10.20.3.4]}]"), "endpoints[0].addresses[0] 10.20.3.4 RouteAcrossTiers"},
		"an endpoint slice to a Service":        {"a cluster address", inObject("discovery.k8s.io/v1", "EndpointSlice", "addressType: IPv4, endpoints: [{addresses: [172.20.0.5]}]"), "endpoints[0].addresses[0] 172.20.0.5 RouteAcrossTiers"},
		"an endpoint slice with names":          {"addressType FQDN", inObject("discovery.k8s.io/v1", "EndpointSlice", "addressType: FQDN, endpoints: [{addresses: ["+host+"]}]"), "endpoints[0].addresses[0] " + host + " RouteAcrossTiers"},
		"endpoints of another namespace's Pod":  {"the reference says so", inObject("v1", "Endpoints", "subsets: [{addresses: [{ip: 192.0.2.1, targetRef: {kind: Pod, namespace: payments, name: orders-0}}]}]"), "subsets[0].addresses[0].targetRef.namespace payments RouteAcrossTiers"},
		"an upstream in an Ingress annotation":  {"the controller sends traffic there", `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, namespace: dev, annotations: {nginx.ingress.kubernetes.io/auth-url: "http://ledger.payments.svc.cluster.local/auth"}}, spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}}`, `metadata.annotations["nginx.ingress.kubernetes.io/auth-url"] ledger.payments.svc.cluster.local NamespaceAcrossTiers`},
		"a Secret of another namespace":         {"namespace/name", `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, namespace: dev, annotations: {nginx.ingress.kubernetes.io/auth-secret: payments/basic-auth}}, spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}}`, `metadata.annotations["nginx.ingress.kubernetes.io/auth-secret"] basic-auth CredentialAcrossTiers`},
		"a backend of another namespace":        {"a route may name one", inObject("gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {rules: [{backendRefs: [{name: ledger, namespace: payments, port: 80}]}]}"), "spec.rules[0].backendRefs[0].namespace payments RouteAcrossTiers"},
		"a backend of a TCP route":              {"an older version of the group", inObject("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "spec: {rules: [{backendRefs: [{name: orders-db, namespace: payments, port: 5432}]}]}"), "spec.rules[0].backendRefs[0].namespace payments RouteAcrossTiers"},
		"a mirror of a route":                   {"a filter may name one too", inObject("gateway.networking.k8s.io/v1", "HTTPRoute", "spec: {rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: ledger, namespace: payments}}}]}]}"), "spec.rules[0].filters[0].requestMirror.backendRef.namespace payments RouteAcrossTiers"},
		"a grant of references":                 {"production's routes may then point here", inObject("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: payments}], to: [{group: '', kind: Service}]}"), "spec.from[0].namespace payments RouteAcrossTiers"},
		"a policy that opens to production":     {"by the name's label", inObject("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: payments}}}]}]}"), "spec.egress[0].to[0].namespaceSelector kubernetes.io/metadata.name=payments RouteAcrossTiers"},
		"a policy that opens to its label":      {"by a label of production's", inObject("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: prod}}}]}]}"), "spec.ingress[0].from[0].namespaceSelector env=prod RouteAcrossTiers"},
		"a policy that opens to a range":        {"production's data store lies in it", inObject("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.20.3.0/24}}]}]}"), "spec.egress[0].to[0].ipBlock.cidr 10.20.3.0/24 RouteAcrossTiers"},
		"a mesh's entry":                        {"a host outside the mesh", inObject("networking.istio.io/v1", "ServiceEntry", "spec: {hosts: ["+host+"], resolution: DNS}"), "spec.hosts[0] " + host + " RouteAcrossTiers"},
		"an endpoint of a mesh's entry":         {"its address", inObject("networking.istio.io/v1", "ServiceEntry", "spec: {hosts: [db.local], endpoints: [{address: "+host+"}]}"), "spec.endpoints[0].address " + host + " RouteAcrossTiers"},
		"a virtual service":                     {"a destination's short form", inObject("networking.istio.io/v1", "VirtualService", "spec: {hosts: [shop], http: [{route: [{destination: {host: ledger.payments.svc.cluster.local}}]}]}"), "spec.http[0].route[0].destination.host ledger.payments.svc.cluster.local RouteAcrossTiers"},
		"a mesh's identity":                     {"who may call", inObject("security.istio.io/v1", "AuthorizationPolicy", "spec: {rules: [{from: [{source: {principals: [cluster.local/ns/payments/sa/orders]}}]}]}"), "spec.rules[0].from[0].source.principals[0] payments RouteAcrossTiers"},
		"a mesh's namespaces":                   {"who may call", inObject("security.istio.io/v1", "AuthorizationPolicy", "spec: {rules: [{from: [{source: {namespaces: [payments]}}]}]}"), "spec.rules[0].from[0].source.namespaces[0] payments RouteAcrossTiers"},
		"a claim by the volume's name":          {"production's claim holds it", inObject("v1", "PersistentVolumeClaim", "spec: {volumeName: pv-ledger, accessModes: [ReadWriteOnce]}"), "spec.volumeName pv-ledger StorageAcrossTiers"},
		"a claim of a free volume":              {"the volume itself is production's", inObject("v1", "PersistentVolumeClaim", "spec: {volumeName: pv-orders, accessModes: [ReadWriteOnce]}"), "spec.volumeName pv-orders StorageAcrossTiers"},
		"a clone of another namespace's claim":  {"a cross-namespace data source", inObject("v1", "PersistentVolumeClaim", "spec: {dataSourceRef: {kind: PersistentVolumeClaim, name: ledger-data, namespace: payments}, accessModes: [ReadWriteOnce]}"), "spec.dataSourceRef.namespace payments StorageAcrossTiers"},
		"a volume for dev's claim":              {"its server is production's", inClusterObject("v1", "PersistentVolume", "spec: {claimRef: {namespace: dev, name: x}, nfs: {server: "+host+", path: /x}}"), "spec.nfs.server " + host + " StorageAcrossTiers"},
		"a volume by its handle":                {"its file system is production's", inClusterObject("v1", "PersistentVolume", "spec: {claimRef: {namespace: dev, name: x}, csi: {driver: efs.csi.aws.com, volumeHandle: 'fs-0prod::fsap-1'}}"), "spec.csi.volumeHandle fs-0prod StorageAcrossTiers"},
		"a volume for nobody":                   {"a person of no Production environment writes it", inClusterObject("v1", "PersistentVolume", "spec: {csi: {driver: efs.csi.aws.com, volumeHandle: fs-0prod}}"), "spec.csi.volumeHandle fs-0prod StorageAcrossTiers"},
		"a volume for production's claim":       {"a person of no Production environment writes it", inClusterObject("v1", "PersistentVolume", "spec: {claimRef: {namespace: payments, name: x}, nfs: {server: "+host+", path: /x}}"), "spec.nfs.server " + host + " StorageAcrossTiers"},
		"a role of AWS":                         {"IRSA", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: shop, namespace: dev, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::1234:role/prod-orders"}}}`, `metadata.annotations["eks.amazonaws.com/role-arn"] arn:aws:iam::1234:role/prod-orders CredentialAcrossTiers`},
		"a service account of Google":           {"workload identity", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: shop, namespace: dev, annotations: {iam.gke.io/gcp-service-account: orders@proj-prod.iam.gserviceaccount.com}}}`, `metadata.annotations["iam.gke.io/gcp-service-account"] orders@proj-prod.iam.gserviceaccount.com CredentialAcrossTiers`},
		"a client of Azure":                     {"workload identity", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: shop, namespace: dev, annotations: {azure.workload.identity/client-id: 6f1b0f0e-1111-4222-8333-944445555666}}}`, `metadata.annotations["azure.workload.identity/client-id"] 6f1b0f0e-1111-4222-8333-944445555666 CredentialAcrossTiers`},
		"a Secret of a service account":         {"its Pods pull with it", inObject("v1", "ServiceAccount", "imagePullSecrets: [{name: orders-prod-registry}]"), "imagePullSecrets[0].name orders-prod-registry CredentialAcrossTiers"},
		"a replicated Secret":                   {"a controller copies it", `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: dev, annotations: {replicator.v1.mittwald.de/replicate-from: payments/orders-db}}}`, `metadata.annotations["replicator.v1.mittwald.de/replicate-from"] orders-db CredentialAcrossTiers`},
		"a reflected Secret":                    {"another controller copies it", `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: dev, annotations: {reflector.v1.k8s.emberstack.com/reflects: payments/orders-db}}}`, `metadata.annotations["reflector.v1.k8s.emberstack.com/reflects"] orders-db CredentialAcrossTiers`},
		"a replicated ConfigMap":                {"a controller copies it", `{apiVersion: v1, kind: ConfigMap, metadata: {name: db, namespace: dev, annotations: {replicator.v1.mittwald.de/replicate-from: payments/orders}}}`, `metadata.annotations["replicator.v1.mittwald.de/replicate-from"] payments NamespaceAcrossTiers`},
		"a pushed Secret":                       {"to production", `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: dev, annotations: {replicator.v1.mittwald.de/replicate-to: "staging,payments"}}}`, `metadata.annotations["replicator.v1.mittwald.de/replicate-to"] payments NamespaceAcrossTiers`},
		"a pattern of namespaces":               {"production among them", `{apiVersion: v1, kind: Secret, metadata: {name: db, namespace: dev, annotations: {replicator.v1.mittwald.de/replicate-to: "prod-.*"}}}`, `metadata.annotations["replicator.v1.mittwald.de/replicate-to"] prod-* NamespaceAcrossTiers`},
		"an external secret":                    {"by its key in the store", inObject("external-secrets.io/v1", "ExternalSecret", "spec: {data: [{secretKey: dsn, remoteRef: {key: secret/prod/orders}}]}"), "spec.data[0].remoteRef.key secret/prod/orders CredentialAcrossTiers"},
		"an external secret, all of it":         {"extract takes every property", inObject("external-secrets.io/v1", "ExternalSecret", "spec: {dataFrom: [{extract: {key: secret/data/prod/orders}}]}"), "spec.dataFrom[0].extract.key secret/prod/orders CredentialAcrossTiers"},
		"a class of a secrets provider":         {"YAML within a text", inObject("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", `spec: {provider: vault, parameters: {objects: "- objectName: dsn\n  secretPath: secret/data/prod/orders\n  secretKey: dsn\n", vaultAddress: "https://vault.example.com"}}`), "spec.parameters.objects secret/prod/orders CredentialAcrossTiers"},
		"a class of the secrets manager":        {"an ARN within a text", inObject("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", `spec: {provider: aws, parameters: {objects: "- objectName: \"arn:aws:rds:eu-west-1:1234:db:orders\"\n"}}`), "spec.parameters.objects arn:aws:rds:eu-west-1:1234:db:orders"},
		"a workflow's container":                {"a container that no Pod spec holds", inObject(workflow, "Workflow", "spec: {entrypoint: a, templates: [{name: a, container: {image: psql, command: [psql, -h, "+host+"]}}]}"), "spec.templates[0].container.command[2] " + host},
		"a workflow's script":                   {"its source is a script", inObject(workflow, "Workflow", `spec: {entrypoint: a, templates: [{name: a, script: {image: bash, command: [bash], source: "H=orders\npsql -h $H.prod.db.example.com\n"}}]}`), "spec.templates[0].script.source " + host},
		"a workflow's parameter":                {"its name says what it is", inObject(workflow, "Workflow", "spec: {arguments: {parameters: [{name: db-host, value: "+host+"}]}}"), "spec.arguments.parameters[0].value " + host},
		"a workflow's placement":                {"at the workflow's level", inObject(workflow, "Workflow", "spec: {nodeSelector: {pool: prod}, templates: []}"), `spec.nodeSelector["pool"] pool=prod PlacementAcrossTiers`},
		"a rollout":                             {"a pod template like a Deployment's", inObject(workflow, "Rollout", "spec: {template: {spec: {containers: [{name: a, image: x, env: [{name: A, value: orders.prod}, {name: DB, value: $(A).db.example.com}]}]}}}"), "env[1].value " + host},
		"a rollout's Secret":                    {"keyRefs as anywhere", inObject(workflow, "Rollout", "spec: {template: {spec: {containers: [{name: a, image: x, envFrom: [{secretRef: {name: orders-prod-db}}]}]}}}"), "envFrom[0].secretRef.name orders-prod-db CredentialAcrossTiers"},
		"a rollout's ConfigMap":                 {"what it names travels", inObject(workflow, "Rollout", "spec: {template: {spec: {containers: [{name: a, image: x, envFrom: [{configMapRef: {name: copied}}]}]}}}"), "envFrom[0].configMapRef " + host},
		"a scheduled workflow":                  {"one level deeper", inObject(workflow, "CronWorkflow", "spec: {workflowSpec: {templates: [{name: a, container: {image: x, args: [--host, "+host+"]}}]}}"), "spec.workflowSpec.templates[0].container.args[1] " + host},
		"a deployment by GitOps":                {"its destination", inObject(workflow, "Application", "spec: {destination: {namespace: payments, server: 'https://kubernetes.default.svc'}}"), "spec.destination.namespace payments NamespaceAcrossTiers"},
		"values of a chart, in a text":          {"YAML within a text", inObject(workflow, "Application", `spec: {source: {helm: {values: "db:\n  host: `+host+`\n"}}}`), "spec.source.helm.values " + host},
		"a release of a chart":                  {"its target", inObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {targetNamespace: payments, values: {}}"), "spec.targetNamespace payments NamespaceAcrossTiers"},
		"a release's values":                    {"a field called host", inObject("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec: {values: {postgresql: {host: "+host+"}}}"), "spec.values.postgresql.host " + host},
		"a task's step":                         {"a container in a list of steps", inObject("tekton.dev/v1", "Task", `spec: {steps: [{name: a, image: x, script: "#!/bin/sh\nkubectl -n payments delete pod x\n"}]}`), "spec.steps[0].script payments NamespaceAcrossTiers"},
		"a revision":                            {"a Pod spec below a template", inObject("serving.knative.dev/v1", "Service", "spec: {template: {spec: {containers: [{image: x, env: [{name: DB, value: "+host+"}]}]}}}"), "env[0].value " + host},
		"a set of Jobs":                         {"a Job's template in a list", inObject("jobset.x-k8s.io/v1alpha2", "JobSet", "spec: {replicatedJobs: [{name: a, template: {spec: {template: {spec: {containers: [{name: a, image: x, args: ["+host+":5432]}]}}}}}]}"), "spec.replicatedJobs[0].template.spec.template.spec.containers[0].args[0] " + host},
		"an external cluster of an operator":    {"a parameter called host", inObject("postgresql.cnpg.io/v1", "Cluster", "spec: {instances: 1, externalClusters: [{name: src, connectionParameters: {host: "+host+", user: u}}]}"), "spec.externalClusters[0].connectionParameters.host " + host},
		"an operator's Secret":                  {"a credential by name", inObject("postgresql.cnpg.io/v1", "Cluster", "spec: {instances: 1, externalClusters: [{name: src, password: {name: orders-prod-db, key: password}}], superuserSecret: {name: orders-prod-admin}}"), "spec.superuserSecret.name orders-prod-admin CredentialAcrossTiers"},
		"a connector":                           {"a property with dots", inObject("kafka.strimzi.io/v1beta2", "KafkaConnector", "spec: {class: io.debezium.X, config: {database.hostname: "+host+"}}"), "spec.config[\"database.hostname\"] " + host},
		"a list of brokers of an operator":      {"several in one text", inObject("kafka.strimzi.io/v1beta2", "KafkaConnect", "spec: {bootstrapServers: 'a.dev.db.example.com:9092,"+host+":9092'}"), "spec.bootstrapServers " + host},
		"an application of Spark":               {"a container-like part", inObject("sparkoperator.k8s.io/v1beta2", "SparkApplication", "spec: {driver: {env: [{name: DB, value: "+host+"}]}, sparkConf: {spark.hadoop.fs.defaultFS: 's3a://prod-orders-dumps/'}}"), "spec.driver.env[0].value " + host + "; spec.sparkConf[\"spark.hadoop.fs.defaultFS\"] s3://prod-orders-dumps"},
		"a component of Dapr":                   {"metadata with names and values", inObject("dapr.io/v1alpha1", "Component", "spec: {type: state.redis, metadata: [{name: redisHost, value: '"+host+":6379'}]}"), "spec.metadata[0].value " + host},
		"a monitor":                             {"names of namespaces", inObject("monitoring.coreos.com/v1", "ServiceMonitor", "spec: {namespaceSelector: {matchNames: [payments]}}"), "spec.namespaceSelector.matchNames[0] payments NamespaceAcrossTiers"},
		"a scaler's address":                    {"metadata of a trigger", inObject("keda.sh/v1alpha1", "ScaledObject", "spec: {triggers: [{type: postgresql, metadata: {host: "+host+"}}]}"), "spec.triggers[0].metadata.host " + host},
		"a scaled Job":                          {"a Job's template under another name", inObject("keda.sh/v1alpha1", "ScaledJob", "spec: {jobTargetRef: {template: {spec: {containers: [{name: a, image: x, args: ["+host+":5432]}]}}}}"), "spec.jobTargetRef.template.spec.containers[0].args[0] " + host},
		"a kind that nobody knows":              {"kinds are not named in code", inObject("example.org/v7", "Whatever", "spec: {deep: {er: [{connection: 'postgres://u:p@"+host+"/o'}]}}"), "spec.deep.er[0].connection " + host},
		"a kind that nobody knows, a Pod in it": {"by its shape", inObject("example.org/v7", "Whatever", "spec: {runner: {podSpec: {containers: [{name: a, image: x, command: [sh, -c, 'psql -h orders.\"\"prod.db.example.com']}]}}}"), "spec.runner.podSpec.containers[0].command[2] " + host},
	})
}
