package schedule

import (
	"sort"
	"time"
)

// calendar is a cron expression in a zone. This package computes the next instant itself, since the parser's library skips
// starts in the hour that a zone leaves out and fires twice in the hour that it repeats.
type calendar struct {
	// The fields are bit sets: bit n is set if the field includes n.
	minute, hour, dom, month, dow uint64
	zone                          *time.Location
	duration                      time.Duration
}

// maxYears is how many years ahead the search goes: the 29th of February comes after eight years at the latest.
const maxYears = 9

func set(bits uint64, n int) bool { return bits&(1<<uint(n)) != 0 }

// after returns the first start at or after an instant and before a limit.
func (c *calendar) after(from, limit time.Time) (time.Time, bool) {
	horizon := minTime(limit, from.AddDate(maxYears, 0, 0))
	// A start that the zone leaves out is moved ahead, so the day before may reach into this one.
	for day := dayOf(from.In(c.zone)).add(-1); day.first(c.zone).Before(horizon); {
		if !set(c.month, int(day.month)) {
			day = day.nextMonth()
			continue
		}
		if c.matches(day) {
			if start, ok := c.on(day, from, true); ok {
				return start, start.Before(limit)
			}
		}
		day = day.add(1)
	}
	return time.Time{}, false
}

// before returns the last start at or before an instant, and after a limit.
func (c *calendar) before(at, limit time.Time) (time.Time, bool) {
	for day := dayOf(at.In(c.zone)); day.add(2).first(c.zone).After(limit); day = day.add(-1) {
		if !c.matches(day) {
			continue
		}
		if start, ok := c.on(day, at, false); ok {
			return start, start.After(limit)
		}
	}
	return time.Time{}, false
}

func (c *calendar) matches(d day) bool {
	return set(c.month, int(d.month)) && set(c.dom, d.day) && set(c.dow, int(d.weekday()))
}

// on returns a day's first start at or after an instant or, backwards, its last start at or before it. A later time of the
// day is never an earlier instant, so the search for the place to begin is binary.
func (c *calendar) on(d day, at time.Time, forwards bool) (time.Time, bool) {
	const minutes = 24 * 60
	instant := func(i int) time.Time { return d.at(i/60, i%60, c.zone) }
	fires := func(i int) bool { return set(c.hour, i/60) && set(c.minute, i%60) }
	if forwards {
		for i := sort.Search(minutes, func(i int) bool { return !instant(i).Before(at) }); i < minutes; i++ {
			if fires(i) {
				return instant(i), true
			}
		}
		return time.Time{}, false
	}
	for i := sort.Search(minutes, func(i int) bool { return instant(i).After(at) }) - 1; i >= 0; i-- {
		if fires(i) {
			return instant(i), true
		}
	}
	return time.Time{}, false
}

// shortestGap returns the shortest time between two consecutive starts, beginning at first. It looks at a year, which holds
// both clock changes of every zone, or at the first 3000 starts, which are enough.
func (c *calendar) shortestGap(first time.Time) time.Duration {
	const enough = 3000
	shortest := time.Duration(1<<63 - 1)
	end := first.AddDate(1, 1, 0)
	for range enough {
		next, ok := c.after(first.Add(time.Second), first.AddDate(maxYears, 0, 0))
		if !ok || next.After(end) && shortest < 1<<62 {
			return shortest
		}
		shortest = min(shortest, next.Sub(first))
		first = next
	}
	return shortest
}

// day is a day of the calendar, in no zone.
type day struct {
	year  int
	month time.Month
	day   int
}

func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return day{y, m, d}
}

func (d day) add(n int) day { return dayOf(time.Date(d.year, d.month, d.day+n, 12, 0, 0, 0, time.UTC)) }

func (d day) nextMonth() day {
	return dayOf(time.Date(d.year, d.month+1, 1, 12, 0, 0, 0, time.UTC))
}

func (d day) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC).Weekday()
}

// first returns the first instant of the day, or one near it where the zone has none.
func (d day) first(zone *time.Location) time.Time {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, zone)
}

// at returns the instant at which clocks in a zone show a time of the day. If they never do, it is the first instant at which
// they show a later time. If they do so twice, it is the first of the two.
func (d day) at(hour, minute int, zone *time.Location) time.Time {
	t := time.Date(d.year, d.month, d.day, hour, minute, 0, 0, zone)
	if shown := t.In(zone); shown.Hour() != hour || shown.Minute() != minute || dayOf(shown) != d {
		return d.transition(hour, minute, zone)
	}
	// The time may be shown twice, at an earlier instant too. Clocks are set back by at most a few hours.
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 24 * time.Hour} {
		if e := t.Add(-back); dayOf(e.In(zone)) == d && e.In(zone).Hour() == hour && e.In(zone).Minute() == minute {
			return e
		}
	}
	return t
}

// transition returns the instant at which clocks are set ahead over a time that they then never show: the first instant with
// a later time.
func (d day) transition(hour, minute int, zone *time.Location) time.Time {
	wanted := time.Date(d.year, d.month, d.day, hour, minute, 0, 0, time.UTC)
	shows := func(t time.Time) time.Time {
		s := t.In(zone)
		return time.Date(s.Year(), s.Month(), s.Day(), s.Hour(), s.Minute(), s.Second(), 0, time.UTC)
	}
	low, high := wanted.Add(-28*time.Hour), wanted.Add(28*time.Hour)
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2).Truncate(time.Second)
		if shows(middle).Before(wanted) {
			low = middle
		} else {
			high = middle
		}
	}
	return high.In(zone)
}
