package main

import (
	"fmt"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	dana  = stage.Developer
	sam   = stage.SRE
	robin = stage.SecondSRE
)

// play tells the story. Each step is one way in which the evening of 2012 could have gone otherwise.
func (d *demo) play() error {
	title("The people")
	say("dana is a developer. Her access to production was meant to be temporary, and became permanent.\n" +
		"sam and robin are SREs. Namespace payments is production, dev is development; the database of the\n" +
		"orders is orders.prod.db.example.com in production and orders.dev.db.example.com in development.")
	if err := d.as(sam, "kubectl --context production apply -f shop.yaml", admitted("deployment.apps/shop created")); err != nil {
		return err
	}
	closes, err := d.everyRun()
	if err != nil {
		return err
	}
	for _, step := range []func() error{d.wrongDatabase, d.wrongNamespace, d.window, d.quietDirection, d.tampering, d.freezeProduction, d.whatHappened} {
		if err := step(); err != nil {
			return err
		}
	}
	return d.everyRunEnds(closes)
}

// everyRun is the first half of step 4: it starts first and runs beside the others.
func (d *demo) everyRun() (closes time.Time, err error) {
	title("4. Every run is judged, not only the first (this begins now and ends last)")
	first := time.Now().Truncate(time.Minute).Add(time.Minute)
	if time.Until(first) < 5*time.Second {
		time.Sleep(time.Until(first)) // else the CronJob may be there in time, and run twice before its window closes
		first = first.Add(time.Minute)
	}
	closes = first.Add(20 * time.Second)
	say("A CronJob runs every minute. Its window lets it run five times, and closes before the second run.")
	request := fmt.Sprintf("kubectl firebreak request --context production -f refresh.yaml --name refresh-tonight --environment production"+
		" --start now --duration %ds --max-executions 5 --reason 'Refresh the totals once'", int(time.Until(closes).Seconds()))
	for _, step := range []struct {
		who, command string
		want         expectation
	}{
		{sam, request, admitted("changewindow.firebreak.dev/refresh-tonight requested in namespace payments")},
		{robin, "kubectl firebreak approve --context production refresh-tonight --yes", admitted("changewindow.firebreak.dev/refresh-tonight approved")},
		{sam, "kubectl --context production apply -f refresh.yaml", admitted("cronjob.batch/orders-refresh created")},
	} {
		if err := d.as(step.who, step.command, step.want); err != nil {
			return closes, err
		}
	}
	return closes, nil
}

func (d *demo) everyRunEnds(closes time.Time) error {
	title("4. Every run is judged, continued")
	refusedAt := closes.Truncate(time.Minute).Add(time.Minute)
	say("The first run was admitted inside the window. Waiting for the next one, at %s ...", refusedAt.UTC().Format("15:04:05 UTC"))
	events := "kubectl --context production get events --field-selector involvedObject.name=orders-refresh,reason=ChangeWindowRequired" +
		" -o custom-columns=REASON:.reason,MESSAGE:.message"
	if err := d.until(sam, events, "it closed at", time.Until(refusedAt)+25*time.Second); err != nil {
		return err
	}
	if err := d.as(sam, "kubectl --context production get jobs -o name | grep orders-refresh", admitted("job.batch/orders-refresh-")); err != nil {
		return err
	}
	if err := d.as(sam, "kubectl --context production get jobs -o name | grep -c orders-refresh", admitted("1\n")); err != nil {
		return err
	}
	return d.as(sam, events, admitted(`window "refresh-tonight" does not permit it, since it closed at`))
}

func (d *demo) wrongDatabase() error {
	title("1. The maintenance run that meant the test copy and named production")
	if err := d.as(dana, "kubectl apply -f reindex.yaml", refused(
		`jobs.batch "reindex-orders" is forbidden: use a data store of "development" (DataStoreAcrossTiers: args[1] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"`)); err != nil {
		return err
	}
	if err := d.as(dana, "kubectl apply -f reindex-dev.yaml", admitted("job.batch/reindex-orders created")); err != nil {
		return err
	}
	return d.as(dana, "kubectl wait --for=condition=complete --timeout=30s job/reindex-orders", admitted("condition met"))
}

func (d *demo) wrongNamespace() error {
	title("2. The access that nobody took away, and the wrong context")
	if err := d.as(dana, "kubectl --context production apply -f reindex.yaml", refused(
		`IdentityOutsideEnvironment: user "dana" is not a member of "production", to which namespace "payments" belongs`)); err != nil {
		return err
	}
	return d.as(sam, "kubectl --context production apply -f reindex-for-development.yaml", refused(
		`TargetNotConfirmed: metadata.annotations["firebreak.dev/target-environment"] says "development", but namespace "payments" is in "production"`))
}

func (d *demo) window() error {
	title("3. Somebody asks: this is production, are you sure?")
	const approve = "kubectl firebreak approve --context production reindex-tonight --yes"
	for _, step := range []struct {
		who, command string
		want         expectation
	}{
		{sam, "kubectl --context production apply -f reindex.yaml", refused(
			`ChangeWindowRequired: this is maintenance in "production"`, "request a window: kubectl firebreak request -f MANIFEST -n payments")},
		{sam, "kubectl firebreak request --context production -f reindex.yaml --name reindex-tonight --environment production" +
			" --start now --duration 30m --reason 'Rebuild the orders index after the 4.2 migration' --ticket CHG-20417",
			admitted("changewindow.firebreak.dev/reindex-tonight requested in namespace payments")},
		{sam, approve, refused(`user "sam" requested change window "reindex-tonight", and nobody approves what they requested`)},
		{sam, approve + ` --token "$(kubectl --context production create token release-bot)"`,
			refused("change windows are approved by persons, and system:serviceaccount:payments:release-bot is a service account")},
		{sam, approve + " --as system:serviceaccount:payments:release-bot",
			refused("change windows are approved by persons, and system:serviceaccount:payments:release-bot is a service account")},
		{sam, approve + " --as robin", refused(`User "sam" cannot impersonate`)},
		{robin, approve, admitted("changewindow.firebreak.dev/reindex-tonight approved")},
		{sam, "kubectl --context production apply -f reindex-altered.yaml", refused(
			`PlanMismatch: window "reindex-tonight" is for something else: containers["reindex"].image: approved "registry.example.com/tools/postgres@sha256:5b6a`)},
		{sam, "kubectl --context production apply -f reindex.yaml", admitted("job.batch/reindex-orders created")},
		{sam, "kubectl --context production wait --for=condition=complete --timeout=30s job/reindex-orders", admitted("condition met")},
		{sam, "kubectl --context production delete job reindex-orders", admitted("deleted")},
		{sam, "kubectl --context production apply -f reindex.yaml", refused(
			`ExecutionsExhausted: window "reindex-tonight" covers this, but it has been used for this object once, which is all that it allows`)},
	} {
		if err := d.as(step.who, step.command, step.want); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) quietDirection() error {
	title("5. The quiet direction: production that writes into staging")
	return d.as(sam, "kubectl --context production apply -f reports.yaml", refused(
		`DataStoreAcrossTiers: env "DATABASE_URL" names "orders.staging.db.example.com", data store "orders-staging" of "staging"; "payments" is in "production"`))
}

func (d *demo) tampering() error {
	title("6. Lowering the bar first")
	return d.as(sam, `kubectl patch environment production --type merge -p '{"spec":{"changeControl":{"requiredApprovals":0}}}'`, refused(
		"BoundaryTampering: this weakens the boundary: it lowers changeControl.requiredApprovals from 1 to 0"))
}

func (d *demo) freezeProduction() error {
	title("7. Stopping all modification")
	const setImage = "kubectl --context production set image deployment/shop shop=registry.example.com/shop/shop@sha256:2222222222222222222222222222222222222222222222222222222222222222"
	for _, step := range []struct {
		who, command string
		want         expectation
	}{
		{robin, "kubectl firebreak freeze production --reason 'Christmas trading'", admitted("changefreeze.firebreak.dev/freeze-production")},
		{sam, setImage, refused(
			`ChangeFrozen: robin froze "production" `, `"Christmas trading"`)},
		{sam, "kubectl --context production delete pod -l app=shop --wait=false", admitted("deleted")},
	} {
		if err := d.as(step.who, step.command, step.want); err != nil {
			return err
		}
	}
	say("Pods of what runs are still replaced:")
	if err := d.as(sam, "kubectl --context production rollout status deployment/shop --timeout=30s", admitted("successfully rolled out")); err != nil {
		return err
	}
	if err := d.as(robin, "kubectl firebreak unfreeze freeze-production", admitted("lifted")); err != nil {
		return err
	}
	return d.as(sam, setImage, admitted("deployment.apps/shop image updated"))
}

func (d *demo) whatHappened() error {
	title("8. What changed in production, and who said that it may?")
	return d.as(robin, "kubectl firebreak log --context production --since 1h", admitted(
		"job/reindex-orders", "payments/reindex-tonight", "Rebuild the orders index after the 4.2 migration"))
}
