package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// pass collects the results of one comparison.
type pass struct {
	d      *EstateApplier
	held   map[declaration]obstacle
	failed []error
}

// look handles one object, unless it waits and the time to look again has not come.
func (p *pass) look(which declaration, now version, deal func() (obstacle, error)) {
	d, clock := p.d, p.d.memory.clock()
	was, known := d.waiting.of(which.kind, which.name)
	before, waits := d.waits[which]
	if waits && before.version == now && clock.Before(before.until) && known {
		p.held[which] = was
		return
	}
	why, err := deal()
	switch {
	case err != nil:
		p.failed = append(p.failed, fmt.Errorf("%s %q: %w", which.kind, which.name, err))
		if known {
			p.held[which] = was
		}
		return
	case why.message == "":
		delete(d.waits, which)
	default:
		delay := d.every
		if waits && before.version == now {
			delay = min(2*before.delay, longestWait)
		}
		d.waits[which] = wait{now, clock.Add(delay - d.every/2), delay}
	}
	p.held[which] = why
}

// tell reports the waiting declarations: in the statuses, as a metric, and as Events of the ConfigMap.
func (d *EstateApplier) tell(held map[declaration]obstacle) {
	d.waiting.set(held)
	now := d.memory.clock()
	for which := range d.told {
		if held[which].message == "" {
			delete(d.told, which)
		}
	}
	for which, o := range held {
		last := d.told[which]
		if o.message == "" || o.message == last.message && now.Sub(last.at) < again {
			continue
		}
		d.told[which] = said{o.message, now}
		d.log.Info("what the values declare is not in force", "kind", which.kind, "name", which.name, "reason", o.reason, "message", o.message)
		d.events.Event(d.source, corev1.EventTypeWarning, o.reason, clip(o.message, maxEvent))
	}
}
