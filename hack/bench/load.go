package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// result is what one server costs on one body.
type result struct {
	Server string `json:"server"`
	Hosts  int    `json:"hosts"`
	Body   string `json:"body"`
	Bytes  int    `json:"bytes"`
	// CPU of the server in milliseconds per request, and the ratio to that of controller-runtime's server on the same body.
	CPU   float64 `json:"cpuMsPerRequest"`
	Ratio float64 `json:"ratioToControllerRuntime"`
	// Rate in requests a second; P50 and P99 in milliseconds, with all connections busy.
	Rate float64 `json:"requestsPerSecond"`
	P50  float64 `json:"p50Ms"`
	P99  float64 `json:"p99Ms"`
	// RSS of the server afterwards, in MiB.
	RSS float64 `json:"rssMiB"`
}

type server struct {
	name  string
	hosts int
	// changes is how often a second its estate changes.
	changes int
	cmd     *exec.Cmd
	stdin   io.Closer
	address string
}

// start runs this command again as a server.
func start(name string, hosts, changes int, profiles string) (*server, error) {
	s := &server{name: name, hosts: hosts, changes: changes, cmd: exec.Command("/proc/self/exe", "-serve", name, "-hosts", fmt.Sprint(hosts), "-changes", fmt.Sprint(changes))}
	if profiles != "" {
		s.cmd.Args = append(s.cmd.Args, "-profile", fmt.Sprintf("%s/%s-%d.pprof", profiles, name, hosts))
	}
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not start: %w", name, err)
	}
	s.stdin, s.address = in, "127.0.0.1:"+strings.TrimSpace(line)
	return s, nil
}

func (s *server) stop() {
	_ = s.stdin.Close() // it ends with its input
	_ = s.cmd.Wait()
}

// cpu returns the CPU time that the server has used.
func (s *server) cpu() time.Duration {
	total := time.Duration(0)
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid))
	for _, t := range tasks {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", s.cmd.Process.Pid, t.Name()))
		if err == nil {
			total += time.Duration(atoi(strings.Fields(string(raw))[0]))
		}
	}
	return total
}

func (s *server) rss() float64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			return float64(atoi(f[1])) / 1024
		}
	}
	return 0
}

// connections is how many requests are sent at once.
const connections = 16

// sender sends bodies over its own connections, and notes how long each answer took. Requests are written beforehand, as kube-apiserver
// writes them, so that the load costs less than any server: where it is busy throughout, servers are spared waking it for an answer.
type sender struct {
	*server
	body
	// admits and denies are whole requests with the bodies.
	admits, denies []byte
	connections    []*connection
	n              atomic.Int64
	mu             sync.Mutex
	times          []time.Duration
	failure        error
}

func (s *server) sender(b body) (*sender, error) {
	request := func(body []byte) []byte {
		return append(fmt.Appendf(nil, "POST /?timeout=10s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: %d\r\n"+
			"Accept: application/json, */*\r\nContent-Type: application/json\r\n\r\n", s.address, len(body)), body...)
	}
	out := &sender{server: s, body: b, admits: request(b.clean), denies: request(b.violates)}
	for range connections {
		c, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the server's certificate is made for this run
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", s.name, err), out.close())
		}
		out.connections = append(out.connections, &connection{c, bufio.NewReader(c)})
	}
	return out, nil
}

func (s *sender) close() error {
	var failed []error
	for _, c := range s.connections {
		failed = append(failed, c.Close())
	}
	return errors.Join(failed...)
}

// connection is one connection to a server.
type connection struct {
	*tls.Conn
	in *bufio.Reader
}

// post sends one review: every fifth is the violating one.
func (s *sender) post(c *connection) (time.Duration, error) {
	request, want := s.admits, `"allowed":true`
	if s.n.Add(1)%5 == 0 {
		request = s.denies
		if s.server.name == "firebreak" && !s.stored {
			want = `"allowed":false`
		}
	}
	began := time.Now()
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && !bytes.Contains(answer, []byte(want)) {
		err = fmt.Errorf("%s on %s answers %.300s", s.server.name, s.body.name, answer)
	}
	return time.Since(began), err
}

// each has every connection send until send returns false, and notes what it returns.
func (s *sender) each(send func(n int, c *connection) (took time.Duration, more bool, err error)) {
	var wg sync.WaitGroup
	for n := range connections {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for more := true; more && err == nil; {
				var took time.Duration
				if took, more, err = send(n, s.connections[n]); more && err == nil {
					mine = append(mine, took)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.times, s.failure = append(s.times, mine...), errors.Join(s.failure, err)
		})
	}
	wg.Wait()
}

// all sends from every connection for a time.
func (s *sender) all(length time.Duration) {
	until := time.Now().Add(length)
	s.each(func(_ int, c *connection) (time.Duration, bool, error) {
		if !time.Now().Before(until) {
			return 0, false, nil
		}
		took, err := s.post(c)
		return took, true, err
	})
}

// load sends bodies for a time, after a while to warm up.
func (s *server) load(b body, length time.Duration) (result, error) {
	send, err := s.sender(b)
	if err != nil {
		return result{}, err
	}
	send.all(length / 4)
	send.times = nil
	cpu, began := s.cpu(), time.Now()
	send.all(length)
	took, times := time.Since(began), send.times
	if err := errors.Join(send.failure, send.close()); err != nil || len(times) == 0 {
		return result{}, errors.Join(errors.New("no answers"), err)
	}
	slices.Sort(times)
	count := float64(len(times))
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return result{
		Server: s.name, Hosts: s.hosts, Body: b.name, Bytes: len(b.clean), CPU: ms(s.cpu()-cpu) / count, Rate: count / took.Seconds(),
		P50: ms(times[len(times)/2]), P99: ms(times[len(times)*99/100]), RSS: s.rss(),
	}, nil
}

// measure runs every server on every body, in turn, several times.
func measure(length time.Duration, rounds int, only []string, profiles string) ([]result, error) {
	pin(1)
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for _, kind := range []struct {
		name  string
		hosts int
	}{{"raw", 0}, {"controller-runtime", 0}, {"firebreak", 10}, {"firebreak", 1000}, {"firebreak", 100000}} {
		s, err := start(kind.name, kind.hosts, 0, profiles)
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	var out []result
	for _, b := range bodies() {
		if only[0] != "" && !slices.Contains(only, b.name) {
			continue
		}
		runs := make([][]result, len(servers))
		for range rounds {
			for i, s := range servers {
				r, err := s.load(b, length)
				if err != nil {
					return nil, err
				}
				runs[i] = append(runs[i], r)
			}
		}
		var floor float64
		for i, s := range servers {
			slices.SortFunc(runs[i], func(a, b result) int { return int((a.CPU - b.CPU) * 1e6) })
			median := runs[i][len(runs[i])/2]
			if s.name == "controller-runtime" {
				floor = median.CPU
			}
			out = append(out, median)
		}
		for i := range out[len(out)-len(servers):] {
			r := &out[len(out)-len(servers)+i]
			r.Ratio = r.CPU / floor
		}
	}
	return out, nil
}
