package reference

import (
	"strings"
)

// schemeless reads an object store as restic and cloud SDKs write it: a host of it, or its name behind a scheme alone.
func schemeless(lower string) []string {
	if strings.Contains(lower, "://") {
		return nil
	}
	host, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(lower, "s3:"), "gs:"), "/")
	if keys := objectURL(dropPort(host), rest); len(keys) > 0 {
		return keys
	}
	for _, scheme := range []string{"s3", "gs"} {
		if name, ok := strings.CutPrefix(lower, scheme+":"); ok && len(name) > 2 {
			return under(scheme+"://"+strings.Trim(strings.SplitN(name, "/", 2)[0], ":"), "")
		}
	}
	return nil
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
		return append(under("https://"+blobHost(account)+"/"+container, path), "https://"+blobHost(account))
	default:
		return under(s+"://"+host, path)
	}
	switch scheme {
	case "http", "https", "sb", "amqp", "amqps":
	default:
		return nil
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return objectURL(dropPort(host), path)
}

// objectURL reads the addresses that the providers give buckets, queues and brokers on the web.
func objectURL(host, path string) []string {
	switch {
	case strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") || strings.HasSuffix(host, "console.aws.amazon.com"):
		return amazonURL(host, path)
	case strings.HasSuffix(host, "storage.googleapis.com") || strings.HasSuffix(host, ".cloud.google.com"):
		return googleURL(host, path)
	case strings.HasPrefix(host, "objectstorage.") && strings.HasSuffix(host, ".oraclecloud.com"):
		if p := strings.Split(path, "/"); len(p) > 3 && p[0] == "n" && p[2] == "b" {
			return []string{"oci://" + p[3] + "@" + p[1]}
		}
	case strings.HasSuffix(host, ".servicebus.windows.net"):
		return under("sb://"+host, path)
	case strings.HasSuffix(host, ".core.windows.net"):
		first, rest, _ := strings.Cut(path, "/")
		return under("https://"+blobHost(host)+"/"+first, rest)
	}
	return nil
}

func amazonURL(host, path string) []string {
	switch first, rest, _ := strings.Cut(path, "/"); {
	case isQueueHost(host):
		return queue(host, path)
	case strings.HasPrefix(path, "s3/buckets/"):
		return console(host, path)
	case s3Host.MatchString(host):
		name := strings.TrimSuffix(s3Host.ReplaceAllString(host, ""), ".")
		if name == "" {
			return under("s3://"+first, rest)
		}
		return under("s3://"+name, path)
	}
	return nil
}

func googleURL(host, path string) []string {
	switch first, rest, _ := strings.Cut(path, "/"); {
	case strings.HasPrefix(path, "storage/v1/b/"):
		name, _, _ := strings.Cut(strings.TrimPrefix(path, "storage/v1/b/"), "/")
		return under("gs://"+name, "")
	case strings.HasPrefix(path, "storage/browser/"):
		return console(host, path)
	case host == "storage.googleapis.com" || host == "storage.cloud.google.com":
		return under("gs://"+first, rest)
	case strings.HasSuffix(host, ".storage.googleapis.com"):
		return under("gs://"+strings.TrimSuffix(host, ".storage.googleapis.com"), path)
	}
	return nil
}

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

// lakeTwin returns the other address of a storage account: the data lake's and the blobs' are the same data. It is empty for other hosts.
func lakeTwin(host string) string {
	for from, to := range map[string]string{".dfs.core.": ".blob.core.", ".blob.core.": ".dfs.core."} {
		if before, after, ok := strings.Cut(host, from); ok && before != "" && isName(after) {
			return before + to + after
		}
	}
	return ""
}

// InEachSpelling returns the part of a host that stands in each of its spellings: of a storage account of Azure, which has several addresses and is named bare,
// too, its name; of any other host, the whole of it.
func InEachSpelling(host string) string {
	if account, after, ok := strings.Cut(host, "."); ok && strings.Contains(after, ".core.") {
		return account
	}
	return host
}

// blobHost: the data lake's address of an account is the same account.
func blobHost(host string) string { return strings.Replace(host, ".dfs.", ".blob.", 1) }
