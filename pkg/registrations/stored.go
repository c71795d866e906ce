package registrations

import (
	"fmt"
	"path"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StaticName is the ConfigMap in which the server keeps the files that API servers load from their disk.
const StaticName = "firebreak-static-files"

// inKey stands for the slash of a path in a key of the ConfigMap, where none may stand.
const inKey = "__"

// StaticConfigMap returns the ConfigMap that holds files. The API server refuses one of more than 1 MiB.
func StaticConfigMap(namespace string, files map[string][]byte) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: StaticName}, Data: map[string]string{}}
	for name, content := range files {
		cm.Data[strings.ReplaceAll(name, "/", inKey)] = string(content)
	}
	return cm
}

// StaticFiles returns the files that a ConfigMap holds, by their paths below the folder. The error tells of a path that leads out of it.
func StaticFiles(cm *corev1.ConfigMap) (map[string][]byte, error) {
	files := map[string][]byte{}
	for key, content := range cm.Data {
		name := strings.ReplaceAll(key, inKey, "/")
		if path.Clean("/"+name) != "/"+name {
			return nil, fmt.Errorf("ConfigMap %q holds %q, which is not the name of a file", cm.Name, key)
		}
		files[name] = []byte(content)
	}
	if files[AdmissionFile] == nil {
		return nil, fmt.Errorf("ConfigMap %q does not hold %s: it is not what the server writes", cm.Name, AdmissionFile)
	}
	return files, nil
}

// CABundle returns the certificate authority in a registration, in PEM, and nil if there is none yet.
func CABundle(v *admissionregistrationv1.ValidatingWebhookConfiguration) []byte {
	for i := range v.Webhooks {
		if ca := v.Webhooks[i].ClientConfig.CABundle; len(ca) > 0 {
			return ca
		}
	}
	return nil
}
