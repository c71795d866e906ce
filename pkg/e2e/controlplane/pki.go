package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certLifetime is longer than any control plane lives.
const certLifetime = 30 * 24 * time.Hour

// keyPair is a certificate and its key, in PEM.
type keyPair struct {
	cert, key []byte
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  keyPair
}

func newAuthority(name string) (*authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	cert, key, pair, err := issue(template, nil)
	if err != nil {
		return nil, fmt.Errorf("making the authority %s: %w", name, err)
	}
	return &authority{cert: cert, key: key, pem: pair}, nil
}

// client issues a certificate that names a user and its groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	_, _, pair, err := issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a)
	if err != nil {
		return keyPair{}, fmt.Errorf("making a client certificate for %q: %w", user, err)
	}
	return pair, nil
}

// server issues a certificate for a server's names and addresses.
func (a *authority) server(names []string, ips ...net.IP) (keyPair, error) {
	_, _, pair, err := issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		DNSNames:    names,
		IPAddresses: ips,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a)
	if err != nil {
		return keyPair{}, fmt.Errorf("making a server certificate for %s: %w", names[0], err)
	}
	return pair, nil
}

// issue completes template and signs it, with its own key if there is no authority.
func issue(template *x509.Certificate, by *authority) (*x509.Certificate, crypto.Signer, keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, keyPair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, keyPair{}, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // so that a clock set back a little does no harm
	template.NotAfter = time.Now().Add(certLifetime)
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, keyPair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, keyPair{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, nil, keyPair{}, err
	}
	return cert, key, keyPair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: keyPEM}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// write puts the pair into base.crt and base.key.
func (k keyPair) write(base string) error {
	if err := os.WriteFile(base+".crt", k.cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(base+".key", k.key, 0o600)
}

// pki holds a control plane's authorities. Its files are in one folder.
type pki struct {
	ca *authority // signs server and client certificates, as kubeadm's does
}

// newPKI creates every certificate and key that the components read from files: ca, server, front-proxy-ca, front-proxy-client and
// service-account.
func newPKI(dir string, ip net.IP) (*pki, error) {
	ca, err := newAuthority("kubernetes")
	if err != nil {
		return nil, err
	}
	frontCA, err := newAuthority("front-proxy-ca")
	if err != nil {
		return nil, err
	}
	frontClient, err := frontCA.client("front-proxy-client")
	if err != nil {
		return nil, err
	}
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	server, err := ca.server(names, ip)
	if err != nil {
		return nil, err
	}
	// The components use only its key.
	serviceAccount, err := newAuthority("service-account")
	if err != nil {
		return nil, err
	}
	for name, pair := range map[string]keyPair{
		"ca": ca.pem, "front-proxy-ca": frontCA.pem, "front-proxy-client": frontClient,
		"server": server, "service-account": serviceAccount.pem,
	} {
		if err := pair.write(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("writing the certificate %s: %w", name, err)
		}
	}
	return &pki{ca: ca}, nil
}

// trust returns a TLS configuration that accepts the control plane's servers.
func (p *pki) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(p.ca.cert)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
