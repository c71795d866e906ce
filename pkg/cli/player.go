package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/lru"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/auditlog"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// player judges the events of a log one after the other. It holds mostRemembered bytes of objects as they were before, as many of ConfigMaps, mostRows rows of
// the report, and beside that what a server would know of the cluster that the log tells of, however long the log is.
type player struct {
	ctx   context.Context
	known *snapshot
	kinds auditlog.Kinds
	// before are the objects that the log told of last; bytes is their size.
	before *lru.Cache
	bytes  int
	totals ReplayReport
	// contents is how many bytes of ConfigMaps are held.
	contents int
	// sessions are those of which the log told when they began.
	sessions *lru.Cache
	// made says when the executions were made that the log tells of, to the microsecond.
	made map[string]time.Time
	// home is the namespace that Firebreak runs in.
	home string
	// uid is that of the user of the request that is being judged.
	uid    string
	rows   map[replayKey]*ReplayRow
	listed map[replayKey]*ReplayIdentity
	// each is told of each decision; it may be nil.
	each func(line int, r *auditlog.Request, d *policy.Decision) error
	// file is the log that is being read.
	file string
}

const (
	// mostRemembered is how many bytes of objects are remembered, and mostOfOne how large one may be.
	mostRemembered, mostOfOne = 128 << 20, 1 << 20
	// mostRows is how many different denials, and how many different identities, a report tells apart.
	mostRows = 10_000
	// mostSessions is how many sessions may be open at once.
	mostSessions = 10_000
)

// replayKey tells rows of the report apart.
type replayKey struct{ user, namespace, rule, resource string }

func newPlayer(ctx context.Context, k *snapshot, home string) *player {
	p := &player{home: home, ctx: ctx, known: k, kinds: kindsOf(k), made: map[string]time.Time{}, rows: map[replayKey]*ReplayRow{}, listed: map[replayKey]*ReplayIdentity{}}
	p.before = lru.NewWithEvictionFunc(1<<20, func(_ lru.Key, v any) {
		if raw, ok := v.([]byte); ok {
			p.bytes -= len(raw)
		}
	})
	p.sessions = lru.New(mostSessions)
	p.totals.Unjudged = map[string]int{}
	p.recompile()
	return p
}

func (p *player) unreadable(file string, err auditlog.LineError) {
	p.totals.Events++
	if p.totals.Unreadable++; p.totals.Unreadable == 1 {
		p.totals.FirstUnreadable = fmt.Sprintf("%s: %v", file, err)
	}
}

// recompile makes the view again. The API server has said in the log which account sent a request, so a controller's account is taken for the genuine
// one, unless the log tells that it was made again.
func (p *player) recompile() {
	p.known.recompile()
	known := p.known.built.ClusterView(nil).ControllerUID
	p.known.view.ControllerUID = func(name string) (string, bool) {
		if uid, ok := known(name); ok {
			return uid, true
		}
		return p.uid, true
	}
}

// play judges an event if it is a write that a webhook was asked about, and learns what it says of the cluster.
func (p *player) play(ev *auditlog.Event, line int) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	p.totals.Events++
	if !ev.Write() || p.again(ev) {
		return nil
	}
	p.totals.Writes++
	p.totals.span(ev.Received.Time)
	if ev.Refused() {
		p.totals.RefusedAnyway++
		return nil
	}
	key := keyOf(ev, ev.ObjectRef.Name)
	var before []byte
	if v, ok := p.before.Get(key); ok {
		before, _ = v.([]byte)
	}
	r := ev.Request(p.kinds, before)
	p.known.at, p.uid = r.Now, r.User.UID
	if r.Judged == auditlog.Unjudgeable {
		p.totals.Unjudged[r.Why]++
	} else if policy.NotSent(r.Request) == "" && !p.own(r) {
		if err := p.judge(r, line); err != nil {
			return err
		}
	}
	if ev.Done() && !r.DryRun {
		p.learn(ev, r, key)
	}
	return nil
}

// own reports whether a write is one of Firebreak's own records, which are not sent to it: a request must never wait for one that it causes. What it applies of
// the declared estate is judged like anybody's.
func (p *player) own(r *auditlog.Request) bool {
	return r.User.Username == "system:serviceaccount:"+p.home+":firebreak" && r.Resource.Group == v1alpha1.GroupName &&
		(r.Resource.Resource != "environments" && r.Resource.Resource != "datastores" || r.DryRun)
}

// again reports whether an event tells of the end of a session that the log has told of when it began. A log may leave either out.
func (p *player) again(ev *auditlog.Event) bool {
	switch _, began := p.sessions.Get(ev.AuditID); {
	case ev.Stage == auditlog.StageStarted:
		p.sessions.Add(ev.AuditID, nil)
		return false
	case began:
		p.sessions.Remove(ev.AuditID)
		return true
	}
	return false
}

// keyOf tells an object from all others. Of a Namespace, events give the namespace or not.
func keyOf(ev *auditlog.Event, name string) string {
	ref := ev.ObjectRef
	ns := ref.Namespace
	if ref.Resource == "namespaces" && ref.APIGroup == "" {
		ns = ""
	}
	return ref.APIGroup + "/" + ref.Resource + "|" + ns + "|" + name
}

// judge judges one request.
func (p *player) judge(r *auditlog.Request, line int) error {
	d, err := p.decide(r)
	if err != nil {
		p.totals.Unjudged[firstClause(err)]++
		return nil
	}
	p.totals.Judged++
	switch r.Judged {
	case auditlog.NoContent:
		p.totals.NoContent++
	case auditlog.NoBefore:
		p.totals.NoBefore++
	}
	if d.Unlisted != "" {
		p.identity(r, d.Unlisted, "")
	}
	denied, warned := d.Denied(), d.Warned()
	switch {
	case !d.Allowed:
		p.totals.Denied++
	case len(warned) > 0:
		p.totals.Warned++
	default:
		p.totals.Allowed++
	}
	for _, f := range slices.Concat(denied, warned) {
		p.row(r, &f, line)
		if f.Rule == v1alpha1.RuleIdentityOutsideEnvironment {
			p.identity(r, r.User.Username, f.Environment)
		}
	}
	if p.each == nil {
		return nil
	}
	return p.each(line, r, d)
}

func (p *player) decide(r *auditlog.Request) (*policy.Decision, error) {
	c, err := policy.PrepareWith(p.ctx, r.Request, p.known.view, p.known)
	if err != nil {
		return nil, err
	}
	return p.known.decide(c, func(s *change.State) {
		// The reservation that a request itself caused stands in the log before it.
		s.Executions = slices.DeleteFunc(slices.Clone(s.Executions), func(x v1alpha1.ChangeExecution) bool {
			return p.made[x.Namespace+"/"+x.Name].After(r.Now)
		})
	}), nil
}

// firstClause shortens an error to what it has in common with others of its kind.
func firstClause(err error) string {
	text := err.Error()
	var u policy.UndecidedError
	if errors.As(err, &u) {
		text = u.Why
	}
	if i := strings.IndexByte(text, '"'); i > 0 {
		text = strings.TrimRight(text[:i], " ") + " …"
	}
	return text
}

// row counts a finding.
func (p *player) row(r *auditlog.Request, f *policy.Finding, line int) {
	key := replayKey{r.User.Username, r.Namespace, string(f.Rule) + string(f.Action), r.Resource.GroupResource().String()}
	row := p.rows[key]
	if row == nil {
		if len(p.rows) >= mostRows {
			p.totals.OtherRows++
			return
		}
		row = &ReplayRow{
			Team: teamOf(r), User: r.User.Username, Namespace: r.Namespace, Environment: f.Environment, Rule: string(f.Rule), Action: strings.ToLower(string(f.Action)),
			Resource: r.Resource.GroupResource().String(), Example: policy.Describe(r.Request) + ": " + f.Message, Line: line,
		}
		p.rows[key] = row
	}
	row.Count++
}

// identity counts a write into production by somebody whom no environment lists.
func (p *player) identity(r *auditlog.Request, name, environment string) {
	key := replayKey{user: name, namespace: r.Namespace}
	i := p.listed[key]
	if i == nil {
		if len(p.listed) >= mostRows {
			return
		}
		i = &ReplayIdentity{Name: name, Namespace: r.Namespace, Environment: environment}
		p.listed[key] = i
	}
	i.Count++
}

// teamOf names the team of a requester: the namespace of a service account, or the groups of a person that are not Kubernetes' own.
func teamOf(r *auditlog.Request) string {
	if rest, ok := strings.CutPrefix(r.User.Username, "system:serviceaccount:"); ok {
		ns, _, _ := strings.Cut(rest, ":")
		return "namespace " + ns
	}
	groups := slices.DeleteFunc(slices.Clone(r.User.Groups), func(g string) bool { return strings.HasPrefix(g, "system:") })
	slices.Sort(groups)
	return cmp.Or(strings.Join(groups, ","), "(no group)")
}

// span widens the time that a report is about.
func (r *ReplayReport) span(at time.Time) {
	if r.From == nil || at.Before(*r.From) {
		r.From = &at
	}
	if r.To == nil || at.After(*r.To) {
		r.To = &at
	}
}
