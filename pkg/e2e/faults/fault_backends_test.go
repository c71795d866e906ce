package faults

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// backendFaults are faults between the API server and the replicas. Connections break when they begin and end, which may fail a
// request each time.
func backendFaults() []fault {
	return []fault{
		{name: "answers come a second late", each: true, expect: mayFail, lasts: 5 * time.Second, inject: slow(time.Second), heal: undone},
		{name: "answers come later than broad waits", each: true, expect: fails, lasts: 5 * time.Second, inject: slow(4 * time.Second), heal: undone},
		{name: "answers come later than core waits", expect: fails, lasts: 5 * time.Second, inject: slow(11 * time.Second), heal: undone},
		{name: "one backend of four answers garbage", expect: mayFail, lasts: 5 * time.Second, inject: garbage(true), heal: undone},
		{name: "all backends answer garbage", short: true, each: true, expect: fails, lasts: 2 * time.Second, inject: garbage(false), heal: undone},
		{name: "the webhook's port speaks no TLS", expect: fails, lasts: 2 * time.Second, inject: plain, heal: undone},
	}
}

// slow puts a proxy before the replicas that passes on each part of an answer after a while, those of the TLS handshake included.
func slow(by time.Duration) func(*scene) error {
	return func(x *scene) error {
		var ready atomic.Pointer[[]string]
		address, err := x.listen(func(conn net.Conn) {
			defer func() { _ = conn.Close() }()
			to := *ready.Load()
			if len(to) == 0 {
				return
			}
			backend, err := net.Dial("tcp", to[rand.IntN(len(to))])
			if err != nil {
				return
			}
			defer func() { _ = backend.Close() }()
			go func() { _, _ = io.Copy(backend, conn); _ = backend.Close() }()
			buffer := make([]byte, 64<<10)
			for {
				n, err := backend.Read(buffer)
				if err != nil {
					return
				}
				time.Sleep(by)
				if _, err := conn.Write(buffer[:n]); err != nil {
					return
				}
			}
		})
		if err != nil {
			return err
		}
		x.divert(func(now []string) []string { ready.Store(&now); return []string{address} })
		return nil
	}
}

// listen serves connections until the fault is healed, and returns the address.
func (x *scene) listen(serve func(net.Conn)) (string, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the webhook: %w", err)
	}
	x.later(listener.Close)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String(), nil
}

func (x *scene) divert(to func([]string) []string) {
	x.later(func() error { x.Pods.Divert(nil); return nil })
	x.Pods.Divert(to)
}

// only has every connection go to one replica.
func (x *scene) only(name string) {
	for _, p := range x.Pods.Pods() {
		if p.Name == name {
			address := net.JoinHostPort(p.IP, "9443")
			x.divert(func(ready []string) []string {
				return slices.DeleteFunc(ready, func(a string) bool { return a != address })
			})
		}
	}
}

// plain has something else listen at the port.
func plain(x *scene) error {
	address, err := x.listen(func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
		_ = conn.Close()
	})
	if err != nil {
		return err
	}
	x.divert(func([]string) []string { return []string{address} })
	return nil
}

// garbage has a backend answer that holds the webhook's key, and knows nothing: in the place of the replicas, or beside them.
func garbage(beside bool) func(*scene) error {
	return func(x *scene) error {
		var secret corev1.Secret
		if err := x.admin.Get(x.t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak-webhook-cert"}, &secret); err != nil {
			return fmt.Errorf("read the webhook's key: %w", err)
		}
		pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		if err != nil {
			return fmt.Errorf("use the webhook's key: %w", err)
		}
		listener, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		if err != nil {
			return fmt.Errorf("listen for the webhook: %w", err)
		}
		var n atomic.Int64
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answers := nonsense()
			answers[int(n.Add(1))%len(answers)](w)
		})}
		go func() { _ = server.Serve(listener) }() // ends with the fault
		x.later(server.Close)
		x.divert(func(ready []string) []string {
			if !beside {
				ready = nil
			}
			return append(ready, listener.Addr().String())
		})
		return nil
	}
}

// nonsense returns answers that decide nothing, though some seem to.
func nonsense() []func(http.ResponseWriter) {
	text := func(code int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"`
	return []func(http.ResponseWriter){
		text(http.StatusOK, ""),
		text(http.StatusOK, "<html>Please sign in</html>"),
		text(http.StatusOK, review+"}"),
		text(http.StatusOK, review+`,"response":{"uid":"00000000-0000-0000-0000-000000000000","allowed":true}}`),
		text(http.StatusOK, `{"apiVersion":"v1","kind":"Status","status":"Success"}`),
		text(http.StatusInternalServerError, review+`,"response":{"allowed":true}}`),
		text(http.StatusFound, ""),
		func(w http.ResponseWriter) { // the connection breaks in the middle of an answer
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, review)
			panic(http.ErrAbortHandler)
		},
	}
}

var errNotYet = errors.New("not yet")
