package auditlog_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/auditlog"
)

const event = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete","verb":"create","objectRef":{"resource":"pods"}}`

func TestReader(t *testing.T) {
	long := strings.Repeat("a", auditlog.MaxLine+10)
	for name, c := range map[string]struct {
		log  string
		want string
	}{
		"nothing":                    {"", ""},
		"one without a line's end":   {event, "event 1"},
		"two, and empty lines":       {event + "\n\n  \n" + event + "\n", "event 1, event 4"},
		"a line that is not JSON":    {"{\n" + event + "\n", "line 1: unexpected end of JSON input, event 2"},
		"a list in the place of one": {`{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}` + "\n", `line 1: it is "EventList" of "audit.k8s.io/v1", not an Event of audit.k8s.io/v1`},
		"an older version":           {`{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1"}`, `line 1: it is "Event" of "audit.k8s.io/v1beta1", not an Event of audit.k8s.io/v1`},
		"a line that is too long":    {event + "\n" + long + "\n" + event + "\n", "event 1, line 2: the line is longer than 8 MiB, event 3"},
		"one at the end":             {event + "\n" + long, "event 1, line 2: the line is longer than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			r := auditlog.NewReader(strings.NewReader(c.log))
			var got []string
			for {
				_, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				var wrong auditlog.LineError
				switch {
				case errors.As(err, &wrong):
					got = append(got, err.Error())
				case err != nil:
					t.Fatal(err)
				default:
					got = append(got, "event "+string(rune('0'+r.Line())))
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
			if r.Bytes() != int64(len(c.log)) {
				t.Errorf("%d bytes of %d were read", r.Bytes(), len(c.log))
			}
		})
	}
}

// endless is a line without an end.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = '['
	}
	e.left -= n
	return n, nil
}

// A line of 2 GiB takes no more memory than the longest that is read.
func TestALineHasNoEnd(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := auditlog.NewReader(&endless{1 << 31}).Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, auditlog.ErrTooLong) {
		t.Errorf("%v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*auditlog.MaxLine {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

var errBroken = errors.New("the disk is away")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestTheLogCannotBeRead(t *testing.T) {
	if _, err := auditlog.NewReader(broken{}).Next(); !errors.Is(err, errBroken) || err.Error() != "read the audit log: the disk is away" {
		t.Errorf("%v", err)
	}
}
