// Package proxyheader decodes the PROXY protocol header, versions 1 and 2, that a load balancer puts
// before the bytes of a connection, says who may send one, and makes the one for the next server.
//
// The specification is "The PROXY protocol", doc/proxy-protocol.txt of HAProxy, revision 2026/04/27; comments
// name its sections.
//
// [Parse] takes the bytes that have arrived so far and either decodes the header, asks for more bytes
// ([ErrShort]), says that there is no header ([ErrNone]) or refuses a bad one (a [*ParseError]). Each of
// these but ErrShort is final: further bytes do not change it, so an answer does not depend on how the
// stream was cut into reads. [Detect] looks at the signature only. [AllowList] is the list of peers whose
// headers may be believed; asking it is the caller's duty, as Parse knows no peer. [Append] makes a header
// for TCP that Parse decodes to the same.
//
// The package does no I/O, keeps no state and starts no goroutine. Its functions may be called from several
// goroutines at once, and none of them panics on any input.
//
// # Ownership
//
// The slices in a [Header], and all that is reached through them ([TLVs], [SSL]), point into the bytes
// given to Parse: they are valid as long as those bytes are not changed. Addresses and strings are copies.
// Nothing is allocated for a header that is accepted, for ErrShort or for ErrNone.
//
// # Limits
//
// A version 1 line is at most [MaxV1Length] bytes. A version 2 block (addresses and TLVs) is at most
// [DefaultMaxLength] bytes unless [ParseMax] is told otherwise; a longer one is refused by its length field,
// before it has arrived. TLVs are nested two levels deep at most (PP2_TYPE_SSL); deeper ones are opaque
// values. Exactly one header is decoded: a second one is payload, and refusing it is the caller's decision.
// On a datagram socket, where every datagram carries a header of its own, ErrShort means a bad datagram.
// Headers are written for TCP and for LOCAL only: the addresses of UDP and of UNIX sockets are never sent.
package proxyheader
