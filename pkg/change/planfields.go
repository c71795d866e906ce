package change

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/hide"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// pod adds the decisive fields of the pod spec itself: identity, volumes, host access. Labels and resources
// do not decide what runs; placement belongs to the second algorithm.
func (b *builder) pod(t *workload.Template) {
	s := &t.Spec
	if sa := t.ServiceAccount(); sa != "default" {
		b.add("serviceAccountName", sa, sa)
	}
	b.flag("hostNetwork", s.HostNetwork)
	b.flag("hostPID", s.HostPID)
	b.flag("hostIPC", s.HostIPC)
	b.optional("hostUsers", s.HostUsers, true)
	b.optional("shareProcessNamespace", s.ShareProcessNamespace, false)
	b.optional("automountServiceAccountToken", s.AutomountServiceAccountToken, true)
	b.add("nodeName", s.NodeName, s.NodeName)
	b.add("hostname", s.Hostname, s.Hostname)
	b.add("subdomain", s.Subdomain, s.Subdomain)
	b.restarts(t)
	b.metadata(t)
	if s.RuntimeClassName != nil {
		b.add("runtimeClassName", *s.RuntimeClassName, *s.RuntimeClassName)
	}
	b.add("hostAliases", s.HostAliases, "")
	b.add("dnsConfig", s.DNSConfig, "")
	if s.DNSPolicy != "" && s.DNSPolicy != corev1.DNSClusterFirst {
		b.add("dnsPolicy", s.DNSPolicy, string(s.DNSPolicy))
	}
	if s.SecurityContext != nil {
		b.add("securityContext", s.SecurityContext, "")
	}
	for _, v := range s.Volumes {
		if v.Image != nil && !b.first && !pinnedImage(v.Image.Reference) {
			b.unpinned = append(b.unpinned, fmt.Sprintf("volumes[%q].image %q", v.Name, v.Image.Reference))
		}
		if !injectedVolume(v) {
			b.add(fmt.Sprintf("volumes[%q]", v.Name), undefaultVolume(v), "")
		}
	}
}

// restarts adds the restart policy of Jobs that restart in place and of Pods that restart for ever: neither is a single run.
func (b *builder) restarts(t *workload.Template) {
	switch policy := t.Spec.RestartPolicy; {
	case policy == corev1.RestartPolicyOnFailure:
		b.add("restartPolicy", policy, string(policy))
	case t.Path == "" && policy != corev1.RestartPolicyNever:
		b.add("restartPolicy", corev1.RestartPolicyAlways, string(corev1.RestartPolicyAlways))
	}
}

// metadata pins the labels and annotations that containers read, since they may decide what runs.
func (b *builder) metadata(t *workload.Template) {
	var paths []string
	for _, c := range t.Containers() {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
				paths = append(paths, e.ValueFrom.FieldRef.FieldPath)
			}
		}
	}
	items := func(d []corev1.DownwardAPIVolumeFile) {
		for _, f := range d {
			if f.FieldRef != nil {
				paths = append(paths, f.FieldRef.FieldPath)
			}
		}
	}
	for _, v := range t.Spec.Volumes {
		if v.DownwardAPI != nil {
			items(v.DownwardAPI.Items)
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.DownwardAPI != nil {
				items(s.DownwardAPI.Items)
			}
		}
	}
	for _, p := range paths {
		b.read(p, "metadata.annotations", t.Annotations)
		b.read(p, "metadata.labels", t.Labels)
	}
}

// read adds the one key that a field path names, or all keys if it names none.
func (b *builder) read(path, of string, values map[string]string) {
	rest, ok := strings.CutPrefix(path, of)
	if !ok {
		return
	}
	one := strings.Trim(rest, "[]'\"")
	for k, v := range values {
		// The Job controller adds these keys: they name the run itself.
		if (one == "" || one == k) && !strings.HasPrefix(k, "batch.kubernetes.io/") && k != "controller-uid" && k != "job-name" {
			b.value(fmt.Sprintf("%s[%q]", of, k), v)
		}
	}
}

// pinnedImage reports whether an image is named by digest: one that is named by tag alone can be another one tomorrow.
func pinnedImage(image string) bool { return strings.Contains(image, "@sha256:") }

func (b *builder) flag(path string, v bool) { b.add(path, v, fmt.Sprint(v)) }

// optional adds a pointer whose value differs from the default.
func (b *builder) optional(path string, v *bool, omitted bool) {
	if v != nil && *v != omitted {
		b.add(path, fmt.Sprint(*v), fmt.Sprint(*v))
	}
}

// container adds the decisive fields of one container. Its position counts too, since init containers run in order.
func (b *builder) container(c workload.Container, t *workload.Template) {
	list, place := place(c.Path, t)
	at := func(f string) string { return fmt.Sprintf("%s[%q].%s", list, c.Name, f) }
	if list == "initContainers" && place > 0 {
		b.add(at("order"), place, fmt.Sprint(place))
	}
	b.add(at("image"), c.Image, c.Image)
	if !pinnedImage(c.Image) {
		b.unpinned = append(b.unpinned, fmt.Sprintf("%s %q", at("image"), c.Image))
	}
	b.command(at, c.Command)
	b.args(at, c.Command, c.Args)
	b.add(at("workingDir"), c.WorkingDir, c.WorkingDir)
	b.add(at("restartPolicy"), c.RestartPolicy, "")
	if !b.first {
		b.add(at("restartPolicyRules"), c.RestartPolicyRules, "")
	}
	b.env(at, c.Env)
	b.add(at("envFrom"), c.EnvFrom, "")
	b.add(at("volumeMounts"), mounts(c.VolumeMounts, t), "")
	b.add(at("volumeDevices"), c.VolumeDevices, "")
	if c.SecurityContext != nil {
		b.add(at("securityContext"), c.SecurityContext, "")
	}
	b.handlers(at, c.Container)
	for _, p := range c.Ports {
		// On the node's network a port is the node's; for bare Pods the API server fills it in.
		if p.HostPort != 0 && (!t.Spec.HostNetwork || p.HostPort != p.ContainerPort) {
			b.add(at(fmt.Sprintf("hostPort[%d]", p.HostPort)), p.HostPort, fmt.Sprint(p.HostPort))
		}
	}
}

// env adds every entry, including each entry of a repeated name. If entries refer to each other it also adds their order,
// since $(NAME) means an earlier entry.
func (b *builder) env(at func(string) string, list []corev1.EnvVar) {
	order := make([]string, len(list))
	refers := false
	for i, e := range list {
		order[i] = e.Name
		refers = refers || strings.Contains(e.Value, "$(")
		path := at(fmt.Sprintf("env[%q]", e.Name))
		if n := count(order[:i], e.Name); n > 0 {
			path = fmt.Sprintf("%s (entry %d of that name)", path, n+1)
		}
		b.add(path, undefaultEnv(e), "")
	}
	if refers {
		b.add(at("env"), order, strings.Join(order, " "))
	}
}

func count(list []string, s string) int {
	n := 0
	for _, v := range list {
		if v == s {
			n++
		}
	}
	return n
}

// handlers adds the commands and requests of hooks and exec probes. Other probes run nothing.
func (b *builder) handlers(at func(string) string, c *corev1.Container) {
	exec := func(name string, e *corev1.ExecAction) {
		if e != nil {
			b.add(at(name), e.Command, "")
		}
	}
	probe := func(name string, p *corev1.Probe) {
		if p == nil {
			return
		}
		exec(name, p.Exec)
		if !b.first && p.HTTPGet != nil && p.HTTPGet.Host != "" { // another host than the Pod itself
			b.add(at(strings.TrimSuffix(name, ".exec")+".httpGet"), p.HTTPGet, "")
		}
	}
	probe("livenessProbe.exec", c.LivenessProbe)
	probe("readinessProbe.exec", c.ReadinessProbe)
	probe("startupProbe.exec", c.StartupProbe)
	hook := func(name string, h *corev1.LifecycleHandler) {
		if h == nil {
			return
		}
		exec(name+".exec", h.Exec)
		if h.HTTPGet != nil {
			get := *h.HTTPGet
			if get.Scheme == corev1.URISchemeHTTP {
				get.Scheme = ""
			}
			if get.Path == "/" {
				get.Path = ""
			}
			b.add(at(name+".httpGet"), get, "")
		}
	}
	if c.Lifecycle != nil {
		hook("lifecycle.postStart", c.Lifecycle.PostStart)
		hook("lifecycle.preStop", c.Lifecycle.PreStop)
	}
}

func place(path string, t *workload.Template) (list string, index int) {
	rest := strings.TrimPrefix(path, t.SpecPath()+".")
	list, at, _ := strings.Cut(rest, "[")
	_, _ = fmt.Sscanf(at, "%d]", &index)
	return list, index
}

// command pins all words. It shows only the program of several words, since the others may be passwords.
func (b *builder) command(at func(string) string, words []string) {
	if b.first && len(words) > 1 {
		b.add(at("program"), words[0], commandText(words))
		b.add(at("command"), words, "")
		return
	}
	b.add(at("command"), words, commandText(words))
}

// args pins the arguments. What is a credential among them depends on the program, which the command names.
func (b *builder) args(at func(string) string, command, args []string) {
	if b.first || len(command) == 0 || len(args) == 0 {
		b.add(at("args"), args, "")
		return
	}
	line := hide.Words(at("args"), slices.Concat(command, args))
	b.hidden(at("args"), line[len(command):])
}

// commandText returns the program if it is a plain name or path.
func commandText(words []string) string {
	plain := regexp.MustCompile(`^[A-Za-z0-9_./-]{1,64}$`)
	if len(words) == 0 || !plain.MatchString(words[0]) {
		return ""
	}
	return words[0]
}

func undefaultEnv(e corev1.EnvVar) corev1.EnvVar {
	if e.ValueFrom == nil {
		return e
	}
	e = *e.DeepCopy()
	if f := e.ValueFrom.FieldRef; f != nil {
		blank(&f.APIVersion, "v1")
	}
	if f := e.ValueFrom.FileKeyRef; f != nil {
		omit(&f.Optional, false)
	}
	return e
}

// injectedVolume reports whether a volume is the token volume that the ServiceAccount admission plugin adds to a bare Pod,
// under a random name. It accepts only the exact shape: a volume of that name with anything else in it is judged.
func injectedVolume(v corev1.Volume) bool {
	if !strings.HasPrefix(v.Name, "kube-api-access-") || v.Projected == nil || len(v.Projected.Sources) != 3 {
		return false
	}
	token, ca, ns := v.Projected.Sources[0].ServiceAccountToken, v.Projected.Sources[1].ConfigMap, v.Projected.Sources[2].DownwardAPI
	return token != nil && token.Audience == "" && ca != nil && ca.Name == "kube-root-ca.crt" &&
		ns != nil && len(ns.Items) == 1 && ns.Items[0].FieldRef != nil && ns.Items[0].FieldRef.FieldPath == "metadata.namespace"
}

func mounts(in []corev1.VolumeMount, t *workload.Template) []corev1.VolumeMount {
	var out []corev1.VolumeMount
	for _, m := range in {
		injected := slices.ContainsFunc(t.Spec.Volumes, func(v corev1.Volume) bool {
			return v.Name == m.Name && injectedVolume(v)
		})
		if !injected || m.MountPath != "/var/run/secrets/kubernetes.io/serviceaccount" {
			out = append(out, m)
		}
	}
	return out
}
