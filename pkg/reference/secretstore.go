package reference

import "strings"

// StorePathTarget names a path of a secret store in the form in which such paths are compared: without the slashes
// around it, the API's version and the infix of Vault's second key-value engine.
func StorePathTarget(path string) Target {
	path = strings.Trim(path, "/")
	path = strings.TrimPrefix(path, "v1/")
	if engine, rest, ok := strings.Cut(path, "/"); ok {
		for _, infix := range []string{"data/", "metadata/"} {
			if after, has := strings.CutPrefix(rest, infix); has {
				path = engine + "/" + after
			}
		}
	}
	return Target{Kind: StorePath, Name: path, Unambiguous: true}
}

// storePaths finds paths of a secret store where the text or its name speaks of one.
func (r *reader) storePaths(text, hint string) []Target {
	if !strings.Contains(text, "/") || !storeHint(hint) && !speaksOfStore(text) || !r.spend(text) {
		return nil
	}
	var out []Target
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`,;|<>(){}[]&?=", r) }) {
		if len(word) > maxResource || !strings.Contains(word, "/") || !r.budget.Spend(tokenCost) {
			continue
		}
		word = storePath(word)
		if strings.Contains(word, "/") && !strings.HasPrefix(word, ".") && !strings.Contains(word, "//") {
			out = r.keep(out, StorePathTarget(word))
		}
	}
	return out
}

// storePath takes the path out of a word: from behind the API of a store, and the schemes that templates give it.
func storePath(word string) string {
	if _, after, ok := strings.Cut(word, "://"); ok {
		if _, rest, api := strings.Cut(after, "/v1/"); api {
			word = rest
		} else if strings.HasPrefix(word, "vault") || strings.HasPrefix(word, "ref+vault") {
			word = after
		}
	}
	word, _, _ = strings.Cut(word, "#")
	for _, prefix := range []string{"vault:", "path:", "ref+vault:"} {
		word = strings.TrimPrefix(word, prefix)
	}
	return word
}

func speaksOfStore(text string) bool {
	text = strings.ToLower(text)
	for _, mark := range []string{"vault", "/v1/", "with secret", "secret \"", "secretpath", "objectname", "path:", "ssm get-param", "kv get"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// storeHint: the field's name says that a path of a secret store stands there.
func storeHint(l string) bool {
	for _, mark := range []string{"vault", "secretpath", "secret_path", "secret-path", "secretsmanager", "secret_id", "secret-id", "remoteref"} {
		if strings.Contains(l, mark) {
			return true
		}
	}
	return false
}
