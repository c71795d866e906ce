package faults

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// certificateFaults are faults of what the API server knows the webhook by. Firebreak mends them itself.
func certificateFaults() []fault {
	return []fault{
		{name: "certificate near its end, renewed under the same authority", short: true, expect: seamless, inject: certify(24 * time.Hour), heal: renewed},
		{name: "certificate expired in its Secret", expect: mayFail, inject: certify(-time.Hour), heal: renewed},
		{name: "authority and certificate made anew", expect: mayFail, inject: forget, heal: renewed},
		{name: "authority replaced in the registrations", expect: mayFail, lasts: 3 * time.Second, inject: mistrust},
	}
}

func (x *scene) secret() (*corev1.Secret, error) {
	var out corev1.Secret
	if err := x.admin.Get(x.t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak-webhook-cert"}, &out); err != nil {
		return nil, fmt.Errorf("read the webhook's certificate: %w", err)
	}
	return &out, nil
}

// certify gives the webhook a certificate of its own authority that ends then.
func certify(ends time.Duration) func(*scene) error {
	return func(x *scene) error {
		secret, err := x.secret()
		if err != nil {
			return err
		}
		ca, err := tls.X509KeyPair(secret.Data["ca.crt"], secret.Data["ca.key"])
		if err != nil {
			return fmt.Errorf("use the authority's key: %w", err)
		}
		old, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		if err != nil {
			return fmt.Errorf("use the webhook's key: %w", err)
		}
		secret.Data["tls.crt"], secret.Data["tls.key"], err = issue(old.Leaf.DNSNames, ends, &ca)
		if err != nil {
			return err
		}
		x.injected = secret.Data["tls.crt"]
		return x.asFirebreak(secret)
	}
}

// asFirebreak writes the Secret as Firebreak's own account: of everybody else it would be denied. Its token is one that a kubelet
// gets for a replica.
func (x *scene) asFirebreak(secret *corev1.Secret) error {
	kubelet, err := kubernetes.NewForConfig(x.UserConfig("system:node:local-0", "system:nodes"))
	if err != nil {
		return fmt.Errorf("act as a kubelet: %w", err)
	}
	var pods corev1.PodList
	if err := x.admin.List(x.t.Context(), &pods, client.InNamespace(stage.Namespace), client.MatchingLabels{"app.kubernetes.io/name": "firebreak"}); err != nil || len(pods.Items) == 0 {
		return fmt.Errorf("look for a replica: %w", err)
	}
	pod := &pods.Items[0]
	token, err := kubelet.CoreV1().ServiceAccounts(stage.Namespace).CreateToken(x.t.Context(), "firebreak", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ask for a replica's token: %w", err)
	}
	cfg := rest.AnonymousClientConfig(x.AdminConfig())
	cfg.BearerToken = token.Status.Token
	own, err := x.Client(cfg)
	if err != nil {
		return err
	}
	return own.Update(x.t.Context(), secret)
}

// issue makes a certificate, signed by itself if there is no authority.
func issue(names []string, ends time.Duration, by *tls.Certificate) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(ends),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, any(private)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	} else {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), nil
}

// forget empties the Secret, so that nothing is left of the authority.
func forget(x *scene) error {
	secret, err := x.secret()
	if err != nil {
		return err
	}
	x.injected, secret.Data = secret.Data["tls.crt"], nil
	return x.asFirebreak(secret)
}

// mistrust has the API server trust somebody else.
func mistrust(x *scene) error {
	other, _, err := issue([]string{"other"}, time.Hour, nil)
	if err != nil {
		return err
	}
	bundle := base64.StdEncoding.EncodeToString(other)
	for kind, hooks := range map[string]int{"validatingwebhookconfiguration": 2, "mutatingwebhookconfiguration": 1} {
		patch := "["
		for i := range hooks {
			patch += fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/clientConfig/caBundle","value":%q},`, i, bundle)
		}
		if err := x.admins("patch", kind, "firebreak", "--type=json", "-p", patch[:len(patch)-1]+"]"); err != nil {
			return err
		}
	}
	return nil
}

// renewed waits until Firebreak has made another certificate, and every replica serves it.
func renewed(x *scene) error {
	await.NoError(x.t, "the certificate is renewed and served", func() error {
		secret, err := x.secret()
		if err != nil {
			return err
		}
		now := secret.Data["tls.crt"]
		if len(now) == 0 || bytes.Equal(now, x.injected) {
			return errors.New("it is not renewed")
		}
		want, _ := pem.Decode(now)
		for _, p := range x.Pods.Pods() {
			conn, err := tls.Dial("tcp", p.IP+":9443", &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only the serial number is looked at
			if err != nil {
				return fmt.Errorf("ask %s for its certificate: %w", p.Name, err)
			}
			got := conn.ConnectionState().PeerCertificates[0].Raw
			_ = conn.Close()
			if !bytes.Equal(got, want.Bytes) {
				return fmt.Errorf("%s serves another certificate", p.Name)
			}
		}
		return nil
	})
	return nil
}
