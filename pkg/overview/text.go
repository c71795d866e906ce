package overview

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Plain makes text from another person safe to print: it escapes characters that move the cursor, change the direction of writing or are
// invisible.
func Plain(s string) string {
	if strings.IndexFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) || c == unicode.ReplacementChar }) < 0 {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return quoted[1 : len(quoted)-1]
}

// Moment reads a time of day, which is the last such before now and in its zone, a duration back from it, or an instant.
func Moment(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.ParseInLocation(layout, text, now.Location())
		if err != nil {
			continue
		}
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1) // the last such time
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time of day such as 12:24, duration such as 2h, or instant in RFC 3339", text)
}
