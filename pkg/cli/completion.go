package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// completing is how long a shell waits for names.
const completing = 3 * time.Second

// completeNames has a command complete its arguments by the names of objects of one of Firebreak's kinds, as far as its user may list them.
func (e *env) completeNames(cmd *cobra.Command, kind string) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completing)
		defer cancel()
		c, ns, err := e.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if kind == v1alpha1.KindEnvironment || kind == v1alpha1.KindChangeFreeze {
			ns = ""
		}
		l := listOf(v1alpha1.GVK(kind + "List"))
		if err := c.List(ctx, l, client.InNamespace(ns), client.Limit(500)); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for i := range l.Items {
			if name := l.Items[i].GetName(); strings.HasPrefix(name, begun) {
				out = append(out, name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}
