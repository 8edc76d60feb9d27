package l4mysql

import (
	"sync"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// warnStockProxyProtocol warns, once, where cx came through caddy-l4's own `proxy_protocol` handler: in
// v0.1.2 it takes a header from any peer, whatever its allow says. Every handler of this package that
// relies on cx's addresses calls it first.
func warnStockProxyProtocol(cx *layer4.Connection, once *sync.Once, logger *zap.Logger) {
	if behindStockProxyProtocol(cx) {
		once.Do(func() {
			logger.Warn("the handler proxy_protocol before this one does not enforce its allow; use proxy_header instead")
		})
	}
}

// behindStockProxyProtocol reports whether a handler other than `proxy_header` has set the variable that
// says whose addresses `proxy` sends on.
func behindStockProxyProtocol(cx *layer4.Connection) bool {
	if conn := cx.GetVar(proxyProtocolVar); conn != nil {
		if _, ours := conn.(*headerConn); !ours {
			return true
		}
	}
	state := headerStateOf(cx)
	return state != nil && state.behindStock
}
