package page

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/firebreak-dev/firebreak/pkg/e2e/browser"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// issuer is an issuer of OpenID Connect on loopback, at which the user whom a test names is signed in already.
type issuer struct {
	*mockoidc.MockOIDC
	// authority and secret are files with its certificate and with the client's secret.
	authority, secret string
}

// newIssuer starts an issuer, and writes its files into a folder.
func newIssuer(dir string) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	i := &issuer{authority: filepath.Join(dir, "ca.crt"), secret: filepath.Join(dir, "secret")}
	if i.MockOIDC, err = mockoidc.NewServer(nil); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	if err := i.Start(tls.NewListener(l, cfg), cfg); err != nil {
		return nil, err
	}
	if err := os.WriteFile(i.secret, []byte(i.ClientSecret), 0o600); err != nil {
		return nil, err
	}
	return i, os.WriteFile(i.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600)
}

// deploy serves the page as the chart's Deployment does, and returns its address.
func deploy(t *testing.T, args ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, the.UserConfig("wallboard", "pages"), append([]string{"--serve", at, "--url", "http://" + at, "--cluster-name", "prod-eu-1"}, args...)...)
	return "http://" + at + "/"
}

func (i *issuer) flags() []string {
	return []string{"--oidc-issuer", i.Issuer(), "--oidc-client-id", i.ClientID, "--oidc-client-secret-file", i.secret, "--oidc-ca-file", i.authority}
}

// Whoever signs in acts as themselves: the API server sees their own token, and nothing of the page's.
func TestSignIn(t *testing.T) {
	b := browser.Start(t)
	window, _ := request(t, stage.SRE, "reindex-oidc", "approved over the page in the cluster")
	at := deploy(t, trusted.flags()...)
	trusted.QueueUser(&mockoidc.MockUser{Subject: "1", PreferredUsername: stage.SecondSRE, Groups: []string{"sre", "approvers"}})
	b.Open(at + "c/prod-eu-1/window/payments/" + window)
	b.Says("main", "Your decision", "approved over the page in the cluster")
	b.Type("#environment", "production")
	b.Click("button.approve")
	b.Says(".done", "You have approved this window.")
	out, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "changeapprovals", "-n", "payments", "-o", "jsonpath={range .items[*]}{.spec.window.name} {.spec.approver.username}{\"\\n\"}{end}")
	if err != nil || !strings.Contains(out, window+" "+stage.SecondSRE+"\n") {
		t.Errorf("it is not robin who approved: %v\n%s", err, out)
	}
	b.Click(".signout button")
	b.Says("body", "You are signed out.")
	// Signed out, one is asked again: this time it is somebody who may not approve.
	trusted.QueueUser(&mockoidc.MockUser{Subject: "2", PreferredUsername: stage.Developer, Groups: []string{"developers"}})
	b.Open(at + "c/prod-eu-1/window/payments/" + window)
	b.Says("main", "You do not hold the right to approve here")
}

// Where the API server does not take the token, the page shows what a wallboard shows, with commands.
func TestSignInElsewhere(t *testing.T) {
	b := browser.Start(t)
	window, _ := request(t, stage.SRE, "reindex-elsewhere", "seen by a stranger")
	other, err := newIssuer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Shutdown() })
	at := deploy(t, other.flags()...)
	other.QueueUser(&mockoidc.MockUser{Subject: "3", PreferredUsername: stage.SecondSRE, Groups: []string{"sre"}})
	b.Open(at)
	b.Says("main", "the API server does not take the token with which you signed in", "production")
	b.Open(at + "c/prod-eu-1/window/payments/" + window)
	said := b.Says("main", "You can decide with your own kubeconfig", "kubectl firebreak approve "+window+" -n payments")
	if strings.Contains(said, "orders.prod.db") || browser.Evaluate[bool](b, "!!document.querySelector('button.approve')") {
		t.Errorf("the plan is shown, or a button that cannot act:\n%s", said)
	}
}

// A wallboard needs no signing in, and shows nothing of what windows would run.
func TestWallboard(t *testing.T) {
	b := browser.Start(t)
	window, _ := request(t, stage.SRE, "reindex-wall", "on the wall")
	at := deploy(t, "--wallboard")
	b.Open(at)
	b.Says("main", "production")
	b.Shot("wallboard")
	b.Open(at + "c/prod-eu-1/waiting")
	if said := b.Says("main", "Waiting for an approval", "kubectl firebreak approve "+window+" -n payments"); strings.Contains(said, "orders.prod.db") {
		t.Errorf("the plan is shown:\n%s", said)
	}
	b.Open(at + "c/prod-eu-1/calendar")
	b.Says("main", "payments/"+window)
	host := strings.TrimSuffix(strings.TrimPrefix(at, "http://"), "/")
	for _, path := range []string{"c/prod-eu-1/window/payments/" + window, "c/prod-eu-1/estate", "c/prod-eu-1/changes"} {
		if status, _ := ask(t, at+path, "GET", host, ""); status != 404 {
			t.Errorf("%s is answered %d", path, status)
		}
	}
	if status, _ := ask(t, fmt.Sprintf("%sc/prod-eu-1/window/payments/%s/approve", at, window), "POST", host, "http://"+host); status != 404 && status != 405 {
		t.Errorf("approving is answered %d", status)
	}
}
