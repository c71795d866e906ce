package reference

import (
	"net/netip"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// keeps reports whether a silent field is somebody's own name for what lies below it. What Kubernetes calls so has texts alone, or
// names nothing.
func keeps(key string, v any) bool {
	switch key {
	case "openAPIV3Schema", "managedFields", "ownerReferences", "finalizers", "apiGroups", "clusterIPs", "loadBalancerSourceRanges":
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			if _, text := below.(string); !text || key != "labels" {
				return !isSelector(v)
			}
		}
	case []any:
		for _, item := range v {
			if _, text := item.(string); !text {
				return true
			}
		}
	case workload.Text:
		return !wordless(key)
	}
	return false
}

func isSelector(m map[string]any) bool {
	_, labels := m["matchLabels"]
	_, expressions := m["matchExpressions"]
	return labels || expressions
}

// wordless: silent fields that hold no name even where they look like one: prose, images, and what the API server fills in.
func wordless(key string) bool {
	switch key {
	case "name", "protocol":
		return false
	}
	return true
}

// namesSecretKey: fields whose {name, key} is that of a Secret.
func namesSecretKey(l string) bool {
	for _, word := range []string{"password", "token", "credential", "accesskey", "secretkey", "username", "auth", "privatekey", "key"} {
		if strings.Contains(l, word) {
			return true
		}
	}
	return false
}

func roleKey(l string) bool {
	return strings.HasSuffix(l, "rolearn") || strings.HasSuffix(l, "iamrole") || l == "gcpserviceaccount" || l == "clientid"
}

// position: the fields in which only a host can stand, whatever it looks like.
func position(key string) Position {
	if hostField(strings.ToLower(key)) {
		return HostPosition
	}
	return Value
}

func namespaceKey(l string) bool {
	if strings.HasSuffix(l, "namespace") && !foreign(l) {
		return true
	}
	return namespaceField(l)
}

func secretNameKey(l string) bool {
	l = strings.TrimSuffix(l, "s")
	for _, suffix := range []string{"secret", "secretname", "secret-name", "secret_name", "secretref", "secret-ref", "secret_ref", "credentialname"} {
		if strings.HasSuffix(l, suffix) {
			return true
		}
	}
	return false
}

// storeKey: where ExternalSecrets, SecretProviderClasses and their like say which entry of a store they read.
func storeKey(l, above string) bool {
	switch l {
	case "key":
		return above == "remoteref" || above == "extract"
	case "secretpath", "objectname", "vaultpath", "secretkeypath", "path", "remotekey", "property":
		return l != "path" && l != "property" || strings.Contains(above, "vault") || above == "kv" || above == "find"
	}
	return false
}

// isAddress reports whether a text is an address or a range of them, and nothing else.
func isAddress(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(text)
	return err == nil
}

// foreign reports whether the name of a field says that its namespace is one of metrics or of another system, or is left out.
func foreign(l string) bool {
	for w := range strings.FieldsSeq("metric exclud ignor temporal cadence eventhub servicebus pulsar vault consul nomad nacos redis topic") {
		if strings.Contains(l, w) {
			return true
		}
	}
	return false
}
