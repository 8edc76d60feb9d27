package l4mysql

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// MySQLLog follows the MySQL conversation on a connection and writes one record per command, with its
// outcome, to Caddy's log. It changes nothing.
//
// It is an intermediary handler: put it right before the handler that answers the client, usually `proxy`,
// and behind `proxy_header` where a load balancer sends PROXY headers. What it cannot follow (TLS that the
// server ends, or what is not MySQL at all) is passed on like anything else; only the log
// stops, and says so.
//
// Records are written at INFO by the logger `layer4.handlers.mysql_log.record`, so that a log that includes
// it has records and nothing else. Passwords are not recorded: authentication data in no case, and of
// statements that can carry one only what stands before their first quote.
type MySQLLog struct {
	// MaxQuery is how many bytes of each statement to record. Of longer ones the record has the beginning
	// and the full length. Default: 4096, also for zero.
	MaxQuery int `json:"max_query,omitempty"`

	// MaxParams is how many parameters of a prepared statement, and how many query attributes, to record.
	// -1 records none. Default: 64, also for zero.
	MaxParams int `json:"max_params,omitempty"`

	// MaxParam is how many bytes of each of them to record. Default: 1024, also for zero.
	MaxParam int `json:"max_param,omitempty"`

	// StatementsMemory is how many bytes the texts of a connection's prepared statements may take, with
	// what belongs to them. Executions of those that had to be forgotten have no text. Default: 262144,
	// also for zero.
	StatementsMemory int `json:"statements_memory,omitempty"`

	// SessionVariables adds to a record the system variables that the statement has set, as far as the
	// server tells the client of them (its session_track_system_variables). Default: false.
	SessionVariables bool `json:"session_variables,omitempty"`

	// Commands are the commands that make records, by the manual's names in lower case (`com_query`), or
	// `all`. Default: all but com_ping, com_statistics, com_quit, com_stmt_close and com_stmt_reset.
	Commands []string `json:"commands,omitempty"`

	// Events are the events that make records besides: `connect`, `auth_error`, `tls`, `change_user`,
	// `server_error`, `close`, `opaque`, or `all`. Default: all but close.
	Events []string `json:"events,omitempty"`

	// LogName is appended, after a dot, to the logger's name, so that listeners and tenants can have logs
	// of their own: `layer4.handlers.mysql_log.record.<name>`. Default: none.
	LogName string `json:"log_name,omitempty"`

	// Queue is how many records may wait to be written. Default: 8192, also for zero.
	Queue int `json:"queue,omitempty"`

	// Overflow says what to do with a record when the queue is full: `drop` it, which is counted and told
	// by the next record, or `block` the connection until there is room. Default: drop.
	Overflow string `json:"overflow,omitempty"`

	options   mysqldump.Options
	queue     *queue
	logger    *zap.Logger
	warnStock sync.Once
	warnTLS   sync.Once
}

// The values of [MySQLLog].Overflow.
const (
	overflowDrop  = "drop"
	overflowBlock = "block"
)

const (
	defaultQueue = 8192
	allNames     = "all"

	// flushTimeout is how long Caddy's exit may wait for records in the queue.
	flushTimeout = 2 * time.Second
)

// Provision sets up the handler.
func (h *MySQLLog) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	if h.MaxQuery == 0 {
		h.MaxQuery = mysqldump.DefaultMaxQuery
	}
	if h.MaxParams == 0 {
		h.MaxParams = mysqldump.DefaultMaxParams
	}
	if h.MaxParam == 0 {
		h.MaxParam = mysqldump.DefaultMaxParam
	}
	if h.StatementsMemory == 0 {
		h.StatementsMemory = mysqldump.DefaultStatementsMemory
	}
	if h.Queue == 0 {
		h.Queue = defaultQueue
	}
	if h.Overflow == "" {
		h.Overflow = overflowDrop
	}
	h.options = mysqldump.Options{
		MaxQuery: h.MaxQuery, MaxParams: h.MaxParams, MaxParam: h.MaxParam, StatementsMemory: h.StatementsMemory,
		Commands: mysqldump.DefaultCommands(), Events: mysqldump.DefaultEvents,
	}
	if err := h.chooseCommands(); err != nil {
		return err
	}
	if err := h.chooseEvents(); err != nil {
		return err
	}
	h.queue = newQueue(h.Queue, h.Overflow == overflowBlock, newRecordLog(h.logger, h.LogName).write)
	return registerMetrics(ctx)
}

func (h *MySQLLog) chooseCommands() error {
	if len(h.Commands) > 0 {
		h.options.Commands = mysqldump.CommandSet{}
	}
	for _, name := range h.Commands {
		command, known := mysqlwire.ParseCommand(name)
		switch {
		case name == allNames:
			h.options.Commands = mysqldump.AllCommands()
		case known && name == strings.ToLower(name):
			h.options.Commands[command] = true
		default:
			return fmt.Errorf("commands: '%s' is not the name of a command, such as com_query, or all", name)
		}
	}
	return nil
}

func (h *MySQLLog) chooseEvents() error {
	if len(h.Events) > 0 {
		h.options.Events = 0
	}
	for _, name := range h.Events {
		event, known := mysqldump.ParseEvent(name)
		switch {
		case name == allNames:
			h.options.Events = mysqldump.AllEvents
		case known:
			h.options.Events |= 1 << event
		default:
			return fmt.Errorf("events: '%s' is not the name of an event, such as connect, or all", name)
		}
	}
	return nil
}

// Validate checks the configuration.
func (h *MySQLLog) Validate() error {
	switch {
	case h.MaxQuery < 0:
		return fmt.Errorf("max_query: must not be negative, got %d", h.MaxQuery)
	case h.MaxParams < -1:
		return fmt.Errorf("max_params: must be a number of parameters, or -1 for none, got %d", h.MaxParams)
	case h.MaxParam < 0:
		return fmt.Errorf("max_param: must not be negative, got %d", h.MaxParam)
	case h.StatementsMemory < 0:
		return fmt.Errorf("statements_memory: must not be negative, got %d", h.StatementsMemory)
	case strings.ContainsAny(h.LogName, " \t\r\n"):
		return fmt.Errorf("log_name: must not contain spaces, got '%s'", h.LogName)
	case h.Queue < 0:
		return fmt.Errorf("queue: must not be negative, got %d", h.Queue)
	case h.Overflow != overflowDrop && h.Overflow != overflowBlock:
		return fmt.Errorf("overflow: '%s' is neither drop nor block", h.Overflow)
	}
	return nil
}

// Cleanup writes what is in the queues when Caddy exits. After a reload the connections of the old config
// go on, and with them its queues.
func (h *MySQLLog) Cleanup() error {
	if caddy.Exiting() {
		flushQueues(exitDeadline())
	}
	return nil
}

// exitDeadline is when Caddy's exit no longer waits for records, however many handlers there are.
var exitDeadline = sync.OnceValue(func() time.Time { return time.Now().Add(flushTimeout) })

// Handle puts a [tap] below cx and hands cx on.
func (h *MySQLLog) Handle(cx *layer4.Connection, next layer4.Handler) error {
	warnStockProxyProtocol(cx, &h.warnStock, h.logger)
	if !isDatagram(cx.LocalAddr()) { // MySQL is not spoken there, and layer4 wants its own connection below
		newTap(cx, h)
	}
	return next.Handle(cx)
}

// Interface guards
var (
	_ caddy.Provisioner  = (*MySQLLog)(nil)
	_ caddy.Validator    = (*MySQLLog)(nil)
	_ caddy.CleanerUpper = (*MySQLLog)(nil)
	_ layer4.NextHandler = (*MySQLLog)(nil)
)
