package ui

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"time"
)

// lookAgain is how often the server looks whether something has changed, and mostWait how long it waits for the API server then.
const (
	lookAgain = 3 * time.Second
	mostWait  = 5 * time.Second
	// mostStreams is how many pages may be open at once.
	mostStreams = 500
	// mostOpen is how long a stream stays open: a browser opens another, and is asked again whether it is still signed in.
	mostOpen = 2 * time.Minute
)

// events tells a browser, as server-sent events, when something has changed, and when the API server does not answer.
func events(q *request) {
	flusher, ok := q.w.(http.Flusher)
	if !ok {
		http.Error(q.w, "this connection cannot be kept open", http.StatusNotImplemented)
		return
	}
	q.w.Header().Set("Content-Type", "text/event-stream")
	tell := func(event, data string) bool {
		_, err := fmt.Fprintf(q.w, "event: %s\ndata: %s\n\n", event, data)
		flusher.Flush()
		return err == nil
	}
	if q.streams.Add(1) > mostStreams {
		q.streams.Add(-1)
		http.Error(q.w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer q.streams.Add(-1)
	last := q.r.URL.Query().Get("seen") // what the page shows that asks
	var lost time.Time
	for began := q.Clock(); q.Clock().Sub(began) < mostOpen; {
		ctx, cancel := context.WithTimeout(q.r.Context(), mostWait)
		version, err := q.desk.Version(ctx)
		cancel()
		at := q.Clock()
		var told bool
		switch {
		case q.r.Context().Err() != nil:
			return
		case err != nil:
			if lost.IsZero() {
				lost = at
			}
			told = tell("status", html.EscapeString(fmt.Sprintf("The API server has not answered since %s. What you see is from before.", lost.In(q.zone).Format("15:04:05"))))
		default:
			told = tell("status", html.EscapeString("As of "+at.In(q.zone).Format("15:04:05 MST")))
			if version != last || !lost.IsZero() {
				told = told && tell("changed", "now")
			}
			last, lost = version, time.Time{}
		}
		if !told {
			return
		}
		select {
		case <-q.r.Context().Done():
			return
		case <-time.After(lookAgain):
		}
	}
}
