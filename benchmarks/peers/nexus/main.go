// A nexus router under test: tickets for two principals, rights by role, and its port as the one line that it prints.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gammazero/nexus/v3/router"
	"github.com/gammazero/nexus/v3/router/auth"
	"github.com/gammazero/nexus/v3/wamp"
)

const (
	realm = "realm1"
	// The default of 64 messages refuses calls at 20 callers with 4 in flight ("callee blocked") and drops
	// acknowledgements at a hundred publications; the channel's room costs 16 bytes a message and connection.
	outQueue = 128
)

type principal struct {
	role   string
	ticket []byte
}

// principals by authid; the key store of auth.NewTicketAuthenticator.
type principals map[string]principal

func (known principals) AuthKey(authid, _ string) ([]byte, error) {
	if found, ok := known[authid]; ok {
		return found.ticket, nil
	}
	return nil, errors.New("no such principal")
}

func (known principals) AuthRole(authid string) (string, error) {
	if found, ok := known[authid]; ok {
		return found.role, nil
	}
	return "", errors.New("no such principal")
}

func (known principals) PasswordInfo(string) (string, int, int) { return "", 0, 0 }

func (known principals) Provider() string { return "static" }

// rights by role: users subscribe to what is their organization's; backends publish it, and register and call.
type rights struct{}

func (rights) Authorize(session *wamp.Session, message wamp.Message) (bool, error) {
	role, _ := wamp.AsString(session.Details["authrole"])
	switch message := message.(type) {
	case *wamp.Subscribe:
		return role == "user" && strings.HasPrefix(string(message.Topic), "organization."), nil
	case *wamp.Publish:
		return role == "backend" && strings.HasPrefix(string(message.Topic), "organization."), nil
	case *wamp.Register:
		return role == "backend" && strings.HasPrefix(string(message.Procedure), "bench."), nil
	case *wamp.Call:
		return role == "backend" && strings.HasPrefix(string(message.Procedure), "bench."), nil
	default:
		return true, nil
	}
}

func serve() error {
	known := principals{
		"bench":   {"user", []byte(os.Getenv("BENCH_TICKET"))},
		"backend": {"backend", []byte(os.Getenv("BENCH_BACKEND_TICKET"))},
	}
	for authid, one := range known {
		if len(one.ticket) == 0 {
			return fmt.Errorf("no ticket for %s: set BENCH_TICKET and BENCH_BACKEND_TICKET", authid)
		}
	}
	configuration := &router.Config{RealmConfigs: []*router.RealmConfig{{
		URI:            realm,
		Authenticators: []auth.Authenticator{auth.NewTicketAuthenticator(known, 10*time.Second)},
		Authorizer:     rights{},
	}}}
	routing, err := router.NewRouter(configuration, log.New(io.Discard, "", 0))
	if err != nil {
		return err
	}
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sockets := router.NewWebsocketServer(routing)
	sockets.OutQueueSize = outQueue
	fmt.Println(listening.Addr().(*net.TCPAddr).Port)
	return http.Serve(listening, sockets)
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "nexus:", err)
		os.Exit(1)
	}
}
