package reference

import (
	"net/url"
	"strings"
)

// find reads a text for everything that texts can name.
func (r *reader) find(text, hint string, pos Position) []Target {
	if text == "" || pos != HostPosition && !r.mayName(text) {
		return nil
	}
	lower := ""
	if len(hint) <= maxHint {
		lower = strings.ToLower(hint)
	}
	if hushOf(hint)&hushAll != 0 {
		return nil
	}
	out := r.whole(text, hint, lower, pos)
	if plain := r.unescaped(text); plain != text && !isFile(plain) {
		out = append(out, r.whole(plain, hint, lower, pos)...)
	}
	return out
}

// maxEscaped is how often a text may have been escaped for a URL: once, and once more within a parameter.
const maxEscaped = 3

// unescaped takes the escapes of URLs out of a text.
func (r *reader) unescaped(text string) string {
	for range maxEscaped {
		if !strings.Contains(text, "%2") && !strings.Contains(text, "%3") || !r.spend(text) {
			break
		}
		plain, err := url.PathUnescape(text)
		if err != nil || plain == text {
			break
		}
		text = plain
	}
	return text
}

// whole reads a text as it stands.
func (r *reader) whole(text, hint, lower string, pos Position) []Target {
	if out, ok := r.settingsInJSON(text); ok {
		return out
	}
	if isFile(text) {
		return r.file(text, lower, pos)
	}
	out := append(r.hosts(text, hint, pos), r.otherNames(text)...)
	if bucketHint(lower) && !strings.ContainsAny(text, "/ \n") {
		out = r.keep(out, Target{Kind: Instance, Name: strings.ToLower(text), Unambiguous: true})
	}
	if accountHint(lower) && isKey(text) {
		out = append(out, r.account(strings.ToLower(text), azureSuffix)...)
	}
	return append(out, r.storePaths(text, lower)...)
}

// file reads a text of several lines.
func (r *reader) file(text, lower string, pos Position) []Target {
	if !r.spend(text) {
		return nil
	}
	var out []Target
	r.settings(escaped(text), func(keys *outline, h hush, l string) {
		out = append(out, r.line(l, "", pos, h, true)...)
		out = append(out, r.otherNames(l)...)
		out = append(out, r.namespaceLine(keys, l)...)
		if digits(keys.key) || digits(strings.Trim(keys.key, `"`)) {
			out = append(out, r.portMapping(strings.Trim(keys.value, `"', `))...)
		}
		if strings.Contains(l, "{") {
			out = append(out, r.namespacePairs(l)...)
		}
		if value := strings.Trim(keys.value, `"', `); bucketHint(strings.ToLower(keys.key)) && isKey(value) {
			out = r.keep(out, Target{Kind: Instance, Name: strings.ToLower(value), Unambiguous: true})
		}
	})
	return append(out, r.storePaths(text, lower)...)
}

// otherNames reads one line for names that are neither hosts nor paths of a secret store.
func (r *reader) otherNames(text string) []Target {
	out := r.products(text)
	if len(text) < minResource || !strings.ContainsAny(text, ":/@.") {
		return out
	}
	return append(append(out, r.apiPaths(text)...), r.resources(text)...)
}

// maxHint is the longest name of a variable, flag or key that says anything of its value.
const maxHint = 256

// bucketHint: the value is a bucket or an account, by its bare name.
func bucketHint(l string) bool {
	if len(l) > maxKeyName || len(l) < len("bucket") {
		return false
	}
	l = squeezed(l)
	for begin := max(0, len(l)-maxBucketHint); begin < len(l); begin++ {
		switch l[begin:] {
		case "bucket", "buckets", "bucketname", "bucketnames", "storageaccount", "storageaccountname", "accountname", "externalname", "dbinstanceidentifier",
			"dbclusteridentifier":
			return true
		case "name", "table", "queue", "stream":
			for service := range strings.FieldsSeq("dynamodb sqs kinesis rds redshift elasticache") {
				if strings.Contains(l, service) {
					return true
				}
			}
		}
	}
	return false
}

// maxBucketHint is the length of the longest end of a name that says so.
const maxBucketHint = len("dbinstanceidentifier")
