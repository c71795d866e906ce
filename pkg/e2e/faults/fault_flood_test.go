package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// floodFaults are more requests than there is room for, through the API server and past it.
func floodFaults() []fault {
	return []fault{
		{name: "flood by a person", expect: mayFail, lasts: 8 * time.Second, inject: flood(func(ctx context.Context, w *world, n int) error {
			return w.dana.Create(ctx, crossing(fmt.Sprintf("flood-%d", n), denied), client.DryRunAll)
		}), heal: undone},
		{name: "flood by a controller", expect: mayFail, lasts: 8 * time.Second, inject: flood(func(ctx context.Context, w *world, n int) error {
			return w.controller.Create(ctx, w.podOf(fmt.Sprintf("flood-%d", n)), client.DryRunAll)
		}), heal: undone},
		{name: "flood of large objects in one namespace", expect: mayFail, lasts: 8 * time.Second, inject: flood(large), heal: undone},
		{name: "slow-loris at the webhook's port", expect: seamless, lasts: 8 * time.Second, inject: loris, heal: undone},
		{name: "oversized bodies at the webhook's port", expect: seamless, lasts: 6 * time.Second, inject: bodies("", func() io.Reader {
			return io.MultiReader(strings.NewReader(begun), io.LimitReader(blanks{}, 64<<20))
		}), heal: undone},
		{name: "compressed bodies at the webhook's port", expect: seamless, lasts: 6 * time.Second, inject: bodies("gzip", bomb()), heal: undone},
	}
}

// flooders is how many senders a flood has.
const flooders = 24

// flood sends as fast as it is answered.
func flood(send func(context.Context, *world, int) error) func(*scene) error {
	return func(x *scene) error {
		var n atomic.Int64
		x.during(flooders, func(ctx context.Context) {
			if err := send(ctx, x.world, int(n.Add(1))); err != nil && verdictOf(err) == isFailed {
				time.Sleep(10 * time.Millisecond)
			}
		})
		x.later(func() error {
			if n.Load() == 0 {
				return errors.New("nothing was sent")
			}
			x.t.Logf("%d requests flooded in", n.Load())
			return nil
		})
		return nil
	}
}

// during repeats something, in parallel, until the fault is healed.
func (x *scene) during(parallel int, something func(context.Context)) {
	ctx, cancel := context.WithCancel(x.t.Context())
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for ctx.Err() == nil {
				something(ctx)
			}
		})
	}
	x.later(func() error { cancel(); all.Wait(); return nil })
}

func large(ctx context.Context, w *world, n int) error {
	return w.dana.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("flood-%d", n), Namespace: "dev"},
		Data:       map[string]string{"hosts": strings.Repeat("orders.dev.db.example.com ", 30_000)},
	}, client.DryRunAll)
}

// lorises is how many connections to each replica say a word now and then, and come to no end.
const lorises = 200

func loris(x *scene) error {
	for _, p := range x.Pods.Pods() {
		x.during(lorises, func(ctx context.Context) {
			conn, err := (&tls.Dialer{Config: anyone()}).DialContext(ctx, "tcp", net.JoinHostPort(p.IP, "9443"))
			if err != nil {
				time.Sleep(100 * time.Millisecond)
				return
			}
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, "POST /admit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n")
			for n := 0; err == nil; n++ {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Second):
				}
				// Some never end the header, others never the body.
				end := "X-A: b\r\n"
				if n == 0 && time.Now().UnixNano()%2 == 0 {
					end = "\r\n"
				}
				_, err = io.WriteString(conn, end)
			}
		})
	}
	return nil
}

func anyone() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the replica is asked by its address, which no certificate names
}

// begun is how a review begins.
const begun = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","object":{"data":"`

// blanks is a text without an end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bomb returns a body of 64 KiB that would be 64 MiB.
func bomb() func() io.Reader {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.Copy(z, io.MultiReader(strings.NewReader(begun), io.LimitReader(blanks{}, 64<<20)))
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err) // writing to memory does not fail
	}
	return func() io.Reader { return bytes.NewReader(out.Bytes()) }
}

// bodies posts bodies to each replica. None of them may be admitted.
func bodies(encoding string, body func() io.Reader) func(*scene) error {
	return func(x *scene) error {
		var answered atomic.Int64
		for _, p := range x.Pods.Pods() {
			c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: anyone()}}
			x.later(func() error { c.CloseIdleConnections(); return nil })
			x.during(4, func(ctx context.Context) {
				response, err := post(ctx, &c, p.IP, encoding, body())
				answered.Add(1)
				if err != nil {
					return // the replica hangs up on whoever sends more than it reads
				}
				defer func() { _ = response.Body.Close() }()
				if text, _ := io.ReadAll(response.Body); bytes.Contains(text, []byte(`"allowed":true`)) {
					x.t.Errorf("such a body was admitted: %s", text)
				}
			})
		}
		x.later(func() error {
			if answered.Load() == 0 {
				return errors.New("no body was sent to its end")
			}
			return nil
		})
		return nil
	}
}

// post sends a body to a replica as if it were a review.
func post(ctx context.Context, c *http.Client, ip, encoding string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+net.JoinHostPort(ip, "9443")+"/admit?timeout=10s", body)
	if err != nil {
		return nil, fmt.Errorf("post to %s: %w", ip, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	return c.Do(request)
}
