// An xconn router under test: tickets for two principals, rights by role, and its port as the one line that it prints.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/xconnio/wampproto-go/auth"
	"github.com/xconnio/xconn-go"
)

const (
	realm = "realm1"
	// The default of 64 messages refuses calls at 20 callers with 4 in flight ("callee blocked") and drops
	// acknowledgements at a hundred publications; the channel's room costs 24 bytes a message and connection.
	outQueue = 128
)

type principal struct {
	role, ticket string
}

// principals by authid; implements auth.ServerAuthenticator.
type principals map[string]principal

func (known principals) Methods() []auth.Method { return []auth.Method{auth.MethodTicket} }

func (known principals) Authenticate(request auth.Request) (auth.Response, error) {
	shown, isTicket := request.(*auth.TicketRequest)
	if !isTicket {
		return nil, errors.New("tickets only")
	}
	found, ok := known[shown.AuthID()]
	if !ok || found.ticket != shown.Ticket() {
		return nil, errors.New("invalid ticket")
	}
	return auth.NewResponse(shown.AuthID(), found.role, 0)
}

// Users subscribe to what is their organization's; backends publish it, and register and call.
var roles = []xconn.RealmRole{
	{Name: "user", Permissions: []xconn.Permission{
		{URI: "organization.", MatchPolicy: "prefix", AllowSubscribe: true},
	}},
	{Name: "backend", Permissions: []xconn.Permission{
		{URI: "organization.", MatchPolicy: "prefix", AllowPublish: true},
		{URI: "bench.", MatchPolicy: "prefix", AllowRegister: true, AllowCall: true},
	}},
}

func serve() error {
	known := principals{
		"bench":   {"user", os.Getenv("BENCH_TICKET")},
		"backend": {"backend", os.Getenv("BENCH_BACKEND_TICKET")},
	}
	for authid, one := range known {
		if one.ticket == "" {
			return fmt.Errorf("no ticket for %s: set BENCH_TICKET and BENCH_BACKEND_TICKET", authid)
		}
	}
	router, err := xconn.NewRouter(&xconn.RouterConfig{LogLevel: xconn.LogLevelError})
	if err != nil {
		return err
	}
	if err := router.AddRealm(realm, &xconn.RealmConfig{Roles: roles}); err != nil {
		return err
	}
	settings := &xconn.ServerConfig{OutQueueSize: outQueue}
	listening, err := xconn.NewServer(router, known, settings).ListenAndServeWebSocket(xconn.NetworkTCP, "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listening.Port())
	select {}
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "xconn:", err)
		os.Exit(1)
	}
}
