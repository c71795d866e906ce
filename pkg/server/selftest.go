package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// SelfTest is `firebreak selftest`, which `helm test` runs. It sends requests to an installed server, as the API server
// would, and needs no rights in the cluster.
type SelfTest struct {
	// URL is that of the webhook, without a path.
	URL string
	// CAFile is the file with the certificate that signs the webhook's.
	CAFile string
	// Timeout is for how long a failing check is tried again.
	Timeout time.Duration
}

// Flags registers the options.
func (s *SelfTest) Flags(f *pflag.FlagSet) {
	f.StringVar(&s.URL, "url", s.URL, "where the webhook answers: https://host:port, without path (required)")
	f.StringVar(&s.CAFile, "ca-file", s.CAFile, "file with the certificate that the webhook's is signed by (required)")
	f.DurationVar(&s.Timeout, "timeout", 30*time.Second, "for how long what fails is tried again")
}

// Run writes its findings to out. Its error names the first failure.
func (s *SelfTest) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	for {
		err := s.once(ctx, out)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (s *SelfTest) once(ctx context.Context, out io.Writer) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	var said strings.Builder
	for _, check := range []func(context.Context, *http.Client, io.Writer) error{s.registered, s.admits, s.refuses} {
		if err := check(ctx, c, &said); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, said.String())
	return err
}

func (s *SelfTest) client() (*http.Client, error) {
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("--ca-file %s holds no certificate", s.CAFile)
	}
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
	}, nil
}

// reported is a replica's report on the webhook registrations.
type reported struct {
	// Missing are the webhooks to which the API server sends nothing.
	Missing []string `json:"missing"`
}

func (s *SelfTest) registered(ctx context.Context, c *http.Client, out io.Writer) error {
	var r reported
	if err := s.ask(ctx, c, http.MethodGet, registrationsPath, nil, &r); err != nil {
		return err
	}
	if len(r.Missing) > 0 {
		return fmt.Errorf("the API server sends nothing to %s: the registration is gone, and helm upgrade brings it back", strings.Join(r.Missing, ", "))
	}
	fmt.Fprintln(out, "ok: the API server sends to every webhook")
	return nil
}

func (s *SelfTest) admits(ctx context.Context, c *http.Client, out io.Writer) error {
	a, err := s.judge(ctx, c, `{"tier":"NonProduction"}`)
	if err != nil {
		return err
	}
	if !a.Allowed {
		return fmt.Errorf("an environment in which nothing is wrong is refused: %v", a.Result)
	}
	fmt.Fprintln(out, "ok: what is allowed is admitted")
	return nil
}

func (s *SelfTest) refuses(ctx context.Context, c *http.Client, out io.Writer) error {
	a, err := s.judge(ctx, c, `{"tier":"NonProduction","nodes":{"selector":{"matchExpressions":[{"key":"a","operator":"Like"}]}}}`)
	if err != nil {
		return err
	}
	if a.Allowed || a.Result == nil {
		return errors.New("an environment that is malformed is admitted: what answers is not Firebreak")
	}
	fmt.Fprintf(out, "ok: what is malformed is refused: %s\n", a.Result.Message)
	return nil
}

// judge sends the creation of an environment to be judged, as a dry run.
func (s *SelfTest) judge(ctx context.Context, c *http.Client, spec string) (*admissionv1.AdmissionResponse, error) {
	dry := true
	gvk := v1alpha1.GVK(v1alpha1.KindEnvironment)
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "selftest", Operation: admissionv1.Create, Name: "selftest", DryRun: &dry,
			Kind:     metav1.GroupVersionKind(gvk),
			Resource: metav1.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: "environments"},
			UserInfo: authenticationv1.UserInfo{Username: "firebreak-selftest"},
			Object: runtime.RawExtension{Raw: fmt.Appendf(nil, `{"apiVersion":%q,"kind":"Environment","metadata":{"name":"selftest"},"spec":%s}`,
				gvk.GroupVersion(), spec)},
		},
	}
	body, err := json.Marshal(review)
	if err != nil {
		return nil, fmt.Errorf("encode the review: %w", err)
	}
	var answer admissionv1.AdmissionReview
	if err := s.ask(ctx, c, http.MethodPost, "/admit", body, &answer); err != nil {
		return nil, err
	}
	if answer.Response == nil || answer.Response.UID != review.Request.UID {
		return nil, errors.New("the answer is to no review that was sent")
	}
	return answer.Response, nil
}

func (s *SelfTest) ask(ctx context.Context, c *http.Client, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("no replica answers: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", path, resp.Status, bytes.TrimSpace(raw))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s answers what cannot be read: %w", path, err)
	}
	return nil
}

// registrationsPath is the path at which the webhook's server reports the registrations.
const registrationsPath = "/registrations"

// tellRegistrations answers at that path. It answers 503 until the registrations were looked at.
func tellRegistrations(missing func() ([]string, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		gone, looked := missing()
		if !looked {
			http.Error(w, "the registrations have not been looked at yet", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reported{Missing: gone}) // an error means that the client is gone
	})
}
