package insider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A certificate makes whoever has it the person that it names. A member of production may ask for one of his own name;
// one of another name would be the second person that approves.
func TestSamCannotMakeHimselfASecondPerson(t *testing.T) {
	const hole = "sam creates the request and approves it himself, shows the certificate as that person, approves his own window, and the Job runs. " +
		"Case.certificateGrants admits whatever a member of any Production environment asks for or approves (pkg/policy/certificate.go); " +
		"it could refuse a member any name but his own, and the approval of what he has asked for himself"
	for name, tc := range map[string]struct {
		reason, name string
		groups       []string
		want, hole   string
	}{
		"robin":               {"the approver", robin, []string{"sre", "approvers"}, open, hole},
		"a name of nobody's":  {"the group may approve", "pat", []string{"sre", "approvers"}, open, hole},
		"himself as approver": {"a group that he is not of", sam, []string{"sre", "approvers"}, open, hole},
		"a node":              {"requests of nodes are not sent to Firebreak", "system:node:x", []string{"system:nodes"}, open, hole},
		"himself as a node":   {"so are those of everybody in their group", sam, []string{"sre", "system:nodes"}, open, hole},
		"an administrator": {
			"who is bound by nothing", "root", []string{"system:masters"},
			`certificatesigningrequests.certificates.k8s.io "second" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			tryOut(t, func() error {
				return as(t, sam).Create(t.Context(), certificateOf(t, tc.name, tc.groups...), client.DryRunAll)
			}, tc.want, tc.hole)
		})
	}
}

func certificateOf(t *testing.T, name string, groups ...string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Organization: groups}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "second"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: "kubernetes.io/kube-apiserver-client",
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}
}
