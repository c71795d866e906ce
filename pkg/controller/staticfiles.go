package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// StaticFiles keeps the files by which API servers load Firebreak from their disk in a ConfigMap, as the registrations, the certificate authority and
// the estate have them. It cannot write to those disks: whoever manages the nodes copies them there. It runs in the leading replica.
type StaticFiles struct {
	memory *Cache
	client client.Client
	events record.EventRecorder
	log    logr.Logger
	// options are those of the files but for the certificate authority; fenced is true if the fence is among them.
	options registrations.Options
	fenced  bool
	// made is what the files were last made from, and found to be those that are stored.
	made fileSource
}

// NewStaticFiles returns the keeper. c must not read from a cache. The options lack the certificate authority, which the registration has.
func NewStaticFiles(m *Cache, c client.Client, o registrations.Options, fenced bool, events record.EventRecorder, log logr.Logger) *StaticFiles {
	return &StaticFiles{memory: m, client: c, options: o, fenced: fenced, events: events, log: log}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*StaticFiles) NeedLeaderElection() bool { return true }

// Start keeps the files until the context ends.
func (s *StaticFiles) Start(ctx context.Context) error {
	s.memory.onceSynced(ctx, recheck, s.once, func(err error) { s.log.Error(err, "could not make the files that API servers load; it is tried again") })
	return nil
}

// fileSource is what the files are made from, and what was stored of them when they last were.
type fileSource struct {
	rendered, stored string
	authority        string
	estate           *estate.Estate
}

// once makes the files if what they are made from has changed, or what is stored of them, and writes them if they are not what is stored.
func (s *StaticFiles) once(ctx context.Context) error {
	var rendered corev1.ConfigMap
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: registrations.ConfigMapName}, &rendered); err != nil {
		return fmt.Errorf("read what the chart has rendered: %w", err)
	}
	stored := &corev1.ConfigMap{}
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: registrations.StaticName}, stored); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read ConfigMap %q: %w", registrations.StaticName, err)
	}
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := s.client.Get(ctx, client.ObjectKey{Name: registrations.Name}, &v); err != nil {
		return fmt.Errorf("read the certificate authority in the registration: %w", err)
	}
	from := fileSource{rendered: rendered.ResourceVersion, stored: stored.ResourceVersion, authority: string(registrations.CABundle(&v))}
	if s.fenced {
		from.estate = s.memory.Estate()
	}
	if from == s.made {
		return nil
	}
	files, err := s.make(rendered.Data[registrations.Key], from)
	if err != nil {
		return err
	}
	want := registrations.StaticConfigMap(s.options.Namespace, files)
	if equality.Semantic.DeepEqual(stored.Data, want.Data) {
		s.made = from
		return nil
	}
	owner, err := serverOwner(ctx, s.client)
	if err != nil {
		return err
	}
	want.OwnerReferences = []metav1.OwnerReference{owner}
	if err := applyConfigMap(ctx, s.client, want, "firebreak-static-files"); err != nil {
		return err
	}
	s.log.Info("the files that API servers load have changed", "configMap", want.Name)
	s.events.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: want.Namespace, Name: want.Name}, corev1.EventTypeNormal, "StaticFilesChanged",
		"The files that API servers load from their disk have changed: copy them there anew, with kubectl firebreak static-manifests --stored.")
	return nil
}

// make returns the files as they are to be.
func (s *StaticFiles) make(text string, from fileSource) (map[string][]byte, error) {
	rendered, err := registrations.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read what the chart has rendered: %w", err)
	}
	o := s.options
	if o.CABundle = []byte(from.authority); from.authority == "" {
		return nil, errors.New("the registration holds no certificate authority yet")
	}
	if s.fenced {
		if from.estate == nil {
			return nil, errors.New("the estate is not known yet")
		}
		policies, left, err := fence.Static(fence.Input{Stores: s.memory.view.Stores.Values(), Estate: from.estate})
		if err != nil {
			return nil, err
		}
		if left > 0 {
			s.log.Info("names of production are not in the files", "leftOut", left, "most", fence.MaxStatic)
		}
		rendered = append(rendered, policies...)
	}
	return registrations.Files(rendered, o)
}
