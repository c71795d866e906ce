package auditlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Event is the part of an event that is needed, of which one stands in each line.
// Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
type Event struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Level is None, Metadata, Request or RequestResponse.
	Level      string                    `json:"level"`
	AuditID    string                    `json:"auditID"`
	Stage      string                    `json:"stage"`
	Verb       string                    `json:"verb"`
	RequestURI string                    `json:"requestURI"`
	User       authenticationv1.UserInfo `json:"user"`
	// ImpersonatedUser is the user that the request was judged as, if User acted as another.
	ImpersonatedUser *authenticationv1.UserInfo `json:"impersonatedUser"`
	ObjectRef        *ObjectReference           `json:"objectRef"`
	ResponseStatus   *metav1.Status             `json:"responseStatus"`
	// RequestObject and ResponseObject are JSON; the level says whether they are there.
	RequestObject  json.RawMessage   `json:"requestObject"`
	ResponseObject json.RawMessage   `json:"responseObject"`
	Received       metav1.MicroTime  `json:"requestReceivedTimestamp"`
	Annotations    map[string]string `json:"annotations"`
}

// ObjectReference names the object of an event.
type ObjectReference struct {
	Resource    string `json:"resource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	UID         string `json:"uid"`
	APIGroup    string `json:"apiGroup"`
	APIVersion  string `json:"apiVersion"`
	Subresource string `json:"subresource"`
}

// MaxLine is how long a line may be, in bytes. An object is at most 3 MiB, and an event may hold it twice.
const MaxLine = 8 << 20

// ErrTooLong is the error for a line that is longer than MaxLine.
var ErrTooLong = errors.New("the line is longer than 8 MiB")

// LineError is the error for a line that is not an event. Reading goes on with the next.
type LineError struct {
	Line int
	Err  error
}

func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e LineError) Unwrap() error { return e.Err }

// Reader reads events, one from each line. It holds one line in memory.
type Reader struct {
	in    *bufio.Reader
	line  int
	bytes int64
}

// NewReader returns a reader of a log.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 1<<20)} }

// Line returns the number of the line that was read last, from 1, and Bytes how much of the log was read.
func (r *Reader) Line() int { return r.line }

// Bytes returns how many bytes of the log were read.
func (r *Reader) Bytes() int64 { return r.bytes }

// Next returns the next event. Its error is io.EOF at the end, a LineError for a line that is not an event, and that of the reader otherwise.
func (r *Reader) Next() (*Event, error) {
	raw, err := r.Raw()
	if err != nil {
		return nil, err
	}
	return r.Parse(raw)
}

// Raw returns the next line that is not empty, which holds until the next call. Its errors are those of Next.
func (r *Reader) Raw() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		r.bytes += int64(len(part))
		long := len(line)+len(part) > MaxLine
		switch {
		case long:
			line = nil
		case line != nil || errors.Is(err, bufio.ErrBufferFull):
			line = append(line, part...)
		default:
			line = part
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && long:
			return nil, r.skip()
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		r.line++
		ended := err != nil
		if long {
			return nil, LineError{r.line, ErrTooLong}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if ended {
			return nil, io.EOF
		}
		line = nil
	}
}

// skip reads the rest of a line that is too long.
func (r *Reader) skip() error {
	for {
		part, err := r.in.ReadSlice('\n')
		r.bytes += int64(len(part))
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		r.line++
		return LineError{r.line, ErrTooLong}
	}
}

// Parse returns the event of the line that was read last.
func (r *Reader) Parse(raw []byte) (*Event, error) {
	e := &Event{}
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, LineError{r.line, err}
	}
	if e.Kind != "Event" || e.APIVersion != "audit.k8s.io/v1" {
		return nil, LineError{r.line, fmt.Errorf("it is %q of %q, not an Event of audit.k8s.io/v1", e.Kind, e.APIVersion)}
	}
	return e, nil
}
