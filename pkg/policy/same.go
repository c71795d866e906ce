package policy

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// sameAsStored reports whether an update stores what is stored already: GitOps controllers send such updates every few minutes, and
// nothing may stop them. Both states come from one API server, which writes the same object in the same way; so they are compared token by
// token, up to the first difference, and neither is decoded.
func sameAsStored(object, old []byte) bool {
	a, b := tokensOf(object), tokensOf(old)
	for {
		ta, errA := a.next()
		tb, errB := b.next()
		if errA != nil || errB != nil || !bytes.Equal(ta, tb) {
			return false
		}
		if a.StackDepth() == 0 {
			return b.StackDepth() == 0 && a.ended() && b.ended()
		}
	}
}

// tokens yields those of an object, without the fields that every write changes.
type tokens struct {
	*jsontext.Decoder
	meta bool
}

func tokensOf(raw []byte) *tokens {
	return &tokens{Decoder: jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
}

// next returns a token, or a whole value where it is a scalar.
func (t *tokens) next() ([]byte, error) {
	for {
		kind, name := t.PeekKind(), t.isName()
		switch kind {
		case '{', '[', '}', ']':
			if _, err := t.ReadToken(); err != nil {
				return nil, err
			}
			return []byte{byte(kind)}, nil
		}
		v, err := t.ReadValue()
		if err != nil {
			return nil, err
		}
		if !name {
			return v, nil
		}
		switch depth := t.StackDepth(); {
		case depth == 1:
			t.meta = string(v) == `"metadata"`
		case depth == 2 && t.meta && changesAlways(string(v)):
			if err := t.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		return v, nil
	}
}

// ended reports whether nothing follows.
func (t *tokens) ended() bool {
	_, err := t.ReadToken()
	return errors.Is(err, io.EOF)
}

// isName reports whether the next token is the name of a field.
func (t *tokens) isName() bool {
	kind, length := t.StackIndex(t.StackDepth())
	return kind == '{' && length%2 == 0
}

// changesAlways: the fields of metadata that every write changes.
func changesAlways(name string) bool {
	switch name {
	case `"managedFields"`, `"resourceVersion"`, `"generation"`:
		return true
	}
	return false
}

// unchanged prepares an update that stores what is stored already: of the object only its metadata is read.
func (c *PreparedRequest) unchanged() error {
	meta, err := workload.Metadata(c.req.Object)
	if err != nil {
		return err
	}
	c.new = &object{raw: c.req.Object, meta: meta, passes: 1}
	c.old, c.past = c.new, c.budget.Beside()
	return c.complete()
}
