package reference

import (
	"net/url"
	"regexp"
	"strings"
)

// Find returns everything that a text names: hosts, and cloud resources, roles and paths of secret stores by the shape
// of their names.
func Find(text, hint string, pos Position) []Target {
	lower := strings.ToLower(hint)
	if excluded(lower) {
		return nil
	}
	out := Hosts(text, hint, pos)
	if strings.Contains(text, "%2") || strings.Contains(text, "%3") {
		if plain, err := url.PathUnescape(text); err == nil {
			out = append(out, resources(plain, lower)...)
		}
	}
	out = append(out, apiPaths(text)...)
	out = append(out, namespaceLines(text)...)
	if bucketHint(lower) && !strings.ContainsAny(text, "/ \n") {
		out = append(out, Target{Kind: Instance, Name: strings.ToLower(text), Strong: true})
	}
	if len(text) < minResource || !strings.ContainsAny(text, ":/@") {
		return out
	}
	return append(out, resources(text, lower)...)
}

// excluded: what such a variable lists is what is not gone to.
func excluded(l string) bool {
	return l == "no_proxy" || l == "noproxy" || l == "no-proxy" || strings.HasPrefix(l, "exclude") && strings.HasSuffix(l, "ranges")
}

// bucketHint: the value is a bucket or an account, by its bare name.
func bucketHint(l string) bool {
	return strings.HasSuffix(l, "bucket") || strings.HasSuffix(l, "bucket_name") || strings.HasSuffix(l, "bucketname") || l == "storageaccount" || l == "storage_account" ||
		l == "account_name" || l == "accountname" || l == "external-name"
}

// namespaceLines reads the lines of manifests, kubeconfigs and modules by which a file says in which namespace it acts. A
// label of a metric is called so too, but stands in no line of its own.
func namespaceLines(text string) []Target {
	if len(text) > maxStoreText || !strings.Contains(text, "namespace") || !strings.Contains(text, "\n") {
		return nil
	}
	var out []Target
	for _, m := range namespaceLine.FindAllStringSubmatch(text, -1) {
		out = append(out, NamespaceTargets(m[1])...)
	}
	return out
}

var namespaceLine = regexp.MustCompile(`(?m)^[ \t]*(?:- )?"?namespace"?[ \t]*[:=][ \t]*["']?([a-z0-9-]+)["']?,?[ \t]*$`)

// apiPaths reads /namespaces/<name>/ in paths of the API server, whoever is asked for them.
func apiPaths(text string) []Target {
	var out []Target
	for {
		_, after, ok := strings.Cut(text, "/namespaces/")
		if !ok {
			return out
		}
		end := strings.IndexAny(after, "/ \t\r\n\"'?&")
		if end < 0 {
			end = len(after)
		}
		out = append(out, NamespaceTargets(after[:end])...)
		text = after
	}
}

// minResource is the shortest name of a resource that has a shape: s3://b.
const minResource = 6

// resources reads the words of a text for names of cloud resources. Each is given in every form under which a data
// store may list it: a file in a bucket names the bucket too.
func resources(text, hint string) []Target {
	if !shaped(text) {
		return storePaths(text, hint)
	}
	var out []Target
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`,;|<>(){}[]&?=\\", r) }) {
		if len(word) >= minResource && len(word) <= maxResource {
			out = append(out, resource(word)...)
		}
	}
	return append(out, storePaths(text, hint)...)
}

// maxResource is the longest name that a data store may list.
const maxResource = 2048

// shaped tells, cheaply, whether a text can hold the name of a cloud resource at all.
func shaped(text string) bool {
	lower := text
	if strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		lower = strings.ToLower(text)
	}
	for _, mark := range []string{"arn:", "://", "projects/", "/subscriptions/", ".iam.gserviceaccount.com", ".amazonaws.com", "storage.googleapis.com", ".core.windows.net", "s3:", "gs:"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	return strings.Count(text, ":") > 1
}

// resource reads one word.
func resource(word string) []Target {
	lower := lowerASCII(word)
	if i := strings.Index(lower, "arn:"); i >= 0 {
		return arn(word[i:])
	}
	if i := strings.Index(lower, "/subscriptions/"); i >= 0 {
		return named(prefixes(lower[i:], 0))
	}
	if i := strings.Index(lower, "serviceaccounts/"); i >= 0 && strings.Contains(lower, ".iam.gserviceaccount.com") {
		account, _, _ := strings.Cut(lower[i+len("serviceaccounts/"):], ":")
		return []Target{{Kind: Role, Name: account, Strong: true}}
	}
	if i := strings.Index(lower, "projects/"); i >= 0 {
		return project(word[i:])
	}
	if strings.HasSuffix(lower, ".iam.gserviceaccount.com") {
		return []Target{{Kind: Role, Name: strings.TrimPrefix(lower, "serviceaccount:"), Strong: true}}
	}
	if keys := bucket(lower); len(keys) > 0 {
		return named(keys)
	}
	if !strings.Contains(lower, "://") {
		host, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(lower, "s3:"), "gs:"), "/")
		if keys := objectURL(dropPort(host), rest); len(keys) > 0 {
			return named(keys)
		}
		for _, scheme := range []string{"s3", "gs"} {
			if name, ok := strings.CutPrefix(lower, scheme+":"); ok && len(name) > 2 {
				return named(under(scheme+"://"+strings.Trim(strings.SplitN(name, "/", 2)[0], ":"), ""))
			}
		}
	}
	if strings.Count(word, ":") >= 2 && !strings.Contains(word, "://") {
		return connection(lower)
	}
	return nil
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

func named(keys []string) []Target {
	out := make([]Target, 0, len(keys))
	for _, k := range keys {
		if len(k) >= minResource {
			out = append(out, Target{Kind: Resource, Name: k, Strong: true})
		}
	}
	return out
}

// CanonicalResource brings the name of a cloud resource into the form in which such names are compared.
func CanonicalResource(name string) string {
	lower := strings.TrimRight(strings.ToLower(strings.TrimSpace(name)), "/*:")
	if scheme, rest, ok := strings.Cut(lower, "://"); ok {
		if keys := bucket(scheme + "://" + rest); len(keys) > 0 {
			return keys[0]
		}
	}
	if i := strings.Index(lower, "projects/"); i > 0 && strings.HasPrefix(lower, "//") {
		return lower[i:]
	}
	return lower
}

// arn reads an ARN. That of a role is one; that of a file in a bucket names the bucket.
func arn(word string) []Target {
	name := CanonicalResource(word)
	parts := strings.SplitN(name, ":", 6)
	if len(parts) < 6 {
		return nil
	}
	switch parts[2] {
	case "iam", "sts":
		return []Target{{Kind: Role, Name: word, Strong: true}}
	case "s3":
		b, _, _ := strings.Cut(parts[5], "/")
		out := append(named(prefixes(parts[5], 0)), named([]string{"s3://" + b})...)
		for i := range out[:len(out)-1] {
			out[i].Name = strings.Join(parts[:5], ":") + ":" + out[i].Name
		}
		return out
	case "secretsmanager", "ssm":
		_, path, _ := strings.Cut(parts[5], ":")
		if parts[2] == "ssm" {
			path = strings.TrimPrefix(parts[5], "parameter")
		}
		return stored(named([]string{name}), path)
	}
	return named([]string{name})
}

// stored adds paths of a secret store, but for empty ones.
func stored(out []Target, paths ...string) []Target {
	for _, p := range paths {
		if t := StorePathTarget(p); t.Name != "" {
			out = append(out, t)
		}
	}
	return out
}

// project reads the resource names of Google Cloud: those of its parents name it too.
func project(word string) []Target {
	name := strings.TrimRight(strings.ToLower(word), "/*")
	segments := strings.Split(name, "/")
	var keys []string
	for n := 4; n <= len(segments); n += 2 {
		keys = append(keys, strings.Join(segments[:n], "/"))
	}
	out := named(keys)
	if len(segments) >= 4 && segments[2] == "secrets" {
		out = stored(out, strings.Join(strings.Split(word, "/")[:4], "/"), strings.Split(word, "/")[3])
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

// bucketSchemes maps the spellings of a scheme to one.
func bucketScheme(scheme string) string {
	switch scheme {
	case "s3", "s3a", "s3n":
		return "s3"
	case "gs", "gcs":
		return "gs"
	case "wasb", "wasbs", "abfs", "abfss":
		return "azure"
	case "oss", "cos", "cosn", "obs", "swift", "b2":
		return scheme
	}
	return ""
}

// bucket reads the URL of a bucket, or of something in it, in lower case.
func bucket(url string) []string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return nil
	}
	if i := strings.LastIndexAny(scheme, ":+/"); i >= 0 {
		scheme = scheme[i+1:]
	}
	host, path, _ := strings.Cut(rest, "/")
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_@:%") != "" || strings.Trim(host, ".:@-") == "" {
		return nil
	}
	switch s := bucketScheme(scheme); s {
	case "":
	case "azure":
		container, account, ok := strings.Cut(host, "@")
		if !ok {
			return nil
		}
		return under("https://"+blobHost(account)+"/"+container, path)
	default:
		return under(s+"://"+host, path)
	}
	if scheme != "http" && scheme != "https" {
		return nil
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return objectURL(dropPort(host), path)
}

// objectURL reads the addresses that the providers give buckets on the web.
func objectURL(host, path string) []string {
	first, rest, _ := strings.Cut(path, "/")
	switch {
	case strings.HasSuffix(host, ".amazonaws.com") && s3Host.MatchString(host):
		name := strings.TrimSuffix(s3Host.ReplaceAllString(host, ""), ".")
		if name == "" {
			return under("s3://"+first, rest)
		}
		return under("s3://"+name, path)
	case host == "storage.googleapis.com" || host == "storage.cloud.google.com":
		return under("gs://"+first, rest)
	case strings.HasSuffix(host, ".storage.googleapis.com"):
		return under("gs://"+strings.TrimSuffix(host, ".storage.googleapis.com"), path)
	case strings.HasSuffix(host, ".core.windows.net"):
		return under("https://"+blobHost(host)+"/"+first, rest)
	}
	return nil
}

var s3Host = regexp.MustCompile(`(^|\.)s3([.-](dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com$`)

// blobHost: the data lake's address of an account is the same account.
func blobHost(host string) string { return strings.Replace(host, ".dfs.", ".blob.", 1) }

// under returns the names of a path in a bucket, the longest first, and of the bucket.
func under(bucket, path string) []string {
	path = strings.Trim(path, "/*")
	bucket = strings.TrimRight(bucket, "/")
	if path == "" {
		return []string{bucket}
	}
	out := prefixes(path, 0)
	for i := range out {
		out[i] = bucket + "/" + out[i]
	}
	return append(out, bucket)
}

// connection finds project:region:instance, as Cloud SQL's proxy takes it, also in the path of its socket.
func connection(word string) []Target {
	for segment := range strings.SplitSeq(word, "/") {
		if m := connectionName.FindString(segment); m != "" {
			return named([]string{m})
		}
	}
	return nil
}

// The middle is a region: otherwise every Maven coordinate would be one.
var connectionName = regexp.MustCompile(`(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{3,}:[a-z]+-[a-z]+[0-9]+:[a-z][a-z0-9-]*`)
