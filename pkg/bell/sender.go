package bell

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// sendWithin is how long one message may take to be delivered.
const sendWithin = 15 * time.Second

// Client speaks HTTP to receivers. A redirection is not followed: it would turn a message into a request for something else, wherever the receiver wants.
func Client() *http.Client {
	return &http.Client{Timeout: sendWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// services are those of shoutrrr that are used: each sends by HTTP with the default client or by SMTP, and says whether it was taken.
func services() []string {
	return []string{"slack", "teams", "discord", "mattermost", "smtp", "pagerduty", "opsgenie", "googlechat", "ntfy", "gotify", "pushover"}
}

// Schemes returns the schemes of addresses that Send knows.
func Schemes() []string {
	return append([]string{"generic", "cloudevents", "alertmanager"}, services()...)
}

// Send delivers a message to an address: a URL of shoutrrr, such as slack://, teams://, smtp:// or pagerduty://; generic+https:// for any webhook, which gets
// title, text and notice as JSON; cloudevents+https:// for CloudEvents 1.0 in the structured form; or alertmanager+https:// for Alertmanager. It returns when the
// message was taken or refused, and not before. An error holds no part of the address, which is a credential.
func Send(ctx context.Context, address string, m *Message) (err error) {
	// What a library makes of an answer that it does not expect must not end the server.
	defer func() {
		if recover() != nil {
			err = errors.New("the library that sends it has failed")
		}
	}()
	address = strings.TrimSpace(address)
	scheme, rest, _ := strings.Cut(address, "://")
	how, over, _ := strings.Cut(scheme, "+")
	if !slices.Contains(Schemes(), how) {
		return fmt.Errorf("its address begins with none of %s", strings.Join(Schemes(), ", "))
	}
	if slices.Contains(services(), how) {
		return sendText(how, address, m)
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	switch target := over + "://" + rest; how {
	case "cloudevents":
		return plainly(sendEvent(ctx, target, m))
	case "alertmanager":
		return plainly(sendAlert(ctx, target, m))
	default:
		return plainly(post(ctx, target, map[string]any{"title": m.Title, "message": m.Text, "notice": m.Notice}))
	}
}

// plainly takes the address out of an error: what is left is why the connection failed.
func plainly(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		var dns *net.DNSError
		switch {
		case of.Timeout():
			return errors.New("the receiver has not answered in time")
		case errors.As(err, &dns):
			return errors.New("the name of the receiver is not known")
		}
		var op *net.OpError
		if errors.As(err, &op) {
			return fmt.Errorf("the receiver cannot be reached: %s", op.Op)
		}
		return errors.New("the address cannot be used")
	}
	var status statusError
	if errors.As(err, &status) {
		return status
	}
	if err != nil {
		return errors.New("the message was not taken")
	}
	return nil
}

// statusError is an answer other than that a message was taken.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the receiver answers %d", int(s)) }

// sendText sends by shoutrrr. What its errors say may hold parts of the address, in other forms, so none of it is passed on.
func sendText(how, address string, m *Message) error {
	service, err := (&router.ServiceRouter{}).Locate(address)
	if err != nil {
		return fmt.Errorf("its address cannot be read as one of %s", how)
	}
	text, params := m.Title+"\n"+m.Text, types.Params{}
	if how == "smtp" {
		text = m.Text
		params["subject"] = m.Title
	}
	if err := service.Send(text, &params); err != nil {
		return fmt.Errorf("%s has not taken it", how)
	}
	return nil
}

// post sends JSON.
func post(ctx context.Context, address string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := Client().Do(r)
	if err != nil {
		return fmt.Errorf("send it: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // its status says all
	if answer.StatusCode/100 != 2 {
		return statusError(answer.StatusCode)
	}
	return nil
}

func sendEvent(ctx context.Context, address string, m *Message) error {
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(address), cehttp.WithClient(*Client()))
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", err)
	}
	e := cloudevents.NewEvent()
	e.SetID(m.Notice.ID)
	e.SetSource("firebreak.dev/" + url.PathEscape(m.Notice.Cluster))
	e.SetType("dev.firebreak.notice." + string(m.Notice.Kind))
	e.SetSubject(strings.Trim(m.Notice.Namespace+"/"+m.Notice.Object, "/"))
	e.SetTime(m.Notice.At)
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"title": m.Title, "text": m.Text, "notice": m.Notice}); err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	result := c.Send(cloudevents.WithEncodingStructured(ctx), e)
	var answered *cehttp.Result
	switch {
	case cloudevents.ResultAs(result, &answered) && answered.StatusCode/100 != 2:
		return statusError(answered.StatusCode)
	case !cloudevents.IsACK(result):
		return result
	}
	return nil
}

// alertFor is how long Alertmanager takes an alert for firing: nothing says that it is over.
const alertFor = time.Hour

func sendAlert(ctx context.Context, address string, m *Message) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", err)
	}
	n := &m.Notice
	sum := sha256.Sum256([]byte(n.ID))
	alert := map[string]any{
		"labels": map[string]string{
			"alertname": "FirebreakNotice", "notice": string(n.Kind), "namespace": n.Namespace, "environment": strings.Join(n.Environments, ","), "object": n.Object, "cluster": n.Cluster,
			"id": hex.EncodeToString(sum[:8]), // two notices about one object are two alerts
		},
		"annotations": map[string]string{"summary": m.Title, "description": m.Text},
		"startsAt":    n.At.UTC().Format(time.RFC3339),
		"endsAt":      time.Now().Add(alertFor).UTC().Format(time.RFC3339),
	}
	if n.Link != "" {
		alert["generatorURL"] = n.Link
	}
	return post(ctx, u.JoinPath("api", "v2", "alerts").String(), []any{alert})
}
