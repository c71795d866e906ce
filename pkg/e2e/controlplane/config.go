package controlplane

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
)

// adminUser is the user that sets a cluster up. Kubernetes itself binds its group to every permission.
const (
	adminUser  = "kubernetes-admin"
	adminGroup = "system:masters"
)

// tokenLifetime is longer than any test and demo.
const tokenLifetime = 24 * time.Hour

// writeTokens writes the API server's token file and returns the tokens by username.
func writeTokens(path string, users []User) (map[string]string, error) {
	tokens := map[string]string{}
	var text strings.Builder
	w := csv.NewWriter(&text)
	for _, u := range users {
		tokens[u.Name] = rand.Text()
		record := []string{tokens[u.Name], u.Name, u.UID}
		if len(u.Groups) > 0 { // an empty column would be a group without a name
			record = append(record, strings.Join(u.Groups, ","))
		}
		if slices.ContainsFunc(u.Groups, func(group string) bool { return strings.Contains(group, ",") }) {
			return nil, fmt.Errorf("user %q: the token file cannot hold a group with a comma", u.Name)
		}
		if err := w.Write(record); err != nil {
			return nil, fmt.Errorf("writing the token of %q: %w", u.Name, err)
		}
	}
	w.Flush()
	return tokens, errors.Join(w.Error(), writeFile(path, text.String()))
}

// AdminConfig returns a configuration for setting a cluster up: user kubernetes-admin, group system:masters.
func (c *ControlPlane) AdminConfig() *rest.Config {
	return c.UserConfig(adminUser, adminGroup)
}

func (c *ControlPlane) adminClient() (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(c.AdminConfig())
}

// UserConfig returns a configuration that acts as a user. Without groups, a user of Options.Users is known by their token, with
// their UID and groups. Any other user gets a client certificate with that name and those groups, and has no UID. Requests fail if
// a certificate cannot hold the name (it is not UTF-8).
func (c *ControlPlane) UserConfig(name string, groups ...string) *rest.Config {
	config := c.baseConfig()
	if token, ok := c.tokens[name]; ok && len(groups) == 0 {
		config.BearerToken = token
		return config
	}
	pair, err := c.pki.ca.client(name, groups...)
	if err != nil {
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return failingTransport{err} })
		return config
	}
	config.CertData, config.KeyData = pair.cert, pair.key
	return config
}

// failingTransport returns, at the first request, the error of UserConfig, which returns no error itself.
type failingTransport struct{ err error }

func (t failingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, t.err }

// ServiceAccountConfig returns a configuration that acts as a service account. The API server issues the token as it does for Pods,
// but binds it to no Pod. The service account must exist.
func (c *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	admin, err := c.adminClient()
	if err != nil {
		return nil, err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: ptr.To(int64(tokenLifetime.Seconds())),
	}}
	answer, err := admin.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for service account %s/%s: %w", namespace, name, err)
	}
	config := c.baseConfig()
	config.BearerToken = answer.Status.Token
	return config, nil
}

// baseConfig knows the API server, but has no user to act as. It has no client-side rate limit, so that a test sees only the
// server's behaviour.
func (c *ControlPlane) baseConfig() *rest.Config {
	return &rest.Config{
		Host:            c.apiServerURL(),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.pki.ca.pem.cert},
		QPS:             -1,
	}
}

// Kubeconfig writes a kubeconfig file that acts as config does, with the namespace as its default ("default" if empty). The file is
// in the scratch folder and is removed with it.
func (c *ControlPlane) Kubeconfig(config *rest.Config, namespace string) (string, error) {
	dir, err := c.scratch.mkdir("kubeconfig")
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "*.yaml")
	if err != nil {
		return "", fmt.Errorf("making a kubeconfig file: %w", err)
	}
	if err := file.Close(); err != nil {
		return "", err
	}
	return file.Name(), writeKubeconfig(file.Name(), config, namespace)
}

func writeKubeconfig(path string, config *rest.Config, namespace string) error {
	const name = "firebreak" // of cluster, user and context alike
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token: config.BearerToken, TokenFile: config.BearerTokenFile,
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
		Impersonate: config.Impersonate.UserName, ImpersonateUID: config.Impersonate.UID,
		ImpersonateGroups: config.Impersonate.Groups, ImpersonateUserExtra: config.Impersonate.Extra,
	}
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	file.CurrentContext = name
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		return fmt.Errorf("writing a kubeconfig file: %w", err)
	}
	return nil
}
