package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
	"github.com/firebreak-dev/firebreak/pkg/ui"
)

func (d *desk) Window(ctx context.Context, namespace, name string) (*ui.Window, error) {
	e, said, notes := d.quiet()
	var w v1alpha1.ChangeWindow
	if err := d.c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &w); err != nil {
		return nil, fmt.Errorf("look at the window: %w", err)
	}
	self, err := whoAmI(ctx, d.c)
	if err != nil {
		return nil, err
	}
	(&screen{e, d.c, &w}).show(ctx)
	me := &v1alpha1.Stamp{Username: self.Username, UID: self.UID}
	out := &ui.Window{
		WindowLine: overview.LineOf(&w), UID: string(w.UID), Digest: change.WindowDigest(&w.Spec), Screen: said.String(), Missing: unsaid(&w, nil),
		Own: w.Spec.RequestedBy != nil && change.SamePerson(w.Spec.RequestedBy, me), Emergency: w.Spec.Type == v1alpha1.WindowEmergency,
	}
	var words v1alpha1.ChangeApprovalList
	if err := d.c.List(ctx, &words, client.InNamespace(namespace)); err != nil {
		if err := told(notes, "approvals", err); err != nil {
			return nil, err
		}
	}
	out.Over = overview.Dead(&w)
	if out.Emergency {
		out.Over = change.ReviewedBy(&w, words.Items) != ""
	}
	out.Said = saidBy(words.Items, &w, me)
	if out.MayApprove, err = mayApprove(ctx, d.c, namespace, name); err != nil {
		return nil, err
	}
	if !out.MayApprove {
		if by := delegationTo(e.delegationsToSee(ctx, d.c), namespace, self.Username, e.clock()); by != nil {
			out.MayApprove, out.Instead = true, by.Spec.Delegator.Username
		}
	}
	if done, err := overview.Trail(ctx, d.c, d.home, "", time.Time{}, e.clock()); err == nil {
		out.Done = doneUnder(&w, done)
	}
	return out, nil
}

// meant returns the window that a viewer has seen, as it was then.
func (d *desk) meant(ctx context.Context, said *ui.Word) (*v1alpha1.ChangeWindow, error) {
	var w v1alpha1.ChangeWindow
	if err := d.c.Get(ctx, client.ObjectKey{Namespace: said.Namespace, Name: said.Name}, &w); err != nil {
		return nil, fmt.Errorf("look at the window: %w", err)
	}
	if string(w.UID) != said.UID || change.WindowDigest(&w.Spec) != said.Digest {
		return nil, errors.New("the window is not the one that you looked at any more; look at it again")
	}
	return &w, nil
}

func (d *desk) Approve(ctx context.Context, said ui.Word) error {
	e, _, _ := d.quiet()
	w, err := d.meant(ctx, &said)
	if err != nil {
		return err
	}
	if said.Typed != w.Spec.Environment {
		return fmt.Errorf("%q was typed, and the window is for %q; nothing is approved", said.Typed, w.Spec.Environment)
	}
	if err := e.seen(ctx, d.c, w, &wordOptions{unseen: said.Unseen}); err != nil {
		return err
	}
	_, err = e.utter(ctx, d.c, w, v1alpha1.DecisionApprove, said.Comment)
	return err
}

func (d *desk) Reject(ctx context.Context, said ui.Word) error {
	e, _, _ := d.quiet()
	w, err := d.meant(ctx, &said)
	if err != nil {
		return err
	}
	_, err = e.utter(ctx, d.c, w, v1alpha1.DecisionReject, said.Comment)
	return err
}
