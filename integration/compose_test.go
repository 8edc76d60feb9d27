package integration

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVars: caddy-l4's own matcher picks the server by what the header said.
func TestVars(t *testing.T) {
	acme, others := startMariaDB(t), sharedMariaDB(t)
	endpoint := newEndpoint(t)
	source, uniqueID := randomIPv4(), word()
	tests := []struct{ name, placeholder, value string }{
		{"address", "{l4.proxy_header.src_ip}", source.String()},
		{"unique id", "{l4.proxy_header.tlv.unique_id}", uniqueID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := Caddyfile(`{
	layer4 {
		%s {
			route {
				proxy_header {
					allow 127.0.0.1
				}
				subroute {
					@acme vars %s %s
					route @acme {
						proxy %s
					}
					route {
						proxy %s
					}
				}
			}
		}
	}
}
`, endpoint, tt.placeholder, tt.value, acme.Addr, others.Addr)
			inBothForms(t, config, func(t *testing.T, config Config) {
				startCaddy(t, config)
				for _, sender := range []struct {
					source   netip.Addr
					uniqueID string
					db       *MariaDB
				}{
					{source, uniqueID, acme},
					{randomIPv4(), word(), others},
				} {
					addr := local(freePort(t))
					startHAProxy(t, fmt.Sprintf(`
listen in
	bind %s
	tcp-request connection set-src str(%s)
	unique-id-format %s
	server caddy %s send-proxy-v2 proxy-v2-options unique-id
`, addr, sender.source, sender.uniqueID, endpoint.IPv4))
					testStatement(t, sender.db, addr)
				}
			})
		})
	}
}

// TestMatcher: the proxy_header matcher tells two load balancers apart by each thing that their headers say.
func TestMatcher(t *testing.T) {
	acme, others := startMariaDB(t), sharedMariaDB(t)
	endpoint := newEndpoint(t)
	sender := startTLSSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4)
	other := startSender(t, randomIPv6(), "[::1]", endpoint.IPv6+" send-proxy")
	_, port, err := net.SplitHostPort(sender.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range []string{
		"version 2",
		"src 192.0.2.0/24 " + sender.Source.String(),
		"dst 127.0.0.0/8",
		"dst_port " + port,
		"tlv authority " + sender.ServerName,
		"ssl verified",
		"ssl_cn " + sender.CommonName,
	} {
		name, _, _ := strings.Cut(option, " ")
		t.Run(name, func(t *testing.T) {
			config := Caddyfile(`{
	layer4 {
		%s {
			route {
				proxy_header {
					allow 127.0.0.1 ::1
				}
				subroute {
					@acme proxy_header {
						command PROXY
						%s
					}
					route @acme {
						proxy %s
					}
					route {
						proxy %s
					}
				}
			}
		}
	}
}
`, endpoint, option, acme.Addr, others.Addr)
			inBothForms(t, config, func(t *testing.T, config Config) {
				startCaddy(t, config)
				testStatement(t, acme, sender.Addr)
				testStatement(t, others, other.Addr)
			})
		})
	}
}

// TestChooseServer: the example sends this machine's clients to one server and all others to another.
func TestChooseServer(t *testing.T) {
	here, elsewhere := startMariaDB(t), sharedMariaDB(t)
	endpoint := newEndpoint(t)
	config := example(t, "choose-server", ":3306", endpoint.String(),
		"proxy 127.0.0.1:3307", "proxy "+here.Addr, "proxy 127.0.0.1:3309", "proxy "+elsewhere.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		testStatement(t, here, startNginxSender(t, endpoint).Addr)
		testStatement(t, elsewhere, startSender(t, randomIPv4(), "127.0.0.1", endpoint.IPv4+" send-proxy-v2").Addr)
	})
}

// TestTLS: a tls matcher and the tls handler behind proxy_header see the client's first bytes, and the
// address goes on through them.
func TestTLS(t *testing.T) {
	db := sharedMariaDB(t)
	endpoint := newEndpoint(t)
	host := word() + ".internal"
	config := Caddyfile(`{
	skip_install_trust
	tls_automate_names %[2]s
	layer4 {
		%[1]s {
			route {
				proxy_header {
					allow 127.0.0.1 ::1
				}
				subroute {
					@db tls {
						sni %[2]s
					}
					route @db {
						tls
						proxy {
							proxy_protocol v2
							upstream %[3]s
						}
					}
				}
			}
		}
	}
}
`, endpoint, host, db.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		caddy := startCaddy(t, config)
		roots := x509.NewCertPool()
		eventually(t, func() error {
			root, err := os.ReadFile(filepath.Join(caddy.Dir, "caddy", "pki", "authorities", "local", "root.crt"))
			if err == nil && !roots.AppendCertsFromPEM(root) {
				err = fmt.Errorf("no certificate in %q", root)
			}
			return err
		})
		dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: host}}
		eventually(t, func() error { // the certificate is made while Caddy serves already
			conn, err := net.Dial("tcp", endpoint.IPv4)
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "PROXY UNKNOWN\r\n"); err != nil {
				return err
			}
			return tls.Client(conn, dialer.Config).Handshake()
		})
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) {
				s := sender.start(t, endpoint)
				account, statement := db.createAccount(t, s.Source.String()), whoAmI()
				got, err := queryDriver(t, dialer.DialContext, s.Addr, account, statement)
				if err != nil {
					t.Fatal(err)
				}
				if want := s.Sessions(t, 1)[0].Client; parseAddr(t, got) != want {
					t.Errorf("process list: got %s, want %s, as the load balancer logged", got, want)
				}
			})
		}
	})
}

// TestHTTP: behind the listener wrapper the http app knows the original address as its client's.
func TestHTTP(t *testing.T) {
	endpoint := newEndpoint(t)
	_, port, err := net.SplitHostPort(endpoint.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	answer := word()
	config := example(t, "http",
		"servers :8080", "servers",
		"http://:8080 {", "http://:"+port+" {\n\tbind 127.0.0.1 ::1",
		`respond "`, `respond "`+answer+" ")
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) {
				s := sender.start(t, endpoint)
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				response, err := client.Get("http://" + s.Addr + "/")
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				source := s.Sessions(t, 1)[0].Client
				if want := fmt.Sprint(answer, " ", source.Addr(), " ", source.Port()); string(body) != want {
					t.Errorf("got %q, want %q, as the load balancer logged", body, want)
				}
			})
		}
	})
}

// TestPostgres: proxy_header is for any protocol. PostgreSQL does not speak the PROXY protocol: one byte of
// a header that reached it would be an error.
func TestPostgres(t *testing.T) {
	pg := startPostgres(t)
	endpoint := newEndpoint(t)
	config := example(t, "postgres", ":5432", endpoint.String(), "127.0.0.1:5433", pg.Addr)
	inBothForms(t, config, func(t *testing.T, config Config) {
		startCaddy(t, config)
		for _, sender := range senders {
			t.Run(sender.name, func(t *testing.T) {
				host, port, err := net.SplitHostPort(sender.start(t, endpoint).Addr)
				if err != nil {
					t.Fatal(err)
				}
				statement := "SELECT '" + word() + "'"
				run(t, "psql", "--no-psqlrc", "--no-password", "--host="+host, "--port="+port, "--username=postgres",
					"--command="+statement)
				eventually(t, func() error {
					if !pg.out.contains("statement: " + statement) {
						return fmt.Errorf("PostgreSQL has not logged %s", statement)
					}
					return nil
				})
			})
		}
	})
}
