package controlplane

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// volumeSyncEvery is how soon a Pod sees a change of a ConfigMap or Secret. With a kubelet it takes up to a minute.
const volumeSyncEvery = 2 * time.Second

// volumes realises a Pod's volumes as folders.
type volumes struct {
	worker *podWorker
	dir    string

	mu     sync.Mutex
	tokens map[string]token // by volume and path
}

// token is a projected service account token and when to replace it.
type token struct {
	value   string
	renewAt time.Time
}

// sync creates every volume, or brings its content up to date.
func (v *volumes) sync(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, volume := range v.worker.pod.Spec.Volumes {
		dir := filepath.Join(v.dir, volume.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if volume.EmptyDir != nil {
			continue
		}
		files, err := v.content(ctx, volume)
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
		if err := writeFolder(dir, files); err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
	}
	return nil
}

// content returns the files of a volume that shows objects, by path.
func (v *volumes) content(ctx context.Context, volume corev1.Volume) (map[string]string, error) {
	switch {
	case volume.ConfigMap != nil:
		s := volume.ConfigMap
		return v.configMap(ctx, s.Name, s.Items, s.Optional)
	case volume.Secret != nil:
		s := volume.Secret
		return v.secret(ctx, s.SecretName, s.Items, s.Optional)
	case volume.DownwardAPI != nil:
		return v.downwardAPI(volume.DownwardAPI.Items)
	case volume.Projected != nil:
		return v.projected(ctx, volume)
	}
	return nil, fmt.Errorf("its kind is not supported")
}

func (v *volumes) projected(ctx context.Context, volume corev1.Volume) (map[string]string, error) {
	all := map[string]string{}
	for _, source := range volume.Projected.Sources {
		var files map[string]string
		var err error
		switch {
		case source.ConfigMap != nil:
			files, err = v.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
		case source.Secret != nil:
			files, err = v.secret(ctx, source.Secret.Name, source.Secret.Items, source.Secret.Optional)
		case source.DownwardAPI != nil:
			files, err = v.downwardAPI(source.DownwardAPI.Items)
		case source.ServiceAccountToken != nil:
			files, err = v.serviceAccountToken(ctx, volume.Name, source.ServiceAccountToken)
		default:
			err = fmt.Errorf("one of its sources is of a kind that is not supported")
		}
		if err != nil {
			return nil, err
		}
		for path, text := range files {
			all[path] = text
		}
	}
	return all, nil
}

func (v *volumes) configMap(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) (map[string]string, error) {
	data, err := v.worker.configMap(ctx, name, isTrue(optional))
	if err != nil {
		return nil, err
	}
	return selectItems(data, name, items, isTrue(optional))
}

func (v *volumes) secret(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) (map[string]string, error) {
	data, err := v.worker.secret(ctx, name, isTrue(optional))
	if err != nil {
		return nil, err
	}
	return selectItems(data, name, items, isTrue(optional))
}

// selectItems picks the keys that are listed. An empty list means all keys, under their own names.
func selectItems(data map[string]string, name string, items []corev1.KeyToPath, optional bool) (map[string]string, error) {
	if len(items) == 0 {
		return data, nil
	}
	files := map[string]string{}
	for _, item := range items {
		text, found, err := pick(data, name, item.Key, optional, nil)
		if err != nil {
			return nil, err
		}
		if found {
			files[item.Path] = text
		}
	}
	return files, nil
}

func (v *volumes) downwardAPI(items []corev1.DownwardAPIVolumeFile) (map[string]string, error) {
	files := map[string]string{}
	for _, item := range items {
		if item.FieldRef == nil {
			return nil, fmt.Errorf("the item %s is not a field", item.Path)
		}
		text, err := v.worker.field(item.FieldRef.FieldPath)
		if err != nil {
			return nil, err
		}
		files[item.Path] = text
	}
	return files, nil
}

// serviceAccountToken returns a token bound to the Pod. It replaces the token when four fifths of its life are over.
func (v *volumes) serviceAccountToken(ctx context.Context, volume string, source *corev1.ServiceAccountTokenProjection) (map[string]string, error) {
	key := volume + "/" + source.Path
	if t, ok := v.tokens[key]; ok && time.Now().Before(t.renewAt) {
		return map[string]string{source.Path: t.value}, nil
	}
	pod := v.worker.pod
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	asked := time.Now()
	accounts := v.worker.runner.client.CoreV1().ServiceAccounts(pod.Namespace)
	answer, err := accounts.CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for service account %s: %w", pod.Spec.ServiceAccountName, err)
	}
	if v.tokens == nil {
		v.tokens = map[string]token{}
	}
	life := answer.Status.ExpirationTimestamp.Sub(asked)
	v.tokens[key] = token{value: answer.Status.Token, renewAt: asked.Add(life * 4 / 5)}
	return map[string]string{source.Path: answer.Status.Token}, nil
}

// tokenFile returns where the container finds the token that the API server accepts, if it mounts one.
func (v *volumes) tokenFile(spec *corev1.Container) string {
	for _, mount := range spec.VolumeMounts {
		i := slices.IndexFunc(v.worker.pod.Spec.Volumes, func(o corev1.Volume) bool { return o.Name == mount.Name })
		if i < 0 || v.worker.pod.Spec.Volumes[i].Projected == nil {
			continue
		}
		for _, source := range v.worker.pod.Spec.Volumes[i].Projected.Sources {
			if t := source.ServiceAccountToken; t != nil && t.Audience == "" {
				return filepath.Join(v.dir, mount.Name, t.Path)
			}
		}
	}
	return ""
}

// placement replaces the mount paths of volumes with the volumes' folders.
type placement struct {
	folders map[string]string // by mount path
	pattern *regexp.Regexp
}

func (v *volumes) places(spec *corev1.Container, expand func(string) string) placement {
	p := placement{folders: map[string]string{}}
	var paths []string
	for _, mount := range spec.VolumeMounts {
		sub := mount.SubPath
		if mount.SubPathExpr != "" {
			sub = expand(mount.SubPathExpr)
		}
		mountPath := path.Clean(mount.MountPath)
		p.folders[mountPath] = filepath.Join(v.dir, mount.Name, sub)
		paths = append(paths, regexp.QuoteMeta(mountPath))
	}
	if len(paths) == 0 {
		return p
	}
	// The longest come first, so that a volume mounted below another wins. A path begins where no other path continues, and ends
	// with a whole element.
	slices.SortFunc(paths, func(a, b string) int { return len(b) - len(a) })
	p.pattern = regexp.MustCompile(`(^|[^\w./-])(` + strings.Join(paths, "|") + `)($|[^\w.-])`)
	return p
}

func (p placement) replace(text string) string {
	if p.pattern == nil {
		return text
	}
	return p.pattern.ReplaceAllStringFunc(text, func(match string) string {
		parts := p.pattern.FindStringSubmatch(match)
		return parts[1] + p.folders[parts[2]] + parts[3]
	})
}
