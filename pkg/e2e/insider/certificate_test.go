package insider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A certificate makes its holder the person that it names. A member of production may ask for a certificate of their own name; one
// of another name would provide the second person that approves.
func TestSamCannotMakeHimselfASecondPerson(t *testing.T) {
	second := func(name, groups string) string {
		return ofGrant("let people sign in as themselves, and renew their own certificate for a day at most (spec.expirationSeconds)",
			fmt.Sprintf(`is for a certificate of user %q in groups [%s], a member of "production", and whoever has it is that user`, name, groups))
	}
	node := func(name, groups string) string {
		return ofGrant("ask signer kubernetes.io/kube-apiserver-client-kubelet, as system:node:NAME in group system:nodes alone",
			fmt.Sprintf("is for a certificate of user %q in groups [%s], and what nodes send is not judged", name, groups))
	}
	for name, tc := range map[string]struct {
		reason, name string
		groups       []string
		want         string
	}{
		"robin":               {"the approver", robin, []string{"sre", "approvers"}, second(robin, `"sre" "approvers"`)},
		"a name of nobody's":  {"the group may approve", "pat", []string{"sre", "approvers"}, second("pat", `"sre" "approvers"`)},
		"himself as approver": {"a group that he is not of", sam, []string{"sre", "approvers"}, second(sam, `"sre" "approvers"`)},
		"a node":              {"requests of nodes are not sent to Firebreak", "system:node:x", []string{"system:nodes"}, node("system:node:x", `"system:nodes"`)},
		"himself as a node":   {"so are those of everybody in their group", sam, []string{"sre", "system:nodes"}, node(sam, `"sre" "system:nodes"`)},
		"a node of his group": {"it has his rights, and a name of a node", "system:node:sam", []string{"sre", "system:nodes"}, node("system:node:sam", `"sre" "system:nodes"`)},
		"an administrator": {
			"who is bound by nothing", "root", []string{"system:masters"},
			`certificatesigningrequests.certificates.k8s.io "second" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, as(t, sam).Create(t.Context(), certificateOf(t, tc.name, tc.groups...), client.DryRunAll), tc.want)
		})
	}
}

func ofGrant(remedy, says string) string {
	return byWebhook(`certificatesigningrequests.certificates.k8s.io "second"`, remedy+" (GrantAcrossTiers: spec.request "+says+")")
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
