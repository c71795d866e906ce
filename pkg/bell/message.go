package bell

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// Message is what is sent.
type Message struct {
	Title, Text string
	Notice      Notice
}

// mostMessage is how long a title and a text may be, in bytes.
const (
	mostTitle   = 200
	mostMessage = 4 << 10
)

// titles are the first lines of messages, as templates of a Notice.
func titles() map[Kind]string {
	return map[Kind]string{
		Requested:  `{{.Who}} asks for a change in {{environments .}}: {{.Namespace}}/{{.Object}}`,
		Approved:   `Approved: {{.Namespace}}/{{.Object}} in {{environments .}}`,
		Rejected:   `Rejected: {{.Namespace}}/{{.Object}} in {{environments .}}`,
		Opening:    `{{environments .}} opens at {{instant .Opens}}: {{.Namespace}}/{{.Object}}`,
		Closing:    `{{.Namespace}}/{{.Object}} closes at {{instant .Closes}} and has not been used`,
		Unused:     `{{.Namespace}}/{{.Object}} has closed and was not used`,
		Frozen:     `{{environments .}} is frozen{{with .Says}} {{.}}{{end}}{{if .Closes}} until {{instant .Closes}}{{end}}`,
		Lifted:     `{{environments .}} is not frozen any more by {{.Object}}`,
		Emergency:  `{{.Who}} broke the glass in {{environments .}}: {{.Namespace}}/{{.Object}}`,
		Unreviewed: `Nobody has reviewed the emergency {{.Namespace}}/{{.Object}} of {{.Who}} within an hour`,
		Expiring:   `{{.Says}} expires at {{instant .Closes}}`,
		Weakening:  `What the chart's values declare would weaken the boundary, and waits for approval`,
		Restored:   `Somebody changed Firebreak's admission configuration; it was put back`,
	}
}

// text is what follows the title.
const text = `{{with .Reason}}{{.}}
{{end}}{{with .Ticket}}Ticket: {{.}}
{{end}}{{if and .Says (not (eq .Kind "expiring" "frozen"))}}{{.Says}}
{{end}}{{if and .Opens (eq .Kind "requested" "approved" "frozen" "opening")}}From {{instant .Opens}}{{if .Closes}} to {{instant .Closes}}{{else}} until somebody lifts it{{end}}
{{end}}{{with .Cluster}}Cluster: {{.}}
{{end}}{{with .Command}}{{.}}
{{end}}{{with .Link}}{{.}}
{{end}}`

// Templates are the words of messages.
type Templates struct{ titles, texts map[Kind]*template.Template }

// NewTemplates returns the built-in words, with those that are given in place of them: under the name of a kind its text, and under that name with .title its
// title. An error names the template that cannot be read, or a kind that there is not.
func NewTemplates(given map[string]string) (*Templates, error) {
	t := &Templates{map[Kind]*template.Template{}, map[Kind]*template.Template{}}
	known := map[string]bool{}
	for _, k := range Kinds() {
		for suffix, into := range map[string]map[Kind]*template.Template{".title": t.titles, "": t.texts} {
			name, source := string(k)+suffix, text
			if suffix != "" {
				source = titles()[k]
			}
			if own, ok := given[name]; ok {
				source = own
			}
			known[name] = true
			parsed, err := template.New(name).Funcs(template.FuncMap{
				"instant":      instant,
				"environments": func(n Notice) string { return strings.Join(n.Environments, ", ") },
			}).Parse(source)
			if err != nil {
				return nil, fmt.Errorf("template %s: %w", name, err)
			}
			into[k] = parsed
		}
	}
	for name := range given {
		if !known[name] {
			return nil, fmt.Errorf("template %q is for no kind of notice", name)
		}
	}
	return t, nil
}

func instant(t *time.Time) string {
	if t == nil {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}

// Write returns the message of a notice. What users wrote appears with control characters escaped, so that it cannot pass for a line of Firebreak's.
func (t *Templates) Write(n Notice) (Message, error) {
	said := n
	for _, s := range []*string{&said.Who, &said.Reason, &said.Ticket, &said.Object, &said.Namespace, &said.Says} {
		*s = overview.Plain(*s)
	}
	m := Message{Notice: said}
	for into, parsed := range map[*string]*template.Template{&m.Title: t.titles[n.Kind], &m.Text: t.texts[n.Kind]} {
		if parsed == nil {
			return m, fmt.Errorf("there are no words for %q", n.Kind)
		}
		var out bytes.Buffer
		if err := parsed.Execute(&bounded{&out, mostMessage}, said); err != nil && out.Len() < mostMessage {
			return m, fmt.Errorf("write the message: %w", err)
		}
		*into = strings.TrimSpace(out.String())
	}
	m.Title = strings.Join(strings.Fields(m.Title), " ")
	if len(m.Title) > mostTitle {
		m.Title = strings.ToValidUTF8(m.Title[:mostTitle], "") + "…"
	}
	return m, nil
}

// bounded takes so many bytes and no more.
type bounded struct {
	to   io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		n, _ := b.to.Write(p[:b.left])
		b.left = 0
		return n, io.ErrShortWrite
	}
	b.left -= len(p)
	return b.to.Write(p)
}
