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
	case "except", "egressDeny", "ingressDeny", "exclude", "notPrincipals", "notNamespaces", "notIpBlocks", "notRemoteIpBlocks", "notHosts", "notValues",
		"notRequestPrincipals", "notServiceAccounts", "notNets", "notSelector":
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
	case "oss", "oci", "cos", "cosn", "obs", "swift", "b2":
		return scheme
	}
	return ""
}

// hostField: the fields in which only a host can stand, whatever it looks like.
func hostField(l string) bool {
	switch l {
	case "host", "hosts", "hostname", "hostnames", "externalname", "externalips", "addresses", "ip", "server", "monitors", "targetportal", "portals", "endpoint", "endpoints", "matchpattern", "matchname", "fqdn", "dnsname":
		return true
	}
	return false
}

// namespaceField: the fields that name namespaces, besides all that end in namespace.
func namespaceField(l string) bool {
	switch l {
	case "namespaces", "targetnamespaces", "sourcenamespaces", "watchnamespaces", "jobnamespaces", "namespacename", "namespacenames", "matchnames", "fromnamespaces",
		"allowednamespaces", "namespacesallow", "includednamespaces", "intons", "appns", "namespaceoverride", "tonamespaces":
		return true
	}
	return false
}

// ownWord: the last words of a key that holds something's own name, whatever stands before them: a prefix of brokers is not a broker.
func ownWord(w string) bool {
	switch w {
	case "prefix", "suffix", "version", "versions", "user", "users":
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

// hushWord: words that say it of what follows them in a name.
func hushWord(w string) hush {
	switch w {
	case "forbidden", "forbid", "deny", "denied", "denylist", "blocklist", "blacklist", "blacklisted", "block", "blocked", "banned", "disallowed", "prohibited",
		"exclude", "excluded", "excludes", "excluding", "exclusions", "except", "exceptions", "ignore", "ignored", "ignores", "refuse", "refused", "reject", "rejected":
		return hushAll
	case "whitelist", "allowlist", "trusted":
		return hushNumbers
	case "cors", "csrf":
		return hushShort
	case "email", "emails", "mail", "mails", "mailto", "sender", "recipient", "recipients", "replyto", "cc", "bcc", "contact", "contacts",
		"maintainer", "maintainers", "owner", "owners", "author", "authors", "notify":
		return hushMail
	}
	return 0
}

// authenticates: the last words of lines of pg_hba.conf, by which those who come in prove who they are.
func authenticates(w string) bool {
	switch w {
	case "trust", "reject", "md5", "scram-sha-256", "password", "gss", "sspi", "ident", "peer", "ldap", "radius", "cert", "pam", "bsd", "oauth":
		return true
	}
	return false
}

// neutral: words of hosts and of lists of them, which change nothing of what the word before them says.
func neutral(w string) bool {
	switch w {
	case "host", "hosts", "hostname", "hostnames", "url", "urls", "ip", "ips", "cidr", "cidrs", "range", "ranges", "subnet", "subnets", "domain", "domains", "address",
		"addresses", "name", "names", "list", "lists", "network", "networks", "namespaces", "servers", "endpoints", "destinations", "targets", "regex", "pattern", "patterns", "proxy", "proxies", "sources", "address_prefix", "addressprefix":
		return true
	}
	return false
}

// hushOnlyWord: words that say it where they are all of a name.
func hushOnlyWord(w string) hush {
	switch w {
	case "group", "groups", "apigroup", "apigroups", "apiversion", "registry", "repository", "provisioner", "driver", "controller":
		return hushPaths | hushWild
	case "from", "to":
		return hushMail
	case "origin", "origins":
		return hushShort
	}
	return 0
}

// hushLastWord: words that say it as the last of a name.
func hushLastWord(w string) hush {
	switch w {
	case "version", "versions", "ver", "tag", "tags", "digest", "checksum", "sha", "sha1", "sha256", "revision", "release", "major", "minor":
		return hushNumbers
	case "description", "descriptions", "summary", "comment", "comments", "documentation", "help", "title", "displayname", "note", "notes", "tooltip", "legend",
		"legendformat", "changelog", "readme", "expr", "promql", "logql", "principal", "principals", "realm", "realms", "keytab", "runbook", "playbook":
		return hushAll
	case "image", "images":
		return hushPaths | hushNumbers
	case "registry", "repository", "provisioner", "driver":
		return hushWild
	}
	return 0
}

// inbound: the directives by which servers say who may come in.
func inbound(w string) bool {
	switch w {
	case "allow", "deny", "set_real_ip_from", "require", "acl", "mynetworks", "access-control", "allow-query", "remoteiptrustedproxy", "remoteipinternalproxy", "remote_ip",
		"trusted_proxies", "hostssl", "hostnossl", "geo":
		return true
	}
	return false
}

// quietBlock: the maps of a file that say what an alert or a metric is called, and whom an alert is sent to.
func quietBlock(key string) bool {
	switch key {
	case "labels", "externallabels", "external_labels", "extralabels", "constlabels", "const_labels", "match", "match_re", "matchers", "equal",
		"source_match", "target_match", "source_matchers", "target_matchers", "sourcematch", "targetmatch", "sourcematchers", "targetmatchers":
		return true
	}
	return false
}

// alerting: the keys at the top of a file of rules, of routes of alerts, or of what is scraped.
func alerting(key string) bool {
	switch key {
	case "groups", "route", "receivers", "inhibit_rules", "scrape_configs", "static_configs", "rule_files":
		return true
	}
	return false
}

// clientOf: programs that are told by flags in which namespace of a cluster to act, which resource of a cloud to work on, or which path of a
// secret store to read; and other words beside which short names have a meaning.
func clientOf(program string) client {
	switch program {
	case "kubectl", "oc", "k3s", "microk8s", "helm", "helmfile", "flux", "stern", "velero", "istioctl", "linkerd", "kustomize", "k9s", "argo", "argocd", "tkn", "kn",
		"cmctl", "kubefwd", "virtctl", "kubecolor", "hubble", "devspace", "okteto", "werf", "skaffold", "kapp", "tilt", "telepresence", "kubectl-firebreak":
		return ofCluster
	case "aws", "gcloud", "gsutil", "az", "bq", "aliyun", "oci", "ibmcloud", "doctl":
		return ofCloud
	case "vault", "bao", "op", "chamber", "doppler", "conjur":
		return ofSecretStore
	case "ns", "project", "namespaces", "fromhost", "secrets", "configmaps", "invoke", "kubernetescrd", "accountname", "arn", "kubens", "iqn":
		return mark
	}
	return noClient
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

// article: words that stand in sentences, and hardly ever in what programs read.
func article(w string) bool {
	switch w {
	case "the", "a", "an", "is", "are", "was", "were", "be", "been", "of", "this", "that", "these", "please", "see", "our", "we", "you", "your", "its", "has",
		"have", "will", "must", "should", "when", "where", "which", "on", "off", "onto", "about":
		return true
	}
	return false
}

// firewallWord: words of rules that else read like sentences: tcp dport 443 dnat to an address.
func firewallWord(w string) bool {
	switch w {
	case "dnat", "snat", "daddr", "saddr", "dport", "sport", "rdr", "rdr-to", "nat-to":
		return true
	}
	return false
}

// firewallProgram: the programs that tell a firewall or the table of routes something.
func firewallProgram(w string) bool {
	switch w {
	case "iptables", "ip6tables", "iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft", "nft", "ufw", "ip", "route":
		return true
	}
	return false
}

// ruleWord: the words with which a rule of nftables begins.
func ruleWord(w string) bool {
	switch w {
	case "ip", "ip6", "tcp", "udp", "meta", "ct", "iif", "oif", "iifname", "oifname", "add", "insert":
		return true
	}
	return false
}

// sendsOn: what rules of nftables do with traffic but to accept or refuse it, and where they say that by a table.
func sendsOn(w string) bool {
	switch w {
	case "dnat", "snat", "redirect", "dup", "fwd", "tproxy", "vmap", "map":
		return true
	}
	return false
}

// leadsNowhere: the types of routes that refuse.
func leadsNowhere(w string) bool {
	switch w {
	case "blackhole", "unreachable", "prohibit":
		return true
	}
	return false
}

// daemon: the words with which a line of hosts.allow begins.
func daemon(w string) bool {
	switch w {
	case "ALL", "sshd", "vsftpd":
		return true
	}
	return false
}

// link: words that stand in sentences, and now and then in what programs read.
func link(w string) bool {
	switch w {
	case "and", "or", "for", "with", "from", "at", "it", "as", "by", "to", "in", "into", "after", "before", "not", "no":
		return true
	}
	return false
}

// metricLabel: the labels by which metrics of hosts and namespaces are chosen.
func metricLabel(name string) bool {
	switch name {
	case "instance", "job", "namespace", "pod", "service", "target", "node", "host", "container", "exported_namespace", "cluster", "server":
		return true
	}
	return false
}

// siteWord: words of a name that say that its value is the address of a site.
func siteWord(w string) bool {
	switch w {
	case "domain", "domains", "site", "sites", "public", "external", "origin", "origins":
		return true
	}
	return false
}

// protocol: words that stand before a host and a colon.
func protocol(w string) bool {
	switch w {
	case "tcp", "udp", "tls", "ssl", "http", "https", "ws", "wss", "grpc", "amqp", "redis", "host", "server":
		return true
	}
	return false
}
