package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

func printTable(w io.Writer, results []result) {
	fmt.Fprintf(w, "%-13s %9s %-20s %7s %9s %7s %9s %8s %8s %7s\n", "body", "bytes", "server", "hosts", "CPU ms", "x floor", "req/s", "p50 ms", "p99 ms", "MiB")
	for _, r := range results {
		fmt.Fprintf(w, "%-13s %9d %-20s %7d %9.3f %7.2f %9.0f %8.1f %8.1f %7.0f\n", r.Body, r.Bytes, r.Server, r.Hosts, r.CPU, r.Ratio, r.Rate, r.P50, r.P99, r.RSS)
	}
}

func printDelays(w io.Writer, delays []delay) {
	fmt.Fprintf(w, "\n%-36s %6s %9s %8s %8s %9s\n", "a Deployment, at a share of capacity", "share", "req/s", "p50 ms", "p99 ms", "x floor")
	for _, d := range delays {
		fmt.Fprintf(w, "%-36s %6.2f %9.0f %8.2f %8.2f %9.2f\n", d.name(), d.Share, d.Rate, d.P50, d.P99, d.Ratio)
	}
}

// point is one mark of a plot.
type point struct {
	x, y  float64
	label string
}

// plots draws cost against the size of the object, and against that of the estate, and delay against load.
func plots(folder string, all report) error {
	size, estate, load := map[string][]point{}, map[string][]point{}, map[string][]point{}
	for _, d := range all.Delays {
		load[d.name()] = append(load[d.name()], point{d.Rate, d.P99, ""})
	}
	for _, r := range all.Costs {
		name := r.Server
		if r.Server == "firebreak" {
			estate[r.Body] = append(estate[r.Body], point{float64(r.Hosts), r.Ratio, r.Body})
			if r.Hosts != 1000 {
				continue
			}
		}
		if !strings.HasPrefix(r.Body, "update") {
			size[name] = append(size[name], point{float64(r.Bytes), r.CPU, r.Body})
		}
	}
	if err := plot(folder+"/load.svg", "p99 in ms, by requests a second", load); err != nil {
		return err
	}
	if err := plot(folder+"/size.svg", "CPU of the server in ms per request, by bytes of the review", size); err != nil {
		return err
	}
	return plot(folder+"/estate.svg", "CPU as a multiple of controller-runtime's, by hosts declared", estate)
}

// plot draws lines on logarithmic axes.
func plot(path, title string, lines map[string][]point) error {
	const width, height, margin = 640.0, 400.0, 60.0
	lo, hi := point{math.Inf(1), math.Inf(1), ""}, point{math.Inf(-1), math.Inf(-1), ""}
	for _, l := range lines {
		for _, p := range l {
			lo.x, lo.y, hi.x, hi.y = math.Min(lo.x, p.x), math.Min(lo.y, p.y), math.Max(hi.x, p.x), math.Max(hi.y, p.y)
		}
	}
	at := func(v, lo, hi, from, to float64) float64 {
		return from + (to-from)*(math.Log(v)-math.Log(lo))/math.Max(math.Log(hi)-math.Log(lo), 1e-9)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/><text x="%g" y="24" font-size="14">%s</text>`, width, height, margin, title)
	fmt.Fprintf(&b, `<path d="M%g %gV%gH%g" fill="none" stroke="#888"/>`, margin, margin, height-margin, width-margin)
	for _, tick := range []float64{lo.x, hi.x} {
		fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%.4g</text>`, at(tick, lo.x, hi.x, margin, width-margin), height-margin+18, tick)
	}
	for _, tick := range []float64{lo.y, hi.y} {
		fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="end">%.3g</text>`, margin-6, at(tick, lo.y, hi.y, height-margin, margin)+4, tick)
	}
	colours, n := []string{"#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#555555"}, 0
	for _, name := range sorted(lines) {
		colour := colours[n%len(colours)]
		var d strings.Builder
		for i, p := range lines[name] {
			x, y := at(p.x, lo.x, hi.x, margin, width-margin), at(p.y, lo.y, hi.y, height-margin, margin)
			fmt.Fprintf(&d, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], x, y)
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, y, colour)
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/><text x="%g" y="%g" text-anchor="end" fill="%s">%s</text>`, d.String(), colour, width-margin, margin+16*float64(n), colour, name)
		n++
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

func sorted(lines map[string][]point) []string { return slices.Sorted(maps.Keys(lines)) }
