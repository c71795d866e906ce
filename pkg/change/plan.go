package change

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/hide"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// MaxConfigMaps is how many ConfigMaps a plan may pin: each is read live before a run is admitted.
const MaxConfigMaps = 16

// PlanVersion is the algorithm of the digests of plans that this version writes. It pins more than the first one did, and its fields say all
// that they pin, but for credentials.
const PlanVersion = "v2"

// Plan is the set of fields that decide what a workload runs.
type Plan struct {
	// Digest is that of all fields.
	Digest string
	// V1 is the plan by the first algorithm: windows that were requested with it still pin what they pinned. It is nil in such a plan.
	V1 *Plan
	// Fields are sorted by path.
	Fields []v1alpha1.PlannedField
	// Unpinned are the images that are named by tag alone, with their paths. Such a plan pins nothing.
	Unpinned []string
	// TooMany is true if the workload uses more ConfigMaps than a plan may pin.
	TooMany bool
}

// Contents returns the content of a ConfigMap's keys in the workload's namespace, and whether the ConfigMap exists.
type Contents func(name string) (map[string][]byte, bool)

// PlanOf computes the plan of a workload. It is the same before and after the API server has filled in defaults.
func PlanOf(w *workload.Workload, contents Contents) *Plan {
	p := planBy(PlanVersion, w, contents)
	p.V1 = planBy(DigestVersion, w, contents)
	return p
}

// By returns the plan by the algorithm of a digest; nil: this version does not know the algorithm.
func (p *Plan) By(digest string) *Plan {
	version, _, _ := strings.Cut(digest, ":")
	for q := p; q != nil; q = q.V1 {
		if own, _, _ := strings.Cut(q.Digest, ":"); own == version {
			return q
		}
	}
	return nil
}

// First returns the plan by the first algorithm.
func (p *Plan) First() *Plan {
	if p.V1 == nil {
		return p
	}
	return p.V1
}

func planBy(version string, w *workload.Workload, contents Contents) *Plan {
	b := builder{first: version == DigestVersion, version: version, fields: map[string]v1alpha1.PlannedField{}}
	b.pod(&w.Template)
	for _, c := range w.Template.Containers() {
		b.container(c, &w.Template)
	}
	if w.RunsToCompletion && w.Wanted > 1 {
		b.add("parallelism", w.Wanted, fmt.Sprint(w.Wanted))
	}
	b.repeats(w)
	if !b.first {
		b.prolongs(w)
		b.placement(&w.Template)
	}
	b.configMaps(&w.Template, contents)
	return b.plan()
}

// repeats adds how often a Job runs its Pods, unless that is once.
func (b *builder) repeats(w *workload.Workload) {
	if n := w.Completions; n != nil && *n != 1 {
		b.add("completions", fmt.Sprint(*n), fmt.Sprint(*n))
	}
	if n := w.BackoffLimit; n != nil && *n != 6 {
		b.add("backoffLimit", fmt.Sprint(*n), fmt.Sprint(*n))
	}
	if w.Indexed {
		b.add("completionMode", "Indexed", "Indexed")
	}
}

type builder struct {
	// first is true for the first algorithm.
	first    bool
	version  string
	fields   map[string]v1alpha1.PlannedField
	unpinned []string
	tooMany  bool
}

func (b *builder) plan() *Plan {
	p := &Plan{Unpinned: b.unpinned, TooMany: b.tooMany}
	for _, f := range b.fields {
		p.Fields = append(p.Fields, f)
	}
	slices.SortFunc(p.Fields, func(a, b v1alpha1.PlannedField) int { return cmp.Compare(a.Path, b.Path) })
	said := 0
	for i := range p.Fields {
		if said += len(p.Fields[i].Value); said > maxPlanText {
			p.Fields[i].Value = "" // the digest pins it all the same
		}
	}
	p.Digest = fieldsDigest(b.version, p.Fields)
	return p
}

func fieldsDigest(version string, fields []v1alpha1.PlannedField) string {
	var s strings.Builder
	for _, f := range fields {
		s.WriteString(f.Path)
		s.WriteByte(0)
		s.WriteString(f.Digest)
		s.WriteByte('\n')
	}
	return digestBy(version, []byte(s.String()))
}

// add adds a field, unless its value is empty: an omitted value and an empty one run alike.
func (b *builder) add(path string, value any, text string) {
	raw, err := json.Marshal(value)
	if err != nil || empty(string(raw)) {
		return
	}
	if !b.first {
		b.say(path, value)
		return
	}
	if len(text) > maxText {
		text = "" // a part of it could not be checked against the digest
	}
	b.fields[path] = v1alpha1.PlannedField{Path: path, Digest: fieldDigest(raw), Text: text}
}

// value adds a text that counts though it is empty.
func (b *builder) value(path, text string) {
	if b.first {
		b.add(path, "value:"+text, "")
		return
	}
	b.say(path, text)
}

// say adds a field by the present algorithm: with its value as JSON, in which credentials are hidden, and the digest of that text. Whoever
// reads the text reads what the digest pins.
func (b *builder) say(path string, value any) {
	if raw, err := json.Marshal(value); err != nil || len(raw) > maxSaid {
		// It is too long to be shown, so that nothing in it need be hidden.
		b.fields[path] = v1alpha1.PlannedField{Path: path, Digest: fieldDigest(append([]byte("long:"), raw...))}
		return
	}
	b.hidden(path, concealed(path, value))
}

// hidden adds a field whose credentials are hidden.
func (b *builder) hidden(path string, value any) {
	hidden, err := json.Marshal(value)
	if err != nil {
		return
	}
	f := v1alpha1.PlannedField{Path: path, Digest: fieldDigest(hidden), Value: string(hidden)}
	if len(hidden) > maxSaid {
		f.Value = ""
	}
	b.fields[path] = f
}

// concealed returns a value without the credentials in it.
func concealed(path string, value any) any {
	switch v := value.(type) {
	case string:
		return hide.Text(path, v)
	case []string:
		return hide.Words(path, v)
	case corev1.EnvVar:
		if v.ValueFrom == nil {
			return hide.Value(path, v.Name, v.Value)
		}
		return v.ValueFrom
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return value
	}
	return hide.JSON(path, raw)
}

// maxText is the longest text of the first algorithm in bytes, maxSaid that of the present one.
const maxText, maxSaid = 1024, 32 << 10

// maxPlanText is how many bytes the texts of a plan have in all: a window is one object of the API server's.
const maxPlanText = 256 << 10

func fieldDigest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// truthful reports whether a field's text is the value that its digest pins. Texts are words, lists of words, numbers or
// booleans.
func truthful(version string, f v1alpha1.PlannedField) bool {
	if version != DigestVersion {
		return f.Text == "" && (f.Value == "" || fieldDigest([]byte(f.Value)) == f.Digest)
	}
	if f.Value != "" {
		return false
	}
	for _, value := range []any{f.Text, strings.Split(f.Text, " "), json.RawMessage(f.Text)} {
		if raw, err := json.Marshal(value); err == nil && fieldDigest(raw) == f.Digest {
			return true
		}
	}
	return f.Text == ""
}

func empty(raw string) bool {
	switch raw {
	case "null", `""`, "[]", "{}", "false", "0":
		return true
	}
	return false
}

// shorten cuts a text that a message quotes.
func shorten(s string) string {
	if len(s) > maxQuoted {
		return strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return s
}

// maxQuoted is how many bytes of a text a message quotes.
const maxQuoted = 160

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Difference is one decisive field that differs between the approved and the submitted plan.
type Difference struct {
	// Path is the path of the field.
	Path string
	// Approved and Submitted are the texts if they may be shown; otherwise the start of their digests.
	Approved, Submitted string
}

// String returns the difference as a phrase for a denial.
func (d Difference) String() string {
	return fmt.Sprintf("%s: approved %s, submitted %s", d.Path, d.Approved, d.Submitted)
}

// Differences returns the differences between an approved entry and the submitted plan. It is empty if they are the same.
func Differences(approved *v1alpha1.PlannedWorkload, submitted *Plan) []Difference {
	if submitted = asPinned(approved, submitted); submitted == nil {
		return []Difference{{"digest", approved.Digest, "nothing, since this version of Firebreak does not know its algorithm"}}
	}
	if approved.Digest == submitted.Digest {
		return nil
	}
	show := shown
	if !strings.HasPrefix(approved.Digest, DigestVersion+":") {
		show = said
	}
	want := byPath(approved.Fields)
	got := byPath(submitted.Fields)
	var out []Difference
	for p, f := range want {
		if g, ok := got[p]; !ok || g.Digest != f.Digest {
			out = append(out, Difference{p, show(f, true), show(g, ok)})
		}
	}
	for p, g := range got {
		if _, ok := want[p]; !ok {
			out = append(out, Difference{p, show(g, false), show(g, true)})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Compare(a.Path, b.Path) })
	if len(out) == 0 {
		// The window names no fields, or fields that do not belong to its digest: the digest alone decides.
		out = []Difference{{"digest", approved.Digest, submitted.Digest}}
	}
	return out
}

func byPath(fields []v1alpha1.PlannedField) map[string]v1alpha1.PlannedField {
	out := make(map[string]v1alpha1.PlannedField, len(fields))
	for _, f := range fields {
		out[f.Path] = f
	}
	return out
}

func shown(f v1alpha1.PlannedField, present bool) string {
	switch {
	case !present:
		return "nothing"
	case f.Text != "":
		return fmt.Sprintf("%q", f.Text)
	}
	return "sha256 " + clip(f.Digest, 12)
}

// said returns the JSON of a field of the present algorithm.
func said(f v1alpha1.PlannedField, present bool) string {
	if present && f.Value != "" {
		return shorten(f.Value)
	}
	return shown(f, present)
}

// ConsistentPlan reports whether an entry's digest is that of its fields, and each field's digest that of its text: otherwise
// an approver would read one thing and approve another. A digest of an algorithm that this version does not know cannot be
// checked and passes: it matches nothing that runs.
func ConsistentPlan(p *v1alpha1.PlannedWorkload) bool {
	version, _, _ := strings.Cut(p.Digest, ":")
	if version != DigestVersion && version != PlanVersion {
		return true
	}
	if slices.ContainsFunc(p.Fields, func(f v1alpha1.PlannedField) bool { return strings.IndexFunc(f.Path, unicode.IsControl) >= 0 }) {
		return false // one field could be read as several
	}
	fields := slices.Clone(p.Fields)
	slices.SortFunc(fields, func(a, b v1alpha1.PlannedField) int { return cmp.Compare(a.Path, b.Path) })
	return fieldsDigest(version, fields) == p.Digest && !slices.ContainsFunc(fields, func(f v1alpha1.PlannedField) bool { return !truthful(version, f) })
}
