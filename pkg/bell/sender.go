package bell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// sendWithin is how long one message may take to be delivered.
const sendWithin = 15 * time.Second

// Send delivers a message to an address: a URL of shoutrrr, such as slack://, teams://, smtp://, pagerduty:// or generic+https:// for any webhook;
// cloudevents+https:// for CloudEvents 1.0 in the structured form; or alertmanager+https:// for Alertmanager. An error holds no part of the address, which is a
// credential.
func Send(ctx context.Context, address string, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	scheme, rest, _ := strings.Cut(strings.TrimSpace(address), "://")
	how, over, _ := strings.Cut(scheme, "+")
	var err error
	switch how {
	case "cloudevents":
		err = sendEvent(ctx, over+"://"+rest, m)
	case "alertmanager":
		err = sendAlert(ctx, over+"://"+rest, m)
	default:
		err = sendText(strings.TrimSpace(address), m)
	}
	if err != nil {
		return errors.New(without(address, err.Error()))
	}
	return nil
}

// leastSecret is how long a part of an address is at least that is taken out of errors.
const leastSecret = 4

// without takes an address and its parts out of a text.
func without(address, said string) string {
	parts := []string{address}
	if u, err := url.Parse(address); err == nil {
		parts = append(parts, u.Host, u.Hostname(), u.Path, u.RawQuery)
		if p, ok := u.User.Password(); ok {
			parts = append(parts, p)
		}
		parts = append(parts, u.User.Username())
		parts = append(parts, strings.Split(u.Path, "/")...)
		for _, values := range u.Query() {
			parts = append(parts, values...)
		}
	}
	for _, p := range parts {
		for _, form := range []string{p, url.QueryEscape(p), url.PathEscape(p)} {
			if len(form) >= leastSecret {
				said = strings.ReplaceAll(said, form, "…")
			}
		}
	}
	return said
}

// sendText sends by shoutrrr, which bounds the time itself.
func sendText(address string, m *Message) error {
	sender, err := shoutrrr.CreateSender(address)
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", err)
	}
	sender.Timeout = sendWithin
	params := types.Params{}
	params.SetTitle(m.Title)
	return errors.Join(sender.Send(m.Text, &params)...)
}

func sendEvent(ctx context.Context, address string, m *Message) error {
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(address))
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
	if result := c.Send(cloudevents.WithEncodingStructured(ctx), e); !cloudevents.IsACK(result) {
		return fmt.Errorf("the receiver has not taken it: %w", result)
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
	alert := map[string]any{
		"labels": map[string]string{
			"alertname": "FirebreakNotice", "notice": string(n.Kind), "namespace": n.Namespace, "environment": strings.Join(n.Environments, ","), "object": n.Object, "cluster": n.Cluster,
		},
		"annotations": map[string]string{"summary": m.Title, "description": m.Text},
		"startsAt":    n.At.UTC().Format(time.RFC3339),
		"endsAt":      n.At.Add(alertFor).UTC().Format(time.RFC3339),
	}
	if n.Link != "" {
		alert["generatorURL"] = n.Link
	}
	body, err := json.Marshal([]any{alert})
	if err != nil {
		return fmt.Errorf("encode the alert: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("api", "v2", "alerts").String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("send the alert: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // its status says all
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answers %s", answer.Status)
	}
	return nil
}
