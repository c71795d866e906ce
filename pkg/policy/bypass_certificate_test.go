package policy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"testing"
)

// TestBypassCertificate tries certificates of an account's name: their holder has what RBAC gives the account, a token of which would be
// refused.
func TestBypassCertificate(t *testing.T) {
	runRequests(t, map[string]request{
		"Firebreak's own account": {
			reason: "it may write what nobody else may", header: by("bob"), objects: certificateRequest(t, "system:serviceaccount:firebreak-system:firebreak"),
			want: "GrantAcrossTiers",
		},
		"a controller's account": {
			reason: "it may give any right", header: by("bob"), objects: certificateRequest(t, "system:serviceaccount:kube-system:clusterrole-aggregation-controller"),
			want: "GrantAcrossTiers",
		},
		"a launcher's account":      {reason: "its Jobs need no window", header: by("bob"), objects: certificateRequest(t, "system:serviceaccount:airflow:scheduler"), want: "GrantAcrossTiers"},
		"another of kube-system":    {reason: "it is no controller", header: by("bob"), objects: certificateRequest(t, "system:serviceaccount:kube-system:coredns"), want: "admitted"},
		"an account of development": {reason: "it is nothing in production", header: by("dora"), objects: certificateRequest(t, "system:serviceaccount:dev:builder"), want: "admitted"},
	})
}

func certificateRequest(t *testing.T, name string, groups ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Organization: groups}}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	return fmt.Sprintf(`{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: c}, spec: {signerName: kubernetes.io/kube-apiserver-client, request: %s, usages: [client auth]}}`, request)
}
