package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// demo is a terminal that several people share.
type demo struct {
	*stage.Stage
	ctx      context.Context
	commands int
	configs  map[string]string
	path     string
}

func newDemo(ctx context.Context, s *stage.Stage) (*demo, error) {
	if err := s.Populate(ctx); err != nil {
		return nil, err
	}
	d := &demo{Stage: s, ctx: ctx, configs: map[string]string{}}
	// kubectl finds its plugin, and the demo's shell finds kubectl.
	d.path = strings.Join([]string{filepath.Dir(s.Bin("kubectl")), filepath.Join(s.Root, "bin"), os.Getenv("PATH")}, ":")
	for _, person := range []string{stage.Developer, stage.SRE, stage.SecondSRE} {
		file, err := d.kubeconfig(person, s.UserConfig(person))
		if err != nil {
			return nil, err
		}
		d.configs[person] = file
	}
	return d, nil
}

// kubeconfig has two contexts, like that of anyone who works on both sides.
func (d *demo) kubeconfig(person string, cfg *rest.Config) (string, error) {
	c := clientcmdapi.NewConfig()
	c.Clusters["cluster"] = &clientcmdapi.Cluster{Server: cfg.Host, CertificateAuthorityData: cfg.CAData, CertificateAuthority: cfg.CAFile}
	c.AuthInfos[person] = &clientcmdapi.AuthInfo{Token: cfg.BearerToken, ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}
	c.Contexts["development"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: person, Namespace: "dev"}
	c.Contexts["production"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: person, Namespace: "payments"}
	c.CurrentContext = "development"
	file := filepath.Join(d.Dir(), person+".kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	return file, nil
}

// expectation says how a command must end.
type expectation struct {
	fails bool
	says  []string
}

func admitted(says ...string) expectation { return expectation{says: says} }
func refused(says ...string) expectation  { return expectation{fails: true, says: says} }

// as runs a command as a person, prints it and its output, and checks how it ended.
func (d *demo) as(person, command string, want expectation) error {
	fmt.Printf("\n\033[1m%s$\033[0m %s\n", person, command)
	out, err := d.sh(person, command)
	fmt.Print(indent(out))
	d.commands++
	if d.ctx.Err() != nil {
		return d.ctx.Err()
	}
	if (err != nil) != want.fails {
		return fmt.Errorf("%q should have been %s", command, map[bool]string{true: "refused", false: "admitted"}[want.fails])
	}
	for _, s := range want.says {
		if !strings.Contains(out, s) {
			return fmt.Errorf("%q should have said %q", command, s)
		}
	}
	return nil
}

func (d *demo) sh(person, command string) (string, error) {
	cmd := exec.CommandContext(d.ctx, "/bin/sh", "-c", command)
	cmd.Dir = filepath.Join(d.Root, "hack", "demo", "manifests")
	cmd.Env = append(os.Environ(), "PATH="+d.path, "KUBECONFIG="+d.configs[person])
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// until repeats a command, without printing it, until its output contains a text.
func (d *demo) until(person, command, says string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		out, _ := d.sh(person, command)
		if strings.Contains(out, says) {
			return nil
		}
		if time.Now().After(deadline) || d.ctx.Err() != nil {
			return fmt.Errorf("%q never said %q; last it said:\n%s", command, says, out)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func indent(out string) string {
	if out == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(out, "\n"), "\n", "\n  ") + "\n"
}

func title(format string, args ...any) {
	fmt.Printf("\n\033[1;4m"+format+"\033[0m\n", args...)
}

func say(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// keep leaves the cluster up until it is interrupted.
func (d *demo) keep() {
	fmt.Printf("\nThe cluster stays up until you press Ctrl-C. In another terminal:\n\n  export PATH=%s:%s:$PATH\n",
		filepath.Dir(d.Bin("kubectl")), filepath.Join(d.Root, "bin"))
	for _, person := range []string{stage.Developer, stage.SRE, stage.SecondSRE} {
		fmt.Printf("  export KUBECONFIG=%s    # %s\n", d.configs[person], person)
	}
	fmt.Printf("  kubectl --context production get changewindows,changeapprovals\n")
	<-d.ctx.Done()
}
