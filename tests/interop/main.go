// Command interop plays the two sides of a Piko tunnel with the libraries that Piko is made of: gorilla/websocket,
// hashicorp/yamux and net/http. `make interop` runs Pico against it.
//
//	interop agent URL ADDR        dial URL (…/piko/v1/upstream/ENDPOINT) and serve ADDR through the tunnel
//	interop server UP PROXY       accept tunnels on UP, serve the last one's endpoint on PROXY
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
)

// wsConn is a byte stream in binary messages.
type wsConn struct {
	*websocket.Conn
	reader io.Reader
}

func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.reader == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("not a binary message")
			}
			c.reader = r
		}
		n, err := c.reader.Read(p)
		if err == io.EOF {
			c.reader = nil
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *wsConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func die(err error) {
	fmt.Fprintln(os.Stderr, "interop:", err)
	os.Exit(1)
}

func agent(target, addr string) {
	ws, resp, err := websocket.DefaultDialer.Dial(target, nil)
	if err != nil {
		if resp != nil {
			body, _ := io.ReadAll(resp.Body)
			err = fmt.Errorf("%d: %s", resp.StatusCode, strings.TrimSpace(string(body)))
		}
		die(err)
	}
	session, err := yamux.Client(&wsConn{Conn: ws}, nil)
	if err != nil {
		die(err)
	}
	fmt.Println("connected")
	service, _ := url.Parse("http://" + addr)
	err = http.Serve(session, httputil.NewSingleHostReverseProxy(service))
	die(err)
}

func server(up, proxy string) {
	var mu sync.Mutex
	var current *yamux.Session
	upgrader := websocket.Upgrader{}
	go func() {
		die(http.ListenAndServe(up, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/piko/v1/upstream/") {
				http.NotFound(w, r)
				return
			}
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			session, err := yamux.Server(&wsConn{Conn: ws}, nil)
			if err != nil {
				die(err)
			}
			mu.Lock()
			current = session
			mu.Unlock()
			fmt.Println("registered")
			<-session.CloseChan()
		})))
	}()
	transport := &http.Transport{
		DisableKeepAlives: true,
		Dial: func(_, _ string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if current == nil {
				return nil, errors.New("no tunnel")
			}
			return current.Open()
		},
	}
	die(http.ListenAndServe(proxy, &httputil.ReverseProxy{
		Transport: transport,
		Director: func(r *http.Request) {
			r.URL.Scheme = "http"
			r.URL.Host = r.Host
		},
	}))
}

func main() {
	if len(os.Args) != 4 {
		die(errors.New("usage: interop agent URL ADDR | interop server UP PROXY"))
	}
	if os.Args[1] == "agent" {
		agent(os.Args[2], os.Args[3])
	} else {
		server(os.Args[2], os.Args[3])
	}
}
