package cli

import (
	"strings"
	"testing"

	"github.com/emersion/go-ical"
)

// schedules answers with four windows of payments, one of which recurs at half past two in Berlin, and a freeze over one of them.
func schedules() map[string]string {
	const of = own + "/namespaces/payments/"
	window := func(name, phase, approvals, schedule, more string) string {
		return `{"metadata":{"name":"` + name + `","namespace":"payments","uid":"u-` + name + `","creationTimestamp":"2026-11-01T00:00:00Z"},"spec":{"environment":"production","reason":"rebuild \u001b[31mthe index","schedule":` +
			schedule + `,"scope":{"operations":["Create"],"resources":[{"kind":"Job","group":"batch","names":["a"]}]},"requestedBy":{"username":"sam","uid":"u-sam"}` + more + `},"status":{"phase":"` + phase + `","approvals":"` + approvals + `"}}`
	}
	windows := `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeWindowList","items":[` + strings.Join([]string{
		window("later", "Pending", "0/1", `{"start":"2026-11-30T10:00:00Z","end":"2026-11-30T11:00:00Z"}`, `,"ticket":"CHG-7"`),
		window("now", "Open", "1/1", `{"start":"2026-11-28T02:00:00Z","end":"2026-11-28T03:00:00Z"}`, ""),
		window("gone", "Closed", "1/1", `{"start":"2026-11-27T02:00:00Z","end":"2026-11-27T03:00:00Z"}`, ""),
		window("weekly", "Approved", "1/1", `{"recurrence":{"cron":"30 2 * * 0","timeZone":"Europe/Berlin","duration":"1h","validUntil":"2027-10-01T00:00:00Z"}}`, `,"type":"Standard","subjects":{"groups":["dba"]}`),
	}, ",") + `]}`
	freezes := `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeFreezeList","items":[{"metadata":{"name":"xmas","uid":"u-xmas","creationTimestamp":"2026-11-01T00:00:00Z"},` +
		`"spec":{"environments":["production"],"reason":"Christmas","schedule":{"start":"2026-11-30T00:00:00Z","end":"2026-12-02T00:00:00Z"},"requestedBy":{"username":"kim"}}}]}`
	const none = `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeApprovalList","items":[]}`
	return map[string]string{
		of + "changewindows": windows, own + "/changewindows": windows, own + "/changeapprovals": none, own + "/changefreezes": freezes,
		own + "/environments": `{"apiVersion":"firebreak.dev/v1alpha1","kind":"EnvironmentList","items":[{"metadata":{"name":"production"},"spec":{"tier":"Production","namespaces":{"names":["payments"]},"identities":{"groups":["sre"]}}},` +
			`{"metadata":{"name":"staging"},"spec":{"tier":"NonProduction","namespaces":{"selector":{"matchLabels":{"a":"b"}}}}}]}`,
		"/apis/authentication.k8s.io/v1/selfsubjectreviews": `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","status":{"userInfo":{"username":"sam","uid":"u-sam","groups":["sre","system:authenticated"]}}}`,
		"/apis":                         `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"authentication.k8s.io","versions":[{"groupVersion":"authentication.k8s.io/v1","version":"v1"}]},{"name":"authorization.k8s.io","versions":[{"groupVersion":"authorization.k8s.io/v1","version":"v1"}]}]}`,
		"/apis/authorization.k8s.io/v1": `{"kind":"APIResourceList","groupVersion":"authorization.k8s.io/v1","resources":[{"name":"selfsubjectaccessreviews","kind":"SelfSubjectAccessReview","namespaced":false,"verbs":["create"]}]}`,
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`,
	}
}

const frozenXmas = "frozen: production from 2026-11-30 00:00 UTC until 2026-12-02 00:00 UTC (freeze xmas: Christmas)\n"

const windowsAsYAML = `windows:
- approvals: 1/1
  closes: "2026-11-01T02:30:00Z"
  environment: production
  name: weekly
  namespace: payments
  opens: "2026-11-01T01:30:00Z"
  operations:
  - Create
  reason: "rebuild \e[31mthe index"
  requester: sam
  resources:
  - Job/a
  state: Approved
  type: Standard
- approvals: 1/1
  closes: "2026-11-28T03:00:00Z"
  environment: production
  name: now
  namespace: payments
  opens: "2026-11-28T02:00:00Z"
  operations:
  - Create
  reason: "rebuild \e[31mthe index"
  requester: sam
  resources:
  - Job/a
  state: open
  type: Normal
- approvals: 0/1
  closes: "2026-11-30T11:00:00Z"
  environment: production
  freezes:
  - xmas
  name: later
  namespace: payments
  opens: "2026-11-30T10:00:00Z"
  operations:
  - Create
  reason: "rebuild \e[31mthe index"
  requester: sam
  resources:
  - Job/a
  state: waits for approval 0/1, frozen
  ticket: CHG-7
  type: Normal
`

func TestWindows(t *testing.T) {
	for name, tc := range map[string]struct {
		args  []string
		out   string
		fails string
	}{
		"what is to come": {nil, `NAMESPACE  WINDOW  ENVIRONMENT  STATE                           OPENS                 CLOSES                REQUESTER  TICKET  REASON
payments   now     production   open                            2026-11-28 02:00 UTC  2026-11-28 03:00 UTC  sam                rebuild \x1b[31mthe index
payments   weekly  production   Approved                        2026-11-29 01:30 UTC  2026-11-29 02:30 UTC  sam                rebuild \x1b[31mthe index
payments   later   production   waits for approval 0/1, frozen  2026-11-30 10:00 UTC  2026-11-30 11:00 UTC  sam        CHG-7   rebuild \x1b[31mthe index
` + frozenXmas, ""},
		"a zone that is none":  {[]string{"--zone", "Europe/Bonn"}, "", "--zone: unknown time zone Europe/Bonn"},
		"a month that is none": {[]string{"--month", "December"}, "", `--month is a year and a month, such as 2026-12, not "December"`},
		"two forms":            {[]string{"--ics", "--calendar"}, "", "give one of --calendar, --ics and --output, not several"},
		"a form and a month":   {[]string{"-o", "json", "--calendar"}, "", "give one of --calendar, --ics and --output, not several"},
		"a form that is none":  {[]string{"-o", "xml"}, "", `--output is text, wide, json or yaml, not "xml"`},
		"wide": {[]string{"-o", "wide"}, `NAMESPACE  WINDOW  ENVIRONMENT  STATE                           OPENS                 CLOSES                REQUESTER  TICKET  REASON                     TYPE      APPROVALS  OPERATIONS  RESOURCES
payments   now     production   open                            2026-11-28 02:00 UTC  2026-11-28 03:00 UTC  sam                rebuild \x1b[31mthe index  Normal    1/1        Create      Job/a
payments   weekly  production   Approved                        2026-11-29 01:30 UTC  2026-11-29 02:30 UTC  sam                rebuild \x1b[31mthe index  Standard  1/1        Create      Job/a
payments   later   production   waits for approval 0/1, frozen  2026-11-30 10:00 UTC  2026-11-30 11:00 UTC  sam        CHG-7   rebuild \x1b[31mthe index  Normal    0/1        Create      Job/a
` + frozenXmas, ""},
		"for programs": {[]string{"-o", "yaml", "--month", "2026-11"}, windowsAsYAML, ""},
		"a month":      {[]string{"--calendar", "--zone", "Europe/Berlin"}, november, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := newCluster(t, schedules()).run("", append([]string{"windows"}, tc.args...)...)
			checkRun(t, out, err, tc.out, tc.fails, name)
		})
	}
}

// In Berlin the clock goes back on the 25th of October; in November half past two is an hour later in UTC than in summer.
const november = `November 2026 (Europe/Berlin)
Mo  Tu  We  Th  Fr  Sa  Su
                         1+
 2   3   4   5   6   7   8+
 9  10  11  12  13  14  15+
16  17  18  19  20  21  22+
23  24  25  26  27  28+ 29+
30*

+ open   # frozen   * both

Sunday, 1 November
  + 02:30-03:30  payments/weekly  production  Approved: rebuild \x1b[31mthe index

Sunday, 8 November
  + 02:30-03:30  payments/weekly  production  Approved: rebuild \x1b[31mthe index

Sunday, 15 November
  + 02:30-03:30  payments/weekly  production  Approved: rebuild \x1b[31mthe index

Sunday, 22 November
  + 02:30-03:30  payments/weekly  production  Approved: rebuild \x1b[31mthe index

Saturday, 28 November
  + 03:00-04:00  payments/now  production  Open: rebuild \x1b[31mthe index

Sunday, 29 November
  + 02:30-03:30  payments/weekly  production  Approved: rebuild \x1b[31mthe index

Monday, 30 November
  + 11:00-12:00  payments/later  production  waits for approval 0/1, frozen: rebuild \x1b[31mthe index
  # 01:00-…  freeze xmas  production: Christmas
`

// Another program's parser reads the calendar: each opening is an event, with its instants, and nothing that a person wrote breaks out of its line.
func TestICS(t *testing.T) {
	out, err := newCluster(t, schedules()).run("", "windows", "--ics", "--month", "2026-11")
	if err != nil {
		t.Fatal(err)
	}
	cal, err := ical.NewDecoder(strings.NewReader(out)).Decode()
	if err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	if n := strings.Count(out, "\n"); n == 0 || n != strings.Count(out, "\r\n") {
		t.Error("lines do not end as RFC 5545 has them end")
	}
	got := map[string]string{}
	for _, e := range cal.Events() {
		uid, err := e.Props.Text("UID")
		if err != nil {
			t.Fatal(err)
		}
		start, err := e.DateTimeStart(nil)
		if err != nil {
			t.Fatal(err)
		}
		summary, _ := e.Props.Text("SUMMARY")
		got[uid] = start.UTC().Format("2006-01-02T15:04Z ") + summary
	}
	if len(got) != 8 {
		t.Errorf("%d events, want five Sundays, two windows and a freeze: %v", len(got), got)
	}
	for uid, want := range map[string]string{
		"u-weekly-1795915800@firebreak.dev": "2026-11-29T01:30Z production: payments/weekly (open)",
		"u-later-1796032800@firebreak.dev":  "2026-11-30T10:00Z production: payments/later (waits for approval 0/1, frozen)",
		"u-xmas-1795996800@firebreak.dev":   "2026-11-30T00:00Z frozen: production",
	} {
		if got[uid] != want {
			t.Errorf("%s is %q, want %q", uid, got[uid], want)
		}
	}
}

func TestWhoami(t *testing.T) {
	out, err := newCluster(t, schedules()).run("", "whoami")
	checkRun(t, out, err, `You are sam, of groups sre, system:authenticated.

ENVIRONMENT  TIER           YOU ARE
production   Production     a member
staging      NonProduction  not a member

Namespace "payments" is in "production".
In it you may request change windows, approve those of others, open emergencies.

Open for you:
NAMESPACE  WINDOW  UNTIL  REASON
payments   now            rebuild \x1b[31mthe index
`, "", "who I am")
}
