package mysqlwire

import "encoding/binary"

// HeaderLen is the length in bytes of the header of every packet: three bytes of payload length, least
// significant first, and one sequence id (Protocol::Packet).
const HeaderLen = 4

// MaxPayload is the largest payload of one packet, in bytes. A payload of exactly this length says that
// the next packet continues it; the last one is shorter, possibly empty (Sending More Than 16Mb).
const MaxPayload = 1<<24 - 1

// PayloadLen returns the payload length in bytes that the header h announces.
func PayloadLen(h *[HeaderLen]byte) int {
	return int(binary.LittleEndian.Uint32(h[:]) & MaxPayload) // one load: the loop over rows waits for it
}

// AppendHeader appends the header of a packet with n bytes of payload and sequence id seq to b.
// n must be in [0, MaxPayload].
func AppendHeader(b []byte, n int, seq uint8) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), seq)
}
