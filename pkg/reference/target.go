package reference

import "net/netip"

// Kind says what sort of thing a target is.
type Kind int

const (
	// Host is a host name or an address.
	Host Kind = iota
	// Namespace is a namespace, or several where Name holds a glob.
	Namespace
	// NamespaceSelector selects namespaces by their labels; Name holds it in kubectl's notation.
	NamespaceSelector
	// Range is a range of addresses in CIDR notation.
	Range
	// Resource is the name of a cloud resource: an ARN, a connection name, the URL of a bucket.
	Resource
	// Instance is a bare identifier that a cloud CLI was given as an instance's.
	Instance
	// Secret is a Kubernetes Secret.
	Secret
	// StorePath is a path in a secret store, such as Vault.
	StorePath
	// Role is a cloud role or service principal.
	Role
	// Claim is a PersistentVolumeClaim.
	Claim
	// Volume is a PersistentVolume.
	Volume
	// Node is a node by name.
	Node
	// NodeLabel is a label that a workload wants of its node, as key=value; of a label that only must exist, the key.
	NodeLabel
	// Taint is one that a workload tolerates, as key=value or key; `*` for all.
	Taint
	// PriorityClass of a workload.
	PriorityClass
	// RuntimeClass of a workload.
	RuntimeClass
	// Scheduler of a workload.
	Scheduler
	// HostAccess is what a workload reaches on its node: the name says how.
	HostAccess
)

// Target is what a text names, normalised.
type Target struct {
	Kind Kind `cbor:"1,keyasint,omitempty"`
	// Name of it. For a host: in lower case, without port, user info and trailing dot, in ASCII form; for an address,
	// its canonical text.
	Name string `cbor:"2,keyasint,omitempty"`
	// Namespace that it lies in, for what lies in one. Empty: that of the object.
	Namespace string `cbor:"3,keyasint,omitempty"`
	// Addr is valid if the host is an address.
	Addr netip.Addr `cbor:"4,keyasint,omitzero"`
	// Unambiguous is true where only such a thing can stand: the authority of a URL, a host flag, host:port, a whole value.
	// A host name of one or two labels counts only there (or, of two labels, where such a Service exists).
	Unambiguous bool `cbor:"5,keyasint,omitempty"`
	// Exact is true where only an entry of this very name counts and no wildcard: the domain of user@domain, and a name that a path
	// follows, are seldom hosts.
	Exact bool `cbor:"6,keyasint,omitempty"`
	// Site is true for the authority of an https URL without a port, and for what is called a site or a domain: the address of a site
	// of the world's, rather than of a Service.
	Site bool `cbor:"7,keyasint,omitempty"`
}

// Use says what a reference is for; it decides which rule it is measured by.
type Use int

const (
	// Connects is the use of what a workload talks to or is configured with.
	Connects Use = iota
	// Routes is the use of what traffic is sent on to, or let in from.
	Routes
	// Stores is the use of what a volume is.
	Stores
	// Places is the use of what decides where a workload runs.
	Places
)

// String names the kind as tests and reports do.
func (k Kind) String() string {
	return [...]string{"host", "namespace", "namespace selector", "range", "resource", "instance", "secret", "store path", "role", "claim", "volume",
		"node", "node label", "taint", "priority class", "runtime class", "scheduler", "host access"}[k]
}
