package workload

import "strings"

// weight says how many parts an object in a list counts for: a container is decoded into a kilobyte, and most else into a tenth
// of it.
func weight(list string) int {
	if strings.EqualFold(list, "containers") || strings.EqualFold(list, "initContainers") || strings.EqualFold(list, "ephemeralContainers") ||
		strings.Contains(list, `\`) { // it may be written in escapes
		return 8
	}
	return 1
}

// CountParts returns how many parts stand in the lists of a text in JSON, in units of the budget. Each is decoded into a type that
// is larger than what stands in the text. A text that is not JSON counts for no less than what a decoder reads of it.
func CountParts(raw []byte) int {
	n, weights, key := 0, []byte{}, raw[:0]
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			end := stringEnd(raw, i+1)
			key = raw[i+1 : min(end, i+1+longestKey)]
			i = end
		case '[':
			weights, key = append(weights, byte(weight(string(key)))), raw[:0]
		case '{':
			if len(weights) > 0 {
				n += int(weights[len(weights)-1])
			}
			weights = append(weights, 0)
		case ']', '}':
			weights = weights[:max(len(weights)-1, 0)]
		}
	}
	return n
}

// longestKey is longer than the keys that weigh more, in escapes too.
const longestKey = 160

// stringEnd returns where the string ends that begins at i: at its closing quote, or the end of the text.
func stringEnd[T string | []byte](raw T, i int) int {
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return len(raw)
}
