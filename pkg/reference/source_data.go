package reference

// data finds hosts in the keys of ConfigMaps and Secrets.
func data(in *Input) []Reference {
	var out []Reference
	for _, d := range in.Data {
		refs := at(d.Path, d.Value, Hosts(d.Value, d.Key, Value))
		for i := range refs {
			refs[i].Secret = d.Secret
		}
		out = append(out, refs...)
	}
	return out
}
