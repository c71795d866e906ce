package server

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/firebreak-dev/firebreak/pkg/fence"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// Options are the flags of `firebreak serve`.
type Options struct {
	Kubeconfig         string
	ClusterName        string
	DefaultEnvironment string
	Namespace          string
	ServiceAccount     string
	// ReadSecrets is true if Secrets are read, so that workloads refer to what their Secrets name.
	ReadSecrets bool
	// Estate is the ConfigMap with the environments and data stores that the chart's values declare. It is empty if they declare
	// none.
	Estate string
	// Registrations is the ConfigMap with the admission configuration, which Firebreak restores if somebody changes it. It is
	// empty if nothing is to be restored. Deployment is Firebreak's own: only while it is there to stay is anything restored.
	Registrations, Deployment string
	// Firewall is the ClusterRole that gives the right to write network policies, and that they belong to. It is empty if none are to be
	// written. PodCIDRs are the ranges of the cluster's Pods; if there are none, those count that nodes state.
	Firewall string
	PodCIDRs []string
	// pods are PodCIDRs, as Validate has read them.
	pods []netip.Prefix

	// Reports is the ClusterRole that gives the right to write OpenReports, and that they belong to; empty: what is stored is not scanned. ScanEvery is the
	// time between two scans.
	Reports   string
	ScanEvery time.Duration
	// Bell has the leading replica tell people what they should know; BellSecret is the Secret with the addresses, which may be empty.
	Bell       bool
	BellSecret string
	// StaticFiles has Firebreak keep the files that API servers load from their disk in a ConfigMap, as Static says; StaticFence puts the fence among
	// them.
	StaticFiles, StaticFence bool
	Static                   registrations.Options

	// Fence says when the policies hold that stand in for Firebreak in the API server: off, whenAway or always.
	Fence string

	BindAddress string
	WebhookPort int
	MetricsAddr string
	HealthAddr  string
	CertDir     string
	LogLevel    int
	// MemoryLimit is how many bytes the process may use; 0 means that the limit is not known. It decides how many requests are
	// judged at once.
	MemoryLimit int64
	// Drain is how long the server goes on after it was told to stop. It closes each connection with its answer.
	Drain time.Duration
	// WebhookTimeout is the timeoutSeconds of the webhook registrations; a request is answered two seconds earlier.
	WebhookTimeout time.Duration

	// ManageCerts makes the server create, rotate and inject its own certificate.
	ManageCerts bool
	CertSecret  string
	// DNSNames are the names in the certificate; the first is its subject.
	DNSNames         []string
	ValidatingConfig string
	MutatingConfig   string
}

// Default returns the options with their defaults.
func Default() Options {
	return Options{
		Namespace: "firebreak-system", ServiceAccount: "firebreak",
		WebhookPort: 9443, MetricsAddr: ":8080", HealthAddr: ":8081", CertDir: "/certs",
		Drain: 2 * time.Second, WebhookTimeout: 10 * time.Second,
		ManageCerts: true, CertSecret: "firebreak-webhook-cert",
		ValidatingConfig: "firebreak", MutatingConfig: "firebreak", Deployment: "firebreak", Fence: string(fence.Off),
		ScanEvery: time.Hour,
		Static:    registrations.Options{Folder: "/etc/kubernetes/firebreak"},
	}
}

// Flags registers the options.
func (o *Options) Flags(f *pflag.FlagSet) {
	f.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig file; empty: $KUBECONFIG, else the Pod's own service account")
	f.StringVar(&o.ClusterName, "cluster-name", o.ClusterName, "name of this cluster, as windows name it in scope.clusters (required)")
	f.StringVar(&o.DefaultEnvironment, "default-environment", o.DefaultEnvironment, "environment of namespaces that none claims; empty: they are unassigned")
	f.StringVar(&o.Namespace, "namespace", o.Namespace, "namespace that Firebreak runs in")
	f.StringVar(&o.ServiceAccount, "service-account", o.ServiceAccount, "service account that Firebreak runs as")
	f.BoolVar(&o.ReadSecrets, "read-secrets", o.ReadSecrets, "read Secrets, so that what they name is known of the workloads that use them; otherwise each is judged when it is written")
	// Charts before 0.3 set this flag; since then every custom resource is judged.
	f.StringSlice("custom-resources", nil, "ignored")
	_ = f.MarkHidden("custom-resources") // the flag was registered a line above
	f.StringVar(&o.Estate, "estate", o.Estate, "ConfigMap of the own namespace with the environments and data stores to apply; empty: none")
	f.StringVar(&o.Registrations, "registrations", o.Registrations, "ConfigMap of the own namespace with the webhook registrations and policies to put back where somebody changes them; empty: none")
	f.StringVar(&o.Deployment, "deployment", o.Deployment, "Firebreak's own Deployment: --registrations are put back only while it is there to stay")
	f.StringVar(&o.Fence, "fence", o.Fence, "when policies in the API server hold the boundary: off, whenAway or always")
	f.StringVar(&o.Reports, "reports", o.Reports, "ClusterRole that gives the right to write OpenReports, which belong to it: judge the stored objects, and write them; empty: do not")
	f.DurationVar(&o.ScanEvery, "scan-every", o.ScanEvery, "time between two scans of the stored objects, with --reports")
	f.BoolVar(&o.Bell, "bell", false, "tell people by Events and messages what they should know of windows, freezes and emergencies, as ConfigMap firebreak-bell-config says")
	f.StringVar(&o.BellSecret, "bell-secret", "", "Secret with the address of each target of messages")
	f.BoolVar(&o.StaticFiles, "static-files", false, "keep the files by which API servers load Firebreak from their disk in a ConfigMap")
	f.StringVar(&o.Static.URL, "static-url", o.Static.URL, "where API servers reach the webhook that they load from their disk; empty: the URL that it is registered with")
	f.StringVar(&o.Static.Folder, "static-folder", o.Static.Folder, "absolute path of these files on the disk of each API server")
	f.StringSliceVar(&o.Static.CAWriters, "static-ca-writer", nil, "username that writes the certificate authority into the registrations beside Firebreak")
	f.BoolVar(&o.StaticFence, "static-fence", false, "put the fence among these files")
	f.StringVar(&o.BindAddress, "bind-address", o.BindAddress, "address that the webhook listens on; empty: all")
	f.IntVar(&o.WebhookPort, "webhook-port", o.WebhookPort, "port of the webhook")
	f.StringVar(&o.MetricsAddr, "metrics-bind-address", o.MetricsAddr, "address of /metrics; 0: none")
	f.StringVar(&o.HealthAddr, "health-probe-bind-address", o.HealthAddr, "address of /healthz and /readyz")
	f.StringVar(&o.CertDir, "cert-dir", o.CertDir, "folder of tls.crt and tls.key")
	f.IntVar(&o.LogLevel, "log-level", o.LogLevel, "verbosity: 0 normal, higher says more")
	f.Int64Var(&o.MemoryLimit, "memory-limit", o.MemoryLimit, "bytes that the process may use, from which follows how many requests are judged at once; 0: not known")
	f.DurationVar(&o.Drain, "drain", o.Drain, "how long to go on answering after the signal to stop, closing each connection with its answer")
	f.DurationVar(&o.WebhookTimeout, "webhook-timeout", o.WebhookTimeout, "timeoutSeconds of the webhook registrations; requests are answered two seconds earlier")
	f.BoolVar(&o.ManageCerts, "manage-certs", o.ManageCerts, "create, rotate and inject the webhook's certificate")
	f.StringVar(&o.CertSecret, "cert-secret", o.CertSecret, "Secret in which the managed certificate is kept; it is mounted at --cert-dir")
	f.StringVar(&o.Firewall, "firewall", o.Firewall, "ClusterRole that gives the right to write network policies, which belong to it: write those that keep the tiers apart; empty: write none")
	f.StringSliceVar(&o.PodCIDRs, "pod-cidr", o.PodCIDRs, "ranges from which Pods have their addresses, for the network policies; default: what nodes state")
	f.StringSliceVar(&o.DNSNames, "cert-dns-name", o.DNSNames, "DNS names of the managed certificate")
	f.StringVar(&o.ValidatingConfig, "validating-webhook", o.ValidatingConfig, "ValidatingWebhookConfiguration that gets the CA")
	f.StringVar(&o.MutatingConfig, "mutating-webhook", o.MutatingConfig, "MutatingWebhookConfiguration that gets the CA")
}

// Validate returns an error for a missing or wrong option, sets the default of DNSNames, and reads PodCIDRs.
func (o *Options) Validate() error {
	if o.ClusterName == "" {
		return errors.New("--cluster-name is required: windows say by name which clusters they are for")
	}
	if o.WebhookTimeout <= 2*time.Second {
		return fmt.Errorf("--webhook-timeout %s is too short: requests are answered two seconds earlier", o.WebhookTimeout)
	}
	if !slices.Contains([]fence.Mode{fence.Off, fence.WhenAway, fence.Always}, fence.Mode(o.Fence)) {
		return fmt.Errorf("--fence %s: there are off, whenAway and always", o.Fence)
	}
	if o.Static.Namespace, o.Static.Account = o.Namespace, o.ServiceAccount; o.StaticFiles {
		if err := o.Static.Valid(); err != nil {
			return fmt.Errorf("--static-url or --static-folder: %w", err)
		}
		if o.Registrations == "" {
			return errors.New("--static-files needs --registrations, from which the files are made")
		}
	}
	if o.Reports != "" && o.ScanEvery < time.Second {
		return fmt.Errorf("--scan-every %s is too short", o.ScanEvery)
	}
	if o.MemoryLimit < 0 {
		return errors.New("--memory-limit must not be negative")
	}
	for _, text := range o.PodCIDRs {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("--pod-cidr: %q is not an address range such as 10.244.0.0/16", text)
		}
		o.pods = append(o.pods, p.Masked())
	}
	if o.ManageCerts && len(o.DNSNames) == 0 {
		o.DNSNames = []string{fmt.Sprintf("firebreak.%s.svc", o.Namespace)}
	}
	return nil
}

// defaultMemory is the bound, in bytes, if no memory limit is given.
const defaultMemory = 1 << 30

// memory returns how many bytes the process may use.
func (o *Options) memory() int64 {
	if o.MemoryLimit > 0 {
		return o.MemoryLimit
	}
	return defaultMemory
}
