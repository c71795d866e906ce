package cli

import (
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"
)

// kubeconfig says which cluster to call, and as which user. It takes kubectl's flags, without kubectl's machinery, which would
// bring kustomize into the plugin.
type kubeconfig struct {
	path      string
	overrides clientcmd.ConfigOverrides
}

// flags adds all of kubectl's flags for the cluster and the user.
func (k *kubeconfig) flags(f *pflag.FlagSet) {
	k.pathFlag(f)
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	names.AuthOverrideFlags.Username.LongName, names.AuthOverrideFlags.Password.LongName = "", "" // API servers no longer accept them
	clientcmd.BindOverrideFlags(&k.overrides, f, names)
}

// worldFlags adds the flags of a command whose own flags have some of the same names: there, --as names the user to judge.
func (k *kubeconfig) worldFlags(f *pflag.FlagSet) {
	k.pathFlag(f)
	f.StringVar(&k.overrides.CurrentContext, clientcmd.FlagContext, "", "kubeconfig context, for the live estate")
}

func (k *kubeconfig) pathFlag(f *pflag.FlagSet) {
	f.StringVar(&k.path, clientcmd.RecommendedConfigPathFlag, "", "Path to the kubeconfig file to use for CLI requests.")
}

// pinned reports whether a flag says which cluster is called, or as which user, whatever the context says.
func (k *kubeconfig) pinned() bool {
	o := k.overrides
	return o.ClusterInfo.Server != "" || o.Context.Cluster != "" || o.Context.AuthInfo != "" || o.AuthInfo.Token != "" || o.AuthInfo.ClientCertificate != "" || o.AuthInfo.Impersonate != ""
}

func (k *kubeconfig) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.path
	overrides := k.overrides // several may load at once
	overrides.ClusterDefaults = clientcmd.ClusterDefaults
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &overrides)
}
