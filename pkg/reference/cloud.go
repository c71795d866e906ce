package reference

import (
	"cmp"
	"regexp"
	"strings"
)

// minResource is the shortest name of a resource that has a shape: s3://b.
const minResource = 6

// resources reads the words of a text for names of cloud resources. Each is given in every form under which a data
// store may list it: a file in a bucket names the bucket too.
func (r *reader) resources(text string) []Target {
	if !r.spend(text) {
		return nil
	}
	if !shaped(text) {
		return r.literal(text)
	}
	var out []Target
	for word := range strings.FieldsFuncSeq(text, resourceEnds) {
		if len(word) >= minResource && len(word) <= maxResource {
			out = append(out, r.resource(word)...)
		}
	}
	return out
}

// maxResource is the longest name that a data store may list.
const maxResource = 2048

// shaped tells, cheaply, whether a text can hold the name of a cloud resource at all.
func shaped(text string) bool {
	lower := text
	if strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		lower = strings.ToLower(text)
	}
	for _, mark := range []string{"arn:", "://", "projects/", "/subscriptions/", ".iam.gserviceaccount.com", ".amazonaws.com", "storage.googleapis.com", ".core.windows.net", "s3:", "gs:", "ocid1."} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	return strings.Count(text, ":") > 1
}

// resource reads one word: as what its form says, and as it stands, since a data store may list a name of any form.
func (r *reader) resource(word string) []Target {
	if !r.budget.Spend(tokenCost) {
		return nil
	}
	lower := lowerASCII(word)
	if out := r.formed(word, lower); len(out) > 0 {
		return out
	}
	return r.weak(nil, Target{Kind: Resource, Name: strings.TrimRight(lower, "/*:"), Unambiguous: true})
}

// formed reads a word by its form.
func (r *reader) formed(word, lower string) []Target {
	if rest, ok := strings.CutPrefix(lower, "s3:http"); ok { // as restic writes it
		word, lower = "http"+rest, "http"+rest
	}
	if i := strings.Index(lower, "arn:"); i >= 0 {
		return r.arn(word[i:])
	}
	if i := azureID(lower); i >= 0 {
		return r.named(prefixes(lower[i:], 0))
	}
	if out := r.google(word, lower); len(out) > 0 {
		return out
	}
	if i := strings.Index(lower, "ocid1."); i >= 0 {
		return r.named([]string{lower[i:]})
	}
	if keys := bucket(lower); len(keys) > 0 {
		return r.named(keys)
	}
	if keys := schemeless(lower); len(keys) > 0 {
		return r.named(keys)
	}
	var out []Target
	for _, k := range urlNames(lower) {
		out = r.weak(out, Target{Kind: Resource, Name: k, Unambiguous: true})
	}
	if len(out) == 0 && strings.Count(word, ":") >= 2 && !strings.Contains(word, "://") {
		return r.connection(lower)
	}
	return out
}

// google reads the resource names and the service accounts of Google Cloud.
func (r *reader) google(word, lower string) []Target {
	const account = ".iam.gserviceaccount.com"
	if i := strings.Index(lower, "serviceaccounts/"); i >= 0 && strings.Contains(lower, account) {
		name, _, _ := strings.Cut(lower[i+len("serviceaccounts/"):], ":")
		return r.keep(nil, Target{Kind: Role, Name: name, Unambiguous: true})
	}
	if _, name, ok := strings.Cut(lower, "projects/_/buckets/"); ok {
		return r.named([]string{"gs://" + name})
	}
	if i := strings.Index(lower, "projects/"); i >= 0 && (i == 0 || lower[i-1] == '/') {
		if out := r.project(word[i:]); len(out) > 0 {
			return out
		}
	}
	if strings.HasSuffix(lower, account) {
		return r.keep(nil, Target{Kind: Role, Name: strings.TrimPrefix(lower, "serviceaccount:"), Unambiguous: true})
	}
	return nil
}

// azureID returns where the identifier of a resource of Azure begins, or -1: a subscription of Pub/Sub is called so, too.
func azureID(lower string) int {
	i := strings.Index(lower, "/subscriptions/")
	if i < 0 || strings.Contains(lower[:i], "projects/") {
		return -1
	}
	return i
}

// lowerASCII keeps every byte in its place, which letters of other scripts do not when they change case.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func (r *reader) named(keys []string) []Target {
	var out []Target
	for _, k := range keys {
		if len(k) >= minResource {
			out = r.keep(out, Target{Kind: Resource, Name: k, Unambiguous: true})
		}
	}
	return out
}

// CanonicalResource brings the name of a cloud resource into the form in which such names are compared.
func CanonicalResource(name string) string {
	lower := strings.TrimRight(strings.ToLower(strings.TrimSpace(name)), "/*:")
	longest := ""
	for _, t := range newReader(nil, nil).formed(lower, lower) {
		if t.Kind == Resource && len(t.Name) > len(longest) && !strings.HasPrefix(lower, t.Name+"#") {
			longest = t.Name
		}
	}
	return cmp.Or(longest, lower)
}

// HasForm reports whether the name of a cloud resource has a form that is known, so that each of its spellings is found. Another is
// compared letter by letter.
func HasForm(name string) bool {
	lower := strings.TrimRight(strings.ToLower(strings.TrimSpace(name)), "/*:")
	return !strings.ContainsAny(lower, ":/") || len(newReader(nil, nil).formed(lower, lower)) > 0
}

// arn reads an ARN. That of a role is one; that of a file in a bucket names the bucket, and that of an index its table.
func (r *reader) arn(word string) []Target {
	name := strings.TrimRight(lowerASCII(word), "/*:")
	parts := strings.SplitN(name, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	switch parts[2] {
	case "iam", "sts":
		return r.keep(nil, Target{Kind: Role, Name: word, Unambiguous: true})
	case "s3":
		b, path, _ := strings.Cut(parts[5], "/")
		return r.named(under("s3://"+b, path))
	case "secretsmanager", "ssm":
		_, path, _ := strings.Cut(parts[5], ":")
		if parts[2] == "ssm" {
			path = strings.TrimPrefix(parts[5], "parameter")
		}
		return r.stored(r.named([]string{name}), path)
	}
	keys := prefixes(parts[5], 1)
	if i := strings.LastIndexByte(parts[5], ':'); i > 0 { // a subscription of a topic, a version of a function
		keys = append(keys, parts[5][:i])
	}
	for i := range keys {
		keys[i] = strings.Join(parts[:5], ":") + ":" + keys[i]
	}
	return r.named(keys)
}

// stored adds paths of a secret store, but for empty ones.
func (r *reader) stored(out []Target, paths ...string) []Target {
	for _, p := range paths {
		out = r.keep(out, StorePathTarget(p))
	}
	return out
}

// project reads the resource names of Google Cloud: those of its parents name it too.
func (r *reader) project(word string) []Target {
	word = strings.TrimRight(word, "/*")
	if i := strings.LastIndexByte(word, ':'); i > strings.LastIndexByte(word, '/') {
		word = word[:i] // a method of the API
	}
	name, n := strings.ToLower(word), 1
	var keys []string
	for i := 0; i <= len(name) && len(keys) < maxParts; i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if n >= 4 && n%2 == 0 {
			keys = append(keys, name[:i])
		}
		n++
	}
	if len(keys) == 0 {
		return nil
	}
	out := r.named(keys)
	if parts := strings.SplitN(word, "/", 5); strings.EqualFold(parts[2], "secrets") {
		out = r.stored(out, strings.Join(parts[:4], "/"), parts[3])
	}
	return out
}

// prefixes returns a path and the paths above it, the longest first, down to depth segments; no more than eight.
func prefixes(path string, depth int) []string {
	path = strings.TrimRight(path, "/*")
	var out []string
	for len(out) < maxParts {
		out = append(out, path)
		i := strings.LastIndexByte(path, '/')
		if i <= 0 || strings.Count(path, "/") <= depth {
			return out
		}
		path = path[:i]
	}
	return out
}

var s3Host = regexp.MustCompile(`(^|\.)s3([.-](dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(\.cn)?$`)

// connection finds project:region:instance, as Cloud SQL's proxy takes it, also in the path of its socket.
func (r *reader) connection(word string) []Target {
	for segment := range strings.SplitSeq(word, "/") {
		if m := connectionName.FindString(segment); m != "" {
			return r.named([]string{m})
		}
	}
	return nil
}

// The middle is a region: otherwise every Maven coordinate would be one.
var connectionName = regexp.MustCompile(`(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{3,}:[a-z]+-[a-z]+[0-9]+:[a-z][a-z0-9-]*`)
