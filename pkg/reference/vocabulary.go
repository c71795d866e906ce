package reference

import "strings"

// The words by which texts are read. Each list is one function, which reports whether a word is on it; a row of
// testdata/vocabulary.tsv holds each word, and a test is red where one of both lacks the other.

// isIgnoredField: fields that name the object's own parts, or that are written for people.
func isIgnoredField(key string) bool {
	switch key {
	case "name", "apiVersion", "apiGroup", "apiGroups", "kind", "labels", "labelSelector", "finalizers", "ownerReferences",
		"image", "description", "documentation", "summary", "help", "title", "comment", "displayName", "openAPIV3Schema", "creationTimestamp",
		"managedFields", "uid", "resourceVersion", "fieldPath", "protocol", "caBundle", "nodeName", "clusterIP", "clusterIPs", "loadBalancerSourceRanges", "notes":
		return true
	}
	return false
}

// keptOut: fields of a route or a policy that say whom it does not concern.
func keptOut(key string) bool {
	switch key {
	case "except", "egressDeny", "ingressDeny", "exclude":
		return true
	}
	return false
}

// handleKey: the fields by which a volume's driver finds it, in the cloud's or the array's own words.
func handleKey(l string) bool {
	switch l {
	case "volumehandle", "volumeid", "pdname", "pdid", "diskname", "diskuri", "fsid", "filesystemid", "sharename", "datasetname", "datasetuuid",
		"volume", "share", "iqn", "targetwwns", "wwids", "volumepath", "location", "source", "snapshothandle", "subsystemnqn":
		return true
	}
	return false
}

// credential reports whether a key of this name holds a password or a user, which are no hosts whatever they look like.
func credential(name string) bool {
	switch strings.ToLower(strings.TrimLeft(name, "-")) {
	case "password", "passwd", "pwd", "pass", "secret", "token", "user", "username", "uid", "user id", "passphrase":
		return true
	}
	return false
}

// muteWord: a word of a name that says what else the value is.
func muteWord(w string) bool {
	switch w {
	case "version", "versions", "tag", "image", "topic", "topics", "topicname", "table", "tables", "schema", "collection", "metric", "metrics", "logger", "class",
		"classname", "package", "packages", "module", "event", "events", "label", "labels", "regex", "pattern", "checksum", "digest", "sha", "revision", "release",
		"queue", "queues", "subject", "subjects", "routing", "scope", "cookie", "statsd", "consumer", "dataset", "permission", "contact", "email", "mail", "owner", "build":
		return true
	}
	return false
}

func hostWord(w string) bool {
	switch w {
	case "h", "host", "hosts", "hostname", "hostnames", "addr", "addrs", "address", "addresses", "server", "servers",
		"servername", "endpoint", "endpoints", "url", "urls", "uri", "uris", "broker", "brokers", "bootstrap", "dsn",
		"jdbc", "nodes", "seeds", "peers", "contactpoints", "hostaddr", "dbhost", "pghost", "pghostaddr", "databaseurl":
		return true
	}
	return false
}

// changesObjects reports whether a word is a verb by which a client changes what there is. Whoever only looks at all namespaces
// points at none in particular.
func changesObjects(w string) bool {
	switch w {
	case "delete", "apply", "create", "replace", "patch", "edit", "scale", "annotate", "label", "rollout", "set", "drain", "exec", "expose", "autoscale", "run",
		"upgrade", "install", "uninstall", "rollback", "suspend", "resume", "reconcile", "stop", "terminate", "retry", "resubmit", "submit":
		return true
	}
	return false
}

// documents: words of the names of annotations that are written for people.
func documents(word string) bool {
	switch strings.TrimSuffix(word, "s") {
	case "description", "documentation", "checksum", "changelog", "maintainer", "support", "contact", "runbook", "link", "repository", "homepage",
		"icon", "note", "summary", "message":
		return true
	}
	return false
}

// bucketSchemes maps the spellings of a scheme to one.
func bucketScheme(scheme string) string {
	switch scheme {
	case "s3", "s3a", "s3n":
		return "s3"
	case "gs", "gcs":
		return "gs"
	case "wasb", "wasbs", "abfs", "abfss":
		return "azure"
	case "oss", "cos", "cosn", "obs", "swift", "b2":
		return scheme
	}
	return ""
}

// hostField: the fields in which only a host can stand, whatever it looks like.
func hostField(l string) bool {
	switch l {
	case "host", "hosts", "hostname", "hostnames", "externalname", "externalips", "addresses", "ip", "server", "monitors", "targetportal", "portals", "endpoint", "endpoints":
		return true
	}
	return false
}

// namespaceField: the fields that name namespaces, besides all that end in namespace.
func namespaceField(l string) bool {
	switch l {
	case "namespaces", "targetnamespaces", "sourcenamespaces", "watchnamespaces", "jobnamespaces", "namespacename", "namespacenames", "matchnames", "fromnamespaces",
		"allowednamespaces", "namespacesallow", "includednamespaces", "intons", "appns", "namespaceoverride":
		return true
	}
	return false
}

// nameWord: the last words of a key that holds a name of something's own.
func nameWord(w string) bool {
	switch w {
	case "name", "names", "prefix", "app", "id", "key", "number":
		return true
	}
	return false
}

// unspeakingWord: words of a key that holds what reaches nothing, even where it is a full name.
func unspeakingWord(w string) bool {
	switch w {
	case "version", "versions", "tag", "image", "checksum", "digest", "sha", "email", "mail", "owner", "class", "classname", "package", "packages",
		"logger", "module", "regex", "pattern", "label", "labels":
		return true
	}
	return false
}

// clusterClient: programs that are told by flags in which namespace of a cluster to act.
func clusterClient(program string) bool {
	switch program {
	case "kubectl", "oc", "k3s", "microk8s", "helm", "helmfile", "flux", "stern", "velero", "istioctl", "linkerd", "kustomize", "k9s", "argo", "argocd", "tkn", "kn",
		"cmctl", "kubefwd", "skaffold", "kapp", "tilt", "telepresence", "kubectl-firebreak":
		return true
	}
	return false
}

// cloudClient: programs that are told which resource of a cloud to work on.
func cloudClient(program string) bool {
	switch program {
	case "aws", "gcloud", "gsutil", "az", "bq", "aliyun", "oci", "ibmcloud", "doctl":
		return true
	}
	return false
}

// storeClient: programs that read paths of a secret store.
func storeClient(program string) bool {
	switch program {
	case "vault", "bao", "op", "chamber", "doppler", "conjur":
		return true
	}
	return false
}

// namespacesOfItsOwn: programs whose --namespace is one of another system.
func namespacesOfItsOwn(program string) bool {
	switch program {
	case "temporal", "tctl", "aws", "nomad", "vault", "consul":
		return true
	}
	return false
}

// namespaceKind: how clients of Kubernetes call the kind of namespaces, in kind/name.
func namespaceKind(l string) bool {
	switch l {
	case "ns", "namespace", "namespaces", "namespaces.v1", "namespaces.v1.", "project", "projects":
		return true
	}
	return false
}
