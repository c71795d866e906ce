package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// program returns the process that stands in for the container: entrypoint, arguments and environment. It expands variables as a
// kubelet does and replaces the paths of volumes.
func (w *podWorker) program(c *container) (program, error) {
	// It uses the latest version: an image may change while the Pod lives.
	spec := c.spec
	for _, latest := range slices.Concat(w.current().Spec.InitContainers, w.current().Spec.Containers) {
		if latest.Name == spec.Name {
			spec.Image = latest.Image
		}
	}
	entrypoint, err := w.runner.program(spec.Image)
	if err != nil {
		return program{}, err
	}
	variables, err := w.environment(w.ctx, &spec)
	if err != nil {
		return program{}, err
	}
	places := w.volumes.places(&spec, variables.expand)
	args := spec.Args
	if len(spec.Command) > 0 {
		// Its first word is a path in the image. The entrypoint replaces it.
		args = slices.Concat(spec.Command[1:], spec.Args)
	}
	p := program{
		name: w.pod.Name + "/" + spec.Name, path: entrypoint, dir: w.dir,
		logPath: c.logPath(), log: w.runner.plane.options.Log,
	}
	for _, arg := range args {
		p.args = append(p.args, places.replace(variables.expand(arg)))
	}
	p.env, err = w.processEnv(&spec, variables, places)
	return p, err
}

// processEnv adds to the container's variables those that its image and its runtime would provide.
func (w *podWorker) processEnv(spec *corev1.Container, variables *variables, places placement) ([]string, error) {
	temporary := places.replace("/tmp")
	if temporary == "/tmp" {
		temporary = filepath.Join(w.dir, "tmp")
	}
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return nil, err
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + w.dir, "HOSTNAME=" + w.pod.Name, "TMPDIR=" + temporary,
	}
	if token := w.volumes.tokenFile(spec); token != "" {
		config := w.runner.plane.baseConfig()
		config.BearerTokenFile = token
		if w.link != nil {
			config.Host = w.link.url()
		}
		path := filepath.Join(w.dir, "kubeconfig")
		if err := writeKubeconfig(path, config, w.pod.Namespace); err != nil {
			return nil, err
		}
		env = append(env, "KUBECONFIG="+path)
	}
	for _, name := range variables.names {
		env = append(env, name+"="+places.replace(variables.values[name])) // of a repeated name the last counts
	}
	return env, nil
}

// environment evaluates envFrom and env.
func (w *podWorker) environment(ctx context.Context, spec *corev1.Container) (*variables, error) {
	v := &variables{values: map[string]string{}}
	for _, source := range spec.EnvFrom {
		data, err := w.envFrom(ctx, source)
		if err != nil {
			return nil, err
		}
		for key, value := range data {
			v.set(source.Prefix+key, value)
		}
	}
	for _, e := range spec.Env {
		value := v.expand(e.Value)
		if e.ValueFrom != nil {
			var found bool
			var err error
			if value, found, err = w.valueFrom(ctx, spec, e.ValueFrom); err != nil {
				return nil, fmt.Errorf("environment variable %s: %w", e.Name, err)
			}
			if !found {
				continue // optional
			}
		}
		v.set(e.Name, value)
	}
	return v, nil
}

func (w *podWorker) envFrom(ctx context.Context, source corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case source.ConfigMapRef != nil:
		return w.configMap(ctx, source.ConfigMapRef.Name, isTrue(source.ConfigMapRef.Optional))
	case source.SecretRef != nil:
		return w.secret(ctx, source.SecretRef.Name, isTrue(source.SecretRef.Optional))
	}
	return nil, nil
}

func (w *podWorker) valueFrom(ctx context.Context, spec *corev1.Container, source *corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case source.FieldRef != nil:
		value, err = w.field(source.FieldRef.FieldPath)
		return value, true, err
	case source.ResourceFieldRef != nil:
		value, err = resourceField(spec, w.runner.nodeStatus().Allocatable, source.ResourceFieldRef)
		return value, true, err
	case source.ConfigMapKeyRef != nil:
		ref := source.ConfigMapKeyRef
		data, err := w.configMap(ctx, ref.Name, isTrue(ref.Optional))
		return pick(data, ref.Name, ref.Key, isTrue(ref.Optional), err)
	case source.SecretKeyRef != nil:
		ref := source.SecretKeyRef
		data, err := w.secret(ctx, ref.Name, isTrue(ref.Optional))
		return pick(data, ref.Name, ref.Key, isTrue(ref.Optional), err)
	}
	return "", false, fmt.Errorf("its source is of a kind that is not supported")
}

func pick(data map[string]string, name, key string, optional bool, err error) (string, bool, error) {
	if err != nil {
		return "", false, err
	}
	value, found := data[key]
	if !found && !optional {
		return "", false, fmt.Errorf("%s has no key %q", name, key)
	}
	return value, found, nil
}

// configMap reads a ConfigMap. If it is optional and missing, it is empty.
func (w *podWorker) configMap(ctx context.Context, name string, optional bool) (map[string]string, error) {
	object, err := w.runner.client.CoreV1().ConfigMaps(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s: %w", name, err)
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = value
	}
	for key, value := range object.BinaryData {
		data[key] = string(value)
	}
	return data, nil
}

// secret reads a Secret. If it is optional and missing, it is empty.
func (w *podWorker) secret(ctx context.Context, name string, optional bool) (map[string]string, error) {
	object, err := w.runner.client.CoreV1().Secrets(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// variables are a container's own variables, in the order of their definition.
type variables struct {
	names  []string
	values map[string]string
}

func (v *variables) set(name, value string) {
	if _, known := v.values[name]; !known {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

// expand replaces $(NAME) with the variable's value. An unknown name stays as it is, and $$ stands for one dollar, so that $$(NAME)
// is the text $(NAME).
func (v *variables) expand(text string) string {
	return variablePattern().ReplaceAllStringFunc(text, func(match string) string {
		if match == "$$" {
			return "$"
		}
		if value, known := v.values[strings.TrimSuffix(strings.TrimPrefix(match, "$("), ")")]; known {
			return value
		}
		return match
	})
}

func variablePattern() *regexp.Regexp { return regexp.MustCompile(`\$\$|\$\([^)]*\)`) }
