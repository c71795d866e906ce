package controller

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// States reads live the change state that a request is judged by.
type States interface {
	State(ctx context.Context, c *policy.PreparedRequest, namespace string) (*change.State, error)
}

// judge returns the obstacle to a change, by the webhook's rules. before is nil for a creation, after for a deletion.
func (d *EstateApplier) judge(ctx context.Context, before, after *unstructured.Unstructured) (obstacle, error) {
	req, err := d.request(ctx, before, after)
	if err != nil {
		return obstacle{}, err
	}
	cluster, err := d.memory.View()
	if err != nil {
		return obstacle{}, err
	}
	c, err := policy.Prepare(*req, cluster)
	if err != nil {
		return obstacle{}, err
	}
	var state *change.State
	if c.LiveReads().Any() {
		if state, err = d.states.State(ctx, c, ""); err != nil {
			return obstacle{}, err
		}
	}
	decision := c.Decide(state)
	switch denied := decision.Denied(); {
	case decision.Missing != nil:
		return obstacle{}, fmt.Errorf("%s", decision.Missing)
	case len(decision.Invalid) > 0:
		return obstacle{reasonRefused, decision.Invalid.ToAggregate().Error()}, nil
	case len(denied) > 0:
		return obstacle{reasonPending, policy.DenialMessage(*req, denied)}, nil
	}
	return obstacle{}, nil
}

func (d *EstateApplier) request(ctx context.Context, before, after *unstructured.Unstructured) (*policy.Request, error) {
	self, err := d.whoami(ctx)
	if err != nil {
		return nil, err
	}
	object := cmp.Or(after, before)
	gvk := object.GroupVersionKind()
	req := &policy.Request{
		Kind: gvk, Resource: gvk.GroupVersion().WithResource(strings.ToLower(gvk.Kind) + "s"), Name: object.GetName(),
		User: self, Operation: policy.Update, Now: d.memory.clock(),
	}
	switch {
	case before == nil:
		req.Operation = policy.Create
	case after == nil:
		req.Operation = policy.Delete
	}
	if req.OldObject, err = encoded(before); err == nil {
		req.Object, err = encoded(after)
	}
	return req, err
}

func encoded(o *unstructured.Unstructured) ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	raw, err := o.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", o.GetKind(), o.GetName(), err)
	}
	return raw, nil
}

// parseDeclared reads the declared objects from the ConfigMap.
func parseDeclared(cm *corev1.ConfigMap) ([]*unstructured.Unstructured, error) {
	text, ok := cm.Data[estate.DeclaredKey]
	if !ok {
		return nil, fmt.Errorf("ConfigMap %q has no key %q", cm.Name, estate.DeclaredKey)
	}
	out, err := estate.ParseDeclared(text)
	if err != nil {
		return nil, fmt.Errorf("key %q of ConfigMap %q: %w", estate.DeclaredKey, cm.Name, err)
	}
	return out, nil
}

// digestOf returns a digest that tells declarations apart.
func digestOf(o *unstructured.Unstructured) string {
	raw, err := json.Marshal(o.Object)
	if err != nil {
		return "" // cannot happen: the object came from a parser
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
