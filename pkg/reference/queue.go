package reference

import (
	"regexp"
	"strings"
)

var (
	queueHost       = regexp.MustCompile(`^sqs[.-]([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`)
	legacyQueueHost = regexp.MustCompile(`^(?:([a-z0-9-]+)\.)?queue\.amazonaws\.com(\.cn)?$`)
)

func isQueueHost(host string) bool {
	return strings.Contains(host, "amazonaws.com") && (queueHost.MatchString(host) || legacyQueueHost.MatchString(host))
}

// queue reads the URL of a queue of SQS as the ARN that it is another spelling of.
func queue(host, path string) []string {
	m := queueHost.FindStringSubmatch(host)
	if m == nil {
		m = legacyQueueHost.FindStringSubmatch(host)
	}
	account, rest, ok := strings.Cut(path, "/")
	name, _, _ := strings.Cut(rest, "/")
	if m == nil || !ok || !digits(account) || name == "" {
		return nil
	}
	region, partition := m[1], "aws"
	switch {
	case region == "":
		region = "us-east-1"
	case m[2] != "":
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return []string{"arn:" + partition + ":sqs:" + region + ":" + account + ":" + name}
}

// console reads the address at which a provider's console shows a bucket.
func console(host, path string) []string {
	scheme := "s3://"
	if strings.HasPrefix(host, "console.cloud") {
		scheme = "gs://"
	}
	parts := strings.SplitN(path, "/", 4)
	if len(parts) < 3 || parts[2] == "" {
		return nil
	}
	name, _, _ := strings.Cut(parts[2], ";")
	return []string{scheme + name}
}

// urlNames reads the URL of something on a host of one's own, such as a bucket of MinIO: the names of its path, the longest first. The
// first label of the host may be the bucket, too.
func urlNames(lower string) []string {
	scheme, rest, ok := strings.Cut(lower, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil
	}
	host, path, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if !isKey(dropPort(host)) {
		return nil
	}
	path, _, _ = strings.Cut(path, "#")
	if strings.Trim(path, "/*") == "" {
		return nil // the host says it all
	}
	out := under("https://"+host, path)
	out = out[:len(out)-1]
	if first, domain, ok := strings.Cut(host, "."); ok && strings.Contains(domain, ".") {
		out = append(out, "https://"+domain+"/"+first)
	}
	return out
}

// azureSuffix is the domain of Azure's public cloud in which storage accounts are.
const azureSuffix = "core.windows.net"

// accounts reads the connection strings of Azure, which name a storage account and the domain of its cloud apart.
func (r *reader) accounts(text string) []Target {
	_, rest, ok := strings.Cut(text, "AccountName=")
	if !ok {
		return nil
	}
	account := strings.ToLower(rest[:indexAny(rest, ";&\"' \n")])
	suffix := azureSuffix
	if _, after, ok := strings.Cut(text, "EndpointSuffix="); ok {
		suffix = strings.ToLower(after[:indexAny(after, ";&\"' \n")])
	}
	return r.account(account, suffix)
}

// accountHint: the value is a storage account of Azure, by its bare name.
func accountHint(l string) bool {
	s := squeezed(l)
	return strings.HasSuffix(s, "storageaccount") || strings.HasSuffix(s, "storageaccountname") || strings.HasSuffix(s, "accountname") && strings.Contains(s, "azure")
}

// account returns the hosts of a storage account, in the domain of its cloud, and its containers.
func (r *reader) account(account, suffix string) []Target {
	if len(account)+len(suffix) > maxHost-8 || !isName(account) || !isName(suffix) {
		return nil
	}
	var out []Target
	for _, service := range []string{"blob", "queue", "table", "file", "dfs", "web"} {
		out = r.keep(out, Target{Name: account + "." + service + "." + suffix, Unambiguous: true})
	}
	return append(out, r.named([]string{"https://" + account + ".blob." + suffix})...)
}

// literal reads the words of a text as names that a data store may list as they stand.
func (r *reader) literal(text string) []Target {
	var out []Target
	for word := range strings.FieldsFuncSeq(text, resourceEnds) {
		word = strings.TrimRight(word, "/*:")
		if len(word) >= minResource && len(word) <= maxResource && strings.ContainsAny(word, ":/@.") && r.budget.Spend(tokenCost) {
			if r.prints == nil && strings.Contains(word, "/") {
				out = r.keep(out, StorePathTarget(word))
			}
			out = r.weak(out, Target{Kind: Resource, Name: lowerASCII(word), Unambiguous: true})
		}
	}
	return out
}

func resourceEnds(c rune) bool { return strings.ContainsRune(" \t\r\n\"'`,;|<>(){}[]&?=\\", c) }
