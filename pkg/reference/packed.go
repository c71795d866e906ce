package reference

import "github.com/fxamacker/cbor/v2"

// Packed are Contents in one piece of memory, in CBOR (RFC 8949). There may be tens of thousands of ConfigMaps, and as values in Go they take
// three times as much, in pieces that the collector of garbage looks at one by one. Equal contents are equal texts.
type Packed string

// unpacking takes what a ConfigMap's binaryData holds for a text, too. Its error could only be that of an option that does not exist.
//
//nolint:gochecknoglobals // it does not change
var unpacking, _ = cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()

// packedSize is what one piece costs beside its text: the headers of its key and its own in a table.
const packedSize = 128

// Packed returns the contents in one piece, which holds on to nothing of the object that they were read from.
func (c Contents) Packed() Packed {
	text, err := cbor.Marshal(c)
	if err != nil { // no value of these types is without an encoding
		return PackedLarge
	}
	return Packed(text)
}

// PackedLarge are the contents of an object that must be read again where it is used.
const PackedLarge Packed = "\xa1\x02\xf5"

// Contents returns what was packed. What cannot be unpacked counts as too large to be remembered.
func (p Packed) Contents() Contents {
	var c Contents
	if err := unpacking.Unmarshal([]byte(p), &c); err != nil {
		return Contents{Large: true}
	}
	return c
}

// Large reports whether the object must be read again where it is used.
func (p Packed) Large() bool { return p == PackedLarge }

// Size returns how many bytes are kept, about.
func (p Packed) Size() int { return packedSize + len(p) }
