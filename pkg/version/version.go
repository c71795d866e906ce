package version

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Build is what the go command recorded about a binary.
type Build struct {
	// Version is that of the module; it is "(devel)" for a build from a checkout.
	Version string
	// Commit is the one that the binary was built from; it is empty if it was not recorded. Modified is true if the checkout
	// differed from it.
	Commit   string
	Modified bool
	// Go is the version of the compiler.
	Go string
}

// Read returns the build of the running binary.
func Read() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "(devel)"}
	}
	return of(info)
}

func of(info *debug.BuildInfo) Build {
	b := Build{Version: info.Main.Version, Go: info.GoVersion}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns the build as one line for a person.
func (b Build) String() string {
	out := b.Version
	if b.Commit != "" {
		out += ", commit " + b.Commit
	}
	if b.Modified {
		out += " with changes"
	}
	if b.Go != "" {
		out += ", " + b.Go
	}
	return out
}

// Command returns the command that prints the build to out.
func Command(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(out, Read())
			return err
		},
	}
}
