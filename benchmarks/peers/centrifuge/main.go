// A Centrifuge server under test: signed tokens, rights by role, and its port as the one line that it prints.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	prefix = "organization."
	// The default of 64 KiB leaves no room for a payload of that size with a command around it.
	longestMessage = 1 << 20
)

// claims of a token: what Centrifugo reads from it, and the role.
type claims struct {
	Subject string `json:"sub"`
	Expires int64  `json:"exp"`
	Role    string `json:"role"`
}

var errInvalid = errors.New("not a valid token")

// verified takes a JSON Web Token signed by HMAC with SHA-256, and no other.
func verified(token string, secret []byte, now time.Time) (claims, error) {
	var head struct {
		Algorithm string `json:"alg"`
	}
	var found claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || decoded(parts[0], &head) != nil || head.Algorithm != "HS256" {
		return found, errInvalid
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) || decoded(parts[1], &found) != nil {
		return found, errInvalid
	}
	if now.Unix() >= found.Expires {
		return found, centrifuge.ErrorTokenExpired
	}
	return found, nil
}

func decoded(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

type roleKey struct{}

// connecting lets in who has a token; whose role decides what is allowed later.
func connecting(secret []byte) centrifuge.ConnectingHandler {
	return func(ctx context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		found, err := verified(event.Token, secret, time.Now())
		if err != nil {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
		}
		return centrifuge.ConnectReply{
			Context:     context.WithValue(ctx, roleKey{}, found.Role),
			Credentials: &centrifuge.Credentials{UserID: found.Subject, ExpireAt: found.Expires},
		}, nil
	}
}

// connected gives a client its rights: users subscribe to what is their organization's, backends publish it.
func connected(client *centrifuge.Client) {
	role, _ := client.Context().Value(roleKey{}).(string)
	client.OnSubscribe(func(event centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
		if role != "user" || !strings.HasPrefix(event.Channel, prefix) {
			done(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
			return
		}
		done(centrifuge.SubscribeReply{}, nil)
	})
	// The reply is empty: nothing about the publisher goes into the event, and no history is kept.
	client.OnPublish(func(event centrifuge.PublishEvent, done centrifuge.PublishCallback) {
		if role != "backend" || !strings.HasPrefix(event.Channel, prefix) {
			done(centrifuge.PublishReply{}, centrifuge.ErrorPermissionDenied)
			return
		}
		done(centrifuge.PublishReply{}, nil)
	})
	client.OnRefresh(func(_ centrifuge.RefreshEvent, done centrifuge.RefreshCallback) {
		done(centrifuge.RefreshReply{Expired: true}, nil)
	})
}

func serve() error {
	secret := []byte(os.Getenv("BENCH_SECRET"))
	if len(secret) == 0 {
		return errors.New("nothing to check tokens by: set BENCH_SECRET")
	}
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	node.OnConnecting(connecting(secret))
	node.OnConnect(connected)
	if err := node.Run(); err != nil {
		return err
	}
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// With a pool, a connection keeps no buffer of its own for writing.
	configuration := centrifuge.WebsocketConfig{UseWriteBufferPool: true, MessageSizeLimit: longestMessage}
	routes := http.NewServeMux()
	routes.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, configuration))
	fmt.Println(listening.Addr().(*net.TCPAddr).Port)
	return http.Serve(listening, routes)
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "centrifuge:", err)
		os.Exit(1)
	}
}
