// Command demo plays the Christmas Eve of 2012 on a real control plane: the maintenance run against production by mistake, and
// everything that could have stopped it. All commands are real, and all answers come from the cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("KEEP") != "")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keep bool) (err error) {
	began := time.Now()
	fmt.Println("Starting etcd, kube-apiserver, controller-manager, scheduler and kwok, and installing the chart ...")
	s, err := stage.Start(ctx, stage.Options{Replicas: 2})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := s.Stop(); err == nil {
			err = stopErr
		}
	}()
	d, err := newDemo(ctx, s)
	if err != nil {
		return err
	}
	fmt.Printf("Ready after %.0f s.\n", time.Since(began).Seconds())
	if err := d.play(); err != nil {
		return err
	}
	fmt.Printf("\nAll %d commands ended as they should, in %.0f s.\n", d.commands, time.Since(began).Seconds())
	if keep {
		d.keep()
	}
	return nil
}
