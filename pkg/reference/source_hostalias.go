package reference

import "fmt"

// hostAlias finds the addresses that host names of the Pod are pointed at, and the names that are given to them: under
// its own name, production's address is still production's.
func hostAlias(in *Input) []Reference {
	var out []Reference
	for _, t := range in.templates() {
		for i, a := range t.Spec.HostAliases {
			path := fmt.Sprintf("%s.hostAliases[%d]", t.SpecPath(), i)
			out = append(out, in.at(path+".ip", a.IP, in.find(a.IP, "", HostPosition))...)
			for j, name := range a.Hostnames {
				out = append(out, in.at(fmt.Sprintf("%s.hostnames[%d]", path, j), name, in.find(name, "", HostPosition))...)
			}
		}
	}
	return out
}
