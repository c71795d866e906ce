package workload

import "strings"

// weight returns how many parts an object in a list counts for: a container is decoded into a kilobyte, most others into a
// tenth of that.
func weight(list string) int {
	if strings.EqualFold(list, "containers") || strings.EqualFold(list, "initContainers") || strings.EqualFold(list, "ephemeralContainers") ||
		strings.Contains(list, `\`) { // the key may be written in escapes
		return 8
	}
	return 1
}

// CountParts returns how many parts the lists of a JSON text hold, in units of the budget. Each is decoded into a type that
// is larger than its text. A text that is not JSON counts for at least as much as a decoder reads of it.
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

// longestKey is longer than the keys with a larger weight, also when they are escaped.
const longestKey = 160

// stringEnd returns the end of the string that begins at i: its closing quote, or the end of the text.
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
