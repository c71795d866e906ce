// Command bench measures what Firebreak's webhook costs beside two floors, in one run: a server that only decodes the envelope of a review,
// and controller-runtime's with a handler that admits everything. Each server is a process of its own on a core of its own; the load
// comes from another core, over TLS and HTTP/1.1, as kube-apiserver speaks to webhooks. CPU time of the server per request is what counts:
// noise moves it least.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	serveAs := flag.String("serve", "", "serve as raw, controller-runtime or firebreak (the command starts itself so)")
	hosts := flag.Int("hosts", 1000, "how many hosts the estate declares")
	out := flag.String("o", "hack/bench/last", "folder for the last run: last.json and plots")
	length := flag.Duration("for", 2*time.Second, "how long each figure is measured")
	rounds := flag.Int("rounds", 3, "how often each figure is measured; the median counts")
	profile := flag.String("profile", "", "folder for CPU profiles of the servers")
	changes := flag.Int("changes", 0, "how often a second the estate changes (of a server)")
	only := flag.String("bodies", "", "measure the costs of these bodies only, divided by commas, and keep nothing")
	part := flag.String("part", "", "measure costs or delays only, and keep nothing")
	flag.Parse()
	if *serveAs != "" {
		fail(profiled(*profile, func() error { return serve(*serveAs, *hosts, *changes) }))
		return
	}
	if !slices.Contains([]string{"", "costs", "delays"}, *part) {
		fail(fmt.Errorf("-part is costs or delays, and not %q", *part))
	}
	var all report
	var err error
	if *part != "delays" {
		all.Costs, err = measure(*length, *rounds, strings.Split(*only, ","), *profile)
		fail(err)
		printTable(os.Stdout, all.Costs)
	}
	if *part != "costs" {
		all.Delays, err = delays(2**length, *rounds, *profile)
		fail(err)
		printDelays(os.Stdout, all.Delays)
	}
	if *part != "" || *only != "" {
		return // a part of a run does not take the place of a whole one
	}
	fail(keep(*out, all))
}

// profiled writes a CPU profile of what run does, if a file is given.
func profiled(file string, run func() error) error {
	if file == "" {
		return run()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report is all that a run measures.
type report struct {
	Costs  []result `json:"costs"`
	Delays []delay  `json:"delays"`
}

// keep writes the results as JSON and as plots.
func keep(folder string, results report) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(folder+"/last.json", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return plots(folder, results)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // of the kernel's own
	return n
}
