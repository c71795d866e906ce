package controlplane

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Link stands between a Pod and the API server, and can do what a network does: fail, and be slow at one moment. It ends TLS on both
// sides, so it also sees each request, and can tell another time than the API server's.
type Link struct {
	listener net.Listener
	server   *http.Server
	upstream *http.Transport

	mu    sync.Mutex
	cut   bool
	shift time.Duration
	watch func(*http.Request) (answered func())
	open  map[net.Conn]struct{}
}

func newLink(c *ControlPlane) (*Link, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for a Pod's link: %w", err)
	}
	pair, err := c.pki.ca.server([]string{"localhost"}, net.ParseIP("127.0.0.1"))
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(c.apiServerURL())
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, upstream: &http.Transport{TLSClientConfig: c.pki.trust(), ForceAttemptHTTP2: true}, open: map[net.Conn]struct{}{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     l,
		FlushInterval: -1, // watches tell at once
		// What fails is the fault that a test has made; the client sees a connection that broke.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	l.server = &http.Server{
		Handler: proxy, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), ConnState: l.track,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
	}
	go func() { _ = l.server.ServeTLS(listener, "", "") }() // ends with close
	return l, nil
}

func (l *Link) url() string { return "https://" + l.listener.Addr().String() }

// track knows the open connections, and closes those that come while the link is cut.
func (l *Link) track(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew:
		l.open[conn] = struct{}{}
		if l.cut {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		delete(l.open, conn)
	}
}

// RoundTrip implements http.RoundTripper: it forwards one request.
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	watch, cut := l.watch, l.cut
	l.mu.Unlock()
	if cut {
		return nil, net.ErrClosed
	}
	var answered func()
	if watch != nil {
		answered = watch(r)
	}
	response, err := l.upstream.RoundTrip(r)
	if answered != nil {
		answered()
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	shift := l.shift
	l.mu.Unlock()
	if at, err := http.ParseTime(response.Header.Get("Date")); err == nil && shift != 0 {
		response.Header.Set("Date", at.Add(shift).UTC().Format(http.TimeFormat))
	}
	return response, nil
}

// Cut breaks every connection, and lets none come about until Mend.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.open {
		_ = conn.Close()
	}
}

// Mend ends what Cut, Shift and Watch have begun.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.shift, l.watch = false, 0, nil
}

// Shift lets the API server's answers say a time that is later by so much.
func (l *Link) Shift(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shift = by
}

// Watch calls f before each request is forwarded, and what f returns, unless it is nil, once the request is answered and before the
// Pod gets the answer.
func (l *Link) Watch(f func(*http.Request) (answered func())) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = f
}

func (l *Link) close() {
	_ = l.server.Close()
	l.upstream.CloseIdleConnections()
}
