package typed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Explain says what is wrong with an object in words of manifests, where a decoder of Go says it in names of types.
func Explain(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	kind := strings.NewReplacer("array", "a list", "object", "an object", "bool", "true or false", "string", "a text", "number", "the number").Replace(wrong.Value)
	return fmt.Errorf("%s cannot be %s", cmp.Or(wrong.Field, "an object"), kind)
}
