package cli

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// profiles are values files of the chart to begin with. The chart holds copies of them.
//
//go:embed profiles/*.yaml
var profiles embed.FS

func profileNames() []string { return []string{"observe", "standard", "strict"} }

func (e *env) init() *cobra.Command {
	var profile, home string
	var seal bool
	cmd := &cobra.Command{
		Use:   "init (--profile NAME | --seal)",
		Short: "Print a values file of the chart to begin with, or seal the boundary once it is right",
		Long: `Prints one of three values files for the chart, with an estate to put your own names into:

  observe   nothing is refused; what would be is only recorded
  standard  production and non-production are kept apart, and maintenance that is recognised needs an approved window
  strict    everything that can be refused is, every Job in production needs a window, and two persons approve it

From one to the next the boundary only becomes stricter, which takes no window.

With --seal it ends the hour in which the boundary may be edited freely, for every Production environment of the cluster.`,
		Example: `  kubectl firebreak init --profile standard >values.yaml
  kubectl firebreak init --seal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case seal:
				return e.sealAll(cmd, home)
			case profile == "":
				return fmt.Errorf("say --profile %s, or --seal", strings.Join(profileNames(), "|"))
			}
			if !slices.Contains(profileNames(), profile) {
				return fmt.Errorf("--profile %s: there are %s", profile, strings.Join(profileNames(), ", "))
			}
			text, err := profiles.ReadFile("profiles/" + profile + ".yaml")
			if err != nil {
				return fmt.Errorf("read the profile: %w", err)
			}
			_, err = e.Out.Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "which to print: "+strings.Join(profileNames(), ", "))
	cmd.Flags().BoolVar(&seal, "seal", false, "seal every Production environment of the cluster instead")
	cmd.Flags().StringVar(&home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	cmd.MarkFlagsMutuallyExclusive("profile", "seal")
	return cmd
}

func (e *env) sealAll(cmd *cobra.Command, home string) error {
	c, _, err := e.client()
	if err != nil {
		return err
	}
	var all v1alpha1.EnvironmentList
	if err := c.List(cmd.Context(), &all); err != nil {
		return fmt.Errorf("list environments: %w", err)
	}
	if err := e.someoneApproves(cmd.Context(), c, home); err != nil {
		return err
	}
	sealed := false
	for _, env := range all.Items {
		if env.Spec.Tier == v1alpha1.TierProduction {
			if err := e.sealOne(cmd.Context(), c, env.Name); err != nil {
				return err
			}
			sealed = true
		}
	}
	if !sealed {
		return errors.New("there is no Production environment to seal; declare one first")
	}
	return nil
}

// someoneApproves returns an error if nobody could approve a change of the boundary once it is sealed. Users who may not read roles and bindings are told so.
func (e *env) someoneApproves(ctx context.Context, c client.Client, home string) error {
	a, err := readAccess(ctx, c)
	if apierrors.IsForbidden(err) {
		fmt.Fprintln(e.ErrOut, "Warning: You may not list roles and bindings, so nobody has looked whether somebody could approve a change of the boundary once it is sealed.")
		return nil
	}
	if err != nil {
		return err
	}
	if why := a.nobodyApproves(home); why != "" {
		return fmt.Errorf("nothing is sealed, since no change of the boundary could be approved afterwards: %s", why)
	}
	return nil
}
