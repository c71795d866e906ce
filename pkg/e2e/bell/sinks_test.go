package bell

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-smtp"
)

// sink takes messages, unless it is down.
type sink struct {
	down atomic.Bool
	mu   sync.Mutex
	got  []string
	// refused is how many were sent while it was down.
	refused int
}

func (s *sink) take(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down.Load() {
		s.refused++
		return false
	}
	s.got = append(s.got, text)
	return true
}

// of returns the messages that say something.
func (s *sink) of(part string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.got), func(m string) bool { return !strings.Contains(m, part) })
}

func (s *sink) whileDown() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// ServeHTTP takes the body of a request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !s.take(r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(raw)) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// NewSession implements smtp.Backend.
func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s}, nil }

// session is one conversation with the mail server.
type session struct{ sink *sink }

// Mail, Rcpt, Reset and Logout implement smtp.Session.
func (*session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt takes every recipient.
func (*session) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Reset forgets nothing: there is nothing to forget.
func (*session) Reset() {}

// Logout ends the conversation.
func (*session) Logout() error { return nil }

// Data takes a mail.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return err
	}
	if !s.sink.take(string(raw)) {
		return &smtp.SMTPError{Code: 451, Message: "try again later"}
	}
	return nil
}

// receivers are the real receivers, and their addresses by the names of the targets.
type receivers struct {
	hook, mail, events, alerts *sink
	addresses                  map[string]string
	end                        []func()
}

func receive() (*receivers, error) {
	r := &receivers{&sink{}, &sink{}, &sink{}, &sink{}, map[string]string{}, nil}
	for name, s := range map[string]*sink{"generic+": r.hook, "cloudevents+": r.events, "alertmanager+": r.alerts} {
		server := httptest.NewServer(s)
		r.end = append(r.end, server.Close)
		address := name + server.URL
		switch name {
		case "generic+":
			r.addresses["hook"] = address + "/hooks/s3cr3t"
		case "cloudevents+":
			r.addresses["events"] = address + "/events"
		default:
			r.addresses["alerts"] = address
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := smtp.NewServer(r.mail)
	server.AllowInsecureAuth = true
	go func() { _ = server.Serve(l) }() // it ends with the listener
	r.end = append(r.end, func() { _ = server.Close() })
	r.addresses["mail"] = fmt.Sprintf("smtp://%s/?from=firebreak@example.com&to=oncall@example.com&usestarttls=no&auth=None", l.Addr())
	return r, nil
}
