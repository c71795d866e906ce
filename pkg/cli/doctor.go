package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The levels of a Diagnosis, worst first.
const (
	levelBad     = "bad"
	levelWarn    = "warn"
	levelUnknown = "unknown"
	levelOK      = "ok"
)

// Diagnosis is one line of what doctor says.
type Diagnosis struct {
	// Level is bad, warn, unknown or ok.
	Level string `json:"level"`
	// About names what was looked at, Says what was found, and Remedy what to do; it is empty if nothing is to be done.
	About  string `json:"about"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

type doctorOptions struct{ home, output string }

func (e *env) doctor() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether Firebreak is installed, answers rightly, and what is wrong around it",
		Long: `Looks whether Firebreak is installed and its replicas run apart from each other, whether the API server sends to it what it should and it answers rightly (by dry
runs), whether its certificate and clocks hold, who could approve, break the glass or come to act as somebody who can, which accounts act in production unlisted, what
waits for approval or review, what is left of earlier installations, and which webhooks of others could stand in its way. Each finding comes with its remedy. It changes
nothing, and works without a running replica.

What you may not see is said, and not looked at: the ClusterRole firebreak-doctor gives the right to see all of it. Exit status: 0, all is well; 1, something is
not; 2, nothing that was looked at is wrong, but something could not be looked at. Whether Firebreak answers is seen by requesting a window as a dry run, which
needs the ClusterRole firebreak-request in the namespace of the kubeconfig.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runDoctor(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "text", oneOf(forPeople()))
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

// patient is what the checks look at.
type patient struct {
	client.Client
	env  *env
	home string
	// granted are the roles and bindings, once they were read.
	granted *access
}

// examination is one check. Its error says that something could not be looked at.
type examination struct {
	about string
	look  func(*patient, context.Context) ([]Diagnosis, error)
}

func examinations() []examination {
	return []examination{
		{"definitions", (*patient).definitions}, {"replicas", (*patient).replicas}, {"registrations", (*patient).registered}, {"answers", (*patient).answers},
		{"certificate", (*patient).certificate}, {"clock", (*patient).clocks}, {"leader", (*patient).leader}, {"exclusions", (*patient).exclusions},
		{"webhooks of others", (*patient).others}, {"rights", (*patient).rights}, {"approvers", (*patient).approvers}, {"impersonation", (*patient).impersonators},
		{"unlisted accounts", (*patient).unlisted}, {"declarations", (*patient).pendingDeclarations}, {"emergencies", (*patient).emergencies}, {"remnants", (*patient).remnants},
	}
}

func (e *env) runDoctor(ctx context.Context, o *doctorOptions) error {
	if err := checkOutput(o.output, forPeople()...); err != nil {
		return err
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	all := (&patient{Client: c, env: e, home: o.home}).diagnose(ctx)
	if o.output != "text" {
		err = printAs(e.Out, o.output, map[string]any{"diagnoses": all})
	} else {
		err = printDiagnoses(e.Out, all)
	}
	if err != nil {
		return err
	}
	switch all[0].Level {
	case levelBad, levelWarn:
		return ExitError{1}
	case levelUnknown:
		return ExitError{2}
	}
	return nil
}

// diagnose looks at everything, and returns what it found, the worst first.
func (p *patient) diagnose(ctx context.Context) []Diagnosis {
	var all []Diagnosis
	for _, x := range examinations() {
		found, err := x.look(p, ctx)
		for i := range found {
			found[i].About = x.about
		}
		all = append(all, found...)
		if err != nil {
			all = append(all, unseen(x.about, err))
		}
	}
	slices.SortStableFunc(all, func(a, b Diagnosis) int { return rankOf(a.Level) - rankOf(b.Level) })
	return all
}

func rankOf(level string) int {
	return slices.Index([]string{levelBad, levelWarn, levelUnknown, levelOK}, level)
}

// unseen says that something could not be looked at.
func unseen(about string, err error) Diagnosis {
	d := Diagnosis{Level: levelUnknown, About: about, Says: "it could not be looked at: " + err.Error()}
	if apierrors.IsForbidden(err) || strings.Contains(err.Error(), "forbidden") {
		d.Remedy = "have the ClusterRole firebreak-doctor bound to you"
	}
	return d
}

func printDiagnoses(out io.Writer, all []Diagnosis) error {
	counts := map[string]int{}
	for _, d := range all {
		counts[d.Level]++
		fmt.Fprintf(out, "%-7s %s: %s\n", d.Level, d.About, plain(d.Says))
		if d.Remedy != "" {
			fmt.Fprintf(out, "        %s\n", plain(d.Remedy))
		}
	}
	_, err := fmt.Fprintf(out, "\n%d bad, %d to look at, %d unknown, %d well\n", counts[levelBad], counts[levelWarn], counts[levelUnknown], counts[levelOK])
	return err
}

func well(format string, args ...any) []Diagnosis {
	return []Diagnosis{{Level: levelOK, Says: fmt.Sprintf(format, args...)}}
}

func bad(remedy, format string, args ...any) Diagnosis {
	return Diagnosis{Level: levelBad, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}

func warn(remedy, format string, args ...any) Diagnosis {
	return Diagnosis{Level: levelWarn, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Hint adds to an error of the API server's that comes from a webhook or policy of Firebreak's which did not answer how to find out why.
func Hint(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if strings.Contains(text, "failed calling webhook") && strings.Contains(text, ".firebreak.dev\"") {
		return text + "\nFirebreak does not answer, so this was refused unjudged: kubectl firebreak doctor says what is wrong"
	}
	return text
}
