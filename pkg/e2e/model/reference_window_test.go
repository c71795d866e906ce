package model

// isFor reports whether the scope of a window has what somebody asks for. An emergency is for all Jobs and Deployments.
func (w *window) isFor(q ask) bool {
	switch {
	case w.boundary != q.boundary:
		return false
	case w.boundary || w.emergency || w.of == q.of:
		return true
	}
	return w.of == every && q.of != ""
}

// pins reports whether a plan is one that the window was requested for.
func (w *window) pins(plan string) bool {
	return w.plan == plan || w.apart && (plan == "a" || plan == "b")
}

// putsBack reports whether somebody asks for the way back: for what ran when the window was requested. It needs no permission to update
// otherwise.
func (w *window) putsBack(q ask) bool { return w.back != "" && q.of != "" && q.plan == w.back }

// stillPutsBack reports whether the way back is open at an instant: from when the window opens, until a time after it has closed.
func (w *window) stillPutsBack(q ask) bool {
	return w.putsBack(q) && !q.at.Before(w.opens) && q.at.Before(w.closes.Add(w.within))
}

// number returns how often a plan may be used, where that is counted apart; 0: it is not. The way back may be used once.
func (w *window) number(plan string) int {
	switch {
	case w.back != "" && plan == w.back:
		return 1
	case w.apart:
		return int(w.max)
	}
	return 0
}

// inAll returns how often the window may be used for all plans together; 0: it does not say.
func (w *window) inAll() int {
	if w.apart {
		return int(w.total)
	}
	return int(w.max)
}
